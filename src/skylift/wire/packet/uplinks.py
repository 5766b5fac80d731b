"""Two ways out of a house: a fibre while it lives, the terminal when it dies, and the fibre again.

A router at the terminal asks over the fibre ten times a second whether the PoP is there. Without an answer
for a while it sends over the terminal's link; the PoP answers the way it is spoken to. When answers have come
without a gap for longer, traffic goes back.
"""

from __future__ import annotations

import math
from collections import deque
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from skylift.wire.packet.course import Course, Stretch

NS_PER_MS = 1_000_000
SKY, FIBRE = 0, 1
NAMES = ("terminal", "fibre")
PROBE_EVERY_NS = 100 * NS_PER_MS
# Three questions without an answer, as BFD counts (RFC 5880, 6.8.4). Back after ten times as long: chosen.
DEAD_AFTER_NS = 300 * NS_PER_MS
BACK_AFTER_NS = 3_000 * NS_PER_MS
_FOREVER_NS = 10**18


@dataclass(frozen=True, slots=True)
class Fibre:
    """A fibre: one way, each direction.

    cuts_ns  (from, until) since the run began, in order, apart; until may be math.inf
    """

    rate_bps: float
    delay_ns: int
    loss_fraction: float
    cuts_ns: tuple[tuple[float, float], ...] = ()

    def course(self, began_ns: int) -> Course:
        """What it does from the run's beginning on."""
        course = Course()
        at = began_ns
        for cut, mended in self.cuts_ns:
            course.append(self._stretch(at, began_ns + int(cut)))
            at = began_ns + int(mended) if math.isfinite(mended) else _FOREVER_NS
            course.append(Stretch(began_ns + int(cut), at, up=False))
        if at < _FOREVER_NS:
            course.append(self._stretch(at, _FOREVER_NS))
        return course

    def _stretch(self, start_ns: int, end_ns: int) -> Stretch:
        return Stretch(
            start_ns, end_ns, self.delay_ns, self.delay_ns, self.rate_bps, self.loss_fraction, up=True
        )

    def cut_before(self, since_ns: float) -> float | None:
        """The last edge (a cut or a mending) at or before an instant, since the run began."""
        edges = [edge for cut in self.cuts_ns for edge in cut if edge <= since_ns]
        return max(edges, default=None)


@dataclass(slots=True)
class Switch:
    """One change of way, monotonic; a gap is known once something came over the new way."""

    to: int
    at_ns: int
    last_old_ns: int
    first_new_ns: int | None = None


@dataclass(slots=True)
class _Probe:
    sent_ns: int
    answered_ns: int


@dataclass
class Uplinks:
    """Which way each side sends. `up` is the terminal's choice, `down` the PoP's."""

    fibre: Fibre
    began_ns: int
    random: np.random.Generator
    up: int = FIBRE
    down: int = FIBRE
    switches: list[Switch] = field(default_factory=list)
    _next_ns: int = 0
    _answers: deque[_Probe] = field(default_factory=deque)
    _heard_ns: int = 0
    _since_ns: int | None = None
    _last_ns: list[int] = field(default_factory=lambda: [0, 0])

    def __post_init__(self) -> None:
        self._course = self.fibre.course(self.began_ns)
        self._next_ns = self._heard_ns = self.began_ns

    def turn(self, now_ns: int) -> None:
        """Ask, hear, and decide, up to now."""
        while self._next_ns <= now_ns:
            self._ask(self._next_ns)
            self._next_ns += PROBE_EVERY_NS
        while self._answers and self._answers[0].answered_ns <= now_ns:
            self._hear(self._answers.popleft().answered_ns)
        if now_ns - self._heard_ns > DEAD_AFTER_NS + 2 * self.fibre.delay_ns:
            self._since_ns = None
            if self.up == FIBRE:
                self._switch(SKY, now_ns)

    def arrived(self, way: int, at_pop: bool, now_ns: int) -> None:
        """A frame came out of a way, at the PoP or at the terminal."""
        if at_pop:
            # The PoP answers the way it is spoken to.
            self.down = way
        if self.switches and self.switches[-1].to == way and self.switches[-1].first_new_ns is None:
            self.switches[-1].first_new_ns = now_ns
        self._last_ns[way] = now_ns

    def next_ns(self) -> int:
        """When to call `turn` next."""
        return min([self._next_ns, *(probe.answered_ns for probe in list(self._answers)[:1])])

    def as_dicts(self) -> list[dict[str, Any]]:
        """Each switch: how long after the fibre's change it was made, and how long nothing came through."""
        told = []
        for switch in self.switches:
            edge = self.fibre.cut_before(switch.at_ns - self.began_ns)
            gap_ns = None if switch.first_new_ns is None else switch.first_new_ns - switch.last_old_ns
            told.append(
                {
                    "to": NAMES[switch.to],
                    "after_ms": round((switch.at_ns - self.began_ns) / NS_PER_MS, 3),
                    "detected_ms": None
                    if edge is None
                    else round((switch.at_ns - self.began_ns - edge) / NS_PER_MS, 3),
                    "gap_ms": None if gap_ns is None else round(max(0, gap_ns) / NS_PER_MS, 3),
                }
            )
        return told

    def _ask(self, now_ns: int) -> None:
        stretch = self._course.at(now_ns)
        there = stretch is not None and stretch.up
        kept = (1.0 - self.fibre.loss_fraction) ** 2
        if there and self.random.random() < kept:
            self._answers.append(_Probe(now_ns, now_ns + 2 * self.fibre.delay_ns))

    def _hear(self, at_ns: int) -> None:
        if at_ns - self._heard_ns > DEAD_AFTER_NS:
            self._since_ns = None
        self._heard_ns = at_ns
        self._since_ns = at_ns if self._since_ns is None else self._since_ns
        if self.up == SKY and at_ns - self._since_ns >= BACK_AFTER_NS:
            self._switch(FIBRE, at_ns)

    def _switch(self, to: int, now_ns: int) -> None:
        self.switches.append(Switch(to, now_ns, self._last_ns[1 - to]))
        self.up = to
