"""The process that holds the two namespaces of a run: behind the terminal, and at the PoP.

It is begun by adapters/packet_run.py with one end of a socket. It makes both namespaces with an interface
each, hands the interfaces over, and runs the user's command behind the terminal. Namespaces have no names:
they and all commands end with this process, and this process ends with the one that began it.
"""

from __future__ import annotations

import json
import os
import select
import signal
import socket
import sys
from typing import Any

from skylift.adapters import tun
from skylift.adapters.packet_foreground import Foreground
from skylift.adapters.packet_network import OWN, Ends, Stage, dropped, open_way, set_up
from skylift.adapters.packet_processes import Processes, gather, unrunnable
from skylift.adapters.packet_tunnel import own_ns
from skylift.adapters.packet_wireguard import KeyKeeper
from skylift.base.errors import SkyliftError

# Where there is no command, something ends with the run and does nothing until then.
_WAIT = ["/bin/sh", "-c", "while :; do sleep 3600; done"]
_END_WITHIN_MS = 200


def main(channel: socket.socket) -> int:
    """Set up, hand over, wait for the word, run. Returns the command's exit status."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    tun.die_with_parent(signal.SIGKILL)
    stage = Stage(**_receive(channel))
    try:
        ends = set_up(stage)
        processes = gather()
    except SkyliftError as error:
        channel.sendall(json.dumps({"error": error.as_dict()["error"]}).encode() + b"\n")
        return 1
    told = {"encrypted": None if ends.tunnel is None else ends.tunnel.kind, "internet": ends.internet or None}
    channel.sendall(json.dumps(told).encode() + b"\n")
    socket.send_fds(channel, [b"tuns"], ends.tuns)
    if ends.tunnel is not None:
        took_ns = own_ns(ends.terminal)
        open_way(ends)
        channel.sendall(json.dumps(took_ns).encode() + b"\n")
    if channel.recv(1) != b"g":
        return 1
    foreground = Foreground()
    at_pop = begin(stage.pop_command, None, processes) if stage.pop_command else None
    behind = begin(stage.command or _WAIT, ends.terminal, processes, foreground)
    status = _until_ends(behind, channel, ends)
    foreground.take_back()
    channel.sendall(json.dumps({"dropped": dropped(ends)}).encode() + b"\n")
    if at_pop is not None:
        _end(at_pop)
    processes.end()
    if ends.tunnel is not None:
        ends.tunnel.close()
    code = os.waitstatus_to_exitcode(status)
    return code if code >= 0 else 128 - code


def _until_ends(behind: int, channel: socket.socket, ends: Ends) -> int:
    """The command's wait status; meanwhile keys are withdrawn and renewed as the packet loop says."""
    ended = os.pidfd_open(behind)
    poll = select.poll()
    poll.register(ended, select.POLLIN)
    poll.register(channel, select.POLLIN)
    while True:
        ready = {descriptor for descriptor, _ in poll.poll()}
        if ended in ready:
            return os.waitpid(behind, 0)[1]
        words = channel.recv(16)
        if not words:
            poll.unregister(channel)
        for word in words:
            if ends.tunnel is None:
                continue
            if word == KeyKeeper.WITHDRAW[0]:
                ends.tunnel.withdraw()
            else:
                ends.tunnel.renew(OWN)


def _end(process: int) -> None:
    """Let it end by itself, within reason; it ends with us in any case."""
    os.kill(process, signal.SIGTERM)
    ended = select.poll()
    ended.register(os.pidfd_open(process), select.POLLIN)
    ended.poll(_END_WITHIN_MS)
    os.waitpid(process, os.WNOHANG)


def _receive(channel: socket.socket) -> Any:
    text = b""
    while not text.endswith(b"\n"):
        part = channel.recv(65_536)
        if not part:
            raise SystemExit(1)
        text += part
    return json.loads(text)


def begin(
    command: list[str], namespace: int | None, processes: Processes, foreground: Foreground | None = None
) -> int:
    """Run a command, behind the terminal or here; returns its process id."""
    child = os.fork()
    if child:
        return child
    try:
        tun.die_with_parent(signal.SIGKILL)
        signal.signal(signal.SIGINT, signal.SIG_DFL)
        signal.signal(signal.SIGPIPE, signal.SIG_DFL)
        if namespace is not None:
            tun.set_namespace(namespace, tun.CLONE_NEWNET)
        else:
            silence = os.open(os.devnull, os.O_RDWR)
            for stream in (0, 1):
                os.dup2(silence, stream)
        processes.enter()
        if foreground is not None:
            foreground.lend(command)
        os.execvp(command[0], command)
    except OSError as error:
        sys.stderr.write(f"{command[0]}: {os.strerror(error.errno or 0)}\n")
        os._exit(unrunnable(error))


if __name__ == "__main__":
    sys.exit(main(socket.socket(fileno=int(sys.argv[1]))))
