"""The door of telemetry that the operator's own API gave: a source of its own, marked, and never signed."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import msgspec
from starlette.responses import Response

from skylift.api.office.door import Call, Door, answer
from skylift.api.office.problems import missing
from skylift.api.telemetry.intake import Intake, there
from skylift.base.errors import Refused
from skylift.ports.store import Reader, Wanted
from skylift.service.account.roles import Subject
from skylift.service.terminal import agent_key
from skylift.service.terminal import state as terminals
from skylift.service.terminal.agent_key import KeyState
from skylift.wire.telemetry import reading
from skylift.wire.telemetry.management import NOT_SIGNED
from skylift.wire.telemetry.rows import MOST_ROWS, Quarantined

PATH = "/api/v1/telemetry/managed"
_VERB = "telemetry.write"
_MOST_BYTES = 1_048_576


@dataclass(frozen=True, slots=True)
class ManagedRows:
    """dish_id: as the network calls it;  rows: as agents send them;  dry_run: write nothing."""

    dish_id: str
    rows: tuple[dict[str, Any], ...]
    dry_run: bool = False


@dataclass(frozen=True, slots=True)
class ManagedTaken:
    """new: rows that were not there; null in a dry run.  put_aside: with reasons, for good."""

    terminal: str
    rows: int
    new: int | None
    put_aside: tuple[Quarantined, ...]


def doors(intake: Intake | None) -> list[Door]:
    """All of them."""

    async def take(call: Call) -> Response:
        return await _take(call, there(intake))

    return [
        Door(
            "POST",
            PATH,
            take,
            "Keep what the operator's management API reported of a dish without an agent.",
            "telemetry",
            {200: ManagedTaken},
            ManagedRows,
        )
    ]


async def _take(call: Call, intake: Intake) -> Response:
    office, actor = call.desk.office, call.asker()
    regions = (Subject(region) for grant in actor.grants for region in grant.regions)
    if not any(office.allows(actor, _VERB, subject) for subject in (Subject(), *regions)):
        office.refuse_strangers(actor, _VERB, Subject())
    try:
        given = msgspec.json.decode(await call.body(_MOST_BYTES), type=ManagedRows)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        raise Refused(
            "body.json", "the body", "it is one dish and its rows", "let `skylift management import` send it"
        ) from None
    if not 0 < len(given.rows) <= MOST_ROWS:
        raise Refused("telemetry.rows", "rows", f"they are 1 to {MOST_ROWS}", "send several times")
    terminal = await _terminal(call, given.dish_id)
    now = intake.desk.clock.now()
    batch = {"terminal": terminal, "sent_at": now, "rows": [_marked(row) for row in given.rows]}
    found = reading.read(msgspec.json.encode(batch), "application/json", now, intake.keep.oldest_us)
    aside = tuple(one.quarantined for one in found.aside)
    new = None if given.dry_run else (await intake.keep_batch(found, now)).new
    return answer(ManagedTaken(terminal, len(found.rows), new, aside))


def _marked(row: dict[str, Any]) -> dict[str, Any]:
    alerts = row.get("alerts")
    others = alerts if isinstance(alerts, list) else []
    return row | {"alerts": [NOT_SIGNED, *others[: reading.MOST_ALERTS - 1]]}


async def _terminal(call: Call, dish_id: str) -> str:
    """Which terminal that is, of those that the asker may report for."""
    office, actor = call.desk.office, call.asker()

    def look(reader: Reader) -> tuple[str, bool]:
        stored = reader.find(terminals.ROOM, "dish_id", dish_id)
        thing = None if stored is None else stored.thing
        subject = Subject() if thing is None else Subject(thing.region, thing.owner)
        office.refuse_strangers(actor, _VERB, subject)
        if stored is None:
            raise missing("terminal")
        keys = reader.list(agent_key.ROOM, Wanted(words=(stored.id,), limit=100))
        signs = any(k.thing.terminal == stored.id and k.thing.state is KeyState.IN_FORCE for k in keys)
        return stored.id, signs

    terminal, signs = await call.desk.read(look)
    if signs:
        raise Refused(
            "telemetry.has-agent",
            f"terminal {terminal}",
            "an agent beside it reports for it, and signs what it says",
            "leave it out, or revoke the agent's key",
        )
    return terminal
