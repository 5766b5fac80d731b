"""A simulation from files to files: load, compute windows in processes, put together, summarise, draw."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from skylift.adapters.links_file import Names
from skylift.adapters.scenario_files import Loaded, Sources, load_world
from skylift.adapters.schedule_file import Origin, put_together
from skylift.adapters.simulation_files import (
    PARTS,
    Folder,
    check_schedule_to_resume,
    finished_summary,
    windows_of,
)
from skylift.adapters.simulation_report import slot_columns, summary_of, write_summary
from skylift.adapters.workers import compute_windows
from skylift.base.errors import Refused, Unavailable
from skylift.study.tally import concatenated

# Called with slots done and slots in all.
Report = Callable[[int, int], None]

PICTURES = ("availability.png", "in_view.png", "delay.png", "rates.png", "map.png")
RESULTS = ("links.parquet", "summary.json", "summary.md", *PICTURES)


@dataclass(frozen=True, slots=True)
class Options:
    """Where to and how. workers 0: one for each core that this process may use.

    schedule  a file for the beam schedule; None: it is not written
    """

    out: Path
    workers: int = 0
    resume: bool = False
    pictures: bool = True
    schedule: Path | None = None


@dataclass(frozen=True, slots=True)
class Outcome:
    summary: dict[str, Any]
    pictures: tuple[str, ...]


def run(sources: Sources, options: Options, report: Report) -> Outcome:
    """Simulate; on Ctrl-C what is finished is put together and says so. Raises Refused before it writes."""
    loaded = load_world(sources)
    _spare(loaded.files, options)
    try:
        return _run(loaded, options, report)
    except OSError as error:
        raise Unavailable(
            "simulate.unwritable",
            f"folder {options.out}",
            f"results could not be written ({error.strerror or error})",
            "check that it can be written and has space; --resume goes on with what is finished",
        ) from None


def _spare(inputs: tuple[Path, ...], options: Options) -> None:
    """Refuses a file of beams that would be written over what was read, or over other results.

    Raises Refused. Paths are compared as the disk resolves them: `a/../b` and links are no way round.
    """
    if options.schedule is None:
        return
    target, out = options.schedule.resolve(), options.out.resolve()
    if any(target == path.resolve() for path in inputs):
        raise Refused(
            "output.is-input",
            "--schedule",
            "the run reads this file",
            "give the file of beams another name, such as beams.parquet",
        )
    within = target.relative_to(out).parts if target.is_relative_to(out) else ()
    if within and (within[0] == PARTS or (len(within) == 1 and within[0] in RESULTS)):
        raise Refused(
            "output.taken",
            "--schedule",
            "this file of the folder holds other results",
            "name it beams.parquet",
        )


def _run(loaded: Loaded, options: Options, report: Report) -> Outcome:
    world, scenario = loaded.world, loaded.scenario
    windows = windows_of(world, scenario.start_us, scenario.end_us)
    total = sum(w.slots for w in windows)
    if total == 0:
        raise Refused(
            "simulate.no_slot",
            f"{scenario.source}: start and end",
            "no slot begins between them; slots begin at :12, :27, :42 and :57 of each minute",
            "give a longer duration_h or a later end",
        )
    if options.resume:
        check_schedule_to_resume(options.schedule, loaded.fingerprint)
    if (
        options.resume
        and (summary := finished_summary(options.out, loaded.fingerprint, options.schedule)) is not None
    ):
        report(total, total)
        return Outcome(summary, tuple(name for name in PICTURES if (options.out / name).exists()))
    folder = Folder(options.out, loaded.fingerprint, options.resume, options.schedule is not None)
    todo = [(w, folder.part(w)) for w in windows if not folder.has(w)]
    done = total - sum(w.slots for w, _ in todo)

    def on_slots(count: int) -> None:
        nonlocal done
        done += count
        report(done, total)

    report(done, total)
    finished = compute_windows(world, todo, options.workers or len(os.sched_getaffinity(0)), on_slots)
    return _finish(loaded, folder, options, total, finished)


def _finish(loaded: Loaded, folder: Folder, options: Options, total: int, finished: bool) -> Outcome:
    world, scenario = loaded.world, loaded.scenario
    names = Names.of(world)
    windows = windows_of(world, scenario.start_us, scenario.end_us)
    parts = [
        slot_columns(part, len(world.terminals), names.gateways, world.capacity is not None)
        for part in folder.put_together(windows, names)
    ]
    if options.schedule is not None:
        beams = folder.schedules(windows)
        slots = sum(window.slots for window in windows[: len(beams)])
        put_together(beams, names, options.schedule, Origin(loaded.fingerprint, slots))
    columns = concatenated(parts, len(world.terminals))
    about = {
        "title": scenario.title,
        "seed": scenario.seed,
        "slots_asked": total,
        "inputs": loaded.inputs,
        "fingerprint": loaded.fingerprint,
    }
    summary = summary_of(world, columns, about, loaded.warnings, finished)
    pictures: list[str] = []
    if options.pictures:
        # matplotlib costs half a second: only where pictures are asked for.
        from skylift.adapters.pictures_map import draw_map
        from skylift.adapters.pictures_simulation import Heading, draw_all

        heading = Heading.of(scenario.title, world, len(columns.at_us), total)
        pictures = draw_all(world, columns, heading, options.out)
        pictures += draw_map(world, columns, heading, options.out)
    write_summary(options.out, summary, pictures)
    for name in set(PICTURES).difference(pictures):
        # Of an earlier run: beside these results it would mislead.
        (options.out / name).unlink(missing_ok=True)
    if finished:
        folder.finish()
    return Outcome(summary, tuple(pictures))
