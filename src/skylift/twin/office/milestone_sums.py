"""The four times over many calls: of a region, or of all, beside the benchmark."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from statistics import median

from skylift.base.instants import InstantUs
from skylift.twin.office.milestones import BENCHMARK_US, Milestones

HOUR_US = 3_600_000_000
BENCHMARK_HOURS = BENCHMARK_US / HOUR_US


@dataclass(frozen=True, slots=True)
class Hours:
    """Hours to each of the four; None where nothing has come of it yet. 0 for what was there before."""

    acknowledged: float | None = None
    authorised: float | None = None
    activated: float | None = None
    first_online: float | None = None


@dataclass(frozen=True, slots=True)
class Sums:
    """Calls of one region (region: "" for those without one), or of all ("*").

    requests            merged ones are part of another, and do not count
    from_first_call     from the first of them to the first that was acknowledged, authorised, ...
    middle              of those that have come so far, the middle one: half of the calls took less
    reached             how many calls have come how far
    within_benchmark    calls for which service was active in time;  beyond_benchmark: later, or not yet and
                        already too late
    """

    region: str
    requests: int
    first_asked_at: InstantUs | None
    from_first_call: Hours
    middle: Hours
    reached: tuple[int, int, int, int]
    within_benchmark: int
    beyond_benchmark: int


def sums(region: str, calls: Sequence[Milestones], at: int) -> Sums:
    """`at`: now, for those that wait."""
    first = min((call.asked_at for call in calls), default=None)
    gaps = [[gap for call in calls if (gap := _gap(call, step)) is not None] for step in range(4)]
    late = sum(
        not call.beats_benchmark if call.activated_at is not None else at - call.asked_at > BENCHMARK_US
        for call in calls
    )
    return Sums(
        region,
        len(calls),
        first,
        Hours(*(_since(first, calls, step) for step in range(4))),
        Hours(*(median(some) if some else None for some in gaps)),
        (len(gaps[0]), len(gaps[1]), len(gaps[2]), len(gaps[3])),
        sum(call.beats_benchmark is True for call in calls),
        late,
    )


def by_region(calls: Iterable[Milestones], at: int) -> list[Sums]:
    """One for each region, by its id."""
    found: defaultdict[str, list[Milestones]] = defaultdict(list)
    for call in calls:
        found[call.region].append(call)
    return [sums(region, some, at) for region, some in sorted(found.items())]


def hours_of(call: Milestones) -> Hours:
    """Of one call."""
    return Hours(*(_gap(call, step) for step in range(4)))


def _steps(call: Milestones) -> tuple[InstantUs | None, ...]:
    return (call.acknowledged_at, call.authorised_at, call.activated_at, call.first_on_at)


def _gap(call: Milestones, step: int) -> float | None:
    return call.hours_to(_steps(call)[step])


def _since(first: InstantUs | None, calls: Sequence[Milestones], step: int) -> float | None:
    reached = [at for call in calls if (at := _steps(call)[step]) is not None]
    return max(min(reached) - first, 0) / HOUR_US if reached and first is not None else None
