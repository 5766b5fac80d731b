"""Fetching through the cache, against a server of our own."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import pytest

from skylift.adapters.celestrak import LEAST_INTERVAL_US, default_cache_dir, fetch_group
from skylift.base.errors import Refused, Unavailable
from skylift.base.instants import parse_instant
from skylift.sky.orbit.formats import write_catalogue
from skylift.sky.orbit.shells import Shell
from skylift.sky.orbit.walker import generate

NOW_US = int(parse_instant("2026-06-01T00:00:00Z"))
MINUTE_US = 60_000_000


def catalogue_text(satellites: int, file_format: str = "omm-json") -> str:
    return write_catalogue(generate([Shell("X", 1, satellites, 550e3, 53.0, 0.0)], NOW_US), file_format)


@dataclass
class Server:
    """What to answer, and what was asked."""

    url: str = ""
    status: int = 200
    body: str = ""
    asked: list[str] = field(default_factory=list)


@pytest.fixture
def server() -> Iterator[Server]:
    told = Server(body=catalogue_text(3))

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            told.asked.append(self.path)
            self.send_response(told.status)
            self.end_headers()
            self.wfile.write(told.body.encode())

        def log_message(self, format: str, *arguments: object) -> None:
            pass

    with HTTPServer(("127.0.0.1", 0), Handler) as http:
        told.url = f"http://127.0.0.1:{http.server_port}/gp.php?KEY=1"
        thread = threading.Thread(target=http.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield told
        http.shutdown()
        thread.join()


def fetch(
    server: Server, folder: Path, after_us: int = 0, group: str = "starlink", form: str = "omm-json"
) -> object:
    return fetch_group(group, form, folder, NOW_US + after_us, server.url)


def test_it_asks_once_in_two_hours_and_says_how_old_the_cache_is(server: Server, tmp_path: Path) -> None:
    first = fetch_group("starlink", "omm-json", tmp_path / "new", NOW_US, server.url)
    assert (first.objects, first.fresh, first.note) == (3, True, "")
    assert server.asked == ["/gp.php?KEY=1&GROUP=starlink&FORMAT=json"]
    server.body = catalogue_text(4)
    again = fetch_group("starlink", "omm-json", tmp_path / "new", NOW_US + 119 * MINUTE_US, server.url)
    assert (again.objects, again.fresh, again.age_s) == (3, False, 119 * 60)
    assert "in 1 min" in again.note
    assert len(server.asked) == 1
    later = fetch_group("starlink", "omm-json", tmp_path / "new", NOW_US + LEAST_INTERVAL_US, server.url)
    assert (later.objects, later.fresh) == (4, True)
    assert later.path.read_text() == server.body


def test_groups_formats_and_servers_have_files_of_their_own(server: Server, tmp_path: Path) -> None:
    fetch(server, tmp_path)
    fetch(server, tmp_path, group="oneweb")
    server.body = catalogue_text(3, "tle")
    fetch(server, tmp_path, form="tle")
    assert len(server.asked) == 3
    with pytest.raises(Unavailable, match="none are cached"):
        fetch_group("starlink", "omm-json", tmp_path, NOW_US, offline=True)


@pytest.mark.parametrize(
    ("status", "body"),
    [
        (403, "Forbidden"),
        (500, ""),
        (200, ""),
        (200, "No GP data found"),
        (200, "<html>sorry</html>"),
        (200, catalogue_text(3)[:-30]),
    ],
)
def test_a_failure_keeps_the_cache_and_is_not_repeated(
    server: Server, tmp_path: Path, status: int, body: str
) -> None:
    good = fetch_group("starlink", "omm-json", tmp_path, NOW_US, server.url)
    text = good.path.read_text()
    server.status, server.body = status, body
    for minutes, asked in ((120, 2), (125, 2), (239, 2), (240, 3)):
        kept = fetch_group("starlink", "omm-json", tmp_path, NOW_US + minutes * MINUTE_US, server.url)
        assert (kept.fresh, kept.objects, kept.age_s) == (False, 3, minutes * 60)
        assert "failed" in kept.note
        assert kept.path.read_text() == text
        assert len(server.asked) == asked
    server.status, server.body = 200, catalogue_text(5)
    assert fetch_group("starlink", "omm-json", tmp_path, NOW_US + 360 * MINUTE_US, server.url).objects == 5


def test_without_a_cache_a_failure_is_the_worlds_and_is_not_repeated_either(
    server: Server, tmp_path: Path
) -> None:
    server.status = 403
    for minutes in (0, 1, 60):
        with pytest.raises(Unavailable, match="403"):
            fetch(server, tmp_path, minutes * MINUTE_US)
    assert len(server.asked) == 1


def test_without_a_net_the_cache_serves(server: Server, tmp_path: Path) -> None:
    fetch(server, tmp_path)
    offline = fetch_group("starlink", "omm-json", tmp_path, NOW_US + 10**12, server.url, offline=True)
    assert (offline.objects, offline.fresh) == (3, False)
    assert len(server.asked) == 1


def test_a_clock_that_was_set_back_does_not_lock_us_out(server: Server, tmp_path: Path) -> None:
    fetch(server, tmp_path, after_us=10**15)
    fetch(server, tmp_path)
    assert len(server.asked) == 2


def test_a_lost_or_spoilt_state_only_means_asking_again(server: Server, tmp_path: Path) -> None:
    fetch(server, tmp_path)
    for state in tmp_path.glob("*.state.json"):
        state.write_text("{")
    fetch(server, tmp_path)
    assert len(server.asked) == 2


@pytest.mark.parametrize(
    ("group", "form"), [("../x", "tle"), ("", "tle"), ("a b", "tle"), ("starlink", "yaml")]
)
def test_bad_questions_are_refused_before_anything_is_asked(
    server: Server, tmp_path: Path, group: str, form: str
) -> None:
    with pytest.raises(Refused):
        fetch(server, tmp_path, group=group, form=form)
    assert server.asked == []
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("url", ["ftp://example.org/gp.php", "file://gp.php", "example.org/gp", "http://"])
def test_only_a_web_address_is_asked(tmp_path: Path, url: str) -> None:
    with pytest.raises(Refused, match="web address"):
        fetch_group("starlink", "omm-json", tmp_path, NOW_US, url)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    "words", ["No GP data found", 'Invalid query: "GROUP=starlnk&FORMAT=json" (GROUP=starlnk not found)']
)
def test_a_group_that_celestrak_does_not_have_is_said(server: Server, tmp_path: Path, words: str) -> None:
    server.body = words
    with pytest.raises(Unavailable, match="no such group"):
        fetch(server, tmp_path, group="starlnk")


def test_the_cache_lies_where_the_data_lie(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("SKYLIFT_DATA_DIR", str(tmp_path))
    assert default_cache_dir() == tmp_path / "celestrak"
    monkeypatch.delenv("SKYLIFT_DATA_DIR")
    assert "skylift" in str(default_cache_dir())
