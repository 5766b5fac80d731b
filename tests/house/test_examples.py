"""Every example runs as it stands, in a folder of its own, and leaves the repository as it was."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
EXAMPLES = sorted(path for path in (ROOT / "examples").glob("[0-9]*") if path.is_dir())


@pytest.mark.slow
@pytest.mark.parametrize("example", EXAMPLES, ids=lambda path: path.name)
def test_an_example_runs(example: Path, tmp_path: Path) -> None:
    """run.py or run.sh, called with a folder to write into; `skylift` is on the PATH."""
    script = example / "run.py"
    command = [sys.executable, str(script)] if script.is_file() else ["bash", str(example / "run.sh")]
    before = {path for path in example.rglob("*") if "__pycache__" not in path.parts}
    done = subprocess.run(
        [*command, str(tmp_path)],
        cwd=tmp_path,
        env={**os.environ, "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"},
        text=True,
        capture_output=True,
        timeout=300,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert {path for path in example.rglob("*") if "__pycache__" not in path.parts} == before


def test_every_example_says_what_it_shows() -> None:
    for example in EXAMPLES:
        assert (example / "README.md").is_file(), f"examples/{example.name} has no README.md"
        assert (example / "run.py").is_file() != (example / "run.sh").is_file(), example.name
