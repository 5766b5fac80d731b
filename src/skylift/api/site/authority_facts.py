"""Authorities in lists and as facts: for whom they speak, about what, and whether their word counts now."""

from __future__ import annotations

from skylift.api.site.values import Badge, Mono, Value, named, several, time_of
from skylift.api.site.words import choice_label
from skylift.service.authority.state import Authority, AuthorityState, label


def _matters(a: Authority) -> str:
    return ", ".join(choice_label(matter).lower() for matter in a.terms.vouches_for)


def _territory(a: Authority) -> Value:
    if a.terms.everywhere:
        return "everywhere"
    return several((*a.terms.countries, *(named(region) for region in a.terms.regions)))


def badge(a: Authority, now: int) -> Badge:
    """Whether its word counts now."""
    if a.state is AuthorityState.KNOWN and not a.in_force(now):
        ended = a.terms.valid_until is not None and now >= a.terms.valid_until
        return Badge("Has ended" if ended else "Not yet in force", "warn")
    return Badge(label(a.state), "good" if a.in_force(now) else "bad")


def row(a: Authority, now: int) -> tuple[Value, ...]:
    return Mono(a.code), _territory(a), _matters(a), time_of(a.terms.valid_until, now)


def facts(a: Authority, now: int) -> list[tuple[str, Value]]:
    found: list[tuple[str, Value]] = [
        ("Code", Mono(a.code)),
        ("Kind", choice_label(a.terms.kind)),
        ("Speaks for", _territory(a)),
        ("May vouch for", _matters(a)),
        ("Known from", a.terms.source),
        ("Recorded by", named(a.recorded_by)),
        ("Valid from", time_of(a.terms.valid_from or None, now)),
        ("Valid until", time_of(a.terms.valid_until, now)),
    ]
    if a.reason:
        found.append(("Withdrawn because", a.reason))
    return found
