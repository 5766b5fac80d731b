"""What else the machine did while something was measured: by the clock nothing is judged on a busy one."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

# Of all cores together. More than that, and what is waited for is not ours alone.
QUIET_FRACTION = 0.05
_STAT = Path("/proc/stat")


class Others:
    """Watches the machine from now on. ours_s: CPU seconds so far of all that belongs to the measurement."""

    def __init__(self, ours_s: Callable[[], float]) -> None:
        self._ours_s = ours_s
        self._began = (*_spent_s(), ours_s())

    def fraction(self) -> float:
        """CPU time that others took since, stolen time among it, of all there was; nan where not told."""
        busy_s, all_s = _spent_s()
        busy_s, all_s = busy_s - self._began[0], all_s - self._began[1]
        return (busy_s - (self._ours_s() - self._began[2])) / all_s if all_s else float("nan")


def _spent_s() -> tuple[float, float]:
    """Seconds of all cores since the start: busy or stolen ones, and all (proc(5): stat's first line)."""
    if not _STAT.exists():
        return 0.0, 0.0
    ticks = [int(word) for word in _STAT.read_text().splitlines()[0].split()[1:9]]
    idle = ticks[3] + ticks[4]
    per_s = os.sysconf("SC_CLK_TCK")
    return (sum(ticks) - idle) / per_s, sum(ticks) / per_s
