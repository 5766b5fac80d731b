"""How old elements are at an asked time: SGP4 drifts by kilometres within days, whatever it is given."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from skylift.base.errors import Refused
from skylift.base.instants import format_instant
from skylift.base.units import US_PER_DAY
from skylift.sky.orbit.catalogue import Catalogue

# The bound of this project: beyond it, elements are reported.
STALE_AFTER_US = 30 * US_PER_DAY


@dataclass(frozen=True, slots=True)
class StaleElements:
    """Objects whose elements are more than 30 days away from an asked instant.

    count      how many objects, of `objects`
    worst_us   the greatest age in size; negative where the elements are younger than the instant
    norad, at  the object and the instant of the worst
    """

    count: int
    objects: int
    worst_us: int
    norad: int
    at: int

    def __str__(self) -> str:
        days = abs(self.worst_us) / US_PER_DAY
        older = "older" if self.worst_us > 0 else "younger"
        return (
            f"the elements of {self.count} of {self.objects} objects are more than 30 days from the asked"
            f" time; the worst, of {self.norad}, are {days:.1f} days {older} than {format_instant(self.at)}"
        )


def stale_elements(
    catalogue: Catalogue, at_us: Sequence[int] | npt.NDArray[np.int64]
) -> StaleElements | None:
    """What must be warned of when a catalogue is propagated to these instants; None if all is fresh."""
    instants = np.asarray(at_us, dtype=np.int64)
    if len(instants) == 0 or len(catalogue) == 0:
        return None
    # The worst instant of an object is the first or the last one.
    ends = np.array([instants.min(), instants.max()])
    ages_us = ends[:, np.newaxis] - catalogue.epoch_us
    stale = np.abs(ages_us) > STALE_AFTER_US
    if not stale.any():
        return None
    end, index = np.unravel_index(np.argmax(np.abs(ages_us)), ages_us.shape)
    return StaleElements(
        count=int(stale.any(axis=0).sum()),
        objects=len(catalogue),
        worst_us=int(ages_us[end, index]),
        norad=int(catalogue.norad[index]),
        at=int(ends[end]),
    )


def refuse_stale(stale: StaleElements | None, thing: str = "the catalogue") -> None:
    """For `--strict-epoch`: a warning becomes a refusal."""
    if stale is not None:
        raise Refused(
            "catalogue.stale",
            thing,
            str(stale),
            "take elements nearer to that time, ask for another time, or leave out --strict-epoch",
        )
