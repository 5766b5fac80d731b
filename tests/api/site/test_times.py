"""The tiles of the start page say how many calls wait, and never that there is none where there is."""

from __future__ import annotations

import pytest

from skylift.api.site.times import tiles
from skylift.twin.office.milestones import Milestones

HOUR_US = 3_600_000_000


def call(asked_at: int, acknowledged_at: int | None = None) -> Milestones:
    return Milestones("req_a", "", asked_at, acknowledged_at=acknowledged_at)


@pytest.mark.parametrize(
    ("calls", "figure", "detail"),
    [
        ([], "–", "no call has come so far"),
        ([call(0)], "–", "1 waits"),
        ([call(0), call(5)], "–", "2 wait"),
        ([call(0, HOUR_US)], "1.0 h", "median of 1; none waits"),
        ([call(0, HOUR_US), call(0)], "1.0 h", "median of 1; 1 still waits"),
        ([call(0, HOUR_US), call(0), call(0)], "1.0 h", "median of 1; 2 still wait"),
    ],
)
def test_a_tile_counts_those_that_wait(calls: list[Milestones], figure: str, detail: str) -> None:
    tile = tiles(calls, 2 * HOUR_US)[0]
    assert (tile.figure, tile.detail) == (figure, detail)
