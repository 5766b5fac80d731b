"""Real WireGuard from the terminal to the gateway: the kernel's, or wireguard-go, with keys of one run.

The interface is made in the underlay's namespace and moved into the terminal's: its encrypted packets keep
leaving through the underlay, and nothing in the terminal's namespace can go round it. wireguard-go listens
for its settings on a socket in /run; it gets a /run of its own, so that none is left on the host.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import socket
import time
from base64 import b64encode
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from skylift.adapters import tun
from skylift.base.errors import Unavailable

# IPv4, UDP and WireGuard take 60 bytes of 1,500, over IPv6 80: WireGuard's own default.
MTU = 1_420
PORT = 51_820
_PROGRAM = "wireguard-go"
_STARTS_WITHIN_S = 10.0
# include/uapi/asm-generic/socket.h; Python has no name for it.
_SO_RCVBUFFORCE = 33
# Of the kernel's memory, which counts 2.3 kB for a packet of 1,480 bytes: 70 ms at 400 Mbit/s.
_HELD_BYTES = 4_000_000


def present() -> bool:
    """Whether there is WireGuard here: in the kernel, or as a program."""
    return Path("/sys/module/wireguard").exists() or shutil.which(_PROGRAM) is not None


def missing() -> Unavailable:
    """Neither is here."""
    return Unavailable(
        "packets.wireguard",
        "WireGuard",
        "neither this kernel's nor wireguard-go is here",
        "as root: apt-get install wireguard-go, or say --no-encrypt",
    )


@dataclass(frozen=True, slots=True)
class Keys:
    """One end's key pair; it is shown nowhere."""

    private: bytes
    public: bytes

    def __repr__(self) -> str:
        return "Keys(hidden)"

    @classmethod
    def new(cls) -> Keys:
        from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey

        key = X25519PrivateKey.generate()
        return cls(key.private_bytes_raw(), key.public_key().public_bytes_raw())


@dataclass(frozen=True, slots=True)
class Peer:
    """The other end: its public key, where it is, and what may come from it."""

    public: bytes
    endpoint: str
    allowed: tuple[str, ...]


class Interface(Protocol):
    """A WireGuard interface that can be told its keys."""

    kind: str

    def set(self, private: bytes | None, peers: list[Peer]) -> None:
        """Have these peers and no others; a key where it changes."""

    def close(self) -> None:
        """End what keeps it."""


def make(name: str) -> Interface:
    """A new interface in the present network namespace. Raises Unavailable where there is no WireGuard."""
    from pyroute2 import IPRoute
    from pyroute2.netlink.exceptions import NetlinkError

    try:
        with IPRoute() as ip:
            ip.link("add", ifname=name, kind="wireguard")
        return _Kernel(name)
    except NetlinkError:
        if shutil.which(_PROGRAM) is None:
            raise missing() from None
    return _Program(name)


class _Kernel:
    """The kernel's own, told over netlink. It must be told in the namespace that it is in."""

    kind = "kernel"

    def __init__(self, name: str) -> None:
        self._name = name

    def set(self, private: bytes | None, peers: list[Peer]) -> None:
        from pyroute2 import WireGuard

        with WireGuard() as wireguard:
            if private is not None:
                wireguard.set(self._name, private_key=b64encode(private).decode(), listen_port=PORT)
            for info in wireguard.info(self._name):
                for old in info.get_attr("WGDEVICE_A_PEERS") or ():
                    key = old.get_attr("WGPEER_A_PUBLIC_KEY")
                    wireguard.set(self._name, peer={"public_key": key, "remove": True})
            for peer in peers:
                address, port = peer.endpoint.rsplit(":", 1)
                told: dict[str, Any] = {
                    "public_key": b64encode(peer.public).decode(),
                    "endpoint_addr": address,
                    "endpoint_port": int(port),
                    "allowed_ips": list(peer.allowed),
                }
                wireguard.set(self._name, peer=told)

    def close(self) -> None:
        # It ends with its namespace.
        return


class _Program:
    """wireguard-go, told over its socket in the words of wireguard.com/xplatform."""

    kind = _PROGRAM

    def __init__(self, name: str) -> None:
        self._pid = _start(name)
        self._listens = False
        self._socket = f"/proc/{self._pid}/root/run/wireguard/{name}.sock"
        until = time.monotonic() + _STARTS_WITHIN_S
        while not os.path.exists(self._socket):
            ended, _ = os.waitpid(self._pid, os.WNOHANG)
            if ended or time.monotonic() > until:
                raise Unavailable(
                    "packets.wireguard_go",
                    _PROGRAM,
                    "it does not start",
                    f"try it: {_PROGRAM} -f wg-test; or say --no-encrypt",
                )
            time.sleep(0.01)

    def set(self, private: bytes | None, peers: list[Peer]) -> None:
        lines = ["set=1"]
        if private is not None:
            lines.append(f"private_key={private.hex()}")
        if not self._listens:
            # Whenever it is told, it opens its sockets anew.
            lines.append(f"listen_port={PORT}")
        lines.append("replace_peers=true")
        for peer in peers:
            lines += [f"public_key={peer.public.hex()}", f"endpoint={peer.endpoint}"]
            lines += [f"allowed_ip={net}" for net in peer.allowed]
        if "errno=0" not in self._ask(lines):
            raise Unavailable(
                "packets.wireguard_set", _PROGRAM, "it refuses its settings", "say --no-encrypt"
            )
        if not self._listens:
            self._listens = True
            for one in _sockets_of(self._pid):
                with one:
                    _hold_more(one)

    def close(self) -> None:
        os.kill(self._pid, signal.SIGKILL)
        os.waitpid(self._pid, 0)

    def _ask(self, lines: list[str]) -> list[str]:
        with socket.socket(socket.AF_UNIX) as talking:
            talking.settimeout(_STARTS_WITHIN_S)
            talking.connect(self._socket)
            talking.sendall(("\n".join(lines) + "\n\n").encode())
            said = b""
            while not said.endswith(b"\n\n") and (part := talking.recv(65_536)):
                said += part
        return said.decode().splitlines()


def _sockets_of(pid: int) -> Iterator[socket.socket]:
    """A child's sockets over which what is encrypted goes, as our own; none where that is not allowed."""
    whole = os.pidfd_open(pid)
    try:
        for number in os.listdir(f"/proc/{pid}/fd"):
            try:
                one = socket.socket(fileno=tun.descriptor_of(whole, int(number)))
            except OSError:
                # No socket, or closed by now.
                continue
            if one.type == socket.SOCK_DGRAM and one.family in (socket.AF_INET, socket.AF_INET6):
                yield one
            else:
                one.close()
    finally:
        os.close(whole)


def _hold_more(one: socket.socket) -> None:
    """What comes at once while the other end waits for a processor: the system's own bound is 92 packets."""
    for option in (_SO_RCVBUFFORCE, socket.SO_RCVBUF):
        # Without root as much as everybody may, which is twice as much as without asking.
        with contextlib.suppress(PermissionError):
            one.setsockopt(socket.SOL_SOCKET, option, _HELD_BYTES)
            return


def dropped_packets() -> int:
    """Encrypted packets that came in the present network namespace and found their socket full, so far."""
    dropped = 0
    for file in ("udp", "udp6"):
        lines = Path(f"/proc/self/net/{file}").read_text(encoding="ascii").splitlines()[1:]
        for columns in map(str.split, lines):
            if columns[1].endswith(f":{PORT:04X}"):
                dropped += int(columns[-1])
    return dropped


def _start(name: str) -> int:
    child = os.fork()
    if child:
        return child
    try:
        tun.die_with_parent(signal.SIGKILL)
        # Ctrl-C is for the command; wireguard-go would end on it.
        os.setsid()
        tun.unshare(tun.CLONE_NEWNS)
        for path in {os.path.realpath("/run"), os.path.realpath("/var/run")}:
            tun.cover_folder(path)
        silence = os.open(os.devnull, os.O_RDWR)
        for stream in (0, 1, 2):
            os.dup2(silence, stream)
        os.environ["LOG_LEVEL"] = "silent"
        # Both ends and the packets' loop share this machine. On two busy processors a thread each is up to a
        # half faster than two, for a fifth less of their time; on two free ones, a ping takes 0.3 ms longer.
        os.environ.setdefault("GOMAXPROCS", str(max(1, len(os.sched_getaffinity(0)) // 2)))
        os.execvp(_PROGRAM, [_PROGRAM, "-f", name])
    except OSError:
        os._exit(127)


class Tunnel:
    """Both ends' keys, and whether the gateway lets the terminal in."""

    def __init__(self, terminal: Interface, gateway: Interface, endpoints: tuple[str, str]) -> None:
        self._terminal, self._gateway, self._endpoints = terminal, gateway, endpoints
        self.kind = terminal.kind

    def renew(self, own: tuple[str, ...]) -> None:
        """New keys for both ends; `own` are the terminal's addresses."""
        terminal, gateway = Keys.new(), Keys.new()
        self._gateway.set(gateway.private, [Peer(terminal.public, self._endpoints[0], own)])
        self._terminal.set(
            terminal.private, [Peer(gateway.public, self._endpoints[1], ("0.0.0.0/0", "::/0"))]
        )

    def withdraw(self) -> None:
        """The gateway knows the terminal no more: whatever it sends is not even answered."""
        self._gateway.set(None, [])

    def close(self) -> None:
        """End both ends."""
        self._terminal.close()
        self._gateway.close()


class KeyKeeper:
    """When keys are withdrawn and renewed, as the slots say: no clock, monotonic nanoseconds.

    A slot in which the terminal may not be served withdraws its key as it begins; the first in which it may
    be again brings new ones. They are renewed every `last_ns` besides.
    """

    BARRED = frozenset({"region_not_active", "not_permitted", "server_silent"})
    WITHDRAW, RENEW = b"w", b"k"

    def __init__(self, began_ns: int, last_ns: int) -> None:
        self._last_ns = last_ns
        self._renew_ns = began_ns + last_ns
        self._coming: list[tuple[int, bool]] = []
        self._barred = False

    def told(self, start_ns: int, why_down: str) -> None:
        """What a slot says, which begins then."""
        self._coming.append((start_ns, why_down in self.BARRED))

    def due(self, now_ns: int) -> list[bytes]:
        """What is to be done by now."""
        todo = []
        while self._coming and self._coming[0][0] <= now_ns:
            _, barred = self._coming.pop(0)
            if barred != self._barred:
                todo.append(self.WITHDRAW if barred else self.RENEW)
                self._barred = barred
        if now_ns >= self._renew_ns:
            self._renew_ns = now_ns + self._last_ns
            if not self._barred and self.RENEW not in todo:
                todo.append(self.RENEW)
        return todo

    def next_ns(self) -> int:
        """When to ask next."""
        return min([self._renew_ns, *(start_ns for start_ns, _ in self._coming[:1])])
