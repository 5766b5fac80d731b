"""skylift outages need: from a detection to people, sites and terminals."""

from __future__ import annotations

import csv
import json
from pathlib import Path
from typing import Any

import h3
from typer.testing import CliRunner

from skylift.cli.main import app

# A square of one degree, in round numbers: nobody's place.
SQUARE = [[[30.0, 49.0], [31.0, 49.0], [31.0, 50.0], [30.0, 50.0], [30.0, 49.0]]]


def run(*words: str) -> Any:
    return CliRunner().invoke(app, ["outages", "need", *words], catch_exceptions=True)


def events(folder: Path, *rows: dict[str, Any]) -> Path:
    one = {
        "closed_at": None,
        "min_fraction": 0.2,
        "low": 0.15,
        "high": 0.25,
        "opened_at": "2022-02-26T00:00:00Z",
    }
    path = folder / "events.json"
    path.write_text(json.dumps({"events": [one | row for row in rows]}), encoding="utf-8")
    return path


def square(folder: Path) -> Path:
    feature = {
        "type": "Feature",
        "properties": {"name_1": "North", "name_2": "Square"},
        "geometry": {"type": "Polygon", "coordinates": SQUARE},
    }
    path = folder / "areas.geojson"
    path.write_text(json.dumps({"type": "FeatureCollection", "features": [feature]}), encoding="utf-8")
    return path


def test_a_countrys_level_over_the_packaged_people(tmp_path: Path) -> None:
    done = run(str(events(tmp_path, {"entity": "country/LT"})), "--at", "2022-02-26T06:00:00Z", "--json")
    assert done.exit_code == 0, done.output
    document = json.loads(done.stdout)
    about = document["people_cut_off"]["about"]
    # 2.1 of Lithuania's 2.8 million are in the list (data/people/SOURCE.toml); 80 % online, 80 % gone.
    assert 0.64 * 2_000_000 < about < 0.64 * 2_200_000
    assert document["people_cut_off"]["least"] < about < document["people_cut_off"]["most"]
    assert document["cells"][0]["hours"] == 6
    assert any("80% of people" in one for one in document["assumptions"])


def test_an_area_a_share_own_people_and_sites(tmp_path: Path) -> None:
    inside = h3.latlng_to_cell(49.5, 30.5, 5)
    people = tmp_path / "people.csv"
    people.write_text(
        f"cell,people\n{inside},1000\n{h3.latlng_to_cell(40.0, 10.0, 5)},500\n", encoding="utf-8"
    )
    sites = tmp_path / "sites.csv"
    with sites.open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["id", "cell", "kind", "people"])
        writer.writerow(["h1", inside, "hospital", 200])
        writer.writerow(["far", h3.latlng_to_cell(40.0, 10.0, 5), "hospital", 200])
    out = tmp_path / "need.json"
    done = run(
        str(events(tmp_path, {"entity": "North/Square"}, {"entity": "Elsewhere"})),
        "--at", "2022-02-26T06:00:00Z",
        "--areas", str(square(tmp_path)), "--area-properties", "name_1,name_2",
        "--people", str(people), "--sites", str(sites), "--online", "1", "-o", str(out), "--json",
    )  # fmt: skip
    assert done.exit_code == 0, done.output
    document = json.loads(done.stdout)
    assert document["people_cut_off"] == {"about": 800, "least": 750, "most": 850}
    assert [(one["id"], one["terminals"]) for one in document["sites"]] == [("h1", 2)]
    assert document["without_area"] == ["Elsewhere"]
    assert out.stat().st_mode & 0o077 == 0
    half = run(
        str(events(tmp_path, {"entity": "North/Square"})), "--at", "2022-02-26T06:00:00Z",
        "--areas", str(square(tmp_path)), "--area-properties", "name_1,name_2", "--people", str(people),
        "--online", "1", "--share", "North/Square=0.5", "--json",
    )  # fmt: skip
    assert json.loads(half.stdout)["people_cut_off"]["about"] == 400


def test_what_is_over_or_has_not_begun_does_not_count(tmp_path: Path) -> None:
    over = {"entity": "country/LT", "closed_at": "2022-02-26T05:00:00Z"}
    later = {"entity": "country/LT", "opened_at": "2022-02-26T07:00:00Z"}
    done = run(
        str(events(tmp_path, over, later)), "--at", "2022-02-26T06:00:00Z", "--country", "LT", "--json"
    )
    assert json.loads(done.stdout)["people_cut_off"]["about"] == 0


def test_bad_input_is_refused_by_name(tmp_path: Path) -> None:
    broken = tmp_path / "broken.json"
    broken.write_text("{}", encoding="utf-8")
    good = str(events(tmp_path, {"entity": "country/LT"}))
    at = ("--at", "2022-02-26T06:00:00Z")
    people = tmp_path / "people.csv"
    people.write_text("cell,people\nnonsense,5\n", encoding="utf-8")
    for words, names in (
        ((str(broken), *at), "outages detect"),
        ((good, "--at", "yesterday"), "--at"),
        ((good, *at, "--share", "country/LT=2"), "--share"),
        ((good, *at, "--online", "2"), "online_fraction"),
        ((good, *at, "--people", str(people)), "line 2"),
        ((good, *at, "--people", str(tmp_path / "none.csv")), "none.csv"),
        ((good, *at, "--areas", str(broken)), "broken.json"),
        ((str(events(tmp_path, {"entity": "AS1"})), *at, "--areas", str(square(tmp_path)),
          "--area-properties", "name_9"), "name_9"),
    ):  # fmt: skip
        done = run(*words)
        assert done.exit_code != 0
        assert names in str(done.exception)


def test_what_nobody_can_know_is_refused_and_not_said_to_be_nobody(tmp_path: Path) -> None:
    covers = {"from": "2022-02-24T00:00:00Z", "to": "2022-02-27T00:00:00Z"}
    unknown = [{"entity": "country/LT", "reason": "less than a week"}]
    file = tmp_path / "told.json"
    for document, at, words in (
        (covers | {"events": [], "insufficient": unknown}, "2022-02-26T06:00:00Z", "1 of its series"),
        (covers | {"events": [], "insufficient": []}, "2030-01-01T00:00:00Z", "2022-02-27T00:00:00Z"),
        (covers | {"events": [], "insufficient": []}, "2022-02-23T00:00:00Z", "2022-02-24T00:00:00Z"),
    ):
        file.write_text(json.dumps(document), encoding="utf-8")
        done = run(str(file), "--at", at, "--country", "LT")
        assert done.exit_code != 0
        assert words in str(done.exception)
    done = run(
        str(events(tmp_path, {"entity": "country/LT"})), "--at", "2022-02-26T06:00:00Z", "--country", "XX"
    )
    assert "ISO 3166" in str(done.exception)


def test_cells_in_capitals_count_and_coarser_ones_are_refused(tmp_path: Path) -> None:
    inside = h3.latlng_to_cell(49.5, 30.5, 5)
    people = tmp_path / "people.csv"
    words = (
        str(events(tmp_path, {"entity": "North/Square"})), "--at", "2022-02-26T06:00:00Z", "--online", "1",
        "--areas", str(square(tmp_path)), "--area-properties", "name_1,name_2",
        "--people", str(people), "--json",
    )  # fmt: skip
    people.write_text(f"cell,people\n{inside.upper()},1000\n", encoding="utf-8")
    assert json.loads(run(*words).stdout)["people_cut_off"]["about"] == 800
    people.write_text(f"cell,people\n{h3.cell_to_parent(inside, 3)},1000\n", encoding="utf-8")
    assert run(*words).exit_code != 0


def test_what_the_sky_gives_the_sites_that_are_cut_off(tmp_path: Path) -> None:
    inside = h3.latlng_to_cell(49.5, 30.5, 5)
    far = h3.latlng_to_cell(48.0, 24.0, 5)
    (tmp_path / "s.csv").write_text(f"id,cell,kind,people\nh,{inside},hospital,10\nfar,{far},school,10\n")
    cut = events(tmp_path, {"entity": "North/Square"})
    words = ["--areas", str(square(tmp_path)), "--area-properties", "name_1,name_2", "--country", "UA"]
    words += ["--at", "2022-02-26T06:00:00Z", "--sky", "--json"]
    done = run(str(cut), *words, "--sites", str(tmp_path / "s.csv"))
    assert done.exit_code == 0, done.output
    document = json.loads(done.stdout)
    [site] = document["sky"]["sites"]
    assert (site["id"], site["terminals"] >= document["sites"][0]["terminals"]) == ("h", True)
    assert 0 < site["least_bps"] <= site["median_bps"] <= 100e6
    assert any("nobody else" in one for one in document["sky"]["assumptions"])
    assert "none are named" in str(run(str(cut), *words).exception)


def test_events_that_do_not_say_when_somebody_looked_are_no_zero(tmp_path: Path) -> None:
    file = tmp_path / "told.json"
    over = {"entity": "country/LT", "min_fraction": 0.2, "low": 0.1, "high": 0.3,
            "opened_at": "2022-02-25T00:00:00Z", "closed_at": "2022-02-25T05:00:00Z"}  # fmt: skip
    for some, words in (([], "does not say what time"), ([over], "covers 2022-02-25T00:00:00Z")):
        for span in ({}, {"from": None, "to": None}):
            file.write_text(json.dumps({"events": some} | span), encoding="utf-8")
            done = run(str(file), "--at", "2022-02-26T06:00:00Z", "--country", "LT")
            assert done.exit_code != 0
            assert words in str(done.exception)


def test_what_was_left_when_measured_last_counts_and_is_said(tmp_path: Path) -> None:
    now = {"measured_at": "2022-02-26T05:00:00Z", "fraction": 0.6, "low": 0.55, "high": 0.65}
    file = str(events(tmp_path, {"entity": "country/LT", "now": now, "counted": True}))

    def people(at: str) -> Any:
        return json.loads(run(file, "--at", at, "--json").stdout)

    later, before = people("2022-02-26T06:00:00Z"), people("2022-02-26T04:00:00Z")
    # 40 % of its users are cut off by then, and before that nobody knows: 80 % at the worst.
    assert round(before["people_cut_off"]["about"] / later["people_cut_off"]["about"], 3) == 2.0
    assert any("last measured, 2022-02-26T05:00:00Z" in one for one in later["assumptions"])
    assert any("lowest level" in one for one in before["assumptions"])
    assert not any("lowest level" in one for one in later["assumptions"])


def test_an_interval_holds_what_is_stated_and_none_is_made_up(tmp_path: Path) -> None:
    inside = h3.latlng_to_cell(49.5, 30.5, 5)
    people = tmp_path / "people.csv"
    people.write_text(f"cell,people\n{inside},1000\n", encoding="utf-8")
    shared = ("--at", "2022-02-26T06:00:00Z", "--areas", str(square(tmp_path)), "--people", str(people),
              "--area-properties", "name_1,name_2", "--json")  # fmt: skip
    level = {"entity": "North/Square", "counted": True}
    file = str(events(tmp_path, level))
    stated = ("--share", "North/Square=0.4-0.6", "--online", "0.8-1", "--people-within", "0.1")
    document = json.loads(run(file, *shared, *stated).stdout)
    # 1,000 people; half of 90 % of them, of whom 80 % (75 to 85) have nothing.
    assert document["people_cut_off"] == {
        "about": 360, "least": round(900 * 0.8 * 0.4 * 0.75), "most": round(1100 * 1.0 * 0.6 * 0.85)
    }  # fmt: skip
    said = " ".join(document["assumptions"])
    assert "the level, people, how many of them are users, shares of networks" in said
    assert "North/Square carries 50% (40-60) of the users" in said
    uncounted = str(events(tmp_path, level | {"counted": False, "low": 0.2, "high": 0.2}))
    document = json.loads(run(uncounted, *shared, "--online", "1").stdout)
    assert document["people_cut_off"] == {"about": 800, "least": None, "most": None}
    assert any(one.startswith("no interval: how many targets") for one in document["assumptions"])
    told = run(uncounted, *shared[:-1]).stdout
    assert "at 2022-02-26T06:00:00Z about 640 people cut off (no interval)" in " ".join(told.split())


def test_shares_are_of_somebody_and_said_once(tmp_path: Path) -> None:
    file = str(events(tmp_path, {"entity": "AS64500", "kind": "as", "country": "LT"}))
    at = ("--at", "2022-02-26T06:00:00Z", "--country", "LT")
    for share, words in (
        (("AS64501=0.3",), "no outage is of this entity"),
        (("AS64500=0.3", "AS64500=0.4"), "once"),
        (("AS64500=0.3", "as/AS64500=0.4"), "twice"),
        (("AS64500=0.4-0.3",), "fraction"),
        (("AS64500=",), "fraction"),
        (("=0.3",), "an entity"),
    ):
        done = run(file, *at, *(word for one in share for word in ("--share", one)))
        assert done.exit_code != 0
        assert words in str(done.exception)
    # A network's number alone says enough.
    done = run(file, *at, "--share", "AS64500=0.3", "--json")
    assert json.loads(done.stdout)["people_cut_off"]["about"] > 0


def test_events_that_name_their_country_count_its_people(tmp_path: Path) -> None:
    network = {"entity": "AS64500", "kind": "as", "country": "LT", "counted": True}
    told = ["--at", "2022-02-26T06:00:00Z", "--share", "AS64500=0.5", "--json"]
    own = json.loads(run(str(events(tmp_path, network)), *told).stdout)["people_cut_off"]
    named = run(str(events(tmp_path, network)), *told, "--country", "LT")
    assert own == json.loads(named.stdout)["people_cut_off"]
    assert own["about"] > 0.32 * 2_000_000
    done = run(str(events(tmp_path, network | {"country": "XX"})), *told)
    assert done.exit_code != 0
    assert "ISO 3166" in str(done.exception)


def test_what_no_figure_holds_is_said(tmp_path: Path) -> None:
    (tmp_path / "s.csv").write_text("id,latitude,longitude,kind\nh1,10,10,hospital\n", encoding="utf-8")
    file = events(tmp_path, {"entity": "country/LT"})
    document = json.loads(file.read_text(encoding="utf-8"))
    document["insufficient"] = [{"entity": "country/LV", "reason": "under 7 days"}] * 3
    file.write_text(json.dumps(document), encoding="utf-8")
    words = [str(file), "--at", "2022-02-26T06:00:00Z", "--sites", str(tmp_path / "s.csv")]
    done = run(*words)
    assert "no site of 1 is known to be cut off" in done.stdout
    assert "of 3 series nobody can say whether they are down" in done.stdout
    assert "below 80% of ordinary" in done.stdout
    found = json.loads(run(*words, "--json").stdout)
    assert (found["sites_known"], found["series_unjudged"]) == (1, 3)


def test_a_negative_duration_is_refused(tmp_path: Path) -> None:
    file = events(tmp_path, {"entity": "country/LT", "closed_at": "2022-02-25T00:00:00Z"})
    done = run(str(file), "--at", "2022-02-25T12:00:00Z")
    assert "event 1: it closes before it opens" in str(done.exception)
