"""The fine structure inside a slot: what measurements found and geometry alone does not give.

A slot becomes many short stretches of one direction. Each behaviour is a number with a name, a unit and a
source, and 0 switches it off; presets are sets of them. Everything is drawn from a stream of the run's seed
and the slot's own start, so that a slot is the same whoever replays it.
"""

from __future__ import annotations

import math
from collections import deque
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from skylift.base.errors import Refused
from skylift.base.randomness import random_stream
from skylift.wire.packet.course import Course, Stretch

Floats = npt.NDArray[np.float64]
NS_PER_MS = 1_000_000
# Shorter than what any tool at 100 packets a second can tell apart.
STEP_MS = 10


@dataclass(frozen=True, slots=True)
class Texture:
    """Behaviours of one direction.

    slot_step_ms         a slot lies above the geometric delay by a level of its own, evenly from 0 to this
    jitter_ms            mean difference of two steps 10 ms apart, on top of that level
    edge_begin_ms, edge_end_ms  how long the troubled edges of a slot last
    edge_spike_ms        delay added at the very edge; it decays over the edge
    edge_loss_fraction   of packets in the edges of a slot in which the satellite changes
    loss_fraction        of packets everywhere else
    gaps_per_hour, gap_ms  short outages, each within one slot
    swing_fraction       the rate moves within 1 +- this, in steps of a few seconds
    """

    slot_step_ms: float = 0.0
    jitter_ms: float = 0.0
    edge_begin_ms: float = 0.0
    edge_end_ms: float = 0.0
    edge_spike_ms: float = 0.0
    edge_loss_fraction: float = 0.0
    loss_fraction: float = 0.0
    gaps_per_hour: float = 0.0
    gap_ms: float = 0.0
    swing_fraction: float = 0.0

    @property
    def plain(self) -> bool:
        """Nothing of it is switched on."""
        return self == Texture()


# Edges: spikes of about 140 ms after and 75 ms before a slot's border (arXiv 2601.08439, 500 Hz, one way).
# Steps every 15 s, at worst from 30 to 80 ms; spikes of 30 to 50 ms at handovers; 6.7 ms between successive
# round trips; 1 to 2 % loss that congestion does not explain (Huston, APNIC, May 2024). Up to half of the
# packets lost around handovers (Kassem et al., IMC 2022). Loss of 0.002 up and 0.0001 down, rates between 10
# and 70 Mbit/s in tens of seconds (LeoReplayer, LeoCC). Uplinks are hit more (Garcia et al., LEO-NET 2025).
# How much of a round trip's jitter, steps and spikes goes up is assumed: two thirds. So are gaps per hour.
PRESETS: dict[str, tuple[Texture, Texture]] = {
    "ideal": (Texture(), Texture()),
    "starlink-2022": (
        Texture(12.0, 4.5, 140.0, 75.0, 35.0, 0.5, 0.006, 6.0, 800.0, 0.5),
        Texture(6.0, 2.2, 140.0, 75.0, 15.0, 0.25, 0.002, 6.0, 800.0, 0.5),
    ),
    "starlink-2025": (
        Texture(6.0, 2.0, 140.0, 75.0, 20.0, 0.1, 0.002, 1.0, 400.0, 0.3),
        Texture(3.0, 1.0, 140.0, 75.0, 10.0, 0.05, 0.0001, 1.0, 400.0, 0.3),
    ),
}


# Which satellite is taken under a preset (`twin/policy.py`); "ideal" leaves it to the scenario.
POLICIES = {"starlink-2022": "starlink-observed", "starlink-2025": "starlink-observed"}


def preset(name: str) -> tuple[Texture, Texture]:
    """(up, down). Raises Refused, naming the presets, for any other."""
    if name not in PRESETS:
        raise Refused(
            "packets.preset",
            f"preset {name[:40]!r}",
            "there is none of this name",
            f"take {', '.join(PRESETS)}",
        )
    return PRESETS[name]


@dataclass(frozen=True, slots=True)
class Drawing:
    """What a slot's fine structure is drawn from: the run's seed, the slot's start, the direction."""

    seed: int
    at_us: int
    direction: str
    handover: bool


@dataclass(frozen=True, slots=True)
class Grain:
    """A slot's fine structure in rows of 10 ms, kept small: there may be thousands.

    extra_ns  int32 (count + 1,) at each row's edge, above the slot's own delay;  up  bool (count,)
    levels    of the rate, evenly long
    edge_loss_fraction  in the first edge_rows;  loss_fraction  after them
    """

    slot: Stretch
    extra_ns: npt.NDArray[np.int32]
    up: npt.NDArray[np.bool_]
    levels: tuple[float, ...]
    edge_rows: int
    edge_loss_fraction: float
    loss_fraction: float

    def stretch(self, row: int) -> Stretch:
        """One row."""
        slot, count = self.slot, len(self.up)
        start_ns, end_ns = self._edge_ns(row), self._edge_ns(row + 1)
        return Stretch(
            start_ns,
            end_ns,
            slot.delay_ns(start_ns) + int(self.extra_ns[row]),
            slot.delay_ns(end_ns) + int(self.extra_ns[row + 1]),
            slot.rate_bps * self.levels[row * len(self.levels) // count],
            self.edge_loss_fraction if row < self.edge_rows else self.loss_fraction,
            bool(self.up[row]),
        )

    def at(self, now_ns: int) -> Stretch:
        """The row that holds an instant; the first before the slot, the last after it."""
        slot, count = self.slot, len(self.up)
        row = (now_ns - slot.start_ns) * count // (slot.end_ns - slot.start_ns)
        # Edges are rounded down, so that an instant just before one may seem to lie on it.
        row = min(max(row, 0), count - 1)
        return self.stretch(row + 1 if row + 1 < count and now_ns >= self._edge_ns(row + 1) else row)

    def _edge_ns(self, row: int) -> int:
        return self.slot.start_ns + (self.slot.end_ns - self.slot.start_ns) * row // len(self.up)


def grain(slot: Stretch, texture: Texture, drawing: Drawing) -> Grain:
    """A slot as it is in detail."""
    random = random_stream(drawing.seed, f"packets/texture/{drawing.direction}/{drawing.at_us}")
    count = max(1, round((slot.end_ns - slot.start_ns) / (STEP_MS * NS_PER_MS)))
    since_ms = np.arange(count, dtype=np.float64) * STEP_MS
    extra_ms = texture.slot_step_ms * random.random() + _jitter_ms(texture.jitter_ms, count, random)
    extra_ms = np.maximum(extra_ms + _spike_ms(texture, since_ms, since_ms[::-1], random), 0.0)
    up = _without_gaps(texture, count, random)
    loss = max(texture.loss_fraction, slot.loss_fraction)
    return Grain(
        slot=slot,
        extra_ns=(np.append(extra_ms, extra_ms[-1]) * NS_PER_MS).astype(np.int32),
        up=up,
        levels=_swing(texture.swing_fraction, count, random),
        edge_rows=math.ceil(texture.edge_begin_ms / STEP_MS) if drawing.handover else 0,
        edge_loss_fraction=max(texture.edge_loss_fraction, slot.loss_fraction),
        loss_fraction=loss,
    )


def textured(slot: Stretch, texture: Texture, drawing: Drawing) -> list[Stretch]:
    """A slot as it is in detail: stretches of 10 ms, which together cover exactly the slot."""
    if texture.plain or not slot.up:
        return [slot]
    fine = grain(slot, texture, drawing)
    return [fine.stretch(row) for row in range(len(fine.up))]


class TexturedCourse(Course):
    """A course that works out a slot's fine structure when something goes over it: silence costs nothing."""

    def __init__(self, texture: Texture, seed: int, direction: str) -> None:
        super().__init__()
        self._texture, self._seed, self._direction = texture, seed, direction
        self._slots: deque[tuple[Stretch, int, bool]] = deque()
        self._grain: Grain | None = None
        self._next: Grain | None = None

    def tell(self, slot: Stretch, at_us: int, handover: bool) -> None:
        """One slot more, and the instant at which it begins."""
        self._slots.append((slot, at_us, handover))

    def at(self, now_ns: int) -> Stretch | None:
        slots = self._slots
        while len(slots) > 1 and slots[0][0].end_ns <= now_ns:
            slots.popleft()
        if not slots:
            return None
        slot, at_us, handover = slots[0]
        if self._texture.plain or not slot.up:
            return slot
        if self._grain is None or self._grain.slot is not slot:
            ready = self._next if self._next is not None and self._next.slot is slot else None
            self._grain = ready or self._worked_out(slot, at_us, handover)
            self._next = None
        return self._grain.at(now_ns)

    def prepare(self) -> bool:
        """Work out the next slot while there is time, where something goes over this one; whether it did."""
        if self._next is not None or self._grain is None or len(self._slots) < 2:
            return False
        slot, at_us, handover = self._slots[1]
        if self._grain.slot is not self._slots[0][0] or not slot.up:
            return False
        self._next = self._worked_out(slot, at_us, handover)
        return True

    def _worked_out(self, slot: Stretch, at_us: int, handover: bool) -> Grain:
        return grain(slot, self._texture, Drawing(self._seed, at_us, self._direction, handover))


def _jitter_ms(mean_difference_ms: float, count: int, random: np.random.Generator) -> Floats:
    """Independent normal values whose neighbours differ by this much in the mean: 2 sigma / sqrt(pi)."""
    sigma = mean_difference_ms * math.sqrt(math.pi) / 2.0
    return np.asarray(sigma * random.standard_normal(count))


def _spike_ms(texture: Texture, since_ms: Floats, left_ms: Floats, random: np.random.Generator) -> Floats:
    spike = np.zeros(since_ms.size)
    for distance_ms, lasts_ms in ((since_ms, texture.edge_begin_ms), (left_ms, texture.edge_end_ms)):
        height_ms = texture.edge_spike_ms * random.uniform(0.6, 1.0)
        if lasts_ms > 0:
            spike += height_ms * np.clip(1.0 - distance_ms / lasts_ms, 0.0, None)
    return spike


def _without_gaps(texture: Texture, count: int, random: np.random.Generator) -> npt.NDArray[np.bool_]:
    up = np.ones(count, dtype=np.bool_)
    gaps = random.poisson(texture.gaps_per_hour * count * STEP_MS / 3_600_000.0)
    length = max(1, round(texture.gap_ms / STEP_MS))
    for first in random.integers(0, count, gaps):
        up[first : first + length] = False
    return up


def _swing(fraction: float, count: int, random: np.random.Generator) -> tuple[float, ...]:
    """Levels of about three seconds each, evenly within 1 +- fraction."""
    pieces = max(1, round(count * STEP_MS / 3_000))
    return tuple((1.0 + fraction * random.uniform(-1.0, 1.0, pieces)).tolist())
