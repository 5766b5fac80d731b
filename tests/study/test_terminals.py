"""Terminals for sites: counted by hand, and against a schedule made beside the study."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from skylift.adapters.plan_sources import PlanSources, hourly
from skylift.adapters.sites_file import load_sites
from skylift.base.errors import Refused
from skylift.base.link import WhyDown
from skylift.study.capacity import CapacityCase, CapacityStudy
from skylift.study.terminals import Site, TerminalPlan, TerminalRules, TerminalStudy
from skylift.study.terminals_why import Why

MBPS = 1e6
# Kyiv, beside it, Kharkiv, and a place that no satellite of these shells ever sees.
PLACES = "id,latitude,longitude\nkyiv,50.45,30.52\nbeside,50.45,31.2\nkharkiv,49.99,36.23\npole,89.0,10.0\n"
KYIV, BESIDE, KHARKIV, POLE = range(4)


@pytest.fixture(scope="module")
def case(tmp_path_factory: pytest.TempPathFactory) -> CapacityCase:
    """Four cells that want nothing yet; indices by place, whatever the order of their names."""
    path = tmp_path_factory.mktemp("sites") / "sites.csv"
    path.write_text(PLACES)
    loaded = load_sites(PlanSources("", only=("wola-krobowska",)), Path(path))
    order = [s.cell for s in loaded.sites]
    case = loaded.inputs.case
    region = replace(
        case.region,
        cells=tuple(case.region.cells[c] for c in order),
        places=tuple(case.region.places[c] for c in order),
        area_km2=case.region.area_km2[order],
    )
    return replace(
        case, region=region, disturbances=replace(case.disturbances, user_air=None, gateway_air=None)
    )


@pytest.fixture(scope="module")
def starts(case: CapacityCase) -> list[int]:
    return hourly(int(np.median(case.catalogue.epoch_us)), 3)


def site(id: str, cell: int, mbps: float, class_: int = 0, people: int = 0, **more: object) -> Site:
    return Site(id, cell, class_, people, mbps * MBPS, **more)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("mbps", "people", "most", "terminals"),
    [
        (0.0, 50, None, 0),  # wants nothing
        (1.0, 1, None, 1),
        (60.0, 0, None, 1),  # exactly one
        (60.1, 0, None, 2),
        (600.0, 0, None, 10),
        (10.0, 100, None, 1),
        (10.0, 101, None, 2),  # people, not the rate, ask for the second
        (600.0, 0, 4, 4),  # may not have more
        (10.0, 0, 4, 1),  # need not have as many as it may
    ],
)
def test_terminals_by_hand(
    case: CapacityCase, starts: list[int], mbps: float, people: int, most: int | None, terminals: int
) -> None:
    study = TerminalStudy(case, [site("a", KYIV, mbps, people=people, most_terminals=most)])
    (one,) = study.plan(starts[:1]).sites
    assert one.terminals == terminals


def test_a_quiet_list_gets_all_it_wants(case: CapacityCase, starts: list[int]) -> None:
    plan = TerminalStudy(case, [site("a", KYIV, 100), site("b", KHARKIV, 5, class_=3)]).plan(starts)
    for one in plan.sites:
        assert one.gets_bps == pytest.approx(one.site.wanted_bps)
        assert (one.unserved_bps, one.why, one.whys) == (pytest.approx(0.0, abs=1.0), None, {})
    assert (plan.terminals, plan.spares, plan.slots) == (3, 1, 3)


def test_each_reason_is_told(case: CapacityCase, starts: list[int]) -> None:
    sites = [
        site("pole", POLE, 10),
        site("banned", KYIV, 10, allowed=False),
        site("capped", KYIV, 130, most_terminals=1),
        site("fine", KYIV, 10),
    ]
    plan = TerminalStudy(case, sites).plan(starts)
    pole, banned, capped, fine = plan.sites
    assert (pole.why, pole.least_bps, pole.unserved_bps) == (Why.NO_SATELLITE, 0.0, 10 * MBPS)
    assert (banned.why, banned.terminals, banned.median_bps) == (Why.NOT_ALLOWED, 0, 0.0)
    assert (capped.why, capped.whys) == (Why.TERMINALS_ALLOWED, {Why.TERMINALS_ALLOWED: 3})
    assert capped.gets_bps == pytest.approx(60 * MBPS)
    assert capped.unserved_bps == pytest.approx(70 * MBPS)
    assert fine.why is None
    assert [one.site.id for one in plan.sites] == ["pole", "banned", "capped", "fine"]


def test_a_barred_cell_is_not_allowed(case: CapacityCase, starts: list[int]) -> None:
    barred = case.demand.barred.copy()
    barred[KHARKIV] = WhyDown.REGION_NOT_ACTIVE
    there = replace(case, demand=replace(case.demand, barred=barred))
    (one,) = TerminalStudy(there, [site("a", KHARKIV, 10)]).plan(starts[:1]).sites
    assert (one.why, one.terminals, one.least_bps) == (Why.NOT_ALLOWED, 0, 0.0)


def test_without_gateways_and_without_antennas(case: CapacityCase, starts: list[int]) -> None:
    sites = [site("a", KYIV, 10)]
    far = replace(case.gateways[0], place=replace(case.gateways[0].place, longitude_deg=-150.0))
    (one,) = TerminalStudy(replace(case, gateways=(far,)), sites).plan(starts[:1]).sites
    assert (one.why, one.least_bps) == (Why.NO_GATEWAY, 0.0)
    none = replace(case.gateways[0], antennas=0)
    (one,) = TerminalStudy(replace(case, gateways=(none,)), sites).plan(starts[:1]).sites
    assert (one.why, one.least_bps) == (Why.NO_GATEWAY, 0.0)


def test_one_antenna_for_two_places_leaves_somebody_without(case: CapacityCase, starts: list[int]) -> None:
    """Each place alone wants more than a satellite has: what is short is short of antennas."""
    single = replace(case, gateways=(replace(case.gateways[0], antennas=1),))
    sites = [site("a", KYIV, 30_000), site("b", KHARKIV, 30_000)]
    plan = TerminalStudy(single, sites).plan(starts)
    assert {one.why for one in plan.sites} == {Why.ANTENNAS}
    # And it is so: with more antennas both get more.
    more = TerminalStudy(case, sites).plan(starts)
    for few, many in zip(plan.sites, more.sites, strict=True):
        assert many.median_bps > few.median_bps


def crowded(case: CapacityCase, starts: list[int]) -> tuple[list[Site], TerminalPlan]:
    sites = [
        site("life", KYIV, 900),
        site("life2", KYIV, 300),
        site("town", KYIV, 40_000, class_=3),
        site("near", BESIDE, 40_000, class_=3),
        site("other", KYIV, 500, class_=1),
        site("far", KHARKIV, 20_000, class_=3),
    ]
    return sites, TerminalStudy(case, sites).plan(starts)


def test_sites_share_their_cell_by_class_and_no_more_than_it_is_served(
    case: CapacityCase, starts: list[int]
) -> None:
    """Conservation, against a schedule made here from the same wishes."""
    sites, plan = crowded(case, starts)
    asked = np.zeros((4, 4))
    for one in plan.sites:
        asked[one.site.cell, one.site.class_] += min(
            one.site.wanted_bps, one.terminals * one.per_terminal_bps
        )
    beside = CapacityStudy(replace(case, demand=replace(case.demand, wanted_bps=asked)))
    for k, hour in enumerate(beside.hours(starts)):
        carried = np.zeros(4)
        np.add.at(carried, hour.schedule.cell, hour.schedule.rate_bps)
        got: dict[int, float] = defaultdict(float)
        for one in plan.sites:
            got[one.site.cell] += float(one.gets_bps[k])
        for cell, bps in got.items():
            assert bps <= carried[cell] * (1 + 1e-6)
            assert bps == pytest.approx(carried[cell], rel=1e-3)
    assert [one.site for one in plan.sites] == sites
    life, life2, town = plan.sites[:3]
    assert life.gets_bps / 900 == pytest.approx(life2.gets_bps / 300)
    assert life.why is None
    assert town.unserved_bps > 0.0
    assert town.why in {Why.BEAMS, Why.KA, Why.NCO, Why.ANTENNAS}


def test_what_everybody_wants_takes_nothing_from_life(case: CapacityCase, starts: list[int]) -> None:
    alone = TerminalStudy(case, [site("life", KYIV, 500)]).plan(starts)
    wanted = case.demand.wanted_bps.copy()
    wanted[:, 3] = 60e9
    busy = replace(case, demand=replace(case.demand, wanted_bps=wanted))
    beside = TerminalStudy(busy, [site("life", KYIV, 500)]).plan(starts)
    assert beside.sites[0].gets_bps == pytest.approx(alone.sites[0].gets_bps, rel=1e-6)


def test_more_terminals_than_a_dish_can_hear_are_not_believed(case: CapacityCase, starts: list[int]) -> None:
    """A terminal counted with 10 Gbit/s is counted with what one channel carries, so more are needed."""
    rules = TerminalRules(terminal_bps=10e9)
    (one,) = TerminalStudy(case, [site("a", KYIV, 2_000)], rules).plan(starts).sites
    best = []
    for hour in CapacityStudy(case).hours(starts):
        pairs = slice(hour.offer.pairs.offset[KYIV], hour.offer.pairs.offset[KYIV + 1])
        best.append(float(hour.offer.pairs.full_rate_bps[pairs].max()))
    assert one.per_terminal_bps == pytest.approx(np.median(best))
    assert one.terminals == int(np.ceil(2e9 / np.median(best)))


@pytest.mark.parametrize(("fraction", "spares"), [(0.0, 0), (0.2, 2), (0.21, 3), (1.0, 10)])
def test_spares_are_rounded_up_over_the_whole_list(
    case: CapacityCase, starts: list[int], fraction: float, spares: int
) -> None:
    sites = [site(f"s{i}", KYIV, 10) for i in range(10)]
    plan = TerminalStudy(case, sites, TerminalRules(spare_fraction=fraction)).plan(starts[:1])
    assert (plan.terminals, plan.spares) == (10, spares)


@pytest.mark.parametrize(
    "rules",
    [
        {"terminal_bps": 0.0},
        {"terminal_bps": float("nan")},
        {"people_per_terminal": 0},
        {"spare_fraction": -1.0},
    ],
)
def test_impossible_rules_are_refused(rules: dict[str, float]) -> None:
    with pytest.raises(Refused):
        TerminalRules(**rules)  # type: ignore[arg-type]


def test_an_empty_list_is_refused(case: CapacityCase) -> None:
    with pytest.raises(Refused, match="none in it"):
        TerminalStudy(case, [])
