"""Reads catalogues from disk, in whatever published format they are."""

from __future__ import annotations

from pathlib import Path

from skylift.base.errors import Refused
from skylift.sky.orbit.formats import parse_catalogue
from skylift.sky.orbit.records import CatalogueFile


def read_catalogue(path: Path | str, lenient: bool = False) -> CatalogueFile:
    """The catalogue in a file; its format is told by its content, never by its name.

    Raises Refused for a file that is not there or not a catalogue, and, unless `lenient`, at the first
    bad record.
    """
    path = Path(path)
    return parse_catalogue(read_text(path, "catalogue"), path.name, lenient)


def read_text(path: Path, what: str) -> str:
    """A file's text: UTF-8, or Latin-1 where it is not. `what` names the kind of file in errors."""
    try:
        raw = path.read_bytes()
    except FileNotFoundError:
        raise Refused(
            f"{what}.missing", str(path), f"a {what} is a file that exists", "check the path"
        ) from None
    except OSError as error:
        reason = error.strerror or "unreadable"
        raise Refused(
            f"{what}.unreadable",
            str(path),
            f"a {what} is a readable file ({reason})",
            "check the path and its rights",
        ) from None
    try:
        return raw.decode("utf-8-sig")
    except UnicodeDecodeError:
        return raw.decode("latin-1")
