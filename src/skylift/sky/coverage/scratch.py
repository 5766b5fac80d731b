"""Arrays that are used again: fresh pages cost more than the work done in them (1 GB/s, measured)."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt


class Scratch:
    """Named flat arrays that only grow. One owner, one thread."""

    def __init__(self) -> None:
        self._held: dict[str, npt.NDArray[Any]] = {}

    def room(self, name: str, size: int, kind: type[np.generic]) -> npt.NDArray[Any]:
        """The first `size` elements of the array `name`, holding whatever was left in them."""
        held = self._held.get(name)
        if held is None or len(held) < size:
            held = np.empty(size + size // 4, dtype=kind)
            self._held[name] = held
        return held[:size]
