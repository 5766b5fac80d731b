"""What a planner names is read, resolved, or refused with the way out."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import h3
import numpy as np
import pytest

from skylift.adapters.plan_sources import PlanSources, hourly, load_plan, resolve_gateways
from skylift.base.errors import Refused
from skylift.base.ids import GatewayId
from skylift.base.instants import format_instant, parse_instant
from skylift.base.link import WhyDown
from skylift.base.units import US_PER_DAY
from skylift.study.bearing import bearing
from skylift.study.capacity import CapacityStudy

# A country of eleven cells: quick to plan for.
SMALL = "LU"


def test_defaults_are_whole_and_say_what_they_are() -> None:
    inputs = load_plan(PlanSources(SMALL))
    case = inputs.case
    assert inputs.system == "starlink-2022"
    assert format_instant(inputs.start_us) == "2022-12-01T11:59:57Z"
    assert len(case.catalogue) == 3168
    assert any("starlink-as-flown" in note for note in inputs.notes)
    assert case.demand.wanted_bps.sum() == pytest.approx(100e6 * case.region.area_km2.sum())
    # Luxembourg has 2,586 km2; cells belong to it by their centres.
    assert case.region.area_km2.sum() == pytest.approx(2586, rel=0.15)
    assert hourly(inputs.start_us, 3) == [inputs.start_us + hour * 3_600_000_000 for hour in range(3)]


def test_a_later_year_takes_the_later_system() -> None:
    inputs = load_plan(PlanSources(SMALL, at_us=parse_instant("2026-05-30")))
    assert inputs.system == "starlink-2026"
    assert load_plan(PlanSources(SMALL, system="oneweb")).system == "oneweb"


def test_a_system_for_other_altitudes_is_told() -> None:
    notes = load_plan(PlanSources(SMALL, system="oneweb")).notes
    assert any("is it the right --system" in note for note in notes)
    assert not any("right --system" in note for note in load_plan(PlanSources(SMALL)).notes)


def test_epochs_are_shifted_only_where_they_are_far(shared_file: Callable[[str], Path]) -> None:
    tle = shared_file("catalogues/starlink_2022-02_reconstructed.tle")
    there = load_plan(PlanSources(SMALL, catalogue=tle))
    assert there.case.catalogue.time_shift_us == 0
    middle_us = int(np.median(there.case.catalogue.epoch_us))
    near = load_plan(PlanSources(SMALL, catalogue=tle, at_us=middle_us + 6 * US_PER_DAY))
    assert near.case.catalogue.time_shift_us == 0
    at_us = int(parse_instant("2022-02-26"))
    far = load_plan(PlanSources(SMALL, catalogue=tle, at_us=at_us))
    assert far.case.catalogue.time_shift_us == at_us - middle_us
    assert any("shifted by -278." in note for note in far.notes)
    assert far.start_us <= at_us < far.start_us + 15_000_000


def test_gateways_by_name_and_without() -> None:
    one = load_plan(PlanSources("UA", only=("wola krobowska, poland",), resolution=3)).case
    assert [str(g.id) for g in one.gateways] == ["wola-krobowska"]
    every = load_plan(PlanSources("UA", resolution=3)).case
    # A town of the same name in another country is another town.
    paris = replace(every.gateways[0], id=GatewayId("paris-france"), name="Paris, France")
    assert resolve_gateways([paris], ("Paris",), "--gateway") == {0}
    with pytest.raises(Refused, match="paris-france"):
        resolve_gateways([paris], ("Paris, Texas",), "--gateway")
    less = load_plan(PlanSources("UA", without=("Wola Krobowska",), resolution=3)).case
    assert len(less.gateways) == len(every.gateways) - 1


@pytest.mark.parametrize(
    ("sources", "code", "says"),
    [
        (PlanSources("Ukrain"), "country.unknown", "UA (Ukraine)"),
        (PlanSources("nowhere.geojson"), "area.no_file", "check the path"),
        (
            PlanSources(SMALL, only=("Wola Krobovska",)),
            "plan.unknown-gateway",
            "did you mean wola-krobowska-poland?",
        ),
        (PlanSources(SMALL, without=("zzzzzzzz",)), "plan.unknown-gateway", "skylift gateways"),
        (
            PlanSources(SMALL, without=("Wola",)),
            "plan.unknown-gateway",
            "did you mean wola-krobowska-poland?",
        ),
        (PlanSources(SMALL, without=("Turkey",)), "plan.unknown-gateway", "did you mean muallim-turkey?"),
        (PlanSources(SMALL, system="starlink-2025"), "radio.unknown-system", "did you mean"),
        (PlanSources(SMALL, resolution=1), "plan.no-cells", "finer"),
        (PlanSources(SMALL, resolution=16), "cells.resolution", "0 to 15"),
        (PlanSources(SMALL, demand_mbps_per_km2=0.0), "plan.amount", "--demand-mbps-per-km2"),
        (PlanSources(SMALL, demand_mbps_per_km2=-1.0), "plan.amount", "--demand-mbps-per-km2"),
        (PlanSources(SMALL, demand_mbps_per_km2=float("nan")), "plan.amount", "--demand-mbps-per-km2"),
        (PlanSources(SMALL, demand_mbps_per_km2=float("inf")), "plan.amount", "--demand-mbps-per-km2"),
        (PlanSources(SMALL, ka_fraction=-0.1), "plan.amount", "--ka-fraction"),
        (PlanSources(SMALL, ka_fraction=float("nan")), "plan.amount", "--ka-fraction"),
        (PlanSources(SMALL, beams=9), "plan.beams", "0 to 8"),
        (PlanSources(SMALL, antennas=-1), "plan.antennas", "0 to 1,000"),
        (PlanSources(SMALL, left_out="atlantis"), "area.unknown", "known: ua-not"),
        (PlanSources(SMALL, rain=Path("gone.toml")), "plan.rain", "check the path"),
        (PlanSources(SMALL, jam=Path("gone.toml")), "plan.jam", "check the path"),
        (PlanSources(SMALL, demand=Path("gone.csv")), "plan.demand", "check the path"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_refusals_name_the_way_out(sources: PlanSources, code: str, says: str) -> None:
    with pytest.raises(Refused) as refused:
        load_plan(sources)
    assert refused.value.code == code
    assert says in str(refused.value)


def test_rain_errors_come_with_their_line(tmp_path: Path) -> None:
    storm = tmp_path / "storm.toml"
    storm.write_text(STORM.strip().replace("radius_km = 120", "radius_km = -3"))
    with pytest.raises(Refused, match="line 4"):
        load_plan(PlanSources(SMALL, rain=storm))


def test_beams_and_antennas_of_the_caller_are_taken() -> None:
    case = load_plan(PlanSources(SMALL, beams=3, antennas=5)).case
    assert case.radio.system.beams_per_polarisation == (3, 3)
    assert {g.antennas for g in case.gateways} == {5}


# --- where service is not allowed ----------------------------------------------------------------------


def test_what_is_left_out_is_wanted_and_barred(tmp_path: Path) -> None:
    square = [[-10.0, 49.7], [20.0, 49.7], [20.0, 60.0], [-10.0, 60.0], [-10.0, 49.7]]
    area = tmp_path / "north.geojson"
    area.write_text(json.dumps({"type": "Polygon", "coordinates": [square]}))
    inputs = load_plan(PlanSources(SMALL, left_out=str(area)))
    demand, region = inputs.case.demand, inputs.case.region
    north = np.array([p.latitude_deg > 49.7 for p in region.places])
    assert 0 < north.sum() < len(region)
    assert (demand.barred == np.where(north, WhyDown.REGION_NOT_ACTIVE, 0)).all()
    assert demand.barred_bps == pytest.approx(100e6 * region.area_km2[north].sum())
    assert any("not served" in note for note in inputs.notes)
    result = bearing(inputs.case, [inputs.start_us], every=0)
    assert result.cell_served_bps[:, north].sum() == 0.0
    assert result.served_bps > 0.0


# --- demand from a file --------------------------------------------------------------------------------


def demand_of(tmp_path: Path, text: str) -> Path:
    path = tmp_path / "demand.csv"
    path.write_text(text)
    return path


def test_demand_by_cell_place_and_class(tmp_path: Path) -> None:
    cells = load_plan(PlanSources(SMALL)).case.region.cells
    latitude, longitude = h3.cell_to_latlng(cells[1])
    fine = h3.cell_to_children(cells[2], 7)[0]
    file = demand_of(
        tmp_path,
        "cell,latitude_deg,longitude_deg,wanted_mbps,class\n"
        f"{cells[0]},,,100,1\n"
        f",{latitude},{longitude},20,government and aid\n"
        f"{fine},,,3,\n"
        f"{fine},,,4,everybody\n",
    )
    demand = load_plan(PlanSources(SMALL, demand=file)).case.demand
    want = np.zeros_like(demand.wanted_bps)
    want[0, 0], want[1, 2], want[2, 3] = 100e6, 20e6, 7e6
    np.testing.assert_allclose(demand.wanted_bps, want)
    assert demand.outside_bps == 0.0


def test_a_coarse_cell_is_spread_and_what_falls_outside_is_told(tmp_path: Path) -> None:
    case = load_plan(PlanSources(SMALL)).case
    parent = h3.cell_to_parent(case.region.cells[0], 4)
    inside = sum(child in case.region.cells for child in h3.cell_to_children(parent, 5))
    assert 0 < inside < 7
    inputs = load_plan(PlanSources(SMALL, demand=demand_of(tmp_path, f"cell,wanted_mbps\n{parent},70\n")))
    demand = inputs.case.demand
    assert demand.wanted_bps.sum() == pytest.approx(inside * 10e6)
    assert demand.outside_bps == pytest.approx((7 - inside) * 10e6)
    assert demand.barred_bps == pytest.approx((7 - inside) * 10e6)
    assert any("not served" in note for note in inputs.notes)


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("", "first line"),
        ("cell,wanted_mbps\n", "nothing is wanted"),
        ("wanted_mbps,class\n1,1\n", "first line"),
        ("cell,wanted_mbps,cell\n", "first line"),
        ("cell,wanted_gbps\n", "did you mean wanted_mbps"),
        ("cell,wanted_mbps\nnonsense,1\n", "line 2: cell"),
        ("cell,wanted_mbps\n{cell},-1\n", "line 2: wanted_mbps"),
        ("cell,wanted_mbps\n{cell},nan\n", "line 2: wanted_mbps"),
        ("cell,wanted_mbps\n{cell},\n", "line 2: wanted_mbps"),
        ("cell,wanted_mbps\n{cell},1e12\n", "line 2: wanted_mbps"),
        ("cell,wanted_mbps\n{cell},1,2,3\n", "line 2"),
        ("cell,wanted_mbps,class\n{cell},1,everbody\n", "did you mean everybody"),
        ("cell,wanted_mbps,class\n{cell},1,5\n", "1 to 4"),
        ("cell,wanted_mbps\n{cell},5\n\n,1\n", "line 4: cell"),
        ("latitude_deg,longitude_deg,wanted_mbps\n91,6,1\n", "line 2: latitude_deg"),
        ("latitude_deg,longitude_deg,wanted_mbps\n49.6,,1\n", "line 2: longitude_deg"),
        ("latitude_deg,longitude_deg,wanted_mbps\n-33.9,18.4,1\n", "nothing is wanted"),
        ("cell,wanted_mbps\n8001fffffffffff,1\n", "coarser"),
    ],
)
def test_bad_demand_is_refused_with_its_line(tmp_path: Path, text: str, says: str) -> None:
    cell = h3.latlng_to_cell(49.6, 6.1, 5)
    with pytest.raises(Refused) as refused:
        load_plan(PlanSources(SMALL, demand=demand_of(tmp_path, text.replace("{cell}", cell))))
    assert refused.value.code == "plan.demand"
    assert says in str(refused.value)
    # No place is repeated: errors end in logs.
    assert "49.6" not in str(refused.value)
    assert "33.9" not in str(refused.value)


def test_demand_that_is_no_text_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "demand.csv"
    path.write_bytes(b"cell,wanted_mbps\n\xff\xfe,1\n")
    with pytest.raises(Refused, match="UTF-8"):
        load_plan(PlanSources(SMALL, demand=path))


# --- weather and jamming -------------------------------------------------------------------------------

STORM = """
[[cell]]
latitude_deg = 49.7
longitude_deg = 6.1
radius_km = 120
peak_mm_per_h = 60
edge_fraction = 0.2
from = 2022-12-01T00:00:00Z
until = 2022-12-02T00:00:00Z
"""


def test_rain_takes_from_what_is_served(tmp_path: Path) -> None:
    storm = tmp_path / "storm.toml"
    storm.write_text(STORM)
    dry, wet = load_plan(PlanSources(SMALL)), load_plan(PlanSources(SMALL, rain=storm))
    served = [
        float(CapacityStudy(i.case).schedule(CapacityStudy(i.case).offer(i.start_us)).served_bps.sum())
        for i in (dry, wet)
    ]
    assert 0.0 < served[1] < 0.9 * served[0]
    # A storm that is over takes nothing.
    storm.write_text(STORM.replace("2022-12-02T00", "2022-12-01T01"))
    over = load_plan(PlanSources(SMALL, rain=storm))
    study = CapacityStudy(over.case)
    assert float(study.schedule(study.offer(over.start_us)).served_bps.sum()) == served[0]


def test_jammed_channels_take_from_what_is_served(tmp_path: Path) -> None:
    jam = tmp_path / "jam.toml"
    jam.write_text(
        '[[jamming]]\nagainst = "downlink"\nj_over_s_db = 60\nsatellite = "any"\ncell = "any"\n'
        "channel = 0\n"
        "from = 2022-12-01T00:00:00Z\nuntil = 2022-12-02T00:00:00Z\n"
    )
    inputs = load_plan(PlanSources(SMALL, jam=jam))
    study = CapacityStudy(inputs.case)
    schedule = study.schedule(study.offer(inputs.start_us))
    assert len(schedule) > 0
    assert (schedule.channel != 0).all()


RAIN = """[[cell]]
latitude_deg = 49.7
longitude_deg = 6.1
radius_km = 50
peak_mm_per_h = 20
from = {day}T00:00:00Z
until = {day}T23:00:00Z
"""
JAM = """[[jammer]]
against = "downlink"
latitude_deg = 49.7
longitude_deg = 6.1
antenna_height_m = 30
eirp_dbw = 20
from = {day}T00:00:00Z
until = {day}T23:00:00Z
"""


def test_rain_and_jamming_of_another_day_are_told(tmp_path: Path) -> None:
    rain, jam = tmp_path / "storm.toml", tmp_path / "jam.toml"
    for day, told in (("2022-12-01", 0), ("2026-05-30", 2)):
        rain.write_text(RAIN.format(day=day))
        jam.write_text(JAM.format(day=day))
        inputs = load_plan(PlanSources(SMALL, rain=rain, jam=jam, hours=3))
        assert sum("changes nothing" in doubt for doubt in inputs.doubts) == told
        assert set(inputs.doubts) <= set(inputs.notes)


def test_whose_packaged_things_are_is_told_to_another_system() -> None:
    doubts = load_plan(PlanSources(SMALL, system="kuiper")).doubts
    assert any("packaged satellites are Starlink's" in doubt for doubt in doubts)
    assert any("packaged gateways are Starlink's" in doubt for doubt in doubts)
    assert load_plan(PlanSources(SMALL)).doubts == ()


def test_the_packaged_constellation_says_when_it_flew_so() -> None:
    assert not any("moved" in note for note in load_plan(PlanSources(SMALL)).notes)
    far = load_plan(PlanSources(SMALL, at_us=int(parse_instant("2026-05-30")))).notes
    assert any("flew in December 2022, moved to 2026-05-30" in note for note in far)


def test_millions_of_cells_are_refused_before_they_are_made() -> None:
    with pytest.raises(Refused, match="limit") as refused:
        load_plan(PlanSources("UA", resolution=8))
    assert refused.value.code == "plan.too-many-cells"
    assert "coarser" in refused.value.way_out


def test_fine_cells_that_memory_cannot_bear_are_refused() -> None:
    """120,000 cells of Ukraine are few enough, but each has thousands of neighbours."""
    with pytest.raises(Refused, match="GB of memory") as refused:
        load_plan(PlanSources("UA", resolution=7))
    assert refused.value.code == "plan.too-many-cells"
    assert "coarser" in refused.value.way_out
