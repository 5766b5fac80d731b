"""Routing tables and updates as route collectors write them: MRT (RFC 6396), BGP messages (RFC 4271, 4760).

Pure: bytes in, routes out. Only what tells who is reachable by whom is read: prefixes, AS paths, sessions.
"""

from __future__ import annotations

import ipaddress
import struct
from collections.abc import Callable, Iterator
from dataclasses import dataclass

_TABLE_DUMP_V2, _BGP4MP, _BGP4MP_ET = 13, 16, 17
_PEER_INDEX, _RIB_IPV4, _RIB_IPV6 = 1, 2, 4
_STATE, _MESSAGE, _MESSAGE_AS4, _STATE_AS4 = 0, 1, 4, 5
_ESTABLISHED = 6
_UPDATE = 2
_AS_PATH, _MP_REACH, _MP_UNREACH, _AS4_PATH = 2, 14, 15, 17
_AS_SET, _AS_SEQUENCE = 1, 2
_EXTENDED = 0x10
_UNICAST = 1
_BITS = {1: 32, 2: 128}
# A record with all routes of a thousand peers to one prefix is far smaller.
_MOST_BYTES = 1 << 24


@dataclass(frozen=True, slots=True)
class Prefix:
    """family: 4 or 6; network: its leading `length` bits, as many whole bytes as they need."""

    family: int
    length: int
    network: bytes

    def __str__(self) -> str:
        """As routing tables write it: 192.0.2.0/24, 2001:db8::/32."""
        size = 4 if self.family == 4 else 16
        return f"{ipaddress.ip_address(self.network.ljust(size, bytes(1)))}/{self.length}"


@dataclass(frozen=True, slots=True)
class Told:
    """What one peer said at an instant.

    peer       its address, as bytes, and its AS: a session
    announced  reachable now, by `path` (the peer's AS first, the origin last); withdrawn: no longer
    up         the session came up or went down; None: nothing of the kind
    in_table   a row of a whole table, and no news
    """

    at_us: int
    peer: tuple[bytes, int]
    announced: tuple[Prefix, ...] = ()
    withdrawn: tuple[Prefix, ...] = ()
    path: tuple[int, ...] = ()
    up: bool | None = None
    in_table: bool = False


@dataclass(frozen=True, slots=True)
class Unread:
    """A record that could not be read, counted from 1, and why."""

    record: int
    reason: str


class _Bad(ValueError):
    """Bytes that are not what the standards say."""


class _Bytes:
    """Reads from the front; what is short is bad."""

    def __init__(self, data: bytes | memoryview) -> None:
        self._data = memoryview(data)
        self._at = 0

    def __len__(self) -> int:
        return len(self._data) - self._at

    def take(self, count: int) -> bytes:
        if count < 0 or len(self) < count:
            raise _Bad("it is cut off")
        self._at += count
        return bytes(self._data[self._at - count : self._at])

    def number(self, count: int) -> int:
        return int.from_bytes(self.take(count), "big")

    def part(self, count: int) -> _Bytes:
        return _Bytes(self.take(count))


def read_mrt(read: Callable[[int], bytes]) -> Iterator[Told | Unread]:
    """Every route of a file, in its order. Records of other kinds are passed over.

    read  gives so many of its next bytes, uncompressed, and fewer only at its end
    A record that cannot be read is told as such; after one that is cut off nothing follows.
    """
    peers: list[tuple[bytes, int]] = []
    record = 0
    while head := read(12):
        record += 1
        seconds, kind, subtype, length = struct.unpack("!IHHI", head.ljust(12, b"\0"))
        data = read(length) if len(head) == 12 and length <= _MOST_BYTES else b""
        if len(head) < 12 or len(data) < length:
            yield Unread(record, "the file is cut off, or no MRT")
            return
        body = _Bytes(data)
        at_us = seconds * 1_000_000
        try:
            if kind == _BGP4MP_ET:
                at_us += body.number(4)
            if kind == _TABLE_DUMP_V2 and subtype == _PEER_INDEX:
                peers = _peers(body)
            elif kind == _TABLE_DUMP_V2:
                yield from _table_row(at_us, subtype, body, peers)
            elif kind in (_BGP4MP, _BGP4MP_ET):
                yield from _bgp4mp(at_us, subtype, body)
        except _Bad as bad:
            yield Unread(record, str(bad))


def _peers(body: _Bytes) -> list[tuple[bytes, int]]:
    body.take(4)
    body.take(body.number(2))
    found = []
    for _ in range(body.number(2)):
        kind = body.number(1)
        body.take(4)
        address = body.take(16 if kind & 1 else 4)
        found.append((address, body.number(4 if kind & 2 else 2)))
    return found


def _table_row(at_us: int, subtype: int, body: _Bytes, peers: list[tuple[bytes, int]]) -> Iterator[Told]:
    if subtype not in (_RIB_IPV4, _RIB_IPV6):
        return
    body.take(4)
    prefix = _prefix(body, 1 if subtype == _RIB_IPV4 else 2)
    for _ in range(body.number(2)):
        index = body.number(2)
        if index >= len(peers):
            raise _Bad("it names a peer that the table does not list")
        body.take(4)
        attributes = _attributes(body.part(body.number(2)), 4)
        yield Told(at_us, peers[index], (prefix,), (), attributes.path, None, True)


def _bgp4mp(at_us: int, subtype: int, body: _Bytes) -> Iterator[Told]:
    if subtype not in (_STATE, _MESSAGE, _MESSAGE_AS4, _STATE_AS4):
        return
    width = 4 if subtype in (_MESSAGE_AS4, _STATE_AS4) else 2
    peer_as = body.number(width)
    body.take(width + 2)
    size = 16 if body.number(2) == 2 else 4
    peer = (body.take(size), peer_as)
    body.take(size)
    if subtype in (_STATE, _STATE_AS4):
        body.take(2)
        yield Told(at_us, peer, up=body.number(2) == _ESTABLISHED)
        return
    told = read_update(body.take(len(body)), at_us, peer, width)
    if told is not None:
        yield told


def read_update(message: bytes, at_us: int, peer: tuple[bytes, int], as_bytes: int = 4) -> Told | None:
    """One BGP message with its header; None for other messages than updates.

    as_bytes  width of AS numbers in its path, as the session has them: 2 or 4
    Raises ValueError where it is malformed.
    """
    body = _Bytes(message)
    if body.take(16) != b"\xff" * 16:
        raise _Bad("a BGP message does not begin with its marker")
    length = body.number(2)
    if length != len(message):
        raise _Bad("a BGP message has another length than it says")
    if body.number(1) != _UPDATE:
        return None
    withdrawn = tuple(_prefixes(body.part(body.number(2)), 1))
    attributes = _attributes(body.part(body.number(2)), as_bytes)
    announced = tuple(_prefixes(body, 1))
    return Told(
        at_us,
        peer,
        announced + attributes.announced,
        withdrawn + attributes.withdrawn,
        attributes.path,
    )


@dataclass(frozen=True, slots=True)
class _Attributes:
    path: tuple[int, ...]
    announced: tuple[Prefix, ...]
    withdrawn: tuple[Prefix, ...]


def _attributes(body: _Bytes, as_bytes: int) -> _Attributes:
    path: tuple[int, ...] = ()
    path4: tuple[int, ...] = ()
    announced: tuple[Prefix, ...] = ()
    withdrawn: tuple[Prefix, ...] = ()
    while len(body):
        flags, code = body.number(1), body.number(1)
        value = body.part(body.number(2 if flags & _EXTENDED else 1))
        if code == _AS_PATH:
            path = _path(value, as_bytes)
        elif code == _AS4_PATH:
            path4 = _path(value, 4)
        elif code == _MP_REACH and len(value) > 3:
            # In a table the attribute is cut down to the next hop, which is of no interest either.
            announced = _reached(value)
        elif code == _MP_UNREACH:
            family, kind = value.number(2), value.number(1)
            withdrawn = tuple(_prefixes(value, family)) if kind == _UNICAST and family in _BITS else ()
    # Of a path that went through old routers, its last part is known with wide numbers (RFC 6793).
    if path4 and len(path4) <= len(path):
        path = path[: len(path) - len(path4)] + path4
    return _Attributes(path, announced, withdrawn)


def _reached(value: _Bytes) -> tuple[Prefix, ...]:
    """Prefixes of MP_REACH_NLRI; none in the short form of a table, which begins with a length."""
    head = value.take(1)
    if head != b"\x00":
        return ()
    family, kind = value.number(1), value.number(1)
    value.take(value.number(1))
    value.take(1)
    return tuple(_prefixes(value, family)) if kind == _UNICAST and family in _BITS else ()


def _path(value: _Bytes, as_bytes: int) -> tuple[int, ...]:
    """AS numbers from the peer to the origin; a set of several is no origin, and stands as 0."""
    found: list[int] = []
    while len(value):
        kind, count = value.number(1), value.number(1)
        numbers = [value.number(as_bytes) for _ in range(count)]
        if kind == _AS_SEQUENCE:
            found += numbers
        elif kind == _AS_SET:
            found.append(numbers[0] if len(numbers) == 1 else 0)
    return tuple(found)


def _prefixes(body: _Bytes, family: int) -> Iterator[Prefix]:
    while len(body):
        yield _prefix(body, family)


def _prefix(body: _Bytes, family: int) -> Prefix:
    length = body.number(1)
    if length > _BITS[family]:
        raise _Bad("a prefix is longer than an address")
    return Prefix(4 if family == 1 else 6, length, body.take((length + 7) // 8))
