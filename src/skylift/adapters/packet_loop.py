"""The loop of a run of real packets: reads, delays and writes frames, and keeps to what the slots say."""

from __future__ import annotations

import gc
import json
import os
import select
import socket
import subprocess
import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

from skylift.adapters.packet_capture import Capture
from skylift.adapters.packet_link import LinkCourses
from skylift.adapters.packet_sky import LinkSlot
from skylift.adapters.packet_wanted import Wanted
from skylift.adapters.packet_wireguard import KeyKeeper
from skylift.adapters.tun import Timer
from skylift.base.randomness import random_stream
from skylift.wire.packet.course import Course
from skylift.wire.packet.density import Density
from skylift.wire.packet.frame import Frame
from skylift.wire.packet.hops import Hop, forward, to_a_group, turned_back
from skylift.wire.packet.pipe import Counters, Lateness, Pipe
from skylift.wire.packet.report import STARVED_FRACTION, Kept
from skylift.wire.packet.uplinks import SKY, Uplinks

UP, DOWN = 0, 1
# A frame of 64 kB of payload and its headers.
LARGEST = 65_536 + 4_096
# Frames that are read from one side before the other has its turn.
_AT_ONCE = 32
# Longer frames stay where they were read, and shorter ones are copied from there.
_LARGE = 16_384
_SPARE_BUFFERS = 64
# In a dense stream frames that come out closer together share a wake-up: one for each took a quarter of the
# loop's time at 200 Mbit/s of single packets, and 400 were out of reach.
_PAUSE_NS = 150_000
# In a stream of single packets that is denser still, those that come are read together too, which saves an
# eighth of our time at 350 encrypted Mbit/s. The system lets us rest for some 50 us more.
_DENSE_PER_S = 20_000
_REST_S = 100e-6
_SINGLE = 2_048
_NEVER_NS = 1 << 62


class _Way:
    """One way through: a pipe for each direction, and the routers on it as each direction meets them."""

    def __init__(
        self,
        courses: Sequence[Course],
        hops: Sequence[Hop],
        wanted: Wanted,
        name: str,
        rest_ns: Sequence[int],
    ) -> None:
        self.courses, self.hops = courses, (hops, hops[::-1])
        self.pipes = tuple(
            Pipe(course, random_stream(wanted.followed.seed, f"{name}/{direction}"), wanted.queue, rest)
            for course, direction, rest in zip(courses, ("up", "down"), rest_ns, strict=True)
        )


class Loop:
    """Reads, delays and writes frames until the stage's process ends.

    told_by  the sky's slots, and the stage's words
    tuns     the terminal's interface, the PoP's, and where there is one, that of packets that end on the way
    rest_ns  what the way takes besides the link, up and down
    """

    def __init__(
        self,
        wanted: Wanted,
        told_by: tuple[Connection, socket.socket],
        tuns: Sequence[int],
        first: LinkSlot,
        hops: Sequence[Hop],
        rest_ns: Sequence[int] = (0, 0),
    ) -> None:
        self._wanted, self._tuns = wanted, tuns
        self._sky, self._stage_channel = told_by
        self._link = LinkCourses(wanted.followed)
        self._ways = [_Way(self._link.courses, hops, wanted, "packets", rest_ns)]
        self._timer = Timer()
        self._lateness = Lateness()
        self._spare = [bytearray(LARGEST)]
        self.began_ns = time.monotonic_ns()
        self._uplinks: Uplinks | None = None
        if wanted.fibre is not None:
            courses = [wanted.fibre.course(self.began_ns) for _ in (UP, DOWN)]
            self._ways.append(_Way(courses, hops[-1:], wanted, "fibre", rest_ns))
            random = random_stream(wanted.followed.seed, "fibre/probes")
            self._uplinks = Uplinks(wanted.fibre, self.began_ns, random)
        self._keeper = KeyKeeper(self.began_ns, int(wanted.keys_last_s * 1e9)) if wanted.encrypt else None
        self._keys: list[dict[str, Any]] = []
        self._watch_ns = _NEVER_NS if self._keeper is None and self._uplinks is None else 0
        self._capture = Capture(wanted.capture) if wanted.capture is not None else None
        self._waited_ns = waited_ns()
        self._turned_ns = 0
        self._singles = Density(_DENSE_PER_S, _PAUSE_NS)
        self._answers: list[tuple[int, bytes]] = []
        self._dropped, self._ended = 0, False
        self._counted = [Counters(), Counters()]
        self._learn([first])
        self._slot_ends_ns, self._slot = self._link.under_way(self.began_ns)

    def close(self) -> None:
        self._timer.close()
        self._link.close()
        if self._capture is not None:
            self._capture.close()

    def until_ends(self, stage: subprocess.Popen[bytes]) -> int:
        """Returns the exit status."""
        status = stage.poll()
        if status is not None:
            # Whoever ended us has ended it as well.
            return status if status >= 0 else 128 - status
        ended = os.pidfd_open(stage.pid)
        poll = select.epoll()
        waiting: dict[int, Callable[[], object]] = {
            self._tuns[UP]: lambda: self._read(UP),
            self._tuns[DOWN]: lambda: self._read(DOWN),
            self._timer.descriptor: self._timer.fired,
            self._sky.fileno(): lambda: self._hear(poll),
            ended: self._end,
        }
        for descriptor in self._tuns[2:]:
            waiting[descriptor] = self._end_early
        # What is there by now stays; looking through all of it again and again would hold packets up.
        gc.freeze()
        try:
            for descriptor in waiting:
                poll.register(descriptor, select.EPOLLIN)
            while True:
                dense = self._singles.dense
                if dense:
                    time.sleep(_REST_S)
                for descriptor, _ in poll.poll(0 if dense else None):
                    waiting[descriptor]()
                if self._ended:
                    self._dropped += self._dropped_by_system()
                    return stage.wait()
                self._turn()
        except KeyboardInterrupt:
            if not self._wanted.command:
                stage.terminate()
            # The command has got it too; it decides.
            return self.until_ends(stage)
        finally:
            gc.unfreeze()
            poll.close()
            os.close(ended)

    def _end(self) -> None:
        self._ended = True

    def _hear(self, poll: select.epoll) -> None:
        """Take what the sky says, until it says no more."""
        heard = self._link.hear(self._sky)
        if heard is None:
            poll.unregister(self._sky.fileno())
        self._keep_keys(heard or [])

    def _learn(self, slots: Sequence[LinkSlot]) -> None:
        for slot in slots:
            self._link.learn(slot)
        self._keep_keys(slots)

    def _keep_keys(self, slots: Sequence[LinkSlot]) -> None:
        if self._keeper is not None:
            for slot in slots:
                self._keeper.told(self._link.starts_ns(slot), slot.why_down)
            self._watch_ns = 0

    def _turn(self) -> None:
        """Write what has come through, and set the timer for what comes next."""
        now_ns = time.monotonic_ns()
        if now_ns >= self._slot_ends_ns:
            self._book(now_ns)
        wake_ns = _NEVER_NS
        for number, way in enumerate(self._ways):
            for side, pipe in enumerate(way.pipes):
                next_ns = pipe.next_ns()
                if next_ns is not None and next_ns <= now_ns:
                    self._deliver(number, side, pipe)
                    next_ns = pipe.next_ns()
                if next_ns is not None and next_ns < wake_ns:
                    wake_ns = next_ns
        if self._answers:
            wake_ns = min(wake_ns, self._give_answers())
        if now_ns >= self._watch_ns:
            self._watch(now_ns)
        wake_ns = min(wake_ns, self._watch_ns)
        if now_ns - self._turned_ns < 2 * _PAUSE_NS:
            wake_ns = max(wake_ns, now_ns + _PAUSE_NS)
        self._turned_ns = now_ns
        if not self._singles.turn(now_ns):
            self._timer.arm(None if wake_ns == _NEVER_NS else wake_ns)

    def _deliver(self, number: int, side: int, pipe: Pipe) -> None:
        now_ns = time.monotonic_ns()
        descriptor, late = self._tuns[1 - side], self._lateness
        for due_ns, frame in pipe.take(now_ns):
            self._write(descriptor, frame)
            late.note(time.monotonic_ns() - due_ns)
            if isinstance(frame, memoryview):
                self._give_back(frame.obj)
            if self._uplinks is not None:
                self._uplinks.arrived(number, side == UP, now_ns)

    def _read(self, side: int) -> None:
        descriptor, way = self._tuns[side], self._ways[SKY]
        if self._uplinks is not None:
            way = self._ways[self._uplinks.up if side == UP else self._uplinks.down]
        pipe, hops = way.pipes[side], way.hops[side]
        for _ in range(_AT_ONCE):
            try:
                frame = self._next_frame(descriptor)
            except OSError:
                # Nothing is left, or the interface is going away with its namespace.
                return
            now_ns = time.monotonic_ns()
            if len(frame) < _SINGLE:
                self._singles.came += 1
            if self._capture is not None:
                self._capture.note(frame, now_ns - self.began_ns + self._wanted.followed.at_us * 1_000)
            if to_a_group(frame):
                continue
            passed, ended_at = forward(frame, hops)
            if ended_at is None:
                pipe.put(passed, now_ns)
                continue
            answer = turned_back(frame, ended_at, side == UP, way.courses, now_ns)
            if answer is not None:
                way.pipes[1 - side].insert(answer[1], answer[0], now_ns)

    def _next_frame(self, descriptor: int) -> bytearray | memoryview:
        """Read one. Raises BlockingIOError where there is none."""
        buffer = self._spare[-1]
        length = os.readv(descriptor, (buffer,))
        if length <= _LARGE:
            return buffer[:length]
        self._spare.pop()
        if not self._spare:
            self._spare.append(bytearray(LARGEST))
        return memoryview(buffer)[:length]

    def _give_back(self, buffer: object) -> None:
        if isinstance(buffer, bytearray) and len(self._spare) < _SPARE_BUFFERS:
            self._spare.append(buffer)

    def _end_early(self) -> None:
        """Answer packets whose TTL ends before the PoP, where the tunnel hides them."""
        way = self._ways[SKY]
        while True:
            try:
                frame = os.read(self._tuns[2], LARGEST)
            except OSError:
                break
            _, ended_at = forward(frame, way.hops[UP])
            if ended_at is not None:
                answer = turned_back(frame, ended_at, True, way.courses, time.monotonic_ns())
                self._answers += [] if answer is None else [answer]
        self._answers.sort(key=lambda one: one[0])

    def _give_answers(self) -> int:
        """Write those that are due; when the next is."""
        while self._answers and self._answers[0][0] <= time.monotonic_ns():
            self._write(self._tuns[2], self._answers.pop(0)[1])
        return self._answers[0][0] if self._answers else _NEVER_NS

    def _watch(self, now_ns: int) -> None:
        """Do what is due of ways and keys."""
        self._watch_ns = _NEVER_NS
        if self._uplinks is not None:
            self._uplinks.turn(now_ns)
            self._watch_ns = self._uplinks.next_ns()
        if self._keeper is None:
            return
        for word in self._keeper.due(now_ns):
            self._stage_channel.sendall(word)
            what = "withdrawn" if word == KeyKeeper.WITHDRAW else "renewed"
            at_us = self._wanted.followed.at_us + (now_ns - self._link.began_ns) // 1_000
            self._keys.append({"at_us": at_us, "what": what})
        self._watch_ns = min(self._watch_ns, self._keeper.next_ns())

    def _write(self, descriptor: int, frame: Frame) -> None:
        try:
            os.write(descriptor, frame)
        except OSError:
            # Full, or gone: counted as the interface's loss, not the link's.
            self._dropped += 1

    def _book(self, now_ns: int) -> None:
        """Book what the pipes did since the last time under the slot that was under way."""
        for side, pipe in enumerate(self._ways[SKY].pipes):
            self._slot.count(side, self._counted[side], pipe.counters)
            self._counted[side] = replace(pipe.counters)
        self._slot_ends_ns, self._slot = self._link.under_way(now_ns)

    def _dropped_by_system(self) -> int:
        """Frames that the system dropped before we read or after we wrote them, as the stage counted them."""
        try:
            self._stage_channel.settimeout(1.0)
            return int(json.loads(self._stage_channel.recv(256))["dropped"])
        except (OSError, ValueError, KeyError):
            # It was killed.
            return 0

    def report(self) -> dict[str, Any]:
        """The run as a document."""
        now_ns = time.monotonic_ns()
        self._book(now_ns)
        starved = (waited_ns() - self._waited_ns) / max(1, now_ns - self.began_ns) > STARVED_FRACTION
        kept = Kept(
            self._lateness.percentile_us(50), self._lateness.percentile_us(99), self._dropped, starved
        )
        begun = self._link.begun(now_ns)
        said: dict[str, Any] = {**kept.as_dict(), "slots": [seen.as_dict() for seen in begun]}
        if self._uplinks is not None:
            said["switchovers"] = self._uplinks.as_dicts()
        if self._keeper is not None:
            said["keys"] = self._keys
        return said


def waited_ns() -> int:
    """How long this thread has waited for a processor, ever; 0 where the kernel does not say."""
    try:
        return int(Path("/proc/self/schedstat").read_text(encoding="ascii").split()[1])
    except (OSError, ValueError, IndexError):
        return 0
