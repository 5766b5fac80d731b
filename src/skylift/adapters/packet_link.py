"""One terminal's link as time goes on, for whatever carries bytes over it: real packets or a proxy."""

from __future__ import annotations

import math
import multiprocessing
import os
import signal
import threading
import time
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass
from multiprocessing.connection import Connection, wait
from pathlib import Path
from typing import TYPE_CHECKING, Any

from skylift.adapters.atomic import write_atomically
from skylift.adapters.packet_replay import Replay, replay_main
from skylift.adapters.packet_server import ServerLink, server_main
from skylift.adapters.packet_sky import Failure, LinkSlot, sky_main
from skylift.base.errors import Refused, Unavailable
from skylift.wire.packet.course import Course, Stretch
from skylift.wire.packet.report import Seen
from skylift.wire.packet.texture import Drawing, preset, textured
from skylift.wire.packet.trace import TracedSlot, header_line, slot_line

if TYPE_CHECKING:
    # Scenarios take long to load, and a service or a record needs none of them.
    from skylift.adapters.scenario_files import Sources

# The sky is given this long for its first slot: catalogues are read and, the first time, kernels compiled.
_SKY_PATIENCE_S = 600.0
# After so long it is said that it takes its time.
_SILENCE_S = 6.0


@dataclass(frozen=True, slots=True)
class Overrides:
    """What is set by hand instead of what the sky says; None: as the sky says.

    delay_ms  one way;  rate_mbps  each direction, of IP bytes;  loss  0 to 1
    """

    delay_ms: float | None = None
    rate_mbps: float | None = None
    loss: float | None = None


def _say_nothing(_: str) -> None:
    pass


@dataclass(frozen=True, slots=True)
class Followed:
    """Whose link, as told by what, from when on, and what of it is set by hand.

    at_us      the sky's instant at which it begins
    anchor_ns  the monotonic instant that this is; None: when the courses are made
    trace      file for what the link does, without places unless trace_places
    say        called with each line that whoever runs it should read before packets go through
    """

    source: Sources | ServerLink | Replay
    terminal: str
    at_us: int
    overrides: Overrides = Overrides()
    seed: int = 0
    preset: str = "ideal"
    anchor_ns: int | None = None
    trace: Path | None = None
    trace_places: bool = False
    say: Callable[[str], None] = _say_nothing


class LinkCourses:
    """The two directions' courses, kept up to date by the slots that the sky tells."""

    def __init__(self, followed: Followed) -> None:
        self._followed = followed
        self._textures = preset(followed.preset)
        self.courses = (Course(), Course())
        self.began_ns = time.monotonic_ns() if followed.anchor_ns is None else followed.anchor_ns
        # (end of the slot, monotonic; what of it is seen), in order.
        self.slots: list[tuple[int, Seen]] = []
        self._traced: list[TracedSlot] = []

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
        start_ns = self.starts_ns(slot)
        end_ns = start_ns + slot.length_us * 1_000
        if slot.pieces:
            rtt_ms, loss, pieces = self._recorded(slot)
        else:
            rtt_ms, loss, pieces = self._set(slot, start_ns, end_ns)
        for course, ones in zip(self.courses, pieces, strict=True):
            for piece in ones:
                course.append(piece)
        seen = Seen(slot.at_us, slot.satellite, slot.gateway, rtt_ms, loss, length_us=slot.length_us)
        self.slots.append((end_ns, seen))
        if self._followed.trace is not None:
            self._traced.append(self._trace_of(slot, seen, pieces))

    def _set(
        self, slot: LinkSlot, start_ns: int, end_ns: int
    ) -> tuple[float, float, tuple[list[Stretch], list[Stretch]]]:
        """(round trip, loss, pieces up and down) as the sky says or as set, in its fine structure."""
        rtt_ms, loss, both = as_set(slot, self._followed.overrides, start_ns, end_ns)
        up, down = (
            textured(stretch, texture, Drawing(self._followed.seed, slot.at_us, direction, slot.handover))
            for stretch, texture, direction in zip(both, self._textures, ("up", "down"), strict=True)
        )
        return rtt_ms, loss, (up, down)

    def _recorded(self, slot: LinkSlot) -> tuple[float, float, tuple[list[Stretch], list[Stretch]]]:
        """The same as it was recorded; what is set by hand is set."""
        over = self._followed.overrides
        rtt_ms = slot.rtt_set_ms if over.delay_ms is None or not slot.up else 2 * over.delay_ms
        loss = slot.loss_set if over.loss is None else over.loss
        pieces = [
            [set_by_hand(Stretch(*piece), over, self.began_ns) for piece in ones] for ones in slot.pieces
        ]
        if over.rate_mbps is None:
            for course, times_ns in zip(self.courses, slot.opportunities_ns, strict=False):
                course.offer(self.began_ns + at_ns for at_ns in times_ns)
        return rtt_ms, loss, (pieces[0], pieces[1])

    def _trace_of(
        self, slot: LinkSlot, seen: Seen, pieces: tuple[list[Stretch], list[Stretch]]
    ) -> TracedSlot:
        both = [
            tuple(
                (
                    one.start_ns - self.began_ns,
                    one.end_ns - self.began_ns,
                    one.delay_start_ns,
                    one.delay_end_ns,
                    one.rate_bps,
                    one.loss_fraction,
                    one.up,
                )
                for one in ones
            )
            for ones in pieces
        ]
        at_us = slot.at_us - self._followed.at_us
        return TracedSlot(
            at_us,
            slot.length_us,
            slot.why_down,
            seen.rtt_set_ms,
            seen.loss_set,
            (both[0], both[1]),
            slot.satellite,
            slot.gateway,
        )

    def close(self) -> None:
        """Write the trace of the slots that have begun, where one is wanted."""
        followed = self._followed
        if followed.trace is None:
            return
        now_us = (time.monotonic_ns() - self.began_ns) // 1_000
        begun = [slot for slot in self._traced if slot.at_us <= now_us]
        places = followed.trace_places
        lines = [header_line(followed.seed, followed.at_us if places else None)]
        lines += [slot_line(slot, places) for slot in begun]
        write_atomically(followed.trace, "\n".join(lines) + "\n")

    def starts_ns(self, slot: LinkSlot) -> int:
        """The monotonic instant at which a slot begins."""
        return self.began_ns + (slot.at_us - self._followed.at_us) * 1_000

    def under_way(self, now_ns: int) -> tuple[int, Seen]:
        """(its end, the slot) that holds an instant; after the last, the last."""
        return next((slot for slot in self.slots if slot[0] > now_ns), self.slots[-1])

    def begun(self, now_ns: int) -> list[Seen]:
        """The slots that have begun by then."""
        now_us = self._followed.at_us + (now_ns - self.began_ns) // 1_000
        return [seen for _, seen in self.slots if seen.at_us <= now_us]


def as_set(
    slot: LinkSlot, over: Overrides, start_ns: int, end_ns: int
) -> tuple[float, float, tuple[Stretch, Stretch]]:
    """(round trip, loss, up and down) of a slot as the sky says, or as set by hand."""
    loss = slot.loss_fraction if over.loss is None else over.loss
    loss = 0.0 if math.isnan(loss) else loss
    if not slot.up:
        down = Stretch(start_ns, end_ns, up=False)
        return math.nan, loss, (down, down)
    delays = (slot.up_us, slot.down_us)
    if over.delay_ms is not None:
        delays = ((over.delay_ms * 1_000,) * 2,) * 2
    rates = (slot.up_bps, slot.down_bps) if over.rate_mbps is None else (over.rate_mbps * 1e6,) * 2
    up, down = (
        Stretch(
            start_ns,
            end_ns,
            int(begin_us * 1_000),
            int(finish_us * 1_000),
            math.inf if math.isnan(rate_bps) else rate_bps,
            loss,
        )
        for (begin_us, finish_us), rate_bps in zip(delays, rates, strict=True)
    )
    return sum((one[0] + one[1]) / 2 for one in delays) / 1_000, loss, (up, down)


def set_by_hand(piece: Stretch, over: Overrides, began_ns: int) -> Stretch:
    """A recorded piece, counted from the run's beginning, with what is set instead."""
    delay_ns = None if over.delay_ms is None else int(over.delay_ms * 1e6)
    return Stretch(
        began_ns + piece.start_ns,
        began_ns + piece.end_ns,
        piece.delay_start_ns if delay_ns is None else delay_ns,
        piece.delay_end_ns if delay_ns is None else delay_ns,
        piece.rate_bps if over.rate_mbps is None else over.rate_mbps * 1e6,
        piece.loss_fraction if over.loss is None else over.loss,
        piece.up,
    )


def begin_sky(stack: ExitStack, followed: Followed) -> Connection:
    """The process that tells slots; it ends with the stack."""
    main: Any = sky_main
    if isinstance(followed.source, ServerLink):
        main = server_main
    elif isinstance(followed.source, Replay):
        main = replay_main
    return begin_teller(stack, main, (followed.source, followed.terminal, followed.at_us))


def begin_teller(stack: ExitStack, main: Any, args: tuple[Any, ...]) -> Connection:
    """A process that runs main(connection, *args), and our end of the connection.

    It ends with the stack, and with this process however that ends.
    """
    context = multiprocessing.get_context("spawn")
    ours, theirs = context.Pipe(duplex=False)
    process = context.Process(target=_tell, args=(main, theirs, *args), daemon=True)
    process.start()
    theirs.close()
    stack.callback(process.join, 5)
    stack.callback(process.kill)
    stack.callback(ours.close)
    return ours


def _tell(main: Any, *args: Any) -> None:
    # Who began it ends it: what a whole process group gets is not for it.
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, signal.SIG_IGN)
    threading.Thread(target=_end_with_parent, daemon=True).start()
    main(*args)


def _end_with_parent() -> None:
    """Not when the next slot finds nobody to hear it: that may be long after a kill."""
    parent = multiprocessing.parent_process()
    assert parent is not None
    wait([parent.sentinel])
    os._exit(1)


def first_slot(sky: Connection, say: Callable[[str], None]) -> LinkSlot:
    """The slot that the sky says first. Raises Refused or Unavailable where it says why there is none."""
    said = first_said(sky, say)
    assert isinstance(said, LinkSlot)
    for note in said.notes:
        say(f"note: {note}")
    if not said.up:
        say(f"note: it begins without a link: {said.why_down.replace('_', ' ')}")
    return said


def first_said(sky: Connection, say: Callable[[str], None] = _say_nothing) -> Any:
    """What the sky says first. Raises Refused or Unavailable where it says why there is nothing to say."""
    try:
        if not sky.poll(_SILENCE_S):
            say("working out the sky; the first time after an installation this takes a minute or two")
        said = sky.recv() if sky.poll(_SKY_PATIENCE_S) else None
    except EOFError:
        said = None
    if isinstance(said, Failure):
        error = (Refused if said.refused else Unavailable)(**said.error)
        raise error
    if said is None:
        raise Unavailable(
            "packets.sky",
            "the sky of the terminal",
            "it was not worked out in time",
            "try a smaller catalogue",
        )
    return said
