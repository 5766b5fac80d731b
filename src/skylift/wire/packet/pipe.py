"""One direction of a link: a queue, a transmitter, a loss process and a delay line."""

from __future__ import annotations

import math
from bisect import bisect_left
from collections import deque
from dataclasses import dataclass, field
from typing import NamedTuple

import numpy as np

from skylift.wire.packet.course import NS_PER_S, Course, Stretch
from skylift.wire.packet.frame import Frame, cut, measure, shape

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
    """Wire packets, and their IP bytes, of one direction since it began."""

    taken: int = 0
    delivered: int = 0
    delivered_bytes: int = 0
    lost: int = 0
    dropped_full: int = 0
    dropped_down: int = 0
    # What was tried, in a gap as well, and how much of that was to be lost.
    tried: int = 0
    lost_set: float = 0.0
    # Of frames that went all the way: how many, how long they took together, and what delay was set for them.
    frames: int = 0
    transit_ns: int = 0
    delay_set_ns: int = 0
    # Sum of the differences in transit of one frame and the next.
    jitter_ns: int = 0


class _Sized(NamedTuple):
    """A frame, how many wire packets and IP bytes it is, and when it arrived."""

    frame: Frame
    packets: int
    wire_bytes: int
    arrived_ns: int


class Pipe:
    """Frames go in with `put` and come out of `take` when they are due; times never go back.

    rest_ns  what the way takes besides (a tunnel), which comes off the delay as far as there is some
    """

    def __init__(
        self,
        course: Course,
        random: np.random.Generator,
        rules: QueueRules | None = None,
        rest_ns: int = 0,
    ) -> None:
        self._course = course
        self._rest_ns = rest_ns
        self._rules = rules or QueueRules()
        self._random = random
        self._queue: deque[_Sized] = deque()
        self._queued_bytes = 0
        # (when it is due, what, the delay that was set for it; -1: it did not come all the way)
        self._line: deque[tuple[int, _Sized, int]] = deque()
        self._free_ns = 0
        self._last_due_ns = 0
        self._last_transit_ns = 0
        self.counters = Counters()

    def put(self, frame: Frame, now_ns: int) -> None:
        """A frame (virtio-net header first) arrives."""
        packets, wire_bytes = measure(frame)
        self.counters.taken += packets
        stretch = self._course.at(now_ns)
        if stretch is None or not stretch.up:
            self._drop_down(packets)
            return
        sized = _Sized(frame, packets, wire_bytes, now_ns)
        if not self._queue:
            if stretch.rate_bps == math.inf:
                self._send(sized, stretch, now_ns)
                return
            if packets == 1 and self._free_ns <= now_ns + AHEAD_NS:
                # What the queue would come to, sooner.
                self._send(sized, stretch, max(self._free_ns, now_ns))
                return
        for part in _cut_to_size(sized, stretch.rate_bps):
            self._queue.append(part)
            self._queued_bytes += part.wire_bytes
        while self._queued_bytes > self._rules.limit_bytes and len(self._queue) > 1:
            dropped = self._queue.popleft()
            self._queued_bytes -= dropped.wire_bytes
            self.counters.dropped_full += dropped.packets
        self.pump(now_ns)

    def pump(self, now_ns: int) -> None:
        """Let the transmitter begin whatever it can begin by now, or very soon."""
        while self._queue and self._free_ns <= now_ns + AHEAD_NS:
            waiting = self._queue.popleft()
            self._queued_bytes -= waiting.wire_bytes
            begin_ns = max(self._free_ns, waiting.arrived_ns)
            stretch = self._course.at(min(begin_ns, now_ns))
            if stretch is None or not stretch.up:
                self._drop_down(waiting.packets)
                continue
            self._send(waiting, stretch, begin_ns)

    def take(self, now_ns: int) -> list[tuple[int, Frame]]:
        """(due_ns, frame) of all that is due, in order."""
        self.pump(now_ns)
        line, counters = self._line, self.counters
        last_ns = self._last_transit_ns
        due: list[tuple[int, Frame]] = []
        while line and line[0][0] <= now_ns:
            at_ns, (frame, packets, wire_bytes, arrived_ns), delay_set_ns = line.popleft()
            counters.delivered += packets
            counters.delivered_bytes += wire_bytes
            due.append((at_ns, frame))
            if delay_set_ns < 0:
                continue
            transit_ns = now_ns - arrived_ns + self._rest_ns
            counters.frames += 1
            counters.delay_set_ns += delay_set_ns
            counters.transit_ns += transit_ns
            counters.jitter_ns += abs(transit_ns - last_ns) if last_ns else 0
            last_ns = transit_ns
        self._last_transit_ns = last_ns
        return due

    def next_ns(self) -> int | None:
        """When to call `take` next; None: nothing is on its way."""
        if not self._queue:
            return self._line[0][0] if self._line else None
        begins_ns = self._free_ns - AHEAD_NS
        return min(self._line[0][0], begins_ns) if self._line else begins_ns

    def insert(self, frame: Frame, due_ns: int, now_ns: int) -> None:
        """A frame of the link's own making (an ICMP answer) comes out at `due_ns`, behind what is due."""
        self._to_line(_Sized(frame, *measure(frame), now_ns), due_ns, -1)

    def _send(self, sized: _Sized, stretch: Stretch, begin_ns: int) -> None:
        sent_ns = self._course.finish_ns(stretch, begin_ns, sized.wire_bytes)
        self._free_ns = sent_ns
        delay_ns = stretch.delay_ns(begin_ns)
        due_ns = sent_ns + delay_ns
        self.counters.tried += sized.packets
        if stretch.loss_fraction <= 0.0:
            self._to_line(sized, due_ns, delay_ns)
            return
        self.counters.lost_set += sized.packets * stretch.loss_fraction
        if sized.packets == 1:
            if self._random.random() >= stretch.loss_fraction:
                self._to_line(sized, due_ns, delay_ns)
            else:
                self.counters.lost += 1
        else:
            survives = self._random.random(sized.packets) >= stretch.loss_fraction
            lost = sized.packets - int(np.count_nonzero(survives))
            self.counters.lost += lost
            if not lost:
                self._to_line(sized, due_ns, delay_ns)
            elif lost < sized.packets:
                for part in _parts(sized, _runs(survives.tolist())):
                    self._to_line(part, due_ns, delay_ns)

    def _drop_down(self, packets: int) -> None:
        self.counters.dropped_down += packets
        self.counters.tried += packets
        self.counters.lost_set += packets

    def _to_line(self, sized: _Sized, due_ns: int, delay_set_ns: int) -> None:
        due_ns = max(due_ns - self._rest_ns, sized.arrived_ns)
        # A path that grows shorter lets nothing overtake.
        if due_ns > self._last_due_ns:
            self._last_due_ns = due_ns
        self._line.append((self._last_due_ns, sized, delay_set_ns))


def _cut_to_size(sized: _Sized, rate_bps: float) -> list[_Sized]:
    if sized.packets == 1:
        return [sized]
    form = shape(sized.frame)
    step = max(1, int(rate_bps * LONGEST_SEND_NS / NS_PER_S / 8) // (form.segment + form.headers))
    if sized.packets <= step:
        return [sized]
    kept = [(first, min(first + step, form.packets)) for first in range(0, form.packets, step)]
    return _parts(sized, kept)


def _parts(sized: _Sized, kept: list[tuple[int, int]]) -> list[_Sized]:
    return [_Sized(part, *measure(part), sized.arrived_ns) for part in cut(sized.frame, kept)]


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


# Microseconds, all that have two digits: 0, 1 .. 99, 100, 110 .. 990, 1,000, 1,100 and so on.
_EDGES_US = [*range(100), *(digits * 10**power for power in range(1, 7) for digits in range(10, 100))]
_EDGES_NS = [edge_us * 1_000 for edge_us in _EDGES_US]
_BEYOND_US = 1e8


@dataclass(slots=True)
class Lateness:
    """How long after it was due each frame left, in bins whose upper edges have two digits."""

    bins: list[int] = field(default_factory=lambda: [0] * (len(_EDGES_US) + 1))

    def note(self, late_ns: int) -> None:
        self.bins[bisect_left(_EDGES_NS, late_ns)] += 1

    def percentile_us(self, percent: float) -> float:
        """Upper edge of the bin that holds the percentile, microseconds; 0 where nothing left."""
        total = sum(self.bins)
        wanted, seen = total * percent / 100.0, 0
        for edge_us, count in zip(_EDGES_US, self.bins, strict=False):
            seen += count
            if seen >= wanted:
                return float(edge_us)
        return _BEYOND_US
