"""Everything that can be done, in one table, and every kind of thing that is kept."""

from __future__ import annotations

from skylift.service.approval.state import ROOM as APPROVALS
from skylift.twin.office import (
    accounts,
    allow_lists,
    approvals,
    appstats,
    authorities,
    bulk_changes,
    commands,
    importing,
    outages,
    regions,
    requests,
    shipments,
    statements,
    terminals,
    webhooks,
)
from skylift.twin.office.verbs import VerbTable

TABLE = VerbTable.of(
    requests.VERBS,
    regions.VERBS,
    authorities.VERBS,
    accounts.VERBS,
    terminals.VERBS,
    bulk_changes.VERBS,
    commands.VERBS,
    shipments.VERBS,
    allow_lists.VERBS,
    statements.VERBS,
    importing.VERBS,
    approvals.VERBS,
    webhooks.VERBS,
    appstats.VERBS,
    outages.VERBS,
)
# Agreements are begun by the verbs that need them.
ROOMS = tuple({room.kind: room for room in (*TABLE.rooms(), APPROVALS)}.values())
