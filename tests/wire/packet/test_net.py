"""Many terminals and one PoP: each frame comes out where it is addressed, when its links let it."""

from __future__ import annotations

import random
import struct
from ipaddress import IPv4Address, IPv6Address

import numpy as np

from skylift.wire.packet.course import NS_PER_S, Stretch
from skylift.wire.packet.frame import HEADER, checksum, plain
from skylift.wire.packet.hops import Hop
from skylift.wire.packet.net import POP, Ledger, Net, Port
from skylift.wire.packet.pipe import Pipe
from skylift.wire.packet.report import Seen
from skylift.wire.packet.texture import Texture, TexturedCourse

MS = 1_000_000
HOPS = [
    Hop(name, IPv4Address(f"100.127.1.{k}"), IPv6Address(f"fd5c::{k}"), k / 3)
    for k, name in enumerate(("satellite", "gateway", "pop-router"), 1)
]
OUTSIDE4, OUTSIDE6 = IPv4Address("198.51.100.1"), IPv6Address("fd5c:ff::1")
FIRST4, FIRST6 = IPv4Address("100.96.0.2"), IPv6Address("fd5c:3::2")


def net_of(delays_ms: list[float], up: bool = True) -> Net:
    """A terminal for each one-way delay."""
    ports = []
    for number, delay_ms in enumerate(delays_ms):
        courses = (TexturedCourse(Texture(), 1, "up"), TexturedCourse(Texture(), 1, "down"))
        for course in courses:
            course.tell(Stretch(0, 15 * NS_PER_S, int(delay_ms * MS), int(delay_ms * MS), up=up), 0, False)
        pipes = (Pipe(courses[0], np.random.default_rng(1)), Pipe(courses[1], np.random.default_rng(2)))
        ports.append(Port(str(number), FIRST4 + number, FIRST6 + number, courses, pipes))
    return Net(ports, HOPS)


def packet(source: IPv4Address | IPv6Address, to: IPv4Address | IPv6Address, ttl: int = 64) -> bytes:
    above = bytes(16)
    if source.version == 6:
        return plain(struct.pack(">IHBB", 0x60000000, 16, 17, ttl) + source.packed + to.packed + above)
    ip = struct.pack(">BBHHHBBH", 0x45, 0, 36, 0, 0, ttl, 17, 0) + source.packed + to.packed
    return plain(ip[:10] + struct.pack(">H", checksum(ip)) + ip[12:] + above)


def drained(net: Net) -> list[tuple[int, int]]:
    """(where, when in ms) of all that is on its way, asked for only when it is said to be due."""
    out = []
    while (now_ns := net.next_ns()) is not None:
        out += [(where, round(due_ns / MS)) for where, due_ns, _ in net.take(now_ns)]
    return out


def test_what_goes_to_the_pop_and_back_takes_each_terminals_own_delay() -> None:
    for first, outside in ((FIRST4, OUTSIDE4), (FIRST6, OUTSIDE6)):
        net = net_of([30.0, 10.0, 20.0])
        for number in range(3):
            net.send(number, packet(first + number, outside), 0)
        assert drained(net) == [(POP, 10), (POP, 20), (POP, 30)]
        for number in (0, 2, 1):
            net.answer(packet(outside, first + number), 100 * MS)
        assert drained(net) == [(1, 110), (2, 120), (0, 130)]


def test_terminals_reach_one_another_over_both_links() -> None:
    for first in (FIRST4, FIRST6):
        net = net_of([30.0, 10.0])
        net.send(0, packet(first, first + 1), 0)
        assert drained(net) == [(1, 40)]
        assert (net.ports[0].pipes[0].counters.delivered, net.ports[1].pipes[1].counters.delivered) == (1, 1)


def test_between_terminals_the_ttl_ends_at_each_router_once() -> None:
    """satellite, gateway, pop-router, gateway, satellite: whose TTL is five ends before the other's host."""
    for ttl, answered_by, after_ms in (
        (1, 0, 20),
        (2, 1, 40),
        (3, 2, 60),
        (4, 1, None),
        (5, 0, None),
        (6, None, 40),
    ):
        net = net_of([30.0, 10.0])
        net.send(0, packet(FIRST4, FIRST4 + 1, ttl), 0)
        out = []
        while (now_ns := net.next_ns()) is not None:
            out += net.take(now_ns)
        ((where, due_ns, frame),) = out
        assert where == (1 if answered_by is None else 0)
        if answered_by is not None:
            assert (
                IPv4Address(bytes(frame[HEADER.size + 12 : HEADER.size + 16])) == HOPS[answered_by].address4
            )
        assert after_ms is None or round(due_ns / MS) == after_ms


def test_an_address_that_nobody_has_comes_out_nowhere_and_is_counted() -> None:
    net = net_of([5.0])
    net.answer(packet(OUTSIDE4, FIRST4 + 7), 0)
    # A router that is looked for is looked for by everybody, always.
    net.answer(packet(OUTSIDE6, IPv6Address("ff02::2"), 255), 0)
    assert drained(net) == []
    assert net.strays == 1


def test_a_link_that_is_down_lets_nothing_through_and_answers_nothing() -> None:
    net = net_of([5.0], up=False)
    for ttl in (1, 64):
        net.send(0, packet(FIRST4, OUTSIDE4, ttl), 0)
    assert drained(net) == []


def test_at_every_wake_up_something_is_due_and_nothing_is_left() -> None:
    draw = random.Random(5)
    net = net_of([draw.uniform(1, 80) for _ in range(50)])
    sent = came = 0
    now_ns = 0
    while sent < 3_000 or net.next_ns() is not None:
        if sent < 3_000:
            number = draw.randrange(50)
            to = draw.choice([OUTSIDE4, FIRST4 + draw.randrange(50)])
            net.send(number, packet(FIRST4 + number, to), now_ns)
            sent += 1
        now_ns += draw.randrange(2 * MS)
        wake_ns = net.next_ns()
        if wake_ns is not None and wake_ns <= now_ns:
            came += len(net.take(wake_ns))
        elif sent >= 3_000 and wake_ns is not None:
            now_ns = wake_ns
    assert came == sent


def test_what_was_seen_is_booked_under_the_slot_in_which_it_came_out() -> None:
    for keep in (True, False):
        net = net_of([10.0])
        ledger = Ledger(net, keep)
        for slot in range(6):
            ledger.told(0, Seen(slot * 15_000_000, slot, "kaunas", 20.0, 0.0))
        net.send(0, packet(FIRST4, OUTSIDE4), 0)
        net.take(10 * MS)
        ledger.book(14_999_999)
        net.send(0, packet(FIRST4, OUTSIDE4), 15 * NS_PER_S)
        net.send(0, packet(FIRST4, OUTSIDE4), 15 * NS_PER_S)
        net.take(15 * NS_PER_S + 10 * MS)
        ledger.book(29_999_999)
        seen = ledger.seen(0)
        assert [slot.frames[0] for slot in seen] == ([1, 2] if keep else [2])
