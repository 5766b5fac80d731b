"""A process that writes is killed at random moments: what it acknowledged is there, the chain is whole."""

from __future__ import annotations

import contextlib
import os
import random
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from skylift.adapters.sql.store import open_store
from tests.adapters.sql.kits import BOXES, KITS, ROOMS

ROOT = Path(__file__).parents[3]
# 200 as they were asked for take a minute and a half: SKYLIFT_TEST_KILLS=200.
KILLS = int(os.environ.get("SKYLIFT_TEST_KILLS", "25"))
# From before the database is open to well amid writing, with erasures.
LONGEST_BEGINNING_S = 0.3
MOST_IN_A_LIFE = 120


def kill_again_and_again(url: str, kills: int, draw: random.Random) -> list[str]:
    """Lines that the writers said, until each was killed."""
    said: list[str] = []
    with (
        subprocess.Popen(
            [sys.executable, "-m", "tests.adapters.sql.killed_writer", url],
            cwd=ROOT,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            start_new_session=True,
        ) as parent,
        ending(parent),
    ):
        assert parent.stdin is not None
        assert parent.stdout is not None
        for life in range(kills):
            word, pid = parent.stdout.readline().split()
            assert word == "pid", said[-3:]
            # One in five as it begins; the others by their progress, which a busy machine does not end.
            begins = draw.random() < 0.2
            wanted = len(said) + 1 + draw.randrange(MOST_IN_A_LIFE)
            timer = threading.Timer(draw.uniform(0.0, LONGEST_BEGINNING_S), kill, (int(pid),))
            if begins:
                timer.start()
            for line in parent.stdout:
                if line.startswith("died"):
                    assert line.split() == ["died", str(-signal.SIGKILL)]
                    break
                said.append(line)
                if not begins and len(said) == wanted:
                    kill(int(pid))
            if begins:
                timer.join()
            if life < kills - 1:
                parent.stdin.write("again\n")
                parent.stdin.flush()
    return said


def kill(pid: int) -> None:
    os.kill(pid, signal.SIGKILL)


@contextlib.contextmanager
def ending(parent: subprocess.Popen[str]) -> Iterator[None]:
    """Ends the process that was started and its writer, whatever happens."""
    try:
        yield
    finally:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(parent.pid, signal.SIGKILL)


def check_all_survived(url: str, said: list[str]) -> None:
    store = open_store(url, ROOMS)
    found = store.verify()
    assert found.valid, found
    rooms = {"kit": KITS, "box": BOXES}
    there = {(kind, s.id): s.version for kind, room in rooms.items() for s in store.things(room)}
    acknowledged = [line.split()[1:] for line in said]
    for kind, id, version in acknowledged:
        if kind == "erased":
            with store.reading() as reader:
                assert reader.personal(id) == {}
        else:
            assert there[kind, id] == int(version)
    # Each transaction writes four events, and is there whole or not at all.
    assert found.rows == 2 * len(there)
    assert {id for kind, id in there if kind == "kit"} == {id for kind, id in there if kind == "box"}
    store.close()


@pytest.mark.parametrize("kills", [KILLS])
def test_what_was_acknowledged_survives(store_url: str, kills: int) -> None:
    said = kill_again_and_again(store_url, kills, random.Random(20220226))
    assert len(said) > kills
    check_all_survived(store_url, said)
