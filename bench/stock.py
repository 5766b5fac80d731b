"""Who has how many and where: a fold over the journal of 10,000 consignments with 110,000 lines of goods.

No peer. How many pieces there are, and how many were ever brought in, is checked.
"""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING, Any

from bench.harness import Case, Result

if TYPE_CHECKING:
    from skylift.base.events import Event
    from skylift.service.shipment.stock import Stock

CONSIGNMENTS = 10_000
PIECES = 10
CABLES = 20
MOST_S = 2.0


@cache
def journal() -> tuple[Event, ...]:
    """Each consignment goes its whole way, with one kit damaged and repaired."""
    from skylift.base.events import Who
    from skylift.base.instants import InstantUs
    from skylift.service.shipment import decide, receive
    from skylift.service.shipment.events import Line, Resolution
    from skylift.service.shipment.state import ROOM, Shipment

    events: list[Event] = []
    for n in range(CONSIGNMENTS):
        shipment = Shipment(f"shp_{n}")
        kits = [Line("DISH-GEN2", 1, f"KIT{n * PIECES + k:08d}") for k in range(PIECES)]
        goods = [*kits, Line("CABLE-20M", CABLES)]
        origin, destination = f"WAW-{n % 50}", f"KYIV-{n % 70}"
        steps: tuple[tuple[Any, ...], ...] = (
            (decide.drafted, f"SL-{n:06d}", decide.Route(origin, destination, "acc_1")),
            (decide.lines_added, goods),
            (decide.leg_planned, origin, destination, "DHL-PL"),
            (decide.packed,),
            (decide.leg_departed,),
            (decide.leg_arrived,),
            (receive.received, goods[1:], goods[:1]),
            (receive.completed,),
            (receive.resolved, 1, Resolution.REPAIRED, f"note {n}"),
            (receive.proof_given, f"CMR {n}"),
            (receive.confirmed, "acc_1"),
            (receive.closed,),
        )
        for function, *arguments in steps:
            for event in function(shipment, Who(InstantUs(len(events)), "per_1"), *arguments):
                shipment = ROOM.apply(shipment, event)
                events.append(event)
    return tuple(events)


def fold() -> Stock:
    from skylift.service.shipment.stock import stock_at

    return stock_at(journal(), len(journal()))


def cases(seed: int) -> list[Case]:
    def ok(result: Result) -> bool:
        stock = fold()
        kits, cables = CONSIGNMENTS * PIECES, CONSIGNMENTS * CABLES
        complete = len(stock.where) == kits and stock.brought_in == {"DISH-GEN2": kits, "CABLE-20M": cables}
        return complete and result.ours.cpu_s < MOST_S

    def prepare() -> None:
        journal()

    return [
        Case(
            id="stock-fold",
            ours=fold,
            peer=None,
            peer_name="",
            peer_version="",
            compare=None,
            limit=f"< {MOST_S:g} s for the journal of {CONSIGNMENTS:,} consignments",
            ok=ok,
            seed=seed,
            prepare=prepare,
            work=CONSIGNMENTS,
            unit="consignments",
        )
    ]
