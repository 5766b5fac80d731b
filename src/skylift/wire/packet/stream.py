"""Byte streams through a link: what a proxy, which sees no packets, makes of delay, rate, loss and gaps.

A stream's bytes are counted as the TCP segments that would carry them. A lost segment is sent again a round
trip later, and what stands behind it in the same stream waits for it, as a receiver of TCP would. What a
sender's congestion control makes of losses is not told: only real packets have it.
"""

from __future__ import annotations

import math

import numpy as np

from skylift.wire.packet.course import NS_PER_S, Course, Stretch
from skylift.wire.packet.pipe import Counters

NS_PER_MS = 1_000_000
# Of 1,500 bytes, the headers of IPv4 and of TCP with timestamps (RFC 7323).
SEGMENT_BYTES, HEADER_BYTES = 1_448, 52
# A reader may take more while less than this waits for the transmitter.
BACKLOG_NS = 20 * NS_PER_MS
# A chunk occupies the transmitter no longer than this, so that streams take turns.
_CHUNK_NS = 10 * NS_PER_MS
MOST_BYTES = 65_536
# A sender without answer waits at least so long (RFC 6298 asks for 1 s; Linux takes 200 ms), and tries again.
RETRY_NS = 200 * NS_PER_MS
# Of the first packet of a connection (RFC 6298, section 2.1).
FIRST_RETRY_NS = NS_PER_S
# A segment lost so often in a row is as good as stuck: the loss is total.
_MOST_ROUNDS = 16


class StreamLine:
    """One direction, shared by all streams; `other` is the way that acknowledgements take."""

    def __init__(self, course: Course, other: Course, random: np.random.Generator) -> None:
        self._course, self._other, self._random = course, other, random
        self._free_ns = 0
        self.counters = Counters()

    def wait_ns(self, now_ns: int) -> int:
        """How long from now until the line takes more; 0: at once."""
        stretch = self._up(now_ns)
        if stretch is None:
            return RETRY_NS
        return max(0, self._free_ns - now_ns - BACKLOG_NS)

    def chunk_bytes(self, now_ns: int) -> int:
        """How much of a stream to take at a time."""
        stretch = self._course.at(now_ns)
        if stretch is None or math.isinf(stretch.rate_bps):
            return MOST_BYTES
        return min(MOST_BYTES, max(SEGMENT_BYTES, int(stretch.rate_bps * _CHUNK_NS / NS_PER_S / 8)))

    def send(self, size: int, now_ns: int) -> int | None:
        """When a chunk comes out at the other end; None: it cannot set out now."""
        stretch = self._up(now_ns)
        if stretch is None:
            return None
        segments = max(1, -(-size // SEGMENT_BYTES))
        again, rounds = self._again(segments, stretch.loss_fraction)
        self.counters.taken += segments + again
        self.counters.lost += again
        self.counters.tried += segments + again
        self.counters.lost_set += (segments + again) * stretch.loss_fraction
        wire_bytes = size + segments * HEADER_BYTES + again * (SEGMENT_BYTES + HEADER_BYTES)
        begin_ns = max(self._free_ns, now_ns)
        self._free_ns = self._course.finish_ns(stretch, begin_ns, wire_bytes)
        delay_ns = stretch.delay_ns(begin_ns)
        due_ns = self._free_ns + delay_ns
        if rounds:
            back = self._other.at(now_ns)
            back_ns = delay_ns if back is None or not back.up else back.delay_ns(begin_ns)
            due_ns += rounds * (delay_ns + back_ns)
        self.counters.frames += 1
        self.counters.delay_set_ns += delay_ns
        self.counters.transit_ns += due_ns - now_ns
        self.counters.delivered += segments
        self.counters.delivered_bytes += size
        return due_ns

    def control(self, now_ns: int) -> int | None:
        """When a packet without bytes (a SYN, a question for a name) is there; None: lost, or no link."""
        stretch = self._up(now_ns)
        if stretch is None or self._random.random() < stretch.loss_fraction:
            return None
        return now_ns + stretch.delay_ns(now_ns)

    def _up(self, now_ns: int) -> Stretch | None:
        stretch = self._course.at(now_ns)
        return stretch if stretch is not None and stretch.up and stretch.loss_fraction < 1.0 else None

    def _again(self, segments: int, loss_fraction: float) -> tuple[int, int]:
        """(segments sent again, rounds that takes)."""
        again = rounds = 0
        lost = int(self._random.binomial(segments, loss_fraction)) if loss_fraction > 0 else 0
        while lost and rounds < _MOST_ROUNDS:
            again, rounds = again + lost, rounds + 1
            lost = int(self._random.binomial(lost, loss_fraction))
        return again, rounds
