"""A store as full as a large service: 100,000 terminals, 50,000 calls for help, 10,000 consignments.

Each thing has gone some way of its life cycle, by its own room's events; nothing is written past the store.
"""

from __future__ import annotations

import random
from collections.abc import Iterator, Sequence
from functools import cache
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from skylift.adapters.sql.store import SqlStore
    from skylift.base.events import Who
    from skylift.base.things import Room

TERMINALS, REQUESTS, SHIPMENTS = 100_000, 50_000, 10_000
AT_ONCE = 2_000
CELLS = ("851e5227fffffff", "851e5237fffffff", "851e522bfffffff")

Made = tuple[str, Sequence[Any]]


def fill(store: SqlStore, seed: int = 1, share: float = 1.0) -> None:
    """share: of the full numbers, for a look at how something grows."""
    from skylift.service.request.state import ROOM as REQUESTS_ROOM
    from skylift.service.shipment.state import ROOM as SHIPMENTS_ROOM
    from skylift.service.terminal.state import ROOM as TERMINALS_ROOM

    draw = random.Random(seed)
    _write(store, TERMINALS_ROOM, terminals(draw, int(TERMINALS * share)))
    _write(store, REQUESTS_ROOM, requests(draw, int(REQUESTS * share)))
    _write(store, SHIPMENTS_ROOM, shipments(draw, int(SHIPMENTS * share)))


def _write(store: SqlStore, room: Room[Any], made: Iterator[Made]) -> None:
    from itertools import islice

    from skylift.ports.store import Stored

    while part := list(islice(made, AT_ONCE)):
        changes = [(Stored(id, room.replayed(id, tuple(events)), 0), events) for id, events in part]
        with store.transaction() as transaction:
            transaction.commit_all(room, changes)


def _grown(room: Room[Any], id: str, steps: Sequence[tuple[Any, ...]]) -> Made:
    """steps: what was decided about it, and what that was told besides the thing and who."""
    thing, events = room.empty(id), []
    for decide, *arguments in steps:
        for event in decide(thing, _who(), *arguments):
            thing = room.apply(thing, event)
            events.append(event)
    return id, events


def terminals(draw: random.Random, many: int) -> Iterator[Made]:
    """Half of them in use, spread over a hundred accounts."""
    from skylift.service.terminal import decide
    from skylift.service.terminal.decide import Home, Names
    from skylift.service.terminal.events import Basis
    from skylift.service.terminal.state import ROOM

    for i in range(many):
        names = Names(serial=f"KIT{i:08d}", dish_id=f"ut{draw.getrandbits(48):012x}")
        home = Home(draw.choice(CELLS), region=f"rgn_{draw.randrange(4)}")
        steps: list[tuple[Any, ...]] = [
            (decide.manufactured, names, "STD-V2"),
            (decide.delivered, "WAW-1"),
            (decide.registered, f"acc_{draw.randrange(100)}", home),
            (decide.verified, Basis.OPERATOR, "OPS", "REF-1"),
            (decide.activated, f"cmd_{i}"),
        ]
        yield _grown(ROOM, f"trm_{draw.getrandbits(100):025x}", steps if i % 2 else steps[:2])


def requests(draw: random.Random, many: int) -> Iterator[Made]:
    """Two of three acknowledged."""
    from skylift.service.request import decide
    from skylift.service.request.events import Channel, SiteKind
    from skylift.service.request.state import ROOM

    kinds = list(SiteKind)
    for i in range(many):
        call = decide.Call(
            Channel.PHONE, draw.choice(kinds), _who().at, draw.randrange(500), 3, draw.choice(CELLS),
            f"rgn_{draw.randrange(4)}",
        )  # fmt: skip
        steps: list[tuple[Any, ...]] = [(decide.received, call), (decide.acknowledged,)]
        yield _grown(ROOM, f"req_{draw.getrandbits(100):025x}", steps if i % 3 else steps[:1])


def shipments(draw: random.Random, many: int) -> Iterator[Made]:
    """Ten pieces by their serials in each, most of them on the road."""
    from skylift.service.shipment import decide
    from skylift.service.shipment.events import Line
    from skylift.service.shipment.state import ROOM

    for n in range(many):
        lines = [Line("DISH-GEN2", 1, f"BOX{n * 10 + k:08d}") for k in range(10)]
        route = decide.Route(f"WAW-{n % 50}", f"KYIV-{n % 70}", f"acc_{n % 100}", region=f"rgn_{n % 4}")
        steps: list[tuple[Any, ...]] = [
            (decide.drafted, f"SL-{n:06d}", route),
            (decide.lines_added, lines),
            (decide.leg_planned, route.origin, route.destination, "DHL-PL"),
            (decide.packed,),
            (decide.leg_departed,),
        ]
        yield _grown(ROOM, f"shp_{draw.getrandbits(100):025x}", steps if n % 3 else steps[:4])


@cache
def _who() -> Who:
    from skylift.base.events import Who
    from skylift.base.instants import InstantUs

    return Who(InstantUs(1_645_876_800_000_000), "per_bench")
