"""What the tunnel takes by itself: how it is told from what was measured, and what measures it."""

from __future__ import annotations

import socket
import threading

from hypothesis import given
from hypothesis import strategies as st

from skylift.adapters.packet_tunnel import MOST_NS, carry, lower_quarters
from skylift.wire.packet.frame import plain

US = 1_000


def to(address: str) -> bytes:
    return plain(bytes.fromhex("45000014000000004011000064400001") + socket.inet_aton(address))


@given(st.lists(st.integers(0, 50_000 * US), min_size=8, max_size=40))
def test_no_more_is_taken_off_than_is_stated_nor_than_most_packets_took(ways_ns: list[int]) -> None:
    up_ns, down_ns = lower_quarters([(one_ns, one_ns + US) for one_ns in ways_ns])
    assert up_ns <= down_ns <= MOST_NS
    slower = sum(one_ns >= up_ns for one_ns in ways_ns)
    assert slower >= 0.7 * len(ways_ns)


def test_a_machine_that_is_busy_half_of_the_time_changes_nothing() -> None:
    quiet = [(300 * US + k, 350 * US + k) for k in range(16)]
    busy = [(one[0] + 9_000 * US, one[1] + 9_000 * US) for one in quiet]
    up_ns, down_ns = lower_quarters([one for both in zip(quiet, busy, strict=True) for one in both])
    assert 300 * US <= up_ns <= 301 * US
    assert 350 * US <= down_ns <= 351 * US


def test_few_that_came_through_tell_nothing() -> None:
    assert lower_quarters([]) == (0, 0)
    assert lower_quarters([(300 * US, 300 * US)] * 7) == (0, 0)


def test_until_it_is_told_all_passes_at_once_but_what_goes_to_groups() -> None:
    terminal, outer = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    pop, inner = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    stage, channel = socket.socketpair()
    carrying = threading.Thread(target=carry, args=((outer.fileno(), inner.fileno()), channel))
    carrying.start()
    for sending, hearing in ((terminal, pop), (pop, terminal)):
        sending.send(to("224.0.0.22"))
        sending.send(to("198.51.100.1"))
        hearing.settimeout(10)
        assert hearing.recv(100) == to("198.51.100.1")
    stage.sendall(b"[0, 0]")
    carrying.join(10)
    assert not carrying.is_alive()
    # What it was told is left for whoever asked.
    assert channel.recv(10) == b"[0, 0]"
    for one in (terminal, outer, pop, inner, stage, channel):
        one.close()
