"""What tests of real packets need, and which processes a run has and leaves."""

from __future__ import annotations

import os
import shutil
import time
from pathlib import Path

import pytest


def needs(*programs: str) -> None:
    """Skip where there is no TUN, or a program is not installed."""
    if not os.access("/dev/net/tun", os.R_OK | os.W_OK):
        pytest.skip("/dev/net/tun cannot be opened here")
    for program in programs:
        if shutil.which(program) is None:
            pytest.skip(f"{program} is not installed")


def wait_for(words: str, there: bool) -> None:
    """Until a command of these words runs, or none does any more."""
    until = time.monotonic() + 60
    while time.monotonic() < until:
        if running(words) is there:
            return
        time.sleep(0.1)
    raise AssertionError(f"{words} is {'not ' if there else ''}running")


def running(words: str) -> bool:
    """Whether a command of these words runs."""
    for process in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            if process.read_bytes().rstrip(b"\0").replace(b"\0", b" ").decode(errors="replace") == words:
                return True
        except OSError:
            continue
    return False


def alive(pid: int) -> bool:
    """Whether a process is there, and no mere entry that nobody has asked after."""
    try:
        return Path(f"/proc/{pid}/stat").read_text(encoding="ascii").rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


def descendants(pid: int) -> list[int]:
    """All processes below one."""
    children = Path(f"/proc/{pid}/task/{pid}/children")
    below = [int(child) for child in children.read_text(encoding="ascii").split()]
    return below + [deeper for child in below for deeper in descendants(child)]
