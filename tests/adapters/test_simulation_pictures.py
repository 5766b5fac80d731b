"""The pictures of a simulation: what stands on them, and where."""

from __future__ import annotations

import warnings
from collections.abc import Iterable, Iterator
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from skylift.adapters import pictures_map, pictures_simulation
from skylift.adapters.pictures_map import draw_map
from skylift.adapters.pictures_simulation import Heading, draw_all
from skylift.base.geodesy import Place
from skylift.base.instants import SlotClock
from skylift.base.link import WhyDown
from skylift.study.tally import SlotColumns

AT_US = 1_767_225_612_000_000  # 2026-01-01T00:00:12Z
SLOT_US = 15_000_000
LONGITUDES = st.lists(st.floats(-180, 180), min_size=1, max_size=12)


def columns_of(slots: int, terminals: int, gateway: int = 0) -> SlotColumns:
    shape = (slots, terminals)
    return SlotColumns(
        at_us=AT_US + SLOT_US * np.arange(slots),
        rtt_us=np.full(shape, 30_000.0, dtype=np.float32),
        handover=np.zeros(shape, dtype=np.bool_),
        why_down=np.full(shape, WhyDown.UP, dtype=np.uint8),
        in_view=np.full(shape, 9, dtype=np.int16),
        usable=np.full(shape, 4, dtype=np.int16),
        gateway=np.full(shape, gateway, dtype=np.int16),
    )


def world_of(
    terminals: list[tuple[float, float]], gateways: list[tuple[float, float]], shift_us: int = 0
) -> Any:
    return SimpleNamespace(
        terminals=[SimpleNamespace(id=f"t{i}", place=Place(*at)) for i, at in enumerate(terminals)],
        ground=SimpleNamespace(
            gateways=[SimpleNamespace(name=f"g{i}", place=Place(*at)) for i, at in enumerate(gateways)]
        ),
        slots=SlotClock(),
        catalogue=SimpleNamespace(time_shift_us=shift_us),
    )


@pytest.fixture
def figures(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[Any]]:
    """The figures that were drawn, kept open for a look at them."""
    kept: list[Any] = []
    close = pictures_simulation.plt.close
    monkeypatch.setattr(pictures_simulation.plt, "close", kept.append)
    yield kept
    for figure in kept:
        close(figure)


def test_one_slot_is_drawn_over_its_fifteen_seconds(figures: list[Any], tmp_path: Path) -> None:
    world = world_of([(50.0, 30.0)], [(52.0, 21.0)])
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        draw_all(world, columns_of(1, 1), Heading("one"), tmp_path)
    for figure in figures:
        west, east = figure.axes[0].get_xlim()
        assert (east - west) * 86_400 == pytest.approx(15.0)


@pytest.mark.parametrize(("terminals", "dark"), [(2, (0,)), (2, (0, 1)), (9, range(9))])
def test_an_axis_without_values_says_why(
    terminals: int, dark: Iterable[int], figures: list[Any], tmp_path: Path
) -> None:
    columns = columns_of(3, terminals)
    columns.rtt_us[:, list(dark)] = np.nan
    columns.why_down[:, list(dark)] = WhyDown.NO_SATELLITE
    columns.gateway[:, list(dark)] = -1
    columns = replace(columns, down_bps=columns.rtt_us * 1e3)
    world = world_of([(50.0 - i, 30.0) for i in range(terminals)], [(52.0, 21.0)])
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        draw_all(world, columns, Heading("dark"), tmp_path)
        draw_map(world, columns, Heading("dark"), tmp_path)
    for figure in figures[2:4]:
        axes = figure.axes[0]
        said = [text.get_text() for text in axes.texts]
        names = [text.get_text() for text in axes.get_legend().get_texts()] if terminals == 2 else []
        if len(list(dark)) == terminals:
            assert said == ["no link in any slot"]
            assert axes.get_yticks().tolist() == [0.0]
        else:
            assert (said, names) == ([], ["t0 (no link)", "t1"])


@pytest.mark.parametrize("slots", [299, 601, 5_759])
def test_the_last_slots_are_on_the_picture(slots: int) -> None:
    values = np.zeros((slots, 2))
    values[-1] = 7.0
    end_us = AT_US + slots * SLOT_US
    at_us, low, _, high = pictures_simulation._grouped(AT_US + SLOT_US * np.arange(slots), values, end_us)
    assert at_us[-1] == end_us
    assert high[-1].tolist() == [7.0, 7.0]
    assert np.isfinite(low).all()
    assert np.all(np.diff(at_us) > 0)
    assert len(at_us) <= 2 * pictures_simulation.MOST_POINTS + 1


def test_every_picture_tells_of_a_shift_and_of_a_run_that_was_cut_off(
    figures: list[Any], tmp_path: Path
) -> None:
    world = world_of([(50.0, 30.0)], [(52.0, 21.0)], shift_us=-24 * 86_400_000_000)
    heading = Heading.of("A $20 night", world, slots=3, slots_asked=8)
    drawn = draw_all(world, columns_of(3, 1), heading, tmp_path)
    drawn += draw_map(world, columns_of(3, 1), heading, tmp_path)
    assert len(figures) == len(drawn) == 4
    for figure in figures:
        title = figure.axes[0].get_title(loc="left")
        assert title.startswith("A $20 night: ")
        assert title.endswith("\nall epochs of the catalogue shifted by -24.00 days; partial: 3 of 8 slots")
    whole = Heading.of("A night", world_of([], []), slots=8, slots_asked=8)
    assert whole.note == ""


def test_dollars_and_unbalanced_formulas_in_names_are_drawn_as_they_are(tmp_path: Path) -> None:
    world = world_of([(50.0, 30.0)], [(52.0, 21.0)])
    world.terminals[0].id = r"a $\nonsense$ b"
    world.ground.gateways[0].name = r"$x_$"
    heading = Heading(r"$\frac{$ and $y$")
    draw_all(world, columns_of(2, 1), heading, tmp_path)
    draw_map(world, columns_of(2, 1), heading, tmp_path)


def test_a_map_over_the_antimeridian_is_small_and_its_lines_are_short(
    figures: list[Any], tmp_path: Path
) -> None:
    world = world_of([(-43.95, -176.55), (-36.85, 174.76)], [(-46.5, 168.4)])
    draw_map(world, columns_of(4, 2), Heading("New Zealand"), tmp_path)
    axes = figures[0].axes[0]
    west, east = axes.get_xlim()
    assert 160 < west < 168.4
    assert 183.45 < east < 190
    lines = next(c for c in axes.collections if type(c).__name__ == "LineCollection").get_segments()
    assert len(lines) == 2
    assert all(abs(a[0] - b[0]) < 20 for a, b in lines)
    # A degree east of the antimeridian is written as people write it.
    assert axes.xaxis.get_major_formatter()(181.0, 0) == "-179"


def test_a_line_that_leaves_a_map_of_the_world_comes_back_on_its_other_side(
    figures: list[Any], tmp_path: Path
) -> None:
    # Spread so evenly that the map must be torn somewhere; the links are short all the same.
    longitudes = [-175.0, -120.0, -60.0, 0.0, 60.0, 120.0, 175.0]
    world = world_of([(0.0, lon) for lon in longitudes], [(10.0, -150.0)])
    draw_map(world, columns_of(2, 7), Heading("round the world"), tmp_path)
    axes = figures[0].axes[0]
    lines = next(c for c in axes.collections if type(c).__name__ == "LineCollection").get_segments()
    assert all(abs(a[0] - b[0]) <= 180 for a, b in lines)
    centre = sum(axes.get_xlim()) / 2
    # Whatever stands outside on one side stands inside on the other: both pieces are there.
    torn = [line for line in lines if any(abs(x - centre) > 180 for x, _ in line)]
    assert len(lines) == len(longitudes) + len(torn) // 2


@given(LONGITUDES)
def test_the_centre_is_that_of_the_shortest_stretch(longitudes: list[float]) -> None:
    ring = np.array(longitudes)
    centre = pictures_map._centre(ring)
    ours = np.abs(pictures_map._wrapped(ring - centre)).max()
    # Brute force: the middle of any stretch between two of them.
    halves = [
        np.abs(pictures_map._wrapped(ring - (a + pictures_map._wrapped(b - a) / 2 + turn))).max()
        for a in ring
        for b in ring
        for turn in (0.0, 180.0)
    ]
    assert -180.0 <= centre <= 180.0
    assert ours <= min(halves) + 1e-6
