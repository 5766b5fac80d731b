"""--happen of `skylift dish serve`: KIND@WHEN[/LASTING][=VERSION]."""

from __future__ import annotations

import re
from collections.abc import Sequence

from skylift.base.errors import Refused
from skylift.base.instants import parse_instant
from skylift.base.units import US_PER_S
from skylift.wire.dish.conditions import Happening, Kind

_SECONDS = {"s": 1, "min": 60, "h": 3_600, "d": 86_400}
_LENGTH = re.compile(r"(\d{1,9})(s|min|h|d)", re.ASCII)
_FORM = re.compile(r"(?P<kind>[a-z-]+)@(?P<when>[^/=]+)(/(?P<lasting>[^=]+))?(=(?P<version>[\w.-]{1,60}))?")
# Whatever lasts no stated time, lasts.
_FOR_GOOD_US = 10**17


def read_happenings(texts: Sequence[str], now_us: int) -> list[Happening]:
    """What was given; a WHEN that begins with + counts from now. Raises Refused."""
    return [_read(text, now_us) for text in texts]


def _read(text: str, now_us: int) -> Happening:
    found = _FORM.fullmatch(text.strip())
    if found is None or found["kind"] not in tuple(Kind):
        raise _refused(text, f"it is KIND@WHEN/LASTING; kinds are {', '.join(Kind)}")
    kind = Kind(found["kind"])
    if (kind is Kind.UPDATE) != (found["version"] is not None):
        raise _refused(text, "an update, and nothing else, has a version: update@+5s=2026.06")
    when = found["when"].strip()
    if when.startswith("+"):
        start_us = now_us + _length_us(text, when[1:])
    else:
        start_us = parse_instant(when, "--happen")
    lasts_us = _FOR_GOOD_US if found["lasting"] is None else _length_us(text, found["lasting"])
    return Happening(kind, start_us, start_us + lasts_us, found["version"] or "")


def _length_us(text: str, length: str) -> int:
    found = _LENGTH.fullmatch(length.strip())
    if found is None:
        raise _refused(text, "a length of time is a whole number with s, min, h or d")
    return int(found[1]) * _SECONDS[found[2]] * US_PER_S


def _refused(text: str, rule: str) -> Refused:
    return Refused("dish.happen", f"--happen {text[:60]!r}", rule, "write it like snow@+60s/10min")
