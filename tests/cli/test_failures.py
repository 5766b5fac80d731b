"""However a command fails: one text, or one JSON document, an exit code, and never a traceback."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from skylift.cli import main as command

Run = Callable[..., tuple[int, str, str]]


@pytest.fixture
def run(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Run:
    """Runs `skylift ...` in this process: (exit code, stdout, stderr)."""

    def one(*arguments: object) -> tuple[int, str, str]:
        monkeypatch.setattr("sys.argv", ["skylift", *map(str, arguments)])
        with pytest.raises(SystemExit) as end:
            command.main()
        return int(end.value.code or 0), *capsys.readouterr()

    return one


@pytest.mark.parametrize(
    ("arguments", "said", "way_out"),
    [
        (["sky", "x.tle", "--lat", "north", "--lon", "1", "--at", "2026"], "--lat", "skylift sky --help"),
        (["catalogue", "info"], "file", "skylift catalogue info --help"),
        (["passes", "--nonsense"], "--nonsense", "skylift passes --help"),
        (["nonsense"], "nonsense", "skylift --help"),
    ],
)
def test_a_wrong_command_line_is_one_document_too(
    run: Run, arguments: list[str], said: str, way_out: str
) -> None:
    code, out, err = run(*arguments, "--json")
    error = json.loads(err)["error"]
    assert (code, out) == (2, "")
    assert set(error) == {"code", "thing", "rule", "way_out"}
    assert said in error["rule"]
    assert way_out in error["way_out"]


def test_a_wrong_command_line_is_explained_to_people(run: Run) -> None:
    code, out, err = run("cells", "--resolution", "fine")
    assert (code, out) == (2, "")
    assert "Usage: skylift cells" in err
    assert "--resolution" in err


@pytest.mark.parametrize("form", [[], ["--json"]])
def test_a_place_in_the_wrong_position_is_not_repeated(run: Run, form: list[str]) -> None:
    code, _, err = run("cells", "--country", "UA", "50.4501", "30.5234", *form)
    assert code == 2
    assert "unexpected extra" in err
    assert "50.45" not in err
    assert "30.52" not in err


def test_what_a_file_holds_does_not_drive_the_terminal(run: Run, tmp_path: Path) -> None:
    file = tmp_path / "strange.tle"
    file.write_text("\x1b[31mNAME\x07\x9b2J\n1 12345\n")
    code, _, err = run("catalogue", "info", file)
    assert code == 2
    assert "NAME" in err
    assert not set("\x1b\x07\x9b") & set(err)


def test_help_is_wrapped_to_the_screen_and_not_as_in_the_source(
    run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "90")
    code, out, _ = run("route", "--help")
    paragraph = out[out.index("Columns:") : out.index("Options")].split("\n\n")[0].split("\n")
    lengths = [len(line.rstrip()) for line in paragraph if line.strip(" ╭─")]
    assert code == 0
    assert len(lengths) >= 3
    assert min(lengths[:-1]) > 70


def test_too_little_memory_is_said(run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def no_memory(path: Path) -> bytes:
        raise MemoryError

    monkeypatch.setattr(Path, "read_bytes", no_memory)
    code, _, err = run("catalogue", "info", tmp_path / "huge.tle", "--json")
    assert (code, json.loads(err)["error"]["code"]) == (1, "system.memory")


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs a device that is always full")
@pytest.mark.parametrize("form", [[], ["--json"]])
def test_a_full_disk_under_standard_output_is_said(form: list[str]) -> None:
    with open("/dev/full", "w") as full:
        end = subprocess.run(
            [sys.executable, "-m", "skylift", "catalogue", "presets", *form],
            stdout=full,
            stderr=subprocess.PIPE,
            text=True,
        )
    assert end.returncode == 1
    assert "No space left" in end.stderr
    assert "Traceback" not in end.stderr
    assert "Exception ignored" not in end.stderr


def test_nowhere_to_keep_compiled_code_is_said(
    run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As for a service's user without a home, where root has installed it."""
    from numba.core import caching

    def compiled(path: Path) -> bytes:
        monkeypatch.setattr(caching.CompileResultCacheImpl, "_locator_classes", [])
        caching.FunctionCache(compiled)
        return b""

    monkeypatch.setattr(Path, "read_bytes", compiled)
    code, _, err = run("catalogue", "info", tmp_path / "any.tle")
    assert code == 1
    assert "NUMBA_CACHE_DIR" in err
