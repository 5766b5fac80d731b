"""One terminal's link as time goes on, for whatever carries bytes over it: real packets or a proxy."""

from __future__ import annotations

import math
import multiprocessing
import time
from contextlib import ExitStack
from dataclasses import dataclass
from multiprocessing.connection import Connection

from skylift.adapters.packet_server import ServerLink, server_main
from skylift.adapters.packet_sky import Failure, LinkSlot, sky_main
from skylift.adapters.scenario_files import Sources
from skylift.base.errors import Refused, Unavailable
from skylift.wire.packet.course import Course, Stretch
from skylift.wire.packet.report import Seen
from skylift.wire.packet.texture import Drawing, preset, textured

# The sky is given this long for its first slot: catalogues are read and kernels compiled.
_SKY_PATIENCE_S = 120.0


@dataclass(frozen=True, slots=True)
class Overrides:
    """What is set by hand instead of what the sky says; None: as the sky says.

    delay_ms  one way;  rate_mbps  each direction, of IP bytes;  loss  0 to 1
    """

    delay_ms: float | None = None
    rate_mbps: float | None = None
    loss: float | None = None


@dataclass(frozen=True, slots=True)
class Followed:
    """Whose link, as told by what, from when on, and what of it is set by hand.

    at_us      the sky's instant at which it begins
    anchor_ns  the monotonic instant that this is; None: when the courses are made
    """

    source: Sources | ServerLink
    terminal: str
    at_us: int
    overrides: Overrides = Overrides()
    seed: int = 0
    preset: str = "ideal"
    anchor_ns: int | None = None


class LinkCourses:
    """The two directions' courses, kept up to date by the slots that the sky tells."""

    def __init__(self, followed: Followed) -> None:
        self._followed = followed
        self._textures = preset(followed.preset)
        self.courses = (Course(), Course())
        self.began_ns = time.monotonic_ns() if followed.anchor_ns is None else followed.anchor_ns
        # (end of the slot, monotonic; what of it is seen), in order.
        self.slots: list[tuple[int, Seen]] = []

    def hear(self, sky: Connection) -> list[LinkSlot] | None:
        """Take all that the sky has said; None when it says no more."""
        heard: list[LinkSlot] = []
        try:
            while sky.poll():
                said = sky.recv()
                if isinstance(said, LinkSlot):
                    self.learn(said)
                    heard.append(said)
        except (EOFError, OSError):
            return None
        return heard

    def learn(self, slot: LinkSlot) -> None:
        """One slot more."""
        over = self._followed.overrides
        start_ns = self.starts_ns(slot)
        end_ns = start_ns + slot.length_us * 1_000
        delays = (slot.up_us, slot.down_us)
        if over.delay_ms is not None:
            delays = ((over.delay_ms * 1_000,) * 2,) * 2
        rates = (slot.up_bps, slot.down_bps)
        loss = slot.loss_fraction if over.loss is None else over.loss
        loss = 0.0 if math.isnan(loss) else loss
        for side, course in enumerate(self.courses):
            rate = rates[side] if over.rate_mbps is None else over.rate_mbps * 1e6
            if not slot.up:
                course.append(Stretch(start_ns, end_ns, up=False))
                continue
            begin_ns, finish_ns = (int(us * 1_000) for us in delays[side])
            rate = math.inf if math.isnan(rate) else rate
            stretch = Stretch(start_ns, end_ns, begin_ns, finish_ns, rate, loss)
            drawing = Drawing(self._followed.seed, slot.at_us, ("up", "down")[side], slot.handover)
            for piece in textured(stretch, self._textures[side], drawing):
                course.append(piece)
        rtt_ms = sum((one[0] + one[1]) / 2 for one in delays) / 1_000 if slot.up else math.nan
        seen = Seen(slot.at_us, slot.satellite, slot.gateway, rtt_ms, loss, length_us=slot.length_us)
        self.slots.append((end_ns, seen))

    def starts_ns(self, slot: LinkSlot) -> int:
        """The monotonic instant at which a slot begins."""
        return self.began_ns + (slot.at_us - self._followed.at_us) * 1_000

    def under_way(self, now_ns: int) -> Seen:
        """The slot that holds an instant; after the last, the last."""
        return next((seen for end_ns, seen in self.slots if end_ns > now_ns), self.slots[-1][1])

    def begun(self, now_ns: int) -> list[Seen]:
        """The slots that have begun by then."""
        now_us = self._followed.at_us + (now_ns - self.began_ns) // 1_000
        return [seen for _, seen in self.slots if seen.at_us <= now_us]


def begin_sky(stack: ExitStack, followed: Followed) -> Connection:
    """The process that tells slots; it ends with the stack."""
    context = multiprocessing.get_context("spawn")
    ours, theirs = context.Pipe(duplex=False)
    main = server_main if isinstance(followed.source, ServerLink) else sky_main
    process = context.Process(
        target=main, args=(theirs, followed.source, followed.terminal, followed.at_us), daemon=True
    )
    process.start()
    theirs.close()
    stack.callback(process.join, 5)
    stack.callback(process.kill)
    stack.callback(ours.close)
    return ours


def first_slot(sky: Connection) -> LinkSlot:
    """What the sky says first. Raises Refused or Unavailable where it says why there is nothing to say."""
    try:
        said = sky.recv() if sky.poll(_SKY_PATIENCE_S) else None
    except EOFError:
        said = None
    if isinstance(said, LinkSlot):
        return said
    if isinstance(said, Failure):
        error = (Refused if said.refused else Unavailable)(**said.error)
        raise error
    raise Unavailable(
        "packets.sky", "the sky of the terminal", "it was not worked out in time", "try a smaller catalogue"
    )
