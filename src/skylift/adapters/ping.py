"""ICMP echo to many addresses at once: unprivileged ping sockets, or raw ones where those are allowed.

Every packet says who sends it and whom to ask not to be probed.
"""

from __future__ import annotations

import secrets
import select
import socket
import struct
import time
from collections.abc import Callable, Sequence

from skylift.base.errors import Refused, Unavailable

_ECHO, _ECHO_REPLY = 8, 0
_NONCE_BYTES = 8
_MOST_CONTACT = 64


class Pinger:
    """Sends one echo to each of some addresses, at most `rate` a second, and says which answered.

    contact  stands in every packet: an address or URL for those who are probed
    """

    def __init__(self, contact: str, rate: float, timeout_s: float = 3.0) -> None:
        check_contact(contact)
        self._rate, self._timeout_s = rate, timeout_s
        self._contact = contact.encode("ascii")
        self._identity = secrets.randbelow(1 << 16)
        self._sequence = 0
        self._socket, self._raw = _opened()

    def close(self) -> None:
        self._socket.close()

    def __call__(self, addresses: Sequence[str]) -> list[bool]:
        """Whether each answered in time. Raises Unavailable where nothing can be sent."""
        waiting: dict[tuple[str, bytes], int] = {}
        answered = [False] * len(addresses)
        begun_s = time.monotonic()
        for number, address in enumerate(addresses):
            due_s = begun_s + number / self._rate
            self._listen(waiting, answered, lambda due=due_s: due)  # type: ignore[misc]
            nonce = secrets.token_bytes(_NONCE_BYTES)
            waiting[address, nonce] = number
            self._send(address, nonce)
        until_s = time.monotonic() + self._timeout_s
        self._listen(waiting, answered, lambda: until_s if waiting else 0.0)
        return answered

    def _send(self, address: str, nonce: bytes) -> None:
        self._sequence = (self._sequence + 1) % (1 << 16)
        body = nonce + b"skylift outage probe, contact: " + self._contact
        packet = struct.pack("!BBHHH", _ECHO, 0, 0, self._identity, self._sequence) + body
        packet = packet[:2] + struct.pack("!H", checksum(packet)) + packet[4:]
        try:
            self._socket.sendto(packet, (address, 0))
        except OSError as failure:
            # No route to one of them is an answer; no network at all is our own trouble, told by control.
            if isinstance(failure, PermissionError):
                raise Unavailable(
                    "probe.forbidden", "ICMP", "this machine does not let it be sent", "check its firewall"
                ) from None

    def _listen(
        self, waiting: dict[tuple[str, bytes], int], answered: list[bool], until_s: Callable[[], float]
    ) -> None:
        while (left_s := until_s() - time.monotonic()) > 0:
            if not select.select([self._socket], [], [], left_s)[0]:
                return
            data, (address, *_) = self._socket.recvfrom(2048)
            nonce = _nonce_of(data, self._raw)
            number = waiting.pop((address, nonce), None)
            if number is not None:
                answered[number] = True


class LazyPinger:
    """Opens its socket when the first address is asked: a file of sources can be read without any right."""

    def __init__(self, contact: str, rate: float) -> None:
        check_contact(contact)
        self._contact, self._rate = contact, rate
        self._pinger: Pinger | None = None

    def __call__(self, addresses: Sequence[str]) -> list[bool]:
        self._pinger = self._pinger or Pinger(self._contact, self._rate)
        return self._pinger(addresses)


def check_contact(contact: str) -> None:
    """Raises Refused where nobody could be asked."""
    if not contact.isascii() or not contact.isprintable() or not 5 <= len(contact) <= _MOST_CONTACT:
        raise Refused(
            "probe.contact",
            "the contact",
            f"it is an address or URL of 5 to {_MOST_CONTACT} ASCII characters, told in every packet",
            "give one at which people can ask not to be probed",
        )


def _opened() -> tuple[socket.socket, bool]:
    for kind, raw in ((socket.SOCK_DGRAM, False), (socket.SOCK_RAW, True)):
        try:
            return socket.socket(socket.AF_INET, kind, socket.IPPROTO_ICMP), raw
        except PermissionError:
            continue
        except OSError as failure:
            raise Unavailable(
                "probe.socket", "ICMP", failure.strerror or "no socket", "try again later"
            ) from None
    raise Unavailable(
        "probe.forbidden",
        "ICMP",
        "this user may open neither ping sockets nor raw ones",
        "allow them: sysctl net.ipv4.ping_group_range='0 2147483647', or the capability CAP_NET_RAW",
    )


def _nonce_of(data: bytes, raw: bool) -> bytes:
    """The nonce of an echo reply; empty for anything else. A raw socket gives the IP header as well."""
    if raw:
        if not data:
            return b""
        data = data[(data[0] & 15) * 4 :]
    if len(data) < 8 + _NONCE_BYTES or data[0] != _ECHO_REPLY:
        return b""
    return data[8 : 8 + _NONCE_BYTES]


def checksum(data: bytes) -> int:
    """The internet checksum (RFC 1071) of bytes whose own checksum field is zero."""
    if len(data) % 2:
        data += b"\0"
    total: int = sum(struct.unpack(f"!{len(data) // 2}H", data))
    while total >> 16:
        total = (total & 0xFFFF) + (total >> 16)
    return ~total & 0xFFFF
