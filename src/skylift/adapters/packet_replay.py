"""A link that does again what was recorded, by us or in mahimahi's format; it begins anew at its end."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from dataclasses import dataclass, replace
from itertools import count
from multiprocessing.connection import Connection
from pathlib import Path

from skylift.adapters.packet_sky import AHEAD_S, LinkSlot
from skylift.base.errors import Refused
from skylift.wire.packet.trace import (
    DELAY_EVERY_MS,
    OPPORTUNITY_BYTES,
    Piece,
    TracedSlot,
    read_delays,
    read_opportunities,
    read_trace,
)

NS_PER_MS = 1_000_000
_SLOT_MS = 15_000


@dataclass(frozen=True, slots=True)
class Replay:
    """What was recorded: slots of ours (with their seed), or opportunities up and down with delays."""

    slots: tuple[TracedSlot, ...] = ()
    seed: int = 0
    opportunities_ms: tuple[tuple[int, ...], tuple[int, ...]] | None = None
    delays_ms: tuple[float, ...] = (0.0,)

    def __repr__(self) -> str:
        return "Replay(hidden)"


def replay_of(file: Path) -> Replay:
    """A trace of ours. Raises Refused."""
    seed, slots = read_trace(_text(file))
    return Replay(tuple(slots), seed)


def mahimahi_of(up: Path, down: Path, delay: Path | None) -> Replay:
    """Opportunities up and down, and one-way delays for both where there are any. Raises Refused."""
    both = (
        tuple(read_opportunities(_text(up), "the uplink's")),
        tuple(read_opportunities(_text(down), "the downlink's")),
    )
    delays = (0.0,) if delay is None else tuple(read_delays(_text(delay), "the delays'"))
    return Replay(opportunities_ms=both, delays_ms=delays)


def replay_main(pipe: Connection, replay: Replay, _terminal: str, _at_us: int) -> None:
    """The life of the process: the recorded slots at the pace of the wall, over and over."""
    began_s = time.monotonic()
    try:
        for slot in _mahimahi(replay) if replay.opportunities_ms else _again(replay.slots):
            pipe.send(slot)
            ahead_s = slot.at_us / 1e6 - (time.monotonic() - began_s)
            if ahead_s > AHEAD_S:
                time.sleep(ahead_s - AHEAD_S)
    except (BrokenPipeError, EOFError, ConnectionResetError):
        os._exit(0)


def _again(slots: tuple[TracedSlot, ...]) -> Iterator[LinkSlot]:
    whole_us = slots[-1].at_us + slots[-1].length_us - slots[0].at_us
    for turn in count():
        for slot in slots:
            shift_us = turn * whole_us
            yield LinkSlot(
                slot.at_us + shift_us,
                slot.length_us,
                slot.why_down,
                satellite=slot.satellite,
                gateway=slot.gateway,
                rtt_set_ms=slot.rtt_set_ms,
                loss_set=slot.loss_set,
                pieces=(_shifted(slot.pieces[0], shift_us), _shifted(slot.pieces[1], shift_us)),
            )


def _shifted(pieces: tuple[Piece, ...], shift_us: int) -> tuple[Piece, ...]:
    if shift_us == 0:
        return pieces
    shift_ns = shift_us * 1_000
    return tuple((start + shift_ns, end + shift_ns, *rest) for start, end, *rest in pieces)  # type: ignore[misc]


def _mahimahi(replay: Replay) -> Iterator[LinkSlot]:
    assert replay.opportunities_ms is not None
    offers = [_endless(times) for times in replay.opportunities_ms]
    coming = [next(offer) for offer in offers]
    rates = [len(times) * OPPORTUNITY_BYTES * 8_000 / times[-1] for times in replay.opportunities_ms]
    for number in count():
        begin_ms = number * _SLOT_MS
        within: list[tuple[int, ...]] = []
        for side, offer in enumerate(offers):
            times = []
            while coming[side] < begin_ms + _SLOT_MS:
                times.append(coming[side] * NS_PER_MS)
                coming[side] = next(offer)
            within.append(tuple(times))
        pieces = [_delay_pieces(replay.delays_ms, begin_ms, rate) for rate in rates]
        mean_ms = sum((piece[1] - piece[0]) * piece[2] for piece in pieces[0]) / _SLOT_MS / 1e12
        slot = LinkSlot(begin_ms * 1_000, _SLOT_MS * 1_000, "", loss_set=0.0, pieces=(pieces[0], pieces[1]))
        yield replace(slot, rtt_set_ms=2 * mean_ms, opportunities_ns=(within[0], within[1]))


def _endless(times: tuple[int, ...]) -> Iterator[int]:
    """The times, again from the start after the last, as mahimahi repeats them."""
    for turn in count():
        for at in times:
            yield at + turn * times[-1]


def _delay_pieces(delays_ms: tuple[float, ...], begin_ms: int, rate_bps: float) -> tuple[Piece, ...]:
    pieces: list[Piece] = []
    for step in range(begin_ms // DELAY_EVERY_MS, (begin_ms + _SLOT_MS) // DELAY_EVERY_MS):
        delay_ns = int(delays_ms[step % len(delays_ms)] * NS_PER_MS)
        start_ns = step * DELAY_EVERY_MS * NS_PER_MS
        end_ns = start_ns + DELAY_EVERY_MS * NS_PER_MS
        if pieces and pieces[-1][2] == delay_ns:
            pieces[-1] = (pieces[-1][0], end_ns, *pieces[-1][2:])
        else:
            pieces.append((start_ns, end_ns, delay_ns, delay_ns, rate_bps, 0.0, True))
    return tuple(pieces)


def _text(file: Path) -> str:
    try:
        return file.read_text(encoding="ascii")
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or "it is not plain text"
        raise Refused(
            "trace.file", "a trace's file", f"it cannot be read ({reason})", "name one that is there"
        ) from None
