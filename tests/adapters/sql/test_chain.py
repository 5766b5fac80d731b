"""A row's hash is over the text that the documents give, and of nothing that is no row."""

from __future__ import annotations

import hashlib
import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from skylift.adapters.sql.chain import row_hash
from skylift.base.errors import Refused

whole = st.text(st.characters(exclude_categories=["Cs"]))
numbers = st.integers(-(2**63), 2**63 - 1)
ROWS = st.fixed_dictionaries(
    {
        **dict.fromkeys(("sequence", "at_us", "version"), numbers),
        **dict.fromkeys(("by_id", "name", "subject_id", "payload", "previous_hash", "hash"), whole),
        "cause_id": st.none() | whole,
    }
)


@given(ROWS)
def test_the_hash_is_over_the_row_as_json(row: dict[str, Any]) -> None:
    # As docs/reference/store.md tells anybody to check it.
    columns = {name: value for name, value in row.items() if name != "hash"}
    text = json.dumps(columns, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    assert row_hash(row) == hashlib.sha256(text.encode()).hexdigest()


@pytest.mark.parametrize(
    ("column", "value"),
    [("at_us", "1"), ("at_us", 1.5), ("version", None), ("payload", b"{}"), ("by_id", 1), ("name", "\ud800")],
)
def test_what_no_row_has_is_no_row(column: str, value: Any) -> None:
    row = {
        **dict.fromkeys(("sequence", "at_us", "version"), 1),
        **dict.fromkeys(("by_id", "name", "subject_id", "payload", "previous_hash"), "x"),
        "cause_id": None,
    }
    row_hash(row)
    with pytest.raises(Refused):
        row_hash({**row, column: value})
