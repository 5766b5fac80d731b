"""Instants as whole microseconds of UTC since 1970, and the 15-second slots of the network.

UTC as POSIX counts it: leap seconds are not counted, as in the epochs of published element sets.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import NewType

from skylift.base.errors import Refused
from skylift.base.units import US_PER_DAY, US_PER_S

InstantUs = NewType("InstantUs", int)

UNIX_EPOCH_JD = 2_440_587.5
J2000_JD = 2_451_545.0
# 2000-01-01T12:00:00 UTC
J2000_US = 946_728_000 * US_PER_S

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_ISO = re.compile(
    r"(\d{4})-(\d\d)-(\d\d)(?:[T ](\d\d):(\d\d)(?::(\d\d)(?:[.,](\d{1,9}))?)?)?\s*(Z|[+-]\d\d:?\d\d)?",
    re.ASCII,
)


def parse_instant(text: str, thing: str = "time") -> InstantUs:
    """An ISO 8601 instant as microseconds; without a zone it is UTC. `thing` names the field in the error."""
    refused = Refused(
        "instant.unreadable",
        f"{thing} {text!r}" if len(text) <= 40 else thing,
        "an instant is written as ISO 8601, in UTC unless it ends in an offset",
        "write it like 2022-02-26T12:00:00Z",
    )
    match = _ISO.fullmatch(text.strip())
    if match is None:
        raise refused
    year, month, day, hour, minute, second, fraction, zone = match.groups()
    zone = {None: "+0000", "Z": "+0000"}.get(zone, zone)
    try:
        whole = datetime.strptime(
            f"{year}-{month}-{day}T{hour or '00'}:{minute or '00'}:{second or '00'}{zone}",
            "%Y-%m-%dT%H:%M:%S%z",
        ).astimezone(UTC)
    except (ValueError, OverflowError):  # an offset can carry the first or last day out of years 1 to 9999
        raise refused from None
    microseconds = round(int(fraction) * 10 ** (6 - len(fraction))) if fraction else 0
    since = whole - _EPOCH
    return InstantUs((since.days * 86_400 + since.seconds) * US_PER_S + microseconds)


def format_instant(at: int) -> str:
    """ISO 8601 in UTC, with as many decimals as are not zero; for the years 1 to 9999."""
    seconds, microseconds = divmod(int(at), US_PER_S)
    # isoformat, not strftime: some C libraries write the year 31 with two digits.
    whole = (_EPOCH + timedelta(seconds=seconds)).replace(tzinfo=None).isoformat()
    decimals = f".{microseconds:06d}".rstrip("0") if microseconds else ""
    return f"{whole}{decimals}Z"


def julian_date(at: int) -> tuple[float, float]:
    """The Julian date as (day, fraction), the day ending in .5, so that no digit is lost."""
    days, rest = divmod(int(at), US_PER_DAY)
    return UNIX_EPOCH_JD + days, rest / US_PER_DAY


@dataclass(frozen=True, slots=True)
class SlotClock:
    """Where slots begin. Starlink's scheduler works in slots of 15 s that begin at :12, :27, :42 and :57.

    Source: Tanveer et al., "Making Sense of Constellations", arXiv 2307.00402 (2023).
    """

    length_us: int = 15 * US_PER_S
    offset_us: int = 12 * US_PER_S

    def start(self, at: int) -> InstantUs:
        """The beginning of the slot that `at` falls in."""
        return InstantUs((at - self.offset_us) // self.length_us * self.length_us + self.offset_us)

    def starts(self, start: int, end: int) -> range:
        """The beginnings of all slots that begin in [start, end)."""
        first = self.start(start)
        if first < start:
            first = InstantUs(first + self.length_us)
        return range(first, end, self.length_us)
