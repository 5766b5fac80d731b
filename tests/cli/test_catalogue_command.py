"""skylift catalogue, as it is typed."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from skylift.cli import main as command

TLE = """STARLINK-1007
1 44713U 19074A   22336.47699629  .00001505  00000+0  11993-3 0  9994
2 44713  53.0561 143.1715 0001798  75.7035 284.4154 15.06402874169073
"""
Run = Callable[..., tuple[int, str, str]]


@pytest.fixture
def run(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Run:
    """Runs `skylift catalogue ...` in this process: (exit code, stdout, stderr)."""

    def one(*arguments: object) -> tuple[int, str, str]:
        monkeypatch.setattr("sys.argv", ["skylift", "catalogue", *map(str, arguments)])
        try:
            command.main()
            code = 0
        except SystemExit as end:
            code = int(end.code or 0)
        out, err = capsys.readouterr()
        return code, out, err

    return one


def test_info_of_the_real_catalogue(run: Run, shared_file: Callable[[str], Path]) -> None:
    code, out, err = run("info", shared_file("catalogues/starlink_2026-05-30.tle"), "--json")
    document = json.loads(out)
    assert (code, err) == (0, "")
    assert (document["objects"], document["skipped"]) == (10_395, 0)
    assert document["epoch_min"] < document["epoch_max"] < "2026-05-31"
    assert sum(row["count"] for row in document["by_shell"]) == sum(document["by_status"].values()) == 10_395
    assert document["by_shell"][0] == {"inclination_deg": 43.0, "altitude_km": 485, "count": 3246}


def test_presets_say_from_where_altitudes_count(run: Run) -> None:
    code, out, _ = run("presets")
    assert code == 0
    assert "6378.135 km" in out


def test_info_says_what_it_skipped_and_draws(run: Run, tmp_path: Path) -> None:
    path = tmp_path / "a.tle"
    path.write_text(TLE + TLE.replace("9994\n", "9995\n"))
    code, out, err = run("info", path)
    assert (code, out) == (2, "")
    assert "a.tle, line 5" in err
    code, out, err = run("info", path, "--lenient", "--json", "--plot", tmp_path / "a.png")
    assert code == 0
    assert json.loads(out)["skipped"] == 1
    assert "1 bad record was skipped" in err
    assert "line 5 (44713)" in err
    assert (tmp_path / "a.png").read_bytes().startswith(b"\x89PNG")
    code, out, _ = run("info", path, "--lenient")
    assert code == 0
    assert "53.06" in out


def test_presets_are_listed(run: Run) -> None:
    code, out, _ = run("presets", "--json")
    rows = {row["preset"]: row for row in json.loads(out)}
    assert code == 0
    assert rows["kuiper"]["objects"] == 3236
    assert {shell["standing"] for shell in rows["kuiper"]["shells"]} == {"filed"}
    assert "KUIPER-630" in run("presets")[1]


@pytest.mark.parametrize("suffix", ["tle", "json", "csv", "xml", "kvn"])
def test_generated_catalogues_are_read_back(run: Run, tmp_path: Path, suffix: str) -> None:
    path = tmp_path / f"telesat.{suffix}"
    code, out, _ = run("generate", "telesat", "-o", path, "--epoch", "2022-02-26T00:00:00Z", "--json")
    assert code == 0
    assert json.loads(out)["objects"] == 298
    document = json.loads(run("info", path, "--json")[1])
    assert document["objects"] == 298
    assert document["epoch_min"] == document["epoch_max"] == "2022-02-26T00:00:00Z"
    assert document["by_shell"][0] == {"inclination_deg": 50.88, "altitude_km": 1325, "count": 220}
    assert document["by_status"]["operational"] == 298


def test_a_file_of_ones_own_is_generated_and_its_collisions_are_refused(run: Run, tmp_path: Path) -> None:
    own, out = tmp_path / "own.toml", tmp_path / "own.tle"
    size = "planes = 72\nsatellites_per_plane = 22\n"
    text = f"[[shell]]\n{size}altitude_km = 550\ninclination_deg = 53\nphasing = {{}}\n"
    own.write_text(text.format(36))
    code, _, err = run("generate", own, "-o", out)
    assert code == 2
    assert "km apart" in err
    assert not out.exists()
    own.write_text(text.format(39))
    code, said, _ = run("generate", own, "-o", out)
    assert code == 0
    assert "1,584 satellites" in said
    assert out.read_text().count("\n") == 3 * 1584


def test_convert_there_and_back_gives_the_same_file(run: Run, tmp_path: Path) -> None:
    first = tmp_path / "a.tle"
    first.write_text(TLE)
    for one, two in (
        ("a.tle", "b.json"),
        ("b.json", "c.xml"),
        ("c.xml", "d.kvn"),
        ("d.kvn", "e.csv"),
        ("e.csv", "f.tle"),
    ):
        code, out, _ = run("convert", tmp_path / one, "-o", tmp_path / two, "--json")
        assert code == 0
        assert json.loads(out)["objects"] == 1
    assert (tmp_path / "f.tle").read_text() == TLE


def test_what_the_target_cannot_hold_is_refused_and_nothing_is_written(run: Run, tmp_path: Path) -> None:
    source, out = tmp_path / "a.json", tmp_path / "b.tle"
    code, _, _ = run("generate", "telesat", "-o", source, "--first-norad", "799500000")
    assert code == 0
    code, _, err = run("convert", source, "-o", out)
    assert code == 2
    assert "omm-json" in err
    assert list(tmp_path.iterdir()) == [source]
    assert run("convert", source, "-o", out, "--format", "yaml")[0] == 2
    assert run("convert", source, "-o", tmp_path / "b.what")[0] == 2


@pytest.mark.parametrize("content", [b"", b"\xff\xfe\x00", b"[{", b"<omm>", b"1 44713U"])
def test_broken_files_are_the_callers_error_and_leave_nothing(
    run: Run, tmp_path: Path, content: bytes
) -> None:
    path = tmp_path / "broken"
    path.write_bytes(content)
    for arguments in (["info", path], ["convert", path, "-o", tmp_path / "out.json"]):
        code, out, err = run(*arguments)
        assert (code, out) == (2, "")
        assert "broken" in err
    assert list(tmp_path.iterdir()) == [path]
    code, _, err = run("info", tmp_path / "missing", "--json")
    assert code == 2
    assert set(json.loads(err)["error"]) == {"code", "thing", "rule", "way_out"}


def test_fetch_without_a_net_is_the_worlds_error(run: Run, tmp_path: Path) -> None:
    # Nothing listens on the discard port of this machine.
    code, out, err = run("fetch", "oneweb", "--url", "http://127.0.0.1:9/", "--cache-dir", tmp_path)
    assert (code, out) == (1, "")
    assert "none are cached" in err
