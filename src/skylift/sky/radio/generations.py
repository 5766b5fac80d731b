"""Generations of one network's satellites, told by their names in a catalogue."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from skylift.base.strict import StrictTable

_KEYS = ("name", "source", "named", "numbered_from", "arrays", "arrays_range")
MOST_ARRAYS = 16


@dataclass(frozen=True, slots=True)
class Generation:
    """Satellites whose name is `named` and a number from `numbered_from` on, with so many arrays each.

    An array has the beams that the file's [satellite] names, and lights each channel by itself.
    """

    name: str
    named: str
    numbered_from: int
    arrays: int


def read_generations(satellite: StrictTable) -> tuple[Generation, ...]:
    """The tables [[satellite.generation]]; none is an answer. Raises Refused."""
    found = []
    for table in satellite.tables("generation", _KEYS):
        table.text("source")
        arrays = table.whole("arrays", minimum=1, maximum=MOST_ARRAYS)
        if table.has("arrays_range"):
            ends = table.numbers("arrays_range", minimum=0, maximum=MOST_ARRAYS)
            if len(ends) != 2 or not ends[0] <= arrays <= ends[1]:
                raise table.refused(
                    "arrays_range", "it is [lowest, highest] and holds arrays", "write what the sources say"
                )
        found.append(
            Generation(
                name=table.text("name"),
                named=table.text("named"),
                numbered_from=table.whole("numbered_from", minimum=0),
                arrays=arrays,
            )
        )
    return tuple(found)


def generation_of(generations: Sequence[Generation], names: Sequence[str]) -> npt.NDArray[np.int32]:
    """(N,) index of the generation with the highest `numbered_from` that each name fits; -1 for none."""
    order = sorted(range(len(generations)), key=lambda i: generations[i].numbered_from)
    found = np.full(len(names), -1, dtype=np.int32)
    for index in order:
        one = generations[index]
        pattern = re.compile(re.escape(one.named) + r"(\d{1,9})(?!\d)")
        for at, name in enumerate(names):
            match = pattern.match(name)
            if match is not None and int(match.group(1)) >= one.numbered_from:
                found[at] = index
    return found


def arrays_of(generations: Sequence[Generation], names: Sequence[str]) -> npt.NDArray[np.int32] | None:
    """(N,) arrays of satellites of these names; None where all have one."""
    of = generation_of(generations, names)
    if not (of >= 0).any():
        return None
    # The last is for -1: whoever is of none of them.
    return np.array([*(one.arrays for one in generations), 1], dtype=np.int32)[of]
