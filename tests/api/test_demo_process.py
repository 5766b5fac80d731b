"""`skylift run --demo` as a process: the day at high speed, what it leaves, and what it keeps away from."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx
import pytest

from skylift.adapters.demo import demo_file_in
from skylift.adapters.sql.store import open_store, sqlite_url
from skylift.service.rooms import ROOMS

SERVED = {"kyiv", "lviv", "kharkiv", "odesa", "mariupol"}


def skylift(*arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "skylift", *arguments],
        capture_output=True, text=True, timeout=60, check=False, env={**os.environ, **environment},
    )  # fmt: skip


def told_of(service: Any, holds: Callable[[dict[str, Any]], bool]) -> dict[str, Any]:
    until = time.monotonic() + 300.0
    while time.monotonic() < until:
        shown = service.get("/api/v1/demo").json()
        if holds(shown):
            return dict(shown)
        time.sleep(0.1)
    raise AssertionError("".join(service.output))


@pytest.mark.slow
def test_the_whole_day_is_played_and_the_sky_serves_whom_it_should(
    start_service: Callable[..., Any], tmp_path: Path
) -> None:
    folder = tmp_path / "demo"
    service = start_service("--demo", "--data-dir", str(folder), "--speed", "2000")
    service.wait_until_listening()
    half = told_of(service, lambda shown: shown["steps_done"] > 30)
    # Killed in the middle, it goes on where it was.
    service.process.send_signal(signal.SIGKILL)
    service.process.wait(10)
    service = start_service("--demo", "--data-dir", str(folder), "--speed", "2000")
    service.wait_until_listening()
    shown = told_of(service, lambda shown: bool(shown["ended"]))
    assert shown["failed"] == 0, [told for told in shown["told"] if told["how"] == "failed"]
    assert shown["personas"] == half["personas"], "the same people"
    assert [told["code"] for told in shown["told"] if told["how"] == "refused"] == [
        "request.not-verified", "actor.not-allowed", "shipment.not-finished", "statement.contradiction",
    ]  # fmt: skip
    _the_sky_serves(service, SERVED)

    names = shown["names"]
    token = httpx.post(f"{service.url}/api/v1/demo/login", json={"persona": "auditor"}).json()["token"]
    with httpx.Client(base_url=f"{service.url}/api/v1/", headers={"Authorization": f"Bearer {token}"}) as me:
        status = {id: me.get(f"{kind}/{id}").json()["status"] for kind, id in _things(names)}
        assert [status[names[one]] for one in ("region", "batch", "second", "word")] == [
            "active", "closed", "closed", "published",
        ]  # fmt: skip
        assert [status[names[one]] for one in ("first", "one", "two", "three", "four")] == ["active"] * 5
        assert status[names["again"]] == "merged"
        last = me.get(f"statements/{names['third_word']}").json()
        assert "5" in last["texts"]["en"]
        assert len(me.get("persons").json()["items"]) == 9, "nobody was brought in twice"
    cli = skylift("region", "list", SKYLIFT_SERVER=service.url, SKYLIFT_TOKEN=token)
    assert cli.returncode == 0
    assert "DEMO" in cli.stderr
    assert names["region"] in cli.stdout
    output = "".join(service.output)
    assert "setup:" not in output
    assert token not in output
    assert "approver-two" in output

    service.process.send_signal(signal.SIGTERM)
    assert service.process.wait(10) == 0
    audit = skylift("audit", "verify", "--data-dir", str(folder), "--json")
    assert audit.returncode == 0, audit.stderr
    assert "DEMO" in audit.stderr
    said = json.loads(audit.stdout)
    assert (said["demo"], said["valid"]) == (True, True)
    real = skylift("run", "--data-dir", str(folder), "--port", "0")
    assert (real.returncode, "real data is never beside" in real.stderr) == (2, True)


def _things(names: dict[str, str]) -> list[tuple[str, str]]:
    kinds = {"rgn": "regions", "shp": "shipments", "sta": "statements", "trm": "terminals", "req": "requests"}
    return [(kinds[id[:3]], id) for id in names.values() if id[:3] in kinds]


def _the_sky_serves(service: Any, wanted: set[str]) -> None:
    """At some slot all of them have a link; the two whose cells stay off never have one."""
    until, seen = time.monotonic() + 120.0, set()
    while time.monotonic() < until and seen != wanted:
        response = service.get("/api/v1/links")
        if response.status_code == 200:
            document = response.json()
            assert document["demo"] is True
            links = {link["terminal"]: link["why_down"] for link in document["links"]}
            assert links["donetsk"] == links["sevastopol"] == "not_permitted"
            seen |= {name for name, why in links.items() if why is None}
        time.sleep(0.05)
    assert seen == wanted


def test_without_a_folder_nothing_is_left_behind(start_service: Callable[..., Any], tmp_path: Path) -> None:
    # An empty name is none: the demo makes a folder of its own.
    service = start_service(
        "--demo", SKYLIFT_DATA_DIR="", TMPDIR=str(tmp_path), XDG_DATA_HOME=str(tmp_path / "d")
    )
    service.wait_until_listening()
    [folder] = tmp_path.glob("skylift-demo-*")
    assert folder.stat().st_mode & 0o077 == 0
    assert demo_file_in(folder).is_file()
    assert service.get("/healthz").json() == {"demo": True, "status": "ok"}
    assert service.get("/healthz").headers["skylift-demo"] == "1"
    service.process.send_signal(signal.SIGTERM)
    assert service.process.wait(10) == 0
    assert list(tmp_path.iterdir()) == []


def refused(*arguments: str, **environment: str) -> str:
    done = skylift("run", "--port", "0", *arguments, **environment)
    assert done.returncode == 2, done.stderr
    assert done.stdout == ""
    return done.stderr


def test_a_demo_is_never_beside_real_data_nor_the_reverse(tmp_path: Path) -> None:
    real, demo = tmp_path / "real", tmp_path / "demo"
    for folder in (real, demo):
        folder.mkdir()
    open_store(sqlite_url(real), ROOMS).close()
    open_store(f"sqlite:///{demo_file_in(demo)}", ROOMS, demo=True).close()
    before = sorted(path.name for path in real.iterdir())
    for text in (
        refused("--demo", "--data-dir", str(real)),
        refused("--demo", SKYLIFT_DATA_DIR=str(real)),
    ):
        assert "never beside real data" in text
        assert "SKYLIFT_DATA_DIR" in text
    assert "never beside" in refused("--data-dir", str(demo))
    # By its URL, whatever the file is called.
    assert "it is a real one" in refused("--demo", "--store-url", sqlite_url(real))
    assert "it holds a demo" in refused(
        "--data-dir", str(tmp_path / "x"), "--store-url", f"sqlite:///{demo_file_in(demo)}"
    )
    assert sorted(path.name for path in real.iterdir()) == before


@pytest.mark.parametrize(
    ("options", "says"),
    [
        (("--host", "0.0.0.0"), "--host"),
        (("--at", "2026-01-01"), "--at"),
        (("--clock", "wall"), "--clock wall"),
        (("--scenario", "x.toml"), "--scenario"),
        (("--tls-cert", "c.pem", "--tls-key", "k.pem"), "--tls-cert, --tls-key"),
        (("--serve", "scenario"), "--serve"),
        (("--webhooks-allow", "10.0.0.0/8", "--public-url", "https://example.org"), "--public-url"),
        (("--speed", "0"), "speed"),
    ],
)
def test_what_is_not_for_a_demo_is_refused(tmp_path: Path, options: tuple[str, ...], says: str) -> None:
    text = refused("--demo", "--data-dir", str(tmp_path / "d"), *options)
    assert says in text
    assert "--demo" in text or says in ("--host", "speed")
