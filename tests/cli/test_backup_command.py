"""skylift backup and restore, as commands."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner

from skylift.adapters.sql.store import open_store, sqlite_url
from skylift.base.errors import Refused
from skylift.cli.main import app
from skylift.service.rooms import ROOMS
from tests.faults.test_killed_server import add_operator


def ran(*arguments: str) -> dict[str, object]:
    done = CliRunner().invoke(app, [*arguments, "--json"], catch_exceptions=False)
    assert done.exit_code == 0, done.output
    document: dict[str, object] = json.loads(done.stdout)
    return document


def refused(*arguments: str) -> None:
    CliRunner().invoke(app, [*arguments], catch_exceptions=False, standalone_mode=False)


def test_a_store_goes_into_a_file_and_comes_back(tmp_path: Path) -> None:
    home, backup = tmp_path / "home", tmp_path / "backup"
    home.mkdir()
    store = open_store(sqlite_url(home), ROOMS)
    add_operator(store)
    head = store.head()
    written = ran("backup", "--to", str(backup), "--data-dir", str(home))
    assert written == {"file": str(backup), "rows": head[0], "head": head[1], "telemetry": None}
    store.close()
    other = tmp_path / "other"
    back = ran("restore", str(backup), "--data-dir", str(other))
    assert back == {"rows": head[0], "head": head[1], "erased_again": 0}
    assert ran("audit", "verify", "--data-dir", str(other), "--head", head[1])["valid"] is True
    with pytest.raises(Refused, match="--replace"):
        refused("restore", str(backup), "--data-dir", str(other))
    assert ran("restore", str(backup), "--data-dir", str(other), "--replace") == back


@pytest.mark.parametrize("command", [["backup", "--to", "x"], ["restore", "x"]])
def test_a_server_has_backups_of_its_own(command: list[str]) -> None:
    with pytest.raises(Refused, match="of its own"):
        refused(*command, "--store-url", "postgresql://a@b/c")
