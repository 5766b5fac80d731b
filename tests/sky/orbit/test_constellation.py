"""Constellation files, and the packaged ones."""

from __future__ import annotations

import math
import tomllib

import pytest

from skylift.adapters.packaged import constellation_names, constellation_preset, packaged_bytes, packaged_text
from skylift.base.errors import Refused
from skylift.base.instants import parse_instant
from skylift.sky.orbit.constellation import LASER_PATTERNS, constellation_from_toml, shells_from_toml
from skylift.sky.orbit.separation import COLLISION_M, best_phasing, least_distance_m
from skylift.sky.orbit.shells import Pattern, Standing
from skylift.sky.orbit.status import count_shells
from skylift.sky.orbit.walker import generate
from skylift.sky.routing.grid import LaserPattern

PAPER = """# Hypatia's Kuiper shell
name = "kuiper-630"
epoch = 2000-01-01T00:00:00Z

[earth]
model = "wgs72"

[ground]
minimum_elevation_deg = 30

[lasers]
pattern = "same-index"
maximum_range_km = 5014

[[shell]]
name = "K1"
planes = 34
satellites_per_plane = 34
mean_motion_rev_per_day = 14.80
inclination_deg = 51.9
alternating_phase = true
eccentricity = 0.0000001
"""
SHELL = (
    "[[shell]]\nplanes = 3\nsatellites_per_plane = 4\naltitude_km = 600\ninclination_deg = 60\nphasing = 1\n"
)


def test_a_published_constellation_can_be_entered_exactly() -> None:
    constellation = constellation_from_toml(PAPER, "paper.toml")
    (shell,) = constellation.shells
    assert constellation.epoch_us == parse_instant("2000-01-01")
    assert constellation.earth_model == "wgs72"
    assert constellation.minimum_elevation_rad == pytest.approx(math.radians(30))
    assert (constellation.laser_pattern, constellation.laser_maximum_range_m) == ("same-index", 5_014_000.0)
    assert (shell.planes, shell.satellites_per_plane, shell.alternating_phase) == (34, 34, True)
    assert shell.mean_motion_rad_per_s * 86_400 / (2 * math.pi) == pytest.approx(14.80)
    assert shells_from_toml(PAPER, "paper.toml") == constellation.shells


def test_defaults_and_another_datum() -> None:
    constellation = constellation_from_toml("altitude_datum_km = 6371\n" + SHELL, "x.toml")
    assert constellation.shells[0].radius_m == pytest.approx(6_971_000.0, abs=1e-3)
    assert constellation.shells[0].standing is Standing.ASSUMED
    assert (constellation.epoch_us, constellation.maximum_slant_range_m) == (None, None)
    assert constellation_from_toml(SHELL, "x.toml").shells[0].radius_m == pytest.approx(6_978_135.0, abs=1e-3)


def test_the_laser_patterns_are_those_of_routing() -> None:
    assert set(LASER_PATTERNS) == {pattern.value for pattern in LaserPattern}


@pytest.mark.parametrize(
    ("text", "line", "hint"),
    [
        (SHELL.replace("planes = 3", "plains = 3"), 2, "planes"),
        (SHELL.replace("altitude_km = 600", "altitude_m = 600000"), 4, "altitude_km"),
        (SHELL.replace("600", "600000"), 4, "kilometres"),
        (SHELL.replace("altitude_km = 600\n", ""), 1, "altitude_km"),
        (SHELL.replace("inclination_deg = 60", "inclination_deg = 181"), 5, "degrees"),
        (SHELL.replace("phasing = 1\n", ""), 1, "phasing"),
        (SHELL + "alternating_phase = true\n", 6, "remove one"),
        (SHELL + 'pattern = "detla"\n', 7, "delta"),
        (SHELL + 'standing = "guessed"\n', 7, "assumed"),
        (SHELL + "[earth]\nradius_km = 6371\n", 8, "sphere"),
        (SHELL + "[ground]\nminimum_elevation_deg = 5\nmaximum_slant_range_km = 1000\n", 9, "remove one"),
        (SHELL + 'name = "A"\n' + SHELL + 'name = "A"\n', 14, "rename"),
        (SHELL.replace("planes = 3", "planes = 99999"), 2, "lower"),
        (SHELL + "eccentricity = 0.2\n", 1, "eccentricity"),
        ("[shel]\n", 1, "shell"),
    ],
)
def test_a_mistake_is_named_with_its_line_and_the_way_out(text: str, line: int, hint: str) -> None:
    with pytest.raises(Refused) as caught:
        constellation_from_toml(text, "x.toml")
    assert caught.value.thing.startswith(f"x.toml line {line}"), caught.value.thing
    assert hint in f"{caught.value.rule} {caught.value.way_out}"


def test_a_file_without_shells_and_a_colliding_one_are_refused() -> None:
    with pytest.raises(Refused, match="at least one shell"):
        constellation_from_toml('name = "x"\n', "x.toml")
    colliding = SHELL.replace(
        "planes = 3\nsatellites_per_plane = 4", "planes = 72\nsatellites_per_plane = 22"
    )
    colliding = colliding.replace("phasing = 1", "phasing = 36")
    with pytest.raises(Refused, match="allow_collisions"):
        constellation_from_toml(colliding, "x.toml")
    assert (
        constellation_from_toml(colliding + 'allow_collisions = "a paper"\n', "x.toml").shells[0].count
        == 1584
    )


@pytest.mark.parametrize(
    ("name", "count"),
    [
        ("starlink-gen1-filed", 4408),
        ("starlink-12k", 11_926),
        ("starlink-as-flown", 3168),
        ("starlink-2022-02", 1854),
        ("oneweb", 588),
        ("kuiper", 3236),
        ("telesat", 298),
    ],
)
def test_presets_have_the_satellites_that_their_names_promise(name: str, count: int) -> None:
    constellation = constellation_preset(name)
    catalogue = generate(constellation.shells, 0)
    assert len(catalogue) == count
    assert sum(row.count for row in count_shells(catalogue)) == count
    for shell in constellation.shells:
        assert shell.source, shell.name
        assert least_distance_m(shell) > 10 * COLLISION_M, shell.name


@pytest.mark.parametrize("name", ["starlink-gen1-filed", "oneweb", "telesat"])
def test_an_assumed_phasing_is_the_one_of_the_greatest_least_distance(name: str) -> None:
    for shell in constellation_preset(name).shells:
        assert shell.standing is Standing.ASSUMED
        assert least_distance_m(shell) == pytest.approx(best_phasing(shell)[1], abs=1.0), shell.name


def test_oneweb_is_a_star_without_lasers() -> None:
    (shell,) = constellation_preset("oneweb").shells
    assert (shell.pattern, shell.lasers) == (Pattern.STAR, False)


def test_every_preset_is_listed_with_its_source() -> None:
    listed = tomllib.loads(packaged_text("constellations/SOURCE.toml"))["files"]
    assert sorted(listed) == [f"{name}.toml" for name in constellation_names()]
    assert len(listed) == 7


def test_unknown_presets_and_files_are_refused_with_the_nearest() -> None:
    with pytest.raises(Refused, match="did you mean kuiper"):
        constellation_preset("kuyper")
    for name in ("nothing.toml", "../__init__.py", "constellations/../../cli/main.py", ""):
        with pytest.raises(Refused):
            packaged_bytes(name)
