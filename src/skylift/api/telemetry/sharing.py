"""What owners share of their dishes' places: taken from agents, shown to few, and erased in time."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import h3
import msgspec
from starlette.responses import Response

from skylift.api.office.desk import Desk
from skylift.api.office.documents import readable
from skylift.api.office.door import Call, Door, Parameter, answer
from skylift.api.office.problems import missing
from skylift.api.telemetry.gate import Handler
from skylift.api.telemetry.intake import Intake, Sender, there
from skylift.base.errors import Refused
from skylift.base.events import Who
from skylift.base.instants import format_instant
from skylift.ports.store import Reader, Stored, Transaction
from skylift.service import access
from skylift.service.account.roles import Subject
from skylift.service.terminal import state as terminals
from skylift.service.terminal.sharing import SharedKind, Sharing
from skylift.service.terminal.state import Terminal
from skylift.twin.office.sharing import of_terminal, take
from skylift.wire.telemetry import sharing as wire
from skylift.wire.telemetry.sharing import PATH, Located, Shared, SharedAnswer

FORMS = ("json", "png")
_FORMAT = Parameter(
    "format",
    "json, or png: a picture of what stands before the dish.",
    {"type": "string", "enum": list(FORMS), "default": "json"},
)
_FIELDS = ("location", "obstructions", "boresight", "satellites")


@dataclass(frozen=True, slots=True)
class SharingShown:
    """One agent's: what its owner opted into, by its key, and since when. No value of it."""

    kinds: tuple[str, ...]
    key: str
    since: str


@dataclass(frozen=True, slots=True)
class SharingsShown:
    terminal: str
    shared: tuple[SharingShown, ...]


@dataclass(frozen=True, slots=True)
class PlaceShown:
    """The last values that an agent told; null for what is not shared, or not known.

    location      cell, or latitude_deg and longitude_deg
    home          inside or outside its home cell; unknown where what is shared does not tell
    obstructions  rows, columns, frame, and values row by row: -1 unseen, 0 blocked to 1 clear
    satellites    pairs of an instant, microseconds since 1970, and a number that the dish gave
    """

    kinds: tuple[str, ...]
    key: str
    at: str
    received: str
    location: dict[str, Any] | None
    home: str
    obstructions: dict[str, Any] | None
    boresight: dict[str, Any] | None
    satellites: list[Any] | None


@dataclass(frozen=True, slots=True)
class PlacesShown:
    terminal: str
    shared: tuple[PlaceShown, ...]


def doors() -> list[Door]:
    """What people read."""
    base = "/api/v1/terminals/{id}"
    return [
        Door(
            "GET",
            f"{base}/sharing",
            show_sharing,
            "What the owner lets the agent tell of this dish's place; not the place itself.",
            "telemetry",
            {200: SharingsShown},
            id_kind="terminal",
        ),
        Door(
            "GET",
            f"{base}/place",
            show_place,
            "What the owner shares of this dish's place, as it was told last. That you looked is journalled.",
            "telemetry",
            {200: PlacesShown},
            parameters=(_FORMAT,),
            id_kind="terminal",
        ),
    ]


# --- agents


async def shared(intake: Intake, headers: Mapping[str, str], body: bytes) -> tuple[int, bytes]:
    """Keep what an agent tells, as far as its owner opted in; erase what they took back."""
    sender = await intake.signed("POST", PATH, headers, body)
    try:
        told = wire.read(body)
        if told.terminal != sender.terminal:
            raise Refused(
                "sharing.other-terminal",
                "what is shared",
                "it is in the name of another terminal than its key's",
                "enrol each terminal with a code of its own",
            )
        _refuse_fine_cell(told.location)
    except Refused as error:
        intake.count(sender.terminal, error)
        raise
    kinds = await intake.desk.write(lambda transaction: _kept(intake.desk, transaction, sender, told))
    return 200, msgspec.json.encode(SharedAnswer(tuple(kind.value for kind in kinds)))


def _kept(desk: Desk, transaction: Transaction, sender: Sender, told: Shared) -> tuple[SharedKind, ...]:
    at = desk.clock.now()
    values = {name: msgspec.to_builtins(getattr(told, name)) for name in _FIELDS}
    values |= {"at_us": told.at_us, "received_us": int(at)}
    kinds = tuple(map(SharedKind, told.kinds))
    word = (told.terminal, told.word, kinds)
    return take(transaction, Who(at, sender.key_id), word, values, lambda: desk.ids.new("shr"))


def _refuse_fine_cell(place: Located | None) -> None:
    if place is None or not place.cell:
        return
    if not h3.is_valid_cell(place.cell) or h3.get_resolution(place.cell) > wire.FINEST_RESOLUTION:
        raise Refused(
            "sharing.cell",
            "what is shared",
            f"its cell is one of H3, of resolution {wire.FINEST_RESOLUTION} or coarser",
            "say at the dish once more what is shared: skylift agent share",
        )


def handlers(intake: Intake | None) -> dict[str, Handler]:
    """What agents post, by path."""

    async def post(headers: Mapping[str, str], body: bytes) -> tuple[int, bytes]:
        return await shared(there(intake), headers, body)

    return {PATH: post}


# --- people


async def show_sharing(call: Call) -> Response:
    def work(reader: Reader) -> SharingsShown:
        terminal = _readable(call, reader.get(terminals.ROOM, call.id))
        ones = of_terminal(reader, terminal.id, terminal.owner)
        return SharingsShown(terminal.id, tuple(map(_mark, ones)))

    return answer(await call.desk.read(work))


async def show_place(call: Call) -> Response:
    desk, form = call.desk, call.request.query_params.get("format", "json")
    if form not in FORMS:
        raise Refused("parameter.format", "format", f"it is one of {', '.join(FORMS)}", "or leave it out")
    names = _FIELDS if form == "json" else ("obstructions",)

    def work(transaction: Transaction) -> PlacesShown:
        at = desk.clock.now()
        actor = desk.holder(transaction, call.token_hash).actor
        terminal = _readable(call, transaction.get(terminals.ROOM, call.id))
        desk.office.refuse_strangers(
            actor, "terminal.read-personal", Subject(terminal.region, terminal.owner)
        )
        ones = of_terminal(transaction, terminal.id, terminal.owner)
        kept = {one.id: dict(transaction.personal(one.id)) for one in ones}
        fields = {name for values in kept.values() for name in values if name in names}
        if fields:
            _note_reading(transaction, terminal.id, Who(at, actor.person), fields)
        return PlacesShown(terminal.id, tuple(_shown(one, kept[one.id], terminal) for one in ones))

    found = await desk.write(work)
    return answer(found) if form == "json" else await _map_of(there(desk.intake), found)


async def _map_of(intake: Intake, found: PlacesShown) -> Response:
    """The picture of what stands before a dish. Raises Refused where no map of it is shared."""
    maps = [one.obstructions for one in found.shared if one.obstructions is not None]
    if not maps:
        rule = "no obstruction map of this dish is shared"
        raise Refused("place.no-map", "the picture", rule, "ask without format=png for what is shared")

    def draw() -> bytes:
        from skylift.adapters.pictures_obstructions import png_of

        return png_of(found.terminal, maps[0])

    return await intake.pictures.png(draw)


def _readable(call: Call, stored: Stored[Terminal] | None) -> Terminal:
    if stored is None or not readable(call.desk.office, call.asker(), terminals.ROOM, stored.thing):
        raise missing("terminal")
    return stored.thing


def _note_reading(transaction: Transaction, terminal: str, who: Who, fields: set[str]) -> None:
    before = transaction.get(access.ROOM, terminal) or Stored(terminal, access.ROOM.empty(terminal), 0)
    events = access.read(terminal, who, fields)
    after = access.ROOM.apply(before.thing, events[0])
    transaction.commit(access.ROOM, Stored(terminal, after, before.version), events)


def _mark(one: Sharing) -> SharingShown:
    return SharingShown(tuple(kind.value for kind in one.kinds), one.key, format_instant(one.since))


def _shown(one: Sharing, kept: Mapping[str, Any], terminal: Terminal) -> PlaceShown:
    mark = _mark(one)
    location, obstructions = kept.get("location"), kept.get("obstructions")
    if obstructions is not None:
        seen = msgspec.convert(obstructions, wire.Obstructions)
        obstructions = {"rows": seen.rows, "columns": seen.columns, "frame": seen.frame}
        obstructions["values"] = wire.unpacked(seen)
    at, received = (_instant(kept.get(name)) for name in ("at_us", "received_us"))
    home = at_home(terminal.cell, location)
    pointing, satellites = kept.get("boresight"), kept.get("satellites")
    return PlaceShown(mark.kinds, mark.key, at, received, location, home, obstructions, pointing, satellites)


def _instant(at_us: int | None) -> str:
    # A board without a clock may say any year.
    return "" if at_us is None or not 0 <= at_us < 253_402_300_800_000_000 else format_instant(at_us)


def at_home(home: str, location: Mapping[str, Any] | None) -> str:
    """Whether a dish stands in its home cell, as far as its place is shared: inside, outside, unknown."""
    if not home or location is None:
        return "unknown"
    cell = location["cell"]
    fine = h3.get_resolution(home)
    if not cell:
        cell = h3.latlng_to_cell(location["latitude_deg"], location["longitude_deg"], fine)
    coarse = min(fine, h3.get_resolution(cell))
    if h3.cell_to_parent(cell, coarse) != h3.cell_to_parent(home, coarse):
        return "outside"
    return "inside" if coarse == fine else "unknown"
