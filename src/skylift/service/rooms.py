"""Every room whose things the store holds. A test finds those that are missing here."""

from __future__ import annotations

from typing import Any

from skylift.base.things import Room
from skylift.service import access, erasure
from skylift.service.account import account, alone, person, plan, token
from skylift.service.approval import state as approval
from skylift.service.appstats import state as app_figure
from skylift.service.authority import state as authority
from skylift.service.command import consent, rollout
from skylift.service.command import state as command
from skylift.service.importing import state as importing
from skylift.service.outage import state as outage
from skylift.service.region import state as region
from skylift.service.request import state as request
from skylift.service.shipment import state as shipment
from skylift.service.statement import state as statement
from skylift.service.terminal import agent_key, bulk, sharing
from skylift.service.terminal import state as terminal
from skylift.service.terminal.allow_list import state as allow_list
from skylift.service.webhook import state as webhook

ROOMS: tuple[Room[Any], ...] = (
    access.ROOM,
    account.ROOM,
    agent_key.ROOM,
    allow_list.ROOM,
    alone.ROOM,
    app_figure.ROOM,
    approval.ROOM,
    authority.ROOM,
    bulk.ROOM,
    command.ROOM,
    consent.ROOM,
    erasure.ROOM,
    importing.ROOM,
    outage.ROOM,
    person.ROOM,
    plan.ROOM,
    region.ROOM,
    request.ROOM,
    rollout.ROOM,
    sharing.ROOM,
    shipment.ROOM,
    statement.ROOM,
    terminal.ROOM,
    token.ROOM,
    webhook.ROOM,
)
