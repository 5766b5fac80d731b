"""A process namespace for all commands of a run: when it ends, however, the kernel ends all they began."""

from __future__ import annotations

import contextlib
import os
import signal
from dataclasses import dataclass

from skylift.adapters import tun
from skylift.base.errors import Unavailable


@dataclass(frozen=True, slots=True)
class Processes:
    """Its first process, and the mount namespace in which /proc shows it; None where /proc stays as it is."""

    first: int
    mounts: int | None

    def enter(self) -> None:
        """See its processes, and no others, in /proc. The folder under us stays. Raises OSError."""
        if self.mounts is None:
            return
        with contextlib.ExitStack() as stack:
            # Who joins a mount namespace begins at its root.
            with contextlib.suppress(OSError):
                stack.callback(os.chdir, os.getcwd())
            tun.set_namespace(self.mounts, tun.CLONE_NEWNS)

    def end(self) -> None:
        """End all of them; afterwards none is left."""
        os.kill(self.first, signal.SIGKILL)
        os.waitpid(self.first, 0)


def unrunnable(error: OSError) -> int:
    """The exit status of what could not be run, as shells have it: 127 where there is no such thing."""
    return 127 if isinstance(error, FileNotFoundError) else 126


def gather() -> Processes:
    """From now on what this process begins is in a process namespace of its own, and ends with this process.

    It can begin no threads afterwards (unshare(2)). Raises Unavailable.
    """
    try:
        tun.unshare(tun.CLONE_NEWPID)
    except OSError as error:
        raise Unavailable(
            "packets.processes",
            "a process namespace",
            f"it cannot be made ({os.strerror(error.errno or 0)})",
            "run as root, or allow user namespaces; as root: sysctl -w user.max_pid_namespaces=10000",
        ) from None
    readable, writable = os.pipe()
    # When the first process of the namespace ends, the kernel ends all others.
    first = os.fork()
    if first == 0:
        try:
            _be_first(readable, writable)
        finally:
            os._exit(1)
    os.close(writable)
    covered = os.read(readable, 1) == b"1"
    os.close(readable)
    return Processes(first, os.open(f"/proc/{first}/ns/mnt", os.O_RDONLY | os.O_CLOEXEC) if covered else None)


def _be_first(readable: int, writable: int) -> None:
    tun.die_with_parent(signal.SIGKILL)
    os.close(readable)
    if _covers_processes():
        os.write(writable, b"1")
    os.close(writable)
    # What loses its parent becomes a child of ours; the kernel forgets it when it ends.
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)
    while True:
        signal.pause()


def _covers_processes() -> bool:
    """Whether /proc now shows our processes to whoever joins our mount namespace; else ps has other numbers.

    In some containers /proc has to stay as it is, and who joins from a chroot would leave it.
    """
    root = os.stat("/")
    try:
        tun.unshare(tun.CLONE_NEWNS)
        tun.cover_processes()
        own = os.open("/proc/self/ns/mnt", os.O_RDONLY)
        tun.set_namespace(own, tun.CLONE_NEWNS)
        os.close(own)
    except OSError:
        return False
    return os.path.samestat(root, os.stat("/"))
