"""How many terminals a list of sites needs, what each site gets with them, and what stays unserved and why.

study = TerminalStudy(case, sites, rules)        # the sites' wishes become the demand of their cells
plan = study.plan(slot_starts_us)
plan.sites[0].terminals, plan.sites[0].least_bps, plan.sites[0].why
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from skylift.base.errors import Refused
from skylift.sky.schedule.problem import Floats
from skylift.sky.schedule.supply import Offer
from skylift.study.capacity import CapacityCase, CapacityStudy, Demand, Hour
from skylift.study.equip import terminals_needed
from skylift.study.terminals_why import SkyWhy, Why, sky_why, why_short

# A site that gets this share of what it wants has got it: sums of floats.
_ENOUGH = 1.0 - 1e-6


@dataclass(frozen=True, slots=True)
class Site:
    """Who wants what. Where is told by cell alone: exact places and names never come this far.

    cell     index into the case's region
    class_   0 to 3, as in capacity.CLASS_NAMES
    most_terminals  None: as many as it takes;  allowed False: service is not allowed there
    """

    id: str
    cell: int
    class_: int
    people: int
    wanted_bps: float
    most_terminals: int | None = None
    allowed: bool = True


@dataclass(frozen=True, slots=True)
class TerminalRules:
    """What one terminal is reckoned with.

    terminal_bps         counted on from one terminal. 60 Mbit/s: Ookla measured a median of 62.5 of Starlink
                         in the United States in the second quarter of 2022
    people_per_terminal  assumed; Wi-Fi and not the satellite is what gives out first
    spare_fraction       terminals kept in store, of those in use: assumed
    """

    terminal_bps: float = 60e6
    people_per_terminal: int = 100
    spare_fraction: float = 0.2

    def __post_init__(self) -> None:
        _within("the rate of a terminal", self.terminal_bps / 1e6, 0.1, 10_000, "Mbit/s")
        _within("people per terminal", self.people_per_terminal, 1, 100_000, "people")
        _within("the share of spares", self.spare_fraction, 0.0, 5.0, "of those in use")


@dataclass(frozen=True, slots=True)
class SitePlan:
    """One site: what it needs and what it gets, over H slots.

    per_terminal_bps  what one terminal is reckoned with there: terminal_bps, or what one dish's link carries
                      in the median slot, where that is less
    gets_bps   (H,);  unserved_bps: what it wants less what it gets, the mean over the slots
    why        the reason of most slots in which it was short, None if there was none; whys counts them all
    """

    site: Site
    terminals: int
    per_terminal_bps: float
    gets_bps: Floats
    unserved_bps: float
    why: Why | None
    whys: Mapping[Why, int]

    @property
    def least_bps(self) -> float:
        return float(self.gets_bps.min())

    @property
    def median_bps(self) -> float:
        return float(np.median(self.gets_bps))


@dataclass(frozen=True, slots=True)
class TerminalPlan:
    """All sites, in the order in which they were given. spares: per whole list, not per site."""

    sites: tuple[SitePlan, ...]
    spares: int
    slots: int

    @property
    def terminals(self) -> int:
        return sum(one.terminals for one in self.sites)


@dataclass(frozen=True, slots=True)
class _Equipped:
    """Terminals (S,) of each site, and what these can ask for, bps (S,)."""

    terminals: npt.NDArray[np.int64]
    per_terminal_bps: Floats
    asked_bps: Floats


class TerminalStudy:
    """Sites set into a capacity case, whose own demand stays in the background as everybody else's."""

    def __init__(self, case: CapacityCase, sites: Sequence[Site], rules: TerminalRules | None = None) -> None:
        if not sites:
            raise Refused("plan.no-sites", "the list of sites", "there is none in it", "name at least one")
        self.case, self.sites, self.rules = case, tuple(sites), rules or TerminalRules()
        self._cell = np.array([s.cell for s in sites], dtype=np.int64)
        self._class = np.array([s.class_ for s in sites], dtype=np.int64)
        self._wanted = np.array([s.wanted_bps for s in sites], dtype=np.float64)
        self._allowed = np.array([s.allowed for s in sites]) & (case.demand.barred[self._cell] == 0)
        self._study = CapacityStudy(case)
        self._looked: SkyWhy | None = None

    def plan(
        self, slot_starts_us: Sequence[int], progress: Callable[[int, int], None] | None = None
    ) -> TerminalPlan:
        """Terminals from the links of all slots, then a schedule of each with what they ask for."""
        offers = []
        report = progress or (lambda done, total: None)
        for done, at_us in enumerate(slot_starts_us, 1):
            offers.append(self._study.offer(at_us))
            report(done, 2 * len(slot_starts_us))
        links = np.stack([_link_bps(offer, len(self.case.region)) for offer in offers])[:, self._cell]
        equipped = self._equip(links)
        demand = self._demand(equipped)
        gets = np.zeros((len(offers), len(self.sites)))
        whys: list[list[Why | None]] = []
        for k, offer in enumerate(offers):
            schedule = self._study.schedule(offer, wanted_bps=demand.wanted_bps)
            gets[k] = self._shared(schedule.served_bps, demand.wanted_bps, equipped, links[k])
            whys.append(self._whys(Hour(offer.at_us, offer, schedule), gets[k], equipped, links[k]))
            report(len(offers) + k + 1, 2 * len(offers))
        sites = tuple(
            self._site(i, equipped, gets[:, i], [row[i] for row in whys]) for i in range(len(self.sites))
        )
        used = sum(one.terminals for one in sites)
        return TerminalPlan(sites, math.ceil(used * self.rules.spare_fraction - 1e-9), len(offers))

    def _equip(self, links: Floats) -> _Equipped:
        """links (H, S): what one dish's link carries in each slot, 0 without one."""
        rules = self.rules
        lit = np.where(links > 0.0, links, np.nan)
        usual = np.full(len(self.sites), rules.terminal_bps)
        some = np.isfinite(lit).any(axis=0)
        if some.any():
            usual[some] = np.minimum(rules.terminal_bps, np.nanmedian(lit[:, some], axis=0))
        terminals = np.zeros(len(self.sites), dtype=np.int64)
        for i, site in enumerate(self.sites):
            if not self._allowed[i]:
                continue
            needed = terminals_needed(site.wanted_bps, site.people, usual[i], rules.people_per_terminal)
            terminals[i] = needed if site.most_terminals is None else min(needed, site.most_terminals)
        return _Equipped(terminals, usual, np.minimum(self._wanted, terminals * usual))

    def _demand(self, equipped: _Equipped) -> Demand:
        wanted = self.case.demand.wanted_bps.copy()
        np.add.at(wanted, (self._cell, self._class), equipped.asked_bps)
        return replace(self.case.demand, wanted_bps=wanted)

    def _shared(self, served: Floats, wanted: Floats, equipped: _Equipped, links: Floats) -> Floats:
        """Sites of one cell and class get the same share of what they ask for: max-min, as the schedule."""
        whole = wanted[self._cell, self._class]
        share = np.divide(
            served[self._cell, self._class], whole, out=np.zeros(len(self.sites)), where=whole > 0.0
        )
        most = equipped.terminals * np.minimum(links, self.rules.terminal_bps)
        return np.minimum(equipped.asked_bps * np.minimum(share, 1.0), most)

    def _whys(self, hour: Hour, gets: Floats, equipped: _Equipped, links: Floats) -> list[Why | None]:
        """Why each site is short in one slot; None where it is not."""
        whys: list[Why | None] = [None] * len(self.sites)
        short = np.flatnonzero(gets < _ENOUGH * self._wanted)
        cells = sorted({int(self._cell[i]) for i in short if self._allowed[i]})
        by_cell = why_short(self._sky, hour, cells) if cells else {}
        for i in short:
            most = equipped.terminals[i] * min(links[i], self.rules.terminal_bps)
            if not self._allowed[i]:
                whys[i] = Why.NOT_ALLOWED
            elif gets[i] >= _ENOUGH * equipped.asked_bps[i]:
                whys[i] = Why.TERMINALS_ALLOWED
            elif 0.0 < most <= gets[i] / _ENOUGH:
                whys[i] = Why.DISH
            else:
                whys[i] = by_cell[int(self._cell[i])]
        return whys

    def _sky(self, at_us: int) -> npt.NDArray[np.uint8]:
        # Most lists have no cell without a usable satellite, and then nobody looks.
        self._looked = self._looked or sky_why(self.case)
        return self._looked(at_us)

    def _site(self, i: int, equipped: _Equipped, gets: Floats, whys: Sequence[Why | None]) -> SitePlan:
        counted = Counter(why for why in whys if why is not None)
        site = self.sites[i]
        return SitePlan(
            site=site,
            terminals=int(equipped.terminals[i]),
            per_terminal_bps=float(equipped.per_terminal_bps[i]),
            gets_bps=gets,
            unserved_bps=float(np.maximum(site.wanted_bps - gets, 0.0).mean()),
            why=min(counted, key=lambda why: (-counted[why], why.value)) if counted else None,
            whys=dict(counted),
        )


def _link_bps(offer: Offer, cells: int) -> Floats:
    """(M,) what one dish's link carries at best: one channel of the best satellite for the whole slot."""
    best = np.zeros(cells)
    np.maximum.at(best, np.repeat(np.arange(cells), np.diff(offer.pairs.offset)), offer.pairs.full_rate_bps)
    return best


def _within(thing: str, value: float, least: float, most: float, unit: str) -> None:
    # Written so that nan fails as well.
    if not least <= value <= most:
        raise Refused(
            "plan.terminals", thing, f"it must lie between {least:g} and {most:g} {unit}", "correct it"
        )
