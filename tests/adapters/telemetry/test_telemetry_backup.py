"""A backup holds telemetry, and brings back nothing of it that was erased since."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner

from skylift.adapters.sql.backing_up import back_up, restore, telemetry_beside
from skylift.adapters.sql.store import SqlStore, open_store, sqlite_file_in, sqlite_url
from skylift.adapters.telemetry import accounting
from skylift.adapters.telemetry.erasures import erased_since
from skylift.adapters.telemetry.store import TelemetrySql, telemetry_file_in
from skylift.base.errors import Refused
from skylift.base.instants import InstantUs
from skylift.cli.main import app
from skylift.ports.telemetry import Posted
from skylift.service.rooms import ROOMS
from skylift.service.terminal import state as terminals
from skylift.service.terminal.events import Network, TerminalManufactured
from skylift.twin.handle import begin
from skylift.wire.telemetry.rows import Row
from tests.adapters.sql.test_backing_up import erase

AT = 1_650_000_000_000_000
NAMES = ("trm_canaryone", "trm_canarytwo", "trm_canarythree")


def keep(store: SqlStore, telemetry: TelemetrySql) -> None:
    for name in NAMES:
        event = TerminalManufactured(
            InstantUs(AT), "per_1", name, None, serial=name.upper(), kit="", dish_id="", hardware="REV4",
            network=Network.OURS,
        )  # fmt: skip
        with store.transaction() as transaction:
            begin(terminals.ROOM, transaction, name, (event,))
            transaction.keep_personal(name, {"name": "somebody"})
    post(telemetry, 1)


def post(telemetry: TelemetrySql, number: int) -> None:
    telemetry.take([Posted(name, AT, [Row(number, AT + number, down_bytes=10)]) for name in NAMES])


def rows_in(file: Path) -> dict[str, int]:
    telemetry = TelemetrySql(f"sqlite:///{file}")
    with telemetry.database.reading() as session:
        sql = (
            "SELECT t.terminal, COUNT(*) FROM telemetry_terminals t JOIN telemetry_rows r"
            " ON r.terminal = t.number GROUP BY 1"
        )
        found = {str(name): int(count) for name, count in session.rows(sql)}
    telemetry.close()
    return found


def catch_up(store: SqlStore, telemetry: TelemetrySql) -> list[str]:
    """What a running service does every few seconds."""
    gone, sequence = erased_since(store, accounting.erased_through(telemetry.database))
    telemetry.erase(gone)
    accounting.note_erased(telemetry.database, sequence)
    return gone


def test_telemetry_comes_back_without_what_was_erased(tmp_path: Path) -> None:
    home, backup = tmp_path / "home", tmp_path / "backup"
    home.mkdir()
    store, telemetry = (
        open_store(sqlite_url(home), ROOMS),
        TelemetrySql(f"sqlite:///{telemetry_file_in(home)}"),
    )
    keep(store, telemetry)
    assert back_up(sqlite_file_in(home), backup, ROOMS, telemetry_file_in(home)).valid
    assert telemetry_beside(backup).stat().st_mode & 0o077 == 0
    post(telemetry, 2)
    erase(store, NAMES[0], AT + 5)
    assert catch_up(store, telemetry) == [NAMES[0]]
    erase(store, NAMES[1], AT + 6)
    store.close()
    telemetry.close()
    done = restore(backup, sqlite_file_in(home), ROOMS, replace=True, telemetry=telemetry_file_in(home))
    assert done.erased_again == 2
    assert rows_in(telemetry_file_in(home)) == {NAMES[2]: 1}
    here = b"".join(file.read_bytes() for file in home.glob("*telemetry*"))
    assert [name for name in NAMES if name.encode() in here] == [NAMES[2]]
    assert not list(home.glob(".*part*"))
    assert rows_in(telemetry_beside(backup)) == dict.fromkeys(NAMES, 1), "a backup is not changed"
    # What is erased from now on has numbers of the journal that had been used before, and goes all the same.
    store, telemetry = (
        open_store(sqlite_url(home), ROOMS),
        TelemetrySql(f"sqlite:///{telemetry_file_in(home)}"),
    )
    assert catch_up(store, telemetry) == []
    erase(store, NAMES[2], AT + 9)
    assert catch_up(store, telemetry) == [NAMES[2]]
    store.close()
    telemetry.close()


def test_a_backup_of_the_store_alone_leaves_telemetry_there_and_in_line(tmp_path: Path) -> None:
    store, telemetry = (
        open_store(sqlite_url(tmp_path), ROOMS),
        TelemetrySql(f"sqlite:///{telemetry_file_in(tmp_path)}"),
    )
    keep(store, telemetry)
    backup = tmp_path / "backup"
    back_up(sqlite_file_in(tmp_path), backup, ROOMS)
    erase(store, NAMES[0], AT + 5)
    store.close()
    telemetry.close()
    restore(backup, sqlite_file_in(tmp_path), ROOMS, replace=True, telemetry=telemetry_file_in(tmp_path))
    assert rows_in(telemetry_file_in(tmp_path)) == dict.fromkeys(NAMES[1:], 1)


def test_a_damaged_half_is_refused_and_nothing_is_lost(tmp_path: Path) -> None:
    store, telemetry = (
        open_store(sqlite_url(tmp_path), ROOMS),
        TelemetrySql(f"sqlite:///{telemetry_file_in(tmp_path)}"),
    )
    keep(store, telemetry)
    store.close()
    telemetry.close()
    backup = tmp_path / "backup"
    said = CliRunner().invoke(app, ["backup", "--to", str(backup), "--data-dir", str(tmp_path), "--json"])
    assert json.loads(said.stdout)["telemetry"] == str(telemetry_beside(backup))
    backup.unlink()
    with pytest.raises(Refused, match="already"):
        back_up(sqlite_file_in(tmp_path), backup, ROOMS, telemetry_file_in(tmp_path))
    back_up(sqlite_file_in(tmp_path), backup, ROOMS)
    telemetry_beside(backup).write_bytes(b"no database at all, and longer than a header of one" * 9)
    with pytest.raises(Refused, match="damaged"):
        restore(backup, sqlite_file_in(tmp_path), ROOMS, replace=True, telemetry=telemetry_file_in(tmp_path))
    assert rows_in(telemetry_file_in(tmp_path)) == dict.fromkeys(NAMES, 1)
