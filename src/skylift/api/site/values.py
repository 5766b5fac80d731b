"""What a page shows in one place: text, a link, an instant, a badge. Templates know these shapes."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import ClassVar

from skylift.base.labels import plural
from skylift.service.rooms import ROOMS

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_ID = re.compile(r"([a-z]{2,4})_[A-Za-z0-9_-]{1,60}", re.ASCII)
_KIND_BY_PREFIX = {room.prefix: room.kind for room in ROOMS if room.prefix}
# Kinds that have pages; the others are shown with what they belong to.
PAGED = (
    "request", "region", "terminal", "shipment", "outage", "account", "statement", "approval", "person",
    "authority", "plan", "allow-list", "bulk-change", "command", "rollout", "consent",
)  # fmt: skip
MINUTE_US, HOUR_US, DAY_US = 60_000_000, 3_600_000_000, 86_400_000_000


@dataclass(frozen=True, slots=True)
class Link:
    """To a page of ours. mono: the text is an id, in whose place the page says what it is called."""

    shape: ClassVar[str] = "link"

    text: str
    to: str
    mono: bool = False


@dataclass(frozen=True, slots=True)
class Time:
    """An instant, and how far it is from now."""

    shape: ClassVar[str] = "time"

    iso: str
    text: str
    ago: str


@dataclass(frozen=True, slots=True)
class Badge:
    """A state in a word. tone: good, bad, warn, calm or wait."""

    shape: ClassVar[str] = "badge"

    text: str
    tone: str = "calm"


@dataclass(frozen=True, slots=True)
class Mono:
    """What is copied letter by letter: a cell, a serial, a hash."""

    shape: ClassVar[str] = "mono"

    text: str


@dataclass(frozen=True, slots=True)
class Several:
    """Values one below the other; more: how many are left out."""

    shape: ClassVar[str] = "several"

    items: tuple[Value, ...]
    more: int = 0


Value = str | Link | Time | Badge | Mono | Several
NONE = "–"


def path_of(kind: str, id: str = "") -> str:
    """Where a kind of thing, or one of them, is shown."""
    return f"/{plural(kind)}/{id}" if id else f"/{plural(kind)}"


def kind_of(id: str) -> str:
    """The kind that an id's prefix names; "" for none that has a page."""
    found = _ID.fullmatch(id)
    kind = _KIND_BY_PREFIX.get(found[1], "") if found else ""
    return kind if kind in PAGED else ""


def named(text: str) -> Value:
    """A link where the text is the id of a thing, the text itself otherwise."""
    if not text:
        return NONE
    kind = kind_of(text)
    return Link(short(text), path_of(kind, text), mono=True) if kind else text


def short(id: str) -> str:
    """An id as it is shown where it is a link; the page behind it has all of it.

    Its end: the beginning says when it was given, and that of neighbours is alike.
    """
    prefix, _, rest = id.partition("_")
    return f"{prefix}_…{rest[-6:]}" if len(rest) > 8 else id


def time_of(at_us: int | None, now_us: int) -> Value:
    if at_us is None:
        return NONE
    try:
        moment = _EPOCH + timedelta(microseconds=at_us)
    except OverflowError:
        return NONE
    iso = moment.strftime("%Y-%m-%dT%H:%M:%SZ")
    return Time(iso, f"{moment:%Y-%m-%d %H:%M} UTC", away(at_us, now_us))


def away(at_us: int, now_us: int) -> str:
    """How far an instant is from now, in words."""
    gap_us = abs(now_us - at_us)
    if gap_us < MINUTE_US:
        return "now"
    words = span(gap_us)
    return f"{words} ago" if at_us < now_us else f"in {words}"


def span(gap_us: int) -> str:
    """A length of time in the unit that fits."""
    if gap_us < HOUR_US:
        return f"{gap_us // MINUTE_US} min"
    if gap_us < 2 * DAY_US:
        hours = gap_us / HOUR_US
        return f"{hours:.1f} h" if hours < 10 else f"{hours:.0f} h"
    return f"{gap_us // DAY_US} days"


def count(number: int, one: str, many: str = "") -> str:
    """ "1 terminal", "12 terminals"."""
    return f"{number:,} {one if number == 1 else many or one + 's'}"


def several(values: Iterable[Value], most: int = 12) -> Value:
    every = tuple(values)
    if not every:
        return NONE
    return Several(every[:most], max(len(every) - most, 0)) if len(every) > 1 else every[0]


def rate(bps: float | None) -> str:
    if bps is None:
        return NONE
    return f"{bps / 1e6:g} Mbit/s"
