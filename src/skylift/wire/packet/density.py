"""Whether packets come so densely that it pays to wait for several of them."""

from __future__ import annotations

from skylift.wire.packet.course import NS_PER_S


class Density:
    """Counts what comes, over spans of at least so long: `came` grows with each packet.

    per_s  from so many a second on they are dense
    """

    def __init__(self, per_s: int, span_ns: int) -> None:
        self._per_s, self._span_ns = per_s, span_ns
        self._since_ns = 0
        self.came = 0
        self.dense = False

    def turn(self, now_ns: int) -> bool:
        """Whether they are dense, as of the last span that has ended by now."""
        counted_ns = now_ns - self._since_ns
        if counted_ns >= self._span_ns:
            self.dense = self.came * NS_PER_S > self._per_s * counted_ns
            self.came, self._since_ns = 0, now_ns
        return self.dense
