"""What the office answers, as tables for people: whole ids, instants as people write them, no JSON."""

from __future__ import annotations

import json
import sys
from typing import Any

import typer

# Instants: these, whatever ends in _at, and only from 1973 on, since `looked_at` is a count.
TIMES = frozenset(
    {"at", "next_at", "cycle_ends", "needed_by", "since", "valid_from", "valid_until", "approves_from",
     "known_from", "apply_after", "until", "line_started", "line_ended"}
)  # fmt: skip
EARLIEST_US = 100_000_000_000_000

# What of a thing comes first in a list; the rest follows as far as it fits.
FIRST = {
    "request": ("site_kind", "asked_at", "people", "terminals_wanted", "channel", "region"),
    "region": ("title", "country"),
    "account": ("holder", "country", "plan", "region"),
    "authority": ("code", "kind", "title"),
    "terminal": ("serial", "kit", "hardware", "owner", "region", "cell"),
    "shipment": ("reference", "origin", "destination", "recipient"),
    "approval": ("stands", "verb", "about", "lapses_at"),
    "statement": ("published_at",),
    "outage": ("began_at", "ended_at"),
}
# Said by `show`, and nobody's way to tell one from another.
_LEFT_OUT = frozenset({"state", "version", "approval", "needed", "change", "void", "proposed_version"})
_LONGEST_CELL = 40
_WIDEST = 100_000


def show(document: dict[str, Any], as_json: bool) -> None:
    """Print a document: for people as fields, or as it is."""
    if as_json:
        typer.echo(json.dumps(document))
        return
    table(
        [{"field": name, "value": plain(name, value)} for name, value in document.items()], ("field", "value")
    )
    if "needed" in document and document.get("stands") == "open":
        sys.stderr.write(
            "another person has to agree: "
            f"skylift approval agree {document['id']} change={document['change']}\n"
            f"then repeat this with --approval {document['id']}\n"
        )


def show_list(kind: str, items: list[dict[str, Any]]) -> None:
    """Print things of a kind one below the other, with as much of each as fits beside its id."""
    rows = [{name: plain(name, value) for name, value in item.items()} for item in map(_opened, items)]
    told = dict.fromkeys(
        name
        for item in map(_opened, items)
        for name, value in item.items()
        if value not in (None, "", [], {}) and not isinstance(value, list | dict)
    )
    names = ["id", "status", *(name for name in FIRST.get(kind, ()) if name in told)]
    names += [name for name in told if name not in names and name not in _LEFT_OUT]
    fitting = _fitting(rows, names)
    table(rows, tuple(fitting))
    if len(fitting) < len(names):
        sys.stderr.write(f"left out, as the terminal is too narrow: {', '.join(names[len(fitting) :])}\n")


def table(rows: list[dict[str, Any]], columns: tuple[str, ...]) -> None:
    """Print rows, for people. Into a file or a pipe as wide as they are: nothing breaks a line there."""
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    shown = Table(*columns)
    for column, name in zip(shown.columns, columns, strict=True):
        # An id that is cut is of no use: it goes on in the next line, and the first one stays whole.
        column.overflow = "fold"
        column.no_wrap = name in ("id", "of", "request", "terminal", "at")
    for row in rows:
        shown.add_row(*(Text(plain(name, row.get(name))) for name in columns))
    Console(width=_width() or _WIDEST).print(shown)


def plain(name: str, value: Any) -> str:
    """A value as people read it; name: of its field, by which instants are known."""
    match value:
        case None:
            return ""
        case bool():
            return "yes" if value else "no"
        case int() if value >= EARLIEST_US and (name in TIMES or name.endswith("_at")):
            from skylift.base.instants import format_instant

            return f"{format_instant(value)[:19]}Z"
        case float():
            return f"{value:.6g}"
        case {"what": what, "points": points, "most": most}:
            return f"{what}: {points:.3g} of {most:g}"
        case list() if any(isinstance(part, dict) for part in value):
            return "\n".join(plain(name, part) for part in value)
        case list():
            return ", ".join(plain(name, part) for part in value)
        case dict() if any(isinstance(part, dict) for part in value.values()):
            return "\n".join(f"{key}: {plain(key, part)}" for key, part in value.items())
        case dict():
            told = ((key, plain(key, part)) for key, part in value.items())
            return ", ".join(f"{key} {text}" for key, text in told if text)
    return _as_pages_say(str(value))


def _as_pages_say(value: str) -> str:
    """Codes whose own words would mislead, such as `sent-back`, in the words of the pages."""
    if "-" not in value:
        return value
    from skylift.api.site.words import CHOICES

    return CHOICES.get(value, value)


def _opened(item: dict[str, Any]) -> dict[str, Any]:
    """What stands in the terms of an authority's entry belongs to it."""
    terms = item.get("terms")
    return {**item, **terms} if isinstance(terms, dict) else item


def _width() -> int:
    """Of the terminal; 0 for none."""
    import os
    import shutil

    wide = sys.stdout.isatty() or "COLUMNS" in os.environ
    return shutil.get_terminal_size().columns if wide else 0


def _fitting(rows: list[dict[str, str]], names: list[str]) -> list[str]:
    """As many of the columns, in their order, as stand beside one another without breaking a word."""
    width, most = 1, _width()
    fitting: list[str] = []
    for name in names:
        widest = max([len(name), *(len(row.get(name, "")) for row in rows)])
        width += 3 + min(widest, widest if name == "id" else _LONGEST_CELL)
        if most and width > most and len(fitting) >= 2:
            break
        fitting.append(name)
    return fitting
