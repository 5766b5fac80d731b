"""From what a dish says to rows, and from many rows to one. Loads no NumPy."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from itertools import pairwise
from typing import Final

import msgspec

from skylift.base.units import US_PER_S
from skylift.wire.dish.reading import DishHistory, DishStatus
from skylift.wire.telemetry.rows import CONNECTED, USUAL_SPAN_S, Row

# An alert of ours beside the dish's own: the agent is well, and its dish does not answer.
DISH_SILENT: Final = "dish_silent"
# The dish says that its transmitter is switched off: that is no fault of it.
RADIO_OFF: Final = "radio_off"
# A dish that lost nearly all pings of a span had no link in it; what it said at the end tells why.
_NO_LINK_DROP_FRACTION = 0.99
MOST_ALERTS = 32


def rows_of(status: DishStatus, history: DishHistory | None, at_us: int, elapsed_s: float) -> tuple[Row, ...]:
    """What a dish did since it was asked before, as rows without numbers, oldest first.

    history    the seconds since then; None, or without rings, where firmware has none: then one row of what
               it says of this moment, whose bytes are not known
    at_us      now, by the agent's clock
    elapsed_s  since it was asked before, by a clock that is never set
    """
    seconds = 0 if history is None else max(map(len, _columns(history)))
    if history is None or seconds == 0:
        return (_of_status(status, at_us, elapsed_s),)
    pieces = max(1, round(seconds / USUAL_SPAN_S))
    edges = [seconds * k // pieces for k in range(pieces + 1)]
    rows = [
        _of_seconds(history, (begin, end), at_us - (seconds - end) * US_PER_S, status)
        for begin, end in pairwise(edges)
    ]
    rows[-1] = msgspec.structs.replace(rows[-1], **_now(status))
    return tuple(rows)


def silent_row(at_us: int, elapsed_s: float) -> Row:
    """The dish did not answer: no power, no cable, or another address."""
    return Row(0, at_us, alerts=(DISH_SILENT,), span_s=elapsed_s)


def _columns(history: DishHistory) -> tuple[Sequence[float | None], ...]:
    return (history.drop_fraction, history.latency_ms, history.down_bps, history.up_bps)


def _now(status: DishStatus) -> dict[str, object]:
    """What only the present moment is known of."""
    return {
        "state": status.state,
        "obstructed_fraction": status.obstructed_fraction,
        "snr_low": status.snr_low,
        "alerts": (*status.alerts[: MOST_ALERTS - 1], *((RADIO_OFF,) if status.radio_off else ())),
    }


def _of_status(status: DishStatus, at_us: int, elapsed_s: float) -> Row:
    row = Row(
        0,
        at_us,
        uptime_s=status.uptime_s,
        down_bps=status.down_bps,
        up_bps=status.up_bps,
        ping_drop_fraction=status.drop_fraction,
        ping_latency_ms=status.latency_ms,
        software=status.device.software_version,
        span_s=elapsed_s,
    )
    return msgspec.structs.replace(row, **_now(status))


def _of_seconds(history: DishHistory, edges: tuple[int, int], at_us: int, status: DishStatus) -> Row:
    span = slice(*edges)
    drop = _mean(history.drop_fraction[span])
    down_bps, up_bps = history.down_bps[span], history.up_bps[span]
    ago_s = history.count - (history.first + edges[1])
    return Row(
        0,
        at_us,
        uptime_s=None if status.uptime_s is None else max(0, status.uptime_s - ago_s),
        down_bps=_mean(down_bps),
        up_bps=_mean(up_bps),
        ping_drop_fraction=drop,
        ping_latency_ms=_mean(history.latency_ms[span]),
        state="unknown" if drop is None or drop >= _NO_LINK_DROP_FRACTION else CONNECTED,
        software=status.device.software_version,
        down_bytes=_bytes(down_bps),
        up_bytes=_bytes(up_bps),
        span_s=float(edges[1] - edges[0]),
        power_w=_mean(history.power_w[span]),
    )


def _mean(values: Iterable[float | None]) -> float | None:
    known = [value for value in values if value is not None]
    return sum(known) / len(known) if known else None


def _bytes(rates_bps: Sequence[float | None]) -> int | None:
    """What passed in these seconds; of a second that is not known, nothing is counted."""
    known = [rate for rate in rates_bps if rate is not None]
    return round(sum(known) / 8) if known else None


def merged(rows: Sequence[Row]) -> Row:
    """One row for a stretch of rows in order: sums of bytes, means by time, all alerts.

    Its number is the last one's; the other numbers are never used again. Its state is the one that held
    longest.
    """
    last = rows[-1]
    held: Counter[str] = Counter()
    for row in rows:
        held[row.state] += round(row.span_s * 1_000)
    low = [row.snr_low for row in rows if row.snr_low is not None]
    alerts = dict.fromkeys(alert for row in rows for alert in row.alerts)
    return msgspec.structs.replace(
        last,
        **{name: _weighted(rows, name) for name in _MEANS},
        snr_low=any(low) if low else None,
        state=max(held, key=held.__getitem__),
        alerts=tuple(alerts)[:MOST_ALERTS],
        down_bytes=_summed(rows, "down_bytes"),
        up_bytes=_summed(rows, "up_bytes"),
        span_s=sum(row.span_s for row in rows),
    )


_MEANS = (
    "down_bps",
    "up_bps",
    "ping_drop_fraction",
    "ping_latency_ms",
    "obstructed_fraction",
    "signal",
    "power_w",
)


def _weighted(rows: Sequence[Row], name: str) -> float | None:
    pairs = [(getattr(row, name), row.span_s) for row in rows if getattr(row, name) is not None]
    total_s = sum(span_s for _, span_s in pairs)
    return sum(value * span_s for value, span_s in pairs) / total_s if total_s > 0 else None


def _summed(rows: Sequence[Row], name: str) -> int | None:
    known = [getattr(row, name) for row in rows if getattr(row, name) is not None]
    return sum(known) if known else None
