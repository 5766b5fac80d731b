"""The newest row of a terminal, as lists of terminals show it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import msgspec

from skylift.wire.telemetry.rows import Row


class LastState(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """Encoded as an array: a hundred thousand are sent at once. received_us: by the service's clock."""

    terminal: str
    at_us: int
    received_us: int
    sequence: int
    state: str
    uptime_s: float | None
    down_bps: float | None
    up_bps: float | None
    ping_drop_fraction: float | None
    ping_latency_ms: float | None
    obstructed_fraction: float | None
    snr_low: bool | None
    signal: float | None
    power_w: float | None
    alerts: tuple[str, ...]
    software: str


COLUMNS: tuple[str, ...] = LastState.__struct_fields__
_encoder = msgspec.json.Encoder()
_decoder = msgspec.json.Decoder(LastState)


def encoded(terminal: str, received_us: int, row: Row) -> bytes:
    """A row as the newest state of its terminal: JSON, as fine as anybody measures; history has all."""
    return _encoder.encode(
        LastState(
            terminal,
            row.at_us,
            received_us,
            row.sequence,
            row.state,
            _short(row.uptime_s, 0),
            _short(row.down_bps, 0),
            _short(row.up_bps, 0),
            _short(row.ping_drop_fraction, 4),
            _short(row.ping_latency_ms, 2),
            _short(row.obstructed_fraction, 4),
            row.snr_low,
            _short(row.signal, 3),
            _short(row.power_w, 1),
            row.alerts,
            row.software,
        )
    )


def _short(value: float | None, digits: int) -> float | None:
    """Rounded, and without ".0": of a hundred thousand dishes a fifth of all that is sent."""
    if value is None:
        return None
    rounded = round(value, digits)
    whole = int(rounded)
    return whole if whole == rounded else rounded


def decoded(text: bytes | str) -> LastState:
    return _decoder.decode(text)


class Run(NamedTuple):
    """A state, since when it holds, and the newest row that says so."""

    state: str
    since_us: int
    at_us: int


def run_after(before: Run | None, rows: Sequence[Row]) -> Run | None:
    """What holds after some more rows. Those that came late change nothing of now."""
    run = before
    newer = [row for row in rows if before is None or row.at_us > before.at_us]
    for row in sorted(newer, key=_at):
        if run is None or row.state != run.state:
            run = Run(row.state, row.at_us, row.at_us)
        else:
            run = Run(run.state, run.since_us, row.at_us)
    return run


def _at(row: Row) -> int:
    return row.at_us
