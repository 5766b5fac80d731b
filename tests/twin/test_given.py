"""Reading what a caller says: nothing within it is passed over, nothing of it is repeated."""

from __future__ import annotations

import pytest

from skylift.service.region.events import CellMode, Limits
from skylift.twin.office.given import Strange, convert
from skylift.twin.office.regions import SetCells
from skylift.twin.office.shipments import Lines

CELL = "851e6387fffffff"


def test_what_is_known_is_read() -> None:
    given = {"cells": [CELL], "mode": "restricted", "limits": {"hours_utc": [1, 2]}}
    assert convert(SetCells, given, "") == SetCells((CELL,), CellMode.RESTRICTED, Limits(hours_utc=(1, 2)))


@pytest.mark.parametrize(
    ("kind", "given", "rule", "way_out"),
    [
        (
            SetCells,
            {"cells": [CELL], "mode": "restricted", "limits": {"cap_bps": 1e6}},
            "field 'limits.cap_bps' is not known",
            "speed_cap_bps",
        ),
        (
            Lines,
            {"lines": [{"product": "STD-V2"}, {"product": "STD-V2", "qty": 4}]},
            "field 'lines[...].qty' is not known",
            "quantity",
        ),
        (SetCells, {"cells": [CELL], "mode": "Olena"}, "mode is none of a few words", "waitlist"),
        (
            SetCells,
            {"cells": [CELL], "mode": "enabled", "limits": {"Olena P": 1}},
            "a field of limits",
            "roaming",
        ),
        (SetCells, {"cells": 7, "mode": "enabled"}, "Expected `array`", "the documents"),
    ],
)
def test_what_is_not_is_told_with_the_way_out(
    kind: type[object], given: dict[str, object], rule: str, way_out: str
) -> None:
    with pytest.raises(Strange) as strange:
        convert(kind, given, "the documents")
    assert rule in strange.value.rule
    assert way_out in strange.value.way_out
    assert "Olena" not in strange.value.rule + strange.value.way_out
