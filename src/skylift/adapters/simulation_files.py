"""A simulation's folder: finished windows as parts, then links.parquet, whole or honestly partial.

A window is the stretch over which hysteresis is remembered (twin/world.py): its rows are a function of
the scenario alone, so windows may be computed anywhere, in any order, and again after a crash, and the
file they are put together to is the same to the byte.
"""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import takewhile
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from skylift.adapters.links_file import Names, links_schema
from skylift.adapters.schedule_file import Origin, may_be_of, origin_of
from skylift.base.errors import Refused
from skylift.twin.world import World

ROWS_PER_GROUP = 1 << 17
# The folder of unfinished runs, within that of the results.
PARTS = ".parts"


@dataclass(frozen=True, slots=True)
class Window:
    """Slots that begin in [start, end) and share one memory."""

    start_us: int
    end_us: int
    slots: int


def windows_of(world: World, start_us: int, end_us: int) -> list[Window]:
    """The memory windows that [start, end) touches, cut to it."""
    windows = []
    at = start_us
    while at < end_us:
        until = min(end_us, (at // world.memory_us + 1) * world.memory_us)
        slots = len(world.slots.starts(at, until))
        if slots:
            windows.append(Window(at, until, slots))
        at = until
    return windows


def _check_same_inputs(path: Path, theirs: str, ours: str) -> None:
    if theirs != ours:
        raise Refused(
            "simulate.other_inputs",
            f"the run in {path}",
            "it was made from other inputs (scenario, catalogue, gateways or version)",
            "leave out --resume to begin anew, or give the same inputs",
        )


def finished_summary(path: Path, fingerprint: str, schedule: Path | None) -> dict[str, Any] | None:
    """summary.json of a folder whose run is complete; Refused where it was made from other inputs.

    schedule  the file of beams that is asked for as well; None where it is not
    """
    try:
        summary = json.loads((path / "summary.json").read_text("utf-8"))
        complete, theirs = bool(summary["complete"]), str(summary["fingerprint"])
    except (OSError, ValueError, KeyError, TypeError):
        return None
    if not complete or not (path / "links.parquet").exists():
        return None
    whole = Origin(fingerprint, int(summary.get("slots", -1)))
    if theirs == fingerprint and schedule is not None and origin_of(schedule) != whole:
        return None
    _check_same_inputs(path, theirs, fingerprint)
    return dict(summary)


def check_schedule_to_resume(schedule: Path | None, fingerprint: str) -> None:
    """Refuses to go on with a run whose file of beams is there already, and is not of this run."""
    if schedule is None or not schedule.is_file():
        return
    if not may_be_of(schedule, fingerprint):
        raise Refused(
            "simulate.other_schedule",
            "--schedule",
            "the file is there, and does not hold the beams of this run",
            "give it another name, or remove it: its beams are then made anew",
        )


@dataclass(frozen=True, slots=True)
class Part:
    """Where one window's rows go: links, and the beam schedule where it is asked for."""

    links: Path
    schedule: Path | None


class Folder:
    """Where one simulation writes. Parts are renamed into place, so a part that exists is whole."""

    def __init__(self, path: Path, fingerprint: str, resume: bool, with_schedule: bool = False) -> None:
        self.path = path
        self._with_schedule = with_schedule
        self._parts = path / PARTS
        if path.exists() and not path.is_dir():
            raise Refused(
                "output.not_a_folder",
                str(path),
                "results go into a folder, and a file stands there",
                "choose another name after -o",
            )
        plan = self._parts / "inputs.json"
        if resume and plan.exists():
            _check_same_inputs(path, json.loads(plan.read_text())["fingerprint"], fingerprint)
            return
        if self._parts.exists():
            shutil.rmtree(self._parts)
        self._parts.mkdir(parents=True)
        # Of an earlier run: after a crash of this one they would pass for its results.
        for name in ("summary.json", "summary.md", "links.parquet"):
            (path / name).unlink(missing_ok=True)
        plan.write_text(json.dumps({"fingerprint": fingerprint}))

    def part(self, window: Window) -> Part:
        links = self._parts / f"{window.start_us}.parquet"
        return Part(links, links.with_suffix(".schedule.parquet") if self._with_schedule else None)

    def has(self, window: Window) -> bool:
        part = self.part(window)
        return part.links.exists() and (part.schedule is None or part.schedule.exists())

    def schedules(self, windows: list[Window]) -> list[Path]:
        """Parts of the schedule of the leading finished windows: those that links.parquet holds as well."""
        finished = [self.part(w).schedule for w in takewhile(self.has, windows)]
        return [part for part in finished if part is not None]

    def put_together(self, windows: list[Window], names: Names) -> Iterator[pa.Table]:
        """Write links.parquet from the leading finished windows; gives each part, mended, as it goes by."""
        target = self.path / "links.parquet"
        unfinished = target.with_suffix(".parquet.part")
        try:
            yield from self._put_together(unfinished, windows, names)
        except OSError:
            unfinished.unlink(missing_ok=True)
            raise
        os.replace(unfinished, target)

    def _put_together(self, unfinished: Path, windows: list[Window], names: Names) -> Iterator[pa.Table]:
        writer = pq.ParquetWriter(
            unfinished,
            links_schema(names),
            compression="zstd",
            use_dictionary=["terminal", "gateway", "pop", "why_down"],
        )
        waiting: list[pa.Table] = []
        before: pa.Table | None = None
        with writer:
            for window in windows:
                if not self.has(window):
                    break
                table = _mend_first_handovers(
                    before, pq.read_table(self.part(window).links), len(names.terminals)
                )
                table = table.cast(links_schema(names))
                before = table.slice(table.num_rows - len(names.terminals))
                waiting.append(table)
                if sum(t.num_rows for t in waiting) >= ROWS_PER_GROUP:
                    _write_group(writer, waiting)
                yield table
            _write_group(writer, waiting)

    def finish(self) -> None:
        """Everything is in links.parquet: the parts are not needed any more."""
        shutil.rmtree(self._parts, ignore_errors=True)


def write_part(table: pa.Table, target: Path) -> None:
    """One window's rows; whole or not there."""
    unfinished = target.with_name(f"{target.name}.{os.getpid()}")
    pq.write_table(table, unfinished, compression="zstd")
    os.replace(unfinished, target)


def _write_group(writer: pq.ParquetWriter, waiting: list[pa.Table]) -> None:
    if waiting:
        whole = pa.concat_tables(waiting).unify_dictionaries().combine_chunks()
        writer.write_table(whole, row_group_size=whole.num_rows)
        waiting.clear()


def _mend_first_handovers(before: pa.Table | None, table: pa.Table, terminals: int) -> pa.Table:
    """The first slot of a window is computed without the one before; only here are both at hand.

    A run's first slot has none before it, though a window that was entered in its middle knows of one.
    """
    now = table["satellite"].slice(0, terminals).combine_chunks()
    was = now if before is None else before["satellite"].combine_chunks()
    changed = pc.fill_null(pc.not_equal(was, now), False).to_numpy(zero_copy_only=False)
    handover = table["handover"].to_numpy(zero_copy_only=False).copy()
    handover[:terminals] = changed
    return table.set_column(
        table.schema.get_field_index("handover"),
        table.schema.field("handover"),
        pa.array(np.asarray(handover)),
    )
