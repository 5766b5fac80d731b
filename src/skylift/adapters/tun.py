"""TUN interfaces with virtio-net headers and offload, and the system calls that Python has no name for."""

from __future__ import annotations

import ctypes
import fcntl
import os
import struct
from pathlib import Path

from skylift.base.errors import Refused, Unavailable

_TUNSETIFF, _TUNSETOFFLOAD = 0x400454CA, 0x400454D0
_IFF_TUN, _IFF_NO_PI, _IFF_VNET_HDR = 0x0001, 0x1000, 0x4000
_CSUM, _TSO4, _TSO6, _ECN, _USO4, _USO6 = 0x01, 0x02, 0x04, 0x08, 0x20, 0x40
# The best first: older kernels know no USO.
_OFFLOADS = (_CSUM | _TSO4 | _TSO6 | _ECN | _USO4 | _USO6, _CSUM | _TSO4 | _TSO6 | _ECN, _CSUM, 0)

CLONE_NEWNS, CLONE_NEWUSER, CLONE_NEWNET = 0x00020000, 0x10000000, 0x40000000
CLONE_NEWPID = 0x20000000
_MS_BIND, _MS_REC, _MS_PRIVATE, _MNT_DETACH = 4096, 16384, 1 << 18, 2
_PR_SET_PDEATHSIG = 1
# The same number on all processors (include/uapi/asm-generic/unistd.h); since Linux 5.6.
_PIDFD_GETFD = 438
_libc = ctypes.CDLL(None, use_errno=True)


def open_tun(name: str, offload: bool = True) -> int:
    """A file descriptor of a new TUN interface in this process's network namespace.

    offload  whether frames may come as superpackets, with checksums left to be filled in

    Raises Unavailable where there is no /dev/net/tun, or no right to it.
    """
    try:
        tun = os.open("/dev/net/tun", os.O_RDWR | os.O_NONBLOCK | os.O_CLOEXEC)
    except OSError as error:
        raise Unavailable(
            "packets.tun",
            "/dev/net/tun",
            f"it cannot be opened ({os.strerror(error.errno or 0)})",
            "as root: modprobe tun; mkdir -p /dev/net; mknod /dev/net/tun c 10 200; chmod 666 /dev/net/tun",
        ) from None
    try:
        request = struct.pack("16sH22x", name.encode(), _IFF_TUN | _IFF_NO_PI | _IFF_VNET_HDR)
        fcntl.ioctl(tun, _TUNSETIFF, request)
    except OSError as error:
        os.close(tun)
        raise Unavailable(
            "packets.interface",
            f"interface {name}",
            f"it cannot be made ({os.strerror(error.errno or 0)})",
            "this takes CAP_NET_ADMIN: run as root, or allow user namespaces",
        ) from None
    for features in _OFFLOADS if offload else (0,):
        try:
            fcntl.ioctl(tun, _TUNSETOFFLOAD, features)
        except OSError:
            continue
        break
    return tun


def check_tun(name: str) -> None:
    """Raises Refused, with what to do instead, where a name is not that of a TUN interface here."""
    folder = Path("/sys/class/net") / name
    if not name or "/" in name or not folder.is_dir():
        raise Refused(
            "packets.interface",
            f"interface {name[:20]!r}",
            "this machine has none of this name",
            "make one: ip tuntap add mode tun NAME",
        )
    flags = folder / "tun_flags"
    kind = int(flags.read_text(encoding="ascii"), 16) if flags.exists() else 0
    if not kind & _IFF_TUN:
        raise Refused(
            "packets.interface_kind",
            f"interface {name[:20]!r}",
            "it is a TAP interface, which has frames of Ethernet"
            if kind
            else "it is a network card or the like, which belongs to the kernel",
            "ip tuntap add mode tun NAME; a card goes into a namespace of its own: ip netns add sky; "
            f"ip link set {name[:20]} netns sky; skylift connect ... --namespace sky (see the how-to)",
        )


def unshare(flags: int) -> None:
    """Leave namespaces for new ones. Raises OSError."""
    _check(_libc.unshare(flags))


def set_namespace(descriptor: int, kind: int) -> None:
    """Join a namespace. Raises OSError."""
    _check(_libc.setns(descriptor, kind))


def die_with_parent(signal_number: int) -> None:
    """Get a signal when the process that began this one ends, however it ends."""
    _check(_libc.prctl(_PR_SET_PDEATHSIG, signal_number, 0, 0, 0))


def descriptor_of(process: int, number: int) -> int:
    """One of another process's descriptors, by its pidfd, as one of ours. Raises OSError."""
    return _check(_libc.syscall(_PIDFD_GETFD, process, number, 0))


def become_root_of_own() -> None:
    """A user namespace of our own, in which this user is root. Raises Unavailable where that is forbidden."""
    uid, gid = os.getuid(), os.getgid()
    try:
        unshare(CLONE_NEWUSER)
        for file, text in (("setgroups", "deny"), ("uid_map", f"0 {uid} 1"), ("gid_map", f"0 {gid} 1")):
            with open(f"/proc/self/{file}", "w", encoding="ascii") as map_file:
                map_file.write(text)
    except OSError as error:
        raise Unavailable(
            "packets.rights",
            "a user namespace",
            f"the system does not allow it ({os.strerror(error.errno or 0)})",
            "run as root, or as root: sysctl -w user.max_user_namespaces=10000 "
            "kernel.apparmor_restrict_unprivileged_userns=0",
        ) from None


def cover_file(path: str, text: str) -> bool:
    """Show other contents in place of a file, in this mount namespace alone; false where forbidden."""
    scratch = b"/mnt"
    try:
        _check(_libc.mount(b"none", b"/", None, _MS_REC | _MS_PRIVATE, None))
        _check(_libc.mount(b"skylift", scratch, b"tmpfs", 0, b"size=1m,mode=755"))
        try:
            with open(scratch + b"/cover", "w", encoding="utf-8") as cover:
                cover.write(text)
            _check(_libc.mount(scratch + b"/cover", path.encode(), None, _MS_BIND, None))
        finally:
            _libc.umount2(scratch, _MNT_DETACH)
    except OSError:
        return False
    return True


def cover_folder(path: str) -> None:
    """Show an empty folder in its place, in this mount namespace alone. Raises OSError."""
    _check(_libc.mount(b"none", b"/", None, _MS_REC | _MS_PRIVATE, None))
    _check(_libc.mount(b"skylift", path.encode(), b"tmpfs", 0, b"size=1m,mode=755"))


def cover_processes() -> None:
    """Show this process namespace's processes alone in /proc, in this mount namespace. Raises OSError."""
    _check(_libc.mount(b"none", b"/", None, _MS_REC | _MS_PRIVATE, None))
    _check(_libc.mount(b"proc", b"/proc", b"proc", 0, None))


class Timer:
    """A timerfd on the monotonic clock: a descriptor that becomes readable at an instant."""

    def __init__(self) -> None:
        # CLOCK_MONOTONIC, TFD_NONBLOCK | TFD_CLOEXEC
        self.descriptor = _check(_libc.timerfd_create(1, 0o4000 | 0o2000000))
        self._armed_ns = -1

    def arm(self, at_ns: int | None) -> None:
        """Fire at an instant; None: never."""
        at_ns = 0 if at_ns is None else max(1, at_ns)
        if at_ns == self._armed_ns:
            return
        self._armed_ns = at_ns
        seconds, nanoseconds = divmod(at_ns, 1_000_000_000)
        spec = struct.pack("qqqq", 0, 0, seconds, nanoseconds)
        _check(_libc.timerfd_settime(self.descriptor, 1, spec, None))

    def fired(self) -> None:
        """Take note that it has fired."""
        try:
            os.read(self.descriptor, 8)
        except BlockingIOError:
            return
        self._armed_ns = -1

    def close(self) -> None:
        os.close(self.descriptor)


def _check(result: int) -> int:
    if result < 0:
        error = ctypes.get_errno()
        raise OSError(error, os.strerror(error))
    return result
