"""Things that are on the air or not, as a source of the outage monitor: mobile sites, and our own terminals.

Of each entity the share that is up is told, and of how many; never which. Own terminals only in crowds.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from skylift.adapters.outage_files import instant_us, zone_of
from skylift.adapters.outage_rows import read_rows
from skylift.base.errors import Refused
from skylift.base.texts import printable
from skylift.ports.probes import Gathered, Left, Measured, Sample, Signal, Status, Statuses
from skylift.service.outage.state import LEAST_TERMINALS

_MOST_LEFT = 10_000


@dataclass(frozen=True)
class StatusFile:
    """CSV or Parquet, one status a row; columns, zone and words as declared, never guessed.

    up, down  the words that the file has for it; any other is left out with its row
    """

    path: Path
    time_column: str
    time_zone: str
    thing_column: str
    status_column: str
    entity_columns: tuple[str, ...]
    up: frozenset[str]
    down: frozenset[str]
    kind: str = "region"
    country: str = ""
    time_unit: str = "s"

    def read(self, since_us: int, until_us: int) -> tuple[list[Status], list[Left]]:
        zone = zone_of(self.time_zone)
        wanted = [self.time_column, self.thing_column, self.status_column, *self.entity_columns]
        found: list[Status] = []
        left: list[Left] = []
        for number, row in read_rows(self.path, wanted):
            try:
                if isinstance(row, str):
                    raise ValueError(row)
                at_us = instant_us(row[self.time_column], zone, self.time_unit)
                names = [printable(str(row[column] or "")) for column in self.entity_columns]
                thing = str(row[self.thing_column] or "").strip()
                if not thing or not all(names):
                    raise ValueError("it does not say what it is of")
                word = str(row[self.status_column] or "").strip().lower()
                if word not in self.up | self.down:
                    raise ValueError("its status is none of the declared words")
            except ValueError as bad:
                if len(left) < _MOST_LEFT:
                    left.append(Left(number, str(bad)))
                continue
            if since_us <= at_us < until_us:
                of = Measured(self.kind, "/".join(names), self.country)
                found.append(Status(at_us, thing, of, word in self.up, number))
        return found, left


@dataclass(frozen=True)
class StatusProbes:
    """The share of each entity's things that are up, bin by bin; the last status in a bin counts.

    least      an entity of fewer things in a bin is not told of
    hold_bins  a thing that says nothing counts as it last was for so many bins more
    """

    signal: Signal
    statuses: Statuses
    least: int = 1
    hold_bins: int = 0

    def gather(self, since_us: int, until_us: int) -> Gathered:
        step_us = self.signal.step_us
        found, left = self.statuses.read(max(0, since_us - self.hold_bins * step_us), until_us)
        if not found:
            return Gathered([], since_us, left)
        last: dict[tuple[int, Measured], dict[str, bool]] = {}
        for one in sorted(found, key=lambda one: (one.at_us, one.row)):
            for ahead in range(self.hold_bins, -1, -1):
                there = last.setdefault((one.at_us // step_us + ahead, one.of), {})
                there[one.thing] = one.up
        newest = max(one.at_us for one in found) // step_us
        samples = [
            Sample(bin * step_us, of, sum(things.values()) / len(things), float(len(things)))
            for (bin, of), things in sorted(last.items(), key=lambda item: item[0][0])
            if bin <= newest and bin * step_us >= since_us and len(things) >= self.least
        ]
        return Gathered(samples, (newest + 1) * step_us, left)


def terminals(signal: Signal, statuses: Statuses, least: int = LEAST_TERMINALS) -> StatusProbes:
    """Our own terminals as sensors. Raises Refused where a crowd would be smaller than the rule has it."""
    if least < LEAST_TERMINALS:
        raise Refused(
            "outages.crowd",
            "own terminals",
            f"they are told of in crowds of {LEAST_TERMINALS} or more",
            "leave `least` out, or raise it",
        )
    return StatusProbes(signal, statuses, least)


def words(given: Sequence[str]) -> frozenset[str]:
    return frozenset(word.strip().lower() for word in given)
