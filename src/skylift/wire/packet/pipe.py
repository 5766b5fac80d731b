"""One direction of a link: a queue, a transmitter, a loss process and a delay line."""

from __future__ import annotations

import math
from collections import deque
from dataclasses import dataclass, field

import numpy as np

from skylift.wire.packet.course import NS_PER_S, Course, Stretch
from skylift.wire.packet.frame import Shape, cut, shape

# A frame that would occupy the transmitter for longer is cut: receivers would see a burst that no link makes.
LONGEST_SEND_NS = 1_000_000
# The transmitter is run this far ahead, so that one wake-up serves many small packets.
AHEAD_NS = 500_000


@dataclass(frozen=True, slots=True)
class QueueRules:
    """What waits for the transmitter.

    limit_bytes  beyond this the oldest is dropped: "drop-front, no per-flow queues" is what measurements of
                 the network found (Brunstrom, Garcia and Sundberg, arXiv 2605.27717)
    """

    limit_bytes: int = 1_000_000


@dataclass(slots=True)
class Counters:
    """Wire packets and bytes of one direction since it began."""

    taken: int = 0
    delivered: int = 0
    delivered_bytes: int = 0
    lost: int = 0
    dropped_full: int = 0
    dropped_down: int = 0
    # Of frames that were delivered: how many, and how long they took together.
    frames: int = 0
    transit_ns: int = 0
    # Sum of the differences in transit of one frame and the next.
    jitter_ns: int = 0


@dataclass(slots=True)
class _Waiting:
    frame: bytes
    form: Shape
    arrived_ns: int


class Pipe:
    """Frames go in with `put` and come out of `take` when they are due; times never go back."""

    def __init__(self, course: Course, random: np.random.Generator, rules: QueueRules | None = None) -> None:
        self._course = course
        self._rules = rules or QueueRules()
        self._random = random
        self._queue: deque[_Waiting] = deque()
        self._queued_bytes = 0
        self._line: deque[tuple[int, bytes, int, int]] = deque()
        self._free_ns = 0
        self._last_due_ns = 0
        self._last_transit_ns = 0
        self.counters = Counters()

    def put(self, frame: bytes, now_ns: int) -> None:
        """A frame (virtio-net header first) arrives."""
        form = shape(frame)
        self.counters.taken += form.packets
        stretch = self._course.at(now_ns)
        if stretch is None or not stretch.up:
            self.counters.dropped_down += form.packets
            return
        if math.isinf(stretch.rate_bps) and not self._queue:
            self._send(_Waiting(frame, form, now_ns), stretch, now_ns)
            return
        for part in self._cut_to_size(frame, form, stretch.rate_bps):
            self._queue.append(_Waiting(part, shape(part), now_ns))
            self._queued_bytes += self._queue[-1].form.wire_bytes
        while self._queued_bytes > self._rules.limit_bytes and len(self._queue) > 1:
            dropped = self._queue.popleft()
            self._queued_bytes -= dropped.form.wire_bytes
            self.counters.dropped_full += dropped.form.packets
        self.pump(now_ns)

    def pump(self, now_ns: int) -> None:
        """Let the transmitter begin whatever it can begin by now, or very soon."""
        while self._queue and self._free_ns <= now_ns + AHEAD_NS:
            waiting = self._queue.popleft()
            self._queued_bytes -= waiting.form.wire_bytes
            begin_ns = max(self._free_ns, waiting.arrived_ns)
            stretch = self._course.at(min(begin_ns, now_ns))
            if stretch is None or not stretch.up:
                self.counters.dropped_down += waiting.form.packets
                continue
            self._send(waiting, stretch, begin_ns)

    def take(self, now_ns: int) -> list[tuple[int, bytes]]:
        """(due_ns, frame) of all that is due, in order."""
        self.pump(now_ns)
        due: list[tuple[int, bytes]] = []
        while self._line and self._line[0][0] <= now_ns:
            at_ns, frame, packets, arrived_ns = self._line.popleft()
            self.counters.delivered += packets
            self.counters.delivered_bytes += len(frame)
            self.counters.frames += 1
            transit_ns = now_ns - arrived_ns
            self.counters.transit_ns += transit_ns
            self.counters.jitter_ns += abs(transit_ns - self._last_transit_ns) if self._last_transit_ns else 0
            self._last_transit_ns = transit_ns
            due.append((at_ns, frame))
        return due

    def next_ns(self) -> int | None:
        """When to call `take` next; None: nothing is on its way."""
        times = [self._line[0][0]] if self._line else []
        if self._queue:
            times.append(self._free_ns - AHEAD_NS)
        return min(times) if times else None

    def insert(self, frame: bytes, due_ns: int, now_ns: int) -> None:
        """A frame of the link's own making (an ICMP answer) comes out at `due_ns`, behind what is due."""
        self._to_line(frame, due_ns, 1, now_ns)

    def _send(self, waiting: _Waiting, stretch: Stretch, begin_ns: int) -> None:
        form = waiting.form
        sent_ns = self._course.finish_ns(stretch, begin_ns, form.wire_bytes)
        self._free_ns = sent_ns
        due_ns = sent_ns + stretch.delay_ns(begin_ns)
        if stretch.loss_fraction <= 0.0:
            self._to_line(waiting.frame, due_ns, form.packets, waiting.arrived_ns)
            return
        survives = self._random.random(form.packets) >= stretch.loss_fraction
        self.counters.lost += int(form.packets - survives.sum())
        if survives.all():
            self._to_line(waiting.frame, due_ns, form.packets, waiting.arrived_ns)
        elif survives.any():
            kept = _runs(survives.tolist())
            for part, (first, last) in zip(cut(waiting.frame, kept), kept, strict=True):
                self._to_line(part, due_ns, last - first, waiting.arrived_ns)

    def _to_line(self, frame: bytes, due_ns: int, packets: int, arrived_ns: int) -> None:
        # A path that grows shorter lets nothing overtake.
        self._last_due_ns = max(due_ns, self._last_due_ns)
        self._line.append((self._last_due_ns, frame, packets, arrived_ns))

    def _cut_to_size(self, frame: bytes, form: Shape, rate_bps: float) -> list[bytes]:
        at_once = int(rate_bps * LONGEST_SEND_NS / NS_PER_S / 8) // max(1, form.segment + form.headers)
        if form.packets <= max(1, at_once):
            return [frame]
        step = max(1, at_once)
        kept = [(first, min(first + step, form.packets)) for first in range(0, form.packets, step)]
        return cut(frame, kept)


def _runs(survives: list[bool]) -> list[tuple[int, int]]:
    """[first, last) of each run of True."""
    runs: list[tuple[int, int]] = []
    for index, alive in enumerate(survives):
        if not alive:
            continue
        if runs and runs[-1][1] == index:
            runs[-1] = (runs[-1][0], index + 1)
        else:
            runs.append((index, index + 1))
    return runs


@dataclass(slots=True)
class Lateness:
    """How long after it was due each frame left, in bins of doubling width from one microsecond on."""

    bins: list[int] = field(default_factory=lambda: [0] * 32)

    def note(self, late_ns: int) -> None:
        self.bins[min(31, max(0, late_ns // 1_000).bit_length())] += 1

    def percentile_us(self, percent: float) -> float:
        """Upper edge of the bin that holds the percentile, microseconds; 0 where nothing left."""
        total = sum(self.bins)
        if total == 0:
            return 0.0
        wanted, seen = total * percent / 100.0, 0
        for index, count in enumerate(self.bins):
            seen += count
            if seen >= wanted:
                return float(2**index)
        return float(2**31)
