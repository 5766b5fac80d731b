"""What a terminal's page says of its operator's service line."""

from __future__ import annotations

from skylift.api.site.values import Badge, Mono, Value, several, time_of
from skylift.api.site.words import choice_label
from skylift.service.terminal.events import LineStanding
from skylift.service.terminal.service_line import LineOff, ServiceLine

_OFF = {
    LineOff.NONE: "The operator has none for it",
    LineOff.ENDED: "Ended",
    LineOff.INACTIVE: "Inactive",
}


def facts(line: ServiceLine | None, now: int) -> list[tuple[str, Value]]:
    """Nothing where nobody told of one."""
    if line is None:
        return []
    number = [Mono(line.number)] if line.number else []
    found: list[tuple[str, Value]] = [("Service line", several([*number, _standing(line, now)]))]
    if line.product:
        found.append(("Operator's plan", Mono(line.product)))
    if line.started_at is not None:
        found.append(("Line began", time_of(line.started_at, now)))
    if line.ended_at is not None:
        what = "Line ended" if line.ended_at <= now else "Line ends"
        found.append((what, time_of(line.ended_at, now)))
    told = several([choice_label(line.source), time_of(line.since, now)])
    return [*found, ("Line known from", told)]


def _standing(line: ServiceLine, now: int) -> Badge:
    off = line.off(now)
    if off is not None:
        return Badge(_OFF[off], "bad")
    if line.standing is LineStanding.ACTIVE:
        return Badge("Active", "good")
    return Badge("Nobody said whether it is served")
