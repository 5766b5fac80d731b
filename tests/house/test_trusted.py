"""What the tests of real packets ask of a run: tried again, then a failure; in CI it is never skipped."""

from __future__ import annotations

from typing import Any

import pytest

from bench import machine
from tests import trusted
from tests.trusted import OTHERS_SHARE, TRIES, Tried, tried

LATE = {"trustworthy": False, "lateness_us": {"p99": 12_000.0}, "tun_dropped": 3}
GOOD = {"trustworthy": True, "lateness_us": {"p99": 90.0}, "tun_dropped": 0}


@pytest.mark.parametrize("late", range(TRIES + 1))
def test_a_late_run_is_tried_again_so_often_and_no_more(late: int) -> None:
    runs = [LATE] * late + [GOOD]
    began: list[dict[str, Any]] = []

    def run() -> dict[str, Any]:
        began.append(runs[len(began)])
        return began[-1]

    last = tried(run, lambda report: report)
    assert len(began) == min(late + 1, TRIES)
    assert (last.why == "") is (late < TRIES)
    assert last.outcome is (GOOD if late < TRIES else LATE)


@pytest.mark.parametrize(
    ("others", "ci", "end"),
    [
        (OTHERS_SHARE, "", pytest.skip.Exception),
        (OTHERS_SHARE - 0.01, "", pytest.fail.Exception),
        (1.0, "true", pytest.fail.Exception),
    ],
)
def test_only_where_others_are_the_reason_and_never_in_ci_it_is_skipped(
    others: float, ci: str, end: type[BaseException], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CI", ci)
    with pytest.raises(end, match=f"12000 us late.*{others:.0%}|{others:.0%}.*12000 us late"):
        Tried(None, "p99 is 12000 us late", others).trusted()


def test_what_a_run_does_itself_is_no_load_of_others(monkeypatch: pytest.MonkeyPatch) -> None:
    spent_s = iter([(10.0, 20.0), (14.0, 28.0)] * TRIES)
    own_s = iter([1.0, 4.0] * TRIES)
    monkeypatch.setattr(machine, "_spent_s", lambda: next(spent_s))
    monkeypatch.setattr(trusted, "_own_s", lambda: next(own_s))
    assert tried(lambda: LATE, lambda report: report).others == 1 / 8
