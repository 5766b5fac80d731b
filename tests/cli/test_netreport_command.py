"""skylift netreport on files, whole and broken."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner

from skylift.base.errors import Refused
from skylift.cli.main import app

RUN = {
    "trustworthy": True,
    "lateness_us": {"p50": 256.0, "p99": 1024.0},
    "slots": [
        {"at_us": 0, "rtt_seen_ms": 40.0, "rtt_set_ms": 39.0, "loss_seen": 0.0, "loss_set": 0.0},
        {"at_us": 15_000_000, "rtt_seen_ms": 42.0, "rtt_set_ms": 41.0, "loss_seen": 0.0, "loss_set": 0.0},
    ],
}


def test_a_runs_report_answers_in_one_line_and_its_own_file_says_the_same(tmp_path: Path) -> None:
    (tmp_path / "run.json").write_text(json.dumps(RUN), encoding="utf-8")
    out, plot = tmp_path / "net.json", tmp_path / "net.svg"
    words = ["netreport", str(tmp_path / "run.json"), "--out", str(out), "--plot", str(plot)]
    done = CliRunner().invoke(app, words)
    assert done.exit_code == 0, done.output
    assert done.output.startswith("Yes, a video call can be held from here")
    assert "<svg" in plot.read_text(encoding="utf-8")
    again = CliRunner().invoke(app, ["netreport", str(out), "--json"])
    assert json.loads(again.output) == json.loads(out.read_text(encoding="utf-8"))


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"slots": 3, "trustworthy": true}', "not json", None])
def test_what_is_no_report_is_refused(text: str | None, tmp_path: Path) -> None:
    if text is not None:
        (tmp_path / "run.json").write_text(text, encoding="utf-8")
    done = CliRunner().invoke(app, ["netreport", str(tmp_path / "run.json")])
    assert isinstance(done.exception, Refused)
    assert done.exception.exit_code == 2
