"""skylift link budget: numbers, refusals, the table and the picture."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from skylift.adapters.packaged import packaged_text
from skylift.cli.main import main

KEYS = ("fspl_db", "eirp_dbw", "g_over_t_db_k", "c_n_db", "modcod", "spectral_efficiency", "rate_bps")


def run(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], *arguments: str
) -> tuple[int, str, str]:
    monkeypatch.setattr("sys.argv", ["skylift", "link", "budget", *arguments])
    with pytest.raises(SystemExit) as ended:
        main()
    said = capsys.readouterr()
    return int(ended.value.code or 0), said.out, said.err


@pytest.fixture
def budget(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Any:
    def asked(elevation_deg: float, *arguments: str, system: str = "starlink-2022") -> dict[str, Any]:
        code, out, err = run(
            monkeypatch,
            capsys,
            *("--system", system, "--elevation-deg", str(elevation_deg), "--json", *arguments),
        )
        assert code == 0, err
        found: dict[str, Any] = json.loads(out)
        return found

    return asked


CHECK = (
    *("--set", "altitude_km=550", "--set", "frequency_ghz=11.7", "--set", "g_over_t_db_k=9.2"),
    *("--set", "other_losses_db=1", "--set", "bandwidth_mhz=240", "--set", "eirp_dbw=36.7"),
)


@pytest.mark.parametrize(("elevation_deg", "c_n_db"), [(25, 14.9), (40, 17.7), (90, 18.0)])
@pytest.mark.parametrize(("system", "settings"), [("starlink-2022", ()), ("starlink-2026", CHECK)])
def test_check_values(
    budget: Any, elevation_deg: float, c_n_db: float, system: str, settings: tuple[str, ...]
) -> None:
    """By the packaged file of 2022, and of another with every one of these numbers set."""
    got = budget(elevation_deg, *settings, system=system)
    assert set(KEYS) <= set(got)
    assert got["c_n_db"] == pytest.approx(c_n_db, abs=0.05)
    assert got["g_over_t_db_k"] == pytest.approx(9.2, abs=0.01)
    assert got["power_flux_limited"] == (elevation_deg == 90)


def test_one_decibel_more(budget: Any) -> None:
    base = budget(30)
    more = budget(30, "--set", f"eirp_dbw={base['eirp_dbw'] + 1}")
    assert more["c_n_db"] - base["c_n_db"] == pytest.approx(1.0)
    # Where the mask decides, what is asked for does not matter, what is radiated does.
    high = budget(80)
    same = budget(80, "--set", "eirp_dbw=37.7")
    free = budget(80, "--set", "eirp_dbw=37.7", "--set", "power_flux_mask=none")
    assert same["c_n_db"] == pytest.approx(high["c_n_db"])
    assert (same["eirp_asked_dbw"], same["eirp_dbw"]) == (37.7, pytest.approx(high["eirp_dbw"]))
    assert free["c_n_db"] - high["c_n_db"] == pytest.approx(37.7 - high["eirp_dbw"])
    assert free["eirp_limit_dbw"] is None


def test_the_mask_says_when_it_decides(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    _, _, low = run(monkeypatch, capsys, "--system", "starlink-2022", "--elevation-deg", "30")
    _, _, high = run(monkeypatch, capsys, "--system", "starlink-2022", "--elevation-deg", "70")
    assert low == ""
    assert "power-flux mask allows" in high


def test_the_boresight_counts_when_an_azimuth_is_given(budget: Any) -> None:
    assert budget(40)["scan_loss_db"] == 0.0
    north, south = budget(40, "--azimuth-deg", "0"), budget(40, "--azimuth-deg", "180")
    assert north["off_boresight_deg"] == pytest.approx(26.0)
    assert south["off_boresight_deg"] == pytest.approx(74.0)
    assert south["scan_loss_db"] > north["scan_loss_db"] > 0.0
    assert north["c_n_db"] == pytest.approx(budget(40)["c_n_db"] - north["scan_loss_db"])


def test_a_link_that_does_not_close_says_so(budget: Any) -> None:
    got = budget(30, "--set", "atmosphere_loss_db=40")
    assert (got["modcod"], got["rate_bps"], got["spectral_efficiency"]) == (None, 0.0, 0.0)
    assert got["eb_over_n_and_i_db"] is None


def test_the_rate_is_efficiency_times_bandwidth_times_duty(budget: Any) -> None:
    for direction in ("down", "up", "gateway-up", "gateway-down"):
        got = budget(50, "--direction", direction)
        assert got["rate_bps"] == pytest.approx(
            got["spectral_efficiency"] * got["bandwidth_hz"] * got["duty_fraction"]
        )


@pytest.mark.parametrize(
    ("arguments", "thing", "hint"),
    [
        (("--system", "starlink2022"), "system 'starlink2022'", "starlink-2022"),
        (("--system", "starlink-2022", "--set", "eirp_dbv=3"), "--set: eirp_dbv", "eirp_dbw"),
        (("--system", "starlink-2022", "--set", "eirp_w=3"), "--set: eirp_w", "eirp_dbw"),
        (("--system", "starlink-2022", "--set", "bandwidth_mhz=0"), "--set: bandwidth_mhz", "megahertz"),
        (
            ("--system", "starlink-2022", "--set", "noise_temperature_k=-5"),
            "--set: noise_temperature_k",
            "kelvin",
        ),
        (("--system", "starlink-2022", "--set", "receive_gain_dbi=50"), "--set: receive_gain_dbi", "lower"),
        (("--system", "starlink-2022", "--set", "eirp_dbw"), "--set", "eirp_dbw=37.7"),
        (("--system", "starlink-2022", "--set", "eirp_dbw=nan"), "--set: eirp_dbw", "decibels"),
        (("--system", "starlink-2022", "--lat", "50"), "--lat and --lon", "both"),
        (("--system", "starlink-2022", "--azimuth-deg", "10", "--lat", "99"), "--lat", "swapped"),
        (("--system", "starlink-2022", "--lat", "50", "--lon", "nan"), "--lon", "decimal"),
        (
            ("--system", "starlink-2022", "--lat", "50", "--lon", "30", "--exceeded-fraction", "2"),
            "--exceeded-fraction",
            "percent",
        ),
        (("--system", "starlink-2022", "--set", "eirp_dbw=5 dBW"), "--set: eirp_dbw", "without"),
        (("--system", "starlink-2022", "--direction", "gateway-upp"), "--direction", "gateway-up"),
        (("--system", "starlink-2022", "--set", 'modulations=["8QAM"]'), "--set: modulations", "4QAM"),
        (("--system", "starlink-2022", "--set", "bandwidth_mhz=3000"), "--set: bandwidth_mhz", "band_mhz"),
        (
            ("--system", "starlink-2022", "--set", "ground_antenna=starlink-mimi"),
            "--set: ground_antenna",
            "starlink-mini",
        ),
        (("--system", "nowhere.toml"), "nowhere.toml", "path"),
    ],
)
def test_what_cannot_be_is_refused(
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    arguments: tuple[str, ...],
    thing: str,
    hint: str,
) -> None:
    code, out, err = run(monkeypatch, capsys, *arguments, "--elevation-deg", "40", "--json")
    assert (code, out) == (2, "")
    error = json.loads(err)["error"]
    assert error["thing"] == thing
    assert hint in error["way_out"]
    # A key is said once: by the thing, not again at the head of the rule.
    assert not error["rule"].startswith(f"{thing.rpartition(' ')[2]} is ")


@pytest.mark.parametrize("elevation", ["-1", "91", "nan"])
def test_elevations_are_checked(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], elevation: str
) -> None:
    code, _, err = run(monkeypatch, capsys, "--system", "oneweb", f"--elevation-deg={elevation}", "--json")
    assert code == 2
    assert json.loads(err)["error"]["thing"] == "--elevation-deg"


def test_a_file_of_ones_own(budget: Any, tmp_path: Path) -> None:
    mine = tmp_path / "mine.toml"
    text = packaged_text("radio/systems/starlink-2022.toml")
    mine.write_text(text.replace("other_losses_db = 1.0", "other_losses_db = 3.0"), encoding="utf-8")
    assert budget(30)["c_n_db"] - budget(30, system=str(mine))["c_n_db"] == pytest.approx(2.0)


def test_a_wrong_file_is_named_with_its_line(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    mine = tmp_path / "mine.toml"
    text = packaged_text("radio/systems/oneweb.toml").replace("bandwidth_mhz = 250", "bandwidth_mhz = 0", 1)
    mine.write_text(text, encoding="utf-8")
    line = text[: text.index("bandwidth_mhz = 0")].count("\n") + 1
    code, _, err = run(monkeypatch, capsys, "--system", str(mine), "--elevation-deg", "60", "--json")
    assert code == 2
    assert json.loads(err)["error"]["thing"] == f"mine.toml line {line}: link.down.bandwidth_mhz"


def test_people_get_a_table(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    code, out, _ = run(monkeypatch, capsys, "--system", "starlink-2022", "--elevation-deg", "25")
    assert code == 0
    for word in ("C/N", "14.88", "16QAM", "Mbit/s"):
        assert word in out


@pytest.mark.parametrize("direction", ["down", "up"])
def test_the_picture_is_drawn(budget: Any, tmp_path: Path, direction: str) -> None:
    picture = tmp_path / "link.png"
    budget(30, "--direction", direction, "--plot", str(picture))
    assert picture.read_bytes()[:8] == b"\x89PNG\r\n\x1a\n"
    assert picture.stat().st_size > 10_000


KYIV = ("--lat", "50.45", "--lon", "30.52")


def test_the_air_over_a_place_takes_more_the_rarer_it_is(budget: Any) -> None:
    """Kyiv, 40 degrees, 11.7 GHz: 0.69, 1.70 and 4.64 dB by the library itur for 1, 0.1 and 0.01 %."""
    dry = budget(40)
    clear = budget(40, *KYIV)
    losses = [
        budget(40, *KYIV, "--exceeded-fraction", share)["atmosphere_loss_db"]
        for share in ("0.01", "0.001", "0.0001")
    ]
    assert losses == pytest.approx([0.69, 1.70, 4.64], rel=0.03)
    assert dry["atmosphere_loss_db"] == 0.0 < clear["atmosphere_loss_db"] < losses[0]
    wet = budget(40, *KYIV, "--exceeded-fraction", "0.0001")
    assert wet["g_over_t_db_k"] < dry["g_over_t_db_k"]
    assert wet["rate_bps"] < dry["rate_bps"]


def test_a_dish_in_the_south_leans_south(budget: Any) -> None:
    south = ("--lat", "-33.9", "--lon", "18.4", "--azimuth-deg", "180")
    assert budget(40, *south)["off_boresight_deg"] == pytest.approx(26.0)


def test_nothing_is_heard_behind_an_array(
    budget: Any, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    behind = ("--azimuth-deg", "180")
    got = budget(1, *behind)
    assert (got["scan_loss_db"], got["c_n_db"], got["modcod"]) == (None, None, None)
    code, out, _ = run(monkeypatch, capsys, "--system", "starlink-2022", "--elevation-deg", "1", *behind)
    assert code == 0
    assert "no link" in out


@pytest.mark.parametrize(
    "arguments",
    [
        ("--exceeded-fraction", "0.01"),
        ("--lon", "3"),
        ("--lat", "95", "--lon", "3"),
        (*KYIV, "--exceeded-fraction", "0.9"),
    ],
)
def test_air_needs_a_place_and_a_share(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], arguments: tuple[str, ...]
) -> None:
    code, out, err = run(
        monkeypatch, capsys, "--system", "oneweb", "--elevation-deg", "60", "--json", *arguments
    )
    assert (code, out) == (2, "")
    assert "error" in json.loads(err)
