"""What a demo's store never takes in, in one place: reports of real dishes and apps, imported files and
figures, addresses elsewhere.

A door that is made later needs no line here if its path says what it is (`/imports`, `/agents/...`,
`/shipments/{id}/import-lines`), and a test asks of each that is no verb's; whatever calls out goes by
`LoopbackSender`.
"""

from __future__ import annotations

import re
from typing import Protocol
from urllib.parse import urlsplit

from skylift.adapters.webhooks import Address, Sender, read_networks
from skylift.api.listening import loopback_address
from skylift.ports.store import Conflict

_AGENTS = re.compile(r"/(agents?|enrol|enroll|enrolment-codes|dishes|telemetry|usage|uses|heartbeats?)(/|$)")
_IMPORTS = re.compile(r"/([a-z]+-)*imports?(-[a-z]+)*(/|$)")
# An authority's list is a file of real numbers, and a figure somebody's that was published, whatever their
# paths are called.
_LISTS = frozenset({"/api/v1/allow-lists", "/api/v1/app-figures"})


class _Door(Protocol):
    """Of a door, what is looked at here."""

    @property
    def method(self) -> str: ...

    @property
    def path(self) -> str: ...


def brings_in(door: _Door) -> str:
    """What of the real world a door lets in: "an import", "an agent"; "" for nothing."""
    if door.method == "GET":
        return ""
    if _AGENTS.search(door.path):
        return "an agent"
    if _IMPORTS.search(door.path) or door.path in _LISTS:
        return "an import"
    return ""


def refuse_real(door: _Door) -> None:
    """Raises Conflict at a door that lets in what is real. Called where the store is a demo's."""
    found = brings_in(door)
    if found:
        raise Conflict(
            "demo.refused",
            found,
            "this is a demo: all in it is invented, and nothing real is taken in",
            "run skylift without --demo, with a store of its own",
        )


def refuse_far(url: str) -> None:
    """Raises Conflict for an address that is not this machine's. Called where the store is a demo's."""
    try:
        host = urlsplit(url).hostname or ""
    except ValueError:
        host = ""
    if loopback_address(host) is None:
        raise Conflict(
            "demo.refused",
            "this address",
            "this is a demo: what is invented is told to nobody beyond this machine",
            "take an address of 127.0.0.1, or run skylift without --demo",
        )


class LoopbackSender(Sender):
    """Tells webhooks on this machine, and nobody else: neither when one is made nor when it is told."""

    def __init__(self) -> None:
        super().__init__(read_networks("127.0.0.0/8,::1"))

    def check_url(self, url: str) -> None:
        refuse_far(url)

    def _may_reach(self, address: Address, scheme: str) -> bool:
        return address.is_loopback
