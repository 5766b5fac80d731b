"""The process that carries the packets of many terminals: one loop, one timer, all interfaces.

adapters/packet_net_run.py begins it, with one end of a socket and the sky's pipe. Namespaces have no names:
they end with this process, and it ends with the one that began it.
"""

from __future__ import annotations

import gc
import json
import os
import resource
import select
import signal
import socket
import sys
import time
from dataclasses import dataclass
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

from skylift.adapters import packet_net_stage, tun
from skylift.adapters.packet_link import Overrides, as_set
from skylift.adapters.packet_loop import LARGEST, waited_ns
from skylift.adapters.packet_net_sky import Told, notes_of
from skylift.adapters.packet_net_stage import FIRST4, FIRST6, HOPS, Stage
from skylift.adapters.packet_network import dropped_by
from skylift.adapters.packet_sky import Failure, LinkSlot
from skylift.base.errors import SkyliftError, Unavailable
from skylift.base.randomness import random_stream
from skylift.wire.packet.frame import Frame
from skylift.wire.packet.net import POP, Ledger, Net, Port
from skylift.wire.packet.pipe import Lateness, Pipe, QueueRules
from skylift.wire.packet.report import STARVED_FRACTION, Kept, Seen
from skylift.wire.packet.texture import TexturedCourse, preset

# Frames that are read from one interface before the next has its turn.
_AT_ONCE = 16
# Where nothing is due for longer, there is time to prepare something.
_IDLE_NS = 1_000_000
# Commands that are to end are given this long.
_PATIENCE_NS = 3_000_000_000
_SKY_PATIENCE_S = 120.0


@dataclass(frozen=True, slots=True)
class Orders:
    """What to do.

    at_us        the sky's instant at which it begins
    command      behind each terminal, {terminal} standing for its id; () for none
    pop_command  at the PoP
    seconds      after which it ends; None: when the commands have ended, or never
    folder       where what the commands say goes, one file each; "" for where ours goes
    keep         whether the report has all slots, or the last few
    anchor_ns    the monotonic instant that at_us is; None: when packets begin to go through
    """

    at_us: int
    command: tuple[str, ...] = ()
    pop_command: tuple[str, ...] = ()
    seconds: float | None = None
    folder: str = ""
    keep: bool = False
    preset: str = "ideal"
    seed: int = 0
    queue_bytes: int = 1_000_000
    delay_ms: float | None = None
    rate_mbps: float | None = None
    loss: float | None = None
    anchor_ns: int | None = None


def main(channel: socket.socket, sky: Connection) -> int:
    """Set up, carry, tell. Returns 0, or 1 where nothing came of it."""
    # Who began it says when to end, also where all got the signal.
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, signal.SIG_IGN)
    tun.die_with_parent(signal.SIGKILL)
    with channel.makefile("rb") as lines:
        told = json.loads(lines.readline())
    ids = told.pop("ids")
    orders = Orders(**told)
    began_s = time.monotonic()
    try:
        stage = packet_net_stage.set_up(ids)
        created_s = time.monotonic() - began_s
        loop = _Loop(orders, stage, sky, channel)
    except SkyliftError as error:
        _say(channel, {"error": error.as_dict()["error"]})
        return 1
    _say(channel, {"created_s": round(created_s, 3), "terminals": stage.told(), "notes": loop.notes})
    loop.until_ends()
    _say(channel, {"created_s": round(created_s, 3), **loop.report()})
    return 0


def _say(channel: socket.socket, said: dict[str, Any]) -> None:
    channel.setblocking(True)
    channel.sendall(json.dumps(said).encode() + b"\n")


class _Loop:
    """Reads, delays and writes frames of all terminals."""

    def __init__(self, orders: Orders, stage: Stage, sky: Connection, channel: socket.socket) -> None:
        self._orders, self._stage, self._sky, self._channel = orders, stage, sky, channel
        self._overrides = Overrides(orders.delay_ms, orders.rate_mbps, orders.loss)
        self._net = Net([self._port(number) for number in range(len(stage.ids))], HOPS)
        self._ledger = Ledger(self._net, orders.keep)
        self._numbers = {descriptor: number for number, descriptor in enumerate(stage.tuns)}
        self._numbers[stage.pop_tun] = POP
        self._buffer = bytearray(LARGEST)
        self._timer = tun.Timer()
        self._lateness = Lateness()
        self._waited_ns = waited_ns()
        self._dropped = 0
        # Terminals whose command is still to be begun; commands that run, by the descriptor of their process.
        self._to_begin = list(range(len(stage.ids)))[::-1] if orders.command else []
        self._running: dict[int, tuple[int, int]] = {}
        self._status: dict[int, int] = {}
        self._prepared = 0
        early = self._first_slots()
        self.notes = notes_of(stage.ids, early)
        self._length_us = early[0][1].length_us
        self._began_ns = self._edge_ns = time.monotonic_ns()
        self._anchor_ns = self._began_ns if orders.anchor_ns is None else orders.anchor_ns
        for number, slot in early:
            self._learn(number, slot)
        for course in (course for port in self._net.ports for course in port.courses):
            # All begin at once, and should not have to wait for one another's first slot.
            course.at(self._began_ns)
        self._stop_ns = None if orders.seconds is None else self._began_ns + int(orders.seconds * 1e9)
        self._end_ns: int | None = None

    def _port(self, number: int) -> Port:
        orders, id = self._orders, self._stage.ids[number]
        up_texture, down_texture = preset(orders.preset)
        courses = (
            TexturedCourse(up_texture, orders.seed, f"{id}/up"),
            TexturedCourse(down_texture, orders.seed, f"{id}/down"),
        )
        rules = QueueRules(orders.queue_bytes)
        up, down = (
            Pipe(course, random_stream(orders.seed, f"packets/{id}/{direction}"), rules)
            for course, direction in zip(courses, ("up", "down"), strict=True)
        )
        return Port(id, FIRST4 + number, FIRST6 + number, courses, (up, down))

    def _first_slots(self) -> Told:
        """The first slots, until every terminal has one. Raises what the sky says went wrong."""
        early: Told = []
        missing = set(range(len(self._stage.ids)))
        while missing:
            try:
                said = self._sky.recv() if self._sky.poll(_SKY_PATIENCE_S) else None
            except EOFError:
                said = None
            if isinstance(said, Failure):
                raise Unavailable(**said.error)
            if said is None:
                raise Unavailable(
                    "packets.sky", "the sky of the terminals", "it was not worked out in time", "try fewer"
                )
            early += said
            missing -= {number for number, _ in said}
        return early

    def _learn(self, number: int, slot: LinkSlot) -> None:
        start_ns = self._anchor_ns + (slot.at_us - self._orders.at_us) * 1_000
        self._edge_ns = min(self._edge_ns, start_ns)
        rtt_ms, loss, both = as_set(slot, self._overrides, start_ns, start_ns + slot.length_us * 1_000)
        for course, stretch in zip(self._net.ports[number].courses, both, strict=True):
            course.tell(stretch, slot.at_us, slot.handover)
        seen = Seen(slot.at_us, slot.satellite, slot.gateway, rtt_ms, loss, length_us=slot.length_us)
        self._ledger.told(number, seen)

    def until_ends(self) -> None:
        poll = select.epoll()
        for descriptor in (
            *self._numbers,
            self._timer.descriptor,
            self._sky.fileno(),
            self._channel.fileno(),
        ):
            poll.register(descriptor, select.EPOLLIN)
        at_pop = self._begin_at_pop()
        self._timer.arm(1)
        # What is there by now stays; looking through all of it again and again would hold packets up.
        gc.freeze()
        while not self._over():
            for descriptor, _ in poll.poll():
                self._ready(descriptor, poll)
            self._turn(poll)
        if at_pop is not None:
            os.kill(at_pop, signal.SIGTERM)
        self._ledger.book(self._at_us(time.monotonic_ns()))

    def _begin_at_pop(self) -> int | None:
        if not self._orders.pop_command:
            return None
        folder = Path(self._orders.folder) if self._orders.folder else None
        return packet_net_stage.begin(self._stage, self._orders.pop_command, None, folder)

    def _over(self) -> bool:
        """Whether all is done: the commands have ended, or they were to end and have been waited for."""
        now_ns = time.monotonic_ns()
        if self._end_ns is None and self._stop_ns is not None and now_ns >= self._stop_ns:
            self._end(now_ns)
        if self._end_ns is not None:
            return not self._running or now_ns >= self._end_ns
        return bool(self._orders.command) and not self._running and not self._to_begin

    def _end(self, now_ns: int) -> None:
        """Ask all commands to end."""
        self._end_ns = now_ns + _PATIENCE_NS
        self._to_begin = []
        for process, _ in self._running.values():
            os.kill(process, signal.SIGTERM)

    def _ready(self, descriptor: int, poll: select.epoll) -> None:
        if descriptor in self._numbers:
            self._read(descriptor, self._numbers[descriptor])
        elif descriptor == self._timer.descriptor:
            self._timer.fired()
        elif descriptor == self._sky.fileno():
            self._hear(poll)
        elif descriptor in self._running:
            process, number = self._running.pop(descriptor)
            code = os.waitstatus_to_exitcode(os.waitpid(process, 0)[1])
            self._status[number] = code if code >= 0 else 128 - code
            poll.unregister(descriptor)
            os.close(descriptor)
        elif descriptor == self._channel.fileno():
            poll.unregister(descriptor)
            self._end(time.monotonic_ns())

    def _hear(self, poll: select.epoll) -> None:
        """One message of the sky's: more wait until the packets have had their turn."""
        try:
            said = self._sky.recv()
        except (EOFError, OSError):
            poll.unregister(self._sky.fileno())
            return
        for number, slot in [] if isinstance(said, Failure) else said:
            self._learn(number, slot)

    def _read(self, descriptor: int, number: int) -> None:
        for _ in range(_AT_ONCE):
            try:
                length = os.readv(descriptor, [self._buffer])
            except OSError:
                # Nothing more for now.
                return
            frame = self._buffer[:length]
            now_ns = time.monotonic_ns()
            if number == POP:
                self._net.answer(frame, now_ns)
            else:
                self._net.send(number, frame, now_ns)

    def _turn(self, poll: select.epoll) -> None:
        now_ns = time.monotonic_ns()
        if now_ns >= self._edge_ns:
            # What was counted until now belongs to the slot that is over.
            self._ledger.book(self._at_us(self._edge_ns) - 1)
            while self._edge_ns <= now_ns:
                self._edge_ns += self._length_us * 1_000
        for number, due_ns, frame in self._net.take(now_ns):
            self._write(self._stage.pop_tun if number == POP else self._stage.tuns[number], frame)
            self._lateness.note(time.monotonic_ns() - due_ns)
        if self._to_begin:
            number = self._to_begin.pop()
            folder = Path(self._orders.folder) if self._orders.folder else None
            process = packet_net_stage.begin(self._stage, self._orders.command, number, folder)
            ended = os.pidfd_open(process)
            self._running[ended] = process, number
            poll.register(ended, select.EPOLLIN)
        wakes = (self._net.next_ns(), self._stop_ns, self._end_ns, self._edge_ns)
        wake_ns = 1 if self._to_begin else min(wake for wake in wakes if wake is not None)
        if wake_ns - now_ns > _IDLE_NS:
            self._prepare()
        self._timer.arm(wake_ns)

    def _prepare(self) -> None:
        """Look at one terminal's next slot, while nothing is due."""
        self._prepared = (self._prepared + 1) % len(self._net.ports)
        for course in self._net.ports[self._prepared].courses:
            course.prepare()

    def _write(self, descriptor: int, frame: Frame) -> None:
        try:
            os.write(descriptor, frame)
        except OSError:
            self._dropped += 1

    def _at_us(self, now_ns: int) -> int:
        """The sky's instant."""
        return self._orders.at_us + (now_ns - self._anchor_ns) // 1_000

    def report(self) -> dict[str, Any]:
        """The run as a document; of each terminal what its command came to, and its slots."""
        now_ns = time.monotonic_ns()
        wall_ns = max(1, now_ns - self._began_ns)
        starved = (waited_ns() - self._waited_ns) / wall_ns > STARVED_FRACTION
        dropped = self._dropped + self._dropped_by_system()
        kept = Kept(self._lateness.percentile_us(50), self._lateness.percentile_us(99), dropped, starved)
        used = resource.getrusage(resource.RUSAGE_SELF)
        terminals = [
            {
                **told,
                "status": self._status.get(number),
                "slots": [seen.as_dict() for seen in self._ledger.seen(number)],
            }
            for number, told in enumerate(self._stage.told())
        ]
        for told in terminals:
            # It has ended with the run.
            del told["namespace"]
        return {
            **kept.as_dict(),
            "seconds": round(wall_ns / 1e9, 3),
            "cpu_s": round(used.ru_utime + used.ru_stime, 3),
            "memory_mb": _most_memory_mb(),
            "to_nobody": self._net.strays,
            "encrypted": None,
            "terminals": terminals,
        }

    def _dropped_by_system(self) -> int:
        stage = self._stage
        ends = [(namespace, "sky0") for namespace in stage.namespaces] + [(stage.pop_namespace, "pop0")]
        total = 0
        for namespace, name in ends:
            tun.set_namespace(namespace, tun.CLONE_NEWNET)
            total += dropped_by(name)
        return total


def _most_memory_mb() -> float:
    """The most that this process has had resident. (What getrusage says has the parent's in it.)"""
    lines = Path("/proc/self/status").read_text(encoding="ascii").splitlines()
    peak_kb = next((int(line.split()[1]) for line in lines if line.startswith("VmHWM:")), 0)
    return round(peak_kb * 1_024 / 1e6, 1)


if __name__ == "__main__":
    sys.exit(main(socket.socket(fileno=int(sys.argv[1])), Connection(int(sys.argv[2]), writable=False)))
