"""Where a dish or a router is: HOST:PORT."""

from __future__ import annotations

from skylift.base.errors import Refused


def checked_address(address: str, option: str, example: str = "192.168.100.1:9200") -> str:
    """The same. Raises Refused where it is no host and port."""
    host, colon, port = address.rpartition(":")
    if not (
        colon and host and port.isascii() and port.isdecimal() and len(port) < 6 and 0 < int(port) < 65_536
    ):
        raise Refused(
            "dish.address",
            f"{option} {address[:60]!r}",
            "it is a host and a port",
            f"write it like {example}",
        )
    return address
