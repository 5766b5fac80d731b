"""Less is never more: a schedule that is possible with less is possible with more, so it counts there too.

The scheduler is greedy: where nearly everybody has all that is wanted, it makes up to a thousandth more of
half the Ka, or of half the antennas, than of the whole (docs/why/013-capacity-planning.md). A study must not
tell a planner that burning antennas helps. So each slot is scheduled with halves too, where a bound on what
halves can serve does not rule them out, and what serves most is kept, unless a class would pay for a lower
one.
"""

from __future__ import annotations

from collections import deque
from itertools import pairwise

import numpy as np

from skylift.sky.schedule.problem import Floats, Schedule
from skylift.sky.schedule.supply import Offer
from skylift.study.capacity import CapacityStudy
from skylift.study.limits import Scale, scaled

# A half that serves so much less is not halved further: greedy errs by a thousandth, not by this.
_SLACK_FRACTION = 0.03
# What is served is told in whole bits; sums of floats in another order differ by less.
_HAIR_FRACTION = 1e-12

_Halvings = tuple[int, int, int]
_WHOLE: _Halvings = (0, 0, 0)


def most_served(study: CapacityStudy, offer: Offer, wanted_bps: Floats | None = None) -> Schedule:
    """The schedule of an offer, or of its halves (beams, antennas, Ka, again and again), that serves most.

    Among equals the one of the whole. wanted_bps (M, 4); None: the case's.
    """
    rules = study.case.rules
    wanted = study.cells.wanted_bps if wanted_bps is None else wanted_bps
    asked_bps = np.where(study.case.demand.allowed, wanted.sum(axis=1), 0.0)
    best = study.schedule(offer, wanted_bps=wanted_bps)
    waiting, seen, poor = deque(_halves(_WHOLE)), {_WHOLE, *_halves(_WHOLE)}, list[_Halvings]()
    while waiting:
        halvings = waiting.popleft()
        less = scaled(offer, rules, _scale(halvings))
        if any(_within(halvings, other) for other in poor) or not _more(
            most_possible_bps(less, asked_bps), _total_bps(best)
        ):
            continue
        found = study.schedule(less, wanted_bps=wanted_bps)
        if _serves_more(found, best):
            best = found
        if _total_bps(found) < (1.0 - _SLACK_FRACTION) * _total_bps(best):
            poor.append(halvings)
            continue
        waiting.extend(new for new in _halves(halvings) if new not in seen)
        seen.update(_halves(halvings))
    return best


def _total_bps(schedule: Schedule) -> float:
    return float(schedule.served_bps.sum())


def _more(bps: float, than_bps: float) -> bool:
    return bps > than_bps * (1.0 + _HAIR_FRACTION)


def _serves_more(found: Schedule, best: Schedule) -> bool:
    """More in all, and no less to any class together with those above it."""
    classes = np.cumsum(found.served_bps.sum(axis=0)), np.cumsum(best.served_bps.sum(axis=0))
    return _more(_total_bps(found), _total_bps(best)) and bool(
        (classes[0] >= classes[1] * (1.0 - _HAIR_FRACTION)).all()
    )


def _within(halvings: _Halvings, other: _Halvings) -> bool:
    """Whether these halves are halves of the other's."""
    return all(mine >= its for mine, its in zip(halvings, other, strict=True))


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


def _halves(of: _Halvings) -> list[_Halvings]:
    beams, antennas, ka = of
    return [(beams + 1, antennas, ka), (beams, antennas + 1, ka), (beams, antennas, ka + 1)]


def _scale(halvings: _Halvings) -> Scale:
    beams, antennas, ka = (0.5**count for count in halvings)
    return Scale(beams, antennas, ka)
