"""Siting for a small country, against studies that know only the gateways in question."""

from __future__ import annotations

from dataclasses import replace
from itertools import combinations
from pathlib import Path

import numpy as np
import pytest

from skylift.adapters.candidates_file import load_siting
from skylift.adapters.plan_disturbances import disturbed
from skylift.adapters.plan_sources import PlanSources, hourly
from skylift.base.errors import Refused
from skylift.study.capacity import CapacityCase, CapacityStudy
from skylift.study.siting import SitingStudy
from skylift.study.siting_search import Limits, submodular_bound

CANDIDATES = """name,latitude,longitude,antennas
near,47.0,28.0,3
beside,47.4,28.6,3
west,48.0,20.0,4
south,39.0,33.0,2
antipode,-47.0,-152.0,8
"""
EXISTING = 2


@pytest.fixture(scope="module")
def case(tmp_path_factory: pytest.TempPathFactory) -> CapacityCase:
    file = tmp_path_factory.mktemp("siting") / "candidates.csv"
    file.write_text(CANDIDATES)
    sources = PlanSources("MD", resolution=4, only=("wola-krobowska", "kaunas"))
    inputs, existing = load_siting(sources, Path(file))
    assert existing == EXISTING
    # Few antennas, so that they matter.
    gateways = tuple(replace(g, antennas=min(g.antennas, 3)) for g in inputs.case.gateways)
    return replace(inputs.case, gateways=gateways)


@pytest.fixture(scope="module")
def starts(case: CapacityCase) -> list[int]:
    return hourly(int(np.median(case.catalogue.epoch_us)), 2)


@pytest.fixture(scope="module")
def study(case: CapacityCase, starts: list[int]) -> SitingStudy:
    return SitingStudy(case, EXISTING, starts)


def alone(case: CapacityCase, working: list[int], starts: list[int]) -> tuple[float, float]:
    """Served and wanted by a study in which the other gateways do not exist."""
    fewer = disturbed(replace(case, gateways=tuple(case.gateways[g] for g in working)), None, None)
    hours = list(CapacityStudy(fewer).hours(starts))
    return float(np.mean([h.served_bps.sum() for h in hours])), float(case.demand.wanted_bps.sum())


@pytest.mark.parametrize("chosen", [(), (0,), (1, 3), (0, 1, 2)])
def test_a_set_serves_what_it_serves_alone(
    case: CapacityCase, starts: list[int], chosen: tuple[int, ...]
) -> None:
    """No antennas at the others is as if the others were not there.

    A study of its own: what another one scheduled for fewer gateways would count for these as well.
    """
    study = SitingStudy(case, EXISTING, starts)
    working = study.working(chosen)
    served, wanted = alone(case, sorted(working), starts)
    assert served > 0.0
    assert study.served_bps(working) == pytest.approx(served, rel=1e-9)
    assert study.wanted_bps == pytest.approx(wanted)


@pytest.mark.parametrize("by", ["capacity", "availability", "robustness"])
@pytest.mark.parametrize("add", [1, 2])
def test_the_choice_is_the_best_of_all_sets(study: SitingStudy, by: str, add: int) -> None:
    value = {
        "capacity": study.served_bps,
        "availability": study.availability,
        "robustness": study.robustness,
    }[by]
    values = {c: value(study.working(c)) for c in combinations(range(5), add)}
    result = study.choose(add, by)
    assert result.method == "exact"
    assert result.value == pytest.approx(max(values.values()))
    assert result.bound == pytest.approx(result.value)
    chosen = tuple(sorted(study.candidates.index(one.gateway) for one in result.chosen))
    assert values[chosen] == pytest.approx(max(values.values()))
    assert {"capacity": result.after.served_bps, "availability": result.after.availability,
            "robustness": result.after.robustness}[by] == pytest.approx(result.value)  # fmt: skip


@pytest.mark.parametrize("by", ["capacity", "availability", "robustness"])
def test_a_greedy_choice_says_true_bounds(study: SitingStudy, by: str) -> None:
    best = study.choose(2, by).value
    greedy = study.choose(2, by, Limits(most_sets=1, most_values=8))
    assert greedy.method == "greedy"
    assert greedy.value <= best * (1 + 1e-9)
    assert best <= greedy.bound
    # Where greedy is cut to two schedules its bound is still true, and it still names two sites.
    hasty = study.choose(2, by, Limits(most_sets=1, most_values=1))
    assert len(hasty.chosen) == 2
    assert best <= hasty.bound


def test_limits_are_above_what_is_had(study: SitingStudy) -> None:
    for size in range(4):
        for chosen in combinations(range(5), size):
            working = study.working(chosen)
            assert study.availability(working) <= study.reach_limit(working) + 1e-12
            assert study.served_bps(working) <= study.served_limit_bps(working) * (1 + 1e-9)


def test_limits_are_submodular_and_bound_all_pairs(study: SitingStudy) -> None:
    for limit in (study.reach_limit, study.carried_limit_bps):

        def worth(chosen: tuple[int, ...], limit: object = limit) -> float:
            return limit(study.working(chosen))  # type: ignore[operator, no-any-return]

        # Sums of some 1e11 are good to their rounding alone.
        rounding = 1e-12 * worth(tuple(range(5))) + 1e-9
        for chosen in combinations(range(5), 2):
            for one in set(range(5)) - set(chosen):
                more = worth(tuple(sorted((*chosen, one)))) - worth(chosen)
                for c in chosen:
                    assert more <= worth(tuple(sorted((c, one)))) - worth((c,)) + rounding
        assert max(worth(c) for c in combinations(range(5), 2)) <= submodular_bound(worth, 5, 2) + rounding


def test_the_far_side_of_the_earth_is_chosen_by_nobody_and_brings_nothing(study: SitingStudy) -> None:
    result = study.choose(4)
    assert "antipode" not in {one.gateway.id for one in result.chosen}
    with_it = study.figures(study.working((0, 4)))
    assert with_it == study.figures(study.working((0,)))


def test_what_is_gained_and_lost_adds_up(study: SitingStudy) -> None:
    result = study.choose(2)
    lost = {one.gateway.id: one for one in result.lost_one}
    assert set(lost) == {"wola-krobowska", "kaunas", *(one.gateway.id for one in result.chosen)}
    for one in result.chosen:
        assert result.after.served_bps - one.served_bps == pytest.approx(lost[one.gateway.id].served_bps)
    worst = min(min(one.availability, one.served_bps / study.most_bps) for one in result.lost_one)
    assert result.after.robustness == pytest.approx(worst)
    assert result.after.least_served_bps <= result.after.served_bps


def test_one_gateway_alone_is_not_robust(case: CapacityCase, starts: list[int]) -> None:
    one = replace(case, gateways=(case.gateways[0], *case.gateways[EXISTING:]))
    study = SitingStudy(
        replace(one, disturbances=replace(case.disturbances, gateway_air=None)), 1, starts[:1]
    )
    result = study.choose(1, "robustness")
    assert result.before.robustness == 0.0
    assert result.after.robustness > 0.0


@pytest.mark.parametrize(("add", "by"), [(6, "capacity"), (0, "capacity"), (1, "beauty")])
def test_what_cannot_be_asked_is_refused(study: SitingStudy, add: int, by: str) -> None:
    with pytest.raises(Refused):
        study.choose(add, by)


def test_a_region_that_wants_nothing_is_refused(case: CapacityCase, starts: list[int]) -> None:
    nothing = replace(case.demand, wanted_bps=np.zeros_like(case.demand.wanted_bps))
    with pytest.raises(Refused, match="nothing is wanted"):
        SitingStudy(replace(case, demand=nothing), EXISTING, starts[:1])


def test_no_site_ever_seems_to_do_harm(
    case: CapacityCase, starts: list[int], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A scheduler that makes less of more: what fewer gateways were scheduled for counts for more of them."""
    study = SitingStudy(case, EXISTING, starts[:1])
    monkeypatch.setattr(study, "_scheduled", lambda slot, working: 1e9 - 1e6 * len(working))
    result = study.choose(3)
    assert result.after.served_bps >= result.before.served_bps > 0.0
    assert all(one.served_bps >= 0.0 for one in result.chosen)
    assert all(one.served_bps <= result.after.served_bps for one in result.lost_one)


@pytest.mark.parametrize("by", ["capacity", "availability"])
def test_no_alternative_seems_to_do_harm(
    case: CapacityCase, starts: list[int], monkeypatch: pytest.MonkeyPatch, by: str
) -> None:
    """All that was valued is told by what is known at the end: never less than there is, and in order."""
    study = SitingStudy(case, EXISTING, starts[:1])
    # Of as good sites a search cannot tell beforehand which are worse: each of them is scheduled.
    monkeypatch.setattr(study, "served_limit_bps", lambda working: 2e9)
    monkeypatch.setattr(study, "_scheduled", lambda slot, working: 1e9 - 1e6 * sum(working))
    result = study.choose(2, by)
    least = {"capacity": result.before.served_bps, "availability": result.before.availability}[by]
    values = [value for _, value in result.alternatives]
    assert values == sorted(values, reverse=True)
    assert all(least <= value <= result.value for value in values)
    assert by == "availability" or values


def test_a_region_without_any_gateway_gets_its_first(case: CapacityCase, starts: list[int]) -> None:
    study = SitingStudy(case, 0, starts[:1])
    result = study.choose(1)
    nothing = result.before
    assert (nothing.served_bps, nothing.availability, nothing.robustness) == (0.0, 0.0, 0.0)
    assert result.after.served_bps > 0.0
    assert result.after.robustness == 0.0
    assert [one.served_bps for one in result.lost_one] == [0.0]
