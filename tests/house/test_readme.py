"""What the README tells a newcomer to type works, in that order."""

from __future__ import annotations

import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest


@pytest.mark.slow
def test_the_first_things_to_try_work(root: Path, tmp_path: Path) -> None:
    text = (root / "README.md").read_text(encoding="utf-8")
    lines = re.findall(r"^\.venv/bin/skylift (.+)$", text, re.MULTILINE)
    assert len(lines) >= 5
    (tmp_path / "scenarios").symlink_to(root / "scenarios")
    for line in lines:
        done = subprocess.run(
            [sys.executable, "-m", "skylift", *shlex.split(line)],
            cwd=tmp_path,
            text=True,
            capture_output=True,
            timeout=300,
        )
        assert done.returncode == 0, f"skylift {line}\n{done.stdout}{done.stderr}"
        for written in re.findall(r"(?:-o|--plot) (\S+)", line):
            assert (tmp_path / written).exists(), f"skylift {line} wrote no {written}"
