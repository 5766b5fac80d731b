"""Time as a port: only the twin's callers and adapters hold one."""

from __future__ import annotations

from typing import Protocol

from skylift.base.instants import InstantUs


class Clock(Protocol):
    def now(self) -> InstantUs:
        """The present instant, UTC."""
        ...

    def sleep_until(self, at: InstantUs) -> None:
        """Return when `now()` has reached `at`; at once where it already has."""
        ...
