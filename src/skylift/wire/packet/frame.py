"""Frames with a virtio-net header: how many wire packets one is, and how to cut it between two of them.

The header (10 bytes, little-endian): flags, gso_type, hdr_len, gso_size, csum_start, csum_offset; virtio
specification 1.2, section 5.1.6. A frame with a gso_type is a superpacket: the network would carry it as
segments of `gso_size` bytes of payload, each with its own headers.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass

HEADER = struct.Struct("<BBHHHH")
# What the engine reads it into, it may change in place.
Frame = bytes | bytearray | memoryview
NEEDS_CSUM = 1
GSO_NONE, GSO_TCP4, GSO_UDP, GSO_TCP6, GSO_UDP_L4, GSO_ECN = 0, 1, 3, 4, 5, 0x80
_TCP, _UDP = 6, 17
_FIN_PSH, _CWR = 0x09, 0x80


@dataclass(frozen=True, slots=True)
class Shape:
    """What a frame is on the wire.

    headers   bytes of IP and transport headers, which every segment has
    payload   bytes after them; segment  payload bytes of each but the last
    """

    headers: int
    payload: int
    segment: int

    @property
    def packets(self) -> int:
        return max(1, -(-self.payload // self.segment)) if self.segment else 1

    @property
    def wire_bytes(self) -> int:
        """IP bytes that the network carries, headers of every segment counted."""
        return self.payload + self.packets * self.headers


def measure(frame: Frame) -> tuple[int, int]:
    """(wire packets, IP bytes that the network carries) of a frame: what `shape` says, sooner."""
    if frame[1] & ~GSO_ECN == GSO_NONE:
        return 1, len(frame) - HEADER.size
    form = shape(frame)
    return form.packets, form.wire_bytes


def shape(frame: Frame) -> Shape:
    """How a frame (virtio-net header first) is carried."""
    _, gso_type, _, gso_size, csum_start, _ = HEADER.unpack_from(frame)
    length = len(frame) - HEADER.size
    if gso_type & ~GSO_ECN == GSO_NONE:
        return Shape(0, length, 0)
    headers = csum_start + _transport_bytes(frame, gso_type, csum_start)
    return Shape(headers, length - headers, gso_size)


def plain(packet: bytes) -> bytes:
    """An IP packet as a frame that needs nothing."""
    return bytes(HEADER.size) + packet


def cut(frame: Frame, kept: list[tuple[int, int]]) -> list[Frame]:
    """The segments [first, last) of a superpacket that go on, each run of them as one frame.

    Lengths, identification and checksum of IP, the sequence number and flags of TCP, the length of UDP and
    the sum of the pseudo header are set anew; the checksum above IP stays to be filled in, as it was.
    """
    form = shape(frame)
    return [_part(frame, form, first, last) for first, last in kept]


def _part(frame: Frame, form: Shape, first: int, last: int) -> bytes:
    flags, gso_type, _, gso_size, csum_start, csum_offset = HEADER.unpack_from(frame)
    begin, end = first * form.segment, min(last * form.segment, form.payload)
    body = HEADER.size + form.headers
    packet = bytearray(frame[HEADER.size : body]) + frame[body + begin : body + end]
    if packet[0] >> 4 == 4:
        struct.pack_into(">H", packet, 2, len(packet))
        identification = struct.unpack_from(">H", packet, 4)[0]
        struct.pack_into(">H", packet, 4, (identification + first) & 0xFFFF)
        struct.pack_into(">H", packet, 10, 0)
        struct.pack_into(">H", packet, 10, checksum(packet[: (packet[0] & 0xF) * 4]))
    else:
        struct.pack_into(">H", packet, 4, len(packet) - 40)
    above = len(packet) - csum_start
    if gso_type & ~GSO_ECN == GSO_UDP_L4:
        struct.pack_into(">H", packet, csum_start + 4, above)
    else:
        sequence = struct.unpack_from(">I", packet, csum_start + 4)[0]
        struct.pack_into(">I", packet, csum_start + 4, (sequence + begin) & 0xFFFFFFFF)
        if end < form.payload:
            packet[csum_start + 13] &= ~_FIN_PSH & 0xFF
        if first > 0:
            packet[csum_start + 13] &= ~_CWR & 0xFF
    protocol = _UDP if gso_type & ~GSO_ECN == GSO_UDP_L4 else _TCP
    struct.pack_into(">H", packet, csum_start + csum_offset, _pseudo_sum(packet, protocol, above))
    if last - first == 1:
        gso_type = gso_size = 0
    return HEADER.pack(flags, gso_type, form.headers, gso_size, csum_start, csum_offset) + bytes(packet)


def checksum(data: bytes | bytearray) -> int:
    """The internet checksum (RFC 1071) of bytes."""
    return ~_folded(_words(data)) & 0xFFFF


def _pseudo_sum(packet: bytearray, protocol: int, length: int) -> int:
    """What stands in the checksum field of a packet whose checksum is still to be filled in."""
    addresses = packet[12:20] if packet[0] >> 4 == 4 else packet[8:40]
    return _folded(_words(addresses) + protocol + length)


def _words(data: bytes | bytearray) -> int:
    if len(data) % 2:
        data = bytes(data) + b"\0"
    return sum(struct.unpack(f">{len(data) // 2}H", data))


def _folded(total: int) -> int:
    while total >> 16:
        total = (total & 0xFFFF) + (total >> 16)
    return total


def _transport_bytes(frame: Frame, gso_type: int, csum_start: int) -> int:
    if gso_type & ~GSO_ECN == GSO_UDP_L4:
        return 8
    return (frame[HEADER.size + csum_start + 12] >> 4) * 4
