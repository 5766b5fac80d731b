"""Looking before leaping: what an authority's list would do, what scanned codes are, where everything is."""

from __future__ import annotations

import asyncio
import csv
import io
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from starlette.responses import Response

from skylift.adapters.tables import MOST_BYTES, read_table
from skylift.api.office.desk import Desk
from skylift.api.office.documents import document, readable, thing_name
from skylift.api.office.door import Call, Door, Parameter, answer, instant, read_as
from skylift.api.office.imports import CSV, ENCODING, SHEET, XLSX, reading_of
from skylift.api.office.problems import missing
from skylift.base.errors import Refused
from skylift.base.instants import InstantUs, format_instant
from skylift.ports.store import Conflict, Transaction
from skylift.service.account.roles import REACHES, Reach, Subject
from skylift.service.approval.change import change_hash
from skylift.service.shipment import state as shipments
from skylift.service.shipment.lines import of_scans
from skylift.service.shipment.stock import Ledger, Place, Stock, place_of
from skylift.service.terminal.allow_list import state as lists
from skylift.twin.office.allow_lists import Look, left_to_do, look, look_again, rules_named
from skylift.twin.office.imports_table import Table
from skylift.twin.office.office import Asked
from skylift.twin.office.shipments import stock_of
from skylift.twin.office.verbs import Actor

ROWS_AT_ONCE = 5_000
_MOVES = tuple(kind.NAME for kind in shipments.ROOM.events)


@dataclass(frozen=True, slots=True)
class ListRow:
    """A row that cannot be taken as it stands."""

    row: int
    column: str
    reason: str


@dataclass(frozen=True, slots=True)
class ListClash:
    """A row that contradicts what is known. terminals: those that it is about."""

    row: int
    reason: str
    terminals: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class ListBreach:
    """An owner with more than the rules allow. rows: all of theirs."""

    owner_kind: str
    rule: str
    allowed: int
    found: int
    rows: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class ListLook:
    """What a list would do to terminals as they are.

    hash       of a table: names what is looked at, for `apply`
    seen       with the counts of cut_off and flagged, what apply and schedule are told
    cut_off    ids; flagged: those of them that serve a hospital or another watched site
    unmatched  rows that name no terminal of ours
    left       how many terminals an applied list has not been carried out on yet
    """

    seen: str
    rows: int
    stays: int
    cut_off: tuple[str, ...]
    flagged: tuple[str, ...]
    unmatched: tuple[int, ...]
    bad: tuple[ListRow, ...]
    clashes: tuple[ListClash, ...]
    breaches: tuple[ListBreach, ...]
    hash: str = ""
    left: int = 0


@dataclass(frozen=True, slots=True)
class Scanned:
    """codes: as a scanner types them, one on each line; product: of those that are in no list."""

    codes: str
    product: str


@dataclass(frozen=True, slots=True)
class ScannedPiece:
    """A serial that was scanned. listed: it is on the consignment's list; place: where it is, if known."""

    serial: str
    product: str
    listed: bool
    place_kind: str = ""
    place: str = ""


@dataclass(frozen=True, slots=True)
class ScansShown:
    """Nothing is written. bad: codes that cannot be taken, by their line."""

    pieces: tuple[ScannedPiece, ...]
    bad: tuple[ListRow, ...]


@dataclass(frozen=True, slots=True)
class StockRow:
    """How many of a product are in one place. serials: those of pieces that have one."""

    place_kind: str
    place: str
    product: str
    sound: int
    damaged: int
    serials: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class StockShown:
    """doubts: how many events contradicted what was known; a person should look into them."""

    at: str
    at_us: int
    items: tuple[StockRow, ...]
    doubts: int


_LIST_PARAMETERS = (
    Parameter("rules", "By which rules it is judged, such as ua-2026."),
    Parameter("region", "Whose authority gave it."),
    Parameter("document", "The authority's number of the list; to write it."),
    Parameter(
        "despite", "The authority's number of its word that owners with more than is allowed are meant."
    ),
    Parameter("apply", "The hash of what was looked at: take the list. Without it nothing is written."),
    SHEET,
    ENCODING,
)
_STOCK_PARAMETERS = (
    Parameter("depot", "Only this depot's code, or this account's id."),
    Parameter("product", "Only this product."),
    Parameter("at", "An instant: ISO 8601, or microseconds since 1970. Without it: now."),
    Parameter("serials", "true: with the serials of pieces.", {"type": "string", "enum": ["true", "false"]}),
)


class Looking:
    """The doors. The stock of now is kept, and follows the journal."""

    def __init__(self, desk: Desk) -> None:
        self._desk = desk
        self._ledger = Ledger()
        self._sequence = 0
        self._one_at_a_time = asyncio.Lock()

    def doors(self) -> list[Door]:
        """All of them."""
        kind, of_list = "allow-list", lists.ROOM
        taken = {"$ref": f"#/components/schemas/{thing_name(of_list)}"}
        return [
            Door(
                "GET", "/api/v1/stock", self.stock, "Who has how many and where, now or at any time.",
                "shipment", {200: StockShown}, parameters=_STOCK_PARAMETERS,
            ),
            Door(
                "POST", "/api/v1/shipments/{id}/check-scans", self.check_scans,
                "See what scanned codes are, and where; nothing is written.",
                "shipment", {200: ScansShown}, Scanned, id_kind="shipment",
            ),
            Door(
                "GET", "/api/v1/allow-lists/{id}/look", self.look_again,
                "What a list would do by now, and how much of one that was applied is left to do.",
                kind, {200: ListLook}, id_kind=kind,
            ),
            Door(
                "POST", "/api/v1/allow-lists/imports", self.import_list,
                "See what an authority's table (CSV, XLSX) would do; with `apply`, take it.",
                kind, {200: ListLook, 201: taken},
                parameters=_LIST_PARAMETERS, upload=(CSV, XLSX),
            ),
        ]  # fmt: skip

    # --- stock

    async def stock(self, call: Call) -> Response:
        query, desk, actor = call.request.query_params, self._desk, call.asker()
        own = _only_own(actor)
        if not own or actor.scopes:
            desk.office.refuse_strangers(actor, "shipment.read", Subject(owner=actor.account if own else ""))
        depot = query.get("depot", "")
        now = desk.clock.now()
        at = instant(query["at"], "parameter 'at'") if "at" in query else now
        if at > now:
            raise Refused("parameter.at", "parameter 'at'", "nobody knows the future", "give an earlier time")
        found = await (self._now() if "at" not in query else asyncio.to_thread(self._at, at))
        wanted = place_of(depot) if depot else None
        rows = _rows(found, wanted, query.get("product", ""), query.get("serials") == "true")
        shown = [one for one in rows if not own or one.place == actor.account]
        return answer(StockShown(format_instant(at), at, tuple(shown), 0 if own else len(found.doubts)))

    async def _now(self) -> Stock:
        async with self._one_at_a_time:
            return await asyncio.to_thread(self._catch_up)

    def _catch_up(self) -> Stock:
        store = self._desk.store
        while rows := store.journal(self._sequence, ROWS_AT_ONCE, _MOVES):
            for row in rows:
                self._ledger.take(row.event)
            self._sequence = rows[-1].sequence
        return self._ledger.stock()

    def _at(self, at: InstantUs) -> Stock:
        ledger, after = Ledger(), 0
        while rows := self._desk.store.journal(after, ROWS_AT_ONCE, _MOVES):
            for row in rows:
                if row.event.at <= at:
                    ledger.take(row.event)
            after = rows[-1].sequence
        return ledger.stock()

    # --- consignments

    async def check_scans(self, call: Call) -> Response:
        given: Scanned = read_as(Scanned, await call.body())
        stored = await self._desk.read(lambda reader: reader.get(shipments.ROOM, call.id))
        if stored is None or not readable(self._desk.office, call.asker(), shipments.ROOM, stored.thing):
            raise missing("shipment")
        read = of_scans(given.codes, given.product, despite_bad=True)
        serials = [line.serial for line in read.lines]
        where = (await self._desk.read(lambda reader: stock_of(reader, serials))).where
        listed = stored.thing.goods.serials
        pieces = []
        for line in read.lines:
            piece = where.get(line.serial)
            place = (piece.place.kind.value, piece.place.code) if piece is not None else ("", "")
            product = listed.get(line.serial, line.product)
            pieces.append(ScannedPiece(line.serial, product, line.serial in listed, *place))
        bad = tuple(ListRow(one.number, one.column, one.why) for one in read.bad)
        return answer(ScansShown(tuple(pieces), bad))

    # --- lists of authorities

    async def look_again(self, call: Call) -> Response:
        desk = self._desk
        stored = await desk.read(lambda reader: reader.get(lists.ROOM, call.id))
        if stored is None or not readable(desk.office, call.asker(), lists.ROOM, stored.thing):
            raise missing("allow-list")

        def go() -> ListLook:
            with desk.store.reading() as reader:
                found = look_again(reader, desk.office.rules, stored.thing)
                return _shown(found, left=left_to_do(reader, stored.thing))

        return answer(await asyncio.to_thread(go))

    async def import_list(self, call: Call) -> Response:
        query, desk = call.request.query_params, self._desk
        region = query.get("region", "")
        desk.office.refuse_strangers(call.asker(), "allow-list.create", Subject(region=region))
        rules = rules_named(desk.office.rules, query.get("rules", ""))
        data = await call.body(MOST_BYTES)
        table = await asyncio.to_thread(read_table, data, reading_of(call))
        text = _as_csv(table)

        def go() -> tuple[ListLook, str]:
            with desk.store.reading() as reader:
                found = look(reader, rules, text)
            told = {"table": table.digest, "seen": found.seen}
            hash = change_hash("allow-list.import", rules.name, rules.version, told)
            return _shown(found, hash), hash

        shown, hash = await asyncio.to_thread(go)
        if not query.get("apply"):
            return answer(shown)
        if query["apply"] != hash:
            raise Conflict(
                "import.changed",
                "the list",
                "it would do something else by now: it, or what is there, is not as it was looked at",
                "look at it anew, and take that",
            )
        names = ("rules", "region", "document", "despite")
        arguments = {name: query[name] for name in names if name in query} | {"csv": text}
        return await self._taken(call, arguments)

    async def _taken(self, call: Call, arguments: Mapping[str, Any]) -> Response:
        desk = self._desk

        def work(transaction: Transaction) -> dict[str, Any]:
            actor = desk.holder(transaction, call.token_hash).actor
            asked = Asked(actor, "allow-list.create", None, arguments, desk.clock.now())
            return document(lists.ROOM, desk.office.do(transaction, asked).stored)

        return answer(await desk.write(work), 201)


def _only_own(actor: Actor) -> bool:
    """Whether somebody may know of nothing but what is with their own account."""
    return bool(actor.grants) and all(REACHES[grant.role] is Reach.OWN for grant in actor.grants)


def _shown(found: Look, hash: str = "", left: int = 0) -> ListLook:
    seen = found.preview
    breaches = (
        ListBreach(one.owner_kind, one.rule, one.allowed, one.found, one.rows) for one in seen.breaches
    )
    return ListLook(
        found.seen, len(found.read.numbers) + len({one.number for one in found.read.bad}), len(seen.stays),
        seen.cut_off, seen.flagged, seen.unmatched_rows,
        tuple(ListRow(one.number, one.column, one.why) for one in found.read.bad),
        tuple(ListClash(one.row, one.why, one.terminals) for one in seen.clashes),
        tuple(breaches), hash, left,
    )  # fmt: skip


def _as_csv(table: Table) -> str:
    """The table as the room for lists reads it: its rows where they were. Raises Refused for odd cells."""
    if table.odd:
        (number, _), oddity = min(table.odd.items())
        raise Refused(
            "allow-list.cell",
            f"row {number}",
            f"a cell of it is stored as a {oddity.value}, and not as text",
            "format all columns as text, and type it anew",
        )
    out = io.StringIO()
    writer = csv.writer(out)
    writer.writerow(table.headings)
    at = 1
    for number, cells in table.rows:
        # Rows that are empty keep their places, so that numbers are those of the file.
        while at < number - 1:
            out.write("\r\n")
            at += 1
        # A line break within a cell would count as a row of its own.
        writer.writerow([" ".join(cell.split()) for cell in cells])
        at = number
    return out.getvalue()


def _rows(found: Stock, wanted: Place | None, product: str, serials: bool) -> Iterable[StockRow]:
    named: dict[tuple[Place, str], list[str]] = {}
    if serials:
        for serial, piece in found.where.items():
            named.setdefault((piece.place, piece.product), []).append(serial)
    for place, held in sorted(found.by_place().items(), key=lambda one: (one[0].kind.value, one[0].code)):
        if wanted is None or place == wanted:
            for name, count in sorted(held.items()):
                if product in ("", name):
                    of_it = tuple(sorted(named.get((place, name), ())))
                    yield StockRow(place.kind.value, place.code, name, count.sound, count.damaged, of_it)
