"""The bench harness: what it measures, and what it writes. No test here is timed."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from bench import __main__ as command
from bench.harness import ROUNDS, THREAD_VARIABLES, Case, Result, child_environment, measure

ROOT = Path(__file__).resolve().parents[2]


def busy(amount: int) -> int:
    return sum(i * i for i in range(amount))


def case(**changes: object) -> Case:
    fields: dict[str, object] = {
        "id": "toy",
        "ours": lambda: busy(20_000),
        "peer": lambda: busy(200_000),
        "peer_name": "slow",
        "peer_version": "1",
        "compare": lambda ours, peer: abs(ours - busy(20_000)) + abs(peer - busy(200_000)),
        "limit": ">= 2x",
        "ok": lambda result: result.ratio_cpu > 2,
        "seed": 3,
    }
    return Case(**(fields | changes))  # type: ignore[arg-type]


def test_the_ratio_is_the_peers_cost_over_ours() -> None:
    result = measure(case())
    assert result.ratio_cpu is not None
    assert 3 < result.ratio_cpu < 30
    assert result.peer is not None
    assert result.ratio_cpu == pytest.approx(result.peer.cpu_s / result.ours.cpu_s)
    assert result.max_error == 0
    assert result.ok
    assert result.ours.peak_rss_bytes > 1_000_000


def test_sides_take_turns_and_the_input_is_built_first() -> None:
    calls: list[str] = []

    def side(name: str) -> None:
        calls.append(name)
        # Longer than the least sample, so that a sample is one call.
        busy(1_500_000)

    measure(
        case(
            ours=lambda: side("ours"),
            peer=lambda: side("peer"),
            prepare=lambda: calls.append("prepare"),
            compare=None,
        )
    )
    assert calls[:2] == ["prepare", "ours"]
    assert calls[-2 * ROUNDS :] == ["ours", "peer"] * ROUNDS


def test_the_error_is_that_of_the_timed_output() -> None:
    state = {"calls": 0}

    def ours() -> int:
        state["calls"] += 1
        busy(1_500_000)
        return state["calls"]

    result = measure(case(ours=ours, peer=None, compare=lambda ours, _: ours, ok=lambda result: True))
    assert result.max_error == state["calls"]
    assert result.peer is None
    assert result.ratio_cpu is None


def test_a_bound_that_is_missed_and_an_error_that_is_not_a_number_are_not_ok() -> None:
    assert not measure(case(ok=lambda result: False)).ok
    unknown = measure(case(compare=lambda ours, peer: float("nan"), ok=lambda result: True))
    assert not unknown.ok
    assert unknown.max_error is None
    json.dumps(unknown.as_dict(), allow_nan=False)


def test_the_line_has_the_keys_of_the_contract() -> None:
    line = measure(case()).as_dict()
    assert list(line) == [
        "id", "seed", "command", "ours", "peer", "ratio_cpu", "max_error", "limit", "ok",
    ]  # fmt: skip
    assert set(line["ours"]) == {"wall_s", "cpu_s", "peak_rss_bytes", "threads"}
    assert set(line["peer"]) == {"name", "version", "wall_s", "cpu_s", "threads"}
    assert set(line) == set(Result.__dataclass_fields__)


def test_libraries_are_told_the_threads_before_they_are_imported() -> None:
    assert {child_environment(2)[name] for name in THREAD_VARIABLES} == {"2"}


def test_an_unknown_id_lists_the_ids() -> None:
    ended = subprocess.run(
        [sys.executable, "-m", "bench", "--only", "no-such-bench"], cwd=ROOT, capture_output=True, text=True
    )
    assert ended.returncode == 2
    for name in command.find_cases(1):
        assert name in ended.stderr


def test_the_file_is_whole_and_a_miss_is_exit_code_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(command, "ROOT", tmp_path)
    monkeypatch.setattr(command, "commit", lambda: "abc")
    for ok, code in ((True, 0), (False, 1)):
        monkeypatch.setattr(command, "run_apart", lambda one, ok=ok: measure(one).as_dict() | {"ok": ok})
        assert command.run([case(work=20_000.0, unit="square")]) == code
        written = json.loads((tmp_path / "build" / "bench.json").read_text())
        assert set(written) == {"schema", "commit", "machine", "results"}
        assert written["schema"] == 1
        assert [line["ok"] for line in written["results"]] == [ok]


def test_unfinished_parts_are_named_and_left_out(capsys: pytest.CaptureFixture[str]) -> None:
    whole, part = case(id="whole"), case(id="part", unfinished=True)
    assert command.finished([whole, part]) == [whole]
    assert capsys.readouterr().err == "left out, its part is unfinished: part (--only part measures it)\n"
