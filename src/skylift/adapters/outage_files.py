"""Recordings of connectivity: CSV or Parquet, with time zone, columns and scale as declared."""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import numpy as np

from skylift.adapters.outage_rows import read_rows
from skylift.base.errors import Refused
from skylift.base.texts import printable
from skylift.base.units import US_PER_S
from skylift.watch.recording import Declared, Rejected
from skylift.watch.samples import Floats, Grid, gridded, step_of

_AGGREGATES: Mapping[str, Callable[[Floats], Any]] = {"mean": np.mean, "median": np.median, "least": np.min}
_MONTHS = ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")
_DAY_MONTH = re.compile(r"(\d{1,2})-([A-Za-z]{3})-(\d{4})(?:[T ](\d{1,2}):(\d\d)(?::(\d\d))?)?", re.ASCII)
_UNITS_US = {"s": US_PER_S, "ms": 1_000, "us": 1}
# Earlier or later is a wrong unit: nobody measured the internet before 1990.
_FIRST_US = int(datetime(1990, 1, 1, tzinfo=UTC).timestamp()) * US_PER_S
_LAST_US = int(datetime(2100, 1, 1, tzinfo=UTC).timestamp()) * US_PER_S


@dataclass(frozen=True, slots=True)
class Recording:
    """What could be read of a file.

    entities  name of each series, in the order in which they first appear
    samples   what is in the grid: instant, series, value, targets and row of the file, (N,) each
    rejected  rows left out; everything else is in the grid
    warnings  what looks odd, in words
    """

    grid: Grid
    entities: tuple[str, ...]
    rejected: tuple[Rejected, ...]
    warnings: tuple[str, ...]
    samples: tuple[Any, ...] = ()


class _Bad(ValueError):
    """One row that cannot be used, and why."""


def read_recording(path: Path, declared: Declared, step_us: int | None = None) -> Recording:
    """Read a file as it was declared; rows that cannot be used are listed with their reason.

    step_us  width of a bin; None: the commonest distance between samples
    Raises Refused where columns are missing, the zone is unknown, or nothing can be used.
    """
    zone = zone_of(declared.time_zone)
    if declared.scale_max <= 0 or not math.isfinite(declared.scale_max):
        raise Refused(
            "outages.scale", f"--scale-max {declared.scale_max:g}", "it is above zero", "give 1, 10 or 100"
        )
    if declared.time_unit not in _UNITS_US:
        raise Refused(
            "outages.unit", f"--time-unit {declared.time_unit!r}", "s, ms or us", "take one of them"
        )
    if declared.aggregate and declared.aggregate not in _AGGREGATES:
        raise Refused(
            "outages.aggregate",
            f"--aggregate {declared.aggregate[:20]!r}",
            f"it is {', '.join(_AGGREGATES)}",
            "take one of them",
        )
    rows = _Rows(declared, zone)
    wanted = [declared.time_column, declared.value_column, *_entity_columns(declared)]
    wanted += [declared.targets_column] if declared.targets_column else []
    for number, row in read_rows(path, wanted):
        if isinstance(row, str):
            rows.leave(number, row)
        else:
            rows.take(number, row)
    return rows.recording(path.name, step_us)


class _Rows:
    """Collects rows into columns; what is wrong with one goes into a list."""

    def __init__(self, declared: Declared, zone: ZoneInfo) -> None:
        self._declared = declared
        self._zone = zone
        self._entities: dict[str, int] = {}
        self._seen: dict[tuple[int, int], tuple[int, float]] = {}
        self._samples: list[tuple[int, int, float, float, int]] = []
        self._rejected: list[Rejected] = []
        self._above_scale = 0
        self._repeated = self._contradicting = 0

    def leave(self, number: int, reason: str) -> None:
        self._rejected.append(Rejected(number, reason))

    def take(self, number: int, row: Mapping[str, Any]) -> None:
        try:
            self._take(number, row)
        except _Bad as bad:
            self.leave(number, str(bad))

    def _take(self, number: int, row: Mapping[str, Any]) -> None:
        declared = self._declared
        at_us = instant_us(row[declared.time_column], self._zone, declared.time_unit)
        value = self._value(row[declared.value_column])
        asked = _count(row[declared.targets_column]) if declared.targets_column else math.nan
        names = [printable(str(row[column] or "")) for column in declared.entity_columns]
        if not all(names):
            raise _Bad("the entity is empty")
        series = self._entities.setdefault("/".join(names), len(self._entities))
        before = self._seen.get((series, at_us))
        if before is not None:
            same = before[1] == value
            self._repeated += same
            self._contradicting += not same
            raise _Bad(f"{'repeats' if same else 'contradicts'} row {before[0]}")
        self._seen[series, at_us] = (number, value)
        self._samples.append((at_us, series, value, asked, number))

    def _value(self, cell: Any) -> float:
        value = _number(cell, "the value")
        if value < 0:
            raise _Bad(f"the value {value:g} is negative")
        if value > self._declared.scale_max:
            self._above_scale += 1
            raise _Bad(f"the value {value:g} is above the scale's {self._declared.scale_max:g}")
        return value

    def recording(self, name: str, step_us: int | None) -> Recording:
        self._check(name)
        at_us, series, values, asked, numbers = (
            np.asarray(column) for column in zip(*self._samples, strict=True)
        )
        # One sample of each series says nothing of their distance; a step that is declared does.
        lonely = step_us is not None and np.unique(series).size == at_us.size
        found_us = step_us if step_us is not None and lonely else step_of(at_us, series)
        step = step_us or found_us
        self._check_step(name, step, found_us)
        if step > found_us:
            keep = self._aggregated(at_us // step, series, values, asked, numbers)
        else:
            keep = self._one_a_bin(at_us // step, series, numbers)
        targets = asked[keep] if self._declared.targets_column else None
        grid = gridded(at_us[keep], series[keep], values[keep], step, targets)
        rejected = tuple(sorted(self._rejected, key=lambda one: one.row))
        samples = tuple(column[keep] for column in (at_us, series, values, asked, numbers))
        return Recording(grid, tuple(self._entities), rejected, tuple(self._warnings(values)), samples)

    def _check(self, name: str) -> None:
        """Refuse a file of which so little can be used that what was declared must be wrong."""
        if self._above_scale * 2 > len(self._samples) + self._above_scale:
            raise Refused(
                "outages.scale",
                name,
                f"{self._above_scale} values are above {self._declared.scale_max:g}, more than half",
                "check --scale-max: recordings use 1, 10 or 100",
            )
        doubled = self._repeated + self._contradicting
        # The same rows again are harmless, however many: other values of the same instant are not.
        if doubled > len(self._samples) and self._contradicting * 10 > doubled:
            raise Refused(
                "outages.entities",
                f"{name}: {', '.join(self._declared.entity_columns)}",
                f"{doubled} of {doubled + len(self._samples)} rows are of a series and a time that another "
                f"row has, and {self._contradicting} of them contradict it: these columns name no series",
                "name more columns with --entity-columns, with commas between",
            )
        if not self._samples:
            first = self._rejected[0] if self._rejected else None
            why = f"row {first.row}: {first.reason}" if first else "it has no rows"
            raise Refused(
                "outages.nothing", name, f"not one row can be used ({why})", "check the declaration"
            )

    def _check_step(self, name: str, step_us: int, found_us: int) -> None:
        if step_us < found_us:
            raise Refused(
                "outages.step",
                name,
                f"its samples come every {found_us // US_PER_S} s, coarser than the step asked for",
                "ask for that step or a coarser one, or leave --step-s out",
            )
        if step_us > found_us and not self._declared.aggregate:
            raise Refused(
                "outages.step",
                name,
                f"its samples come every {found_us // US_PER_S} s, finer than the step asked for",
                "leave --step-s out, or say by --aggregate mean, median or least what a bin is made of",
            )
        if step_us % found_us:
            raise Refused(
                "outages.step",
                name,
                f"{step_us // US_PER_S} s is no whole number of its samples' {found_us // US_PER_S} s",
                "ask for a step that does, or leave --step-s out",
            )

    def _aggregated(self, cells: Any, series: Any, values: Any, asked: Any, numbers: Any) -> Any:
        """Put into the first sample of each bin of a series what all of them come to; their places.

        Of a bin's counts of targets the least is kept: nothing must look surer than it is.
        """
        how = _AGGREGATES[self._declared.aggregate]
        order = np.lexsort((numbers, cells, series))
        edges = np.flatnonzero((np.diff(cells[order]) != 0) | (np.diff(series[order]) != 0)) + 1
        for bin in np.split(order, edges):
            values[bin[0]], asked[bin[0]] = how(values[bin]), np.min(asked[bin])
        return np.sort(order[np.concatenate(([0], edges))])

    def _one_a_bin(self, cells: Any, series: Any, numbers: Any) -> Any:
        """The first sample of each bin of a series; the others are listed."""
        pairs = np.stack((series, cells))
        _, first = np.unique(pairs, axis=1, return_index=True)
        extra = np.setdiff1d(np.arange(cells.size), first)
        for index in extra:
            self.leave(int(numbers[index]), "a second sample in one bin")
        return np.sort(first)

    def _warnings(self, values: Floats) -> Iterator[str]:
        top, scale = float(values.max()), self._declared.scale_max
        if 0 < top <= scale / 5:
            yield f"no value is above {top:g} of {scale:g}: is --scale-max right?"
        left, all_rows = len(self._rejected), len(self._rejected) + len(self._samples)
        if left * 2 > all_rows:
            yield f"{left} of {all_rows} rows were left out"


def _entity_columns(declared: Declared) -> tuple[str, ...]:
    columns = declared.entity_columns
    if not columns or not all(columns) or len(set(columns)) < len(columns):
        raise Refused(
            "outages.columns",
            f"--entity-columns {','.join(columns)!r}",
            "columns that together name a series, each once",
            "name one or more",
        )
    return columns


def instant_us(cell: Any, zone: ZoneInfo, unit: str) -> int:
    """UTC microseconds of a stamp: an epoch (of local time where the zone is not UTC), or ISO 8601.

    Raises ValueError with a reason: unreadable, out of all years, or a local time that exists twice or never.
    """
    if isinstance(cell, datetime):
        return _checked(_from_local(cell, zone) if cell.tzinfo is None else cell)
    text = str(cell if cell is not None else "").strip()
    if not text:
        raise _Bad("the time is empty")
    try:
        epoch = float(text)
    except ValueError:
        return _checked(_written(text, zone))
    epoch_us = epoch * _UNITS_US[unit]
    if not _FIRST_US <= epoch_us < _LAST_US:
        raise _Bad("the time is before 1990 or after 2100; is --time-unit right?")
    shown = datetime.fromtimestamp(epoch_us / US_PER_S, UTC)
    return _checked(_from_local(shown.replace(tzinfo=None), zone))


def _written(text: str, zone: ZoneInfo) -> datetime:
    try:
        moment = _with_month(text) or datetime.fromisoformat(text)
    except ValueError:
        raise _Bad("the time is neither an epoch nor ISO 8601, nor like 20-Jul-2019 00:00:00") from None
    return moment if moment.tzinfo is not None else _from_local(moment, zone)


def _with_month(text: str) -> datetime | None:
    """Of 20-Jul-2019 00:00:00; None for another form. Raises ValueError for a day that does not exist."""
    found = _DAY_MONTH.fullmatch(text)
    if found is None or found[2].lower() not in _MONTHS:
        return None
    hour, minute, second = (int(part or 0) for part in found.groups()[3:])
    return datetime(int(found[3]), _MONTHS.index(found[2].lower()) + 1, int(found[1]), hour, minute, second)


def _from_local(local: datetime, zone: ZoneInfo) -> datetime:
    earlier = local.replace(tzinfo=zone, fold=0)
    if earlier.astimezone(UTC).astimezone(zone).replace(tzinfo=None) != local:
        raise _Bad("this local time does not exist: the clock was put forward")
    if earlier.utcoffset() != local.replace(tzinfo=zone, fold=1).utcoffset():
        raise _Bad("this local time exists twice: the clock was put back")
    return earlier


def _checked(moment: datetime) -> int:
    at_us = round(moment.timestamp() * US_PER_S)
    if not _FIRST_US <= at_us < _LAST_US:
        raise _Bad("the time is before 1990 or after 2100")
    return at_us


def _number(cell: Any, what: str) -> float:
    text = str(cell if cell is not None else "").strip()
    if not text:
        raise _Bad(f"{what} is empty")
    try:
        number = float(text)
    except ValueError:
        raise _Bad(f"{what} is no number") from None
    if not math.isfinite(number):
        raise _Bad(f"{what} is not finite")
    return number


def _count(cell: Any) -> float:
    number = _number(cell, "the number of targets")
    if number < 0 or number != math.floor(number):
        raise _Bad("the number of targets is no count")
    return number


def zone_of(name: str) -> ZoneInfo:
    try:
        return ZoneInfo(name)
    except (KeyError, ValueError, OSError):
        raise Refused(
            "outages.zone",
            f"time zone {name[:40]!r}",
            "it is no name of the IANA database",
            "write UTC or a name such as America/Caracas",
        ) from None
