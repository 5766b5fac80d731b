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

# A text in quotes, as `_encode` writes it.
_text = json.encoder.encode_basestring
# What is kept was made of things or read from JSON, and goes round in no circle: looking for one takes time.
_encode = json.JSONEncoder(
    sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False, check_circular=False
).encode


def canonical(value: Any) -> str:
    """JSON with sorted keys and no spaces; the same value gives the same text.

    Raises Refused for what JSON cannot hold: NaN, infinity, half a character.
    """
    try:
        text = _encode(value)
        text.encode()
    except (ValueError, TypeError):
        raise _not_json() from None
    return text


def _not_json() -> Refused:
    return Refused(
        "store.not-json",
        "a value to be kept",
        "it is not JSON: numbers are finite, texts are whole characters",
        "correct the value",
    )


def row_hash(columns: Mapping[str, Any]) -> str:
    """The hash of a journal row, in hex, from its columns; `hash` itself is left out.

    The text is that of `canonical`, written out: each row of an import needs it, and each of an audit.
    """
    try:
        cause = "null" if columns["cause_id"] is None else _text(columns["cause_id"])
        text = (
            f'{{"at_us":{columns["at_us"]:d},"by_id":{_text(columns["by_id"])},"cause_id":{cause},'
            f'"name":{_text(columns["name"])},"payload":{_text(columns["payload"])},'
            f'"previous_hash":{_text(columns["previous_hash"])},"sequence":{columns["sequence"]:d},'
            f'"subject_id":{_text(columns["subject_id"])},"version":{columns["version"]:d}}}'
        )
        return hashlib.sha256(text.encode()).hexdigest()
    except (ValueError, TypeError):
        raise _not_json() from None
