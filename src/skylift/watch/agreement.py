"""Several signals of one entity, and the prober's own trouble."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from skylift.watch.samples import Bools, Integers

# Everything falls at once: of at least so many series, at least this share, in at least so many countries.
_GUARD_SERIES = 5
_GUARD_SHARE = 0.8
_GUARD_COUNTRIES = 2


@dataclass(frozen=True, slots=True)
class Agreement:
    """Of each entity, (E,): how many signals are open, and how many could be judged."""

    open: Integers
    judged: Integers

    def agreed(self, least: int = 2) -> Bools:
        """At least `least` signals agree, or all that can be judged where there are fewer."""
        needed = np.minimum(np.maximum(self.judged, 1), least)
        return (self.open >= needed) & (self.judged > 0)


def agreement(opened: Bools, judged: Bools) -> Agreement:
    """Count over signals: opened, judged  (signals, E)."""
    return Agreement((opened & judged).sum(axis=0), judged.sum(axis=0))


def own_trouble(
    low: Bools, judged: Bools, prober: Integers, country: Integers, probers: int
) -> tuple[Bools, Bools]:
    """Which series must not be believed in this bin, as nearly all that their prober sees fell together.

    low, judged      (S,)
    prober, country  (S,), which prober each series comes from, and which country it measures
    returns          (own, unsure), (S,) each; unsure: the prober sees one country alone, and all of it fell:
                     the country's outage and the prober's look the same. Such series stay believed.
    """
    own = np.zeros(low.size, dtype=np.bool_)
    unsure = np.zeros(low.size, dtype=np.bool_)
    for one in range(probers):
        mine = judged & (prober == one)
        seen, fell = int(mine.sum()), int((mine & low).sum())
        if seen < _GUARD_SERIES or fell < _GUARD_SHARE * seen:
            continue
        wide = np.unique(country[mine]).size >= _GUARD_COUNTRIES
        (own if wide else unsure)[prober == one] = True
    return own, unsure
