"""The journal's chain: what a row's hash is over, the same bytes on every database.

Anyone can check it without skylift: the hash is SHA-256 over the row's columns but `hash`, as one JSON object
with sorted keys, without spaces, in UTF-8. `payload` is a text there, as it is in the table, so that no other
program's way of writing numbers matters.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from typing import Any

from skylift.base.errors import Refused

HASHED_COLUMNS = (
    "sequence",
    "at_us",
    "by_id",
    "name",
    "subject_id",
    "cause_id",
    "version",
    "payload",
    "previous_hash",
)

_encode = json.JSONEncoder(sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False).encode


def canonical(value: Any) -> str:
    """JSON with sorted keys and no spaces; the same value gives the same text.

    Raises Refused for what JSON cannot hold: NaN, infinity, half a character.
    """
    try:
        text = _encode(value)
        text.encode()
    except (ValueError, TypeError):
        raise Refused(
            "store.not-json",
            "a value to be kept",
            "it is not JSON: numbers are finite, texts are whole characters",
            "correct the value",
        ) from None
    return text


def row_hash(columns: Mapping[str, Any]) -> str:
    """The hash of a journal row, in hex, from its columns (HASHED_COLUMNS; others are left out)."""
    return hashlib.sha256(canonical({name: columns[name] for name in HASHED_COLUMNS}).encode()).hexdigest()
