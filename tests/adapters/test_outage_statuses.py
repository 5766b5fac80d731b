"""Mobile sites and own terminals as sensors: shares and counts, never which, and terminals only in crowds."""

from __future__ import annotations

from pathlib import Path

import pytest

from skylift.adapters.outage_sources import read_sources
from skylift.base.errors import Refused
from skylift.ports.probes import Probes

TOML = """
[[source]]
kind = "{kind}"
file = "s.csv"
time_column = "time"
time_zone = "UTC"
thing_column = "site"
status_column = "status"
entity_columns = ["operator", "oblast"]
up = ["On-Air"]
down = ["off", "maintenance"]
step_s = 600
{more}
"""
T = 1_645_833_600


def source(folder: Path, rows: list[str], kind: str = "mobile-sites", more: str = "") -> Probes:
    (folder / "s.csv").write_text("\n".join(["time,site,operator,oblast,status", *rows]) + "\n")
    (folder / "sources.toml").write_text(TOML.format(kind=kind, more=more))
    [found] = read_sources(folder / "sources.toml")
    return found


def told(found: Probes, since: int = 0) -> list[tuple[int, str, float, float]]:
    gathered = found.gather(since * 1_000_000, (T + 10**6) * 1_000_000)
    return [
        ((one.at_us // 1_000_000 - T) // 600, one.of.code, round(one.value, 4), one.targets)
        for one in gathered.samples
    ]


def test_the_share_of_sites_on_the_air(tmp_path: Path) -> None:
    rows = [f"{T},{site},X,Kyiv,on-air" for site in range(4)]
    rows += [f"{T + 600},{site},X,Kyiv,{'off' if site else 'on-air'}" for site in range(4)]
    # In one bin the last word counts; other words, and rows without a site, are named.
    rows += [
        f"{T + 900},1,X,Kyiv,ON-AIR",
        f"{T + 900},2,X,Kyiv,broken",
        f"{T + 900},,X,Kyiv,off",
        f"{T},9,X,,off",
    ]
    found = source(tmp_path, rows)
    assert told(found) == [(0, "X/Kyiv", 1.0, 4.0), (1, "X/Kyiv", 0.5, 4.0)]
    assert [(one.row, one.reason) for one in found.gather(0, (T + 10**6) * 1_000_000).left] == [
        (11, "its status is none of the declared words"),
        (12, "it does not say what it is of"),
        (13, "it does not say what it is of"),
    ]
    assert told(found, T + 600) == [(1, "X/Kyiv", 0.5, 4.0)]


def test_a_silent_site_counts_as_it_was_for_as_long_as_declared(tmp_path: Path) -> None:
    rows = [
        f"{T},1,X,Kyiv,on-air",
        f"{T},2,X,Kyiv,off",
        f"{T + 1200},1,X,Kyiv,off",
        f"{T + 1800},1,X,Kyiv,off",
    ]
    found = source(tmp_path, rows, more="hold_bins = 2")
    assert told(found) == [
        (0, "X/Kyiv", 0.5, 2.0), (1, "X/Kyiv", 0.5, 2.0), (2, "X/Kyiv", 0.0, 2.0), (3, "X/Kyiv", 0.0, 1.0),
    ]  # fmt: skip


def test_own_terminals_are_told_of_in_crowds_alone(tmp_path: Path) -> None:
    rows = [f"{T},trm_{n},UA,north,on-air" for n in range(20)] + [
        f"{T},trm_x{n},UA,south,off" for n in range(19)
    ]
    found = source(tmp_path, rows, "terminals")
    assert told(found) == [(0, "UA/north", 1.0, 20.0)]
    gathered = found.gather(0, (T + 10**6) * 1_000_000)
    assert {one.of.kind for one in gathered.samples} == {"own-terminals"}
    assert "trm_" not in repr(gathered)
    with pytest.raises(Refused, match="crowds of 20"):
        source(tmp_path, rows, "terminals", more="least = 5")


def test_words_that_say_both_are_refused(tmp_path: Path) -> None:
    text = TOML.format(kind="mobile-sites", more="").replace('"off",', '"on-air",')
    (tmp_path / "sources.toml").write_text(text)
    with pytest.raises(Refused, match="not both"):
        read_sources(tmp_path / "sources.toml")


def test_probing_stands_in_the_file_as_well(tmp_path: Path) -> None:
    (tmp_path / "b.csv").write_text(
        "block,addresses,availability,kind,entity,country\n192.0.2.0/24,1-20,0.5,as,AS64500,UA\n"
    )
    (tmp_path / "a.txt").write_text("192.0.2.0/24\n")
    text = '[[source]]\nkind = "probe"\nblocks = "b.csv"\nallow = "a.txt"\ncontact = "noc@example.org"\n'
    (tmp_path / "sources.toml").write_text(text)
    [found] = read_sources(tmp_path / "sources.toml")
    assert (found.signal.name, found.signal.step_us) == ("ping-own", 600_000_000)
    (tmp_path / "sources.toml").write_text(text + "rate = 5000\n")
    with pytest.raises(Refused, match="packets a second"):
        read_sources(tmp_path / "sources.toml")
