"""TTL is counted down with its checksum, and answered where it ends."""

from __future__ import annotations

import struct
from ipaddress import IPv4Address, IPv6Address

from hypothesis import given
from hypothesis import strategies as st

from skylift.wire.packet.frame import HEADER, checksum, plain
from skylift.wire.packet.hops import Hop, forward, time_exceeded, to_a_group

HOPS = [
    Hop(name, IPv4Address(f"100.127.1.{k}"), IPv6Address(f"fd5c::{k}"), k / 3)
    for k, name in enumerate(("satellite", "gateway", "pop"), 1)
]


def packet4(ttl: int, protocol: int = 17, above: bytes = bytes(16), salt: int = 0) -> bytes:
    addresses = bytes([10, 0, 0, 1, 198, 51, 100, 1])
    ip = struct.pack(">BBHHHBBH", 0x45, 0, 20 + len(above), salt, 0, ttl, protocol, 0) + addresses
    return ip[:10] + struct.pack(">H", checksum(ip)) + ip[12:] + above


def packet6(limit: int, following: int = 17, above: bytes = bytes(16)) -> bytes:
    return struct.pack(">IHBB", 0x60000000, len(above), following, limit) + bytes(range(32)) + above


@given(st.integers(4, 255), st.integers(0, 65535))
def test_the_checksum_follows_the_ttl(ttl: int, salt: int) -> None:
    frame, ended = forward(plain(packet4(ttl, salt=salt)), HOPS)
    packet = frame[HEADER.size :]
    assert ended is None
    assert packet[8] == ttl - 3
    assert checksum(packet[:20]) in (0, 0xFFFF)


@given(st.integers(4, 255), st.integers(0, 65535))
def test_a_buffer_is_changed_in_place_and_to_the_same_bytes(ttl: int, salt: int) -> None:
    for packet in (packet4(ttl, salt=salt), packet6(ttl)):
        buffer = bytearray(plain(packet))
        frame, _ = forward(buffer, HOPS)
        assert frame is buffer
        assert frame == forward(plain(packet), HOPS)[0]


@given(st.integers(0, 3))
def test_it_ends_where_it_runs_out_and_the_frame_is_left_as_it_was(ttl: int) -> None:
    for packet in (packet4(ttl), packet6(ttl)):
        frame, ended = forward(plain(packet), HOPS)
        assert frame == plain(packet)
        assert ended is HOPS[max(0, ttl - 1)]


def test_the_answer_quotes_the_packet_and_is_sound() -> None:
    answer = time_exceeded(plain(packet4(1)), HOPS[0])
    assert answer is not None
    packet = answer[HEADER.size :]
    assert checksum(packet[:20]) == checksum(packet[20:]) == 0
    assert packet[12:16] == HOPS[0].address4.packed
    assert packet[16:20] == packet4(1)[12:16]
    assert packet[20:22] == bytes([11, 0])
    assert packet[28:] == packet4(1)


def test_the_answer_of_ipv6_is_sound() -> None:
    answer = time_exceeded(plain(packet6(1)), HOPS[1])
    assert answer is not None
    packet = answer[HEADER.size :]
    pseudo = packet[8:40] + struct.pack(">II", len(packet) - 40, 58)
    assert checksum(pseudo + packet[40:]) == 0
    assert packet[40:42] == bytes([3, 0])
    assert packet[48:] == packet6(1)


def test_errors_are_not_answered_with_errors() -> None:
    assert time_exceeded(plain(packet4(1, 1, bytes([11, 0]) + bytes(14))), HOPS[0]) is None
    assert time_exceeded(plain(packet4(1, 1, bytes([8, 0]) + bytes(14))), HOPS[0]) is not None
    assert time_exceeded(plain(packet6(1, 58, bytes([3, 0]) + bytes(14))), HOPS[0]) is None
    assert time_exceeded(plain(packet6(1, 58, bytes([128, 0]) + bytes(14))), HOPS[0]) is not None


def test_what_goes_to_a_group_is_told_from_what_goes_to_one() -> None:
    to_routers = bytearray(packet6(1))
    to_routers[24:40] = IPv6Address("ff02::16").packed
    to_all = bytearray(packet4(1))
    to_all[16:20] = IPv4Address("224.0.0.22").packed
    assert to_a_group(plain(bytes(to_routers)))
    assert to_a_group(plain(bytes(to_all)))
    assert not to_a_group(plain(packet6(1)))
    assert not to_a_group(plain(packet4(1)))
