"""The tutorials do what they say, typed as they stand."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path
from statistics import median
from typing import Any

import pyarrow.parquet as pq
import pytest

from skylift.base.instants import parse_instant


def blocks(text: str, kind: str) -> list[str]:
    return re.findall(rf"^```{kind}\n(.*?)^```$", text, re.MULTILINE | re.DOTALL)


def simulate(folder: Path, out: str) -> dict[str, Any]:
    command = [sys.executable, "-m", "skylift", "simulate", "towns.toml", "-o", out]
    done = subprocess.run(command, cwd=folder, text=True, capture_output=True, timeout=300)
    assert done.returncode == 0, done.stderr
    summary: dict[str, Any] = json.loads((folder / out / "summary.json").read_text())
    return summary


def reasons(summary: dict[str, Any]) -> set[str]:
    return {why for terminal in summary["terminals"].values() for why in terminal["why_down"]}


def steps(links: Path) -> tuple[list[float], set[str]]:
    """How much later each town is while the gateway is lost, ms RTT, and who carried them then."""
    lost = range(parse_instant("2026-03-01T08:20:00Z"), parse_instant("2026-03-01T08:40:00Z"))
    times: dict[tuple[str, bool], list[float]] = {}
    gateways = set()
    for row in pq.read_table(links).to_pylist():
        during = row["at_us"] in lost
        rtt_ms = (row["one_way_delay_up_us"] + row["one_way_delay_down_us"]) / 1e3
        times.setdefault((row["terminal"], during), []).append(rtt_ms)
        if during:
            gateways.add(row["gateway"])
    towns = {town for town, _ in times}
    return [median(times[town, True]) - median(times[town, False]) for town in towns], gateways


@pytest.mark.slow
def test_a_gateway_burns(root: Path, tmp_path: Path) -> None:
    text = (root / "docs" / "tutorial" / "01-a-gateway-burns.md").read_text(encoding="utf-8")
    towns, failure, lasers = blocks(text, "toml")
    assert re.findall(r"-o (\w+)$", text, re.MULTILINE) == ["towns", "burned", "lasers"]
    scenario = tmp_path / "towns.toml"

    scenario.write_text(towns)
    whole = simulate(tmp_path, "towns")
    assert whole["slots"] == 240
    assert all(share == 1.0 for share in whole["availability"].values())

    scenario.write_text(towns + failure)
    burned = simulate(tmp_path, "burned")
    assert all(share > 0.9 for share in burned["availability"].values())
    steps_ms, gateways = steps(tmp_path / "burned" / "links.parquet")
    assert gateways == {"kaunas"}
    assert all(3.5 < step_ms < 4.9 for step_ms in steps_ms)

    both = 'gateways = ["wola-krobowska", "kaunas"]'
    assert both in text
    scenario.write_text(towns + failure.replace('gateways = ["wola-krobowska"]', both))
    assert reasons(simulate(tmp_path, "burned")) == {"no_gateway"}

    only = 'only = ["wola-krobowska", "kaunas"]\n'
    start, rest = (towns + failure).replace(only, "").split("duration_h = 1\n")
    scenario.write_text(f"{start}duration_h = 1\n{lasers}{rest}")
    linked = simulate(tmp_path, "lasers")
    assert all(share == 1.0 for share in linked["availability"].values())

    (program,) = blocks(text, "python")
    done = subprocess.run(
        [sys.executable, "-c", program], cwd=tmp_path, text=True, capture_output=True, timeout=60
    )
    assert re.fullmatch(r"\d+ satellites in the longest path\n", done.stdout), done.stderr
