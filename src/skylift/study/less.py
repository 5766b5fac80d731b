"""Less is never more: a schedule that is possible with less is possible with more, so it counts there too.

The scheduler is greedy, and what it makes of a slot is a matter of chance to some per cent in a small crowded
region, to a thousandth in a large one: at times it makes more of half the Ka, or without one of the gateways
(docs/why/013-capacity-planning.md). A study must not tell a planner that burning antennas helps, or that one
more gateway harms. So each slot is scheduled with less, too: with halves, and without single gateways, again
and again, where a bound on what is possible with less does not rule it out.

What is kept is the schedule with the highest score: all it serves, times the share of cells that get
anything. A cell that is reached at last may cost the others as much as it is of the region, and no more.
Classes of a tier may not pay for those of a lower one.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from itertools import pairwise

import numpy as np

from skylift.sky.schedule.problem import Floats, Schedule, ScheduleRules
from skylift.sky.schedule.supply import Offer
from skylift.study.capacity import CapacityStudy
from skylift.study.limits import Scale, scaled

# What serves so much less is not made still less: greedy errs by some per cent where regions are small.
_SLACK_FRACTION = 0.03
# What is served is told in whole bits; sums of floats in another order differ by less.
_HAIR_FRACTION = 1e-12
# Cells that may be scheduled again without some gateway, all schedules of a slot together: 16 schedules of
# Ukraine. The larger a region, the less is left to chance. 30 are all sets of five gateways.
_CELLS_AGAIN, _MOST_AGAIN = 40_000, 30


@dataclass(frozen=True, slots=True)
class _Less:
    """How often beams, antennas and Ka are halved, and which gateways are left out."""

    halvings: tuple[int, int, int] = (0, 0, 0)
    without: frozenset[int] = field(default_factory=frozenset)

    def within(self, other: _Less) -> bool:
        """Whether this has nothing that the other has not."""
        fewer = all(mine >= its for mine, its in zip(self.halvings, other.halvings, strict=True))
        return fewer and self.without >= other.without

    def still_less(self, gateways: frozenset[int]) -> Iterator[_Less]:
        beams, antennas, ka = self.halvings
        for halvings in ((beams + 1, antennas, ka), (beams, antennas + 1, ka), (beams, antennas, ka + 1)):
            yield replace(self, halvings=halvings)
        for g in sorted(gateways - self.without):
            yield replace(self, without=self.without | {g})

    def of(self, study: CapacityStudy, offer: Offer) -> Offer:
        less = scaled(offer, study.case.rules, Scale(*(0.5**count for count in self.halvings)))
        antennas = less.gateways.antennas.copy()
        antennas[sorted(self.without)] = 0
        return replace(less, gateways=replace(less.gateways, antennas=antennas))


def most_served(study: CapacityStudy, offer: Offer, wanted_bps: Floats | None = None) -> Schedule:
    """The schedule of an offer, or of less (halves, gateways left out), that has the highest score.

    Among equals the one of the whole. wanted_bps (M, 4); None: the case's.
    """
    wanted = study.cells.wanted_bps if wanted_bps is None else wanted_bps
    asked_bps = np.where(study.case.demand.allowed, wanted.sum(axis=1), 0.0)
    gateways = useful(offer, asked_bps)
    again = min(_CELLS_AGAIN // max(len(asked_bps), 1), _MOST_AGAIN) if len(gateways) > 1 else 0
    # Of few gateways every set is looked at, however little it serves.
    every_set = 2 ** len(gateways) - 2 <= again
    whole = _Less()
    best = study.schedule(offer, wanted_bps=wanted_bps)
    waiting, seen, poor = deque(whole.still_less(gateways)), {whole}, list[_Less]()
    seen.update(waiting)
    while waiting:
        less = waiting.popleft()
        listed = every_set and less.halvings == whole.halvings
        if (less.without and again <= 0 and not listed) or any(less.within(other) for other in poor):
            continue
        offered = less.of(study, offer)
        if not _more(most_possible_bps(offered, asked_bps), score_bps(best, asked_bps)):
            continue
        again -= bool(less.without) and not listed
        found = study.schedule(offered, wanted_bps=wanted_bps)
        if _is_better(found, best, asked_bps, study.case.rules):
            best = found
        if score_bps(found, asked_bps) < (1.0 - _SLACK_FRACTION) * score_bps(best, asked_bps) and not listed:
            poor.append(less)
            continue
        waiting.extend(new for new in less.still_less(gateways) if new not in seen)
        seen.update(less.still_less(gateways))
    return best


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


def _more(bps: float, than_bps: float) -> bool:
    return bps > than_bps * (1.0 + _HAIR_FRACTION)


def _is_better(found: Schedule, best: Schedule, asked_bps: Floats, rules: ScheduleRules) -> bool:
    """A higher score, and no less to the classes of any tier together with those above it."""
    tiers = [int(np.searchsorted(rules.tiers(), tier, side="right")) for tier in sorted(set(rules.tiers()))]
    got, had = (np.cumsum(made.served_bps.sum(axis=0))[np.array(tiers) - 1] for made in (found, best))
    # What the lowest tier gets with all above it is in the score.
    served = np.flatnonzero(np.diff(had, prepend=0.0) > 0.0)[:-1]
    return _more(score_bps(found, asked_bps), score_bps(best, asked_bps)) and bool(
        (got[served] >= had[served] * (1.0 - _HAIR_FRACTION)).all()
    )


def most_possible_bps(offer: Offer, asked_bps: Floats) -> float:
    """No schedule of this offer can serve more. asked_bps (M,), 0 where it may not be served.

    The least of three: what is asked for by cells that see a satellite in reach of a gateway; what all the
    satellites in reach can carry; what each gateway's antennas can carry with the satellites best for it.
    A satellite carries at most its feeder, and all its beams on the cell that it hears best.
    """
    cell = np.repeat(np.arange(len(asked_bps)), np.diff(offer.pairs.offset))
    satellite, rate_bps = (
        offer.pairs.satellite,
        np.where(asked_bps[cell] > 0.0, offer.pairs.full_rate_bps, 0.0),
    )
    beams_bps = np.zeros(len(offer.satellites))
    np.maximum.at(beams_bps, satellite, rate_bps)
    beams_bps *= offer.satellites.all_beams()
    gateways = offer.gateways
    through_bps = np.minimum(gateways.feeders_bps(), beams_bps[gateways.satellite])
    through_bps[np.repeat(gateways.antennas, np.diff(gateways.offset)) == 0] = 0.0
    satellites_bps = np.zeros(len(offer.satellites))
    np.maximum.at(satellites_bps, gateways.satellite, through_bps)
    antennas_bps = sum(
        float(np.sort(through_bps[start:end])[::-1][:antennas].sum())
        for (start, end), antennas in zip(pairwise(gateways.offset), gateways.antennas, strict=True)
    )
    heard = np.zeros(len(asked_bps), dtype=np.bool_)
    heard[cell[(satellites_bps[satellite] > 0.0) & (rate_bps > 0.0)]] = True
    return min(float(asked_bps[heard].sum()), float(satellites_bps.sum()), antennas_bps)
