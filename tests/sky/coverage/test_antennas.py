"""Antenna models: the text that skylift is shipped with, and texts that are wrong."""

from __future__ import annotations

import pytest

from skylift.adapters.antennas import packaged_antenna, packaged_antennas
from skylift.base.errors import Refused
from skylift.sky.coverage.antennas import antenna_models


def test_every_packaged_model_has_a_source_and_can_see_something() -> None:
    models = packaged_antennas()
    assert {"starlink-round-2021", "starlink-gateway", "open-sky"} <= set(models)
    for name, model in models.items():
        assert model.name == name
        assert len(model.source) > 40
        # The lowest direction that the cone allows must not be above the highest.
        assert model.boresight_tilt_deg - model.field_of_view_deg < 90 - model.minimum_elevation_deg


def test_the_round_dish_is_what_the_issue_says() -> None:
    dish = packaged_antenna("starlink-round-2021")
    assert dish.field_of_view_deg == 50
    assert 20 <= dish.boresight_tilt_deg <= 25  # a boresight 65 to 70 degrees high
    assert dish.tilt_toward_pole


def test_a_wrong_name_is_answered_with_the_right_ones() -> None:
    with pytest.raises(Refused, match="starlink-round-2021"):
        packaged_antenna("round")


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("field_of_view_rad = 1.0", "field_of_view_deg"),
        ("minimum_elevation_deg = 120", "-5 to 90"),
        ("tilt_deg = 3", "boresight_tilt_deg"),
        ('boresight = "toward-pole"\nboresight_azimuth_deg = 10.0', "not both"),
        (
            "horizon_mask = [{azimuth_deg = 90, elevation_deg = 3}, {azimuth_deg = 10, elevation_deg = 3}]",
            "ascend",
        ),
    ],
)
def test_what_is_wrong_is_named_with_its_line(line: str, said: str) -> None:
    with pytest.raises(Refused, match=said) as refused:
        antenna_models(f'[antenna.mine]\nsource = "me"\n{line}\n', "mine.toml")
    assert "mine.toml line" in refused.value.thing


def test_a_mask_is_read() -> None:
    text = '[antenna.mine]\nsource = "me"\nhorizon_mask = [{azimuth_deg = 0, elevation_deg = 5}]\n'
    assert antenna_models(text, "mine.toml")["mine"].horizon_mask == ((0.0, 5.0),)
