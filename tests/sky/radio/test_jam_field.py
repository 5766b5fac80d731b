"""Jam files: what is read, what is refused, and which channels a transmitter reaches."""

from __future__ import annotations

import math
import re
import tomllib
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from skylift.adapters.radio_files import packaged_system
from skylift.base.errors import Refused
from skylift.sky.radio.jam_field import Against, GroundJammer, channel_centres_hz, jam_field

TIMES = "from = 2022-02-26T12:00:00Z\nuntil = 2022-02-26T15:00:00Z\n"
JAMMER = f"""
[[jammer]]
against = "downlink"
latitude_deg = 50.45
longitude_deg = 30.52
eirp_dbw = 40
antenna_height_m = 30
{TIMES}"""
UPLINK = JAMMER.replace("downlink", "uplink").replace("antenna_height_m = 30", "satellites = [44714, 44714]")
ROW = f"""
[[jamming]]
against = "uplink"
satellite = 44714
cell = "852d62b7fffffff"
channel = "any"
j_over_s_db = 3
{TIMES}"""
DOWN = packaged_system("starlink-2022").links["down"]


def test_a_file_gives_what_it_says() -> None:
    field = jam_field("dish_height_m = 2\n" + JAMMER + UPLINK + ROW, "j.toml")
    down, up = field.jammers
    (row,) = field.rows
    assert field.dish_height_m == 2.0
    assert (down.against, down.eirp_dbw, down.antenna_height_m) == (Against.DOWNLINK, 40.0, 30.0)
    assert down.until_us - down.from_us == 3 * 3_600_000_000
    assert (up.against, up.satellites) == (Against.UPLINK, (44714,))
    assert (row.against, row.satellite, row.cell, row.channel) == (
        Against.UPLINK,
        44714,
        0x852D62B7FFFFFFF,
        None,
    )
    assert field.names_satellites
    assert not jam_field(JAMMER, "j.toml").names_satellites
    assert "50.4" not in repr(field)
    assert jam_field("", "j.toml").jammers == ()


def test_it_is_active_from_the_first_instant_to_before_the_last() -> None:
    field = jam_field(JAMMER, "j.toml")
    from_us, until_us = field.jammers[0].from_us, field.jammers[0].until_us
    active = [field.is_active(Against.DOWNLINK, at) for at in (from_us - 1, from_us, until_us - 1, until_us)]
    assert active == [False, True, True, False]
    assert not field.is_active(Against.UPLINK, from_us)
    assert jam_field(ROW, "j.toml").is_active(Against.UPLINK, from_us)


def test_the_reference_page_shows_a_file_that_works_and_every_key() -> None:
    page = (Path(__file__).resolve().parents[3] / "docs" / "reference" / "jam-file.md").read_text("utf-8")
    example = page.split("```toml\n")[1].split("```")[0]
    field = jam_field(example, "jam-file.md")
    assert [jammer.against for jammer in field.jammers] == [Against.DOWNLINK, Against.UPLINK]
    assert len(field.rows) == 1
    cells = "".join(line.split(" | ")[0] for line in page.splitlines() if line.startswith("| `"))
    root = tomllib.loads(example)
    keys = {"dish_height_m"}.union(*root["jammer"], *root["jamming"])
    assert set(re.findall(r"`(\w+)`", cells)) == keys


@pytest.mark.parametrize(
    ("text", "change", "hint"),
    [
        (JAMMER, ('against = "downlink"', 'against = "both"'), "line 3.*downlink"),
        (JAMMER, ("eirp_dbw = 40", "eirp_w = 10000"), "eirp_dbw"),
        (JAMMER, ("eirp_dbw = 40", "eirp_dbw = 400"), "line 6"),
        (JAMMER, ("antenna_height_m = 30\n", ""), "antenna_height_m"),
        (
            JAMMER,
            ("antenna_height_m", "satellites = [1]\nantenna_height_m"),
            "no meaning against the downlink",
        ),
        (UPLINK, ("satellites = [44714, 44714]", "antenna_height_m = 3"), "no meaning against the uplink"),
        (UPLINK, ("[44714, 44714]", "[]"), "at least one"),
        (UPLINK, ("[44714, 44714]", '["44714"]'), "list of whole numbers"),
        (JAMMER, ("until = 2022-02-26T15", "until = 2022-02-26T11"), "line 9.*until"),
        (JAMMER, ("until = 2022-02-26T15:00:00Z", ""), "until"),
        (JAMMER, ("latitude_deg = 50.45", "latitude_deg = 150.45"), "line 4"),
        (JAMMER, ("eirp_dbw", 'kind = "flying"\neirp_dbw'), "kind is one of 'ground'"),
        (JAMMER, ("eirp_dbw", "frequency_ghz = 11.7\neirp_dbw"), "bandwidth_mhz"),
        (JAMMER, ("eirp_dbw", "channels = [1]\nfrequency_ghz = 11.7\neirp_dbw"), "not both"),
        (JAMMER, ("eirp_dbw", "channels = [32]\neirp_dbw"), "0 to 31"),
        (JAMMER, ("eirp_dbw", "channels = [true]\neirp_dbw"), "whole numbers"),
        (ROW, ("satellite = 44714", 'satellite = "all"'), "line 4.*'any'"),
        (ROW, ("satellite = 44714\n", ""), "satellite"),
        (ROW, ("852d62b7fffffff", "852d62b7ffffff0"), "line 5.*H3"),
        (ROW, ('channel = "any"', "channel = -1"), "0 to 31"),
        (ROW, ("j_over_s_db = 3", "j_over_s_db = inf"), "finite"),
        ("dish_height_m = -1\n", ("", ""), "dish_height_m"),
        ("[[jamers]]\n", ("", ""), "did you mean jammer"),
    ],
)
def test_a_wrong_file_is_refused_with_its_line_and_without_its_place(
    text: str, change: tuple[str, str], hint: str
) -> None:
    with pytest.raises(Refused, match=hint) as refused:
        jam_field(text.replace(*change), "j.toml")
    assert not re.search(r"50\.4|30\.5|852d", str(refused.value))
    assert "j.toml" in refused.value.thing


def test_channels_lie_where_they_were_measured() -> None:
    """Humphreys et al. 2023: Fc(i) = 10.7 + F/2 + 0.25 (i - 1/2) GHz, i from 1, F = 234.375 kHz."""
    published = 10.7e9 + 234.375e3 / 2 + 0.25e9 * (np.arange(1, 9) - 0.5)
    np.testing.assert_allclose(channel_centres_hz(DOWN), published, atol=0.12e6)


def test_power_beside_a_channel_does_not_disturb_it() -> None:
    (jammer,) = jam_field(JAMMER, "j.toml").jammers

    def shares(**fields: object) -> list[float]:
        return [round(float(x), 4) for x in replace(jammer, **fields).share_in_channels(DOWN)]  # type: ignore[arg-type]

    assert shares() == [1.0] * 8
    assert shares(channels=(2,)) == [0, 0, 1, 0, 0, 0, 0, 0]
    assert shares(channels=(2, 3), bandwidth_hz=480e6) == [0, 0, 0.5, 0.5, 0, 0, 0, 0]
    assert shares(frequency_hz=11.075e9, bandwidth_hz=10e6) == [0, 1, 0, 0, 0, 0, 0, 0]
    # From 11.075 to 11.325 GHz: the upper 120 MHz of channel 1, the lower 120 of channel 2.
    assert shares(frequency_hz=11.2e9, bandwidth_hz=250e6) == [0, 0.48, 0.48, 0, 0, 0, 0, 0]
    # Between two channels 10 MHz are empty.
    assert shares(frequency_hz=11.2e9, bandwidth_hz=8e6) == [0.0] * 8
    assert shares(frequency_hz=14.25e9, bandwidth_hz=100e6) == [0.0] * 8
    whole = shares(frequency_hz=11.7e9, bandwidth_hz=2e9)
    assert whole == [0.12] * 8


def test_a_channel_that_the_link_does_not_have_is_refused() -> None:
    (jammer,) = jam_field(JAMMER, "j.toml").jammers
    with pytest.raises(Refused, match="channels 0 to 7"):
        replace(jammer, channels=(8,)).share_in_channels(DOWN)


def test_a_jammer_of_ones_own_needs_no_file() -> None:
    (jammer,) = jam_field(JAMMER, "j.toml").jammers
    own = GroundJammer(
        jammer.place, Against.DOWNLINK, 40.0, jammer.from_us, jammer.until_us, antenna_height_m=30.0
    )
    assert math.isnan(own.bandwidth_hz)
    assert own.share_in_channels(DOWN).tolist() == jammer.share_in_channels(DOWN).tolist()
