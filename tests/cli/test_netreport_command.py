"""skylift netreport on files, whole and broken."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from skylift.adapters.netreport_run import read_report
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


def test_voice_is_scored_anew_for_a_codec(tmp_path: Path) -> None:
    (tmp_path / "run.json").write_text(json.dumps(RUN), encoding="utf-8")
    words = ["netreport", str(tmp_path / "run.json"), "--json", "--codec"]
    voice = json.loads(CliRunner().invoke(app, [*words, "g729a"]).output)["voice"]
    assert voice["codec"] == "G.729A with VAD"
    assert 11.0 < read_report(tmp_path / "run.json")["voice"]["r"] - voice["r"] < 12.0
    done = CliRunner().invoke(app, [*words, "opus"])
    assert isinstance(done.exception, Refused)
    assert "g723.1" in done.exception.way_out


SENT = {"sent_ms": [0.0], "up_ms": [1.0], "down_ms": []}


@pytest.mark.parametrize(
    ("content", "rule"),
    [
        (None, "No such file"),
        (b"", "not JSON"),
        (b"not json", "not JSON"),
        (b"\x7fELF\x00\xff" * 100, "not JSON"),
        (b'{"trustworthy": true, "slots": [', "cut off"),
        (b"[" * 100_000, "not JSON"),
        (b"[]", "Expected `object`"),
        (b"{}", "missing required field `trustworthy`"),
        (b'{"slots": 3, "trustworthy": true}', "$.slots"),
        (b'{"slots": [{"at_us": "x"}], "trustworthy": true}', "$.slots[0].at_us"),
        (b'{"slots": [], "trustworthy": true}', "no packet"),
        (b'{"format": "skylift-netreport/1"}', "missing required field"),
        ({"trustworthy": "perhaps"}, "$.trustworthy"),
        ({"video_call": "maybe"}, "$.video_call"),
        ({"slots": [{"rtt_ms": 40.0}]}, "$.slots[0]"),
        ({"train": SENT}, "$.train"),
    ],
)
def test_what_is_no_report_is_refused(
    content: bytes | dict[str, Any] | None, rule: str, tmp_path: Path
) -> None:
    file = tmp_path / "run.json"
    if isinstance(content, dict):
        whole = read_report(written(tmp_path / "whole.json", json.dumps(RUN).encode()))
        content = json.dumps({**whole, **content}).encode()
    if content is not None:
        written(file, content)
    done = CliRunner().invoke(app, ["netreport", str(file)])
    assert isinstance(done.exception, Refused)
    assert done.exception.exit_code == 2
    assert rule in done.exception.rule
    assert done.exception.way_out


def written(file: Path, content: bytes) -> Path:
    file.write_bytes(content)
    return file


@pytest.mark.parametrize("name", ["/etc/passwd", "/dev/zero", "/", "no/such/file"])
def test_a_path_is_no_terminals_id(name: str) -> None:
    done = CliRunner().invoke(app, ["netreport", name])
    assert isinstance(done.exception, Refused)
    assert done.exception.thing == "the report's file"
