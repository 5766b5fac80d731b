"""Which terminals have an emulated dish just now, and why it is off the air."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping

# Whoever serves dishes says so every second or so.
HOLDS_S = 20.0


class DishLeases:
    """Which terminals have an emulated dish, and why it is off the air; lives in the event loop."""

    def __init__(self, seconds: Callable[[], float] = time.monotonic) -> None:
        self._seconds = seconds
        self._said: dict[str, tuple[str, float]] = {}

    def say(self, dishes: Mapping[str, str]) -> None:
        until = self._seconds() + HOLDS_S
        self._said.update((id, (off, until)) for id, off in dishes.items())

    def held(self) -> tuple[tuple[str, str], ...]:
        """(terminal, why its dish is off) of those whose process was heard of lately."""
        now = self._seconds()
        self._said = {id: said for id, said in self._said.items() if said[1] > now}
        return tuple((id, off) for id, (off, _) in self._said.items())
