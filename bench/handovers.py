"""How many pairs that could go on are dropped from slot to slot, and what the slot before costs.

`python -m bench.handovers [KEEP_LEVEL ...]` prints the table of docs/why/011: six slots of 15 s after a first
one over Ukraine (real cells and catalogue) at four demands, eleven of 100 cells under a Walker shell (three
seeds) at three; each with every bonus given (0, 0.02, 0.05 and 0.1 of a level if none is).

CPU times are those of slots that lean on the one before. No case of `make bench`: it has no bound.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import cache
from typing import TYPE_CHECKING, Any

import numpy as np
from rich.console import Console
from rich.table import Table

from bench.schedule import AROUND, CATALOGUE, judges, slot_of
from skylift.base.geodesy import Place
from skylift.base.randomness import random_stream

if TYPE_CHECKING:
    from skylift.sky.schedule.problem import Slot

BONUSES = (0.0, 0.02, 0.05, 0.1)
# Parts of a demand of which beams could give 57 %.
DEMAND_BPS, LOADS = 1.5e12, (0.3, 0.6, 1.0, 3.0)
# What is wanted over what 14 satellites' beams could carry, about (tests/sky/schedule/conftest.py).
SMALL = {"100 cells, everybody full": 0.15, "100, a little short": 0.4, "100, far too little": 1.5}
SEEDS = range(3)
SLOTS_AFTER, SLOT_US = 6, 15_000_000
# The table's, where it goes into a file.
FILE_COLUMNS = 120


def sequences() -> Any:
    """The module of the tests that makes slots in turn and counts what is dropped."""
    return judges("schedule_sequences")


@cache
def ukraine(count: int = SLOTS_AFTER + 1) -> list[Slot]:
    """Slots of 15 s that follow one another: the real catalogue, and the same demand in each."""
    import h3

    from skylift.adapters.catalogue_files import read_catalogue
    from skylift.adapters.outlines import country_outline
    from skylift.base.places import cells_of
    from skylift.sky.orbit.propagate import Propagator

    places = [Place(*h3.cell_to_latlng(cell)) for cell in cells_of(country_outline("UA"), 5)]
    gateways = [Place(float(a), float(b)) for a, b in AROUND]
    catalogue = read_catalogue(CATALOGUE).catalogue
    propagator, first_us = Propagator(catalogue), int(np.median(catalogue.epoch_us))
    slots = []
    for k in range(count):
        edges_us = first_us + SLOT_US * k + np.array([0, SLOT_US // 2, SLOT_US], dtype=np.int64)
        position_m = np.asarray(propagator.ephemeris(edges_us, frame="itrs").position_ecef_m)
        random = random_stream(1, "bench/handovers")
        slots.append(slot_of(position_m, places, gateways, random, DEMAND_BPS))
    return slots


def loaded(load: float) -> list[Slot]:
    """Ukraine with a part of that demand."""
    cells = replace(ukraine()[0].cells, wanted_bps=ukraine()[0].cells.wanted_bps * load)
    return [replace(slot, cells=cells) for slot in ukraine()]


def small(seed: int, load: float) -> list[Slot]:
    """Twelve slots of 100 cells."""
    cells = judges("conftest").make_slot(seed, cells=100, load=load).cells
    made: list[Slot] = sequences().shell_slots(seed, cells, 0.0)
    return made


@dataclass(frozen=True, slots=True)
class Line:
    """A line of the table: parts of pairs and cells; means over slots; the median of CPU times."""

    kind: str
    bonus: float
    dropped: float
    changed: float
    served_gbps: float
    least: float
    nothing: int
    cpu_ms: float


def line(kind: str, bonus: float, runs: list[list[Slot]]) -> Line:
    """What sequences of slots give together, every slot with the bonus."""
    from skylift.sky.schedule.scheduler import BeamScheduler

    kept, cpu_s = sequences().Kept(), []
    for slots in runs:
        keeper, before = BeamScheduler(slots[0].cells.position_ecef_m), None
        for slot in slots:
            slot = replace(slot, rules=replace(slot.rules, keep_level=bonus))
            began = time.process_time()
            made = keeper.schedule(slot, before)
            if before is not None:
                cpu_s.append(time.process_time() - began)
            kept.add(slot, before, made)
            before = made
    return Line(
        kind, bonus, kept.part, kept.changed_part, float(np.mean(kept.served)) / 1e9,
        float(np.mean(kept.least)), kept.nothing, 1e3 * float(np.median(cpu_s)),
    )  # fmt: skip


def kinds() -> Iterator[tuple[str, list[list[Slot]]]]:
    """Each kind of slot, and its sequences."""
    for name, load in SMALL.items():
        yield name, [small(seed, load) for seed in SEEDS]
    if CATALOGUE.exists():
        for load in LOADS:
            yield f"Ukraine, {load:g} of the demand", [loaded(load)]


def main(bonuses: list[float]) -> None:
    table = Table(title="slots of 15 s, each with the one before")
    columns = (
        "kind",
        "bonus",
        "dropped %",
        "changed %",
        "Gb/s",
        "least level",
        "cells with nothing",
        "CPU ms",
    )
    for title in columns:
        table.add_column(title, justify="left" if title == "kind" else "right")
    for kind, runs in kinds():
        for bonus in bonuses:
            x = line(kind, bonus, runs)
            table.add_row(
                kind, f"{bonus:g}", f"{100 * x.dropped:.1f}", f"{100 * x.changed:.1f}",
                f"{x.served_gbps:.4g}", f"{x.least:.3f}", str(x.nothing), f"{x.cpu_ms:.0f}",
            )  # fmt: skip
    Console(width=None if sys.stdout.isatty() else FILE_COLUMNS).print(table)


if __name__ == "__main__":
    main([float(text) for text in sys.argv[1:]] or list(BONUSES))
