"""`skylift agent` as its owner meets it: safety first, nothing over http, a doctor, and a wipe."""

from __future__ import annotations

import errno
import json
import os
from pathlib import Path
from typing import Any

import pytest
import typer
from typer.testing import CliRunner, Result

from skylift.adapters import agent_process
from skylift.adapters.agent_folder import AgentFolder, Enrolment
from skylift.adapters.agent_http import Answered, SignedHttp, enrol
from skylift.adapters.keys import KeyPair, text_of
from skylift.base.errors import Refused, SkyliftError, Unavailable
from skylift.cli import agent
from skylift.wire.agent.sharing import Shares, Told

NOBODY = "127.0.0.1:1"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "agent"


@pytest.fixture
def become(monkeypatch: pytest.MonkeyPatch) -> list[agent_process.Options]:
    """What the command would go on as."""
    became: list[agent_process.Options] = []
    monkeypatch.setattr(agent_process, "become", became.append)
    return became


def run(*arguments: str) -> Result:
    app = typer.Typer()
    agent.register(app)
    app.command("other")(lambda: None)
    return CliRunner().invoke(app, ["agent", *arguments])


def enrolled(folder: Path, server: str = "https://127.0.0.1:1") -> None:
    public = text_of(KeyPair.made().public)
    made = AgentFolder(folder).made()
    made.keep_enrolment(Enrolment(server, "trm_1", "key_1", public, "2026-11-22T10:00:00Z"))
    made.agent_key()
    made.buffer_key()


def test_safety_is_shown_once_and_is_the_projects_own(
    root: Path, folder: Path, become: list[agent_process.Options]
) -> None:
    text = (root / "SAFETY.md").read_text("utf-8")
    assert (root / "src/skylift/data/agent/safety.txt").read_text("utf-8") == text
    enrolled(folder)
    first = run("--state-dir", str(folder), "--dish", NOBODY)
    assert first.exit_code == 0
    assert "pull the power" in first.stderr
    assert text in first.stderr
    again = run("--state-dir", str(folder), "--dish", NOBODY)
    assert text not in again.stderr
    assert become == [agent_process.Options(str(folder), NOBODY)] * 2


@pytest.mark.parametrize(
    ("told", "code"),
    [
        ([], "agent.server"),
        (["--server", "http://service.example", "--code", "x"], "agent.server-open"),
        (["--server", "https://service.example/skylift", "--code", "x"], "agent.server"),
        (["--server", "service.example", "--code", "x"], "agent.server"),
        (["--server", "https://127.0.0.1:1"], "agent.code"),
        (["--server", "https://127.0.0.1:1", "--code", "x", "--ca", "none.pem"], "agent.authority"),
        (["--server", "https://127.0.0.1:1", "--code", "x"], "agent.no-answer"),
    ],
)
def test_what_keeps_it_from_enrolling(folder: Path, told: list[str], code: str) -> None:
    result = run("--state-dir", str(folder), *told)
    assert isinstance(result.exception, SkyliftError)
    assert result.exception.code == code


def test_whose_certificate_is_not_trusted_is_told_how_to_name_its_authority() -> None:
    class Untrusted(SignedHttp):
        def post(self, *_: Any, **__: Any) -> Answered:
            return Answered(0, code="agent.certificate")

    with pytest.raises(Unavailable) as refused:
        enrol(Untrusted("https://service.example", KeyPair.made()), KeyPair.made(), "x")
    assert (refused.value.code, "--ca" in refused.value.way_out) == ("agent.certificate", True)


def test_an_enrolled_agent_goes_to_no_other_service(folder: Path) -> None:
    enrolled(folder)
    result = run("--state-dir", str(folder), "--server", "https://other.example")
    assert isinstance(result.exception, Refused)
    assert result.exception.code == "agent.other-server"


def test_two_agents_do_not_share_a_folder(folder: Path) -> None:
    enrolled(folder)
    with AgentFolder(folder).locked():
        assert agent_process.main(json.dumps({"folder": str(folder), "dish": NOBODY})) == 2
        result = run("wipe", "--yes", "--state-dir", str(folder))
        assert isinstance(result.exception, Refused)
    assert folder.exists()


def test_doctor_says_what_is_wrong_and_what_to_do(folder: Path) -> None:
    fresh = run("doctor", "--state-dir", str(folder), "--dish", NOBODY)
    assert fresh.exit_code == 1
    assert "ask an operator for a one-time code" in fresh.stdout
    enrolled(folder)
    made = AgentFolder(folder)
    (folder / "buffer.key").chmod(0o644)
    (folder / "allow.toml").write_text('allow = ["explode"]')
    made.keep_trouble("key.not-known", "2026-11-22T11:00:00Z")
    result = run("doctor", "--state-dir", str(folder), "--dish", NOBODY, "--json")
    assert result.exit_code == 1
    checks = {one["check"]: one for one in json.loads(result.stdout)["checks"]}
    assert "chmod 600" in checks["buffer.key"]["way_out"]
    assert "check its power and cable" in checks["dish"]["way_out"]
    assert not checks["owner's list"]["ok"]
    assert not checks["service"]["ok"]
    assert "wipe, and enrol with a new code" in checks["sending"]["way_out"]
    assert all(one["way_out"] for one in checks.values() if not one["ok"])


def test_status_says_by_its_exit_code_whether_all_is_well(folder: Path) -> None:
    assert run("status", "--state-dir", str(folder)).exit_code == 1
    enrolled(folder)
    well = run("status", "--state-dir", str(folder))
    assert (well.exit_code, "WRONG" in well.stdout) == (0, False), well.stdout
    AgentFolder(folder).keep_trouble("key.not-known", "2026-11-22T11:00:00Z")
    said = run("status", "--state-dir", str(folder), "--json")
    assert (said.exit_code, json.loads(said.stdout)["ok"]) == (1, False)


def test_a_list_that_others_may_write_allows_nothing(folder: Path) -> None:
    made = AgentFolder(folder).made()
    assert made.permits().allow == frozenset()
    assert (folder / "allow.toml").stat().st_mode & 0o777 == 0o600
    (folder / "allow.toml").chmod(0o666)
    with pytest.raises(SkyliftError, match="others on this machine may write it"):
        made.permits()


def test_wipe_leaves_nothing_and_asks_before(folder: Path) -> None:
    enrolled(folder)
    assert isinstance(run("wipe", "--state-dir", str(folder)).exception, Refused)
    gone = run("wipe", "--yes", "--state-dir", str(folder))
    assert (gone.exit_code, "revoke the key" in gone.stdout) == (0, True)
    assert list(folder.parent.iterdir()) == []
    # Of one that no service ever knew there is nothing to revoke.
    AgentFolder(folder).made().agent_key()
    gone = run("wipe", "--yes", "--state-dir", str(folder))
    assert (gone.exit_code, "revoke" in gone.stdout) == (0, False)
    assert "nothing" in run("wipe", "--yes", "--state-dir", str(folder)).stdout


def test_what_it_stands_beside_is_told_once(
    folder: Path, become: list[agent_process.Options], tmp_path: Path
) -> None:
    """After a restart by hand it must not look for another dish, and its doctor neither."""
    enrolled(folder)
    there = ["--state-dir", str(folder)]
    assert run(*there, "--enrol-only", "--dish", NOBODY, "--ca", str(tmp_path / "ca.pem")).exit_code == 0
    assert run(*there, "--router", "10.0.0.1:9000").exit_code == 0
    assert run(*there, "--dish", "10.0.0.2:9200").exit_code == 0
    ca = str(tmp_path / "ca.pem")
    assert become == [
        agent_process.Options(str(folder), dish, ca, router="10.0.0.1:9000")
        for dish in (NOBODY, "10.0.0.2:9200")
    ]
    assert run(*there, "--enrol-only", "--dish", NOBODY).exit_code == 0
    doctor = run("doctor", *there)
    assert f"dish at {NOBODY}" in doctor.stdout
    # No such file: said, and the rest is looked at all the same.
    assert "start the agent once with --ca FILE" in doctor.stdout
    assert "buffer" in doctor.stdout
    (folder / "beside.json").write_text("{")
    assert AgentFolder(folder).beside().dish == "192.168.100.1:9200"


def test_wipe_tells_the_service_where_only_root_may_remove_the_folder(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """systemd's StateDirectory lies in a folder of root's: what was shared is taken back all the same."""
    enrolled(folder)
    AgentFolder(folder).keep_told(Told(1, Shares(("location",)), heard=True))
    posted: list[str] = []
    rmdir = os.rmdir

    def post(_: SignedHttp, path: str, *__: object) -> Answered:
        posted.append(path)
        return Answered(200)

    def denied(path: str, *arguments: object, **named: object) -> None:
        if str(path) == str(folder):
            raise PermissionError(errno.EACCES, "Permission denied", path)
        rmdir(path, *arguments, **named)  # type: ignore[arg-type]

    monkeypatch.setattr(SignedHttp, "post", post)
    monkeypatch.setattr(os, "rmdir", denied)
    result = run("wipe", "--yes", "--state-dir", str(folder))
    assert result.exit_code == 0
    assert list(folder.iterdir()) == []
    assert "root may remove it" in result.stdout
    assert len(posted) == 1


def test_the_unit_is_a_unit(folder: Path) -> None:
    import configparser

    unit = configparser.RawConfigParser(strict=False)
    unit.read_string(run("unit").stdout)
    assert unit["Service"]["Restart"] == "always"
    assert "skylift agent" in unit["Service"]["ExecStart"]


def test_a_loopback_server_may_be_without_tls() -> None:
    for server in ("http://127.0.0.1:8480", "http://localhost:8480", "http://[::1]:8480/"):
        SignedHttp(server, KeyPair.made())
    for server in ("http://127.0.0.1.evil.example", "http://[::2]", "https://", "https://[", "ftp://x"):
        with pytest.raises(Refused):
            SignedHttp(server, KeyPair.made())
