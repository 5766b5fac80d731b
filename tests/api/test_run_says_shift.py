"""What `skylift run` says, to who starts it, of a catalogue from another time."""

from __future__ import annotations

import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest


@pytest.mark.parametrize(("key", "shifted"), [('time_shift = "to-start"\n', True), ("", False)])
def test_a_shift_is_said_where_there_is_one(
    key: str, shifted: bool, scenario: Path, start_service: Callable[..., Any], tmp_path: Path
) -> None:
    catalogue = tmp_path / "old.tle"
    generate = ["catalogue", "generate", "oneweb", "--epoch", "2023-03-26T06:00:00Z", "-o", str(catalogue)]
    subprocess.run([sys.executable, "-m", "skylift", *generate], check=True, capture_output=True)
    mine = tmp_path / "mine.toml"
    mine.write_text(key + scenario.read_text())
    at = "2023-04-05T06:02:00Z"
    service = start_service("--scenario", str(mine), "--catalogue", str(catalogue), "--at", at)
    service.wait_until_ready()
    said = re.findall(
        r"note: all epochs of the catalogue are shifted by ([0-9.-]+) s\n", "".join(service.output)
    )
    shift_s = service.get("/api/v1/about").json()["time_shift_s"]
    assert [float(s) for s in said] == ([shift_s] if shifted else [])
    # Ten days, less what lies between the scenario's start and the hour of the epoch.
    assert (shift_s == pytest.approx(10 * 86_400, abs=3600)) is shifted
