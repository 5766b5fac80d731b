"""The notebook of docs/how-to/plan-a-region.md runs as it stands there."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

PAGE = Path(__file__).resolve().parents[2] / "docs" / "how-to" / "plan-a-region.md"


def test_the_notebook_runs(capsys: pytest.CaptureFixture[str]) -> None:
    (block,) = re.findall(r"```python\n(.*?)```", PAGE.read_text(encoding="utf-8"), re.DOTALL)
    names: dict[str, object] = {}
    exec(block, names)
    said = capsys.readouterr().out.splitlines()
    assert re.fullmatch(r"[\d.]+ Gbit/s, [\d.]+ Mbit/s per km2", said[0])
    assert re.fullmatch(r"[\d,]+ terminals at 5 Mbit/s each", said[1])
    assert "'antennas'" in said[2]
    rows, share = re.fullmatch(r"(\d+) rows; ([\d.]+)", said[3]).groups()  # type: ignore[union-attr]
    assert int(rows) > 0
    assert 0.0 < float(share) <= 1.001
