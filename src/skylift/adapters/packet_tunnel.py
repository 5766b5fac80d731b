"""What the tunnel takes by itself: measured before the command begins, and taken off the link's delay.

wireguard-go passes each packet from thread to thread, twice at each end. Who sets 20 ms wants to see 20 ms
with and without encryption, so small packets go to and fro while the link lets all pass at once.
"""

from __future__ import annotations

import contextlib
import os
import select
import socket
import struct
import time
from collections.abc import Sequence

from skylift.adapters import tun
from skylift.adapters.packet_network import POP4, TERMINAL4
from skylift.wire.packet.hops import to_a_group

# What is taken off is no more than this each way: a machine that is slower is busy, and that may change.
MOST_NS = 1_000_000
# Of so many to and fro the lower quarter: what the way takes when nobody else wants the processors.
_PROBES, _LEAST = 32, 8
_PATIENCE_S = 0.25
# As packets are that find everybody asleep.
_PAUSE_S = 0.004
_ANSWER_S = 0.05
# The first has both ends shake hands.
_SHAKEN_WITHIN_S = 2.0
_STAMP = struct.Struct(">I")
_LARGEST = 65_536 + 4_096


def carry(tuns: Sequence[int], channel: socket.socket) -> None:
    """Pass on all that comes at either end of the link, until the stage says something."""
    other = {tuns[0]: tuns[1], tuns[1]: tuns[0]}
    with contextlib.closing(select.epoll()) as poll:
        for descriptor in (*other, channel.fileno()):
            poll.register(descriptor, select.EPOLLIN)
        while True:
            for descriptor, _ in poll.poll():
                if descriptor not in other:
                    return
                # It may be gone, or full.
                with contextlib.suppress(OSError):
                    frame = os.read(descriptor, _LARGEST)
                    if not to_a_group(frame):
                        os.write(other[descriptor], frame)


def own_ns(terminal: int) -> tuple[int, int]:
    """What the tunnel takes up and down, to be taken off; 0 where nothing comes through.

    terminal  the namespace behind the terminal; this process is in the PoP's
    """
    here = os.open("/proc/self/ns/net", os.O_RDONLY | os.O_CLOEXEC)
    try:
        tun.set_namespace(terminal, tun.CLONE_NEWNET)
        near = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        tun.set_namespace(here, tun.CLONE_NEWNET)
    finally:
        os.close(here)
    with near, socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as far:
        near.bind((TERMINAL4, 0))
        far.bind((POP4, 0))
        near.connect(far.getsockname())
        return lower_quarters(_to_and_fro(near, far))


def lower_quarters(ways_ns: Sequence[tuple[int, int]]) -> tuple[int, int]:
    """Of times up and down, what is taken off of each."""
    if len(ways_ns) < _LEAST:
        return 0, 0
    up_ns, down_ns = (sorted(one)[len(one) // 4] for one in zip(*ways_ns, strict=True))
    return min(up_ns, MOST_NS), min(down_ns, MOST_NS)


def _to_and_fro(near: socket.socket, far: socket.socket) -> list[tuple[int, int]]:
    ways_ns: list[tuple[int, int]] = []
    if _once(near, far, 0, _SHAKEN_WITHIN_S) is None:
        return ways_ns
    until = time.monotonic() + _PATIENCE_S
    for number in range(1, _PROBES + 1):
        time.sleep(_PAUSE_S)
        if time.monotonic() > until:
            break
        both_ns = _once(near, far, number, _ANSWER_S)
        if both_ns is not None:
            ways_ns.append(both_ns)
    return ways_ns


def _once(near: socket.socket, far: socket.socket, number: int, patience_s: float) -> tuple[int, int] | None:
    """One packet up and one down; None where either does not come."""
    stamp = _STAMP.pack(number)
    for one in (near, far):
        one.settimeout(patience_s)
    try:
        begun_ns = time.monotonic_ns()
        near.send(stamp)
        whence = _await(far, stamp)
        between_ns = time.monotonic_ns()
        far.sendto(stamp, whence)
        _await(near, stamp)
        return between_ns - begun_ns, time.monotonic_ns() - between_ns
    except OSError:
        return None


def _await(one: socket.socket, stamp: bytes) -> tuple[str, int]:
    """Where it came from; what comes late of those before is passed over."""
    while True:
        said, whence = one.recvfrom(64)
        if said == stamp:
            return whence  # type: ignore[no-any-return]
