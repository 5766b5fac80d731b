"""Where the Earth really stands: UT1 - UTC and polar motion, from the tables of the IERS.

Without a table UT1 is taken to be UTC and the pole not to move. |UT1 - UTC| is kept below 0.9 s by leap
seconds (ITU-R TF.460-6), so a position is off by at most 0.9 s x 465.1 m/s = 419 m at the equator's ground,
and 455 m at 550 km above it. The pole stays within 0.6" of its origin (IERS, since 1962): 19 m on the ground.
"""

from __future__ import annotations

import csv
import io
import math
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from skylift.base.errors import Refused
from skylift.base.instants import format_instant
from skylift.base.units import US_PER_DAY

Floats = npt.NDArray[np.float64]

RAD_PER_ARCSECOND = math.pi / (180.0 * 3_600.0)
# 1970-01-01 as a modified Julian date.
UNIX_EPOCH_MJD = 40_587
CSV_COLUMNS = ("MJD", "X", "Y", "UT1-UTC")


@dataclass(frozen=True, slots=True)
class EarthOrientation:
    """A table of daily values at 0 h UTC, ascending.

    mjd                   int64 (D,)
    ut1_minus_utc_s       (D,); jumps by a second where a leap second was
    pole_x_rad, pole_y_rad  (D,)
    """

    mjd: npt.NDArray[np.int64]
    ut1_minus_utc_s: Floats
    pole_x_rad: Floats
    pole_y_rad: Floats

    def at(self, at_us: npt.NDArray[np.int64]) -> tuple[Floats, Floats, Floats]:
        """UT1 - UTC (s) and the pole's x and y (rad) at instants (T,), linear between days.

        Left out: tides within a day, which move UT1 by less than 0.1 ms (IERS Conventions 2010, 8.2), 5 cm.
        """
        days = np.asarray(at_us, dtype=np.int64) // US_PER_DAY + UNIX_EPOCH_MJD
        part = (np.asarray(at_us, dtype=np.int64) % US_PER_DAY) / US_PER_DAY
        before = np.searchsorted(self.mjd, days, side="right") - 1
        # The last day's 0 h itself is still in the table.
        last = (before == len(self.mjd) - 1) & (part == 0.0) & (days == self.mjd[-1])
        if len(days) and (before.min() < 0 or np.any((before >= len(self.mjd) - 1) & ~last)):
            raise Refused(
                "earth_orientation.outside",
                "the Earth-orientation file",
                f"it holds {self._span()}, and an instant lies outside",
                "get a newer file, or leave it out (UT1 = UTC: up to 420 m on the ground)",
            )
        before = np.minimum(before, len(self.mjd) - 2)
        share = (days - self.mjd[before] + part) / (self.mjd[before + 1] - self.mjd[before])
        step = self.ut1_minus_utc_s[before + 1] - self.ut1_minus_utc_s[before]
        # A leap second comes at the end of its day; until then UT1 - UTC goes on as it was.
        step -= np.round(step)
        return (
            self.ut1_minus_utc_s[before] + share * step,
            self._between(self.pole_x_rad, before, share),
            self._between(self.pole_y_rad, before, share),
        )

    @staticmethod
    def _between(values: Floats, before: npt.NDArray[np.intp], share: Floats) -> Floats:
        return np.asarray(values[before] + share * (values[before + 1] - values[before]))

    def _span(self) -> str:
        first, last = ((int(day) - UNIX_EPOCH_MJD) * US_PER_DAY for day in (self.mjd[0], self.mjd[-1]))
        return f"{format_instant(first)[:10]} to {format_instant(last)[:10]}"


def parse_earth_orientation(text: str, thing: str = "the Earth-orientation file") -> EarthOrientation:
    """Reads IERS finals2000A (fixed columns) or CelesTrak's EOP CSV, told apart by the CSV's heading.

    finals2000A, columns counted from 1: MJD 8-15, pole x 19-27 and y 38-46 ("), UT1 - UTC 59-68 (s); source:
    IERS, readme.finals2000A. Days without values (beyond the predictions) are left out.
    """
    rows = list(
        _csv_rows(text, thing) if text.lstrip().upper().startswith("DATE,") else _finals_rows(text, thing)
    )
    if len(rows) < 2:
        raise _unreadable(thing, "it has fewer than two days with values")
    table = np.array(rows)
    mjd = table[:, 0].astype(np.int64)
    if np.any(np.diff(mjd) <= 0):
        raise _unreadable(thing, "its days do not ascend")
    return EarthOrientation(
        mjd, table[:, 1], table[:, 2] * RAD_PER_ARCSECOND, table[:, 3] * RAD_PER_ARCSECOND
    )


def _finals_rows(text: str, thing: str) -> Iterator[tuple[float, float, float, float]]:
    for number, line in enumerate(text.splitlines(), start=1):
        cells = [line[7:15], line[58:68], line[18:27], line[37:46]]
        if (
            line.strip()
            and all(cell.strip() for cell in cells[:1])
            and all(cell.strip() for cell in cells[1:])
        ):
            yield _row(cells, number, thing)
        elif line.strip() and not _is_day(line[7:15]):
            raise _unreadable(thing, f"line {number} is neither of finals2000A nor of CelesTrak's CSV")


def _csv_rows(text: str, thing: str) -> Iterator[tuple[float, float, float, float]]:
    reader = csv.DictReader(io.StringIO(text.lstrip()))
    missing = [name for name in CSV_COLUMNS if name not in (reader.fieldnames or ())]
    if missing:
        raise _unreadable(thing, f"the column {missing[0]} is missing")
    for row in reader:
        cells = [row["MJD"], row["UT1-UTC"], row["X"], row["Y"]]
        if all(cells):
            yield _row(cells, reader.line_num, thing)


def _row(cells: list[str], number: int, thing: str) -> tuple[float, float, float, float]:
    try:
        mjd, ut1, x, y = (float(cell) for cell in cells)
    except ValueError:
        raise _unreadable(thing, f"line {number} holds something that is not a number") from None
    # The tables begin in 1962, MJD 37,665. UT1 - UTC was as much as 1.1 s before leap seconds.
    if not (
        math.isfinite(mjd)
        and mjd == int(mjd)
        and 37_000 < mjd < 100_000
        and abs(ut1) < 2.0
        and abs(x) < 6.0
        and abs(y) < 6.0
    ):
        raise _unreadable(thing, f"line {number} holds a value that cannot be")
    return mjd, ut1, x, y


def _is_day(cell: str) -> bool:
    return cell.strip().replace(".", "", 1).isdigit()


def _unreadable(thing: str, rule: str) -> Refused:
    return Refused(
        "earth_orientation.unreadable",
        thing,
        rule,
        "take finals2000A.all of the IERS, or EOP-All.csv of CelesTrak, as published",
    )
