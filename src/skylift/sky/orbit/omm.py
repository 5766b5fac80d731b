"""Orbit Mean-Elements Messages: from keywords to a catalogue, whatever syntax they were written in.

Standard: CCSDS 502.0-B-3, section 4; keywords as CelesTrak (https://celestrak.org/NORAD/documentation/gp-data-formats.php)
and Space-Track publish them: numbers may be texts, and missing ones null.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from skylift.base.units import RAD_PER_DEG, S_PER_DAY, US_PER_DAY, US_PER_S
from skylift.sky.orbit.catalogue import Catalogue, Floats
from skylift.sky.orbit.records import (
    CONTROL,
    MAX_MEAN_MOTION_REV_PER_DAY,
    MAX_NORAD,
    CatalogueFile,
    Problem,
    finish,
    first_problems,
)

Integers = npt.NDArray[np.int64]
Bools = npt.NDArray[np.bool_]
INT32_MAX = 2**31 - 1

REQUIRED_NUMBERS = (
    "MEAN_MOTION",
    "ECCENTRICITY",
    "INCLINATION",
    "RA_OF_ASC_NODE",
    "ARG_OF_PERICENTER",
    "MEAN_ANOMALY",
    "BSTAR",
)
OPTIONAL_NUMBERS = ("MEAN_MOTION_DOT", "MEAN_MOTION_DDOT", "ELEMENT_SET_NO", "REV_AT_EPOCH", "EPHEMERIS_TYPE")
# Elements of another theory, frame or time scale look alike and mean something else.
EXPECTED_TEXTS: Mapping[str, tuple[str, ...]] = {
    "MEAN_ELEMENT_THEORY": ("SGP4", "SGP/SGP4", "SGP"),
    "REF_FRAME": ("TEME",),
    "TIME_SYSTEM": ("UTC",),
    "CENTER_NAME": ("EARTH",),
}
_EPOCH = re.compile(r"(\d{4})-(?:(\d\d)-(\d\d)|(\d{3}))T(\d\d):(\d\d):(\d\d)(?:\.(\d*))?Z?", re.ASCII)
SPUTNIK_YEAR = 1957


@dataclass(frozen=True, slots=True)
class OmmRecord:
    """The keywords of one message. `line` is where it begins, `lines` where a keyword stands, if known."""

    line: int
    fields: Mapping[str, object]
    lines: Mapping[str, int] = field(default_factory=dict)

    def called(self) -> str:
        name = self.fields.get("NORAD_CAT_ID") or self.fields.get("OBJECT_NAME") or ""
        return CONTROL.sub(" ", str(name)).strip()[:24]


def catalogue_of(
    records: Sequence[OmmRecord], problems: Sequence[Problem], source: str, lenient: bool, file_format: str
) -> CatalogueFile:
    """Checks and converts messages. `problems` are those that the syntax already had."""
    columns = {key: _numbers(records, key, np.nan) for key in REQUIRED_NUMBERS}
    columns |= {key: _numbers(records, key, 0.0) for key in OPTIONAL_NUMBERS}
    norad, bad_norad = _norad(records)
    epoch_us, bad_epoch = _epochs(records)
    found = first_problems(_checks(records, columns, bad_norad, bad_epoch), len(records))
    good = [index for index in range(len(records)) if index not in found]
    kept = np.array(good, dtype=np.intp)
    columns = {key: values[kept] for key, values in columns.items()}
    chosen = [records[index].fields for index in good]
    catalogue = Catalogue(
        norad=norad[kept].astype(np.int32),
        name=tuple(_text(fields, "OBJECT_NAME") for fields in chosen),
        shell=np.full(len(kept), -1, dtype=np.int32),
        epoch_us=epoch_us[kept],
        inclination_rad=columns["INCLINATION"] * RAD_PER_DEG,
        raan_rad=columns["RA_OF_ASC_NODE"] * RAD_PER_DEG,
        eccentricity=columns["ECCENTRICITY"],
        arg_perigee_rad=columns["ARG_OF_PERICENTER"] * RAD_PER_DEG,
        mean_anomaly_rad=columns["MEAN_ANOMALY"] * RAD_PER_DEG,
        mean_motion_rad_per_s=columns["MEAN_MOTION"] * (2.0 * np.pi / S_PER_DAY),
        bstar_per_earth_radius=columns["BSTAR"],
        ndot_rev_per_day2=columns["MEAN_MOTION_DOT"],
        nddot_rev_per_day3=columns["MEAN_MOTION_DDOT"],
        cospar=tuple(_text(fields, "OBJECT_ID") for fields in chosen),
        classification=tuple(_text(fields, "CLASSIFICATION_TYPE")[:1] or "U" for fields in chosen),
        element_set=columns["ELEMENT_SET_NO"].astype(np.int32),
        revolution=columns["REV_AT_EPOCH"].astype(np.int32),
    )
    return finish(catalogue, [*problems, *found.values()], source, lenient, file_format)


def _text(fields: Mapping[str, object], key: str) -> str:
    value = fields.get(key)
    return "" if value is None else CONTROL.sub(" ", str(value)).strip()


def _numbers(records: Sequence[OmmRecord], key: str, default: float) -> Floats:
    """One keyword's values; nan for what is no number, `default` for what is missing, null or blank."""
    return np.array([_number(record.fields.get(key), default) for record in records], dtype=np.float64)


def _number(value: object, default: float) -> float:
    if value is None or value == "":
        return default
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        return float("nan")
    try:
        return float(value)
    except (ValueError, OverflowError):
        return float("nan")


def _norad(records: Sequence[OmmRecord]) -> tuple[Integers, Bools]:
    values = np.zeros(len(records), dtype=np.int64)
    for index, record in enumerate(records):
        value = record.fields.get("NORAD_CAT_ID")
        text = str(value).strip() if isinstance(value, int | str) and not isinstance(value, bool) else ""
        if text.isascii() and text.isdigit() and len(text) <= 9:
            values[index] = int(text)
    return values, (values < 1) | (values > MAX_NORAD)


def _epochs(records: Sequence[OmmRecord]) -> tuple[Integers, Bools]:
    values = np.zeros(len(records), dtype=np.int64)
    bad = np.zeros(len(records), dtype=np.bool_)
    for index, record in enumerate(records):
        epoch = _epoch_us(str(record.fields.get("EPOCH", "")).strip())
        if epoch is None:
            bad[index] = True
        else:
            values[index] = epoch
    return values, bad


def _epoch_us(text: str) -> int | None:
    """A CCSDS epoch, calendar or day of the year, as microseconds since 1970; None if it is none."""
    match = _EPOCH.fullmatch(text)
    if match is None:
        return None
    year, month, day, day_of_year, hour, minute, second, decimals = match.groups()
    if int(hour) > 23 or int(minute) > 59 or int(second) > 59 or int(year) < SPUTNIK_YEAR:
        return None
    if day_of_year is None:
        days = _days(f"{year}-{month}-{day}")
    else:
        first, beyond = _days(f"{year}-01-01"), _days(f"{int(year) + 1:04d}-01-01")
        days = None if first is None or beyond is None else first + int(day_of_year) - 1
        if days is None or first is None or beyond is None or not first <= days < beyond:
            return None
    if days is None:
        return None
    # More than six decimals are rounded half up; published epochs have six at most.
    digits = (decimals or "")[:12]
    scale: int = 10 ** len(digits)
    microseconds = (int(digits or "0") * 2 * US_PER_S + scale) // (2 * scale)
    return days * US_PER_DAY + (int(hour) * 3600 + int(minute) * 60 + int(second)) * US_PER_S + microseconds


def _days(date: str) -> int | None:
    """Days from 1970 to a date like 2026-05-30; None if there is no such day."""
    try:
        return int(np.datetime64(date, "D").astype(np.int64))
    except ValueError:
        return None


def _checks(
    records: Sequence[OmmRecord], columns: Mapping[str, Floats], bad_norad: Bools, bad_epoch: Bools
) -> Iterator[tuple[Bools, Callable[[int], Problem]]]:
    def rule(key: str, code: str, text: str) -> Callable[[int], Problem]:
        def describe(index: int) -> Problem:
            record = records[index]
            return Problem(record.lines.get(key, record.line), record.called(), code, text)

        return describe

    yield bad_norad, rule("NORAD_CAT_ID", "range", f"NORAD_CAT_ID is a whole number from 1 to {MAX_NORAD}")
    yield (
        bad_epoch,
        rule(
            "EPOCH", "unreadable", f"EPOCH is written like 2026-05-30T07:25:28.868736, from {SPUTNIK_YEAR} on"
        ),
    )
    for key, expected in EXPECTED_TEXTS.items():
        wrong = [_text(r.fields, key).upper() not in ("", *expected) for r in records]
        yield np.array(wrong, dtype=np.bool_), rule(key, "theory", f"{key} is {' or '.join(expected)}")
    yield (
        columns["EPHEMERIS_TYPE"] == 4,
        rule("EPHEMERIS_TYPE", "theory", "EPHEMERIS_TYPE 4 is SGP4-XP, which SGP4 cannot propagate"),
    )
    for key in (*REQUIRED_NUMBERS, *OPTIONAL_NUMBERS):
        needed = " and must be there" if key in REQUIRED_NUMBERS else ""
        yield ~np.isfinite(columns[key]), rule(key, "unreadable", f"{key} is a finite number{needed}")
    for key, low, high in (
        ("INCLINATION", 0.0, 180.0),
        ("RA_OF_ASC_NODE", -360.0, 360.0),
        ("ARG_OF_PERICENTER", -360.0, 360.0),
        ("MEAN_ANOMALY", -360.0, 360.0),
        ("ELEMENT_SET_NO", 0.0, INT32_MAX),
        ("REV_AT_EPOCH", 0.0, INT32_MAX),
    ):
        outside = (columns[key] < low) | (columns[key] > high)
        yield outside, rule(key, "range", f"{key} is {low:g} to {high:.12g}")
    for key in ("BSTAR", "MEAN_MOTION_DOT", "MEAN_MOTION_DDOT"):
        yield np.abs(columns[key]) >= 1e9, rule(key, "range", f"{key} is below 1e9 in size")
    eccentricity, motion = columns["ECCENTRICITY"], columns["MEAN_MOTION"]
    yield (
        (eccentricity < 0.0) | (eccentricity >= 1.0),
        rule("ECCENTRICITY", "range", "an eccentricity is at least 0 and below 1"),
    )
    limit = f"a mean motion is above 0 and at most {MAX_MEAN_MOTION_REV_PER_DAY:g} revolutions per day"
    yield (
        ~((motion > 0.0) & (motion <= MAX_MEAN_MOTION_REV_PER_DAY)),
        rule("MEAN_MOTION", "range", limit),
    )
