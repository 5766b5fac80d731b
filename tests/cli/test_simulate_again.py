"""skylift simulate into a folder that holds results, with another list of gateways, and at a border."""

from __future__ import annotations

import csv
import json
import shutil
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest

from skylift.adapters.scenario_files import Sources, load_world
from skylift.adapters.simulate import Options, run
from skylift.base.errors import Refused
from skylift.base.instants import parse_instant
from skylift.twin.world import working_at

ROOT = Path(__file__).resolve().parents[2]
SCENARIO = """
title = "good"
start = 2022-02-26T12:00:00Z
duration_h = 0.05
[catalogue]
preset = "oneweb"
[ground]
only = ["wola-krobowska"]
{ground}
[[region]]
id = "ua"
country = "UA"
[[service]]
region = "ua"
[[terminal]]
id = "t"
latitude_deg = {latitude}
longitude_deg = {longitude}
pop = "frankfurt"
"""


# Columns of beams, with what makes of a text what Parquet gives.
KINDS = {
    "at_us": int, "satellite": int, "polarisation": int, "beam": int, "channel": int,
    "cell": str, "gateway": str, "share_fraction": float, "rate_bps": float,
}  # fmt: skip


def written(folder: Path, latitude: float = 50.45, longitude: float = 30.52, ground: str = "") -> Path:
    path = folder / "scenario.toml"
    path.write_text(SCENARIO.format(latitude=latitude, longitude=longitude, ground=ground))
    return path


def simulated(
    path: Path, out: Path, resume: bool = False, schedule: Path | None = None
) -> tuple[dict[str, Any], list[tuple[int, int]]]:
    reports: list[tuple[int, int]] = []
    outcome = run(
        Sources(path, with_capacity=schedule is not None),
        Options(out, workers=1, resume=resume, pictures=False, schedule=schedule),
        lambda done, total: reports.append((done, total)),
    )
    return outcome.summary, reports


def test_resume_of_a_finished_run_computes_nothing(tmp_path: Path) -> None:
    path, out = written(tmp_path), tmp_path / "out"
    first, _ = simulated(path, out)
    stamp = (out / "links.parquet").stat().st_mtime_ns
    again, reports = simulated(path, out, resume=True)
    assert again == json.loads(json.dumps(first))
    assert reports == [(first["slots"], first["slots"])]
    assert (out / "links.parquet").stat().st_mtime_ns == stamp


def test_resume_of_a_finished_run_refuses_other_inputs(tmp_path: Path) -> None:
    out = tmp_path / "out"
    simulated(written(tmp_path), out)
    with pytest.raises(Refused, match="other inputs"):
        simulated(written(tmp_path, latitude=49.0), out, resume=True)
    assert json.loads((out / "summary.json").read_text())["complete"] is True


def test_resume_takes_no_other_file_for_the_schedule(tmp_path: Path) -> None:
    path, out, beams = written(tmp_path), tmp_path / "out", tmp_path / "beams.parquet"
    first, _ = simulated(path, out, schedule=beams)
    right = beams.read_bytes()
    # Its own schedule is taken, and nothing is computed anew.
    second, reports = simulated(path, out, resume=True, schedule=beams)
    assert second == first
    assert reports == [(12, 12)]
    for wrong in (b"no Parquet", (out / "links.parquet").read_bytes(), other_schedule(tmp_path)):
        beams.write_bytes(wrong)
        with pytest.raises(Refused, match="does not hold the beams of this run"):
            simulated(path, out, resume=True, schedule=beams)
        assert beams.read_bytes() == wrong
    # One of this run that ends early is not all of it: it is made anew.
    beams.write_bytes(right)
    table = pq.read_table(beams)
    metadata = {**(table.schema.metadata or {}), b"slots": b"1"}
    pq.write_table(table.replace_schema_metadata(metadata), beams)
    simulated(path, out, resume=True, schedule=beams)
    assert beams.read_bytes() == right


def test_beams_as_a_table_hold_the_same_and_are_made_anew_by_resume(tmp_path: Path) -> None:
    path, out = written(tmp_path), tmp_path / "out"
    beams, table = tmp_path / "beams.parquet", tmp_path / "beams.csv"
    simulated(path, out, schedule=beams)
    expected = pq.read_table(beams).to_pylist()
    simulated(path, out, resume=True, schedule=table)
    with table.open(newline="") as file:
        rows = [{k: kind(row[k]) for k, kind in KINDS.items()} for row in csv.DictReader(file)]
    assert rows == expected
    assert rows
    right = table.read_bytes()
    # Whose it is a CSV does not say: one with these columns is made anew, anything else is left alone.
    table.write_bytes(right[: len(right) // 2])
    simulated(path, out, resume=True, schedule=table)
    assert table.read_bytes() == right
    table.write_text("my,own\n1,2\n")
    with pytest.raises(Refused, match="does not hold the beams of this run"):
        simulated(path, out, resume=True, schedule=table)
    assert table.read_text() == "my,own\n1,2\n"


def other_schedule(folder: Path) -> bytes:
    """The beams of the same scenario with its terminal elsewhere."""
    away = folder / "away"
    away.mkdir()
    other = folder / "other.parquet"
    simulated(written(away, latitude=49.0), away / "out", schedule=other)
    return other.read_bytes()


def test_a_run_begun_anew_leaves_no_old_result_to_be_mistaken_for_its_own(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path, out = written(tmp_path), tmp_path / "out"
    simulated(path, out)

    def crash(*_: object) -> bool:
        raise RuntimeError("the power is gone")

    monkeypatch.setattr("skylift.adapters.simulate.compute_windows", crash)
    with pytest.raises(RuntimeError):
        simulated(path, out)
    assert not (out / "summary.json").exists()
    assert not (out / "links.parquet").exists()
    shutil.rmtree(out)


def test_a_gateway_may_be_named_by_its_town(tmp_path: Path) -> None:
    listed = tmp_path / "list.json"
    site = {"lat": 51.87, "lon": 20.9, "status": "operational"}
    stations = [
        {"name": "Wola Krobowska, Poland", "type": "gateway", **site},
        {"name": "Elsewhere, Poland", "type": "gateway", **site},
        {"name": "Frankfurt, Germany", "type": "pop", **site},
    ]
    listed.write_text(json.dumps({"stations": stations}))
    world = load_world(Sources(written(tmp_path), gateways=listed)).world
    assert [g.id for g in world.ground.gateways] == ["wola-krobowska-poland"]
    assert world.ground.pops[world.terminals[0].pop].id == "frankfurt-germany"


def test_two_gateways_of_one_town_must_be_told_apart(tmp_path: Path) -> None:
    listed = tmp_path / "list.json"
    site = {"lat": 51.87, "lon": 20.9, "status": "operational"}
    names = ("Wola Krobowska, Poland", "Wola Krobowska, two", "Frankfurt, Germany")
    kinds = ("gateway", "gateway", "pop")
    listed.write_text(
        json.dumps({"stations": [{"name": n, "type": k, **site} for n, k in zip(names, kinds, strict=True)]})
    )
    with pytest.raises(Refused, match="wola-krobowska"):
        load_world(Sources(written(tmp_path), gateways=listed))


@pytest.mark.parametrize(
    ("latitude", "longitude", "served"),
    [
        (50.3, 23.60, False),  # Poland, some 2 km from the border
        (46.478, 30.765, True),  # Odesa's harbour, in the water
        (46.2, 31.5, False),  # the open sea
    ],
)
def test_service_reaches_a_quay_but_not_over_a_border(
    tmp_path: Path, latitude: float, longitude: float, served: bool
) -> None:
    world = load_world(Sources(written(tmp_path, latitude, longitude))).world
    assert world.timeline.service[0].terminals == ((0,) if served else ())


def test_the_least_elevation_of_all_gateways_can_be_set(tmp_path: Path) -> None:
    world = load_world(Sources(written(tmp_path, ground="minimum_elevation_deg = 12.5"))).world
    assert {g.minimum_elevation_deg for g in world.ground.gateways} == {12.5}


def test_a_pop_that_the_list_does_not_have_comes_from_the_packaged_table(tmp_path: Path) -> None:
    listed = tmp_path / "list.json"
    site = {"lat": 51.87, "lon": 20.9, "status": "operational"}
    stations = [
        {"name": "Wola Krobowska, Poland", "type": "gateway", **site},
        {"name": "Warsaw, Poland", "type": "pop", **site},
    ]
    listed.write_text(json.dumps({"stations": stations}))
    loaded = load_world(Sources(written(tmp_path), gateways=listed))
    assert [p.id for p in loaded.world.ground.pops] == ["warsaw-poland", "frankfurt"]
    assert any("Frankfurt" in warning for warning in loaded.warnings)


def with_lasers(folder: Path, preset: str) -> Path:
    text = SCENARIO.format(latitude=50.45, longitude=30.52, ground="").replace("oneweb", preset)
    path = folder / "lasers.toml"
    path.write_text(text.replace("[ground]", '[links]\nlasers = "as-flown"\n[ground]', 1))
    return path


def test_lasers_are_not_matched_where_a_constellation_has_none(tmp_path: Path) -> None:
    with pytest.raises(Refused, match="no lasers"):
        load_world(Sources(with_lasers(tmp_path, "oneweb")))


TWO_SHELLS = """
name = "two"
[[shell]]
name = "BARE"
planes = 1
satellites_per_plane = 20
altitude_km = 550
inclination_deg = 53
phasing = 0
lasers = false
[[shell]]
name = "LINKED"
planes = 1
satellites_per_plane = 20
altitude_km = 600
inclination_deg = 53
phasing = 0
"""


def test_shells_without_lasers_stay_without_where_others_are_matched(tmp_path: Path) -> None:
    (tmp_path / "two.toml").write_text(TWO_SHELLS)
    path = with_lasers(tmp_path, "two")
    path.write_text(path.read_text().replace('preset = "two"', 'constellation_file = "two.toml"'))
    world = load_world(Sources(path)).world
    lasers = working_at(world, parse_instant("2022-02-26T12:00:12Z")).lasers
    assert [name.split()[0] for name in world.catalogue.name] == ["BARE"] * 20 + ["LINKED"] * 20
    assert lasers.tolist() == [False] * 20 + [True] * 20
