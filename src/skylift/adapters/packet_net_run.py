"""A run of many terminals: the sky in one process, all their packets in another, and what it came to."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import asdict, dataclass
from typing import Any, BinaryIO

from skylift.adapters.packet_link import begin_teller, first_said
from skylift.adapters.packet_net_loop import Orders
from skylift.adapters.packet_net_server import net_server_main
from skylift.adapters.packet_net_sky import net_sky_main
from skylift.adapters.packet_net_stage import MOST
from skylift.adapters.packet_server import ServerLink
from skylift.adapters.scenario_files import Sources
from skylift.base.errors import Refused, Unavailable


@dataclass(frozen=True, slots=True)
class NetWanted:
    """Whose links, and what to do with them. terminals: ids; () for all that the sources have."""

    sources: Sources | ServerLink
    terminals: tuple[str, ...]
    orders: Orders


def run_net(
    wanted: NetWanted, ready: Callable[[dict[str, Any]], None], say: Callable[[str], None] = lambda _: None
) -> dict[str, Any]:
    """Run until the commands end, the time is over, or Ctrl-C; the report. Raises Refused or Unavailable.

    ready  called with each terminal's addresses and namespace when packets go through
    say    called with each line that whoever runs it should read before that
    """
    with ExitStack() as stack:
        main = net_server_main if isinstance(wanted.sources, ServerLink) else net_sky_main
        sky = begin_teller(stack, main, (wanted.sources, wanted.terminals, wanted.orders.at_us))
        ids: list[str] = first_said(sky, say)
        if len(ids) > MOST:
            raise Refused(
                "packets.many", f"{len(ids)} terminals", f"one run has at most {MOST}", "name some of them"
            )
        ours, theirs = socket.socketpair()
        stack.callback(ours.close)
        process = subprocess.Popen(
            [
                sys.executable,
                "-m",
                "skylift.adapters.packet_net_loop",
                str(theirs.fileno()),
                str(sky.fileno()),
            ],
            pass_fds=[theirs.fileno(), sky.fileno()],
            # One loop needs no threads, and each takes memory.
            env={**os.environ, "OPENBLAS_NUM_THREADS": "1", "OMP_NUM_THREADS": "1"},
        )
        stack.callback(process.wait)
        stack.callback(process.kill)
        theirs.close()
        ours.sendall(json.dumps({"ids": ids, **asdict(wanted.orders)}).encode() + b"\n")
        lines = stack.enter_context(ours.makefile("rb"))
        try:
            ready(_line(lines, process))
            return _line(lines, process)
        except KeyboardInterrupt:
            ours.sendall(b"s")
            return _line(lines, process)


def _line(lines: BinaryIO, process: subprocess.Popen[bytes]) -> dict[str, Any]:
    """What the packets' process says next. Raises what it says went wrong."""
    text = lines.readline()
    if not text.endswith(b"\n"):
        raise Unavailable(
            "packets.loop", "the packets' process", f"it ended early ({process.wait()})", "see above"
        )
    said: dict[str, Any] = json.loads(text)
    if "error" in said:
        raise Unavailable(**said["error"])
    return said
