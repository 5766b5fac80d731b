"""Less is never more: a schedule that is possible with less is possible with more, so it counts there too.

The scheduler is greedy, and what it makes of a slot is a matter of chance to some per cent in a small crowded
region, to a thousandth in a large one: at times it makes more of half the Ka, or without one of the gateways
(docs/why/013-capacity-planning.md). A study must not tell a planner that burning antennas helps, or that one
more gateway harms. So a slot is scheduled with less, too: with halves, and halves of these, of beams,
antennas, Ka and Nco, and with every set of gateways where they are few, unless a bound tells that no schedule
of it can serve more. Whatever is tried for half of something is then tried for the whole as well, so half
serves no more than the whole, whatever the scheduler makes of either.

Between sets of gateways the schedule with the highest score is kept: all it serves, times the share of cells
that get anything. A cell that is reached at last may cost the others as much as it is of the region, and no
more. Between halves that which serves most is kept. In both, no tier of classes may get less than the
scheduler gives it with everything.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field, replace
from itertools import groupby, pairwise

import numpy as np
import numpy.typing as npt

from skylift.sky.schedule.problem import Floats, Schedule, ScheduleRules
from skylift.sky.schedule.supply import Offer
from skylift.study.capacity import CapacityStudy
from skylift.study.limits import Scale, scaled

# What is served is told in whole bits; sums of floats in another order differ by less.
_HAIR_FRACTION = 1e-12
# Schedules that may be made of a slot, as cells and at most: 24 of Ukraine. All sets of five gateways are 31.
_CELLS_TRIED, _MOST_TRIED = 60_000, 32
# Where more than that could serve more: what is halved so often in all.
_FEW_HALVINGS = 2


@dataclass(frozen=True, slots=True)
class _Less:
    """How often beams, antennas, Ka and Nco are halved, and which gateways are left out."""

    halvings: tuple[int, ...] = (0, 0, 0, 0)
    without: frozenset[int] = field(default_factory=frozenset)

    @property
    def any(self) -> bool:
        """Whether it is less at all."""
        return bool(self.without) or sum(self.halvings) > 0

    def halves(self) -> Iterator[_Less]:
        for k in range(len(self.halvings)):
            yield replace(self, halvings=(*self.halvings[:k], self.halvings[k] + 1, *self.halvings[k + 1 :]))

    def fewer(self, gateways: frozenset[int]) -> Iterator[_Less]:
        for g in sorted(gateways - self.without):
            yield replace(self, without=self.without | {g})

    def offer(self, offer: Offer, rules: ScheduleRules) -> Offer:
        less = scaled(offer, rules, Scale(*(0.5**count for count in self.halvings[:3])))
        antennas = less.gateways.antennas.copy()
        antennas[sorted(self.without)] = 0
        return replace(less, gateways=replace(less.gateways, antennas=antennas))

    def rules(self, rules: ScheduleRules) -> ScheduleRules:
        return replace(rules, nco=rules.nco >> self.halvings[3])


def most_served(study: CapacityStudy, offer: Offer, wanted_bps: Floats | None = None) -> Schedule:
    """The best schedule of an offer, or of less (halves, gateways left out).

    Among equals the one of the whole. wanted_bps (M, 4); None: the case's.
    """
    search = _Search(study, offer, study.cells.wanted_bps if wanted_bps is None else wanted_bps)
    best: Schedule | None = None
    for _, sets in groupby(search.worth_trying(), key=lambda less: less.halvings):
        found = search.best_of(sets, beyond_bps=_all(best))
        if found is not None and _more(_all(found), _all(best)):
            best = found
    return search.whole if best is None else best


class _Search:
    """One slot with less of this and that."""

    def __init__(self, study: CapacityStudy, offer: Offer, wanted_bps: Floats) -> None:
        self._study, self._offer, self._wanted = study, offer, wanted_bps
        self._rules = study.case.rules
        self._asked_bps = np.where(study.case.demand.allowed, wanted_bps.sum(axis=1), 0.0)
        self.whole = self._schedule(_Less())

    def worth_trying(self) -> list[_Less]:
        """All that may serve more than the whole, by halvings; of too many, those nearest to the whole."""
        most = max(min(_CELLS_TRIED // max(len(self._asked_bps), 1), _MOST_TRIED), 1)
        gateways = useful(self._offer, self._asked_bps)
        few = gateways if 2 ** len(gateways) - 1 <= most else frozenset[int]()
        every = self._alive(few, most)
        if len(every) > most:
            sets = [less for less in self._alive(few, most, most_halvings=0) if less.without]
            every = [*self._alive(frozenset(), most, most_halvings=_FEW_HALVINGS), *sets]
        return sorted(every, key=lambda less: (sum(less.halvings), less.halvings, len(less.without)))

    def best_of(self, sets: Iterable[_Less], beyond_bps: float) -> Schedule | None:
        """The schedule of the highest score; what may serve no more than `beyond_bps` is left out."""
        best, score = None, 0.0
        for less in sets:
            if less.any and not self._may_serve(less, max(score, beyond_bps)):
                continue
            found = self._schedule(less)
            if self._is_allowed(found) and _more(score_bps(found, self._asked_bps), score):
                best, score = found, score_bps(found, self._asked_bps)
        return best

    def _alive(self, gateways: frozenset[int], most: int, most_halvings: int = 99) -> list[_Less]:
        """The whole, and all with less that may have a higher score; not many more than `most`."""
        score = score_bps(self.whole, self._asked_bps)
        found, waiting, seen = list[_Less](), deque([_Less()]), {_Less()}
        while waiting and len(found) <= most:
            less = waiting.popleft()
            if less.any and not self._may_serve(less, score):
                continue
            found.append(less)
            new = [*(less.halves() if sum(less.halvings) < most_halvings else ()), *less.fewer(gateways)]
            waiting.extend(one for one in new if one not in seen)
            seen.update(new)
        return found

    def _may_serve(self, less: _Less, bps: float) -> bool:
        """Whether anything may serve more than so much with so little."""
        if self._rules.nco >> less.halvings[3] < 1:
            return False
        offered = less.offer(self._offer, self._rules)
        return _more(most_possible_bps(offered, self._asked_bps, self._rules), bps)

    def _schedule(self, less: _Less) -> Schedule:
        offered, rules = less.offer(self._offer, self._rules), less.rules(self._rules)
        return self._study.schedule(offered, rules, self._wanted)

    def _is_allowed(self, found: Schedule) -> bool:
        """Whether the classes of any tier but the lowest, with those above it, get what the whole gives."""
        tiers = self._rules.tiers()
        ends = np.array([int(np.searchsorted(tiers, tier, side="right")) for tier in sorted(set(tiers))])
        got, due = (np.cumsum(made.served_bps.sum(axis=0))[ends - 1] for made in (found, self.whole))
        # What the lowest tier gets with all above it is in the score.
        served = np.flatnonzero(np.diff(due, prepend=0.0) > 0.0)[:-1]
        return bool((got[served] >= due[served] * (1.0 - _HAIR_FRACTION)).all())


def useful(offer: Offer, asked_bps: Floats) -> frozenset[int]:
    """Gateways with an antenna for some satellite that cells which ask for something can use."""
    cell = np.repeat(np.arange(len(asked_bps)), np.diff(offer.pairs.offset))
    heard = np.zeros(len(offer.satellites), dtype=np.bool_)
    heard[offer.pairs.satellite[(asked_bps[cell] > 0.0) & (offer.pairs.full_rate_bps > 0.0)]] = True
    gateways = offer.gateways
    gateway = np.repeat(np.arange(len(gateways)), np.diff(gateways.offset))
    works = heard[gateways.satellite] & (gateways.feeders_bps() > 0.0) & (gateways.antennas[gateway] > 0)
    return frozenset(np.unique(gateway[works]).tolist())


def score_bps(schedule: Schedule, asked_bps: Floats) -> float:
    """All that is served, times the share of cells that get anything of those that ask."""
    served_bps = schedule.served_bps.sum(axis=1)
    asks = asked_bps > 0.0
    reached = float((served_bps[asks] > 0.0).mean()) if asks.any() else 1.0
    return reached * float(served_bps.sum())


def most_possible_bps(offer: Offer, asked_bps: Floats, rules: ScheduleRules) -> float:
    """No schedule of this offer can serve more. asked_bps (M,), 0 where it may not be served.

    The least of three: what cells that see a satellite in reach of a gateway ask for, and all channels carry;
    what all the satellites in reach can carry; what each gateway's antennas can carry with the best for it.
    A satellite carries at most its feeder, and all its beams on the cell that it hears best.
    """
    cell = np.repeat(np.arange(len(asked_bps)), np.diff(offer.pairs.offset))
    satellite = offer.pairs.satellite
    rate_bps = np.where(asked_bps[cell] > 0.0, offer.pairs.full_rate_bps, 0.0)
    beams_bps = _greatest(rate_bps, satellite, len(offer.satellites))
    beams_bps *= offer.satellites.all_beams()
    gateways = offer.gateways
    through_bps = np.minimum(gateways.feeders_bps(), beams_bps[gateways.satellite])
    through_bps[np.repeat(gateways.antennas, np.diff(gateways.offset)) == 0] = 0.0
    satellites_bps = _greatest(through_bps, gateways.satellite, len(offer.satellites))
    antennas_bps = sum(
        float(np.sort(through_bps[start:end])[::-1][:antennas].sum())
        for (start, end), antennas in zip(pairwise(gateways.offset), gateways.antennas, strict=True)
    )
    rate_bps[satellites_bps[satellite] <= 0.0] = 0.0
    # A channel of a cell has Nco satellites at most, each in the polarisations in which any has beams.
    lanes = int((offer.satellites.beams > 0).any(axis=0).sum()) * rules.channels * rules.nco
    cells_bps = np.minimum(asked_bps, lanes * _greatest(rate_bps, cell, len(asked_bps)))
    return min(float(cells_bps.sum()), float(satellites_bps.sum()), antennas_bps)


def _greatest(value: Floats, index: npt.NDArray[np.integer], count: int) -> Floats:
    """(count,) the greatest value of each index, 0 without one."""
    out = np.zeros(count)
    np.maximum.at(out, index, value)
    return out


def _all(schedule: Schedule | None) -> float:
    return 0.0 if schedule is None else float(schedule.served_bps.sum())


def _more(bps: float, than_bps: float) -> bool:
    return bps > than_bps * (1.0 + _HAIR_FRACTION)
