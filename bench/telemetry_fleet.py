"""A fleet to load a service with: terminals, each with a key of its own, and the requests that it signs."""

from __future__ import annotations

import hashlib
import zlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TypeVar

import msgspec
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from skylift.adapters.keys import text_of
from skylift.adapters.sql.store import SqlStore, open_store
from skylift.base.events import Event, Who
from skylift.base.instants import InstantUs
from skylift.base.things import Room
from skylift.ports.store import Stored
from skylift.service.rooms import ROOMS
from skylift.service.terminal import agent_key
from skylift.service.terminal import state as terminals
from skylift.service.terminal.agent_key import AgentKey
from skylift.service.terminal.events import Network, TerminalManufactured
from skylift.wire.telemetry import signing
from skylift.wire.telemetry.rows import Batch, Row

T = TypeVar("T")
ROWS_A_BATCH, SPAN_US = 20, 15_000_000
PATH, TYPE = "/api/v1/telemetry", "application/msgpack"
AT_ONCE = 2000


@dataclass(frozen=True, slots=True)
class Member:
    """A terminal, its key's id, and the key."""

    terminal: str
    key_id: str
    key: Ed25519PrivateKey


def member(seed: int, number: int) -> Member:
    """The same of the same seed: keys that protect nothing but a measurement."""
    private = hashlib.sha256(f"{seed}/{number}".encode()).digest()
    name = f"{seed:04d}{number:08d}"
    return Member(f"trm_{name}", f"key_{name}", Ed25519PrivateKey.from_private_bytes(private))


def enrol_all(url: str, members: Sequence[Member], at: int) -> None:
    """Put them into a service's store as if each had been made and its agent had enrolled."""
    store = open_store(url, ROOMS)
    try:
        for start in range(0, len(members), AT_ONCE):
            _enrol(store, members[start : start + AT_ONCE], InstantUs(at))
    finally:
        store.close()


def _enrol(store: SqlStore, members: Sequence[Member], at: InstantUs) -> None:
    made: list[tuple[Stored[terminals.Terminal], Sequence[Event]]] = []
    keyed: list[tuple[Stored[AgentKey], Sequence[Event]]] = []
    for one in members:
        who = Who(at, "sys_bench")
        serial = f"KIT{one.terminal[4:]}"
        event = TerminalManufactured(
            at, who.by, one.terminal, None, serial=serial, kit="", dish_id="", hardware="REV4",
            network=Network.OPERATOR,
        )  # fmt: skip
        made.append(_begun(terminals.ROOM, one.terminal, (event,)))
        offered = agent_key.offered(
            AgentKey(one.key_id), who, one.terminal, hashlib.sha256(one.key_id.encode()).hexdigest()
        )
        begun = agent_key.apply(AgentKey(one.key_id), offered[0])
        public = text_of(one.key.public_key().public_bytes_raw())
        keyed.append(
            _begun(agent_key.ROOM, one.key_id, (*offered, *agent_key.enrolled(begun, who, public, "bench")))
        )
    with store.transaction() as transaction:
        transaction.commit_all(terminals.ROOM, made)
        transaction.commit_all(agent_key.ROOM, keyed)


def _begun(room: Room[T], id: str, events: Sequence[Event]) -> tuple[Stored[T], Sequence[Event]]:
    return Stored(id, room.replayed(id, tuple(events)), 0), events


def batch_of(one: Member, round_number: int, now_us: int) -> Batch:
    """The rows of the last 5 minutes; they differ from terminal to terminal and from row to row."""
    first = round_number * ROWS_A_BATCH + 1
    salt = zlib.crc32(one.terminal.encode()) % 977
    rows = []
    for place in range(ROWS_A_BATCH):
        wobble = (salt + 31 * place + 7 * round_number) % 100
        rows.append(
            Row(
                first + place,
                now_us - (ROWS_A_BATCH - 1 - place) * SPAN_US,
                86_400.0 + (first + place) * 15.0,
                2e6 + wobble * 91_000.0,
                2e5 + wobble * 8_100.0,
                wobble / 5000.0,
                25.0 + wobble / 3.0,
                0.0 if wobble < 95 else 0.02,
                False,
                0.9,
                "connected" if wobble < 98 else "obstructed",
                "2026.11.04.mr71234",
                () if wobble < 99 else ("install_pending",),
                3_000_000 + wobble * 1000,
                300_000 + wobble * 100,
                15.0,
                45.0 + wobble / 10.0,
            )
        )
    return Batch(one.terminal, now_us, rows)


def request_of(one: Member, round_number: int, now_us: int) -> bytes:
    """A signed post, as bytes on the wire."""
    plain = msgspec.msgpack.encode(batch_of(one, round_number, now_us))
    packer = zlib.compressobj(1, zlib.DEFLATED, 31)
    body = packer.compress(plain) + packer.flush()
    headers = signing.signed_headers(
        ("POST", PATH, TYPE), body, one.key_id, now_us // 1_000_000, one.key.sign
    )
    lines = "".join(f"{name}: {value}\r\n" for name, value in headers.items())
    head = (
        f"POST {PATH} HTTP/1.1\r\nhost: 127.0.0.1\r\ncontent-encoding: gzip\r\n"
        f"content-length: {len(body)}\r\n{lines}\r\n"
    )
    return head.encode() + body


def members_of(seed: int, count: int) -> Iterator[Member]:
    return (member(seed, number) for number in range(count))
