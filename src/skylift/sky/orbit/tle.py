"""Reads two-line element sets: 2 or 3 lines an object, Alpha-5 numbers, CRLF, comments.

All sets of a file are read together, as one matrix of bytes: 10,000 objects take about a tenth of a second.
Every number is an integer divided by a power of ten, so it is the double nearest to the printed decimal.

Format: https://celestrak.org/NORAD/documentation/tle-fmt.php; Alpha-5: https://www.space-track.org/documentation#tle-alpha5
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from skylift.base.units import RAD_PER_DEG, S_PER_DAY, US_PER_DAY
from skylift.sky.orbit.catalogue import Catalogue, Floats
from skylift.sky.orbit.records import (
    CONTROL,
    MAX_MEAN_MOTION_REV_PER_DAY,
    CatalogueFile,
    Problem,
    finish,
    first_problems,
)

LINE_LENGTH = 69
Bytes = npt.NDArray[np.uint8]
Integers = npt.NDArray[np.int64]
Bools = npt.NDArray[np.bool_]
# A column that cannot be read, and where: (bad (N,), line 1 or 2, text)
Fault = tuple[Bools, int, str]

# Alpha-5: the letters A to Z without I and O stand for 10 to 33 in the first place.
ALPHA5 = "ABCDEFGHJKLMNPQRSTUVWXYZ"
_ALPHA5_VALUE = np.full(256, -1, dtype=np.int64)
for _place, _letter in enumerate(ALPHA5):
    _ALPHA5_VALUE[ord(_letter)] = 10 + _place

_ELEMENT_LINE = re.compile(r"[12] [ 0-9A-Z][ 0-9]{3}[0-9][ A-Z]")
_LAUNCH = re.compile(r"(\d\d)(\d{3})([A-Z]{1,3})")
_BLANKS = {1: (2, 9, 18, 33, 44, 53, 62, 64), 2: (2, 8, 17, 26, 34, 43, 52)}
# The years of two digits: 57 is 1957, Sputnik's; 56 is 2056.
PIVOT_YEAR = 57


@dataclass(slots=True)
class _Pairs:
    """The lines of a file, paired; `feed` takes them one by one, `end` says that there are no more."""

    name: list[str] = field(default_factory=list)
    number_1: list[int] = field(default_factory=list)
    number_2: list[int] = field(default_factory=list)
    line_1: list[str] = field(default_factory=list)
    line_2: list[str] = field(default_factory=list)
    problems: list[Problem] = field(default_factory=list)
    # What waits for its second half: a name for its elements, a line 1 for its line 2.
    waiting_name: tuple[int, str] | None = None
    waiting_line: tuple[int, str] | None = None

    def feed(self, number: int, line: str) -> None:
        is_element = line[0] in "12" and _ELEMENT_LINE.match(line) is not None
        # Behind a line 1, even a stump of a line 2 is one, and no name.
        is_element = is_element or (self.waiting_line is not None and line.startswith("2 "))
        if not is_element:
            self.end()
            self.waiting_name = (number, _name(line))
        elif line[0] == "1":
            self._drop_line()
            self.waiting_line = (number, line)
        else:
            self._close(number, line)

    def end(self) -> None:
        if self.waiting_line is not None:
            self._drop_line()
        elif self.waiting_name is not None:
            number, name = self.waiting_name
            rule = "a name is followed by two lines of elements, and here they are missing"
            self.problems.append(Problem(number, name[:24], "no-elements", rule))
        self.waiting_name = None

    def _drop_line(self) -> None:
        if self.waiting_line is not None:
            number, line = self.waiting_line
            rule = "a line 1 is followed by its line 2, and here it is missing (is the file cut?)"
            self.problems.append(Problem(number, line[2:7].strip(), "unpaired", rule))
            self.waiting_line = self.waiting_name = None

    def _close(self, number: int, line: str) -> None:
        if self.waiting_line is None:
            rule = "a line 2 follows its line 1, and this one has none"
            self.problems.append(Problem(number, line[2:7].strip(), "unpaired", rule))
        else:
            number_1, line_1 = self.waiting_line
            misfit = _misfit(number_1, line_1) or _misfit(number, line)
            if misfit is not None:
                self.problems.append(misfit)
            else:
                self.name.append("" if self.waiting_name is None else self.waiting_name[1])
                self.number_1.append(number_1)
                self.line_1.append(line_1[:LINE_LENGTH])
                self.number_2.append(number)
                self.line_2.append(line[:LINE_LENGTH])
        self.waiting_name = self.waiting_line = None


def read_tle(text: str, source: str = "catalogue", lenient: bool = False) -> CatalogueFile:
    """All element sets of a TLE file's text. `source` names the file in errors.

    Raises Refused at the first bad record; when lenient, leaves bad records out and lists them.
    """
    pairs = _pair(text)
    block_1, block_2 = _block(pairs.line_1), _block(pairs.line_2)
    catalogue, faults = _fields(block_1, block_2, pairs.name)
    checks = _checks(catalogue, faults, pairs, block_1, block_2)
    problems = first_problems(checks, len(catalogue))
    good = np.setdiff1d(np.arange(len(catalogue)), np.fromiter(problems, dtype=np.intp, count=len(problems)))
    if problems:
        catalogue = catalogue.take(good)
    return finish(catalogue, [*pairs.problems, *problems.values()], source, lenient, "tle")


def _pair(text: str) -> _Pairs:
    """Finds which line 1 and line 2 belong together, and the name line before them."""
    pairs = _Pairs()
    # Not splitlines: that also cuts at form feeds, and line numbers would differ from an editor's.
    for number, raw in enumerate(text.replace("\r\n", "\n").replace("\r", "\n").split("\n"), 1):
        line = raw.rstrip()
        if line and line[0] != "#":
            pairs.feed(number, line)
    pairs.end()
    return pairs


def _name(line: str) -> str:
    # Space-Track writes the name's line as "0 NAME", CelesTrak without the 0. No XML could hold a control
    # character, and a terminal would obey it.
    return CONTROL.sub(" ", line[2:] if line.startswith("0 ") else line).strip()


def _misfit(at: int, line: str) -> Problem | None:
    # Published test cases carry start, stop and step after column 69, behind a blank.
    if len(line) == LINE_LENGTH or (len(line) > LINE_LENGTH and line[LINE_LENGTH] == " "):
        return None
    rule = f"an element line has {LINE_LENGTH} characters and this one {len(line)}"
    return Problem(at, line[2:7].strip(), "length", rule)


def _block(lines: list[str]) -> Bytes:
    """The lines as bytes, uint8 (N, 69); a character outside Latin-1 becomes "?"."""
    joined = "".join(lines).encode("latin-1", "replace")
    return np.frombuffer(joined, dtype=np.uint8).reshape(len(lines), LINE_LENGTH)


def _columns(block: Bytes, first: int, last: int) -> Bytes:
    """Columns first to last, counted from 1 as in the format's description."""
    return block[:, first - 1 : last]


def _is_digit(part: Bytes) -> Bools:
    return (part >= ord("0")) & (part <= ord("9"))


def _integer(part: Bytes, blank_ok: bool = False) -> tuple[Integers, Bools]:
    """(value, bad) of digits behind leading blanks; (N, width) -> (N,), (N,)."""
    digit = _is_digit(part)
    blank = part == ord(" ")
    powers = 10 ** np.arange(part.shape[1] - 1, -1, -1, dtype=np.int64)
    values = np.where(digit, part - ord("0"), 0).astype(np.int64) @ powers
    bad = ~(digit | blank).all(axis=1) | (blank[:, 1:] & digit[:, :-1]).any(axis=1)
    if not blank_ok:
        bad |= ~digit.any(axis=1)
    return values, bad


def _signed(part: Bytes, point: int | None) -> tuple[Integers, Bools]:
    """(value, bad) of a number with an optional sign before its digits and "." in place `point` (from 0)."""
    bad = np.zeros(len(part), dtype=np.bool_)
    if point is not None:
        bad |= part[:, point] != ord(".")
        part = np.delete(part, point, axis=1)
    minus, plus = part == ord("-"), part == ord("+")
    sign = minus | plus
    digit_before = np.cumsum(_is_digit(part), axis=1) > 0
    bad |= (sign.sum(axis=1) > 1) | (sign & digit_before).any(axis=1)
    values, worse = _integer(np.where(sign, ord(" "), part).astype(np.uint8))
    return np.where(minus.any(axis=1), -values, values), bad | worse


def _decimal(block: Bytes, first: int, last: int, point: int) -> tuple[Floats, Bools]:
    values, bad = _signed(_columns(block, first, last), point - first)
    return values / 10.0 ** (last - point), bad


def _exponential(block: Bytes, first: int, last: int) -> tuple[Floats, Bools]:
    """(value, bad) of " 12345-6", which means 0.12345e-6."""
    part = _columns(block, first, last)
    mantissa, bad = _signed(part[:, :-2], None)
    exponent, worse = _signed(part[:, -2:], None)
    empty = (part == ord(" ")).all(axis=1)
    power = 5 - exponent
    scale = 10.0 ** np.abs(power)
    values = np.where(power >= 0, mantissa / scale, mantissa * scale)
    return np.where(empty, 0.0, values), (bad | worse) & ~empty


def _norad(part: Bytes) -> tuple[Integers, Bools]:
    """(value, bad) of a catalogue number of five places, the first one possibly a letter."""
    leading = _ALPHA5_VALUE[part[:, 0]]
    lettered = leading >= 0
    plain, bad = _integer(part)
    rest, bad_rest = _integer(part[:, 1:])
    bad_rest |= (part[:, 1:] == ord(" ")).any(axis=1)
    return np.where(lettered, leading * 10_000 + rest, plain), np.where(lettered, bad_rest, bad)


def _epoch_us(block: Bytes) -> tuple[Integers, list[Fault]]:
    """The epoch as whole microseconds: a unit of its last place, 1e-8 day, is exactly 864 us."""
    year, bad_year = _integer(_columns(block, 19, 20))
    day, bad_day = _integer(_columns(block, 21, 23))
    fraction, bad_fraction = _integer(_columns(block, 25, 32))
    bad_fraction = bad_fraction | (_columns(block, 25, 32) == ord(" ")).any(axis=1)
    bad_fraction = bad_fraction | (block[:, 23] != ord("."))
    full_year = np.where(year < PIVOT_YEAR, 2000 + year, 1900 + year)
    january = (full_year - 1970).astype("datetime64[Y]").astype("datetime64[D]").astype(np.int64)
    next_january = (full_year - 1969).astype("datetime64[Y]").astype("datetime64[D]").astype(np.int64)
    beyond = (day < 1) | (january + day - 1 >= next_january)
    values = (january + day - 1) * US_PER_DAY + fraction * 864
    return values, [
        (bad_year | bad_day | bad_fraction, 1, "the epoch in columns 19-32 is written like 26150.30936191"),
        (beyond, 1, "the epoch's day of the year is 1 to 365, or 366 in a leap year"),
    ]


def _fields(block_1: Bytes, block_2: Bytes, names: list[str]) -> tuple[Catalogue, list[Fault]]:
    """Every column as numbers, and which could not be read. Bad rows hold nonsense and are dropped later."""
    faults: list[Fault] = []

    def decimal(line: int, name: str, first: int, last: int, point: int) -> Floats:
        values, bad = _decimal(block_1 if line == 1 else block_2, first, last, point)
        faults.append(
            (bad, line, f"{name} in columns {first}-{last} is a decimal number, its point in column {point}")
        )
        return values

    def exponential(name: str, first: int, last: int) -> Floats:
        values, bad = _exponential(block_1, first, last)
        faults.append((bad, 1, f"{name} in columns {first}-{last} is written like 12345-6, for 0.12345e-6"))
        return values

    def integer(line: int, name: str, first: int, last: int, blank_ok: bool) -> Integers:
        values, bad = _integer(_columns(block_1 if line == 1 else block_2, first, last), blank_ok)
        faults.append((bad, line, f"{name} in columns {first}-{last} is a whole number"))
        return values

    norad, bad_norad = _norad(_columns(block_1, 3, 7))
    faults.append(
        (
            bad_norad,
            1,
            "the catalogue number in columns 3-7 is digits, or Alpha-5: a letter but I and O, and 4 digits",
        )
    )
    faults.append(
        (
            (_columns(block_1, 3, 7) != _columns(block_2, 3, 7)).any(axis=1),
            2,
            "line 2 has another catalogue number than its line 1",
        )
    )
    epoch_us, epoch_faults = _epoch_us(block_1)
    faults += epoch_faults
    eccentricity = integer(2, "the eccentricity", 27, 33, blank_ok=False) / 1e7
    count = len(names)
    ascii_1 = block_1.tobytes().decode("latin-1")
    rows = [ascii_1[at : at + LINE_LENGTH] for at in range(0, len(ascii_1), LINE_LENGTH)]
    catalogue = Catalogue(
        norad=norad.astype(np.int32),
        name=tuple(names),
        shell=np.full(count, -1, dtype=np.int32),
        epoch_us=epoch_us,
        inclination_rad=decimal(2, "the inclination", 9, 16, 12) * RAD_PER_DEG,
        raan_rad=decimal(2, "the right ascension of the node", 18, 25, 21) * RAD_PER_DEG,
        eccentricity=eccentricity,
        arg_perigee_rad=decimal(2, "the argument of perigee", 35, 42, 38) * RAD_PER_DEG,
        mean_anomaly_rad=decimal(2, "the mean anomaly", 44, 51, 47) * RAD_PER_DEG,
        mean_motion_rad_per_s=decimal(2, "the mean motion", 53, 63, 55) * (2.0 * np.pi / S_PER_DAY),
        bstar_per_earth_radius=exponential("the drag term", 54, 61),
        ndot_rev_per_day2=decimal(1, "the first derivative of the mean motion", 34, 43, 35),
        nddot_rev_per_day3=exponential("the second derivative of the mean motion", 45, 52),
        cospar=tuple(cospar_from_tle(row[9:17]) for row in rows),
        classification=tuple(row[7] if row[7] != " " else "U" for row in rows),
        element_set=integer(1, "the element set's number", 65, 68, blank_ok=True).astype(np.int32),
        revolution=integer(2, "the revolution's number", 64, 68, blank_ok=True).astype(np.int32),
    )
    return catalogue, faults


def _checks(
    catalogue: Catalogue, faults: list[Fault], pairs: _Pairs, block_1: Bytes, block_2: Bytes
) -> Iterator[tuple[Bools, Callable[[int], Problem]]]:
    """Every rule with its verdict, checksums first: where one fails, the rest is hearsay."""
    numbers = {1: pairs.number_1, 2: pairs.number_2}

    def rule(line: int, code: str, text: str) -> Callable[[int], Problem]:
        return lambda i: Problem(numbers[line][i], _called(pairs, i), code, text)

    for line, block in ((1, block_1), (2, block_2)):
        computed = _checksums(block)
        printed = block[:, LINE_LENGTH - 1]

        def wrong(
            i: int, line: int = line, computed: Integers = computed, printed: Bytes = printed
        ) -> Problem:
            text = f"its digits add up to checksum {computed[i]}, and column 69 says {chr(printed[i])!r}"
            return Problem(numbers[line][i], _called(pairs, i), "checksum", text)

        yield printed != computed + ord("0"), wrong
    for line, block in ((1, block_1), (2, block_2)):
        places = np.array(_BLANKS[line]) - 1
        shifted = (block[:, places] != ord(" ")).any(axis=1)
        yield (
            shifted,
            rule(line, "columns", f"columns {', '.join(map(str, _BLANKS[line]))} of line {line} are blank"),
        )
    for bad, line, text in faults:
        yield bad, rule(line, "unreadable", text)
    kind = block_1[:, 62]
    yield kind == ord("4"), rule(1, "theory", "ephemeris type 4 is SGP4-XP, which SGP4 cannot propagate")
    tau = 2.0 * np.pi
    inclination_deg = catalogue.inclination_rad / RAD_PER_DEG
    yield (
        (inclination_deg < 0) | (inclination_deg > 180.0),
        rule(2, "range", "an inclination is 0 to 180 degrees"),
    )
    for angle in (catalogue.raan_rad, catalogue.arg_perigee_rad, catalogue.mean_anomaly_rad):
        yield (angle < -tau) | (angle > tau), rule(2, "range", "an angle is 0 to 360 degrees")
    motion = catalogue.mean_motion_rad_per_s * (S_PER_DAY / tau)
    yield (
        ~((motion > 0) & (motion <= MAX_MEAN_MOTION_REV_PER_DAY)),
        rule(
            2,
            "range",
            f"a mean motion is above 0 and at most {MAX_MEAN_MOTION_REV_PER_DAY:g} revolutions per day",
        ),
    )


def _called(pairs: _Pairs, i: int) -> str:
    return pairs.line_1[i][2:7].strip() or pairs.name[i]


def _checksums(block: Bytes) -> Integers:
    body = block[:, : LINE_LENGTH - 1]
    value = np.where(_is_digit(body), body - ord("0"), 0) + (body == ord("-"))
    sums: Integers = value.astype(np.int64).sum(axis=1) % 10
    return sums


def cospar_from_tle(columns: str) -> str:
    """ "19074A  " -> "2019-074A"; anything else unchanged but for its blanks."""
    text = columns.strip()
    match = _LAUNCH.fullmatch(text)
    if match is None:
        return text
    year, launch, piece = match.groups()
    century = "20" if int(year) < PIVOT_YEAR else "19"
    return f"{century}{year}-{launch}{piece}"
