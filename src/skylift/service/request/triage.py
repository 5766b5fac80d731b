"""Which call first? A score with its reasons, for people to read; it never decides or orders silently."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from skylift.base.instants import InstantUs
from skylift.service.request.events import SiteKind
from skylift.service.request.state import Request

HOUR_US = 3_600_000_000

# What a site does for others' lives, from 0 to 40. Ours; a coordinator sets their own.
KIND_POINTS: Mapping[SiteKind, float] = {
    SiteKind.HOSPITAL: 40.0,
    SiteKind.RESCUE: 40.0,
    SiteKind.UTILITY: 30.0,
    SiteKind.TELECOM: 30.0,
    SiteKind.GOVERNMENT: 20.0,
    SiteKind.SHELTER: 20.0,
    SiteKind.AID: 20.0,
    SiteKind.SCHOOL: 10.0,
    SiteKind.MEDIA: 10.0,
    SiteKind.HOUSEHOLD: 0.0,
}


@dataclass(frozen=True, slots=True)
class TriageRules:
    """Points of each reason.

    people_points        for each tenfold of people served, up to `most_people_points`
    outage_points        for a place that is wholly cut off; less in proportion
    deadline_points      for a deadline that is here; falling to nothing `deadline_h` before
    waiting_points       after `waiting_h` without an answer; less in proportion
    """

    kind_points: Mapping[SiteKind, float] = field(default_factory=lambda: KIND_POINTS)
    people_points: float = 5.0
    most_people_points: float = 20.0
    outage_points: float = 20.0
    deadline_points: float = 15.0
    deadline_h: float = 72.0
    waiting_points: float = 5.0
    waiting_h: float = 24.0


@dataclass(frozen=True, slots=True)
class Reason:
    """One part of a score, in words."""

    what: str
    points: float


@dataclass(frozen=True, slots=True)
class Score:
    """The sum, and what it is made of: reasons are shown wherever the sum is."""

    points: float
    reasons: tuple[Reason, ...]


def score(
    request: Request,
    at: InstantUs,
    reachable_fraction: float | None = None,
    rules: TriageRules | None = None,
) -> Score:
    """How urgent a call looks.

    reachable_fraction  of the ordinary internet where it is, 0 to 1; None where nobody measures it
    """
    rules = rules or TriageRules()
    reasons = [
        Reason(f"kind of site: {request.site_kind.value}", rules.kind_points.get(request.site_kind, 0.0)),
        _people(request, rules),
        _outage(reachable_fraction, rules),
        _deadline(request, at, rules),
        _waiting(request, at, rules),
    ]
    return Score(points=sum(reason.points for reason in reasons), reasons=tuple(reasons))


def _people(request: Request, rules: TriageRules) -> Reason:
    # Whole tens by counting digits: 1 to 9 people give none, 10 to 99 one step, and so on.
    steps = len(str(request.people)) - 1 if request.people > 0 else 0
    points = min(rules.people_points * steps, rules.most_people_points)
    return Reason(
        f"people served: {request.people:,}" if request.people else "people served: not said", points
    )


def _outage(reachable_fraction: float | None, rules: TriageRules) -> Reason:
    if reachable_fraction is None:
        return Reason("what is left of the internet there: not known", 0.0)
    left = min(max(reachable_fraction, 0.0), 1.0)
    return Reason(f"what is left of the internet there: {left:.0%}", rules.outage_points * (1.0 - left))


def _deadline(request: Request, at: InstantUs, rules: TriageRules) -> Reason:
    if request.needed_by is None:
        return Reason("deadline: none", 0.0)
    hours = (request.needed_by - at) / HOUR_US
    nearness = min(max(1.0 - hours / rules.deadline_h, 0.0), 1.0)
    words = f"deadline in {hours:.0f} h" if hours > 0 else f"deadline {-hours:.0f} h ago"
    return Reason(words, rules.deadline_points * nearness)


def _waiting(request: Request, at: InstantUs, rules: TriageRules) -> Reason:
    hours = max((at - request.asked_at) / HOUR_US, 0.0)
    return Reason(f"waiting for {hours:.0f} h", rules.waiting_points * min(hours / rules.waiting_h, 1.0))
