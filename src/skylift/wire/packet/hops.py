"""The routers on the way: they count TTL down, and say so where it ends."""

from __future__ import annotations

import ipaddress
import struct
from collections.abc import Sequence
from dataclasses import dataclass

from skylift.wire.packet.course import Course
from skylift.wire.packet.frame import HEADER, Frame, checksum, plain

_ICMP, _ICMPV6 = 1, 58
# Of the packet that could not go on, as much as fits into the least MTU of IPv6.
_QUOTED = 1_232


@dataclass(frozen=True, slots=True)
class Hop:
    """One router. `part` is how much of the one-way delay lies before it, 0 to 1."""

    name: str
    address4: ipaddress.IPv4Address
    address6: ipaddress.IPv6Address
    part: float


def forward(frame: Frame, hops: Sequence[Hop]) -> tuple[Frame, Hop | None]:
    """The frame after all hops, in place where it can be changed, or as it was with the hop that ended it."""
    at, count = HEADER.size, len(hops)
    fourth = frame[at] >> 4 == 4
    place = at + (8 if fourth else 7)
    left = frame[place]
    if left <= count:
        return frame, hops[max(0, left - 1)]
    changed = bytearray(frame) if isinstance(frame, bytes) else frame
    changed[place] = left - count
    if fourth:
        # RFC 1624: the sum falls by what the TTL fell, in the high byte of its word.
        high = frame[at + 10] + count
        if high > 0xFF:
            # The carry goes round, to the low byte; there it may carry once more.
            low = frame[at + 11] + 1
            high += low >> 8
            changed[at + 11] = low & 0xFF
        changed[at + 10] = high & 0xFF
    return changed, None


def to_a_group(frame: Frame) -> bool:
    """Whether a frame is multicast: interfaces say such by themselves, and no router passes it on."""
    at = HEADER.size
    return frame[at + 16] >= 224 if frame[at] >> 4 == 4 else frame[at + 24] == 0xFF


def time_exceeded(frame: Frame, hop: Hop) -> bytes | None:
    """What a hop answers to the sender of a frame; None to what is itself an ICMP error."""
    packet = bytes(frame[HEADER.size :])
    if packet[0] >> 4 == 4:
        header = (packet[0] & 0xF) * 4
        if packet[9] == _ICMP and packet[header] not in (0, 8):
            return None
        quoted = packet[: header + 548]
        message = _with_sum(struct.pack(">BBHI", 11, 0, 0, 0) + quoted)
        ip = struct.pack(">BBHHHBBH", 0x45, 0xC0, 20 + len(message), 0, 0, 64, _ICMP, 0)
        ip += hop.address4.packed + packet[12:16]
        ip = ip[:10] + struct.pack(">H", checksum(ip)) + ip[12:]
        return plain(ip + message)
    if packet[6] == _ICMPV6 and packet[40] < 128:
        return None
    message = struct.pack(">BBHI", 3, 0, 0, 0) + packet[:_QUOTED]
    pseudo = hop.address6.packed + packet[8:24] + struct.pack(">IHBB", len(message), 0, 0, _ICMPV6)
    message = message[:2] + struct.pack(">H", checksum(pseudo + message)) + message[4:]
    ip = struct.pack(">IHBB", 0x60000000, len(message), _ICMPV6, 64) + hop.address6.packed + packet[8:24]
    return plain(ip + message)


def turned_back(
    frame: Frame, hop: Hop, upward: bool, courses: Sequence[Course], now_ns: int
) -> tuple[int, bytes] | None:
    """(when it is back, what it says) of the hop at which a frame's TTL ended; None: nothing comes back.

    courses  up and down
    """
    answer = time_exceeded(frame, hop)
    stretches = [course.at(now_ns) for course in courses]
    if answer is None or not all(one is not None and one.up for one in stretches):
        return None
    part = hop.part if upward else 1.0 - hop.part
    there_and_back_ns = sum(one.delay_ns(now_ns) for one in stretches if one is not None)
    return now_ns + int(part * there_and_back_ns), answer


def _with_sum(message: bytes) -> bytes:
    return message[:2] + struct.pack(">H", checksum(message)) + message[4:]
