"""What it takes to let the sky obey 100,000 terminals of the office in one slot, beside the slot itself.

No peer. A slot is computed from 3 s before it begins; the office's part and the sky's must fit into these,
with a region of 2,437 cells that was suspended a moment ago, which concerns every terminal.
"""

from __future__ import annotations

import pickle
from dataclasses import replace
from functools import cache
from typing import TYPE_CHECKING, Any

from bench.harness import Case

if TYPE_CHECKING:
    from skylift.twin.office.known import Known
    from skylift.twin.office.obeying import Feed, Told

TERMINALS = 100_000
LEAD_S = 3.0
START_US = 1_700_000_007_000_000
SLOT_US = 15_000_000


@cache
def office() -> tuple[Known, Feed, Any]:
    """What is known of a country with 100,000 active terminals, and what a sky was told of them."""
    import h3

    from skylift.base.instants import InstantUs
    from skylift.service.account.account import Account, AccountState
    from skylift.service.account.plan import Plan, PlanState
    from skylift.service.region.events import CellMode, Paper
    from skylift.service.region.state import Cell, Granted, Region, RegionState
    from skylift.service.terminal.state import Terminal, TerminalState
    from skylift.twin.office.known import Known
    from skylift.twin.office.obeying import Feed

    cells = sorted(h3.grid_disk(h3.latlng_to_cell(49.0, 31.0, 5), 28))
    papers = {Paper.TEMPORARY: Granted("a", "d", InstantUs(0), InstantUs(2 * START_US))}
    region = Region("rgn_1", RegionState.ACTIVE, "UA", "", papers, {c: Cell(CellMode.ENABLED) for c in cells})
    known = Known()
    known.take("plan", Plan("pln_1", PlanState.OFFERED, down_bps=5e7, up_bps=1e7))
    for i in range(1_000):
        known.take("account", Account(f"acc_{i}", AccountState.VERIFIED, plan="pln_1"))
    known.take("region", region)
    for i in range(TERMINALS):
        known.take(
            "terminal",
            Terminal(
                f"trm_{i}", TerminalState.ACTIVE, owner=f"acc_{i % 1_000}", cell=cells[i * 7 % len(cells)],
                region="rgn_1", hardware="ROUND-2021",
            ),
        )  # fmt: skip
    feed = Feed()
    feed.tell(known, permissions(known), START_US)
    return known, feed, region


def permissions(known: Known) -> Any:
    from skylift.service.permission.decision import Permissions

    return Permissions(known.terminals, known.accounts, list(known.regions.values()))


def decide_all() -> bytes:
    """The region is suspended, or on again: all terminals are decided about, and told as a pipe tells it."""
    from skylift.service.region.state import RegionState

    known, feed, _ = office()
    region = known.regions["rgn_1"]
    on = region.state is RegionState.ACTIVE
    known.take("region", replace(region, state=RegionState.SUSPENDED if on else RegionState.ACTIVE))
    return _sent(feed.tell(known, permissions(known), START_US))


def decide_nothing() -> bytes:
    """A slot before which nothing was written."""
    known, feed, _ = office()
    return _sent(feed.tell(known, permissions(known), START_US))


def _sent(told: Told) -> bytes:
    from skylift.twin.permit import columns_of

    return pickle.dumps((columns_of(told.permits), told.reasons))


@cache
def sky() -> Any:
    """A live sky with all of them, each slot as it is sent."""
    from skylift.adapters.antennas import packaged_antenna, packaged_antennas
    from skylift.adapters.live import LiveSky, OfficeAsking
    from skylift.adapters.scenario_files import Sources, load_world
    from skylift.adapters.sky_messages import Permits
    from skylift.base.instants import InstantUs
    from skylift.twin.office.obeying import Feed
    from skylift.twin.permit import Serve, columns_of
    from skylift.twin.roster import Antennas, Roster

    class Clock:
        speed = 1.0
        at = START_US

        def now(self) -> InstantUs:
            return InstantUs(self.at)

        def sleep_until(self, at: int) -> None:
            self.at = at

    known = office()[0]

    def ask(at_us: int, anew: bool) -> list[Permits]:
        if not anew:
            return [Permits(at_us, False, 1, 1, columns_of(()), ())]
        told = Feed().tell(known, permissions(known), START_US)
        return [Permits(at_us, True, 1, 1, columns_of(told.permits), told.reasons)]

    world = replace(load_world(Sources(), START_US).world, memory_us=SLOT_US * 2)
    antennas = Antennas(packaged_antennas(), packaged_antenna("starlink-round-2021"))
    slots = LiveSky(world, Clock(), OfficeAsking(Roster(world, Serve.BOTH, antennas), ask)).slots()  # type: ignore[arg-type]
    next(slots)
    return slots


def one_slot() -> bytes:
    return pickle.dumps(next(sky()))


def cases(seed: int) -> list[Case]:
    def case(id: str, ours: Any, prepare: Any, limit_s: float) -> Case:
        return Case(
            id=id,
            ours=ours,
            peer=None,
            peer_name="",
            peer_version="",
            compare=None,
            limit=f"< {limit_s:g} s: a slot is computed {LEAD_S:g} s before it begins",
            ok=lambda result: result.ours.cpu_s < limit_s,
            seed=seed,
            prepare=lambda: prepare() and None,
            work=TERMINALS,
            unit="terminals",
        )

    return [
        case("obeying-nothing-new", decide_nothing, office, 0.05),
        # Together they must fit into the lead.
        case("obeying-all-anew", decide_all, office, LEAD_S - 1.0),
        case("obeying-slot", one_slot, sky, 1.0),
    ]
