"""What somebody declares about a recording, and what a baseline is called."""

from __future__ import annotations

import re
from dataclasses import dataclass

from skylift.base.errors import Refused
from skylift.base.instants import parse_instant
from skylift.base.units import US_PER_DAY
from skylift.watch.ioda import THRESHOLDS

_SEASONAL = re.compile(r"(tod|tow):(\d{1,2})([dw])", re.ASCII)


@dataclass(frozen=True, slots=True)
class SeasonalRule:
    """The median of the same time of the last `periods` days (`tod:7d`) or weeks (`tow:4w`)."""

    period_us: int
    periods: int


@dataclass(frozen=True, slots=True)
class PinnedRule:
    """The median of a window; it ends before `to_us`, and detection begins there."""

    from_us: int
    to_us: int


@dataclass(frozen=True, slots=True)
class IodaRule:
    """IODA's: the moving median of its history for a signal, and its threshold, at once."""

    signal: str


Rule = SeasonalRule | PinnedRule | IodaRule


def baseline_rule(text: str) -> Rule:
    """`tod:7d`, `tow:4w`, `pinned:FROM/TO` or `ioda:SIGNAL`. Raises Refused for anything else."""
    if text.startswith("ioda:") and text.removeprefix("ioda:") in THRESHOLDS:
        return IodaRule(text.removeprefix("ioda:"))
    seasonal = _SEASONAL.fullmatch(text)
    if seasonal is not None and (seasonal[1], seasonal[3]) in (("tod", "d"), ("tow", "w")):
        periods = int(seasonal[2])
        if periods >= 3:
            return SeasonalRule(US_PER_DAY * (7 if seasonal[1] == "tow" else 1), periods)
    if text.startswith("pinned:") and text.count("/") == 1:
        begin, end = text.removeprefix("pinned:").split("/")
        from_us = parse_instant(begin, "the baseline's first instant")
        to_us = parse_instant(end, "the baseline's end")
        if from_us < to_us:
            return PinnedRule(from_us, to_us)
    raise Refused(
        "outages.baseline",
        f"baseline {text[:60]!r}",
        "a baseline is the same time of at least 3 days or weeks, or a window that ends after it begins",
        f"write tod:7d, tow:4w, pinned:2020-08-24/2020-08-27, or ioda: and one of {', '.join(THRESHOLDS)}",
    )


@dataclass(frozen=True, slots=True)
class Declared:
    """Columns, zone and scale as the user says they are; nothing of it is guessed.

    time_zone       IANA name; stamps without an offset, and epochs, are local time there
    time_unit       of epochs: s, ms or us
    scale_max       the value that means "all of it"; what lies outside 0 to it is rejected
    targets_column  how many were asked for each value; "" where the recording does not say
    aggregate       what a bin of several samples is made of: mean, median or least; "": a bin has one sample
    """

    time_column: str
    time_zone: str
    value_column: str
    entity_columns: tuple[str, ...]
    scale_max: float
    time_unit: str = "s"
    targets_column: str = ""
    aggregate: str = ""


@dataclass(frozen=True, slots=True)
class Rejected:
    """A row of the file, counted as an editor counts its lines, and why it was left out."""

    row: int
    reason: str
