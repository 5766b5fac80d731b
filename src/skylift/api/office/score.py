"""The triage score of a call, with what it is made of: shown wherever the sum is."""

from __future__ import annotations

from dataclasses import dataclass

from skylift.base.instants import InstantUs
from skylift.service.request.state import Request
from skylift.service.request.triage import TriageRules, score


@dataclass(frozen=True, slots=True)
class Part:
    """One reason. most: the points it could give at all, for a bar of its length."""

    what: str
    points: float
    most: float


@dataclass(frozen=True, slots=True)
class Shown:
    points: float
    most: float
    parts: tuple[Part, ...]


def score_of(request: Request, now_us: int) -> Shown:
    """How urgent a call looks now, and why. Nobody measures the internet there yet."""
    rules = TriageRules()
    found = score(request, InstantUs(now_us), rules=rules)
    most = (
        max(rules.kind_points.values()),
        rules.most_people_points,
        rules.outage_points,
        rules.deadline_points,
        rules.waiting_points,
    )
    parts = tuple(
        Part(reason.what[:1].upper() + reason.what[1:], reason.points, full)
        for reason, full in zip(found.reasons, most, strict=True)
    )
    return Shown(found.points, sum(most), parts)
