"""What every reader of element sets shares: what was read, what was skipped, the newest set per object."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from skylift.base.errors import Refused
from skylift.sky.orbit.catalogue import Catalogue

MAX_MEAN_MOTION_REV_PER_DAY = 18.0
MAX_NORAD = 999_999_999  # nine digits in OMM (CCSDS 502.0-B-3, NORAD_CAT_ID); int32 holds them

# C0, DEL and C1.
CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f]+")
LENIENT_WAY_OUT = "fetch the file again, mend the line, or skip bad records with --lenient"


@dataclass(frozen=True, slots=True)
class Skipped:
    """One record that a lenient reading left out.

    line    number of its first offending line in the file, from 1 (for JSON: of the record, from 1)
    object  its catalogue number or name, as far as legible; "" where not
    reason  the rule that it broke
    """

    line: int
    object: str
    reason: str


@dataclass(frozen=True, slots=True)
class CatalogueFile:
    """A catalogue as read: one element set per object, ascending by NORAD number.

    skipped     what a lenient reading left out; empty after a strict one
    format      "tle", "omm-json", "omm-csv", "omm-xml" or "omm-kvn"
    duplicates  element sets dropped because the file holds a newer one of the same object
    """

    catalogue: Catalogue
    skipped: tuple[Skipped, ...]
    format: str
    duplicates: int


@dataclass(frozen=True, slots=True)
class Problem:
    """Why one record cannot be used; raised when strict, noted when lenient."""

    line: int
    object: str
    code: str
    rule: str
    where: str = "line"

    def refusal(self, source: str) -> Refused:
        of = f" ({self.object})" if self.object else ""
        return Refused(
            f"catalogue.{self.code}", f"{source}, {self.where} {self.line}{of}", self.rule, LENIENT_WAY_OUT
        )


def first_problems(
    checks: Iterable[tuple[npt.NDArray[np.bool_], Callable[[int], Problem]]], count: int
) -> dict[int, Problem]:
    """The first broken rule of each record: {index: problem}.

    checks  pairs of (bad (count,), text maker for one index), most telling rule first
    """
    problems: dict[int, Problem] = {}
    seen = np.zeros(count, dtype=np.bool_)
    for bad, describe in checks:
        for index in np.flatnonzero(bad & ~seen):
            problems[int(index)] = describe(int(index))
        seen |= bad
    return problems


def settle(problems: Sequence[Problem], source: str, lenient: bool) -> tuple[Skipped, ...]:
    """Raise the first problem of the file, or, when lenient, list them all in the file's order."""
    ordered = sorted(problems, key=lambda problem: problem.line)
    if ordered and not lenient:
        raise ordered[0].refusal(source)
    return tuple(Skipped(problem.line, problem.object, problem.rule) for problem in ordered)


def newest_only(catalogue: Catalogue) -> tuple[Catalogue, int]:
    """One element set per object, ascending by NORAD number, and how many older ones were dropped.

    The newest epoch wins; of equal epochs the one that stands last in the file.
    """
    order = np.lexsort((np.arange(len(catalogue)), catalogue.epoch_us, catalogue.norad))
    norad = catalogue.norad[order]
    last = np.ones(len(order), dtype=np.bool_)
    last[:-1] = norad[1:] != norad[:-1]
    kept = order[last]
    if len(kept) == len(catalogue) and np.array_equal(kept, np.arange(len(kept))):
        return catalogue, 0
    return catalogue.take(kept), len(catalogue) - len(kept)


def finish(
    catalogue: Catalogue, problems: Sequence[Problem], source: str, lenient: bool, file_format: str
) -> CatalogueFile:
    """Settle the problems, refuse an empty result, keep the newest set per object."""
    skipped = settle(problems, source, lenient)
    if not len(catalogue):
        raise Refused(
            "catalogue.empty",
            source,
            "a catalogue holds at least one usable element set"
            + (f"; {len(skipped)} bad records were skipped" if skipped else ""),
            "fetch it anew with `skylift catalogue fetch`, or check that this is the file you meant",
        )
    unique, duplicates = newest_only(catalogue)
    return CatalogueFile(unique, skipped, file_format, duplicates)
