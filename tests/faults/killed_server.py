"""The office behind a real HTTP server, which is killed again and again: run by test_killed_server.py.

    python -m tests.faults.killed_server FD URL [BUSY_S]

Everything is imported once; then a server is forked for each life, on the listening socket FD. Each line on
standard output is "pid N", "up" or "died CODE"; each line on standard input asks for another life.
"""

from __future__ import annotations

import asyncio
import os
import socket
import sys
import traceback

import uvicorn

from skylift.adapters.clock import WallClock
from skylift.adapters.sql.engine import make_engine
from skylift.adapters.sql.store import open_store
from skylift.api.app import create_app
from skylift.api.office.desk import Desk
from skylift.api.state import LiveState
from skylift.service.rooms import ROOMS


def live(listening: socket.socket, url: str, busy_timeout_s: float) -> None:
    """Serve until somebody kills us."""

    async def go() -> None:
        desk = Desk(open_store(url, ROOMS, busy_timeout_s=busy_timeout_s), WallClock())
        app = create_app(LiveState(WallClock()), desk)
        config = uvicorn.Config(app, log_config=None, access_log=False, lifespan="off", ws="none")
        # One write of a short line, which is never half: the other end may count on it.
        os.write(1, b"up\n")
        await uvicorn.Server(config).serve(sockets=[listening])

    asyncio.run(go())


def main() -> None:
    listening = socket.socket(fileno=int(sys.argv[1]))
    url = sys.argv[2]
    busy_timeout_s = float(sys.argv[3]) if len(sys.argv) > 3 else 30.0
    # What every life would otherwise import anew, instead of serving.
    make_engine(url).dispose()
    create_app(LiveState(WallClock()))
    while True:
        pid = os.fork()
        if pid == 0:
            try:
                live(listening, url, busy_timeout_s)
            except BaseException:
                traceback.print_exc()
            finally:
                sys.stderr.flush()
                os._exit(3)
        print(f"pid {pid}", flush=True)
        _, status = os.waitpid(pid, 0)
        print(f"died {os.waitstatus_to_exitcode(status)}", flush=True)
        if not sys.stdin.readline():
            return


if __name__ == "__main__":
    main()
