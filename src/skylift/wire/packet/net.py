"""Many terminals behind one PoP: frames go up and down, and from one terminal to another, by address."""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass, replace
from heapq import heappop, heappush
from ipaddress import IPv4Address, IPv6Address

from skylift.wire.packet.frame import HEADER, Frame
from skylift.wire.packet.hops import Hop, forward, to_a_group, turned_back
from skylift.wire.packet.pipe import Counters, Pipe
from skylift.wire.packet.report import Seen
from skylift.wire.packet.texture import TexturedCourse

UP, DOWN = 0, 1
# Where a frame comes out that is for the PoP's own host.
POP = -1


@dataclass(slots=True)
class Port:
    """One terminal: its addresses, and for up and down what the link does and the pipe that does it."""

    id: str
    address4: IPv4Address
    address6: IPv6Address
    courses: tuple[TexturedCourse, TexturedCourse]
    pipes: tuple[Pipe, Pipe]


class Net:
    """The links of all terminals, with one heap for all times at which something is due.

    hops  from a terminal on; the last is the PoP's router, at which traffic between terminals turns
    """

    def __init__(self, ports: Sequence[Port], hops: Sequence[Hop]) -> None:
        self.ports = list(ports)
        self._up, self._down = tuple(hops), tuple(hops[::-1])
        self._numbers = {
            address.packed: number
            for number, port in enumerate(ports)
            for address in (port.address4, port.address6)
        }
        # (when, 2 * number + side); one that a pipe no longer waits for is passed over.
        self._heap: list[tuple[int, int]] = []
        self._wakes: list[int | None] = [None] * (2 * len(self.ports))
        # Frames to addresses that no terminal has.
        self.strays = 0

    def send(self, number: int, frame: Frame, now_ns: int) -> None:
        """A frame leaves a terminal."""
        self._put(number, UP, frame, self._up, now_ns)

    def answer(self, frame: Frame, now_ns: int) -> None:
        """A frame leaves the PoP's host."""
        number = self._terminal(frame)
        if number is None:
            # Neighbours that are looked for, and the like, are meant for nobody here.
            self.strays += not to_a_group(frame)
        else:
            self._put(number, DOWN, frame, self._down, now_ns)

    def take(self, now_ns: int) -> list[tuple[int, int, Frame]]:
        """(terminal's number or POP, due_ns, frame) of all that is due."""
        due: list[tuple[int, int, Frame]] = []
        heap = self._heap
        while heap and heap[0][0] <= now_ns:
            at_ns, key = heappop(heap)
            if self._wakes[key] != at_ns:
                continue
            self._wakes[key] = None
            number, side = divmod(key, 2)
            for due_ns, frame in self.ports[number].pipes[side].take(now_ns):
                to = number if side == DOWN else self._terminal(frame)
                if side == UP and to is not None:
                    # Its TTL has been counted down by the PoP's router on the way up.
                    self._put(to, DOWN, frame, self._down[1:], now_ns)
                else:
                    due.append((POP if to is None else to, due_ns, frame))
            self._wake(number, side)
        return due

    def next_ns(self) -> int | None:
        """When to call `take` next; None: nothing is on its way."""
        while self._heap and self._wakes[self._heap[0][1]] != self._heap[0][0]:
            heappop(self._heap)
        return self._heap[0][0] if self._heap else None

    def _put(self, number: int, side: int, frame: Frame, hops: Sequence[Hop], now_ns: int) -> None:
        port = self.ports[number]
        passed, ended_at = forward(frame, hops)
        if ended_at is None:
            port.pipes[side].put(passed, now_ns)
            self._wake(number, side)
            return
        told = turned_back(frame, ended_at, side == UP, port.courses, now_ns)
        if told is not None:
            port.pipes[1 - side].insert(told[1], told[0], now_ns)
            self._wake(number, 1 - side)

    def _wake(self, number: int, side: int) -> None:
        key = 2 * number + side
        at_ns = self.ports[number].pipes[side].next_ns()
        if at_ns is not None and at_ns != self._wakes[key]:
            heappush(self._heap, (at_ns, key))
        self._wakes[key] = at_ns

    def _terminal(self, frame: Frame) -> int | None:
        """The number of the terminal to which a frame is addressed; None for all other addresses."""
        at = HEADER.size
        begin, length = (16, 4) if frame[at] >> 4 == 4 else (24, 16)
        return self._numbers.get(bytes(frame[at + begin : at + begin + length]))


class Ledger:
    """What was set and seen of each terminal, slot by slot.

    keep  whether slots stay when they are over: an hour of 200 terminals is some 30 MB
    """

    def __init__(self, net: Net, keep: bool) -> None:
        self._net, self._keep = net, keep
        self._counted = [(Counters(), Counters()) for _ in net.ports]
        self._coming: list[deque[Seen]] = [deque() for _ in net.ports]
        # For each terminal the slots that have begun, in order.
        self._begun: list[list[Seen]] = [[] for _ in net.ports]

    def told(self, number: int, slot: Seen) -> None:
        """One slot more of a terminal."""
        self._coming[number].append(slot)

    def book(self, at_us: int) -> None:
        """Book all that was counted since the last time under the slots that hold an instant."""
        for number, port in enumerate(self._net.ports):
            coming, begun = self._coming[number], self._begun[number]
            while coming and coming[0].at_us <= at_us:
                if not self._keep:
                    begun.clear()
                begun.append(coming.popleft())
            if not begun:
                continue
            for side, pipe in enumerate(port.pipes):
                begun[-1].count(side, self._counted[number][side], pipe.counters)
            up, down = (replace(pipe.counters) for pipe in port.pipes)
            self._counted[number] = (up, down)

    def seen(self, number: int) -> list[Seen]:
        """The slots of a terminal that had begun when was last booked."""
        return self._begun[number]
