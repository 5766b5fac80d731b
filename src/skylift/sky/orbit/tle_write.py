"""Writes a catalogue as two-line element sets, with a line for the name where there is one."""

from __future__ import annotations

import re

import numpy as np

from skylift.base.errors import Refused
from skylift.base.units import DEG_PER_RAD, S_PER_DAY
from skylift.sky.orbit.catalogue import Catalogue
from skylift.sky.orbit.tle import ALPHA5, PIVOT_YEAR

MAX_ALPHA5 = 339_999
# 1e-8 day, the last place of an epoch, is exactly this many microseconds.
EPOCH_UNIT_US = 864
UNITS_PER_DAY = 100_000_000
_COSPAR = re.compile(r"(\d{4})-(\d{3})([A-Z]{1,3})")


def write_tle(catalogue: Catalogue) -> str:
    """All objects as TLE text, ending in a line feed.

    Rounded to the format's places: epochs to 864 us, angles to 1e-4 degree. Numbers of revolutions and of
    element sets keep their last five and four digits, as in the published sets; an ndot of 1 or more is
    written as .99999999, as Space-Track did, and does not matter to SGP4.
    Raises Refused for a number above 339,999, or an epoch outside 1957-2056: OMM holds both.
    """
    return "".join(_record(catalogue, index) for index in range(len(catalogue)))


def _record(c: Catalogue, i: int) -> str:
    number = alpha5(int(c.norad[i]))
    line_1 = (
        f"1 {number}{_letter(c.classification[i])} {cospar_to_tle(c.cospar[i]):<8} "
        f"{_epoch(int(c.epoch_us[i]), number)} "
        f"{_ndot(float(c.ndot_rev_per_day2[i]))} {_exponential(float(c.nddot_rev_per_day3[i]))} "
        f"{_exponential(float(c.bstar_per_earth_radius[i]))} 0 {int(c.element_set[i]) % 10_000:4d}"
    )
    eccentricity = min(round(float(c.eccentricity[i]) * 1e7), 9_999_999)
    motion = float(c.mean_motion_rad_per_s[i]) * S_PER_DAY / (2.0 * np.pi)
    line_2 = (
        f"2 {number} {float(c.inclination_rad[i]) * DEG_PER_RAD:8.4f} {_angle(float(c.raan_rad[i]))} "
        f"{eccentricity:07d} {_angle(float(c.arg_perigee_rad[i]))} {_angle(float(c.mean_anomaly_rad[i]))} "
        f"{motion:11.8f}{int(c.revolution[i]) % 100_000:5d}"
    )
    return f"{_name_line(c.name[i])}{line_1}{checksum(line_1)}\n{line_2}{checksum(line_2)}\n"


def alpha5(norad: int) -> str:
    """A catalogue number in five places: 5 -> "00005", 100,000 -> "A0000". Raises Refused above 339,999."""
    if norad <= 99_999:
        return f"{norad:05d}"
    if norad > MAX_ALPHA5:
        raise Refused(
            "catalogue.tle-number",
            f"object {norad}",
            f"a TLE holds catalogue numbers up to {MAX_ALPHA5} (Alpha-5)",
            "write an OMM instead: --format omm-json",
        )
    return f"{ALPHA5[norad // 10_000 - 10]}{norad % 10_000:04d}"


def checksum(line: str) -> int:
    """The last digit of the sum of all digits, a minus counting 1."""
    return sum(int(letter) if letter.isdigit() else letter == "-" for letter in line) % 10


def cospar_to_tle(cospar: str) -> str:
    """ "2019-074A" -> "19074A"; other texts stay if they fit into eight places, and are left out if not."""
    match = _COSPAR.fullmatch(cospar)
    if match is not None and 1900 + PIVOT_YEAR <= int(match.group(1)) < 2000 + PIVOT_YEAR:
        return f"{match.group(1)[2:]}{match.group(2)}{match.group(3)}"
    fits = len(cospar) <= 8 and cospar.isascii() and cospar.isprintable() and match is None
    return cospar if fits else ""


def _name_line(name: str) -> str:
    if not name:
        return ""
    # A name that looks like a comment or an element line is told apart by Space-Track's leading 0.
    guard = "0 " if name[0] == "#" or name[:2] in ("0 ", "1 ", "2 ") else ""
    return f"{guard}{name}\n"


def _letter(classification: str) -> str:
    return classification if len(classification) == 1 and "A" <= classification <= "Z" else "U"


def _epoch(epoch_us: int, number: str) -> str:
    day, fraction = divmod((epoch_us + EPOCH_UNIT_US // 2) // EPOCH_UNIT_US, UNITS_PER_DAY)
    year = int(np.datetime64(day, "D").astype("datetime64[Y]").astype(np.int64)) + 1970
    if not 1900 + PIVOT_YEAR <= year < 2000 + PIVOT_YEAR:
        raise Refused(
            "catalogue.tle-epoch",
            f"object {number}",
            "a TLE's two digits of the year mean 1957 to 2056",
            "write an OMM instead: --format omm-json",
        )
    first = int(np.datetime64(f"{year}-01-01", "D").astype(np.int64))
    return f"{year % 100:02d}{day - first + 1:03d}.{fraction:08d}"


def _angle(angle_rad: float) -> str:
    return f"{round(angle_rad * DEG_PER_RAD % 360.0, 4) % 360.0:8.4f}"


def _ndot(value: float) -> str:
    size = min(round(abs(value) * 1e8), 99_999_999)
    return f"{'-' if value < 0 else ' '}.{size:08d}"


def _exponential(value: float) -> str:
    """0.00011993 -> " 11993-3": five digits behind the point and a power of ten."""
    sign = "-" if value < 0 else " "
    if value == 0:
        return " 00000+0"
    mantissa, power = f"{abs(value):.4e}".split("e")
    exponent = int(power) + 1
    digits = mantissa.replace(".", "")
    if exponent < -9:
        digits = f"{round(abs(value) * 1e14):05d}"
        exponent = -9
    if exponent > 9:
        digits, exponent = "99999", 9
    return f"{sign}{digits}{'-' if exponent < 0 else '+'}{abs(exponent)}"
