"""The agent's own process: what the command line needed to read its options is gone by now (17 MB of it).

python -m skylift.adapters.agent_process OPTIONS     OPTIONS: a JSON document, of `Options`
"""

from __future__ import annotations

import os
import signal
import sys
import time
from pathlib import Path
from typing import Final, NoReturn

import msgspec

from skylift.adapters.agent_folder import ALLOW, AgentFolder
from skylift.adapters.agent_http import SignedHttp
from skylift.adapters.agent_run import BoardClock, Running
from skylift.adapters.dish_client import DishClient
from skylift.adapters.dish_router import DEFAULT_ROUTER
from skylift.base.errors import Refused, SkyliftError


class Options(msgspec.Struct, frozen=True):
    """at_us, speed, began_ns: a simulated clock, for tests; None for the board's own."""

    folder: str
    dish: str
    ca: str | None = None
    at_us: int | None = None
    speed: float = 1.0
    began_ns: int | None = None
    router: str = DEFAULT_ROUTER


# Measured, of 56 MiB: without docstrings 2 less, with one arena of malloc for all threads 1.5.
_LEAN = {"MALLOC_ARENA_MAX": "1", "MALLOC_TRIM_THRESHOLD_": "65536"}
# Who compiles its modules holds 5 MiB more from then on: a process that ends does it beforehand.
COMPILED: Final = "compiled"


def become(options: Options) -> NoReturn:
    """Go on as that process, in place of this one."""
    command, environment = launch(options)
    os.execve(command[0], command, environment)


def launch(options: Options) -> tuple[list[str], dict[str, str]]:
    """Its command and environment, once what it is made of lies compiled in the agent's folder."""
    compiled = {"PYTHONPYCACHEPREFIX": str(Path(options.folder) / COMPILED)}
    environment = compiled | os.environ | _LEAN
    environment.pop("PYTHONDONTWRITEBYTECODE", None)
    python = [sys.executable, "-OO"]
    if not Path(environment["PYTHONPYCACHEPREFIX"]).exists():
        os.spawnve(os.P_WAIT, sys.executable, [*python, "-c", f"import {__name__}"], environment)
    text = msgspec.json.encode(options).decode()
    return [*python, "-m", __name__, text], environment


def main(text: str) -> int:
    """Run until stopped; the exit code."""
    options = msgspec.json.decode(text, type=Options)
    folder = AgentFolder(Path(options.folder)).made()
    try:
        with folder.locked():
            _run(folder, options)
    except SkyliftError as error:
        # In words, as the command line says it.
        _say(f"{error.thing}: {error.rule}\n  {error.way_out}")
        return error.exit_code
    return 0


def _run(folder: AgentFolder, options: Options) -> None:
    enrolment = folder.enrolment()
    if enrolment is None:
        raise Refused("agent.nobody", "the agent", "it is enrolled with no service", "run skylift agent")
    ca = None if options.ca is None else Path(options.ca)
    http = SignedHttp(enrolment.server, folder.agent_key(), enrolment.key_id, ca)
    with DishClient(options.dish) as dish:
        began_ns = time.monotonic_ns() if options.began_ns is None else options.began_ns
        clock = BoardClock(options.at_us, options.speed, began_ns)
        running = Running(folder, enrolment, dish, http, clock, _say, options.router)
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, lambda *_: running.stopping.set())
        _say(f"{enrolment.terminal}: agent of {options.dish}; its owner's list is {folder.path / ALLOW}")
        running.run()
    _say("stopped")


def _say(line: str) -> None:
    sys.stderr.write(f"{line}\n")
    sys.stderr.flush()


if __name__ == "__main__":
    try:
        sys.exit(main(sys.argv[1]))
    except (IndexError, msgspec.DecodeError):
        sys.exit("use skylift agent")
