"""`skylift run` as a whole: its processes, its answers against `simulate`, its refusals and its end."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import httpx
import pyarrow.parquet as pq
import pytest

from skylift.api import models

if not Path("/proc/self/task").exists():
    pytest.skip("needs /proc, to see which processes there are", allow_module_level=True)


def slots_of(service: Any, count: int, last_id: int | None = None) -> Iterator[tuple[int, dict[str, Any]]]:
    headers = {} if last_id is None else {"Last-Event-ID": str(last_id)}
    with httpx.stream("GET", service.url + "/api/v1/live", headers=headers, timeout=30.0) as response:
        assert response.headers["content-type"].startswith("text/event-stream")
        event: dict[str, str] = {}
        for line in response.iter_lines():
            if line:
                name, _, value = line.partition(": ")
                event[name] = value
            elif "data" in event:
                yield int(event["id"]), json.loads(event["data"])
                count -= 1
                if count == 0:
                    return
                event = {}


def test_links_are_what_simulate_gives_for_these_slots(
    start_service: Callable[..., Any], scenario: Path, tmp_path: Path
) -> None:
    service = start_service("--scenario", str(scenario), "--at", "2023-04-05T06:02:00Z", "--speed", "30")
    service.wait_until_ready()
    live = dict(slots_of(service, 16))
    done = subprocess.run(
        [
            sys.executable,
            "-m",
            "skylift",
            "simulate",
            str(scenario),
            "-o",
            str(tmp_path / "out"),
            "--workers",
            "1",
        ],
        capture_output=True,
        text=True,
        timeout=300,
    )
    assert done.returncode == 0, done.stderr
    simulated: dict[int, list[dict[str, Any]]] = {}
    for row in pq.read_table(tmp_path / "out" / "links.parquet").to_pylist():
        simulated.setdefault(row["at_us"], []).append(row)
    rows = [row for document in live.values() for row in document["links"]]
    assert rows == [row for at_us in live for row in simulated[at_us]]
    # Both kinds of rows were compared, over more than one memory window of 3 minutes.
    assert {row["why_down"] for row in rows} >= {None, "region_not_active"}
    assert sum(row["handover"] for row in rows) > 3
    assert len({at_us // 180_000_000 for at_us in live}) > 1


def test_the_documents_are_as_openapi_says(service: Any) -> None:
    links = models.Links.model_validate_json(service.get("/api/v1/links").text)
    assert [link.terminal for link in links.links] == ["rzeszow", "chernivtsi", "uzhhorod", "iasi"]
    about = models.About.model_validate_json(service.get("/api/v1/about").text)
    assert (about.scenario, about.satellites, about.ready) == ("Four towns", 4_408, True)
    satellites = models.Satellites.model_validate_json(service.get("/api/v1/satellites").text)
    assert len(satellites.satellites) == 4_408
    terminals = models.Terminals.model_validate_json(service.get("/api/v1/terminals").text)
    assert [terminal.terminal for terminal in terminals.terminals] == [
        "rzeszow",
        "chernivtsi",
        "uzhhorod",
        "iasi",
    ]
    gateways = models.Gateways.model_validate_json(service.get("/api/v1/gateways").text)
    assert len(gateways.gateways) == about.gateways
    assert all(gateway.source and gateway.accuracy_m > 0 for gateway in gateways.gateways)
    seen = models.Satellites.model_validate_json(service.get("/api/v1/satellites?terminal=uzhhorod").text)
    assert seen.satellites
    assert all(satellite.elevation_deg is not None for satellite in seen.satellites)


def test_the_live_stream_gives_each_slot_once_and_resumes(service: Any) -> None:
    first = [at_us for at_us, _ in slots_of(service, 3)]
    assert first == [first[0] + i * 15_000_000 for i in range(3)]
    resumed = [at_us for at_us, _ in slots_of(service, 3, last_id=first[0])]
    assert resumed[:2] == first[1:]
    assert resumed[2] == first[2] + 15_000_000


def test_a_recent_slot_can_be_asked_for_again(service: Any) -> None:
    [(at_us, document)] = slots_of(service, 1)
    assert service.get(f"/api/v1/links?at={document['at']}").json() == document
    assert service.get(f"/api/v1/links?at={at_us + 14_999_999}").json() == document


def test_a_foreign_host_header_is_refused_and_nothing_is_logged(service: Any) -> None:
    assert service.get("/api/v1/links", Host="rebound.example.org").status_code == 421
    assert service.get("/api/v1/links?at=50.0400,22.0000").status_code == 400
    assert not [line for line in service.output if "50.04" in line or "GET" in line]


def test_alive_at_once_while_the_sky_is_still_loading(
    start_service: Callable[..., Any], scenario: Path
) -> None:
    service = start_service("--scenario", str(scenario))
    service.wait_until_listening()
    # The socket listens before the event loop runs: the first question waits for it.
    assert service.get("/healthz").json() == {"status": "ok"}
    assert service.get("/readyz").status_code in (200, 503)


@pytest.mark.parametrize("ending", [signal.SIGTERM, signal.SIGINT, signal.SIGKILL])
def test_no_process_outlives_the_service(
    start_service: Callable[..., Any], scenario: Path, ending: signal.Signals
) -> None:
    service = start_service("--scenario", str(scenario), "--at", "2023-04-05T06:20:00Z")
    service.wait_until_ready()
    everybody = service.descendants()
    assert everybody
    with httpx.stream("GET", service.url + "/api/v1/live", timeout=10.0) as stream:
        assert next(stream.iter_lines()).startswith("retry")
        began = time.monotonic()
        service.process.send_signal(ending)
        assert service.process.wait(10) == (0 if ending is not signal.SIGKILL else -9)
        took_s = time.monotonic() - began
    assert service.gone_within(everybody, 5.0)
    # Two seconds are promised; a busy machine gets some more before this is called broken.
    assert took_s < 4.0


def test_a_sky_process_that_dies_is_told_of_and_begun_again(
    start_service: Callable[..., Any], scenario: Path
) -> None:
    service = start_service("--scenario", str(scenario), "--at", "2023-04-05T06:20:00Z", "--speed", "10")
    service.wait_until_ready()
    before = service.get("/api/v1/links").json()
    sky = [pid for pid in service.descendants() if "spawn_main" in Path(f"/proc/{pid}/cmdline").read_text()]
    assert len(sky) == 1
    os.kill(sky[0], signal.SIGKILL)
    reasons = _poll(service, lambda response: response.status_code == 503)
    assert "ended with exit code -9" in reasons
    assert service.get("/healthz").status_code == 200
    assert service.get(f"/api/v1/links?at={before['at']}").json() == before
    _poll(service, lambda response: response.status_code == 200)
    assert service.get("/api/v1/links").json()["at_us"] > before["at_us"]
    assert any("ended with exit code -9" in line for line in service.output)


def _poll(service: Any, wanted: Callable[[httpx.Response], bool]) -> str:
    until = time.monotonic() + 60.0
    while time.monotonic() < until:
        response = service.get("/readyz")
        if wanted(response):
            return str(response.text)
        time.sleep(0.01)
    raise AssertionError(response.text)


# --- refusals


def refused(*arguments: str, **environment: str) -> str:
    done = subprocess.run(
        [sys.executable, "-m", "skylift", "run", *arguments],
        capture_output=True,
        text=True,
        timeout=60,
        env={**os.environ, **environment},
    )
    assert done.returncode == 2, done.stderr
    assert done.stdout == ""
    return done.stderr


def test_it_binds_to_loopback_only(tmp_path: Path) -> None:
    text = refused("--host", "0.0.0.0", "--port", "0", "--data-dir", str(tmp_path))
    assert "without a login" in text
    assert "leave out --host" in text


def test_a_busy_port_is_refused_before_anything_is_begun(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = str(other.getsockname()[1])
        for text in (
            refused("--port", port, "--data-dir", str(tmp_path)),
            refused(SKYLIFT_PORT=port, SKYLIFT_DATA_DIR=str(tmp_path)),
        ):
            assert f"port {port}" in text
            assert "--port" in text
            assert "listens on" not in text.splitlines()[0].replace("listens on it", "")


def test_the_flag_goes_before_the_environment(start_service: Callable[..., Any], tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as other:
        taken = str(other.getsockname()[1])
        folder = tmp_path / "chosen"
        service = start_service("--port", "0", "--data-dir", str(folder), SKYLIFT_PORT=taken)
        service.wait_until_listening()
        assert not service.url.endswith(f":{taken}")
        assert folder.stat().st_mode & 0o077 == 0, "for this user alone"


@pytest.mark.parametrize(
    ("content", "says"),
    # What else can be wrong in one: tests/twin/test_scenario.py. The sky's process says it all alike.
    [(None, "scenario"), ("nonsense = 1", "nonsense")],
)
def test_a_scenario_that_cannot_be_read_ends_it(tmp_path: Path, content: str | None, says: str) -> None:
    path = tmp_path / "s.toml"
    if content is not None:
        path.write_text(content)
    text = refused("--scenario", str(path), "--port", "0", "--data-dir", str(tmp_path / "d"))
    assert any(word in text for word in says.split("|"))
    assert "Traceback" not in text


def test_the_wall_clock_cannot_be_set(tmp_path: Path) -> None:
    text = refused("--clock", "wall", "--at", "2024-01-01", "--data-dir", str(tmp_path), "--port", "0")
    assert "--clock" in text
    assert "microsecond" not in refused("--at", "soon", "--data-dir", str(tmp_path), "--port", "0")


def test_a_data_folder_that_is_a_file_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.write_text("")
    assert "--data-dir" in refused("--data-dir", str(path), "--port", "0")
