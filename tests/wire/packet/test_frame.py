"""Superpackets and their pieces, against a plain segmentation written here."""

from __future__ import annotations

import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st

from skylift.wire.packet.frame import (
    GSO_ECN,
    GSO_NONE,
    GSO_TCP4,
    GSO_TCP6,
    GSO_UDP_L4,
    HEADER,
    NEEDS_CSUM,
    checksum,
    cut,
    measure,
    shape,
)


def ones_sum(data: bytes) -> int:
    """The ones' complement sum, by big-integer arithmetic: 2^16 is 1 modulo 65535."""
    if len(data) % 2:
        data += b"\0"
    total = int.from_bytes(data, "big")
    return 0 if total == 0 else (total % 65535 or 65535)


def superpacket(version: int, kind: str, payload: bytes, segment: int, flags: int = 0x18) -> bytes:
    """A frame as the kernel hands it over: checksum above IP still to be filled in."""
    protocol = 6 if kind == "tcp" else 17
    if kind == "tcp":
        above = struct.pack(">HHIIBBHHH", 1000, 2000, 0xFFFFFF00, 7, 0x80, flags, 500, 0, 0) + bytes(
            range(12)
        )
        offset = 16
    else:
        above = struct.pack(">HHHH", 1000, 2000, (8 + len(payload)) & 0xFFFF, 0)
        offset = 6
    length = len(above) + len(payload)
    if version == 4:
        addresses = bytes([10, 0, 0, 1, 10, 0, 0, 2])
        ip = (
            struct.pack(">BBHHHBBH", 0x45, 0, (20 + length) & 0xFFFF, 65535, 0x4000, 64, protocol, 0)
            + addresses
        )
        ip = ip[:10] + struct.pack(">H", 0xFFFF ^ ones_sum(ip)) + ip[12:]
        gso = GSO_TCP4
    else:
        addresses = bytes(range(32))
        ip = struct.pack(">IHBB", 0x60000000, length & 0xFFFF, protocol, 64) + addresses
        gso = GSO_TCP6
    if kind == "udp":
        gso = GSO_UDP_L4
    pseudo = ones_sum(addresses + struct.pack(">II", protocol, length))
    above = above[:offset] + struct.pack(">H", pseudo) + above[offset + 2 :]
    header = HEADER.pack(NEEDS_CSUM, gso, len(ip) + len(above), segment, len(ip), offset)
    return header + ip + above + payload


def finished(frame: bytes) -> bytes:
    """What the kernel makes of a frame of one segment: the checksum filled in over all above IP."""
    flags, gso, _, _, start, offset = HEADER.unpack_from(frame)
    assert gso == GSO_NONE
    assert flags == NEEDS_CSUM
    packet = bytearray(frame[HEADER.size :])
    total = 0xFFFF ^ ones_sum(bytes(packet[start:]))
    struct.pack_into(">H", packet, start + offset, total)
    return bytes(packet)


def is_sound(packet: bytes) -> bool:
    """Lengths and checksums of one IP packet are right."""
    if packet[0] >> 4 == 4:
        addresses, protocol, start = packet[12:20], packet[9], 20
        lengths = struct.unpack_from(">H", packet, 2)[0] == len(packet)
        header = ones_sum(packet[:20]) in (0xFFFF,)
    else:
        addresses, protocol, start = packet[8:40], packet[6], 40
        lengths = struct.unpack_from(">H", packet, 4)[0] == len(packet) - 40
        header = True
    above = packet[start:]
    if protocol == 17:
        lengths = lengths and struct.unpack_from(">H", above, 4)[0] == len(above)
    pseudo = addresses + struct.pack(">II", protocol, len(above))
    padded = above + b"\0" if len(above) % 2 else above
    return lengths and header and ones_sum(pseudo + padded) == 0xFFFF


kinds = st.tuples(st.sampled_from([4, 6]), st.sampled_from(["tcp", "udp"]))


@given(kinds, st.binary(min_size=1, max_size=3_000), st.integers(1, 700))
def test_every_segment_alone_is_sound_and_together_they_are_the_whole(
    kind: tuple[int, str], payload: bytes, segment: int
) -> None:
    frame = superpacket(*kind, payload, segment)
    form = shape(frame)
    assert form.packets == -(-len(payload) // segment)
    assert form.wire_bytes == len(payload) + form.packets * form.headers
    assert measure(frame) == (form.packets, form.wire_bytes)
    pieces = cut(frame, [(k, k + 1) for k in range(form.packets)])
    assert all(measure(piece) == (1, len(piece) - HEADER.size) for piece in pieces)
    packets = [finished(piece) for piece in pieces]
    assert all(map(is_sound, packets))
    assert b"".join(packet[form.headers :] for packet in packets) == payload
    if kind[1] == "tcp":
        start = 20 if kind[0] == 4 else 40
        sequences = [struct.unpack_from(">I", packet, start + 4)[0] for packet in packets]
        assert sequences == [(0xFFFFFF00 + k * segment) % 2**32 for k in range(form.packets)]
    if kind[0] == 4:
        assert [struct.unpack_from(">H", p, 4)[0] for p in packets] == [
            (65535 + k) % 65536 for k in range(form.packets)
        ]


@given(kinds, st.binary(min_size=600, max_size=3_000), st.integers(50, 300), st.data())
def test_a_run_of_segments_cut_again_is_what_cutting_once_gives(
    kind: tuple[int, str], payload: bytes, segment: int, data: st.DataObject
) -> None:
    frame = superpacket(*kind, payload, segment)
    count = shape(frame).packets
    first = data.draw(st.integers(0, count - 2))
    last = data.draw(st.integers(first + 2, count))
    (run,) = cut(frame, [(first, last)])
    assert shape(run).packets == last - first
    again = cut(run, [(k, k + 1) for k in range(last - first)])
    at_once = cut(frame, [(k, k + 1) for k in range(first, last)])
    assert [finished(piece) for piece in again] == [finished(piece) for piece in at_once]


@pytest.mark.parametrize(
    ("flag", "stands_in"), [(0x01, "last"), (0x08, "last"), (0x80, "first"), (0x10, "all")]
)
def test_flags_stand_where_a_network_card_would_put_them(flag: int, stands_in: str) -> None:
    frame = superpacket(4, "tcp", bytes(1000), 250, flag | 0x10)
    set_in = [
        bool(piece[HEADER.size + 20 + 13] & flag) for piece in cut(frame, [(k, k + 1) for k in range(4)])
    ]
    assert (
        set_in
        == {
            "last": [False, False, False, True],
            "first": [True, False, False, False],
            "all": [True] * 4,
        }[stands_in]
    )


def test_congestion_marks_do_not_hide_a_superpacket() -> None:
    frame = bytearray(superpacket(4, "tcp", bytes(1000), 250))
    frame[1] |= GSO_ECN
    assert shape(bytes(frame)).packets == 4


@given(st.binary(max_size=200))
def test_the_checksum_is_that_of_big_integers(data: bytes) -> None:
    total = ones_sum(data)
    assert checksum(data) % 65535 == (0xFFFF ^ total) % 65535
