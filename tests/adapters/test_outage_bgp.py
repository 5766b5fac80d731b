"""Routes and IODA as sources of the monitor."""

from __future__ import annotations

import bz2
import gzip
import json
from pathlib import Path

import httpx
import pytest

from skylift.adapters.ioda_api import IodaClient
from skylift.adapters.outage_bgp import BgpProbes, read_relations
from skylift.adapters.outage_ioda import IodaProbes
from skylift.adapters.outage_sources import read_sources
from skylift.base.errors import Refused, Unavailable
from tests.watch.test_routes import message, table, update

STEP_S = 300
T = 1_645_833_600 // STEP_S * STEP_S
FAR_US = (T + 10**7) * 1_000_000
TOML = """
[[source]]
name = "collector"
kind = "bgp"
networks = { AS64500 = "UA" }
relations = "as-rel.txt"
tables = ["bview*.gz"]
updates = ["updates*"]
ris_live = "ris.jsonl"
full_feed = 3
least_peers = 2
"""


def ris(at: int, peer: int, **more: object) -> str:
    who = {"peer": f"192.0.2.{peer + 1}", "peer_asn": str(64510 + peer)}
    data = {"timestamp": at, **who, "type": "UPDATE", **more}
    return json.dumps({"type": "ris_message", "data": data}) + "\n"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    own = {
        "192.0.2.0/24": [64500],
        "198.51.100.0/24": [64500, 64501],
        "203.0.113.0/24": [64500, 64501, 64502],
    }
    paths = {text: {peer: [64510 + peer, *path] for peer in range(2)} for text, path in own.items()}
    (tmp_path / "bview.gz").write_bytes(gzip.compress(table([64510, 64511], paths, T)))
    # In the third bin the network's own block goes; in the fifth its customer's customer's.
    first = b"".join(
        message(peer, 64510 + peer, update([], ["192.0.2.0/24"], []), T + 700) for peer in (0, 1)
    )
    (tmp_path / "updates.1").write_bytes(first)
    second = b"".join(
        message(peer, 64510 + peer, update([], ["203.0.113.0/24"], []), T + 1300) for peer in (0, 1)
    )
    (tmp_path / "updates.2.gz").write_bytes(gzip.compress(second))
    (tmp_path / "as-rel.txt").write_text(
        "# made up\n64500|64501|-1\n64501|64502|-1\n64510|64500|-1\n64500|64530|0\n"
    )
    (tmp_path / "ris.jsonl").write_text("")
    (tmp_path / "sources.toml").write_text(TOML)
    return tmp_path


def levels(probes: BgpProbes, since_s: int = 0) -> dict[str, dict[int, float]]:
    gathered = probes.gather(since_s * 1_000_000, FAR_US)
    assert gathered.left == []
    found: dict[str, dict[int, float]] = {}
    for one in gathered.samples:
        found.setdefault(one.of.kind, {})[(one.at_us // 1_000_000 - T) // STEP_S] = one.value
    return found


def test_own_prefixes_and_those_of_the_cone(folder: Path) -> None:
    [probes] = read_sources(folder / "sources.toml")
    assert isinstance(probes, BgpProbes)
    assert levels(probes) == {
        "as": {0: 1.0, 1: 1.0, 2: 0.0, 3: 0.0},
        "as-with-customer-cone": {0: 3.0, 1: 3.0, 2: 2.0, 3: 2.0},
    }
    # RIS Live goes on where the files end; half a line waits for its end.
    lines = ris(T + 1600, 0, withdrawals=["198.51.100.0/24"]) + ris(
        T + 1900, 1, withdrawals=["198.51.100.0/24"]
    )
    last = ris(
        T + 2200,
        0,
        path=[64510, 64500],
        announcements=[{"next_hop": "192.0.2.1", "prefixes": ["192.0.2.0/24"]}],
    )
    (folder / "ris.jsonl").write_text(lines + last[:-9])
    since = T + 4 * STEP_S
    # Of two tables one is not more than half.
    assert levels(probes, since)["as-with-customer-cone"] == {4: 1.0, 5: 0.0}
    (folder / "ris.jsonl").write_text(lines + last)
    # What was not kept, as `since` has not moved, comes again.
    assert levels(probes, since)["as-with-customer-cone"] == {4: 1.0, 5: 0.0, 6: 0.0}
    # A restart reads everything again, and comes to the same.
    [again] = read_sources(folder / "sources.toml")
    assert isinstance(again, BgpProbes)
    assert levels(again)["as-with-customer-cone"] == {0: 3, 1: 3, 2: 2, 3: 2, 4: 1, 5: 0, 6: 0}


def test_files_may_be_of_bzip2_and_no_name_says_so(folder: Path) -> None:
    [probes] = read_sources(folder / "sources.toml")
    assert isinstance(probes, BgpProbes)
    wanted = levels(probes)
    for name in ("bview.gz", "updates.2.gz"):
        path = folder / name
        path.write_bytes(bz2.compress(gzip.decompress(path.read_bytes())))
    [again] = read_sources(folder / "sources.toml")
    assert isinstance(again, BgpProbes)
    assert levels(again) == wanted


def test_what_a_network_carries_for_others(folder: Path) -> None:
    text = TOML.replace('ris_live = "ris.jsonl"', "transit = true")
    (folder / "sources.toml").write_text(text)
    [probes] = read_sources(folder / "sources.toml")
    assert isinstance(probes, BgpProbes)
    assert probes.signal.name == "bgp-transit"
    # Its own block is no transit; when the customer finds another way, it carries nothing any more.
    around = b"".join(
        message(peer, 64510 + peer, update(["198.51.100.0/24"], [], [64510 + peer, 64599, 64501]), T + 1900)
        for peer in (0, 1)
    )
    (folder / "updates.3").write_bytes(around + message(0, 64510, update([], [], []), T + 2300))
    assert levels(probes) == {"as-with-customer-cone": {0: 2, 1: 2, 2: 2, 3: 2, 4: 1, 5: 1, 6: 0}}


def test_too_few_tables_say_nothing_and_a_file_on_its_way_waits(folder: Path) -> None:
    (folder / "sources.toml").write_text(TOML.replace("least_peers = 2", "least_peers = 3"))
    [probes] = read_sources(folder / "sources.toml")
    assert probes.gather(0, FAR_US).samples == []
    whole = (folder / "updates.2.gz").read_bytes()
    (folder / "updates.2.gz").write_bytes(whole[:-12])
    (folder / "sources.toml").write_text(TOML)
    [probes] = read_sources(folder / "sources.toml")
    with pytest.raises(Unavailable, match="written to its end"):
        probes.gather(0, FAR_US)
    (folder / "updates.2.gz").write_bytes(whole)
    assert isinstance(probes, BgpProbes)
    assert levels(probes)["as"] == {0: 1.0, 1: 1.0, 2: 0.0, 3: 0.0}
    (folder / "ris.jsonl").write_text("nonsense\n")
    assert [one.reason for one in probes.gather(0, FAR_US).left] == [
        "a message of RIS Live: it is not of the known shape (JSONDecodeError)"
    ]


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ((' = "UA" }', " = 5 }"), "networks are written"),
        (("AS64500", "64500"), "networks are written"),
        (('relations = "as-rel.txt"', "transit = true"), "needs relations"),
        (("full_feed = 3", "family = 5"), "family is 4 or 6"),
    ],
)
def test_a_source_of_routes_says_what_is_wrong(folder: Path, change: tuple[str, str], says: str) -> None:
    (folder / "sources.toml").write_text(TOML.replace(*change))
    with pytest.raises(Refused, match=says):
        read_sources(folder / "sources.toml")
    (folder / "as-rel.txt").write_text("1|2|-1\n1|x|0\n")
    with pytest.raises(Refused, match="line 2"):
        read_relations(folder / "as-rel.txt")


# --- IODA

SINCE = 1_645_833_600


def ioda(tmp_path: Path, values: list[float | None]) -> IodaProbes:
    series = {
        "entityType": "asn", "entityCode": "44600", "entityName": "GIGATRANS", "datasource": "ping-slash24",
        "from": SINCE, "until": SINCE + 600 * len(values), "step": 600, "nativeStep": 600, "values": values,
    }  # fmt: skip
    answer = {"type": "signals", "error": None, "data": [[series]]}
    transport = httpx.MockTransport(lambda request: httpx.Response(200, json=answer))
    client = IodaClient(tmp_path, lambda: SINCE, pause_s=0.0, transport=transport)
    return IodaProbes(client, "asn/44600", "ping-slash24", "UA")


def test_ioda_is_complete_only_up_to_what_has_come(tmp_path: Path) -> None:
    probes = ioda(tmp_path, [45.0, None, 9.0, None, None])
    until = (SINCE + 3000) * 1_000_000
    gathered = probes.gather(SINCE * 1_000_000, until)
    assert [(one.at_us // 1_000_000 - SINCE, one.value) for one in gathered.samples] == [(0, 45), (1200, 9)]
    assert {(one.of.kind, one.of.code, one.of.country) for one in gathered.samples} == {
        ("as", "AS44600", "UA")
    }
    # The missing bin between is missing; the last two may still come.
    assert gathered.complete_until_us == (SINCE + 1800) * 1_000_000
    # Hours later they do not.
    late = ioda(tmp_path / "other", [45.0, None]).gather(SINCE * 1_000_000, until + 6 * 3_600_000_000)
    assert late.complete_until_us == until + 4 * 3_600_000_000


def test_ioda_is_a_source_of_the_file(tmp_path: Path) -> None:
    text = '[[source]]\nkind = "ioda"\nentity = "asn/44600"\nsignal = "bgp"\n'
    (tmp_path / "sources.toml").write_text(text)
    [probes] = read_sources(tmp_path / "sources.toml")
    assert (probes.signal.name, probes.signal.step_us) == ("bgp", 300_000_000)
