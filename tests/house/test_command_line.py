"""The command line as a newcomer meets it: light to start, and every command on its reference page."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

HEAVY = ("numpy", "numba", "matplotlib", "pyarrow", "fastapi", "scipy")


def run(*arguments: str, cwd: Path | None = None) -> subprocess.CompletedProcess[str]:
    return subprocess.run([sys.executable, *arguments], cwd=cwd, text=True, capture_output=True, timeout=60)


@pytest.mark.parametrize("arguments", [["--help"], ["--version"], ["catalogue", "--help"], []])
def test_help_loads_nothing_heavy(arguments: list[str]) -> None:
    """Compiled libraries take a second; asking for help must not."""
    code = f"""
import sys
sys.argv = ["skylift", *{arguments!r}]
from skylift.cli.main import main
try:
    main()
except SystemExit:
    pass
print("LOADED", *[name for name in {HEAVY!r} if name in sys.modules])
"""
    done = run("-c", code)
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines()[-1].split() == ["LOADED"]


def test_the_module_is_the_command() -> None:
    done = run("-m", "skylift", "--version")
    assert done.returncode == 0
    assert done.stdout.startswith("skylift ")


def test_an_unknown_command_is_the_callers_error() -> None:
    done = run("-m", "skylift", "fly-me-to-the-moon")
    assert done.returncode == 2
    assert done.stdout == ""
    assert "fly-me-to-the-moon" in done.stderr


@pytest.mark.parametrize("as_json", [False, True])
@pytest.mark.parametrize(("kind", "exit_code"), [("Refused", 2), ("Unavailable", 1)])
def test_an_error_says_its_four_parts_on_stderr_alone(as_json: bool, kind: str, exit_code: int) -> None:
    code = f"""
import sys
from skylift.base import errors
from skylift.cli import main
def command(json: bool = False):
    raise errors.{kind}("a.b", "the thing", "the rule", "the way out")
main.app.command("broken")(command)
sys.argv = ["skylift", "broken"] + ["--json"] * {as_json}
main.main()
"""
    done = run("-c", code)
    assert done.returncode == exit_code
    assert done.stdout == ""
    if as_json:
        error = {"code": "a.b", "thing": "the thing", "rule": "the rule", "way_out": "the way out"}
        assert json.loads(done.stderr) == {"error": error}
    else:
        assert done.stderr == "the thing: the rule\n  the way out\n"


def test_the_reference_of_commands_is_current(root: Path) -> None:
    done = run("tools/make_reference.py", "--check", cwd=root)
    assert done.returncode == 0, done.stdout + done.stderr
