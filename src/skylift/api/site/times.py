"""The four times from a call: acknowledged, authorised, activated, first terminal on."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from statistics import median

from skylift.api.site.values import HOUR_US, NONE, Value, span, time_of
from skylift.twin.office.milestones import BENCHMARK_US, Milestones

STEPS = (
    ("acknowledged_at", "Acknowledged"),
    ("authorised_at", "Authorised"),
    ("activated_at", "Service on"),
    ("first_on_at", "First terminal online"),
)


def length(gap_us: int) -> str:
    """With a tenth of an hour: whether it was ten hours or a little more is what counts here."""
    return f"{gap_us / HOUR_US:.1f} h" if HOUR_US <= gap_us < 100 * HOUR_US else span(gap_us)


@dataclass(frozen=True, slots=True)
class Step:
    """One of the four. after: from the call; before: it was so before anybody asked."""

    name: str
    at: Value
    after: str
    fraction: float
    done: bool


def steps_of(found: Milestones, now: int) -> list[Step]:
    return [_step(found, attribute, name, now) for attribute, name in STEPS]


def _step(found: Milestones, attribute: str, name: str, now: int) -> Step:
    at: int | None = getattr(found, attribute)
    if at is None:
        return Step(name, NONE, "not yet", 0.0, False)
    gap_us = max(at - found.asked_at, 0)
    words = f"after {length(gap_us)}" if at >= found.asked_at else "before the call"
    return Step(name, time_of(at, now), words, min(gap_us / BENCHMARK_US, 1.0), True)


@dataclass(frozen=True, slots=True)
class Tile:
    """One of the four over all calls that a visitor may read."""

    name: str
    figure: str
    detail: str
    tone: str


def tiles(found: Sequence[Milestones], now: int) -> list[Tile]:
    """The middle call of each step: half of them were faster."""
    return [_tile(found, attribute, name, now) for attribute, name in STEPS]


def _tile(found: Sequence[Milestones], attribute: str, name: str, now: int) -> Tile:
    gaps = [max(at - one.asked_at, 0) for one in found if (at := getattr(one, attribute)) is not None]
    waiting = len(found) - len(gaps)
    if not gaps:
        came = f"{waiting:,} {'waits' if waiting == 1 else 'wait'}" if waiting else "no call has come so far"
        return Tile(name, NONE, came, "calm")
    middle = int(median(gaps))
    tone = "good" if middle <= BENCHMARK_US else "warn"
    rest = f"{waiting:,} still {'waits' if waiting == 1 else 'wait'}" if waiting else "none waits"
    return Tile(name, length(middle), f"median of {len(gaps):,}; {rest}", tone)
