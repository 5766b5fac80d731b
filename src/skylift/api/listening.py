"""Where a service may listen. Light: what is refused here is refused before anything else is loaded."""

from __future__ import annotations

import errno
import ipaddress
import socket
import ssl
from dataclasses import dataclass
from pathlib import Path

from skylift.base.errors import Refused, Unavailable

BACKLOG = 128


@dataclass(frozen=True, slots=True)
class Address:
    host: str
    port: int


@dataclass(frozen=True, slots=True)
class Tls:
    """PEM files."""

    certificate: Path
    key: Path

    def check(self) -> None:
        """Raises Refused where they cannot be used."""
        try:
            ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER).load_cert_chain(self.certificate, self.key)
        except (OSError, ssl.SSLError):
            raise Refused(
                "tls.unusable",
                "--tls-cert and --tls-key",
                "they are a certificate and its key, as PEM files without a password",
                "check the files, and that the key belongs to the certificate",
            ) from None


def loopback_address(host: str) -> str | None:
    """The numeric loopback address that `host` names, or None where it is not loopback."""
    if host.lower() == "localhost":
        # Not looked up: what a resolver says "localhost" is, need not be loopback.
        return "127.0.0.1"
    try:
        address = ipaddress.ip_address(host)
    except ValueError:
        return None
    return str(address) if address.is_loopback else None


def listen(wanted: Address, anywhere: bool = False) -> socket.socket:
    """A listening socket on loopback, or `anywhere` where there are logins and TLS.

    Raises Refused for any other address, and for a port that is taken.
    """
    host = loopback_address(wanted.host) or (_numeric(wanted.host) if anywhere else None)
    if host is None:
        raise Refused(
            "host.not_loopback",
            f"--host {wanted.host}",
            "without a login and TLS the service binds to loopback only: no other machine is to reach it",
            "leave out --host, and reach it from elsewhere by `ssh -L 8480:127.0.0.1:8480 MACHINE`; or "
            "set up a login on loopback first, then give --tls-cert and --tls-key",
        )
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    listening = socket.socket(family, socket.SOCK_STREAM)
    # A port just left by another run is free again at once; on Windows the option would allow two owners.
    if hasattr(socket, "SO_REUSEPORT"):
        listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listening.bind((host, wanted.port))
        listening.listen(BACKLOG)
    except OSError as error:
        listening.close()
        raise _cannot_listen(error, wanted) from None
    return listening


def _numeric(host: str) -> str:
    try:
        return str(ipaddress.ip_address(host))
    except ValueError:
        raise Refused(
            "host.not_numeric", "--host", "it is an address in digits", "write for example 0.0.0.0"
        ) from None


def _cannot_listen(error: OSError, wanted: Address) -> Exception:
    if error.errno == errno.EADDRINUSE:
        return Refused(
            "port.busy",
            f"port {wanted.port}",
            "another program listens on it already (another skylift, perhaps)",
            f"stop that one, or take another port: --port {wanted.port % 65535 + 1}",
        )
    if error.errno == errno.EACCES:
        return Refused(
            "port.not_allowed",
            f"port {wanted.port}",
            "this user may not listen on it (ports below 1024 belong to root)",
            "take a higher port: --port 8480",
        )
    return Unavailable(
        "host.unavailable",
        f"address {wanted.host}",
        error.strerror or "it cannot be bound",
        "leave out --host",
    )
