"""Lists of gateways: our own table and other people's, and what is refused in them."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from skylift.adapters.gateways_file import (
    CROWD_SOURCED_ACCURACY_M,
    ground_segment,
    packaged_ground_segment,
    read_ground_segment,
    slug,
)
from skylift.adapters.outlines import packaged_countries
from skylift.base.errors import Refused
from skylift.base.geodesy import Place, great_circle_m
from skylift.base.instants import parse_instant

FEBRUARY_2022 = parse_instant("2022-02-26T12:00:00Z")


def site(**changes: Any) -> dict[str, Any]:
    return {
        "name": "Somewhere",
        "lat": 12.5,
        "lon": 34.25,
        "status": "operational",
        "type": "gateway",
        **changes,
    }


def write(folder: Path, content: object, name: str = "list.json") -> Path:
    file = folder / name
    file.write_text(content if isinstance(content, str) else json.dumps(content), "utf-8")
    return file


def test_the_packaged_table_is_a_spread_over_the_world_with_a_source_for_each() -> None:
    segment = packaged_ground_segment()
    assert len(segment.gateways) >= 40
    assert len(segment.pops) >= 25
    for found in (*segment.gateways, *segment.pops):
        assert len(found.source) > 20
        assert 0 < found.accuracy_m <= 100_000
    countries = packaged_countries()
    names = [countries.country_of(g.place) for g in segment.gateways]
    for country in ("PL", "LT", "DE", "US", "CL", "NG", "JP", "AU", "NZ", "FJ"):
        assert country in names


def test_the_polish_gateway_stands_at_its_village_and_not_where_lists_have_it() -> None:
    (polish,) = (g for g in packaged_ground_segment().gateways if g.id == "wola-krobowska")
    assert great_circle_m(polish.place, Place(51.87, 20.9)) <= polish.accuracy_m
    assert great_circle_m(polish.place, Place(50.35, 20.55)) > 150_000


def test_dates_decide_what_is_there() -> None:
    then, now = packaged_ground_segment(FEBRUARY_2022), packaged_ground_segment(parse_instant("2026-11-01"))
    ids_then, ids_now = ({g.id for g in s.gateways} for s in (then, now))
    # Ofcom decided on Fawley and three others in November 2022; North Bend was filed in April 2022.
    assert ids_now - ids_then == {"fawley", "morn-hill", "wherstead", "woodwalton", "north-bend-wa"}
    assert {"wola-krobowska", "kaunas", "usingen", "villenave-d-ornon", "goonhilly"} <= ids_then
    # The PoP was not in Ukraine, nor, as far as any source at hand knows, in Warsaw.
    assert {p.id for p in then.pops} >= {"frankfurt", "london"}
    assert not {p.id for p in then.pops} & {"warsaw", "sofia", "milan", "madrid"}
    countries = packaged_countries()
    assert "UA" not in {countries.country_of(p.place) for p in now.pops}


def test_the_large_list_gives_what_is_in_operation(shared_file: Callable[[str], Path]) -> None:
    segment = read_ground_segment(shared_file("gateways/ground-stations_2026-04.json"))
    assert (len(segment.gateways), len(segment.pops)) == (214, 35)
    assert segment.skipped == (("planned", 108),)
    assert {g.accuracy_m for g in segment.gateways} == {CROWD_SOURCED_ACCURACY_M}
    assert "100 km" in segment.notes[0]


def test_the_list_of_filings_gives_antennas_and_file_numbers(shared_file: Callable[[str], Path]) -> None:
    segment = read_ground_segment(shared_file("gateways/us-gateways_2020-07.json"))
    assert len(segment.gateways) == 32
    assert all("SES-" in g.source and g.accuracy_m < 1_000 for g in segment.gateways)
    (conrad,) = (g for g in segment.gateways if g.id == "conrad-mt-gateway")
    assert conrad.antennas == 8
    assert conrad.place == Place(48.203306, -111.945278)
    assert segment.pops == packaged_ground_segment().pops
    assert any("no PoPs" in note for note in segment.notes)
    assert any("23 of 32" in note for note in segment.notes)


CSV = (
    "name,lat,lon,type,antennas,accuracy_m,since\n"
    "A town,12.5,34.25,gateway,16,500,2021-03-01\nB town,-1,-2,,,,\n"
)
GEOJSON = {
    "type": "FeatureCollection",
    "features": [
        {
            "type": "Feature",
            "properties": {"name": "A town", "antennas": 16, "accuracy_m": 500, "since": "2021-03-01"},
            "geometry": {"type": "Point", "coordinates": [34.25, 12.5, 100.0]},
        },
        {
            "type": "Feature",
            "properties": {"Name": "B town"},
            "geometry": {"type": "Point", "coordinates": [-2, -1]},
        },
    ],
}
LISTED = [
    {
        "name": "A town",
        "coordinates": [34.25, 12.5, 0],
        "antennas": 16,
        "accuracy_m": 500,
        "since": "2021-03-01",
    },
    {"name": "B town", "coordinates": [-2, -1, 0]},
]
OURS = """
[sources]
x = "seen by the author"
[[gateway]]
id = "a-town"
name = "A town"
latitude_deg = 12.5
longitude_deg = 34.25
antennas = 16
accuracy_m = 500
source = "x"
since = 2021-03-01
[[gateway]]
name = "B town"
latitude_deg = -1
longitude_deg = -2
source = "x"
"""


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("list.csv", CSV),
        ("list.csv", CSV.replace(",", ";")),
        ("list.csv", "\ufeff" + CSV.replace("\n", "\r\n")),
        ("list.geojson", GEOJSON),
        ("list.json", LISTED),
        ("list.json", {"stations": LISTED}),
        ("list.toml", OURS),
    ],
)
def test_every_format_gives_the_same_gateways(tmp_path: Path, name: str, content: object) -> None:
    segment = read_ground_segment(write(tmp_path, content, name))
    a, b = segment.gateways
    assert (a.id, a.antennas, a.accuracy_m, a.since_us) == ("a-town", 16, 500, parse_instant("2021-03-01"))
    assert (a.place.latitude_deg, a.place.longitude_deg) == (12.5, 34.25)
    assert (b.id, b.antennas, b.accuracy_m, b.minimum_elevation_deg) == ("b-town", 8, 100_000, 25.0)
    assert segment.pops == packaged_ground_segment().pops
    early = read_ground_segment(tmp_path / name, parse_instant("2021-02-28T23:59:59Z"))
    assert [g.id for g in early.gateways] == ["b-town"]


@pytest.mark.parametrize(
    ("status", "taken"),
    [
        ("operational", True),
        ("active", True),
        (True, True),
        ("planned", False),
        (False, False),
        ("closed", False),
    ],
)
def test_only_what_is_in_operation_is_taken(tmp_path: Path, status: object, taken: bool) -> None:
    sites = [site(name="Sure"), site(name="Asked", status=status)]
    segment = read_ground_segment(write(tmp_path, {"stations": sites}))
    assert ("asked" in {g.id for g in segment.gateways}) == taken
    assert sum(count for _, count in segment.skipped) == (not taken)


@pytest.mark.parametrize(
    ("content", "hint"),
    [
        ("", "empty"),
        ('{"stations": [{"name"', "breaks off"),
        ({"sites": []}, "stations"),
        ([], "no gateway"),
        ({"stations": [site(type="pop")]}, "no gateway"),
        ({"stations": [site(status="planned")]}, "no gateway"),
        ([site(), 7], "record 2"),
        ([site(), site(name="Other", lat=97.3)], "record 2.*swapped"),
        ([site(lon=297.3)], "record 1.*360"),
        ([site(lat="north")], "record 1: latitude"),
        ([site(lat=None)], "record 1: latitude"),
        ([site(lat=True)], "record 1: latitude"),
        ('[{"name": "A", "lat": NaN, "lon": 97.3}]', "record 1: latitude"),
        ([site(name="")], "record 1.*name"),
        ([site(name="?!")], "record 1.*name"),
        ([site(type="teleport")], "record 1.*type"),
        ([site(antennas=0)], "record 1: antennas"),
        ([site(accuracy_m=-1)], "record 1: accuracy_m"),
        ([site(minimum_elevation_deg=91)], "record 1: the minimum elevation"),
        ([site(since="soon")], "record 1: since"),
        ([site(), site(lat=1.0)], "gateway somewhere.*once"),
        ([{"name": "A", "coordinates": [97.3]}], "record 1.*longitude"),
        (
            {"type": "FeatureCollection", "features": [{"type": "Feature", "geometry": None}]},
            "record 1.*Point",
        ),
        ({"type": "FeatureCollection"}, "features"),
        ({"stations": [site(pop="Atlantis"), site(name="P", type="pop")]}, "PoP atlantis"),
    ],
)
def test_a_bad_list_is_refused_by_record_and_without_coordinates(
    tmp_path: Path, content: object, hint: str
) -> None:
    with pytest.raises(Refused, match=hint) as refused:
        read_ground_segment(write(tmp_path, content))
    assert "list.json" in refused.value.thing
    assert "97.3" not in str(refused.value)


@pytest.mark.parametrize(
    ("content", "hint"),
    [
        ("name,lat,lon\nA,1\n", "record 1.*fields"),
        ("name,lat,lon\nA,1,2,3\n", "record 1.*fields"),
        ('name,lat,lon\n"A,1,2\n', "malformed"),
        ("name,lat,lon\nA,,2\n", "record 1: latitude"),
        ("name,lat,lon\n", "no gateway"),
    ],
)
def test_a_bad_csv_is_refused(tmp_path: Path, content: str, hint: str) -> None:
    with pytest.raises(Refused, match=hint):
        read_ground_segment(write(tmp_path, content, "list.csv"))


@pytest.mark.parametrize(
    ("content", "hint"),
    [
        ("[[gateway]", "TOML"),
        ("gateway = 7", "list named 'gateway'"),
        ('[[gateway]]\nname = "A"\nlatitude_deg = 1\nlongitude_deg = 2', "gateway 1.*source"),
    ],
)
def test_a_bad_table_is_refused(content: str, hint: str) -> None:
    with pytest.raises(Refused, match=hint):
        ground_segment(content)


def test_a_list_that_is_not_there_is_refused(tmp_path: Path) -> None:
    with pytest.raises(Refused, match="check the path"):
        read_ground_segment(tmp_path / "none.json")


def test_a_gateway_whose_pop_was_not_there_yet_may_use_any() -> None:
    table = OURS.replace('id = "a-town"', 'id = "a-town"\npop = "c"')
    pop = '[[pop]]\nid = "{}"\nname = "{}"\nlatitude_deg = 0\nlongitude_deg = 0\nsource = "x"\n'
    table += pop.format("c", "C") + "since = 2023-01-01\n" + pop.format("d", "D")
    assert ground_segment(table).gateways[0].pop == "c"
    assert ground_segment(table, FEBRUARY_2022).gateways[0].pop is None


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("Villenave-d'Ornon, France", "villenave-d-ornon-france"),
        ("Tromsø, Norway", "tromso-norway"),
        ("Łódź (PL)", "lodz-pl"),
        ("  João Câmara ", "joao-camara"),
        ("Київ", "киів"),
    ],
)
def test_a_name_has_a_stable_id(name: str, expected: str) -> None:
    assert slug(name) == expected


@given(st.text(max_size=30))
def test_a_slug_is_its_own_slug(name: str) -> None:
    assert slug(slug(name)) == slug(name)


TWO_TIMES = """
[[gateway]]
name = "Somewhere"
latitude_deg = 12.5
longitude_deg = 34.25
source = "made up for this test"
antennas = 8
{until}
[[gateway]]
name = "Somewhere"
latitude_deg = 12.5
longitude_deg = 34.25
source = "made up for this test"
antennas = 20
since = 2024-01-01
"""


@pytest.mark.parametrize(
    ("at", "antennas"), [("2023-12-31T23:59:59Z", 8), ("2024-01-01T00:00:00Z", 20), ("2026-01-01", 20)]
)
def test_a_site_has_the_antennas_of_its_year(at: str, antennas: int) -> None:
    text = TWO_TIMES.format(until="until = 2024-01-01")
    assert [g.antennas for g in ground_segment(text, parse_instant(at)).gateways] == [antennas]


@pytest.mark.parametrize("until", ["", "until = 2024-01-02"])
def test_a_site_does_not_stand_twice_at_one_time(until: str) -> None:
    with pytest.raises(Refused, match="somewhere"):
        ground_segment(TWO_TIMES.format(until=until))
