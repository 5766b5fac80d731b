"""Which further gateways help a region most: more cells covered, more bits served, less lost with a site.

study = SitingStudy(case, existing=3, slot_starts_us=starts)
result = study.choose(add=2, by="capacity")
[g.name for g in result.chosen]; result.before.served_bps; result.after.served_bps
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from skylift.base.errors import Refused
from skylift.sky.routing.ground import Gateway
from skylift.sky.schedule.supply import Offer
from skylift.study.capacity import CapacityCase, CapacityStudy
from skylift.study.siting_reach import slot_reach
from skylift.study.siting_search import Chosen, Found, Limits, best_first, choose, submodular_bound

GOALS = ("availability", "capacity", "robustness")
# So many further sets are told of beside the best.
MOST_ALTERNATIVES = 5

# Indices of gateways, existing ones first, that work.
Working = frozenset[int]


@dataclass(frozen=True, slots=True)
class Figures:
    """What a set of gateways does for the region; each the mean over the slots and the least of them.

    availability  share of what is wanted, by cell, that stands in cells which see a tracked satellite
    served_bps    by the schedule
    robustness    the least, over the loss of any one gateway, of availability and of served over most_bps
                  (see SitingResult), both means
    """

    availability: float
    least_availability: float
    served_bps: float
    least_served_bps: float
    robustness: float


@dataclass(frozen=True, slots=True)
class Lost:
    """What is left when one gateway is lost."""

    gateway: Gateway
    availability: float
    served_bps: float


@dataclass(frozen=True, slots=True)
class Gain:
    """What a chosen gateway adds to the others, existing and chosen: figures with it less those without."""

    gateway: Gateway
    availability: float
    served_bps: float


@dataclass(frozen=True, slots=True)
class SitingResult:
    """The best set found for a goal, and how sure that is.

    method       "exact", "bounded" or "greedy", as in siting_search.Found
    value, bound in the goal's own unit (fraction, bit/s, fraction): no set of so many has more than `bound`
    sets, valued how many sets there are, and how many were valued in full
    most_bps     all gateways and all candidates together serve no more: what served is a share of
    alternatives further sets that were valued, best first, each with its value
    """

    by: str
    method: str
    value: float
    bound: float
    sets: int
    valued: int
    wanted_bps: float
    most_bps: float
    chosen: tuple[Gain, ...]
    before: Figures
    after: Figures
    lost_one: tuple[Lost, ...]
    alternatives: tuple[tuple[tuple[Gateway, ...], float], ...]


class SitingStudy:
    """Geometry and rates of all slots, worked out once for the gateways that are and those that could be.

    A set of gateways is then the same offer with no antennas at the others.
    """

    def __init__(
        self,
        case: CapacityCase,
        existing: int,
        slot_starts_us: Sequence[int],
        progress: Callable[[str, int], None] | None = None,
    ) -> None:
        """case.gateways: `existing` ones, then candidates. progress("slots" or "schedules", done)."""
        self._existing, self._gateways = existing, case.gateways
        self._report = progress or (lambda what, done: None)
        self._study = CapacityStudy(case)
        self._offers: list[Offer] = []
        for at_us in slot_starts_us:
            self._offers.append(self._study.offer(at_us))
            self._report("slots", len(self._offers))
        cells = self._study.cells
        self._reach = [slot_reach(offer, cells) for offer in self._offers]
        self._useful = [reach.gateways() for reach in self._reach]
        self._schedules = 0
        self._relevant = frozenset().union(*self._useful)
        self._wanted_bps = float(self._reach[0].wanted_bps.sum()) if self._reach else 0.0
        # By slot: what was scheduled, and covered, for sets of the gateways that matter in it.
        self._served: list[dict[Working, float]] = [{} for _ in self._offers]
        self._covered: list[dict[Working, float]] = [{} for _ in self._offers]
        if not self._wanted_bps > 0.0:
            raise Refused(
                "plan.no-demand",
                f"region {case.region.name}",
                "nothing is wanted in it where service is allowed, so no gateway can help",
                "give a demand above zero, or another region",
            )

        self.most_bps = self.served_limit_bps(frozenset(range(len(case.gateways))))

    @property
    def wanted_bps(self) -> float:
        return self._wanted_bps

    @property
    def candidates(self) -> tuple[Gateway, ...]:
        return self._gateways[self._existing :]

    def choose(self, add: int, by: str = "capacity", limits: Limits | None = None) -> SitingResult:
        """The best `add` of the candidates for a goal. Raises Refused for an unknown goal or too many."""
        _check(add, len(self.candidates), by)
        # First what there is: it counts for every set with candidates, so that none seems to do harm.
        before = self.working(())
        before_figures = self.figures(before)
        found = self._again(choose(_Score(self, by), len(self.candidates), add, limits), by)
        bound = min(found.bound, self._bound(add, by)) if found.method == "greedy" else found.bound
        after = self.working(found.chosen)
        told = (after & self._relevant) | (after - before)
        lost = tuple(self._lost(after, g) for g in sorted(told))
        # After the sets within it, so that it is not told to do less than they do.
        after_figures = self.figures(after)
        value = max(found.value, _value(after_figures, by))
        by_gateway = {id(one.gateway): one for one in lost}
        gains = []
        for c in found.chosen:
            without = by_gateway[id(self.candidates[c])]
            gains.append(
                Gain(
                    self.candidates[c],
                    after_figures.availability - without.availability,
                    after_figures.served_bps - without.served_bps,
                )
            )
        key = (lambda g: -g.availability) if by == "availability" else (lambda g: -g.served_bps)
        return SitingResult(
            by=by,
            method=found.method,
            value=value,
            bound=max(bound, value),
            sets=found.sets,
            valued=found.valued,
            wanted_bps=self._wanted_bps,
            most_bps=self.most_bps,
            chosen=tuple(sorted(gains, key=key)),
            before=before_figures,
            after=after_figures,
            lost_one=tuple(sorted(lost, key=lambda one: (one.served_bps, one.availability))),
            alternatives=tuple(
                (tuple(self.candidates[c] for c in chosen), value)
                for chosen, value in found.others[:MOST_ALTERNATIVES]
            ),
        )

    def _again(self, found: Found, by: str) -> Found:
        """The same sets by what is known at the end of the search, best first: schedules that were made for
        some of a set after the set was valued count for it as well. Of robustness nothing is made anew."""
        if by == "robustness":
            return found
        score = _Score(self, by)
        ranked = best_first([(chosen, score.value(chosen)) for chosen in (found.chosen, *dict(found.others))])
        (chosen, value), *others = ranked
        bound = max(found.bound, value)
        return replace(found, chosen=chosen, value=value, bound=bound, others=tuple(others))

    def working(self, chosen: Chosen) -> Working:
        """The existing gateways with these candidates."""
        return frozenset(range(self._existing)) | {self._existing + c for c in chosen}

    def figures(self, working: Working) -> Figures:
        """All figures of a set; schedules that were made before are not made again."""
        served = [self._slot_served(k, working) for k in range(len(self._offers))]
        covered = [self._of_wanted(self._slot_covered(k, working)) for k in range(len(self._offers))]
        return Figures(
            availability=self.availability(working),
            least_availability=float(min(covered)),
            served_bps=float(np.mean(served)),
            least_served_bps=float(min(served)),
            robustness=self.robustness(working),
        )

    def availability(self, working: Iterable[int]) -> float:
        """Mean share of what is wanted that stands in cells which see a tracked satellite."""
        working = frozenset(working)
        covered = [self._slot_covered(k, working) for k in range(len(self._offers))]
        return self._of_wanted(float(np.mean(covered)))

    def served_bps(self, working: Iterable[int]) -> float:
        """Served by the schedule, mean over the slots."""
        working = frozenset(working)
        return float(np.mean([self._slot_served(k, working) for k in range(len(self._offers))]))

    def served_share(self, working: Iterable[int]) -> float:
        """served_bps over most_bps; 0 where nothing can be served at all."""
        return self.served_bps(working) / self.most_bps if self.most_bps > 0.0 else 0.0

    def robustness(self, working: Working, floor: float = -math.inf) -> float:
        """The least of availability and served/most_bps when any one gateway is lost; 0 where there is none.

        floor  a value below it need not be exact: the search goes no further
        """
        least = math.inf
        # The loss that can hurt most comes first, so that a set that is no good is soon known to be so.
        for _, g in sorted((self.served_limit_bps(working - {g}), g) for g in working & self._relevant):
            left = working - {g}
            least = min(least, self.availability(left), self.served_share(left))
            if least < floor:
                return least
        return least if math.isfinite(least) else 0.0

    def losses(self, working: Working) -> list[Working]:
        """What is left after each loss that can be felt: gateways that reach none of the region's satellites
        are not among them."""
        return [working - {g} for g in sorted(working & self._relevant)]

    def reach_limit(self, working: Working) -> float:
        """Never less than `availability`: antennas do not count. Submodular in the set."""
        works = self._flags(working)
        return self._of_wanted(float(np.mean([reach.reached_bps(works) for reach in self._reach])))

    def carried_limit_bps(self, working: Working) -> float:
        """Never less than `served_bps`: satellites tracked at once, nobody in anybody's way. Submodular."""
        antennas = self._antennas(working)
        return float(np.mean([reach.carried_bps(antennas) for reach in self._reach]))

    def served_limit_bps(self, working: Working) -> float:
        """Never less than `served_bps`: the lower of the two limits. Not itself submodular."""
        return min(self.carried_limit_bps(working), self.reach_limit(working) * self._wanted_bps)

    def _bound(self, add: int, by: str) -> float:
        """No `add` candidates have more than this, told from submodular limits alone."""
        everything = frozenset(range(self._existing))

        def most(limit: Callable[[Working], float], base: Working) -> float:
            count = len(self.candidates)
            return submodular_bound(
                lambda chosen: limit(base | {self._existing + c for c in chosen}), count, add
            )

        def served(base: Working) -> float:
            return min(most(self.carried_limit_bps, base), most(self.reach_limit, base) * self._wanted_bps)

        if by == "availability":
            return most(self.reach_limit, everything)
        if by == "capacity":
            return served(everything)
        # Losing one of the existing gateways is one of the losses, and losing none is no worse.
        bases = [everything, *self.losses(everything)]
        share = 1.0 / self.most_bps if self.most_bps > 0.0 else 0.0
        return min(min(most(self.reach_limit, base), served(base) * share) for base in bases)

    def _lost(self, working: Working, g: int) -> Lost:
        left = working - {g}
        return Lost(self._gateways[g], self.availability(left), self.served_bps(left))

    def _of_wanted(self, bps: float) -> float:
        # Sums of the same cells in another order are the same share: 1 is 1.
        return round(bps / self._wanted_bps, 12)

    def _slot_served(self, slot: int, working: Working) -> float:
        """Served in one slot. Gateways that reach no satellite of the region change nothing.

        The scheduler is greedy, and makes a hair more of less at times. What was scheduled for fewer
        gateways is possible with more, so it counts for these as well: no site ever seems to do harm.
        """
        useful = frozenset(working & self._useful[slot])
        known = self._served[slot]
        if useful not in known:
            known[useful] = self._scheduled(slot, useful)
            self._schedules += 1
            self._report("schedules", self._schedules)
        return max(served for fewer, served in known.items() if fewer <= useful)

    def _scheduled(self, slot: int, working: Working) -> float:
        if not working:
            return 0.0
        offer = self._offers[slot]
        antennas = self._antennas(working).astype(np.int32)
        schedule = self._study.schedule(replace(offer, gateways=replace(offer.gateways, antennas=antennas)))
        return float(schedule.served_bps.sum())

    def _slot_covered(self, slot: int, working: Working) -> float:
        useful = frozenset(working & self._useful[slot])
        known = self._covered[slot]
        if useful not in known:
            known[useful] = self._reach[slot].covered_bps(self._antennas(useful))
        return max(covered for fewer, covered in known.items() if fewer <= useful)

    def _flags(self, working: Iterable[int]) -> npt.NDArray[np.bool_]:
        flags = np.zeros(len(self._gateways), dtype=np.bool_)
        flags[list(working)] = True
        return flags

    def _antennas(self, working: Iterable[int]) -> npt.NDArray[np.int64]:
        antennas = np.array([g.antennas for g in self._gateways], dtype=np.int64)
        return np.where(self._flags(working), antennas, 0)


class _Score:
    """A goal as siting_search wants it: a value of its own, and a quick limit above it."""

    def __init__(self, study: SitingStudy, by: str) -> None:
        self._study, self._by = study, by
        self._limits: dict[Working, float] = {}

    def value(self, chosen: Chosen, floor: float = -math.inf) -> float:
        working = self._study.working(chosen)
        if self._by == "availability":
            return self._study.availability(working)
        if self._by == "capacity":
            return self._study.served_bps(working)
        return self._study.robustness(working, floor)

    def upper(self, chosen: Chosen) -> float:
        working = self._study.working(chosen)
        if self._by == "availability":
            return self._study.reach_limit(working)
        if self._by == "capacity":
            return self._study.served_limit_bps(working)
        return min((self._limit(left) for left in self._study.losses(working)), default=0.0)

    def prefer(self, chosen: Chosen) -> float:
        """Where all are as good: who brings most of the other thing."""
        working = self._study.working(chosen)
        if self._by == "capacity":
            return self._study.reach_limit(working)
        return self._study.served_limit_bps(working)

    def _limit(self, working: Working) -> float:
        if working not in self._limits:
            study, most = self._study, self._study.most_bps
            share = study.served_limit_bps(working) / most if most > 0.0 else 0.0
            self._limits[working] = min(study.reach_limit(working), share)
        return self._limits[working]


def _value(figures: Figures, by: str) -> float:
    return {
        "availability": figures.availability,
        "capacity": figures.served_bps,
        "robustness": figures.robustness,
    }[by]


def _check(add: int, candidates: int, by: str) -> None:
    if by not in GOALS:
        raise Refused("plan.goal", f"goal {by!r}" if len(by) <= 40 else "goal", "there is no such goal",
                      f"choose one of {', '.join(GOALS)}")  # fmt: skip
    if not 1 <= add <= candidates:
        raise Refused(
            "plan.add",
            "the number of gateways to add",
            f"it must lie between 1 and {candidates}, for so many candidates are left",
            "ask for fewer, or give more candidates",
        )
