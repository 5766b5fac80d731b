"""The newest row of a terminal, as lists of terminals show it."""

from __future__ import annotations

from typing import Any

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
    """A row as the newest state of its terminal: JSON."""
    return _encoder.encode(
        LastState(
            terminal,
            row.at_us,
            received_us,
            row.sequence,
            row.state,
            row.uptime_s,
            row.down_bps,
            row.up_bps,
            row.ping_drop_fraction,
            row.ping_latency_ms,
            row.obstructed_fraction,
            row.snr_low,
            row.signal,
            row.power_w,
            row.alerts,
            row.software,
        )
    )


def decoded(text: bytes | str) -> LastState:
    return _decoder.decode(text)


def as_dict(values: list[Any]) -> dict[str, Any]:
    """One array of the document as names and values."""
    return dict(zip(COLUMNS, values, strict=True))
