"""How a command says what a catalogue's reader left out: how many records, which, and why."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from skylift.sky.orbit.records import CatalogueFile

LENIENT_HELP = "Skip bad records, and say how many and which."


def say_skipped(read: CatalogueFile) -> None:
    """Every skipped record on standard error, by its line, below their number."""
    if read.skipped:
        records = "record was" if len(read.skipped) == 1 else "records were"
        lines = [f"note: {len(read.skipped)} bad {records} skipped:"]
        for skipped in read.skipped:
            of = f" ({skipped.object})" if skipped.object else ""
            lines.append(f"  line {skipped.line}{of}: {skipped.reason}")
        sys.stderr.write("\n".join(lines) + "\n")
    if read.duplicates:
        sets = "set of the same object was" if read.duplicates == 1 else "sets of the same objects were"
        sys.stderr.write(f"note: {read.duplicates} older element {sets} left out\n")


def skipped_records(read: CatalogueFile) -> list[dict[str, Any]]:
    """The same for --json."""
    return [{"line": one.line, "object": one.object, "reason": one.reason} for one in read.skipped]
