"""The picture of a route's delay keeps its time axis where there is no route."""

from __future__ import annotations

from pathlib import Path

import pytest
from matplotlib.dates import num2date
from matplotlib.figure import Figure

from skylift.adapters.pictures_route import draw_route
from skylift.base.instants import parse_instant
from skylift.study.route import RouteStep

START_US = parse_instant("2026-05-30T10:00:00Z")


@pytest.mark.parametrize("delays", [[None] * 5, [None, None, 9e3, 9e3, None], [9e3] * 5])
def test_the_axis_is_the_asked_time(
    delays: list[float | None], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    drawn: list[Figure] = []
    monkeypatch.setattr(Figure, "savefig", lambda figure, *_, **__: drawn.append(figure))
    rows = [
        RouteStep(START_US + i * 15_000_000, delay, 2 if delay else 0, (7,) if delay else (), False)
        for i, delay in enumerate(delays)
    ]
    draw_route(tmp_path / "route.png", rows, False)
    axes = drawn[0].axes[0]
    said = [num2date(limit).strftime("%Y-%m-%d %H:%M:%S") for limit in axes.get_xlim()]
    assert said == ["2026-05-30 10:00:00", "2026-05-30 10:01:00"]
    assert ["no route" in text.get_text() for text in axes.texts] == ([True] if not any(delays) else [])
