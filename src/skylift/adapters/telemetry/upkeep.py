"""What the writer does between posts: a little at a time, so that nobody waits for it."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable

from skylift.adapters.telemetry.store import TelemetrySql
from skylift.base.errors import SkyliftError
from skylift.ports.telemetry import Keep

log = logging.getLogger("skylift.telemetry")

# So many hours of terminals are rolled at once: about 10 ms.
AT_ONCE = 30
# Of the writer's time, rolling takes at most this share while posts wait.
SHARE = 0.2
TIDY_EVERY_S = 3_600.0
REST_S = 30.0


class Upkeep:
    """Rolls hours that are over, and forgets what is too old. On the writer's thread alone."""

    def __init__(self, store: TelemetrySql, keep: Keep, now: Callable[[], int]) -> None:
        self._store = store
        self._keep = keep
        self._now = now
        self._not_before_s = 0.0
        self._tidy_at_s = 0.0

    def a_little(self) -> None:
        """Some of what there is to do, if its time has come."""
        began = time.monotonic()
        if began < self._not_before_s:
            return
        try:
            left = self._store.roll(self._now(), AT_ONCE)
            if not left and began >= self._tidy_at_s:
                self._store.tidy(self._now(), self._keep)
                self._tidy_at_s = began + TIDY_EVERY_S
        except SkyliftError as error:
            log.warning("telemetry is not rolled up: %s", error.rule)
            left = 0
        took = time.monotonic() - began
        self._not_before_s = time.monotonic() + (took / SHARE if left else REST_S)
