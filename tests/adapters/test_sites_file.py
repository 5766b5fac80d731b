"""Lists of sites: what is read, what is refused and how, and that nothing of a place is ever repeated."""

from __future__ import annotations

import json
from pathlib import Path

import h3
import pytest

from skylift.adapters.plan_sources import PlanSources
from skylift.adapters.sites_file import KINDS, load_sites, read_sites
from skylift.base.errors import Refused
from skylift.base.link import WhyDown

LATITUDE, LONGITUDE = 50.123456, 30.654321


def file(folder: Path, text: str, name: str = "sites.csv") -> Path:
    path = folder / name
    path.write_text(text, encoding="utf-8")
    return path


def test_a_csv_is_read_into_cells(tmp_path: Path) -> None:
    text = (
        "id;lat;lon;kind;people;wanted_down_mbps;terminals_allowed;allowed;name\n"
        f"h1;{LATITUDE};{LONGITUDE};hospital;300;;;;St Mary\n"
        f"s1;{LATITUDE};{LONGITUDE};School;1200;7.5;2;no;Number 5\n\n"
    )
    hospital, school = read_sites(file(tmp_path, text))
    cell = h3.latlng_to_cell(LATITUDE, LONGITUDE, 5)
    assert (hospital.id, hospital.cell, hospital.wanted_mbps, hospital.people) == ("h1", cell, 100.0, 300)
    assert "hospital" in hospital.rate_source
    assert (hospital.most_terminals, hospital.allowed) == (None, True)
    assert (school.wanted_mbps, school.rate_source, school.most_terminals) == (7.5, "given", 2)
    assert not school.allowed
    # Neither the place nor the name is kept anywhere.
    assert "St Mary" not in repr(hospital)
    assert str(LATITUDE)[:5] not in repr(hospital)


@pytest.mark.parametrize("wrapped", [True, False])
def test_json_says_the_same_as_csv(tmp_path: Path, wrapped: bool) -> None:
    rows = [
        {"id": "a", "latitude": LATITUDE, "longitude": LONGITUDE, "kind": "rescue", "people": 4},
        {
            "id": "b",
            "cell": h3.latlng_to_cell(LATITUDE, LONGITUDE, 7),
            "wanted_down_mbps": 3,
            "allowed": False,
        },
    ]
    read = read_sites(file(tmp_path, json.dumps({"sites": rows} if wrapped else rows), "sites.json"))
    csv = read_sites(
        file(
            tmp_path,
            "id,latitude,longitude,cell,kind,people,wanted_down_mbps,allowed\n"
            f"a,{LATITUDE},{LONGITUDE},,rescue,4,,\n"
            f"b,,,{h3.latlng_to_cell(LATITUDE, LONGITUDE, 7)},,,3,no\n",
        )
    )
    assert read == csv
    assert read[0].cell == read[1].cell == h3.latlng_to_cell(LATITUDE, LONGITUDE, 5)


@pytest.mark.parametrize(
    ("kind", "people", "mbps"),
    [
        ("hospital", 1000, 100.0),  # ONC's minimum for a hospital, whatever its size
        ("clinic", 10, 10.0),
        ("school", 1000, 100.0),  # SETDA: 100 Mbit/s for 1,000
        ("school", 1, 2.0),
        ("shelter", 300, 30.0),
        ("household", 4, 2.0),
        ("household", 2000, 1000.0),  # a village in one row
    ],
)
def test_rates_that_a_list_does_not_state(tmp_path: Path, kind: str, people: int, mbps: float) -> None:
    (site,) = read_sites(file(tmp_path, f"id,latitude,longitude,kind,people\na,1,1,{kind},{people}\n"))
    assert site.wanted_mbps == pytest.approx(mbps)
    assert site.rate_source == KINDS[kind].source


def test_a_class_of_its_own_goes_before_that_of_the_kind(tmp_path: Path) -> None:
    rows = "a,1,1,household,Life and rescue\nb,1,1,hospital,\nc,1,1,,everybody\nd,1,1,,critical\n"
    read = read_sites(file(tmp_path, "id,latitude,longitude,kind,class\n" + rows))
    assert [site.class_ for site in read] == [0, 0, 3, 1]


@pytest.mark.parametrize(
    ("said", "kind"),
    [("waterworks", "utility"), ("Water-Works", "utility"), ("power plant", "utility"), ("police", "rescue")],
)
def test_what_lists_call_a_kind_besides_is_understood(tmp_path: Path, said: str, kind: str) -> None:
    (site,) = read_sites(file(tmp_path, f"id,latitude,longitude,kind\na,1,1,{said}\n"))
    assert (site.kind, site.class_) == (kind, KINDS[kind].class_)


def test_an_unknown_kind_is_told_all_there_are(tmp_path: Path) -> None:
    with pytest.raises(Refused) as refused:
        read_sites(file(tmp_path, "id,latitude,longitude,kind\na,1,1,waterworx\n"))
    assert "did you mean waterworks?" in refused.value.rule
    assert ", ".join(KINDS) in refused.value.rule


def test_every_kind_has_a_class_and_a_source() -> None:
    assert {kind.class_ for kind in KINDS.values()} == {0, 1, 2, 3}
    assert all(kind.source and kind.least_mbps > 0 for kind in KINDS.values())


BAD = """id,latitude,longitude,kind,people,wanted_down_mbps
ok,50.1,30.1,hospital,5,
two words,50.2,30.2,hospital,5,
far,95.5,30.3,hospital,5,
kin,50.3,30.4,hopsital,5,
ok,50.4,30.5,hospital,5,
few,50.5,30.6,hospital,-7,
nan,nan,30.7,hospital,5,
neg,50.6,30.8,hospital,5,-3
half,50.6,30.8,hospital,2.5,
"""


def test_one_bad_site_of_one_is_counted_as_one(tmp_path: Path) -> None:
    with pytest.raises(Refused, match=r"1 of 1 site:"):
        read_sites(file(tmp_path, "id,latitude,longitude\nh1,99,30\n"))


def test_all_bad_rows_are_told_at_once_with_their_lines_and_nothing_of_them(tmp_path: Path) -> None:
    with pytest.raises(Refused) as refused:
        read_sites(file(tmp_path, BAD))
    text = str(refused.value)
    assert refused.value.exit_code == 2
    for line, word in [(3, "id"), (4, "latitude"), (5, "hospital"), (6, "line 2"), (7, "people"),
                       (8, "latitude"), (9, "wanted_down_mbps"), (10, "whole")]:  # fmt: skip
        (said,) = [
            part
            for part in refused.value.rule.split("; line ")
            if part.removeprefix("line ").startswith(f"{line}:")
        ]
        assert word in said
    assert "line 2:" not in text
    assert "8 of 9 sites" in text
    assert "two words" not in text
    for number in ("95.5", "50.", "30."):
        assert number not in text


def test_many_bad_rows_are_counted(tmp_path: Path) -> None:
    rows = "".join(f"s{i},95,30\n" for i in range(40))
    with pytest.raises(Refused, match="and 30 more"):
        read_sites(file(tmp_path, "id,latitude,longitude\n" + rows))


@pytest.mark.parametrize(
    ("text", "word"),
    [
        ("", "first line"),
        ("id,latitude,longitude\n", "no site"),
        ("name,latitude,longitude\nx,1,1\n", "id among them"),
        ("id,id,latitude,longitude\na,b,1,1\n", "each once"),
        ("id,latitude,longitude\na,1\n", "lines 2 have not as many fields"),
        ("id,latitude,longitude,wanted_down_mps\na,1,1,3\n", "did you mean wanted_down_mbps"),
        ("id,latitude,longitude,cell\na,1,1,85119643fffffff\n", "not both"),
        ("id,cell\na,8511\n", "no H3 cell"),
        ("id,latitude,longitude,class\na,1,1,goverment\n", "did you mean government_and_aid"),
        ("id,cell\na,831196fffffffff\n", "coarser"),
        ('id,latitude,longitude\n"a,1,1\n', "no CSV"),
        ("[1, 2]", "list of objects"),
        ('{"places": []}', "list of objects"),
        ('[{"id": "a",', "malformed in line 1"),
        ('[{"id": "a", "latitude": true, "longitude": 1}]', "site 1: latitude"),
        ('[{"id": "a", "latitude": "1", "longitude": 1, "allowed": "perhaps"}]', "yes or no"),
        ('[{"id": ["x"], "latitude": 1, "longitude": 1}]', "id must be"),
        ('[{"id": "лікарня", "latitude": 1, "longitude": 1}]', "Latin letters"),
        ('[{"id": "a", "latitude": 1e999, "longitude": 1}]', "latitude must be"),
    ],
)
def test_what_is_no_list_of_sites_is_refused_with_a_way_out(tmp_path: Path, text: str, word: str) -> None:
    with pytest.raises(Refused) as refused:
        read_sites(file(tmp_path, text))
    assert word in str(refused.value)
    assert refused.value.way_out


def test_a_file_that_is_not_there_or_not_text_is_refused(tmp_path: Path) -> None:
    with pytest.raises(Refused, match="cannot be read"):
        read_sites(tmp_path / "none.csv")
    (tmp_path / "x.csv").write_bytes(b"id,latitude\n\xff\xfe")
    with pytest.raises(Refused, match="UTF-8"):
        read_sites(tmp_path / "x.csv")


SITES = f"id,latitude,longitude\na,{LATITUDE},{LONGITUDE}\nb,{LATITUDE},{LONGITUDE}\nc,48.0,37.8\n"


def test_without_a_region_the_cells_are_those_of_the_sites(tmp_path: Path) -> None:
    loaded = load_sites(PlanSources("", left_out="ua-not-government-held-2022-02-23"), file(tmp_path, SITES))
    case = loaded.inputs.case
    assert len(case.region) == len(case.demand.barred) == len(case.demand.wanted_bps) == 2
    assert [case.region.cells[s.cell] for s in loaded.sites] == [one.cell for one in loaded.read]
    assert loaded.sites[0].cell == loaded.sites[1].cell
    assert not case.demand.wanted_bps.any()
    barred = [WhyDown(int(case.demand.barred[s.cell])) for s in loaded.sites]
    assert barred == [WhyDown.UP, WhyDown.UP, WhyDown.REGION_NOT_ACTIVE]
    assert case.disturbances.user_air is not None


def test_with_a_region_everybody_else_wants_something_too(tmp_path: Path) -> None:
    """Moldova, and sites in Ukraine: the cells of both, and nothing wanted beside the sites outside."""
    sources = PlanSources("MD", resolution=4)
    loaded = load_sites(sources, file(tmp_path, SITES), background_mbps_per_km2=2.0)
    case = loaded.inputs.case
    inside = case.region.area_km2[: len(case.region) - 2]
    assert case.demand.wanted_bps[: len(inside), 3] == pytest.approx(2e6 * inside)
    assert not case.demand.wanted_bps[len(inside) :].any()
    assert {s.cell for s in loaded.sites} == {len(inside), len(inside) + 1}
    quiet = load_sites(sources, file(tmp_path, SITES))
    assert not quiet.inputs.case.demand.wanted_bps.any()
