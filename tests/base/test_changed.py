"""What is changed of a thing quickly is what `dataclasses.replace` would make of it."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from skylift.base.things import changed


@dataclass(frozen=True)
class Box:
    id: str
    holds: tuple[str, ...] = ()
    notes: dict[str, int] = field(default_factory=dict)
    weight_kg: float | None = None


FIELDS = {"id": st.text(), "holds": st.tuples(st.text()), "weight_kg": st.none() | st.floats(allow_nan=False)}


@given(st.fixed_dictionaries({}, optional=FIELDS), st.fixed_dictionaries({}, optional=FIELDS))
def test_it_is_what_replace_makes(first: dict[str, Any], then: dict[str, Any]) -> None:
    box = Box("box_1", notes={"a": 1})
    slow, quick = replace(replace(box, **first), **then), changed(changed(box, **first), **then)
    assert (quick, hash(quick.id), repr(quick)) == (slow, hash(slow.id), repr(slow))
    assert box == Box("box_1", notes={"a": 1}), "the one before stays as it is"


def test_it_has_no_other_fields() -> None:
    with pytest.raises(TypeError, match="'wieght_kg'"):
        changed(Box("box_1"), wieght_kg=1.0)
