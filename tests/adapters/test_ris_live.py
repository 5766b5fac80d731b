"""RIS Live as it streams, from a server beside us: what is kept, how it comes back, and what was missed."""

from __future__ import annotations

import gzip
import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, ClassVar
from urllib.parse import parse_qs, urlsplit

import pytest

from skylift.adapters.outage_bgp import BgpProbes
from skylift.adapters.outage_sources import read_sources
from skylift.adapters.ris_live import BEGAN, TICK, RisLive
from skylift.base.errors import Refused
from tests.adapters.test_outage_bgp import FAR_US, STEP_S, TOML, T, ris
from tests.watch.test_routes import table

OTHER = {"path": [64510, 64599], "announcements": [{"next_hop": "192.0.2.1", "prefixes": ["203.0.113.0/24"]}]}


class Collector(BaseHTTPRequestHandler):
    """Each connection gets the next of the answers: a status, headers and what it streams."""

    answers: ClassVar[list[tuple[int, dict[str, str], bytes]]] = []
    asked: ClassVar[list[tuple[str, Any]]] = []

    def do_GET(self) -> None:
        self.asked.append((self.path, self.headers))
        status, headers, body = self.answers.pop(0)
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *said: object) -> None:
        """Nothing: the test says what it wants to know."""


@pytest.fixture(scope="module")
def address() -> Iterator[str]:
    server = ThreadingHTTPServer(("127.0.0.1", 0), Collector)
    thread = threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}/v1/stream/"
    server.shutdown()
    thread.join(5)
    server.server_close()


def followed(
    address: str,
    folder: Path,
    answers: list[tuple[int, dict[str, str], bytes]],
    wanted: Any,
    now_s: float = T,
) -> list[float]:
    """Follow until all answers are given; how long was waited after each."""
    Collector.answers[:], Collector.asked[:] = answers, []
    waited: list[float] = []

    def wait(seconds: float) -> bool:
        waited.append(seconds)
        return not Collector.answers

    RisLive(folder, "rrc00", wanted, address, lambda: now_s, None, wait).follow()
    return waited


def kept(folder: Path) -> list[tuple[str, float]]:
    lines = [line for path in sorted(folder.glob("ris-*")) for line in path.read_text().splitlines()]
    return [(one["type"], one["data"]["timestamp"]) for one in map(json.loads, lines)]


def test_what_matters_is_kept_and_the_line_comes_back_politely(address: str, tmp_path: Path) -> None:
    noise = "".join(ris(T + second, 0, **OTHER) for second in range(1, 25))
    first = (
        ris(T, 0, withdrawals=["192.0.2.0/24"]) + "no json\n" + '{"type": "ris_error", "data": {}}\n' + noise
    )
    second = ris(T + 900, 1, withdrawals=["192.0.2.0/24"]) + ris(T + 901, 1, **OTHER)[:40]
    waited = followed(
        address,
        tmp_path,
        [
            (200, {}, first.encode()),
            (500, {}, b""),
            (429, {"Retry-After": "77"}, b""),
            (200, {}, second.encode()),
        ],
        lambda data: "withdrawals" in data,
    )
    assert kept(tmp_path) == [
        (BEGAN, T), ("ris_message", T), (TICK, T + 10), (TICK, T + 20),
        (BEGAN, T + 900), ("ris_message", T + 900),
    ]  # fmt: skip
    # Soon after something came, later and later where nothing does, and as long as is asked for.
    assert 0.5 <= waited[0] <= 1.0 <= waited[1] <= 2.0
    assert waited[2] == 77.0
    path, headers = Collector.asked[0]
    assert parse_qs(urlsplit(path).query)["client"][0].startswith("skylift-")
    assert json.loads(headers["X-RIS-Subscribe"]) == {"host": "rrc00"}
    assert headers["User-Agent"].startswith("skylift/")


def test_old_files_go(address: str, tmp_path: Path) -> None:
    line = ris(T, 0, withdrawals=["192.0.2.0/24"]).encode()
    followed(address, tmp_path, [(200, {}, line)], lambda data: True)
    [old] = tmp_path.glob("ris-*")
    followed(address, tmp_path, [(200, {}, line)], lambda data: True, old.stat().st_mtime + 37 * 3_600)
    assert len(list(tmp_path.glob("ris-*"))) == 1
    assert not old.exists()


def levels(probes: BgpProbes) -> dict[int, float]:
    gathered = probes.gather(0, FAR_US)
    return {(one.at_us // 1_000_000 - T) // STEP_S: one.value for one in gathered.samples}


def sources(folder: Path, address: str) -> Path:
    """A network with one prefix, which two peers have a route to."""
    paths = {"192.0.2.0/24": {peer: [64510 + peer, 64500] for peer in range(2)}}
    (folder / "bview.1.gz").write_bytes(gzip.compress(table([64510, 64511], paths, T)))
    text = TOML.replace('updates = ["updates*"]\n', "").replace('relations = "as-rel.txt"\n', "")
    text = text.replace("full_feed = 3", "full_feed = 1").replace("ris.jsonl", "spool")
    (folder / "sources.toml").write_text(f'{text}ris_live_url = "{address}"\nris_live_host = "rrc00"\n')
    return folder / "sources.toml"


def probes_of(file: Path, joined: list[int]) -> BgpProbes:
    """Its stream is not joined; how many peers were known when it would have been."""
    [probes] = read_sources(file)
    assert isinstance(probes, BgpProbes)
    assert probes.live is not None
    probes.live.start = lambda: joined.append(  # type: ignore[method-assign]
        len(probes._routes.peers) if probes._routes else -1
    )
    return probes


def test_of_what_was_missed_nothing_is_counted_until_there_is_a_new_table(
    address: str, tmp_path: Path
) -> None:
    paths = {"192.0.2.0/24": {peer: [64510 + peer, 64500] for peer in range(2)}}
    probes = probes_of(sources(tmp_path, address), [])

    gone = "".join(ris(T + 700, peer, withdrawals=["192.0.2.0/24"]) for peer in (0, 1))
    ticks = "".join(ris(T + second, 0, **OTHER) for second in range(60, 1300, 30))
    # Joined a minute after the table was written; after 1300 s it breaks for twenty minutes.
    stream = "".join(
        sorted(
            (ticks + gone).splitlines(keepends=True), key=lambda line: json.loads(line)["data"]["timestamp"]
        )
    )
    assert levels(probes) == {}
    later = "".join(ris(T + second, 0, **OTHER) for second in range(2500, 3400, 30))
    followed(
        address, tmp_path / "spool", [(200, {}, stream.encode()), (200, {}, later.encode())], probes.wanted
    )
    assert levels(probes) == {0: 1.0, 1: 1.0, 2: 0.0, 3: 0.0}
    [why] = probes.gather(0, FAR_US).left
    assert "nothing is counted until new ones come" in why.reason
    # A new table, which came late: what the stream told since is put on top of it.
    back = "".join(ris(T + 3200, peer, withdrawals=["192.0.2.0/24"]) for peer in (0, 1))
    last = "".join(ris(T + second, 0, **OTHER) for second in range(3410, 4000, 30))
    followed(address, tmp_path / "spool", [(200, {}, (back + last).encode())], probes.wanted)
    (tmp_path / "bview.2.gz").write_bytes(gzip.compress(table([64510, 64511], paths, T + 3000)))
    found = levels(probes)
    assert found == {0: 1.0, 1: 1.0, 2: 0.0, 3: 0.0, 11: 0.0, 12: 0.0}
    assert probes.gather(0, FAR_US).left == []


def test_a_restart_joins_the_stream_before_it_reads_the_tables_and_counts_on(
    address: str, tmp_path: Path
) -> None:
    joined: list[int] = []
    file, spool = sources(tmp_path, address), tmp_path / "spool"
    first = probes_of(file, joined)
    assert levels(first) == {}
    ticks = "".join(ris(T + second, 0, **OTHER) for second in range(0, 630, 30))
    followed(address, spool, [(200, {}, ticks.encode())], first.wanted)
    assert levels(first) == {0: 1.0, 1: 1.0}
    # Of a first run nobody knows which withdrawals matter before its tables are read.
    assert set(joined) == {2}
    joined.clear()
    again = probes_of(file, joined)
    # The process was away for a minute; meanwhile and ever since the new one listens.
    seen: list[bool] = []
    withdrawal = {"type": "UPDATE", "withdrawals": ["192.0.2.0/24"]}
    again.live.start = lambda: seen.append(again.wanted(withdrawal))  # type: ignore[union-attr, method-assign]
    gone = "".join(ris(T + 700, peer, withdrawals=["192.0.2.0/24"]) for peer in (0, 1))
    later = "".join(ris(T + second, 0, **OTHER) for second in range(690, 1300, 30))
    lines = sorted(
        (later + gone).splitlines(keepends=True), key=lambda one: json.loads(one)["data"]["timestamp"]
    )
    followed(address, spool, [(200, {}, "".join(lines).encode())], first.wanted)
    assert levels(again) == {0: 1.0, 1: 1.0, 2: 0.0, 3: 0.0}
    assert seen[0], "joined with the prefixes that matter, before any table was read"


def test_an_address_needs_a_folder_and_tables(tmp_path: Path) -> None:
    text = '[[source]]\nkind = "bgp"\nnetworks = { AS64500 = "UA" }\nris_live = "spool"\n'
    for more in ('ris_live_url = "https://ris.example"\n', 'ris_live_url = "ris"\ntables = ["b*"]\n'):
        (tmp_path / "sources.toml").write_text(text + more)
        with pytest.raises(Refused, match="ris_live_url"):
            read_sources(tmp_path / "sources.toml")
