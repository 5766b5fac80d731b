"""Outages in lists and as facts: what fell, how far, what is left now, and what the public sees of it."""

from __future__ import annotations

from dataclasses import dataclass

from skylift.api.site.values import NONE, Badge, Mono, Value, named, several, time_of
from skylift.api.site.words import choice_label
from skylift.base.instants import InstantUs
from skylift.service.outage.events import EntityKind, Level
from skylift.service.outage.public import band, told_at
from skylift.service.outage.state import Outage, OutageState
from skylift.service.outage.words import percent

TONES = {"critical": "bad", "major": "warn", "warning": "wait"}


@dataclass(frozen=True, slots=True)
class Bar:
    """A level as a bar: name of it, in words, and the fraction from 0 to 1."""

    name: str
    text: str
    fraction: float


def heading(outage: Outage) -> str:
    entity = outage.entity
    name = entity.title or entity.code
    if entity.kind in (EntityKind.AS, EntityKind.AS_WITH_CONE) and entity.code not in name:
        name = f"{name} ({entity.code})"
    return f"{name} [synthetic]" if outage.synthetic else name


def row(outage: Outage, now: int) -> tuple[Value, ...]:
    return (
        choice_label(outage.entity.kind),
        Badge(f"{percent(outage.worst)}, {band(outage.worst)}", TONES[band(outage.worst)]),
        time_of(outage.began_at, now),
        public_badge(outage, now),
    )


def facts(outage: Outage, now: int) -> list[tuple[str, Value]]:
    entity, worst = outage.entity, outage.worst
    found: list[tuple[str, Value]] = [
        ("What", choice_label(entity.kind)),
        ("Code", Mono(entity.code)),
        ("Country", entity.country or NONE),
        ("Began", time_of(outage.began_at, now)),
        ("Sure since", time_of(outage.confirmed_at, now)),
        ("On record since", time_of(outage.recorded_at, now)),
        ("Ended", time_of(outage.ended_at, now)),
        ("Last measured", time_of(outage.measured_at, now)),
        ("Signals", ", ".join(worst.signals) or "not said"),
        ("How many were asked", f"{worst.targets:,}" if worst.targets else "not said"),
        ("Beside", f"{worst.baseline} levels"),
        ("Cause", choice_label(outage.cause)),
        ("Confirmed by", named(outage.confirmed_by) if outage.confirmed_by else Badge("Nobody yet", "warn")),
        ("The public", public_badge(outage, now)),
    ]
    if outage.synthetic:
        found.append(("Data", Badge("Synthetic: made up", "warn")))
    if outage.into:
        found.append(("Part of", named(outage.into)))
    if outage.claims:
        # Addresses of others are shown to be copied: a page of ours leads nowhere else.
        sources = (
            f"{claim.publisher}, {claim.url}, {_day(claim.published_at, now)}" for claim in outage.claims
        )
        found.append(("Sources", several(sources)))
    return found


def bars(outage: Outage) -> list[Bar]:
    """The lowest level, and the one now while it lasts."""
    found = [_bar("Lowest", outage.worst)]
    if outage.state is OutageState.OPEN and outage.level != outage.worst:
        found.append(_bar("Now", outage.level))
    return found


def public_badge(outage: Outage, now: int) -> Badge:
    """What the public sees of it at this instant, and why."""
    at = InstantUs(now)
    if told_at([(outage, at)], at):
        return Badge("Sees it", "warn")
    if outage.state not in (OutageState.OPEN, OutageState.CLOSED):
        return Badge("Does not see it", "calm")
    if outage.held:
        return Badge("Held back", "wait")
    later = outage.told_from
    if later is not None and now < later and told_at([(outage, later)], later):
        minutes = -(-(later - now) // 60_000_000)
        return Badge(f"Sees it in {minutes} min", "wait")
    return Badge("Never sees it", "calm")


def _bar(name: str, level: Level) -> Bar:
    return Bar(name, percent(level), round(min(max(level.fraction, 0.0), 1.0), 3))


def _day(at: InstantUs, now: int) -> str:
    shown = time_of(at, now)
    return shown if isinstance(shown, str) else getattr(shown, "text", "")
