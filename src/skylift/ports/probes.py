"""Signals of connectivity as a port: recorded files, other observatories, probing, routes, own terminals."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol


@dataclass(frozen=True, slots=True)
class Signal:
    """What is measured, by whom, how often.

    name        "ping-slash24", "bgp-prefixes"
    prober      who measures it: what comes from one prober can fall by its own trouble
    step_us     width of a bin; a bin begins at a whole multiple of it since 1970
    full_scale  the value that means all of it; 0 where values are counts without an end
    synthetic   made-up data: everything that comes of it says so
    """

    name: str
    prober: str
    step_us: int
    full_scale: float = 0.0
    synthetic: bool = False


@dataclass(frozen=True, slots=True)
class Measured:
    """Of what a sample is.

    kind  country, region, as, as-with-customer-cone, city, cell, polygon, own-terminals
    """

    kind: str
    code: str
    country: str = ""
    title: str = ""


@dataclass(frozen=True, slots=True)
class Sample:
    """One value of one entity.

    targets  how many were asked; nan where nobody says
    row      where in its source
    """

    at_us: int
    of: Measured
    value: float
    targets: float = math.nan
    row: int = 0


@dataclass(frozen=True, slots=True)
class Left:
    """A row of a source that cannot be used, and why; 0 where it has no rows."""

    row: int
    reason: str


@dataclass(frozen=True, slots=True)
class Gathered:
    """Samples in any order. complete_until_us: of bins that begin before it nothing more is expected."""

    samples: Sequence[Sample]
    complete_until_us: int
    left: Sequence[Left] = ()


@dataclass(frozen=True, slots=True)
class Status:
    """One thing (a mobile site, a terminal of ours) is on the air, or is not. thing: told to nobody."""

    at_us: int
    thing: str
    of: Measured
    up: bool
    row: int = 0


class Statuses(Protocol):
    """Where such statuses come from: a file, or the service's own telemetry."""

    def read(self, since_us: int, until_us: int) -> tuple[Sequence[Status], Sequence[Left]]:
        """Those of [since, until), in any order, and rows that cannot be used."""
        ...


class Probes(Protocol):
    """One source of one signal."""

    @property
    def signal(self) -> Signal: ...

    def gather(self, since_us: int, until_us: int) -> Gathered:
        """Samples of bins that begin at `since_us` or later, before `until_us`; others may come with them.

        since_us  0 at the first asking: all that it has, or as much as a baseline needs
        Raises Unavailable where the world does not let it measure now: the caller asks again later, from the
        same instant on.
        """
        ...
