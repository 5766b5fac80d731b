"""Scenarios with [capacity]: classes, lasers, obstacles, memory, files; and what is refused."""

from __future__ import annotations

import hashlib
import json
from collections import defaultdict
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet as pq
import pytest

from skylift.adapters.live import SlotDocuments
from skylift.adapters.scenario_files import Sources, load_world
from skylift.adapters.simulate import Options, run
from skylift.base.errors import Refused
from skylift.base.instants import parse_instant
from skylift.base.link import LinkTable, WhyDown
from skylift.twin.look import Sky
from skylift.twin.tick import Twin

START_US = int(parse_instant("2022-02-26T12:00:00Z"))
HEAD = """
start = 2022-02-26T12:00:00Z
duration_h = {hours}
{run}
[catalogue]
preset = "starlink-2022-02"
[links]
lasers = "{lasers}"
[lasers]
capacity_gbps = {laser_gbps}
[capacity]
{capacity}
[ground]
only = ["wola-krobowska", "kaunas"]
[[region]]
id = "ua"
country = "UA"
[[service]]
region = "ua"
"""


def scenario(
    folder: Path, body: str, hours: float = 0.02, lasers: str = "none", gbps: float = 100.0, **more: str
) -> Path:
    path = folder / "case.toml"
    head = HEAD.format(
        hours=hours,
        lasers=lasers,
        laser_gbps=gbps,
        capacity=more.get("capacity", ""),
        run=more.get("run", ""),
    )
    path.write_text(head + body)
    return path


def dish(name: str, latitude: float = 50.45, longitude: float = 30.52, more: str = "") -> str:
    return f'[[terminal]]\nid = "{name}"\nlatitude_deg = {latitude}\nlongitude_deg = {longitude}\n{more}\n'


def fleet(name: str, count: int, more: str = "") -> str:
    return f'[[fleet]]\nid = "{name}"\ncount = {count}\nregion = "ua"\n{more}\n'


def slots(path: Path, start_us: int = START_US, end_us: int | None = None) -> list[tuple[Sky, LinkTable]]:
    loaded = load_world(Sources(path))
    return list(Twin(loaded.world).links(start_us, end_us or loaded.scenario.end_us))


def test_classes_in_one_cell(tmp_path: Path) -> None:
    """More is asked for in a cell than its channels can give: a floor for everybody, then class by class."""
    names = ("everybody", "government", "critical", "life")
    body = "".join(
        dish(f"{name}-{i}", more=f'class = "{name}"\nwanted_down_mbps = 1000')
        for name in names
        for i in range(8)
    )
    rank, floor_bps = np.repeat([4, 3, 2, 1], 8), 0.02 * 1000e6
    short = 0
    for _, links in slots(scenario(tmp_path, body)):
        assert (links.why_down == WhyDown.UP).all()
        down = links.down_bps
        assert (down >= floor_bps * 0.999).all()
        assert (down <= 1000e6 * (1 + 1e-9)).all()
        # 8 channels in 2 polarisations of some 0.75 Gbit/s, and no channel from two satellites.
        assert 8e9 < down.sum() < 13e9
        for satellite in np.unique(links.satellite):
            here = links.satellite == satellite
            for m in np.flatnonzero(here & (down < 999e6)):
                assert (down[here & (rank > rank[m])] <= floor_bps * (1 + 1e-6)).all()
                np.testing.assert_allclose(down[here & (rank == rank[m])], down[m])
                short += 1
    assert short > 0


def test_an_obstructed_dish_loses_its_share_and_a_blind_one_says_why(tmp_path: Path) -> None:
    body = dish("clear", more="wanted_down_mbps = 50") + dish(
        "tree", 49.0, 32.0, "wanted_down_mbps = 50\nwanted_up_mbps = 5\nobstructed_fraction = 0.2"
    )
    body += dish("cellar", 49.5, 33.0, "obstructed_fraction = 1")
    for _, links in slots(scenario(tmp_path, body)):
        np.testing.assert_allclose(links.down_bps[:2], [50e6, 40e6])
        np.testing.assert_allclose(links.up_bps[1], 4e6)
        np.testing.assert_array_equal(links.loss_fraction[:2], [0.0, 0.2])
        assert links.why_down.tolist() == [WhyDown.UP, WhyDown.UP, WhyDown.OBSTRUCTED]
        assert np.isnan(links.down_bps[2])


def test_plans_limit_and_nobody_gets_more_than_it_wants(tmp_path: Path) -> None:
    body = dish("plan", more="wanted_down_mbps = 200\nplan_down_mbps = 25\nplan_up_mbps = 3")
    body += dish("wish", 49.0, 32.0, "wanted_down_mbps = 10\nplan_down_mbps = 400\nwanted_up_mbps = 1")
    for _, links in slots(scenario(tmp_path, body)):
        np.testing.assert_allclose(links.down_bps, [25e6, 10e6])
        np.testing.assert_allclose(links.up_bps, [3e6, 1e6])


def test_lasers_are_shared_and_never_carry_more_than_they_can(tmp_path: Path) -> None:
    """Dishes in Brazil reach the gateways in Europe over lasers alone."""
    body = '[[region]]\nid = "br"\ncountry = "BR"\n[[service]]\nregion = "br"\n'
    body += fleet("far", 30).replace('"ua"', '"br"')
    short, wide = 0.1, 100.0
    served = {}
    for gbps in (short, wide):
        carried_most, total = 0.0, 0.0
        path = scenario(tmp_path, body, lasers="plus-grid", gbps=gbps)
        path.write_text(path.read_text().replace("starlink-2022-02", "starlink-gen1-filed"))
        for _, links in slots(path):
            load: dict[tuple[int, int], float] = defaultdict(float)
            back: dict[tuple[int, int], float] = defaultdict(float)
            for m in np.flatnonzero(links.satellite >= 0):
                for hop in pairwise(links.path_of(int(m)).tolist()):
                    load[hop] += links.down_bps[m]
                    back[hop] += links.up_bps[m]
            assert max(load.values()) <= gbps * 1e9 * (1 + 1e-9)
            assert max(back.values()) <= gbps * 1e9 * (1 + 1e-9)
            carried_most, total = max(carried_most, *load.values()), total + np.nansum(links.down_bps)
        served[gbps] = total
        if gbps == short:
            # The limit is met, or the test would show nothing.
            assert carried_most == pytest.approx(gbps * 1e9)
    assert served[short] < 0.8 * served[wide]


def test_dishes_far_apart_in_one_cell_are_all_served(tmp_path: Path) -> None:
    """A coarse cell holds dishes that share no satellite: they are split, slot by slot."""
    # Resolution 0: one cell is wider than a satellite sees.
    body = dish("west", 48.6, 22.3, "region = 'ua'") + dish("east", 49.0, 39.5) + dish("middle", 49.0, 31.0)
    path = scenario(tmp_path, body, capacity="resolution = 0", hours=0.05)
    whole = slots(path)
    for sky, links in whole:
        offset = sky.users.site_offset
        for m in range(3):
            seen = sky.users.satellite[offset[m] : offset[m + 1]]
            assert links.satellite[m] < 0 or links.satellite[m] in seen
            assert links.why_down[m] in (WhyDown.UP, WhyDown.NO_GATEWAY)
        assert (links.why_down[[0, 2]] == WhyDown.UP).all()


def test_whoever_can_stay_stays_where_there_is_plenty(tmp_path: Path) -> None:
    changes = slots_with_both = 0
    path = scenario(tmp_path, fleet("f", 25, "wanted_down_mbps = 20"), hours=0.12)
    for (_, before), (sky, links) in pairwise(slots(path)):
        offset = sky.users.site_offset
        for m in np.flatnonzero((before.satellite >= 0) & (links.satellite >= 0)):
            usable = sky.users.satellite[offset[m] : offset[m + 1]]
            assert links.beams is not None
            had = before.satellite[m]
            slots_with_both += 1
            if links.satellite[m] != had and had in usable and _tracked(sky, links, int(had)):
                changes += 1
    assert slots_with_both > 500
    assert changes == 0


def _tracked(sky: Sky, links: LinkTable, satellite: int) -> bool:
    """Whether it still serves anybody: without lasers, only then it has a gateway for sure."""
    return satellite in links.satellite


def test_a_slot_does_not_know_when_the_run_began(tmp_path: Path) -> None:
    path = scenario(tmp_path, fleet("f", 30, "wanted_down_mbps = 900"), hours=0.1)
    end_us = START_US + 300_000_000
    early = {links.at_us: links for _, links in slots(path, START_US, end_us)}
    for _, late in slots(path, START_US + 200_000_000, end_us):
        before = early[late.at_us]
        assert before.beams is not None
        assert late.beams is not None
        for column in ("satellite", "down_bps", "up_bps"):
            np.testing.assert_array_equal(getattr(late, column), getattr(before, column))
        for column in ("satellite", "channel", "cell", "share_fraction"):
            np.testing.assert_array_equal(getattr(late.beams, column), getattr(before.beams, column))


def test_without_capacity_nothing_is_said_of_rates(tmp_path: Path) -> None:
    path = scenario(tmp_path, dish("d"))
    path.write_text(path.read_text().replace("[capacity]", ""))
    for _, links in slots(path):
        assert links.beams is None
        assert np.isnan([links.down_bps, links.up_bps, links.loss_fraction]).all()


def test_the_service_shows_rates(tmp_path: Path) -> None:
    world = load_world(Sources(scenario(tmp_path, dish("d", more="wanted_down_mbps = 30")))).world
    documents = SlotDocuments(world)
    sky, links = next(iter(Twin(world).links(START_US, START_US + 60_000_000)))
    (row,) = json.loads(documents.report(sky, links, None, False).links)["links"]
    assert row["down_bps"] == 30e6
    assert row["loss_fraction"] == 0.0


def simulated(path: Path, name: str, workers: int = 1, resume: bool = False, stop_after: int = 0) -> Any:
    def report(done: int, total: int) -> None:
        if stop_after and done >= stop_after:
            raise KeyboardInterrupt

    folder = path.parent / name
    options = Options(folder, workers, resume, pictures=False, schedule=path.parent / f"{name}.parquet")
    return run(Sources(path, with_capacity=True), options, report).summary


def digests(folder: Path, name: str) -> list[str]:
    files = (folder / f"{name}.parquet", folder / name / "links.parquet", folder / name / "summary.json")
    return [hashlib.sha256(file.read_bytes()).hexdigest() for file in files]


@pytest.mark.slow
def test_the_same_bytes_for_any_workers_and_after_a_stop(tmp_path: Path) -> None:
    body = fleet("f", 20, "wanted_down_mbps = 800") + dish("d", more='class = "life"')
    path = scenario(tmp_path, body, hours=0.1, run="memory_min = 1")
    whole = simulated(path, "one")
    assert whole["complete"]
    assert simulated(path, "two", workers=2)["complete"]
    part = simulated(path, "cut", stop_after=15)
    assert not part["complete"]
    rows = pq.read_table(tmp_path / "cut.parquet")
    links = pq.read_table(tmp_path / "cut" / "links.parquet")
    assert set(rows["at_us"].to_pylist()) == set(links["at_us"].to_pylist())
    assert simulated(path, "cut", resume=True)["complete"]
    assert digests(tmp_path, "one") == digests(tmp_path, "two") == digests(tmp_path, "cut")
    # Finished, but its schedule is gone: computed again rather than called done.
    (tmp_path / "one.parquet").unlink()
    simulated(path, "one", resume=True)
    assert digests(tmp_path, "one") == digests(tmp_path, "two")


def test_a_schedule_is_given_to_a_scenario_without_capacity_and_says_so(tmp_path: Path) -> None:
    path = scenario(tmp_path, dish("d"))
    path.write_text(path.read_text().replace("[capacity]", ""))
    summary = simulated(path, "out")
    assert any("no [capacity]" in warning for warning in summary["warnings"])
    assert summary["rates"]["all"]["down_bps_median"] == 100e6
    assert summary["rates"]["everybody"]["unserved_fraction"] == pytest.approx(0.0, abs=1e-6)
    assert summary["not_modelled"] == []
    assert pq.read_table(tmp_path / "out.parquet").num_rows > 0


@pytest.mark.parametrize(
    ("capacity", "body", "words"),
    [
        ('system = "starlink-2023"', "", "starlink-2022"),
        ('system = "none.toml"', "", "none.toml"),
        ("nco = 0", "", "1 to 8"),
        ("floor_fraction = 1.5", "", "0 to 1"),
        ("separation_deg = -1", "", "0 to 20"),
        ("separation_rad = 0.1", "", "separation_deg"),
        ("resolution = 12", "", "0 to 9"),
        ('rain_file = "none.toml"', "", "none.toml"),
        ("", 'class = "lfe"', "did you mean 'life'"),
        ("", "wanted_down_mbps = 0", "0.001"),
        ("", "wanted_up_mbps = -3", "0.001"),
        ("", "plan_down_mbps = nan", "finite"),
        ("", "wanted_down_mbps = inf", "finite"),
        ("", "wanted_down_gbps = 1", "wanted_down_mbps"),
        ("", "obstructed_fraction = 1.2", "0 to 1"),
    ],
)
def test_what_is_wrong_is_refused_with_its_way_out(
    capacity: str, body: str, words: str, tmp_path: Path
) -> None:
    with pytest.raises(Refused) as refused:
        load_world(Sources(scenario(tmp_path, dish("d", more=body), capacity=capacity)))
    error = refused.value
    assert words in f"{error.thing} {error.rule} {error.way_out}"


def test_gateways_that_look_through_too_much_air_are_refused(tmp_path: Path) -> None:
    path = scenario(tmp_path, dish("d"))
    path.write_text(path.read_text().replace("[ground]", "[ground]\nminimum_elevation_deg = 2"))
    with pytest.raises(Refused, match="below 5 degrees"):
        load_world(Sources(path))


def test_rain_and_jamming_come_from_files(tmp_path: Path) -> None:
    when = "from = 2022-02-26T11:00:00Z\nuntil = 2022-02-26T13:00:00Z\n"
    where = "latitude_deg = 50.45\nlongitude_deg = 30.52\n"
    storm = f"[[cell]]\n{where}{when}radius_km = 200\npeak_mm_per_h = 60\n"
    band = "eirp_dbw = 75\nfrequency_ghz = 14.25\nbandwidth_mhz = 500\n"
    noise = f'[[jammer]]\nagainst = "uplink"\n{where}{when}{band}'
    (tmp_path / "storm.toml").write_text(storm)
    (tmp_path / "noise.toml").write_text(noise)
    body = dish("d", more="wanted_down_mbps = 100000\nwanted_up_mbps = 1000")
    rates = {}
    for name, capacity in (
        ("dry", ""),
        ("rain", 'rain_file = "storm.toml"'),
        ("jam", 'jam_file = "noise.toml"'),
    ):
        path = scenario(tmp_path, body, capacity=capacity)
        assert (name in load_world(Sources(path)).inputs) == (name != "dry")
        found = [links for _, links in slots(path)]
        rates[name] = (
            np.nansum([links.down_bps for links in found]),
            np.nansum([links.up_bps for links in found]),
        )
    assert 0 < rates["rain"][0] < rates["dry"][0]
    assert rates["jam"][1] < 0.9 * rates["dry"][1]


@pytest.mark.parametrize("mode", ["as-flown", "plus-grid"])
def test_lasers_take_nothing_away(tmp_path: Path, mode: str) -> None:
    """What can be served without lasers can be with them, of every class; and here they bring more.

    Two gateways of 8 antennas, and more wanted than the satellites above them can give. From what a slot
    remembers the next begins, and the two runs remember differently: so single slots may differ a little.
    """
    body = fleet("life", 6, 'class = "life"\nwanted_down_mbps = 40')
    body += fleet("many", 90, "wanted_down_mbps = 2500")
    served: dict[str, list[list[float]]] = {}
    for lasers in ("none", mode):
        path = scenario(tmp_path, body, lasers=lasers, hours=0.05)
        path.write_text(path.read_text().replace("starlink-2022-02", "starlink-as-flown"))
        served[lasers] = []
        for _, links in slots(path):
            down = np.nan_to_num(links.down_bps)
            served[lasers].append([down[:6].sum(), down.sum()])
            assert_no_antenna_beyond_its_rate(links)
    without, over = np.array(served["none"]), np.array(served[mode])
    assert (over[:, 0] >= 0.999 * without[:, 0]).all()
    assert (over[:, 1] >= 0.98 * without[:, 1]).all()
    assert over[:, 1].sum() > 1.02 * without[:, 1].sum()


def assert_no_antenna_beyond_its_rate(links: LinkTable) -> None:
    """What comes down over one satellite: 19.4 Gbit/s is the most that Ka channels to it carry."""
    landed: dict[int, float] = defaultdict(float)
    for m in np.flatnonzero(links.satellite >= 0):
        landed[int(links.path_of(int(m))[-1])] += links.down_bps[m]
    assert max(landed.values()) <= 19.5e9


def test_nobody_needs_lasers_where_gateways_are_near(tmp_path: Path) -> None:
    """Who is full over satellites with a gateway keeps to them: no detour over lasers."""
    path = scenario(tmp_path, fleet("f", 20, "wanted_down_mbps = 20"), lasers="as-flown")
    path.write_text(path.read_text().replace("starlink-2022-02", "starlink-as-flown"))
    for _, links in slots(path):
        np.testing.assert_allclose(links.down_bps, 20e6)
        assert all(len(links.path_of(m)) == 1 for m in range(20))
