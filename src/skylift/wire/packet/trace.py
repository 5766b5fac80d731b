"""What a terminal's link did, as text: our own traces, to the bit, and public ones in mahimahi's format.

Ours (`skylift-trace/1`) is one JSON document a line: the header, then one for each slot with the pieces that
its two courses had, in nanoseconds since the run began. It says nothing of where: no satellite, gateway or
instant, unless that was asked for. Mahimahi's says in each line at which millisecond 1,500 bytes may leave;
LeoReplayer's delays say in each line the one-way delay in milliseconds of the next 10 ms.
"""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

from skylift.base.errors import Refused

FORMAT = "skylift-trace/1"
# Of an Ethernet frame, as mahimahi counts: one opportunity lets so many bytes pass.
OPPORTUNITY_BYTES = 1_500
DELAY_EVERY_MS = 10
# A day and a half; an hour of 10 ms pieces fits in memory many times over.
_MOST_MS = 130_000_000
_MOST_DELAY_MS = 10_000.0

Piece = tuple[int, int, int, int, float, float, bool]
"""start_ns, end_ns, delay_start_ns, delay_end_ns, rate_bps (inf: not limited), loss_fraction, up."""


@dataclass(frozen=True, slots=True)
class TracedSlot:
    """One slot of a trace; times since the run began."""

    at_us: int
    length_us: int
    why_down: str
    rtt_set_ms: float
    loss_set: float
    pieces: tuple[tuple[Piece, ...], tuple[Piece, ...]]
    satellite: int = -1
    gateway: str = ""


def header_line(seed: int, at_us: int | None) -> str:
    """The first line; at_us where places were asked for."""
    header: dict[str, Any] = {"format": FORMAT, "seed": seed}
    if at_us is not None:
        header["at_us"] = at_us
    return json.dumps(header)


def slot_line(slot: TracedSlot, places: bool) -> str:
    """One slot as a line."""
    told: dict[str, Any] = {
        "at_us": slot.at_us,
        "length_us": slot.length_us,
        "why_down": slot.why_down,
        "rtt_set_ms": None if math.isnan(slot.rtt_set_ms) else slot.rtt_set_ms,
        "loss_set": slot.loss_set,
        "up": [_told(piece) for piece in slot.pieces[0]],
        "down": [_told(piece) for piece in slot.pieces[1]],
    }
    if places:
        told |= {"satellite": slot.satellite, "gateway": slot.gateway}
    return json.dumps(told, separators=(",", ":"))


def read_trace(text: str) -> tuple[int, list[TracedSlot]]:
    """(seed, slots in order) of a trace's text. Raises Refused with the line that is wrong."""
    lines = [line for line in text.splitlines() if line.strip()]
    try:
        header = json.loads(lines[0])
        seed = int(header["seed"])
        fits = header["format"] == FORMAT
    except (IndexError, ValueError, KeyError, TypeError):
        fits, seed = False, 0
    if not fits:
        raise _wrong("its first line", f"a trace begins with its format, {FORMAT}, and a seed")
    slots = []
    for number, line in enumerate(lines[1:], start=2):
        try:
            slots.append(_slot(json.loads(line)))
        except (ValueError, KeyError, TypeError):
            raise _wrong(f"line {number}", "it is no slot of a trace") from None
    if not slots:
        raise _wrong("the whole file", "it has no slot")
    for before, after in pairwise(slots):
        if after.at_us != before.at_us + before.length_us:
            raise _wrong("its slots", "each begins where the one before ends")
    return seed, slots


def read_opportunities(text: str, name: str) -> list[int]:
    """Milliseconds at which 1,500 bytes may leave, in order. Raises Refused with the line that is wrong."""
    times = _whole_numbers(text, name)
    if any(after < before for before, after in pairwise(times)):
        raise _wrong(name, "its milliseconds never go back")
    if times[-1] == 0:
        raise _wrong(name, "it lasts longer than no time")
    return times


def read_delays(text: str, name: str) -> list[float]:
    """One-way delays in milliseconds, of 10 ms each. Raises Refused with the line that is wrong."""
    delays = []
    for number, line in enumerate(text.splitlines(), start=1):
        try:
            delay_ms = float(line)
        except ValueError:
            delay_ms = math.nan
        if not 0.0 <= delay_ms <= _MOST_DELAY_MS:
            raise _wrong(f"line {number} of {name}", "a delay is 0 to 10,000 ms")
        delays.append(delay_ms)
    if not delays:
        raise _wrong(name, "it has no delay")
    return delays


def _whole_numbers(text: str, name: str) -> list[int]:
    numbers = []
    for number, line in enumerate(text.splitlines(), start=1):
        digits = line.strip()
        if not (digits.isascii() and digits.isdecimal() and len(digits) <= 9 and int(digits) <= _MOST_MS):
            raise _wrong(f"line {number} of {name}", "it is a whole number of milliseconds")
        numbers.append(int(digits))
    if not numbers:
        raise _wrong(name, "it has no line")
    return numbers


def _told(piece: Piece) -> list[Any]:
    return [None if isinstance(part, float) and math.isinf(part) else part for part in piece]


def _slot(told: dict[str, Any]) -> TracedSlot:
    pieces = [tuple(_piece(piece) for piece in told[side]) for side in ("up", "down")]
    if not all(pieces) or int(told["length_us"]) <= 0:
        raise ValueError
    return TracedSlot(
        int(told["at_us"]),
        int(told["length_us"]),
        str(told["why_down"]),
        math.nan if told["rtt_set_ms"] is None else float(told["rtt_set_ms"]),
        float(told["loss_set"]),
        (pieces[0], pieces[1]),
        int(told.get("satellite", -1)),
        str(told.get("gateway", "")),
    )


def _piece(told: Sequence[Any]) -> Piece:
    start_ns, end_ns, begin_ns, finish_ns, rate_bps, loss, up = told
    rate = math.inf if rate_bps is None else float(rate_bps)
    if not (start_ns < end_ns and begin_ns >= 0 and finish_ns >= 0 and rate > 0 and 0 <= loss <= 1):
        raise ValueError
    return int(start_ns), int(end_ns), int(begin_ns), int(finish_ns), rate, float(loss), bool(up)


def _wrong(thing: str, rule: str) -> Refused:
    return Refused(
        "trace.shape",
        f"the trace: {thing}",
        rule,
        "record one with --trace, or see the how-to",
    )
