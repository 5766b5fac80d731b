"""skylift simulate: what it says to bad input, and that it then leaves nothing behind."""

from __future__ import annotations

import io
import json
import os
import re
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pyarrow.parquet as pq
import pytest

from skylift.adapters.outlines import country_of
from skylift.adapters.scenario_files import Sources, load_world
from skylift.cli.main import main

ROOT = Path(__file__).resolve().parents[2]

GOOD = """
title = "good"
start = 2022-02-26T12:00:00Z
duration_h = 0.05
seed = 1
[catalogue]
preset = "oneweb"
[ground]
only = ["wola-krobowska"]
[[region]]
id = "ua"
country = "UA"
[[service]]
region = "ua"
[[terminal]]
id = "kyiv"
latitude_deg = 50.45
longitude_deg = 30.52
region = "ua"
pop = "frankfurt"
"""

# One element set of the International Space Station, of 2008, as printed on CelesTrak's page on the format.
ISS = """1 25544U 98067A   08264.51782528 -.00002182  00000-0 -11606-4 0  2927
2 25544  51.6416 247.4627 0006703 130.5360 325.0288 15.72125391563537
"""


@dataclass(frozen=True)
class Said:
    code: int
    out: str
    err: str


Skylift = Callable[..., Said]


class Kept(io.StringIO):
    """A stream whose text is still there when the command has closed it."""

    def close(self) -> None:
        pass


@pytest.fixture
def skylift(monkeypatch: pytest.MonkeyPatch) -> Skylift:
    """The command in this process; an exception that main() does not render fails the test."""

    def call(*words: object) -> Said:
        monkeypatch.setattr(sys, "argv", ["skylift", *map(str, words)])
        out, err = Kept(), Kept()
        monkeypatch.setattr(sys, "stdout", out)
        monkeypatch.setattr(sys, "stderr", err)
        with pytest.raises(SystemExit) as left:
            main()
        return Said(int(left.value.code or 0), out.getvalue(), err.getvalue())

    return call


def refused(skylift: Skylift, folder: Path, text: str | bytes, *more: object) -> dict[str, str]:
    """Run a scenario that must be refused; gives the error that --json prints."""
    path, out = folder / "bad.toml", folder / "out"
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    said = skylift("simulate", path, "-o", out, "--workers", "1", "--json", *more)
    assert said.code == 2, said
    assert said.out == ""
    error: dict[str, str] = json.loads(said.err)["error"]
    assert set(error) == {"code", "thing", "rule", "way_out"}
    assert all(error.values())
    assert not out.exists()
    for number in ("50.45", "30.52", "5045", "3052"):
        assert number not in said.err, "a place was printed"
    assert not re.search(r"\bnan\b", said.err)
    return error


def changed(old: str, new: str) -> str:
    assert old in GOOD
    return GOOD.replace(old, new)


def test_the_good_one_is_good(skylift: Skylift, tmp_path: Path) -> None:
    """Else every refusal below could have another reason."""
    path = tmp_path / "good.toml"
    path.write_text(GOOD)
    said = skylift("simulate", path, "-o", tmp_path / "out", "--workers", "1", "--json")
    assert said.code == 0, said
    summary = json.loads(said.out)
    assert summary == json.loads((tmp_path / "out" / "summary.json").read_text())
    assert summary["complete"] is True
    assert summary["slots"] == 12
    page = (ROOT / "docs" / "reference" / "links-parquet.md").read_text().split("## summary.json")[1]
    cells = re.findall(r"^\| ((?:`\w+`(?:, )?)+) \|", page, re.MULTILINE)
    assert set(summary) == {key for cell in cells for key in re.findall(r"`(\w+)`", cell)}
    names = {p.name for p in (tmp_path / "out").iterdir()}
    pictures = {"availability.png", "in_view.png", "delay.png", "map.png"}
    assert names == {"links.parquet", "summary.json", "summary.md"} | pictures
    for name in pictures:
        assert (tmp_path / "out" / name).read_bytes().startswith(b"\x89PNG")
        assert name in (tmp_path / "out" / "summary.md").read_text()


@pytest.mark.parametrize(
    ("old", "new", "thing", "hint"),
    [
        ('preset = "oneweb"', 'presett = "oneweb"', "line 7", "preset"),
        ("seed = 1", "sed = 1", "line 5", "seed"),
        ("[[terminal]]", "[[terminals]]", "line 15", "terminal"),
        ("latitude_deg = 50.45", "lattitude_deg = 50.45", "line 17", "latitude_deg"),
        ("latitude_deg = 50.45", "latitude_rad = 0.88", "line 17", "latitude_deg"),
        ("duration_h = 0.05", "duration_min = 3", "line 4", "duration_h"),
        ("duration_h = 0.05", 'duration_h = "3 min"', "line 4", "duration_h"),
        ('only = ["wola-krobowska"]', 'only = "wola-krobowska"', "line 9", "only"),
    ],
)
def test_unknown_keys_and_wrong_units(
    skylift: Skylift, tmp_path: Path, old: str, new: str, thing: str, hint: str
) -> None:
    error = refused(skylift, tmp_path, changed(old, new))
    assert thing in error["thing"]
    assert "bad.toml" in error["thing"]
    assert hint in error["way_out"]


@pytest.mark.parametrize(
    ("old", "new", "word"),
    [
        ("latitude_deg = 50.45", "latitude_deg = nan", "finite"),
        ("latitude_deg = 50.45", "latitude_deg = -inf", "finite"),
        ("latitude_deg = 50.45", "latitude_deg = 90.0001", "-90..90"),
        ("longitude_deg = 30.52", "longitude_deg = 390.52", "360"),
        ("latitude_deg = 50.45", 'latitude_deg = "N50"', "number"),
        ("latitude_deg = 50.45", "latitude_deg = 50.45\naltitude_m = 90000", "altitude"),
        ("seed = 1", "seed = -1", "seed"),
        ("seed = 1", "seed = 1.5", "seed"),
        ("duration_h = 0.05", "duration_h = 0", "duration_h"),
        ("duration_h = 0.05", "duration_h = nan", "duration_h"),
        ("duration_h = 0.05", "end = 2022-02-26T11:00:00Z", "after the start"),
        ("duration_h = 0.05", "end = 2022-02-26T12:00:05Z", "slot"),
        ("duration_h = 0.05", "duration_h = 0.05\nend = 2022-02-26T13:00:00Z", "either"),
        ("start = 2022-02-26T12:00:00Z", "start = 2022-02-30T12:00:00Z", "TOML"),
        ("start = 2022-02-26T12:00:00Z", 'start = "yesterday"', "2022-02-26T12:00:00Z"),
        ("start = 2022-02-26T12:00:00Z\n", "", "start"),
        ("start = 2022-02-26T12:00:00Z", "start = 9999-12-31T23:59:00Z", "year"),
        ("start = 2022-02-26T12:00:00Z", "start = 0001-01-01T00:00:00Z", "year"),
        ('region = "ua"\n[[terminal]]', 'region = "uk"\n[[terminal]]', "ua"),
        ('region = "ua"\npop', 'region = "uaa"\npop', "ua"),
        ('country = "UA"', 'country = "Ukrane"', "UA"),
        ('country = "UA"', 'country = "UX"', "UA"),
        ('country = "UA"', 'country = "UA"\noutline_file = "x.geojson"', "either"),
        ('country = "UA"', 'outline_file = "missing.geojson"', "missing.geojson"),
        (
            'country = "UA"',
            'country = "UA"\nexcept_area = "ua-not-held"',
            "ua-not-government-held-2022-02-23",
        ),
        ('country = "UA"', "", "country"),
        ('pop = "frankfurt"', 'pop = "frankfort"', "frankfurt"),
        ('pop = "frankfurt"', 'antenna = "starlink-rund-2021"', "starlink-round-2021"),
        ('only = ["wola-krobowska"]', 'only = ["wola-krobovska"]', "wola-krobowska"),
        ('only = ["wola-krobowska"]', 'without = ["wola"]', "wola-krobowska"),
        ('only = ["wola-krobowska"]', 'antenna = "starlink-gatewy"', "starlink-gateway"),
        ('only = ["wola-krobowska"]', 'file = "nowhere.json"', "nowhere.json"),
        ('preset = "oneweb"', 'preset = "onewebb"', "oneweb"),
        ('preset = "oneweb"', 'file = "absent.tle"', "absent.tle"),
        ('preset = "oneweb"', 'preset = "oneweb"\nfile = "absent.tle"', "only one"),
        ("[[service]]", '[[region]]\nid = "ua"\ncountry = "PL"\n[[service]]', "'ua'"),
        ('pop = "frankfurt"\n', '[[failure]]\ngateways = ["kaunas"]\n', "kaunas"),
        ('pop = "frankfurt"\n', "[[failure]]\nsatellites = [7]\n", "7"),
        ('pop = "frankfurt"\n', "[[failure]]\nsatellites = [300001.5]\n", "whole"),
        ('pop = "frankfurt"\n', "[[failure]]\nfrom = 2022-02-26T12:00:00Z\n", "gateways"),
        ('pop = "frankfurt"\n', "[lasers]\nper_satellite = 3.5\n[links]\nlasers = 'plus-grid'\n", "whole"),
        ('pop = "frankfurt"\n', "[lasers]\nper_satellite = 5\n[links]\nlasers = 'plus-grid'\n", "lasers"),
        ('pop = "frankfurt"\n', "[delay]\nroute_factor = 0.5\n", "route"),
        ('pop = "frankfurt"\n', "[links]\npolicy = 'stikky'\n", "sticky"),
        ('id = "kyiv"', 'id = ""', "id"),
        ('id = "kyiv"', 'id = "ky\\nv"', "id"),
        ('id = "kyiv"', "id = 5", "id"),
    ],
)
def test_wrong_values(skylift: Skylift, tmp_path: Path, old: str, new: str, word: str) -> None:
    error = refused(skylift, tmp_path, changed(old, new))
    assert word.casefold() in " ".join(error.values()).casefold()


def test_coordinates_that_are_swapped(skylift: Skylift, tmp_path: Path) -> None:
    swapped = changed(
        "latitude_deg = 50.45\nlongitude_deg = 30.52", "latitude_deg = 30.52\nlongitude_deg = 50.45"
    )
    error = refused(skylift, tmp_path, swapped)
    assert error["code"] == "scenario.terminal_outside"
    assert "'kyiv'" in error["thing"]
    assert "swapped" in error["way_out"]


def test_a_terminal_that_is_merely_outside(skylift: Skylift, tmp_path: Path) -> None:
    error = refused(skylift, tmp_path, changed("longitude_deg = 30.52", "longitude_deg = 60.52"))
    assert error["code"] == "scenario.terminal_outside"
    assert "swapped" not in " ".join(error.values())


def test_ids_that_stand_twice(skylift: Skylift, tmp_path: Path) -> None:
    again = GOOD + GOOD[GOOD.index("[[terminal]]") :]
    assert "'kyiv'" in refused(skylift, tmp_path, again)["rule"]
    # A fleet's dishes get numbers, which may meet a name that is taken.
    fleet = changed('id = "kyiv"', 'id = "dish-2"') + '[[fleet]]\nid = "dish"\ncount = 3\nregion = "ua"\n'
    assert "'dish-2'" in " ".join(refused(skylift, tmp_path, fleet).values())


def test_no_gateway_in_reach(skylift: Skylift, tmp_path: Path) -> None:
    """From the middle of the Pacific no satellite at 1,200 km sees Poland as well."""
    lonely = changed(
        'latitude_deg = 50.45\nlongitude_deg = 30.52\nregion = "ua"',
        "latitude_deg = -20.0\nlongitude_deg = -140.0",
    )
    error = refused(skylift, tmp_path, lonely)
    assert "no gateway is in reach" in error["rule"]
    assert "gateway" in error["way_out"]
    none_left = changed('only = ["wola-krobowska"]', 'only = ["wola-krobowska"]\nantennas_per_gateway = 0')
    # It is not the distance, and the words must not say so.
    assert "antenna" in refused(skylift, tmp_path, none_left)["rule"]
    assert (
        "no gateway"
        in refused(
            skylift, tmp_path, changed('only = ["wola-krobowska"]', 'only = ["kaunas"]\nwithout = ["kaunas"]')
        )["rule"]
    )


@pytest.mark.parametrize(
    "text",
    [
        b"",
        b"\n\n# nothing but a comment\n",
        GOOD[: GOOD.index("50.45") + 2].encode(),
        GOOD[: GOOD.index("country") + 10].encode(),
        GOOD.encode("utf-16"),
        b"\x00\x01\x02\xff",
        GOOD.replace("kyiv", "ky\udce9v").encode("utf-8", "surrogateescape"),
        b"[[" * 5000,
        b"a = " + b"[" * 20000,
        b"start = 1",
        b'terminal = "x"',
        b"[terminal]\nid = 1",
        b"region = [1, 2]",
        b'title = ["a"]',
    ],
    ids=range(14),
)
def test_files_that_are_no_scenario(skylift: Skylift, tmp_path: Path, text: bytes) -> None:
    refused(skylift, tmp_path, text)


@pytest.mark.parametrize("json_wanted", [True, False])
def test_no_file_or_a_folder(skylift: Skylift, tmp_path: Path, json_wanted: bool) -> None:
    flags = ["--json"] if json_wanted else []
    for path in (tmp_path / "absent.toml", tmp_path):
        said = skylift("simulate", path, "-o", tmp_path / "out", *flags)
        assert said.code == 2
        assert said.out == ""
        assert path.name in said.err
        if json_wanted:
            assert json.loads(said.err)["error"]["rule"]
        else:
            assert said.err.count("\n") == 2
        assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("option", ["--catalogue", "--gateways", "--earth-orientation"])
@pytest.mark.parametrize("kind", ["absent", "empty", "folder", "binary", "truncated", "text"])
def test_files_beside_the_scenario(skylift: Skylift, tmp_path: Path, option: str, kind: str) -> None:
    bad = tmp_path / f"bad.{'json' if option == '--gateways' else 'txt'}"
    if kind == "folder":
        bad.mkdir()
    elif kind != "absent":
        bad.write_bytes(
            {
                "empty": b"",
                "binary": bytes(range(256)) * 4,
                "truncated": b'{"stations": [' if option == "--gateways" else ISS[:100].encode(),
                "text": b"this is no such file\n" * 3,
            }[kind]
        )
    refused(skylift, tmp_path, GOOD, option, bad)


def test_out_is_a_file(skylift: Skylift, tmp_path: Path) -> None:
    (tmp_path / "good.toml").write_text(GOOD)
    (tmp_path / "taken").write_text("mine")
    said = skylift("simulate", tmp_path / "good.toml", "-o", tmp_path / "taken", "--json")
    assert said.code == 2
    assert "taken" in json.loads(said.err)["error"]["thing"]
    assert (tmp_path / "taken").read_text() == "mine"
    said = skylift("simulate", tmp_path / "good.toml", "-o", tmp_path / "taken" / "under", "--json")
    assert said.code in (1, 2)
    assert "taken" in json.loads(said.err)["error"]["thing"]


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write everywhere")
def test_out_may_not_be_written(skylift: Skylift, tmp_path: Path) -> None:
    (tmp_path / "good.toml").write_text(GOOD)
    locked = tmp_path / "locked"
    locked.mkdir(mode=0o500)
    said = skylift("simulate", tmp_path / "good.toml", "-o", locked / "out", "--json")
    assert said.code == 1
    assert "locked" in json.loads(said.err)["error"]["thing"]


def test_out_cannot_be_made_even_by_root(skylift: Skylift, tmp_path: Path) -> None:
    (tmp_path / "good.toml").write_text(GOOD)
    said = skylift("simulate", tmp_path / "good.toml", "-o", "/proc/skylift-out", "--json")
    assert said.code in (1, 2)
    assert "/proc/skylift-out" in json.loads(said.err)["error"]["thing"]


@pytest.mark.parametrize("words", [["--workers", "-1"], ["--workers", "two"], ["--worker", "1"], ["extra"]])
def test_bad_options(skylift: Skylift, tmp_path: Path, words: list[str]) -> None:
    (tmp_path / "good.toml").write_text(GOOD)
    said = skylift("simulate", tmp_path / "good.toml", "-o", tmp_path / "out", *words)
    assert said.code == 2
    assert not (tmp_path / "out").exists()


def test_old_elements_warn_or_are_refused(skylift: Skylift, tmp_path: Path) -> None:
    """Elements of September 2008 in 2022: 13 years. With a shift they fit, and every output says so."""
    (tmp_path / "iss.tle").write_text(ISS)
    elements = changed('preset = "oneweb"', 'file = "iss.tle"')
    path, out = tmp_path / "old.toml", tmp_path / "out"
    assert "day" in refused(skylift, tmp_path, elements, "--strict-epoch")["rule"]
    path.write_text(elements)
    said = skylift("simulate", path, "-o", out, "--json", "--no-pictures")
    assert said.code == 0
    summary = json.loads(said.out)
    assert summary["time_shift_s"] == 0.0
    assert any("day" in warning for warning in summary["warnings"])
    path.write_text('time_shift = "to-start"\n' + elements)
    summary = json.loads(
        skylift("simulate", path, "-o", out, "--json", "--no-pictures", "--strict-epoch").out
    )
    # 2008, day 264.51782528, to 2022-02-26T12:00:00.
    epoch_s = 1_199_145_600 + 263.51782528 * 86_400
    assert summary["time_shift_s"] == pytest.approx(1_645_876_800 - epoch_s, abs=1e-3)
    assert not any("day" in warning for warning in summary["warnings"])
    label = pq.read_schema(out / "links.parquet").metadata[b"time_shift_s"]
    assert float(label) == pytest.approx(summary["time_shift_s"], abs=1e-6)
    assert "shifted" in (out / "summary.md").read_text()


def test_nobody_is_served_without_service(skylift: Skylift, tmp_path: Path) -> None:
    """Being in a country is not being allowed to be served there; who forgets [[service]] is told."""
    path = tmp_path / "silent.toml"
    path.write_text(changed('[[service]]\nregion = "ua"\n', ""))
    said = skylift("simulate", path, "-o", tmp_path / "out", "--json", "--no-pictures")
    summary = json.loads(said.out)
    assert summary["availability"] == {"kyiv": 0.0}
    assert summary["terminals"]["kyiv"]["why_down"] == {"region_not_active": 12}
    assert any("[[service]]" in warning for warning in summary["warnings"])


def test_old_pictures_do_not_stay_beside_new_results(skylift: Skylift, tmp_path: Path) -> None:
    path, out = tmp_path / "good.toml", tmp_path / "out"
    path.write_text(GOOD)
    assert skylift("simulate", path, "-o", out).code == 0
    assert (out / "map.png").exists()
    (out / "mine.png").write_text("not skylift's")
    assert skylift("simulate", path, "-o", out, "--no-pictures").code == 0
    left = {p.name for p in out.iterdir()}
    assert left == {"links.parquet", "summary.json", "summary.md", "mine.png"}


def test_names_are_shown_as_written(skylift: Skylift, tmp_path: Path) -> None:
    """Square brackets are markup to the table's library, bars to Markdown."""
    path = tmp_path / "odd.toml"
    path.write_text(changed('id = "kyiv"', 'id = "[red]a|b"').replace('"good"', '"[/bold] odd"'))
    said = skylift("simulate", path, "-o", tmp_path / "out", "--no-pictures")
    assert said.code == 0
    assert "[red]a|b" in said.out
    assert r"[red]a\|b" in (tmp_path / "out" / "summary.md").read_text()


def test_beams_are_written_beside_the_results(skylift: Skylift, tmp_path: Path) -> None:
    path, beams = tmp_path / "good.toml", tmp_path / "beams.parquet"
    path.write_text(
        changed('pop = "frankfurt"', 'pop = "frankfurt"\nclass = "life"') + '[capacity]\nsystem = "oneweb"\n'
    )
    said = skylift("simulate", path, "-o", tmp_path / "out", "--workers", "1", "--json", "--schedule", beams)
    assert said.code == 0, said
    summary = json.loads(said.out)
    assert set(summary["rates"]) == {"all", "life"}
    page = (ROOT / "docs" / "reference" / "schedule-parquet.md").read_text()
    columns = re.findall(r"^\| `(\w+)` \|", page, re.MULTILINE)
    table = pq.read_table(beams)
    inside = tmp_path / "new" / "beams.parquet"
    more = ("--workers", "1", "--no-pictures", "--schedule", inside)
    assert skylift("simulate", path, "-o", tmp_path / "new", *more).code == 0
    assert inside.read_bytes() == beams.read_bytes()
    assert table.schema.names == columns
    assert set(table["gateway"].to_pylist()) == {"wola-krobowska"}
    assert all(column.null_count == 0 for column in table.columns)
    assert (tmp_path / "out" / "rates.png").read_bytes().startswith(b"\x89PNG")
    text = (tmp_path / "out" / "summary.md").read_text()
    assert "| life |" in text
    assert "satellites by the beam schedule" in text
    assert "sticky" not in text
    said = skylift("simulate", path, "-o", tmp_path / "out", "--workers", "1", "--no-pictures")
    assert said.code == 0
    assert "was not served" in said.out


def test_beams_that_could_not_be_written_are_refused_before_the_work(
    skylift: Skylift, tmp_path: Path
) -> None:
    assert (
        refused(skylift, tmp_path, GOOD, "--schedule", tmp_path / "no" / "b.parquet")["code"]
        == "output.folder"
    )
    assert refused(skylift, tmp_path, GOOD, "--schedule", tmp_path)["code"] == "output.is-folder"
    for name, code in (
        ("links.parquet", "output.taken"),
        ("rates.png", "output.format"),
        (".parts/b.parquet", "output.folder"),
    ):
        out = tmp_path / "out" / name
        assert refused(skylift, tmp_path, GOOD, "--schedule", out)["code"] == code, name


def test_beams_are_never_written_over_what_the_run_reads(skylift: Skylift, tmp_path: Path) -> None:
    text = GOOD + '[capacity]\nrain_file = "dry.csv"\n'
    (tmp_path / "dry.csv").write_text("")
    (tmp_path / "link.parquet").symlink_to(tmp_path / "bad.toml")
    for name in ("dry.csv", "../" + tmp_path.name + "/dry.csv", "link.parquet"):
        error = refused(skylift, tmp_path, text, "--schedule", tmp_path / name)
        assert error["code"] == "output.is-input", name
        assert (tmp_path / "bad.toml").read_text() == text
    assert refused(skylift, tmp_path, text, "--schedule", tmp_path / "bad.toml")["code"] == "output.format"
    # Another spelling of the folder of results is the same folder.
    (tmp_path / "good.toml").write_text(text)
    (tmp_path / "out").mkdir()
    odd = tmp_path / "out" / ".." / "out" / "links.parquet"
    said = skylift("simulate", tmp_path / "good.toml", "-o", tmp_path / "out", "--json", "--schedule", odd)
    assert json.loads(said.err)["error"]["code"] == "output.taken"
    assert not any((tmp_path / "out").iterdir())


def test_a_fleet_stays_within_its_borders(tmp_path: Path) -> None:
    """A place as written may lie off a coarse coast; places drawn at random never lie over the border."""
    path = tmp_path / "fleet.toml"
    text = GOOD[: GOOD.index("[[terminal]]")] + '[[fleet]]\nid = "f"\ncount = 500\nregion = "ua"\n'
    path.write_text(text)
    ids = {}
    for seed in (1, 1, 2):
        path.write_text(text.replace("seed = 1", f"seed = {seed}"))
        terminals = load_world(Sources(path)).world.terminals
        assert [str(t.id) for t in terminals[:2]] == ["f-001", "f-002"]
        assert {country_of(t.place) for t in terminals} == {"UA"}
        places = [t.place for t in terminals]
        assert ids.setdefault(seed, places) == places
    assert ids[1] != ids[2]
    # More dishes do not move those that were there.
    path.write_text(text.replace("count = 500", "count = 600"))
    assert [t.place for t in load_world(Sources(path)).world.terminals][:500] == ids[1]
