"""A posted batch, read and sorted: rows that are taken, and rows kept aside with the reason why.

No clock and no store: the caller says what time it is. Whatever a row says, the rest of the batch is taken.
"""

from __future__ import annotations

import gzip
import math
import re
import zlib
from dataclasses import dataclass
from typing import Any, Final

import msgspec

from skylift.base.errors import Refused
from skylift.base.instants import InstantUs, parse_instant
from skylift.base.units import US_PER_DAY, US_PER_S
from skylift.wire.telemetry.rows import MOST_BYTES, MOST_ROWS, STATES, Batch, LooseBatch, Quarantined, Row

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
_STATES = frozenset(STATES)
_WORD = re.compile(r"[\x20-\x7e]{0,80}", re.ASCII)
_batch_json, _batch_msgpack = msgspec.json.Decoder(Batch), msgspec.msgpack.Decoder(Batch)
_loose_json, _loose_msgpack = msgspec.json.Decoder(LooseBatch), msgspec.msgpack.Decoder(LooseBatch)


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
        batch = (_batch_json if kind == JSON else _batch_msgpack).decode(data)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return _read_loosely(data, kind, now, oldest_us)
    _refuse_many(len(batch.rows))
    _refuse_place(batch.place)
    return _sorted(batch, batch.rows, [], now, oldest_us)


def strange(row: Row, now: int, oldest_us: int = OLDEST_US) -> Quarantined | None:
    """Why a row is kept aside; None where it is as rows are."""
    # The usual case first, in one pass: every comparison with a NaN is false.
    if (
        now - oldest_us <= row.at_us <= now + AHEAD_US
        and 0 < row.sequence <= MOST_SEQUENCE
        and _fits(row.uptime_s, 3.2e9)
        and _fits(row.down_bps, 1e11)
        and _fits(row.up_bps, 1e11)
        and _fits(row.ping_latency_ms, 60_000)
        and _are_fractions(row)
        and _are_known(row)
    ):
        return None
    return _told(row, now, oldest_us)


def _fits(value: float | None, most: float) -> bool:
    return value is None or 0 <= value <= most


def _are_fractions(row: Row) -> bool:
    drop, obstructed, signal = row.ping_drop_fraction, row.obstructed_fraction, row.signal
    return (
        (drop is None or 0 <= drop <= 1)
        and (obstructed is None or 0 <= obstructed <= 1)
        and (signal is None or 0 <= signal <= 1)
    )


def _are_known(row: Row) -> bool:
    return (
        0 < row.span_s <= 86_400
        and (row.down_bytes is None or 0 <= row.down_bytes <= 10**16)
        and (row.up_bytes is None or 0 <= row.up_bytes <= 10**16)
        and (row.power_w is None or 0 <= row.power_w <= 10_000)
        and row.state in _STATES
        and (not row.software or _WORD.fullmatch(row.software) is not None)
        and (not row.alerts or _is_short(row.alerts))
    )


def _is_short(alerts: tuple[str, ...]) -> bool:
    return len(alerts) <= MOST_ALERTS and all(_WORD.fullmatch(alert) for alert in alerts)


def _told(row: Row, now: int, oldest_us: int) -> Quarantined:
    def aside(code: str, reason: str) -> Quarantined:
        return Quarantined(row.sequence, code, reason)

    if not 0 < row.sequence <= MOST_SEQUENCE:
        return aside("row.sequence", "sequence is a whole number from 1 to 2^53")
    if not now - oldest_us <= row.at_us <= now + AHEAD_US:
        return aside(
            "row.clock", f"the agent's clock is wrong: at_us is {_apart(row.at_us - now, oldest_us)}"
        )
    for name, (least, most, words) in _LIMITS.items():
        value = getattr(row, name)
        if value is None or (least <= value <= most and (name != "span_s" or value > 0)):
            continue
        unknown = "" if name == "span_s" else ", or null where it is not known"
        reason = f"{name} is {_number(value)}; it is from {least:g} to {words}{unknown}"
        return aside("row.range", reason)
    if row.state not in _STATES:
        return aside("row.state", f"state is none of {', '.join(STATES)}")
    return aside(
        "row.text", f"software and alerts are at most {MOST_TEXT} plain letters, {MOST_ALERTS} alerts"
    )


def _apart(difference_us: int, oldest_us: int) -> str:
    days = abs(difference_us) / US_PER_DAY
    length = f"{days / 365.25:.1f} years" if days >= 730 else f"{days:.1f} days"
    direction = "ahead of" if difference_us > 0 else "behind"
    most = "an hour ahead" if difference_us > 0 else f"{oldest_us // US_PER_DAY} days behind"
    return f"{length} {direction} the service's, and may be {most}"


def _number(value: float) -> str:
    return f"{value:.6g}" if math.isfinite(value) else "not a number"


def _sorted(
    batch: Batch | LooseBatch, rows: list[Row], aside: list[Aside], now: int, oldest_us: int
) -> Sorted:
    kept: dict[int, Row] = {}
    asides: dict[int, Aside] = {one.quarantined.sequence: one for one in aside}
    for row in rows:
        number = row.sequence
        found = strange(row, now, oldest_us)
        if not 0 < number <= MOST_SEQUENCE:
            rule = found.reason if found else ""
            raise Refused("telemetry.sequence", "the batch", rule, "number rows 1, 2, 3 ...")
        if number in kept or number in asides:
            raise Refused(
                "telemetry.twice",
                "the batch",
                "two of its rows have the same number",
                "give every row a number of its own",
            )
        if found is None:
            kept[number] = row
        else:
            asides[number] = Aside(found, msgspec.json.encode(row)[:KEPT_BYTES])
    return Sorted(batch.terminal, _instant(batch.sent_at), tuple(kept.values()), tuple(asides.values()))


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
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        raise _unreadable(f"it is not readable as {kind}") from None
    _refuse_many(len(batch.rows))
    _refuse_place(batch.place)
    rows: list[Row] = []
    aside: list[Aside] = []
    for raw in batch.rows:
        text = bytes(raw)
        try:
            rows.append(_decode(text, kind, Row))
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
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
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return None
    return number if 0 < number <= MOST_SEQUENCE else None


def _known_part(text: bytes, kind: str) -> bytes:
    """What may be kept of a row that cannot be read: fields that rows have, so that no place is there."""
    plain = _decode(text, kind, dict[str, Any])
    shown = {name: plain[name] for name in Row.__struct_fields__ if name in plain}
    flat = {name: value for name, value in shown.items() if isinstance(value, str | int | float)}
    return msgspec.json.encode(flat)[:KEPT_BYTES]


def _decode(text: bytes, kind: str, wanted: type[Any]) -> Any:
    return (msgspec.json if kind == JSON else msgspec.msgpack).decode(text, type=wanted)


def _plain(error: Exception) -> str:
    """What msgspec says names types and fields, and repeats no value."""
    return str(error)[:120] if isinstance(error, msgspec.ValidationError) else "it is broken"


def _refuse_place(place: msgspec.Raw | None) -> None:
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
