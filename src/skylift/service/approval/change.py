"""The exact change that people agree to, as one hash: whatever is altered later needs a new agreement."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from typing import Any


def change_hash(verb: str, subject_id: str, version: int, arguments: Mapping[str, Any]) -> str:
    """SHA-256 of what is to be done: the verb, the thing at the version that was seen, and all arguments.

    arguments  plain JSON values; their order does not count, everything else does
    Raises ValueError for values that JSON has no word for, nan among them.
    """
    exact = [verb, subject_id, version, arguments]
    text = json.dumps(exact, sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False)
    return hashlib.sha256(text.encode()).hexdigest()
