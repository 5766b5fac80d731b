"""A report on the outages of a recording: pictures, sentences in two languages, numbers, assumptions."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from skylift import __version__
from skylift.adapters.atomic import write_atomically
from skylift.adapters.outage_files import Recording
from skylift.base.instants import InstantUs, format_instant
from skylift.base.places import Outline
from skylift.base.texts import printable
from skylift.service.outage.events import Entity, EntityKind, Level
from skylift.service.outage.state import Outage as Told
from skylift.service.outage.state import OutageState
from skylift.service.outage.words import percent, sentence
from skylift.study.outages import Detection, Traces
from skylift.watch.detector import Outage, Rules
from skylift.watch.recording import Declared

MOST_SENTENCES = 40
MOST_LISTED = 200
LANGUAGES = {"en": "In English", "uk": "Українською"}


@dataclass(frozen=True, slots=True)
class About:
    """What the reader is told beside what was found.

    kind, country  what the entities are;  signal  which signal it was, "" where nobody said
    baseline       as it was asked for;  synthetic  the data are made up, and everything says so
    """

    title: str
    file: str
    kind: EntityKind
    country: str
    signal: str
    baseline: str
    synthetic: bool

    @property
    def marked(self) -> str:
        title = printable(self.title)
        return f"SYNTHETIC DATA: {title}" if self.synthetic else title


def write_report(
    folder: Path,
    about: About,
    recording: Recording,
    found: Detection,
    traces: Traces,
    areas: Mapping[str, Outline],
    declared: Declared,
) -> list[str]:
    """Pictures and report.md into a folder that is there; returns the names of the files."""
    from skylift.adapters.pictures_outages import draw_map, draw_series, draw_time_line

    files = []
    if traces.series:
        unit = printable(f"{declared.value_column} (0 to {declared.scale_max:g})")
        draw_series(found, traces, f"{about.marked}: beside ordinary", unit, folder / "series.png")
        files.append("series.png")
    if found.outages:
        draw_time_line(found, f"{about.marked}: what fell, and when", folder / "time-line.png")
        files.append("time-line.png")
    if areas:
        draw_map(found, areas, f"{about.marked}: the lowest level", folder / "map.png")
        files.append("map.png")
    write_atomically(folder / "report.md", _text(about, recording, found, declared, files))
    return [*files, "report.md"]


def told(found: Detection, outage: Outage, about: About) -> Told:
    """A detected outage as the service would record it: the same sentence is told of both."""
    grid, name = found.grid, found.entities[outage.series]
    worst, now = _level(found, outage, about), found.now(outage)
    level = worst
    if now is not None:
        fraction, low, high = found.latest.levels[:, outage.series].tolist()
        level = _level(found, replace(outage, min_fraction=fraction, low=low, high=high), about)
    closed = outage.closed_row
    return Told(
        id=str(found.event(outage)["id"]),
        state=OutageState.OPEN if closed is None else OutageState.CLOSED,
        entity=Entity(about.kind, name, name, country=about.country),
        began_at=InstantUs(grid.at_us(outage.opened_row)),
        confirmed_at=InstantUs(grid.at_us(outage.confirmed_row)),
        ended_at=None if closed is None else InstantUs(grid.at_us(closed)),
        # What came after it nobody knows.
        measured_at=InstantUs(grid.at_us(int(found.latest.row[outage.series]) + 1)),
        level=level,
        worst=worst,
        synthetic=about.synthetic,
    )


def _level(found: Detection, outage: Outage, about: About) -> Level:
    """Without a doubt to show where nobody knows how many were asked."""
    about_now = outage.min_fraction
    bounds = (
        (min(outage.low, about_now), max(outage.high, about_now))
        if found.counted(outage)
        else (about_now,) * 2
    )
    return Level(about_now, *bounds, (about.signal,) if about.signal else ())


def _text(
    about: About, recording: Recording, found: Detection, declared: Declared, files: Sequence[str]
) -> str:
    deepest = sorted(found.outages, key=lambda one: (one.min_fraction, one.opened_row, one.series))
    still = {outage.series for outage in found.outages if outage.closed_row is None}
    closed = {outage.series for outage in found.outages if outage.closed_row is not None}
    bands = {
        name: sum(one.band == name for one in found.outages) for name in ("critical", "major", "warning")
    }
    grid = found.grid
    span = f"{_short(grid.start_us)} to {_short(grid.at_us(grid.bins))} UTC"
    parts = [
        f"# {about.marked}",
        "All of this is made up: it shows how a report looks." if about.synthetic else "",
        found.fell()
        + f"; {len(closed)} of them recovered at least once, {len(still)} are down when the recording "
        f"ends. By the lowest level: {bands['critical']} critical, {bands['major']} major, "
        f"{bands['warning']} warning. From {span}."
        if found.outages
        else f"{found.fell()}. From {span}.",
        *(f"![{_caption(name)}]({name})" for name in files),
        *_sentences(found, deepest, about),
        *_table(found, about),
        *_assumed(about, recording, found, declared),
    ]
    return "\n\n".join(part for part in parts if part) + "\n"


def _caption(name: str) -> str:
    return {
        "series.png": "Measured, ordinary with its band, and outages shaded",
        "time-line.png": "All outages, a row for each entity",
        "map.png": "Areas by the lowest level that they fell to",
    }[name]


def _sentences(found: Detection, deepest: Sequence[Outage], about: About) -> list[str]:
    parts = []
    for language, heading in LANGUAGES.items():
        lines = [
            f"- {_plain(sentence(told(found, one, about), language, stale=one.closed_row is None))}"
            for one in deepest[:MOST_SENTENCES]
        ]
        left = len(deepest) - len(lines)
        if left:
            more = {"en": f"- and {left} more, in the table", "uk": f"- і ще {left}, у таблиці"}
            lines.append(more[language])
        parts += [f"## {heading}", "\n".join(lines)] if lines else []
    return parts


def _table(found: Detection, about: About) -> list[str]:
    if not found.outages:
        return []
    rows = ["| entity | began | ended | hours | lowest | band |", "|---|---|---|---:|---|---|"]
    grid = found.grid
    for one in found.outages[:MOST_LISTED]:
        until = grid.bins if one.closed_row is None else one.closed_row
        hours = (until - one.opened_row) * grid.step_us / 3.6e9
        level, outage = percent(_level(found, one, about)), told(found, one, about)
        still = f"still down, at {percent(outage.level)}"
        ended = still if one.closed_row is None else _short(grid.at_us(one.closed_row))
        began = _short(grid.at_us(one.opened_row))
        name = _plain(found.entities[one.series])
        rows.append(f"| {name} | {began} | {ended} | {hours:.1f} | {level} | {one.band} |")
    left = len(found.outages) - MOST_LISTED
    more = [f"{left} more are in `skylift outages detect --json`."] if left > 0 else []
    return ["## Numbers", "\n".join(rows), *more]


def _assumed(about: About, recording: Recording, found: Detection, declared: Declared) -> list[str]:
    rules = Rules()
    patience = rules.patience
    sample = (
        f"A low bin counts only where so few answers have a chance below {rules.chance:g} on ordinary days."
        if declared.targets_column
        else "How many were asked for each sample is not known: a small sample can fall by chance."
    )
    brackets = (
        "In brackets behind a level: about 90 % sure to hold it, by how the baseline itself moves, and by "
        "how many were asked."
        if declared.targets_column
        else "No interval stands behind a level: without the number of targets nobody can say how sure it is."
    )
    lines = [
        f"The file {_plain(about.file)} was read as declared: time in {declared.time_zone}, 0 is nothing "
        f"and {declared.scale_max:g} is all; bins of {found.grid.step_us / 6e7:g} minutes.",
        f"Ordinary is `{about.baseline}`. What was lost before, nobody can see in it.",
        f"An outage opens below {patience.open_below:g} of ordinary for {patience.open_bins} bins and closes "
        f"above {patience.close_above:g} for {patience.close_bins}.",
        sample,
        brackets,
        "Where an outage is still open, the level beside it is the one that was measured last.",
        "A fall of connectivity says nothing of its cause: power, cables, a shutdown and people who leave "
        "all look alike.",
    ]
    lines += [f"{line}." for line in found.unjudged()]
    if recording.rejected:
        first = recording.rejected[0]
        lines.append(
            f"{len(recording.rejected)} rows were left out; the first is row {first.row}: {first.reason}."
        )
    lines += [f"{warning}." for warning in recording.warnings]
    if about.synthetic:
        lines.append("The data are made up.")
    lines.append(f"Made by skylift {__version__}.")
    return ["## What this rests on", "\n".join(f"- {line}" for line in lines)]


def _short(at_us: int) -> str:
    return format_instant(at_us)[:16].replace("T", " ")


def _plain(text: str) -> str:
    """Names come from files: none of it is markup."""
    return "".join(f"\\{c}" if c in "\\`*_[]<>|#!" else c for c in printable(text))
