"""Tables that are handed in: looked at, and written once somebody names what was looked at."""

from __future__ import annotations

import asyncio
import gc
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, TypeVar

from starlette.responses import Response

from skylift.adapters.tables import ENCODINGS, MOST_BYTES, Reading, read_table
from skylift.api.office.desk import Desk
from skylift.api.office.documents import agreement, plural
from skylift.api.office.door import Call, Door, Handler, Parameter, answer
from skylift.api.office.shapes import Agreement
from skylift.base.errors import Unavailable
from skylift.base.events import Who
from skylift.ports.store import Stored, Transaction
from skylift.service.account.roles import Subject
from skylift.service.approval import state as approvals
from skylift.service.importing import state as importing
from skylift.service.importing.state import Import, ImportState
from skylift.twin.handle import load
from skylift.twin.office.imports import Asker, ImportKind, Part, Plan, planned
from skylift.twin.office.imports_kinds import KINDS
from skylift.twin.office.imports_table import Table
from skylift.twin.office.imports_writing import (
    begun,
    earlier,
    other_plan,
    people_needed,
    proposed,
    refuse_bad,
    write_part,
)
from skylift.twin.office.verbs import Actor

R = TypeVar("R")

CSV = "text/csv"
XLSX = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"
# Each of them may hold its whole table in memory.
MOST_WAITING = 4

SHEET = Parameter("sheet", "Number from 1, or name, of the sheet of an XLSX file that has several.")
ENCODING = Parameter(
    "encoding",
    "What a CSV is written in, where it is neither UTF-8 nor UTF-16 with its mark.",
    {"type": "string", "enum": list(ENCODINGS)},
)
_PARAMETERS = (
    Parameter("apply", "The hash of the plan that was looked at: write it. Without it nothing is written."),
    Parameter("approval", "The agreement of another person, where it takes two."),
    SHEET,
    ENCODING,
)


@dataclass(frozen=True, slots=True)
class FieldChange:
    """What a field is, and what it would be."""

    old: str | int | float | None
    new: str | int | float | None


@dataclass(frozen=True, slots=True)
class RowChange:
    """A row that changes what is there. fields: by column."""

    row: int
    id: str
    fields: dict[str, FieldChange]


@dataclass(frozen=True, slots=True)
class BadRow:
    """Why a row cannot be taken. row: as a spreadsheet counts, headings being 1; column: "" for all of it."""

    row: int
    column: str
    reason: str
    way_out: str


@dataclass(frozen=True, slots=True)
class ImportPlan:
    """What a table does. Where there is a bad row, none of it is applied.

    hash     names just this; it is given as `apply`
    people   how many must agree to it
    import_id  the import, once it was begun; `applied` says that all of it is written
    """

    kind: str
    hash: str
    rows: int
    empty: int
    new: int
    same: int
    changed: tuple[RowChange, ...]
    bad: tuple[BadRow, ...]
    people: int
    applied: bool = False
    import_id: str = ""


@contextmanager
def _no_looking_for_garbage() -> Iterator[None]:
    """A table is a million small things that are all in use: to look through them again and again takes a
    fifth of the time. What others leave meanwhile waits for it.
    """
    gc.disable()
    try:
        yield
    finally:
        gc.enable()


def reading_of(call: Call) -> Reading:
    """How the file in a call's body is to be read, as its query and its Content-Type say."""
    query, media_type = call.request.query_params, call.request.headers.get("content-type", "")
    return Reading(query.get("encoding", ""), query.get("sheet", ""), media_type.startswith(XLSX))


class Imports:
    """The doors. One table at a time is worked on; a few wait."""

    def __init__(self, desk: Desk) -> None:
        self._desk = desk
        self._waiting = 0
        self._one_at_a_time = asyncio.Lock()

    def doors(self) -> list[Door]:
        """One for each kind that a table can be of."""
        return [
            Door(
                "POST",
                f"/api/v1/{plural(kind.kind)}/imports",
                self._handler(kind),
                "See what a table (CSV, XLSX) would do, row by row; with `apply`, do just that.",
                kind.kind,
                {200: ImportPlan, 202: Agreement},
                parameters=_PARAMETERS,
                upload=(CSV, XLSX),
            )
            for kind in KINDS.values()
        ]

    def _handler(self, kind: ImportKind) -> Handler:
        async def handle(call: Call) -> Response:
            _refuse_strangers(self._desk, call.asker(), kind.kind)
            if self._waiting >= MOST_WAITING:
                raise Unavailable(
                    "import.busy",
                    "imports",
                    "several are being looked at already",
                    "try again a little later",
                )
            self._waiting += 1
            try:
                data = await call.body(MOST_BYTES)
                async with self._one_at_a_time:
                    with _no_looking_for_garbage():
                        return await self._answered(call, kind, data)
            finally:
                self._waiting -= 1

        return handle

    async def _answered(self, call: Call, kind: ImportKind, data: bytes) -> Response:
        query = call.request.query_params
        table = await asyncio.to_thread(read_table, data, reading_of(call))
        del data
        wanted, approval = query.get("apply", ""), query.get("approval", "")
        if not wanted:
            plan, people = await self._plan(call, kind, table)
            return answer(shown(plan, people))
        run = await self._desk.read(lambda reader: earlier(reader, wanted))
        if run is not None and run.thing.table != table.digest:
            raise other_plan()
        if run is not None and run.thing.state is ImportState.DONE:
            return answer(_done(kind, run))
        return await self._applied(call, kind, table, wanted, approval, run)

    async def _plan(
        self, call: Call, kind: ImportKind, table: Table, cause: str | None = None
    ) -> tuple[Plan, int]:
        """What it would do, and how many people it takes."""
        office = self._desk.office
        asker = Asker(call.asker(), self._desk.clock.now(), cause)

        def look() -> tuple[Plan, int]:
            with self._desk.store.reading() as reader:
                plan = planned(office, reader, asker, kind, table)
                who = Who(asker.at, asker.actor.person)
                return plan, people_needed(reader, office, who, kind, plan)

        return await asyncio.to_thread(look)

    async def _applied(
        self,
        call: Call,
        kind: ImportKind,
        table: Table,
        wanted: str,
        approval: str,
        run: Stored[Import] | None,
    ) -> Response:
        id = run.id if run is not None else await self._new_id(approval)
        plan, people = await self._plan(call, kind, table, id)
        refuse_bad(plan)
        if run is None:
            if plan.hash != wanted:
                raise other_plan()
            if not plan.writes:
                return answer(shown(plan, people, applied=True))
            if people > 1 and not approval:
                waiting = await self._write(call, lambda t, who: proposed(t, self._desk.office, who, plan))
                return answer(agreement(waiting), 202)
            uses = approval if people > 1 else ""

            def begin(transaction: Transaction, who: Who) -> Stored[Import]:
                if not uses and people_needed(transaction, self._desk.office, who, kind, plan) > 1:
                    # Another table of theirs was faster.
                    raise other_plan()
                return begun(transaction, who, id, plan, uses, kind)

            run = await self._write(call, begin)
        for part in plan.parts[run.thing.written :]:
            run = await self._write(call, _writing(kind, run, part))
        return answer(shown(plan, people, applied=True, import_id=run.id))

    async def _new_id(self, approval: str) -> str:
        if not approval:
            return self._desk.office.ids.new(importing.ROOM.prefix)
        agreed = await self._desk.read(lambda reader: load(approvals.ROOM, reader, approval))
        return agreed.thing.about

    async def _write(self, call: Call, work: Callable[[Transaction, Who], R]) -> R:
        desk, actor = self._desk, call.asker()

        def go(transaction: Transaction) -> R:
            if desk.holder(transaction, call.token_hash).actor != actor:
                # What they may do has changed since the plan was made.
                raise other_plan()
            return work(transaction, Who(desk.clock.now(), actor.person))

        return await desk.write(go)


def _writing(
    kind: ImportKind, run: Stored[Import], part: Part
) -> Callable[[Transaction, Who], Stored[Import]]:
    return lambda transaction, who: write_part(transaction, kind, who, run, part)


def _refuse_strangers(desk: Desk, actor: Actor, kind: str) -> None:
    """Raises Forbidden for those who may import nothing of this kind; each row is asked for by itself."""
    office, verb = desk.office, f"{kind}.import"
    subjects = (Subject(owner=actor.account), *(Subject(r) for grant in actor.grants for r in grant.regions))
    if not any(office.allows(actor, verb, subject) for subject in subjects):
        office.refuse_strangers(actor, verb, Subject())


def shown(plan: Plan, people: int, applied: bool = False, import_id: str = "") -> ImportPlan:
    """A plan as it is answered."""
    changed = tuple(
        RowChange(one.row, one.id, {name: FieldChange(*pair) for name, pair in one.fields.items()})
        for one in plan.changed
    )
    bad = tuple(BadRow(*one) for one in plan.bad)
    return ImportPlan(
        plan.kind, plan.hash, plan.rows, plan.empty, plan.new, plan.same, changed, bad, people, applied,
        import_id,
    )  # fmt: skip


def _done(kind: ImportKind, run: Stored[Import]) -> dict[str, Any]:
    """What an import came to that is done already; which rows changed is not known any more."""
    tally = run.thing.tally
    rows = tally.new + tally.changed + tally.same
    return {
        "kind": kind.kind, "hash": run.thing.plan, "rows": rows, "empty": 0, "new": tally.new,
        "same": tally.same, "changed": [], "bad": [], "people": 2 if run.thing.agreement else 1,
        "applied": True, "import_id": run.id,
    }  # fmt: skip
