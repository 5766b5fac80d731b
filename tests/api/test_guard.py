"""Who is let in without a login: loopback names alone."""

from __future__ import annotations

import pytest

from skylift.api.guard import is_loopback_host_header
from skylift.api.listening import Address, listen, loopback_address
from skylift.base.errors import Refused


@pytest.mark.parametrize(
    ("header", "allowed"),
    [
        ("127.0.0.1", True),
        ("127.0.0.1:8480", True),
        ("127.8.9.1:80", True),
        ("localhost", True),
        ("LOCALHOST:8480", True),
        ("[::1]", True),
        ("[::1]:8480", True),
        ("", False),
        (":8480", False),
        ("localhost:", False),
        ("localhost:x", False),
        ("example.org", False),
        ("example.org:8480", False),
        ("localhost.example.org", False),
        ("127.0.0.1.example.org:8480", False),
        ("127.0.0.1@example.org", False),
        ("10.0.0.1:8480", False),
        ("0.0.0.0:8480", False),
        ("[::]:8480", False),
        ("::1", False),
        ("2130706433", False),
        ("0x7f000001", False),
    ],
)
def test_host_headers(header: str, allowed: bool) -> None:
    assert is_loopback_host_header(header) is allowed


@pytest.mark.parametrize(
    "host", ["0.0.0.0", "::", "", "10.1.2.3", "example.org", "ip6-localhost", "localhost."]
)
def test_nothing_but_loopback_is_bound(host: str) -> None:
    with pytest.raises(Refused, match="loopback only"):
        listen(Address(host, 0))


def test_localhost_is_not_looked_up() -> None:
    assert loopback_address("localhost") == "127.0.0.1"


def test_a_busy_port_is_named_with_a_way_out() -> None:
    with listen(Address("127.0.0.1", 0)) as first:
        port = first.getsockname()[1]
        with pytest.raises(Refused, match=rf"port {port}: another program.*--port {port % 65535 + 1}"):
            listen(Address("127.0.0.1", port))
    listen(Address("127.0.0.1", port)).close()
