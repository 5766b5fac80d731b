"""Telling somebody by HTTP: signed as Standard Webhooks 1.0.0 says, and never into our own network.

https://github.com/standard-webhooks/standard-webhooks/blob/main/spec/standard-webhooks.md

Whoever may subscribe chooses the address, and so could make this service ask its own neighbours. A name is
looked up once, every address of it is checked, and the connection goes to what was checked, not to the name;
redirects are not followed, proxies of the environment are not used.
"""

from __future__ import annotations

import asyncio
import base64
import hashlib
import hmac
import ipaddress
import secrets
import socket
import ssl
import time
from collections.abc import Sequence
from dataclasses import dataclass

import httpx

from skylift import __version__
from skylift.base.errors import Refused

SECRET_MARK = "whsec_"
SECRET_BYTES = 32
LONGEST_URL = 2000
# "Request timeouts" of the specification: between 15 and 30 s.
PATIENCE_S = 20.0
MOST_ADDRESSES = 3
MOST_RETRY_AFTER_S = 7 * 86_400

Address = ipaddress.IPv4Address | ipaddress.IPv6Address
Network = ipaddress.IPv4Network | ipaddress.IPv6Network

# Beside what Python's ipaddress calls not global (the registries of RFC 6890): ways to wrap an IPv4 address
# into an IPv6 one (6to4, Teredo, NAT64), and relays, that some gateway might unwrap again.
_WRAPPED = tuple(
    ipaddress.ip_network(text)
    for text in ("192.88.99.0/24", "2002::/16", "2001::/23", "64:ff9b::/96", "64:ff9b:1::/48", "fec0::/10")
)


@dataclass(frozen=True, slots=True)
class Told:
    """What came of one attempt. status: HTTP's, 0 where there was no answer, and then `error` says why."""

    status: int
    error: str = ""
    retry_after_s: int = 0
    took_ms: int = 0

    @property
    def is_taken(self) -> bool:
        return 200 <= self.status < 300


@dataclass(frozen=True, slots=True)
class Message:
    """What is sent. id: the same in every attempt; timestamp_s: of this attempt; secrets: newest first."""

    id: str
    timestamp_s: int
    body: bytes
    secrets: Sequence[str]

    def headers(self) -> dict[str, str]:
        return {
            "webhook-id": self.id,
            "webhook-timestamp": str(self.timestamp_s),
            "webhook-signature": " ".join(
                signature(secret, self.id, self.timestamp_s, self.body) for secret in self.secrets
            ),
        }


def new_secret() -> str:
    return SECRET_MARK + base64.b64encode(secrets.token_bytes(SECRET_BYTES)).decode()


def signature(secret: str, id: str, timestamp_s: int, body: bytes) -> str:
    """ "v1," and the HMAC-SHA256, in base64, of id, timestamp and body with full stops between."""
    key = base64.b64decode(secret.removeprefix(SECRET_MARK), validate=True)
    signed = b".".join((id.encode(), str(timestamp_s).encode(), body))
    return "v1," + base64.b64encode(hmac.new(key, signed, hashlib.sha256).digest()).decode()


def read_networks(text: str) -> tuple[Network, ...]:
    """Networks like 127.0.0.0/8 or single addresses, separated by commas. Raises Refused."""
    try:
        return tuple(ipaddress.ip_network(part.strip()) for part in text.split(",") if part.strip())
    except ValueError:
        raise Refused(
            "webhooks.allow",
            "--webhooks-allow",
            "it is a list of networks or addresses in digits",
            "write for example 127.0.0.1,10.1.2.0/24",
        ) from None


class Sender:
    """Sends to what is public, and to the networks of ours that are named; only to the latter without TLS."""

    def __init__(self, allowed: Sequence[Network] = (), patience_s: float = PATIENCE_S) -> None:
        self._allowed = tuple(allowed)
        self._patience_s = patience_s
        self._tls: ssl.SSLContext | None = None

    def check_url(self, url: str) -> None:
        """Raises Refused for what is no address that may be told; the text does not repeat it."""
        parts = _parsed(url)
        allowed = ("https", "http") if self._allowed else ("https",)
        usual = parts is not None and parts.scheme in allowed and not parts.userinfo and not parts.fragment
        if parts is None or not usual:
            raise _refused("it is an https address without a user, a password or a fragment")
        try:
            address = ipaddress.ip_address(parts.host)
        except ValueError:
            if f".{parts.host.rstrip('.')}".endswith(".localhost"):
                raise _refused("it is not on this machine") from None
            return
        if not self._may_reach(address, parts.scheme):
            raise _refused("it is not within a private network, on this machine or on its link")

    async def send(self, url: str, message: Message) -> Told:
        """One attempt; whatever goes wrong is told in the answer."""
        began = time.monotonic()
        try:
            async with asyncio.timeout(self._patience_s):
                told = await self._send(url, message)
        except TimeoutError:
            told = Told(0, "no answer in time")
        return Told(told.status, told.error, told.retry_after_s, int((time.monotonic() - began) * 1000))

    async def _send(self, url: str, message: Message) -> Told:
        parts = _parsed(url)
        if parts is None:
            return Told(0, "its address is none")
        try:
            addresses = await _look_up(parts)
        except (OSError, UnicodeError):
            return Told(0, "its name is not known")
        if not addresses or not all(self._may_reach(address, parts.scheme) for address in addresses):
            return Told(0, "its address is not allowed")
        told = Told(0, "it cannot be reached")
        for address in addresses[:MOST_ADDRESSES]:
            told = await self._post(parts, address, message)
            if told.status or told.error != "it cannot be reached":
                return told
        return told

    async def _post(self, parts: httpx.URL, address: Address, message: Message) -> Told:
        if self._tls is None:
            # Reading the system's certificates takes a while; others go on meanwhile.
            self._tls = await asyncio.to_thread(httpx.create_ssl_context)
        headers = {
            "Host": parts.netloc.decode("ascii"),
            "Content-Type": "application/json",
            "User-Agent": f"skylift/{__version__}",
            **message.headers(),
        }
        # To the address that was checked; the certificate must be that of the name.
        name = {"sni_hostname": parts.raw_host.decode("ascii")}
        try:
            async with httpx.AsyncClient(
                verify=self._tls, trust_env=False, follow_redirects=False, timeout=self._patience_s
            ) as client:
                request = client.build_request(
                    "POST",
                    parts.copy_with(host=str(address)),
                    content=message.body,
                    headers=headers,
                    extensions=name,
                )
                response = await client.send(request, stream=True)
                await response.aclose()
        except httpx.ConnectError as error:
            is_tls = isinstance(error.__context__, ssl.SSLError) or "SSL" in str(error)
            return Told(0, "its certificate is not accepted" if is_tls else "it cannot be reached")
        except httpx.TimeoutException:
            return Told(0, "no answer in time")
        except (httpx.HTTPError, ssl.SSLError, OSError):
            return Told(0, "it broke off")
        return Told(response.status_code, "", _retry_after_s(response.headers.get("retry-after", "")))

    def _may_reach(self, address: Address, scheme: str) -> bool:
        inside = any(address in network for network in self._allowed)
        return inside or (scheme == "https" and is_public(address))


def is_public(address: Address) -> bool:
    """Whether an address is one of the whole Internet, and nothing of a machine's own surroundings."""
    inner = address.ipv4_mapped if isinstance(address, ipaddress.IPv6Address) else None
    if inner is not None:
        return is_public(inner)
    return (
        address.is_global
        and not address.is_multicast
        and not address.is_reserved
        and not address.is_link_local
        and not any(address in network for network in _WRAPPED)
    )


def _parsed(url: str) -> httpx.URL | None:
    if len(url) > LONGEST_URL or not url.isascii() or not url.isprintable() or " " in url:
        return None
    try:
        parts = httpx.URL(url)
    except (httpx.InvalidURL, ValueError):
        return None
    is_port = parts.port is None or 0 < parts.port < 65_536
    return parts if parts.host and is_port and parts.scheme in {"http", "https"} else None


async def _look_up(parts: httpx.URL) -> list[Address]:
    port = parts.port or (443 if parts.scheme == "https" else 80)
    loop = asyncio.get_running_loop()
    found = await loop.getaddrinfo(parts.raw_host.decode("ascii"), port, type=socket.SOCK_STREAM)
    addresses = [ipaddress.ip_address(where[4][0]) for where in found]
    return list(dict.fromkeys(addresses))


def _retry_after_s(text: str) -> int:
    """Retry-After as seconds; 0 where it says nothing, or a date (the wait of our own then counts)."""
    return min(int(text), MOST_RETRY_AFTER_S) if text.isascii() and text.isdecimal() and len(text) < 10 else 0


def _refused(rule: str) -> Refused:
    return Refused("webhook.url", "url", rule, "give the https address of a receiver on the Internet")
