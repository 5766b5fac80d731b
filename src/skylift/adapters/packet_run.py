"""A run of real packets: two interfaces, one loop, the sky's slots as they come."""

from __future__ import annotations

import json
import os
import select
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field, replace
from ipaddress import IPv4Address, IPv6Address
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

from skylift.adapters import packet_stage
from skylift.adapters.packet_capture import Capture
from skylift.adapters.packet_link import Followed, LinkCourses, begin_sky, first_slot
from skylift.adapters.packet_sky import LinkSlot
from skylift.adapters.packet_wireguard import KeyKeeper
from skylift.adapters.tun import Timer
from skylift.base.errors import SkyliftError, Unavailable
from skylift.base.randomness import random_stream
from skylift.wire.packet.course import Course
from skylift.wire.packet.hops import Hop, forward, turned_back
from skylift.wire.packet.pipe import Counters, Lateness, Pipe, QueueRules
from skylift.wire.packet.report import STARVED_FRACTION, Kept
from skylift.wire.packet.uplinks import SKY, Fibre, Uplinks

UP, DOWN = 0, 1
# A frame of 64 kB of payload and its headers.
_LARGEST = 65_536 + 4_096
# Frames that are read from one side before the other has its turn.
_AT_ONCE = 64
# WireGuard makes keys of its own for each session, every two minutes; these are those of the two ends.
KEYS_LAST_S = 3_600.0


@dataclass(frozen=True, slots=True)
class Join:
    """What of others gets the link: a network namespace by its file, or a TUN interface by its name."""

    namespace: str = ""
    interface: str = ""


@dataclass(frozen=True, slots=True)
class Wanted:
    """A run: whose link, from when, with what set by hand, and what to run at both ends.

    encrypt      WireGuard from the terminal to the gateway
    keys_last_s  after so long both ends get new keys
    fibre        a second way out
    internet     whether the PoP reaches this machine's network
    join         namespace (a file) or TUN interface of others that gets the link; then there is no command
    capture      file for all that enters the link, as it would be seen between terminal and gateway
    """

    followed: Followed
    command: tuple[str, ...]
    pop_command: tuple[str, ...] = ()
    queue: QueueRules = field(default_factory=QueueRules)
    encrypt: bool = False
    keys_last_s: float = KEYS_LAST_S
    fibre: Fibre | None = None
    capture: Path | None = None
    internet: bool = False
    join: Join = Join()


@dataclass(frozen=True, slots=True)
class Outcome:
    """The command's exit status, the report as a document, the monotonic instant at which it began."""

    status: int
    report: dict[str, Any]
    began_ns: int = 0


def run(wanted: Wanted, ready: Callable[[], None] = lambda: None) -> Outcome:
    """Run a command behind a terminal until it ends. Raises Refused or Unavailable before it begins.

    ready  called when packets go through
    """
    with ExitStack() as stack:
        sky = begin_sky(stack, wanted.followed)
        first = first_slot(sky)
        hosts = _hosts(first, wanted)
        stage, channel = _begin_stage(stack, wanted, hosts)
        said, tuns = _handed_over(channel, stage)
        for descriptor in tuns:
            stack.callback(os.close, descriptor)
        loop = _Loop(wanted, (sky, channel), tuns, first, hosts)
        stack.callback(loop.close)
        channel.sendall(b"g")
        ready()
        status = loop.until_ends(stage)
        report = {**loop.report(), "encrypted": said["encrypted"]}
        return Outcome(status, report, loop.began_ns)


class _Way:
    """One way through: a pipe for each direction, and the routers on it."""

    def __init__(self, courses: Sequence[Course], hops: Sequence[Hop], wanted: Wanted, name: str) -> None:
        self.courses, self.hops = courses, hops
        self.pipes = tuple(
            Pipe(course, random_stream(wanted.followed.seed, f"{name}/{direction}"), wanted.queue)
            for course, direction in zip(courses, ("up", "down"), strict=True)
        )


class _Loop:
    """Reads, delays and writes frames until the stage's process ends."""

    def __init__(
        self,
        wanted: Wanted,
        told_by: tuple[Connection, socket.socket],
        tuns: Sequence[int],
        first: LinkSlot,
        hops: Sequence[Hop],
    ) -> None:
        self._wanted, self._tuns = wanted, tuns
        self._sky, self._stage_channel = told_by
        self._link = LinkCourses(wanted.followed)
        self._ways = [_Way(self._link.courses, hops, wanted, "packets")]
        self._timer = Timer()
        self._lateness = Lateness()
        self.began_ns = time.monotonic_ns()
        self._uplinks: Uplinks | None = None
        if wanted.fibre is not None:
            courses = [wanted.fibre.course(self.began_ns) for _ in (UP, DOWN)]
            self._ways.append(_Way(courses, hops[-1:], wanted, "fibre"))
            random = random_stream(wanted.followed.seed, "fibre/probes")
            self._uplinks = Uplinks(wanted.fibre, self.began_ns, random)
        self._keeper = KeyKeeper(self.began_ns, int(wanted.keys_last_s * 1e9)) if wanted.encrypt else None
        self._keys: list[dict[str, Any]] = []
        self._capture = Capture(wanted.capture) if wanted.capture is not None else None
        self._waited_ns = waited_ns()
        self._counted = [Counters(), Counters()]
        self._answers: list[tuple[int, bytes]] = []
        self._dropped = 0
        self._link.learn(first)
        self._keep_keys([first])

    def close(self) -> None:
        self._timer.close()
        self._link.close()
        if self._capture is not None:
            self._capture.close()

    def until_ends(self, stage: subprocess.Popen[bytes]) -> int:
        """Returns the exit status."""
        ended = os.pidfd_open(stage.pid)
        poll = select.epoll()
        try:
            for descriptor in (*self._tuns, self._timer.descriptor, self._sky.fileno(), ended):
                poll.register(descriptor, select.EPOLLIN)
            while True:
                ready = {descriptor for descriptor, _ in poll.poll()}
                if self._sky.fileno() in ready and not self._hear():
                    poll.unregister(self._sky.fileno())
                if self._timer.descriptor in ready:
                    self._timer.fired()
                if ended in ready:
                    self._dropped += _dropped(stage.pid)
                    return stage.wait()
                self._turn(ready)
        except KeyboardInterrupt:
            if not self._wanted.command:
                stage.terminate()
            # The command has got it too; it decides.
            return self.until_ends(stage)
        finally:
            poll.close()
            os.close(ended)

    def _hear(self) -> bool:
        """Take what the sky says; false when it says no more."""
        heard = self._link.hear(self._sky)
        self._keep_keys(heard or [])
        return heard is not None

    def _turn(self, ready: set[int]) -> None:
        for side in (UP, DOWN):
            if self._tuns[side] in ready:
                self._read(side)
        wakes = self._end_early(ready)
        for number in range(len(self._ways)):
            wakes += self._take(number)
        watched = [one for one in (self._uplinks, self._keeper) if one is not None]
        wakes += [self._watch(one, time.monotonic_ns()) for one in watched]
        self._timer.arm(min(wakes, default=None))

    def _end_early(self, ready: set[int]) -> list[int]:
        """Answer packets whose TTL ends before the PoP, where the tunnel hides them; when to look again."""
        for descriptor in self._tuns[2:]:
            while descriptor in ready:
                try:
                    frame = os.read(descriptor, _LARGEST)
                except OSError:
                    break
                way = self._ways[SKY]
                _, ended_at = forward(frame, way.hops)
                if ended_at is None:
                    continue
                answer = turned_back(frame, ended_at, True, way.courses, time.monotonic_ns())
                if answer is not None:
                    self._answers.append(answer)
            self._answers.sort(key=lambda one: one[0])
            while self._answers and self._answers[0][0] <= time.monotonic_ns():
                self._write(descriptor, self._answers.pop(0)[1])
        return [due_ns for due_ns, _ in self._answers[:1]]

    def _take(self, number: int) -> list[int]:
        """Write what has come through a way; when to look again."""
        pipes = self._ways[number].pipes
        for side, pipe in enumerate(pipes):
            now_ns = time.monotonic_ns()
            for due_ns, frame in pipe.take(now_ns):
                self._write(self._tuns[1 - side], frame)
                self._lateness.note(time.monotonic_ns() - due_ns)
                if self._uplinks is not None:
                    self._uplinks.arrived(number, side == UP, now_ns)
            if number == SKY:
                self._count(side, now_ns)
        return [wake_ns for wake_ns in (pipe.next_ns() for pipe in pipes) if wake_ns is not None]

    def _watch(self, watching: Uplinks | KeyKeeper, now_ns: int) -> int:
        """Do what is due of ways and keys; when to look again."""
        if isinstance(watching, Uplinks):
            watching.turn(now_ns)
            return watching.next_ns()
        for word in watching.due(now_ns):
            self._stage_channel.sendall(word)
            what = "withdrawn" if word == KeyKeeper.WITHDRAW else "renewed"
            at_us = self._wanted.followed.at_us + (now_ns - self._link.began_ns) // 1_000
            self._keys.append({"at_us": at_us, "what": what})
        return watching.next_ns()

    def _keep_keys(self, slots: Sequence[LinkSlot]) -> None:
        if self._keeper is not None:
            for slot in slots:
                self._keeper.told(self._link.starts_ns(slot), slot.why_down)

    def _read(self, side: int) -> None:
        for _ in range(_AT_ONCE):
            try:
                frame = os.read(self._tuns[side], _LARGEST)
            except BlockingIOError:
                return
            except OSError:
                # The interface is going away with its namespace.
                return
            now_ns = time.monotonic_ns()
            if self._capture is not None:
                self._capture.note(frame, now_ns - self.began_ns + self._wanted.followed.at_us * 1_000)
            way = self._ways[SKY]
            if self._uplinks is not None:
                way = self._ways[self._uplinks.up if side == UP else self._uplinks.down]
            # What goes up meets the hops from the terminal on, what comes down from the PoP on.
            hops = way.hops if side == UP else way.hops[::-1]
            passed, ended_at = forward(frame, hops)
            if ended_at is None:
                way.pipes[side].put(passed, now_ns)
                continue
            answer = turned_back(frame, ended_at, side == UP, way.courses, now_ns)
            if answer is not None:
                way.pipes[1 - side].insert(answer[1], answer[0], now_ns)

    def _write(self, descriptor: int, frame: bytes) -> None:
        try:
            os.write(descriptor, frame)
        except OSError:
            # Full, or gone: counted as the interface's loss, not the link's.
            self._dropped += 1

    def _count(self, side: int, now_ns: int) -> None:
        """Book what the pipe did since the last turn under the slot under way."""
        self._link.under_way(now_ns).count(side, self._counted[side], self._ways[SKY].pipes[side].counters)
        self._counted[side] = replace(self._ways[SKY].pipes[side].counters)

    def report(self) -> dict[str, Any]:
        """The run as a document."""
        wall_ns = max(1, time.monotonic_ns() - self.began_ns)
        starved = (waited_ns() - self._waited_ns) / wall_ns > STARVED_FRACTION
        kept = Kept(
            self._lateness.percentile_us(50), self._lateness.percentile_us(99), self._dropped, starved
        )
        begun = self._link.begun(time.monotonic_ns())
        said: dict[str, Any] = {**kept.as_dict(), "slots": [seen.as_dict() for seen in begun]}
        if self._uplinks is not None:
            said["switchovers"] = self._uplinks.as_dicts()
        if self._keeper is not None:
            said["keys"] = self._keys
        return said


def _hosts(first: LinkSlot, wanted: Wanted) -> list[Hop]:
    """The routers on the way, and behind them (part above 1) the hosts that have a name."""
    whole = max(1.0, first.up_us[0]) if first.up else 1.0
    # Where on the way they lie changes with every slot; for traceroute the first slot's is near enough.
    satellites = max(1, first.satellites)
    names = [f"satellite-{number + 1}" for number in range(satellites)] if satellites > 1 else ["satellite"]
    hops = []
    for number, name in enumerate([*names, "gateway", "pop-router"]):
        part = min(1.0, (number + 1) / (satellites + 1)) if whole else 1.0
        hops.append(
            Hop(
                name,
                IPv4Address(f"100.127.1.{number + 1}"),
                IPv6Address(f"fd5c:1f70:0:2::{number + 1:x}"),
                part,
            )
        )
    return hops


def _begin_stage(
    stack: ExitStack, wanted: Wanted, hops: Sequence[Hop]
) -> tuple[subprocess.Popen[bytes], socket.socket]:
    ours, theirs = socket.socketpair()
    stack.callback(ours.close)
    stage = subprocess.Popen(
        [sys.executable, "-m", "skylift.adapters.packet_stage", str(theirs.fileno())],
        pass_fds=[theirs.fileno()],
    )
    stack.callback(stage.wait)
    stack.callback(stage.kill)
    theirs.close()
    hosts = {str(address): hop.name for hop in hops for address in (hop.address4, hop.address6)}
    hosts |= dict.fromkeys((packet_stage.POP4, packet_stage.POP6), "pop")
    document = {
        "hosts": hosts,
        "command": list(wanted.command),
        "pop_command": list(wanted.pop_command),
        "hops": len(hops),
        "encrypt": wanted.encrypt,
        "internet": wanted.internet,
        "namespace": wanted.join.namespace,
        "interface": wanted.join.interface,
    }
    ours.sendall(json.dumps(document).encode() + b"\n")
    return stage, ours


def _handed_over(channel: socket.socket, stage: subprocess.Popen[bytes]) -> tuple[dict[str, Any], list[int]]:
    """What the stage says, and the two interfaces. Raises what it says went wrong."""
    text = b""
    while not text.endswith(b"\n"):
        part = channel.recv(1)
        if not part:
            raise Unavailable(
                "packets.stage", "the namespaces", f"their process ended ({stage.wait()})", "see above"
            )
        text += part
    said = json.loads(text)
    if "error" in said:
        error: SkyliftError = Unavailable(**said["error"])
        raise error
    _, descriptors, _, _ = socket.recv_fds(channel, 16, 3)
    return said, list(descriptors)


def _dropped(stage_pid: int) -> int:
    """Frames that the PoP's interface dropped. The terminal's namespace is gone with its last process."""
    try:
        lines = Path(f"/proc/{stage_pid}/net/dev").read_text(encoding="ascii").splitlines()
    except OSError:
        return 0
    for line in lines:
        name, _, numbers = line.partition(":")
        if name.strip() == "pop0":
            columns = numbers.split()
            return int(columns[3]) + int(columns[11])
    return 0


def waited_ns() -> int:
    """How long this thread has waited for a processor, ever; 0 where the kernel does not say."""
    try:
        return int(Path("/proc/self/schedstat").read_text(encoding="ascii").split()[1])
    except (OSError, ValueError, IndexError):
        return 0
