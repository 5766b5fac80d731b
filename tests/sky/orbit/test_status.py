"""Shells are counted without a loss, and what climbs is told from what flies and what falls."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from skylift.sky.orbit.catalogue import Catalogue
from skylift.sky.orbit.shells import Shell, mean_motion_rad_per_s
from skylift.sky.orbit.status import (
    STATUSES,
    Status,
    altitude_m,
    climb_m_per_day,
    count_shells,
    count_statuses,
    inclination_families,
    statuses,
)
from skylift.sky.orbit.tle import read_tle
from skylift.sky.orbit.walker import generate

EPOCH_US = 1_645_833_600_000_000


def catalogue_of(
    inclination_deg: list[float], altitude_km: list[float], climb_km_per_day: list[float]
) -> Catalogue:
    count = len(inclination_deg)
    base = generate([Shell("X", 1, count, 550e3, 53.0, 0.0, allow_collisions="a test")], EPOCH_US)
    motion = np.array([mean_motion_rad_per_s(km * 1000.0) for km in altitude_km])
    rev_per_day = motion * 86400 / (2 * np.pi)
    axis_km = np.array(altitude_km) + 6378.135
    # n ~ a^-1.5; a TLE prints half of dn/dt.
    ndot = -1.5 * rev_per_day * np.array(climb_km_per_day) / axis_km / 2.0
    return replace(
        base,
        inclination_rad=np.radians(inclination_deg),
        mean_motion_rad_per_s=motion,
        ndot_rev_per_day2=ndot,
    )


@pytest.mark.parametrize(
    ("name", "count", "expected"),
    [
        (
            "starlink_2026-05-30.tle",
            10_395,
            {
                (43.0, 485): 3246,
                (53.0, 475): 1264,
                (53.0, 465): 880,
                (53.0, 470): 618,
                (53.2, 540): 1304,
                (70.0, 570): 687,
            },
        ),
        (
            "starlink_2022-02_reconstructed.tle",
            1_929,
            {(53.06, 545): 1450, (53.22, 540): 355, (70.0, 570): 50},
        ),
    ],
)
def test_real_catalogues_have_the_shells_that_were_measured(
    shared_file: Callable[[str], Path], name: str, count: int, expected: dict[tuple[float, int], int]
) -> None:
    catalogue = read_tle(shared_file(f"catalogues/{name}").read_text()).catalogue
    rows = count_shells(catalogue)
    assert sum(row.count for row in rows) == sum(count_statuses(catalogue).values()) == count
    for (inclination_deg, altitude_km), objects in expected.items():
        found = [
            row.count
            for row in rows
            if row.altitude_km == altitude_km and abs(row.inclination_deg - inclination_deg) < 0.2
        ]
        assert found == [pytest.approx(objects, rel=0.01)]


def test_the_real_fleet_of_2026_flies_climbs_and_falls(shared_file: Callable[[str], Path]) -> None:
    catalogue = read_tle(shared_file("catalogues/starlink_2026-05-30.tle").read_text()).catalogue
    doing = statuses(catalogue)
    climb = climb_m_per_day(catalogue)
    by_name = {status: doing == index for index, status in enumerate(STATUSES)}
    # All but those that leave fly at 540 km. Direct-to-cell satellites only look as if they fell.
    shell = (np.abs(altitude_m(catalogue) - 539_750) < 500) & (np.abs(climb) < 100)
    assert shell.sum() > 1200
    assert by_name[Status.OPERATIONAL][shell].all()
    direct = np.array(["[DTC]" in name for name in catalogue.name])
    assert by_name[Status.OPERATIONAL][direct].mean() > 0.9
    # 2026-111 was launched days before, and is below 300 km and climbing 9 km a day.
    fresh = np.array([cospar.startswith("2026-111") for cospar in catalogue.cospar])
    assert fresh.sum() >= 20
    assert by_name[Status.RAISING][fresh].all()
    assert (climb[by_name[Status.RAISING]] > 0).all()
    assert (climb[by_name[Status.DECAYING]] < 0).all()
    # The first launches are five years and more past their time.
    old = np.array([cospar.startswith(("2019-074", "2020-001")) for cospar in catalogue.cospar])
    low = old & (altitude_m(catalogue) < 440e3) & (climb < -200)
    assert low.sum() > 3
    assert by_name[Status.DECAYING][low].mean() > 0.9


def test_each_status_by_hand() -> None:
    shell = [550.0 + 0.01 * i for i in range(40)]
    waiting = [400.0 + 0.01 * i for i in range(12)]
    others = [(300.0, 8.0), (480.0, -0.5), (500.0, 0.0), (550.1, 12.0), (550.1, -1.4)]
    altitudes = [*shell, *waiting, *(km for km, _ in others), 35_786.0, 900.0]
    climbs = [0.0] * 40 + [-0.4] * 12 + [rate for _, rate in others] + [0.0, 0.0]
    inclinations = [53.0] * 57 + [0.1, 97.0]
    doing = [STATUSES[i] for i in statuses(catalogue_of(inclinations, altitudes, climbs))]
    # 12 of 40 are more than a tenth: a second level in use. A tenth of 150 are not.
    assert set(doing[:52]) == {Status.OPERATIONAL}
    assert doing[52:] == [
        Status.RAISING,
        Status.DECAYING,
        Status.DRIFTING,
        Status.RAISING,
        Status.OPERATIONAL,
        Status.DEEP_SPACE,
        Status.UNKNOWN,
    ]
    crowded = catalogue_of([53.0] * 162, [550.0] * 150 + waiting, [0.0] * 150 + [-0.4] * 12)
    assert {STATUSES[i] for i in statuses(crowded)[150:]} == {Status.PARKED}


@given(
    st.lists(
        st.tuples(st.floats(0, 180), st.floats(150, 40_000), st.floats(-20, 20)), min_size=1, max_size=60
    )
)
def test_nothing_is_dropped_and_the_order_does_not_matter(rows: list[tuple[float, float, float]]) -> None:
    columns = [list(column) for column in zip(*rows, strict=True)]
    catalogue = catalogue_of(*columns)
    assert sum(row.count for row in count_shells(catalogue)) == len(rows)
    assert sum(count_statuses(catalogue).values()) == len(rows)
    turned = catalogue.take(np.arange(len(rows))[::-1])
    np.testing.assert_array_equal(statuses(turned)[::-1], statuses(catalogue))
    assert count_shells(turned) == count_shells(catalogue)
    for row in count_shells(catalogue):
        near = np.abs(altitude_m(catalogue) / 1000.0 - row.altitude_km) <= 2.5 + 1e-6
        assert near.sum() >= row.count


def test_a_family_is_not_torn_by_a_border() -> None:
    families = inclination_families(catalogue_of([97.43] * 5 + [97.6, 97.49, 43.0], [550.0] * 8, [0.0] * 8))
    assert len(set(families[:7].tolist())) == 1
    assert families[7] != families[0]


def test_a_generated_shell_is_operational() -> None:
    catalogue = generate([Shell("X", 6, 11, 780e3, 86.4, 2.0)], EPOCH_US)
    assert count_statuses(catalogue)["operational"] == 66
    assert [(row.inclination_deg, row.altitude_km, row.count) for row in count_shells(catalogue)] == [
        (86.4, 780, 66)
    ]
