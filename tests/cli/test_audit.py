"""`skylift audit verify` and `skylift upgrade`, as commands."""

from __future__ import annotations

import json
import sqlite3
import subprocess
import sys
from contextlib import closing
from pathlib import Path

import pytest

from skylift.adapters.sql.schema import REVISION
from skylift.adapters.sql.store import SqlStore, open_store, sqlite_file_in, sqlite_url
from skylift.base.events import Who
from skylift.base.instants import InstantUs
from skylift.service.region import decide
from skylift.service.region.state import ROOM
from skylift.service.rooms import ROOMS
from skylift.twin.handle import begin, change

WHO = Who(InstantUs(1_645_876_800_000_000), "acc_minister")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A data folder with three events about one region."""
    store = open_store(sqlite_url(tmp_path), ROOMS)
    with store.transaction() as transaction:
        region = ROOM.empty("rgn_1")
        begin(ROOM, transaction, "rgn_1", decide.opened(region, WHO, "UA", "Україна", ["851e5227fffffff"]))
        change(ROOM, transaction, "rgn_1", lambda region: decide.requested(region, WHO))
        change(ROOM, transaction, "rgn_1", lambda region: decide.refused(region, WHO, "regulator", "later"))
    store.close()
    return tmp_path


def run(*arguments: str, folder: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "skylift", *arguments, "--data-dir", str(folder)],
        text=True,
        capture_output=True,
        timeout=60,
        check=False,
    )


def test_a_whole_journal_is_valid(folder: Path) -> None:
    done = run("audit", "verify", "--json", folder=folder)
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout)
    assert (found["rows"], found["valid"], found["first_bad_row"]) == (3, True, None)
    again = run("audit", "verify", "--head", found["head"].upper(), folder=folder)
    assert again.returncode == 0
    assert found["head"] in again.stdout


def test_a_changed_row_and_a_cut_end_are_exit_1(folder: Path) -> None:
    store = SqlStore(sqlite_url(folder), ROOMS)
    head, before = store.head()[1], store.journal()[1].hash
    store.close()
    with closing(sqlite3.connect(sqlite_file_in(folder))) as connection, connection:
        connection.execute("DELETE FROM journal WHERE sequence = 3")
        connection.execute("UPDATE journal_head SET sequence = 2, hash = ?", (before,))
    done = run("audit", "verify", "--json", "--head", head, folder=folder)
    assert done.returncode == 1
    found = json.loads(done.stdout)
    assert (found["rows"], found["valid"], found["first_bad_row"], found["head"]) == (2, False, 3, before)
    done = run("audit", "verify", "--json", folder=folder)
    assert done.returncode == 1
    assert json.loads(done.stdout)["differing"] == [{"kind": "region", "id": "rgn_1"}]


def test_a_damaged_file_is_exit_1(folder: Path) -> None:
    file = sqlite_file_in(folder)
    data = bytearray(file.read_bytes())
    data[100 : len(data)] = b"\x55" * (len(data) - 100)
    file.write_bytes(data)
    done = run("audit", "verify", "--json", folder=folder)
    assert done.returncode == 1
    assert json.loads(done.stderr)["error"]["code"] == "store.corrupt"


@pytest.mark.parametrize("command", [("audit", "verify"), ("upgrade",)])
def test_nothing_is_made_where_there_is_nothing(tmp_path: Path, command: tuple[str, ...]) -> None:
    done = run(*command, "--json", folder=tmp_path / "none")
    assert done.returncode == 2
    assert json.loads(done.stderr)["error"]["code"] == "store.none"
    assert list(tmp_path.iterdir()) == []


def test_half_a_head_is_the_callers_error(folder: Path) -> None:
    done = run("audit", "verify", "--json", "--head", "abc", folder=folder)
    assert done.returncode == 2
    assert done.stdout == ""


def test_upgrade_says_what_it_did(folder: Path) -> None:
    done = run("upgrade", "--json", folder=folder)
    assert json.loads(done.stdout) == {"before": REVISION, "after": REVISION}
