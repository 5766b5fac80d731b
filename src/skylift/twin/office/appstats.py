"""Figures of others about the app, each with its source. What we count ourselves is no thing, but a count."""

from __future__ import annotations

from dataclasses import dataclass

from skylift.service.appstats import state as decide
from skylift.service.appstats.figures import Imported
from skylift.service.appstats.state import ROOM, What
from skylift.twin.office.verbs import Because, Verb


@dataclass(frozen=True, slots=True)
class Import:
    """country: ISO 3166, or "world"; source: who published it, and where."""

    country: str
    day: str
    what: What
    value: float
    source: str


@dataclass(frozen=True, slots=True)
class Correct:
    value: float


VERBS = (
    Verb(
        "app-figure.create",
        ROOM,
        Import,
        lambda t, m, a: decide.imported(
            t, m.who, Imported(a.country, a.day, a.what.value, a.value, a.source)
        ),
        "Record a rank or an estimate that somebody published, with its source.",
        creates=True,
    ),
    Verb(
        "app-figure.correct",
        ROOM,
        Correct,
        lambda t, m, a: decide.corrected(t, m.who, a.value),
        "Correct it.",
    ),
    Verb(
        "app-figure.withdraw",
        ROOM,
        Because,
        lambda t, m, a: decide.withdrawn(t, m.who, a.reason),
        "Tell it no more.",
    ),
)
