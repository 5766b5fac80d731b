from __future__ import annotations

import dataclasses

import numpy as np
import pytest

from skylift.base.link import LinkTable, WhyDown


def a_table(paths: list[list[int]]) -> LinkTable:
    rows = len(paths)
    columns = {field.name: np.zeros(rows) for field in dataclasses.fields(LinkTable)}
    return LinkTable(
        **{
            **columns,
            "at_us": 0,
            "path": np.array([s for path in paths for s in path], dtype=np.int32),
            "path_offset": np.cumsum([0, *map(len, paths)]),
        }
    )


def test_each_terminal_gets_its_own_path() -> None:
    paths = [[5], [], [9, 8, 7], [], [1, 2]]
    table = a_table(paths)
    assert [table.path_of(row).tolist() for row in range(5)] == paths


def test_a_table_of_no_path_at_all() -> None:
    assert a_table([[]]).path_of(0).tolist() == []


def test_a_table_cannot_be_changed_in_passing() -> None:
    with pytest.raises(dataclasses.FrozenInstanceError):
        a_table([[1]]).at_us = 5  # type: ignore[misc]


def test_stored_reasons_never_change_their_number_or_name() -> None:
    """They stand in files that people keep; new ones may be added behind, none may move."""
    stored = {
        "up": 0,
        "no_satellite": 1,
        "obstructed": 2,
        "geo_arc": 3,
        "no_gateway": 4,
        "region_not_active": 5,
        "terminal_off": 6,
        "no_ephemeris": 7,
        "no_capacity": 8,
    }
    now = {reason.label: int(reason) for reason in WhyDown}
    assert {name: now.get(name) for name in stored} == stored
    assert max(now.values()) < 256  # LinkTable.why_down is uint8
