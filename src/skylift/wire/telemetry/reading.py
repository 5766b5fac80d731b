"""A posted batch, read and sorted: rows that are taken, and rows kept aside with the reason why.

No clock and no store: the caller says what time it is. Whatever a row says, the rest of the batch is taken.
"""

from __future__ import annotations

import gzip
import math
import re
import zlib
from dataclasses import dataclass
from typing import Annotated, Any, Final, Literal, get_type_hints

import msgspec

from skylift.base.errors import Refused
from skylift.base.instants import InstantUs, parse_instant
from skylift.base.units import US_PER_DAY, US_PER_S
from skylift.wire.telemetry.rows import MOST_BYTES, MOST_ROWS, STATES, LooseBatch, Quarantined, Row

JSON, MSGPACK = "application/json", "application/msgpack"
# What is used later than this counts for no allowance either (service/account/usage.py): buffers are of days.
OLDEST_US: Final = 40 * US_PER_DAY
AHEAD_US: Final = 3_600 * US_PER_S
# JSON's numbers are exact to here in every language (RFC 8259, 6).
MOST_SEQUENCE: Final = 2**53
MOST_TEXT, MOST_ALERTS = 80, 32
# What is kept of a row that cannot be read, for whoever looks into it.
KEPT_BYTES = 2000

# Least and most of each number. No dish has a port of 100 Gbit/s, or lives for a century; a gigabit a second
# for 40 days is 4e15 bytes; a ping of a minute is lost.
_LIMITS: Final[dict[str, tuple[float, float, str]]] = {
    "uptime_s": (0, 3.2e9, "a century"),
    "down_bps": (0, 1e11, "100 Gbit/s"),
    "up_bps": (0, 1e11, "100 Gbit/s"),
    "ping_drop_fraction": (0, 1, "1"),
    "ping_latency_ms": (0, 60_000, "a minute"),
    "obstructed_fraction": (0, 1, "1"),
    "signal": (0, 1, "1"),
    "down_bytes": (0, 10**16, "10^16"),
    "up_bytes": (0, 10**16, "10^16"),
    "span_s": (0, 86_400, "a day"),
    "power_w": (0, 10_000, "10 kW"),
}
_WORD = re.compile(r"[\x20-\x7e]{0,80}", re.ASCII)
_plain_words: set[str] = {""}
MOST_PLAIN: Final = 10_000


def _strict_batch() -> type[Any]:
    """A batch whose rows are within all limits: the decoder itself sees to it, and nearly all are."""
    row: dict[str, Any] = {
        name: Annotated[float if hint.startswith("float") else int, msgspec.Meta(ge=least, le=most)] | None
        for name, (least, most, _) in _LIMITS.items()
        for hint in (Row.__annotations__[name],)
    }
    row |= {
        "sequence": Annotated[int, msgspec.Meta(ge=1, le=MOST_SEQUENCE)],
        "span_s": Annotated[float, msgspec.Meta(gt=0, le=_LIMITS["span_s"][1])],
        "state": Literal[STATES],
        "alerts": Annotated[tuple[str, ...], msgspec.Meta(max_length=MOST_ALERTS)],
    }
    hints = get_type_hints(Row)
    defaults = {field.name: field.default for field in msgspec.structs.fields(Row) if not field.required}
    fields = [
        (name, row.get(name, hints[name]), *((defaults[name],) if name in defaults else ()))
        for name in Row.__struct_fields__
    ]
    strict = msgspec.defstruct("StrictRow", fields, frozen=True, gc=False)
    return msgspec.defstruct(
        "StrictBatch",
        [("terminal", str), ("sent_at", int | str), ("rows", list[strict]), ("place", Any, None)],  # type: ignore[valid-type]
        frozen=True,
    )


_strict = _strict_batch()
_strict_json, _strict_msgpack = msgspec.json.Decoder(_strict), msgspec.msgpack.Decoder(_strict)
_loose_json, _loose_msgpack = msgspec.json.Decoder(LooseBatch), msgspec.msgpack.Decoder(LooseBatch)

# What decoders raise. A text that is no UTF-8 is noticed where it is wanted, and not before.
_BROKEN = (msgspec.DecodeError, UnicodeDecodeError, RecursionError)


@dataclass(frozen=True, slots=True)
class Aside:
    """A row that is kept aside; raw: as it came, as far as it is kept."""

    quarantined: Quarantined
    raw: bytes = b""


@dataclass(frozen=True, slots=True)
class Sorted:
    """A batch as it was understood. Sequences are each there once, in either of both."""

    terminal: str
    sent_at: InstantUs
    rows: tuple[Row, ...]
    aside: tuple[Aside, ...] = ()


def unpacked(body: bytes, encoding: str) -> bytes:
    """The body without its content coding. Raises Refused for another coding, or more than 1 MiB."""
    if encoding in ("", "identity"):
        data = body
    elif encoding == "gzip":
        inflate = zlib.decompressobj(wbits=31)
        try:
            # Never more than one byte over the limit comes out, whatever went in.
            data = inflate.decompress(body, MOST_BYTES + 1)
        except zlib.error:
            raise _unreadable("it is not gzip, as its content-encoding says") from None
        if len(data) <= MOST_BYTES and (not inflate.eof or inflate.unused_data):
            raise _unreadable("its gzip is cut short, or followed by more")
    else:
        raise Refused(
            "telemetry.encoding", "content-encoding", "it is gzip, or there is none", "send it as gzip"
        )
    if len(data) > MOST_BYTES:
        raise Refused(
            "telemetry.large",
            "the batch",
            f"it has at most {MOST_BYTES // 1024} KiB when unpacked",
            "send fewer rows at a time",
        )
    return data


def packed(data: bytes) -> bytes:
    """The same, the other way round, with nothing of a clock in it."""
    return gzip.compress(data, compresslevel=6, mtime=0)


def read(data: bytes, content_type: str, now: int, oldest_us: int = OLDEST_US) -> Sorted:
    """What a batch says. Raises Refused where nothing of it can be taken; one bad row spoils no other.

    now        by the service's clock
    oldest_us  how long ago a row may have been measured
    """
    kind = content_type.partition(";")[0].strip().lower()
    if kind not in (JSON, MSGPACK):
        raise Refused(
            "telemetry.type", "content-type", f"it is {JSON} or {MSGPACK}", "say which of them it is"
        )
    try:
        batch = (_strict_json if kind == JSON else _strict_msgpack).decode(data)
    except _BROKEN:
        return _read_loosely(data, kind, now, oldest_us)
    _refuse_many(len(batch.rows))
    _refuse_place(batch.place)
    first, last = now - oldest_us, now + AHEAD_US
    for row in batch.rows:
        if not first <= row.at_us <= last or not _is_plain(row.software) or not _are_plain(row.alerts):
            return _sorted(batch, batch.rows, [], now, oldest_us)
    if len({row.sequence for row in batch.rows}) < len(batch.rows):
        raise _twice()
    return Sorted(batch.terminal, _instant(batch.sent_at), tuple(batch.rows))


def strange(row: Row, now: int, oldest_us: int = OLDEST_US) -> Quarantined | None:
    """Why a row is kept aside; None where it is as rows are."""

    def aside(code: str, reason: str) -> Quarantined:
        return Quarantined(row.sequence, code, reason)

    if not 0 < row.sequence <= MOST_SEQUENCE:
        return aside("row.sequence", "sequence is a whole number from 1 to 2^53")
    if not now - oldest_us <= row.at_us <= now + AHEAD_US:
        reason = f"the agent's clock is wrong: at_us is {_apart(row.at_us - now, oldest_us)}"
        return aside("row.clock", reason)
    for name, (least, most, words) in _LIMITS.items():
        value = getattr(row, name)
        # Every comparison with a NaN is false.
        if value is None or (least <= value <= most and (name != "span_s" or value > 0)):
            continue
        unknown = "" if name == "span_s" else ", or null where it is not known"
        return aside("row.range", f"{name} is {_number(value)}; it is from {least:g} to {words}{unknown}")
    if row.state not in STATES:
        return aside("row.state", f"state is none of {', '.join(STATES)}")
    if not (_is_plain(row.software) and _are_plain(row.alerts)):
        rule = f"software and each alert have at most {MOST_TEXT} plain letters"
        return aside("row.text", f"{rule}; there are at most {MOST_ALERTS} alerts")
    return None


def _is_plain(word: str) -> bool:
    """Whether it is one that may be kept. Few are used over and over: they are looked at once."""
    if word in _plain_words:
        return True
    if not _WORD.fullmatch(word):
        return False
    if len(_plain_words) < MOST_PLAIN:
        _plain_words.add(word)
    return True


def _are_plain(alerts: tuple[str, ...]) -> bool:
    return len(alerts) <= MOST_ALERTS and all(_is_plain(alert) for alert in alerts)


def _apart(difference_us: int, oldest_us: int) -> str:
    days = abs(difference_us) / US_PER_DAY
    length = f"{days / 365.25:.1f} years" if days >= 730 else f"{days:.1f} days"
    direction = "ahead of" if difference_us > 0 else "behind"
    most = "an hour ahead" if difference_us > 0 else f"{oldest_us // US_PER_DAY} days behind"
    return f"{length} {direction} the service's, and may be {most}"


def _number(value: float) -> str:
    return f"{value:.6g}" if math.isfinite(value) else "not a number"


def _sorted(batch: Any, rows: list[Row], aside: list[Aside], now: int, oldest_us: int) -> Sorted:
    kept: dict[int, Row] = {}
    asides: dict[int, Aside] = {one.quarantined.sequence: one for one in aside}
    for row in rows:
        number = row.sequence
        found = strange(row, now, oldest_us)
        if not 0 < number <= MOST_SEQUENCE:
            rule = found.reason if found else ""
            raise Refused("telemetry.sequence", "the batch", rule, "number rows 1, 2, 3 ...")
        if number in kept or number in asides:
            raise _twice()
        if found is None:
            kept[number] = row
        else:
            asides[number] = Aside(found, msgspec.json.encode(row)[:KEPT_BYTES])
    return Sorted(batch.terminal, _instant(batch.sent_at), tuple(kept.values()), tuple(asides.values()))


def _twice() -> Refused:
    return Refused(
        "telemetry.twice",
        "the batch",
        "two of its rows have the same number",
        "give every row a number of its own",
    )


def _instant(sent_at: int | str) -> InstantUs:
    if isinstance(sent_at, int):
        if abs(sent_at) >= 10**18:
            raise _unreadable("sent_at is microseconds since 1970, or ISO 8601")
        return InstantUs(sent_at)
    try:
        return parse_instant(sent_at, "sent_at")
    except Refused:
        raise _unreadable("sent_at is microseconds since 1970, or ISO 8601") from None


def _read_loosely(data: bytes, kind: str, now: int, oldest_us: int) -> Sorted:
    """Row by row: those that cannot be read are kept aside if at least their number can."""
    try:
        batch = (_loose_json if kind == JSON else _loose_msgpack).decode(data)
    except msgspec.ValidationError as error:
        raise _unreadable(f"it is no batch: {_plain(error)}") from None
    except _BROKEN:
        raise _unreadable(f"it is not readable as {kind}") from None
    _refuse_many(len(batch.rows))
    _refuse_place(batch.place)
    rows: list[Row] = []
    aside: list[Aside] = []
    for raw in batch.rows:
        text = bytes(raw)
        try:
            rows.append(_decode(text, kind, Row))
        except _BROKEN as error:
            sequence = _sequence_of(text, kind)
            if sequence is None:
                raise _unreadable("one of its rows has no number, so nothing can be said of it") from None
            reason = f"it cannot be read: {_plain(error)}"
            aside.append(Aside(Quarantined(sequence, "row.malformed", reason), _known_part(text, kind)))
    return _sorted(batch, rows, aside, now, oldest_us)


class _Numbered(msgspec.Struct):
    sequence: int


def _sequence_of(text: bytes, kind: str) -> int | None:
    try:
        number: int = _decode(text, kind, _Numbered).sequence
    except _BROKEN:
        return None
    return number if 0 < number <= MOST_SEQUENCE else None


def _known_part(text: bytes, kind: str) -> bytes:
    """What may be kept of a row that cannot be read: fields that rows have, so that no place is there."""
    try:
        plain = _decode(text, kind, dict[str, Any])
    except _BROKEN:
        return b""
    shown = {name: plain[name] for name in Row.__struct_fields__ if name in plain}
    flat = {name: value for name, value in shown.items() if isinstance(value, str | int | float)}
    return msgspec.json.encode(flat)[:KEPT_BYTES]


def _decode(text: bytes, kind: str, wanted: type[Any]) -> Any:
    return (msgspec.json if kind == JSON else msgspec.msgpack).decode(text, type=wanted)


def _plain(error: Exception) -> str:
    """What msgspec says names types and fields, and repeats no value."""
    return str(error)[:120] if isinstance(error, msgspec.ValidationError) else "it is broken"


def _refuse_place(place: object) -> None:
    if place is not None:
        raise Refused(
            "telemetry.place",
            "the batch",
            "it says where the terminal is, which nobody here asked for",
            "leave out `place`: nothing of this batch was kept",
        )


def _refuse_many(rows: int) -> None:
    if not 0 < rows <= MOST_ROWS:
        raise Refused(
            "telemetry.rows", "the batch", f"it has 1 to {MOST_ROWS} rows", "send more often, or less at once"
        )


def _unreadable(rule: str) -> Refused:
    return Refused("telemetry.unreadable", "the batch", rule, "see docs/reference/telemetry.md")
