"""Named random streams from one root seed: adding one terminal shifts no other."""

from __future__ import annotations

import hashlib

import numpy as np

from skylift.base.errors import Refused


def random_stream(root_seed: int, name: str) -> np.random.Generator:
    """The stream called `name` of this seed: always the same, and no other stream can shift it."""
    if root_seed < 0:
        raise Refused(
            "seed.negative", "seed", "it must be zero or a positive whole number", "drop the minus sign"
        )
    digest = hashlib.blake2b(name.encode(), digest_size=16).digest()
    key = tuple(int.from_bytes(digest[i : i + 4], "little") for i in range(0, 16, 4))
    # The one place that may call it: everybody else asks for a stream by name.
    return np.random.default_rng(np.random.SeedSequence(root_seed, spawn_key=key))  # noqa: TID251
