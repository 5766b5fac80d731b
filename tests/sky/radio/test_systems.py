"""Systems from TOML: strict, with the field and its file in every refusal."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from skylift.adapters.packaged import packaged_text
from skylift.adapters.radio_files import packaged_system, read_system, system_names
from skylift.base.errors import Refused
from skylift.sky.radio.modcod import modcod_table
from skylift.sky.radio.systems import LINK_KEYS, MODULATIONS, overridden, radio_system

TEXT = packaged_text("radio/systems/starlink-2022.toml")


def changed(old: str, new: str) -> str:
    assert TEXT.count(old) >= 1
    return TEXT.replace(old, new, 1)


def test_the_five_systems_are_there() -> None:
    assert system_names() == ("kuiper", "oneweb", "starlink-2022", "starlink-2026", "telesat")


def test_starlinks_bands() -> None:
    links = packaged_system("starlink-2022").links
    assert (links["down"].channels, links["down"].bandwidth_hz) == (8, 240e6)
    assert links["up"].bandwidth_hz == 62.5e6
    assert 0.0 < links["up"].duty_fraction <= 0.14
    # Forward in Ka up, 2.1 GHz on each polarisation; return in Ka down, 1.3 GHz.
    for direction, band_hz in (("gateway-up", 2.1e9), ("gateway-down", 1.3e9)):
        link = links[direction]
        assert link.polarisations == 2
        assert link.band_hz == band_hz
        assert link.channels * link.bandwidth_hz <= band_hz
    later = packaged_system("starlink-2026").links
    assert later["gateway-e-up"].frequency_hz > 80e9
    assert later["gateway-e-down"].frequency_hz > 70e9


@pytest.mark.parametrize("name", system_names())
def test_every_number_of_a_system_has_a_source_beside_it(name: str) -> None:
    """Each line with a number has a comment, there or where the same key and number stood before."""
    bare = []
    seen: set[str] = set()
    for line in packaged_text(f"radio/systems/{name}.toml").splitlines():
        said = line.partition("#")[0].strip()
        if "#" in line:
            seen.add(said.partition(" = ")[0])
        elif re.match(r"[a-z0-9_]+ = [-\d\[]", said) and said.partition(" = ")[0] not in seen | {"year"}:
            bare.append(line)
    assert not bare


@pytest.mark.parametrize(
    ("old", "new", "key"),
    [
        ("bandwidth_mhz = 240", "bandwidth_mhz = 0", "bandwidth_mhz"),
        ("bandwidth_mhz = 240", "bandwidth_hz = 240", "bandwidth_hz"),
        ("noise_temperature_k = 251", "noise_temperature_k = -3", "noise_temperature_k"),
        ("receive_gain_dbi = 33.2", "receive_gain_dbi = 36.2", "receive_gain_dbi"),
        ("frequency_ghz = 11.7", "frequency_ghz = 0.0", "frequency_ghz"),
        ("duty_fraction = 0.11", "duty_fraction = 1.1", "duty_fraction"),
        ("gutter_subcarriers = 4", "gutter_subcarriers = 1024", "gutter_subcarriers"),
        ("data_symbols = 300", "data_symbols = 304", "data_symbols"),
        ("band_mhz = 2000", "band_mhz = 1900", "band_mhz"),
        ("eirp_range_dbw = [33.6, 39.8]", "eirp_range_dbw = [37.6, 39.8]", "eirp_range_dbw"),
        ("eirp_dbw = 36.7", "eirp_dbw = nan", "eirp_dbw"),
        ('power_flux_mask = "10.7-11.7 GHz"', 'power_flux_mask = "10-11 GHz"', "power_flux_mask"),
        ("subcarriers = 1024", "roll_off_fraction = 0.1\nsubcarriers = 1024", "roll_off_fraction"),
        ("scan_exponent = 1.2", "scan_exponnent = 1.2", "scan_exponnent"),
    ],
)
def test_impossible_parameters_are_refused_with_field_file_and_line(old: str, new: str, key: str) -> None:
    text = changed(old, new)
    line = text[: text.index(new)].count("\n") + 1 + (0 if key in new.split("\n")[0] else 1)
    with pytest.raises(Refused) as caught:
        radio_system(text, "mine.toml")
    assert caught.value.thing == f"mine.toml line {line}: link.{'up' if 'duty' in key else 'down'}.{key}"


def test_a_gain_above_its_directivity_says_both() -> None:
    with pytest.raises(Refused, match=r"36\.2 is above the directivity of its aperture, 35\.4 dBi"):
        radio_system(changed("receive_gain_dbi = 33.2", "receive_gain_dbi = 36.2"), "mine.toml")


@pytest.mark.parametrize(
    ("settings", "key"),
    [
        ({"bandwidth_mhz": 0}, "bandwidth_mhz"),
        ({"noise_temperature_k": -1.0}, "noise_temperature_k"),
        ({"receive_gain_dbi": 60.0}, "receive_gain_dbi"),
        ({"receive_diameter_m": 0.1}, "receive_diameter_m"),
        ({"frequency_ghz": 1.0}, "frequency_ghz"),
        ({"altitude_km": 5}, "altitude_km"),
        ({"eirp_dbw": "high"}, "eirp_dbw"),
        ({"eirp_dbW": 3}, "eirp_dbW"),
        ({"source": "me"}, "source"),
        ({"ground_receives": False}, "ground_receives"),
        ({"bandwidth_mhz": 3000}, "bandwidth_mhz"),
        ({"bandwidth_mhz": 3000, "channels": 1}, "bandwidth_mhz"),
        ({"bandwidth_mhz": 300, "channels": 7}, "channels"),
        ({"channels": 9}, "channels"),
        ({"band_mhz": 1919}, "band_mhz"),
        ({"band_mhz": 90_000}, "band_mhz"),
        ({"noise_temperature_k": 2.6}, "noise_temperature_k"),
        ({"g_over_t_db_k": 28.95}, "g_over_t_db_k"),
        ({"modulations": ["QPSK"]}, "modulations"),
        ({"modcod_table": "dvb-s2x"}, "modcod_table"),
        ({"cyclic_prefix_samples": 1025}, "cyclic_prefix_samples"),
        ({"subcarriers": 31}, "subcarriers"),
    ],
)
def test_settings_are_read_as_strictly(settings: dict[str, object], key: str) -> None:
    with pytest.raises(Refused) as caught:
        overridden(packaged_system("starlink-2022").links["down"], settings, "--set")
    assert caught.value.thing == f"--set: {key}"


def test_a_channel_wider_than_the_band_is_told_the_limit() -> None:
    link = packaged_system("starlink-2022").links["down"]
    with pytest.raises(Refused, match=r"more than its 2000 MHz"):
        overridden(link, {"bandwidth_mhz": 3000}, "--set")


@given(st.floats(1.0, 2000.0), st.integers(1, 40))
def test_channels_always_fit_into_their_band(bandwidth_mhz: float, channels: int) -> None:
    """Whatever is set, alone or together: the channels are what was asked for or refused, and fit."""
    link = packaged_system("starlink-2022").links["down"]
    wider = overridden(link, {"bandwidth_mhz": bandwidth_mhz}, "--set")
    assert wider.channels == min(8, int(2000.0 / bandwidth_mhz))
    assert wider.band_hz == link.band_hz
    asked = {"bandwidth_mhz": bandwidth_mhz, "channels": channels}
    if channels * bandwidth_mhz <= 2000.0:
        assert overridden(link, asked, "--set").channels == channels
    else:
        with pytest.raises(Refused, match="fit into band_mhz"):
            overridden(link, asked, "--set")


def test_the_modulations_are_those_of_the_tables() -> None:
    for name, modulations in MODULATIONS.items():
        rows = modcod_table(packaged_text(f"radio/modcod-{name}.csv"), name).name
        every = [line.split(",")[0] for line in packaged_text(f"radio/modcod-{name}.csv").splitlines()]
        named = {word.split(" ")[0] for word in every if word and word != "name" and not word.startswith("#")}
        assert named == set(modulations)
        assert {row.split(" ")[0] for row in rows} <= named


def test_no_settings_change_nothing() -> None:
    for name in system_names():
        for link in packaged_system(name).links.values():
            assert overridden(link, {}, "--set") == link


def test_settings_change_what_they_name() -> None:
    link = packaged_system("starlink-2022").links["down"]
    assert overridden(link, {"eirp_dbw": 30}, "--set").eirp_dbw == 30.0
    assert overridden(link, {"power_flux_mask": "none"}, "--set").mask is None
    assert overridden(link, {"altitude_km": 340}, "--set").altitude_m == 340e3
    assert overridden(link, {"g_over_t_db_k": 5.0}, "--set").g_over_t_db_k == 5.0
    # Gain and temperature decide G/T, also over a G/T that was set before.
    twice = overridden(overridden(link, {"g_over_t_db_k": 5.0}, "a"), {"noise_temperature_k": 100}, "b")
    assert twice.g_over_t_db_k == pytest.approx(13.2)
    plain = overridden(
        link,
        {
            "waveform": "single-carrier",
            "roll_off_fraction": 0.2,
            "modcod_table": "dvb-s2x",
            "modulations": [],
        },
        "x",
    )
    assert plain.waveform.symbols_per_s(240e6) == pytest.approx(200e6)


def test_every_key_is_documented() -> None:
    """docs/reference/radio-systems.md explains each key of a link."""
    page = (Path(__file__).parents[3] / "docs" / "reference" / "radio-systems.md").read_text(encoding="utf-8")
    assert [key for key in LINK_KEYS if f"`{key}`" not in page] == []


def test_an_unknown_system_lists_the_near_ones() -> None:
    with pytest.raises(Refused) as caught:
        read_system("starlink-2023")
    assert "starlink-2022" in caught.value.way_out
    assert "starlink-2026" in caught.value.way_out
    assert "oneweb" in caught.value.rule
    with pytest.raises(Refused, match="no such file"):
        read_system("nowhere/mine.toml")


def test_a_system_without_links_is_refused() -> None:
    head = TEXT[: TEXT.index("[link.down]")]
    with pytest.raises(Refused, match="at least one link"):
        radio_system(head, "mine.toml")


@pytest.mark.parametrize("beams", ["[8]", "[9, 8]", "[0, 0]", "[7.5, 8]", "[-1, 8]", "8", "[8, 8, 8]"])
def test_beams_that_cannot_be(beams: str) -> None:
    with pytest.raises(Refused, match="beams_per_polarisation"):
        radio_system(
            changed("beams_per_polarisation = [8, 8]", f"beams_per_polarisation = {beams}"), "mine.toml"
        )


def test_without_beams_there_is_one_for_each_channel() -> None:
    table = re.search(r"^\[satellite\]\n(?:.+\n)+", TEXT, re.MULTILINE)
    assert table is not None
    one = TEXT.replace(table.group(), "")
    assert radio_system(one, "mine.toml").beams_per_polarisation == (8, 0)
    both = one.replace("polarisations = 1", "polarisations = 2", 1)
    assert radio_system(both, "mine.toml").beams_per_polarisation == (8, 8)
    assert radio_system(TEXT, "mine.toml").beams_per_polarisation == (8, 8)
