"""Writing a plan: each part in a transaction of its own, with the import's own events, and none twice."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from skylift.base.errors import Refused
from skylift.base.events import Event, Who
from skylift.ports.store import Conflict, Reader, Reply, Stored, Transaction
from skylift.service.approval import state as approvals
from skylift.service.approval.change import change_hash
from skylift.service.approval.state import Approval, Proposal
from skylift.service.importing import state as importing
from skylift.service.importing.state import Import, ImportState
from skylift.twin.handle import begin, change, load
from skylift.twin.office.alone import TABLES, remember, too_many
from skylift.twin.office.imports import ImportKind, Part, Plan
from skylift.twin.office.office import Office

# As long as answers to other writes.
REMEMBERED_US = 7 * 86_400_000_000


def earlier(reader: Reader, plan_hash: str) -> Stored[Import] | None:
    """The import that was begun by this plan, finished or not."""
    return reader.find(importing.ROOM, "plan", plan_hash)


def people_needed(reader: Reader, office: Office, who: Who, kind: ImportKind, plan: Plan) -> int:
    """Two, where more of what is there would change than one person may, with their tables before."""
    alone = too_many(reader, office.limits, who, TABLES, _counted(kind, plan))
    return 2 if alone else 1


def _counted(kind: ImportKind, plan: Plan) -> list[str]:
    return sorted({one.id for one in plan.changed}) if kind.limited else []


def refuse_bad(plan: Plan) -> None:
    if plan.bad:
        rows = len({bad.row for bad in plan.bad})
        raise Refused(
            "import.bad-rows",
            "the table",
            f"{rows} of its {plan.rows} rows cannot be taken",
            "the plan tells why of each: correct or delete them; nothing was written",
        )


def other_plan() -> Conflict:
    return Conflict(
        "import.changed",
        "the plan",
        "this table would do something else by now: it, or what is there, is not as it was looked at",
        "look at the new plan, and apply that",
    )


def proposed(transaction: Transaction, office: Office, who: Who, plan: Plan) -> Stored[Approval]:
    """The agreement that an import by two people waits for: to this plan and no other."""
    approval_id, about = office.ids.new(approvals.ROOM.prefix), office.ids.new(importing.ROOM.prefix)
    proposal = Proposal(f"{plan.kind}.import", about, _exact(plan, about), 0)
    events = approvals.proposed(Approval(approval_id), who, who.by, proposal)
    return begin(approvals.ROOM, transaction, approval_id, events)


def _exact(plan: Plan, about: str) -> str:
    tally = plan.looked.tally
    told = {"plan": plan.hash, "new": tally.new, "changed": tally.changed}
    return change_hash(f"{plan.kind}.import", about, 0, told)


def begun(
    transaction: Transaction, who: Who, id: str, plan: Plan, approval: str, kind: ImportKind | None = None
) -> Stored[Import]:
    """The import, before its first part. approval: the agreement that it uses; "" where it needs none."""
    if not approval and kind is not None:
        remember(transaction, who, TABLES, _counted(kind, plan))
    if approval:
        verb, exact = f"{plan.kind}.import", _exact(plan, id)
        change(approvals.ROOM, transaction, approval, lambda a: approvals.used(a, who, verb, exact))
    events = importing.begun(Import(id), who, plan.looked, approval)
    transaction.drop_replies(who.at - REMEMBERED_US)
    return begin(importing.ROOM, transaction, id, events)


def write_part(
    transaction: Transaction, kind: ImportKind, who: Who, run: Stored[Import], part: Part
) -> Stored[Import]:
    """The next part of an import, and that it is written. Raises Conflict where something was faster."""
    stored = load(importing.ROOM, transaction, run.id)
    if stored.thing.state is not ImportState.UNDER_WAY or stored.version != run.version:
        raise other_plan()
    number = stored.thing.written
    if stored.thing.parts[number] != part.hash:
        raise other_plan()
    changes: list[tuple[Stored[Any], Sequence[Event]]] = [(one.stored, one.events) for one in part.writes]
    if changes:
        try:
            transaction.commit_all(kind.room, changes)
        except Conflict as error:
            raise Conflict(
                "import.changed",
                error.thing,
                f"{error.rule}; {number} of {len(stored.thing.parts)} parts are written",
                "look at the new plan of the same table, and apply that: what is written is found the same",
            ) from None
    personal = {one.stored.id: one.personal for one in part.writes if one.personal}
    if personal:
        transaction.keep_all_personal(personal)
    kept = {
        one.remember: Reply(who.at, "import-row", 201, one.stored.id) for one in part.writes if one.remember
    }
    if kept:
        transaction.keep_replies(kept)
    return change(importing.ROOM, transaction, run.id, lambda thing: importing.written(thing, who, number))
