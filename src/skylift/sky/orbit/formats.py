"""One door for every format of a catalogue: told by content when read, named when written."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from skylift.base.errors import Refused
from skylift.sky.orbit.catalogue import Catalogue
from skylift.sky.orbit.omm import catalogue_of
from skylift.sky.orbit.omm_syntax import Parsed, parse_csv, parse_json, parse_kvn, parse_xml
from skylift.sky.orbit.omm_write import write_csv, write_json, write_kvn, write_xml
from skylift.sky.orbit.records import CatalogueFile
from skylift.sky.orbit.tle import read_tle
from skylift.sky.orbit.tle_write import write_tle

_SYNTAXES: Mapping[str, Callable[[str], Parsed]] = {
    "omm-json": parse_json,
    "omm-csv": parse_csv,
    "omm-xml": parse_xml,
    "omm-kvn": parse_kvn,
}
_WRITERS: Mapping[str, Callable[[Catalogue], str]] = {
    "tle": write_tle,
    "omm-json": write_json,
    "omm-csv": write_csv,
    "omm-xml": write_xml,
    "omm-kvn": write_kvn,
}
FORMATS = tuple(_WRITERS)
FORMAT_OF_SUFFIX: Mapping[str, str] = {
    ".tle": "tle",
    ".txt": "tle",
    ".3le": "tle",
    ".json": "omm-json",
    ".csv": "omm-csv",
    ".xml": "omm-xml",
    ".kvn": "omm-kvn",
    ".omm": "omm-kvn",
}


def parse_catalogue(text: str, source: str = "catalogue", lenient: bool = False) -> CatalogueFile:
    """Reads a catalogue's text in any of `FORMATS`; `source` names it in errors.

    Raises Refused, with the line and the way out, for what is no catalogue and, unless `lenient`, at the
    first bad record.
    """
    text = text.removeprefix("\ufeff")
    file_format = detect_format(text, source)
    if file_format == "tle":
        return read_tle(text, source, lenient)
    records, problems = _SYNTAXES[file_format](text)
    return catalogue_of(records, problems, source, lenient, file_format)


def detect_format(text: str, source: str = "catalogue") -> str:
    """One of `FORMATS`. Raises Refused for an empty text and for a web page."""
    start = next(
        (line.strip() for line in text.splitlines() if line.strip() and not line.startswith("#")), ""
    )
    if not start:
        raise Refused("catalogue.empty", source, "a catalogue is not empty", "fetch it again")
    # "[" alone does not tell: a satellite's name may begin with it.
    if start[0] == "{" or (start[0] == "[" and start[1:].lstrip()[:1] in ("", "{", "]", "[")):
        return "omm-json"
    if start[0] == "<":
        if "<html" in text[:2000].lower():
            raise Refused(
                "catalogue.web-page",
                source,
                "this is a web page, not a catalogue",
                "fetch the data itself again",
            )
        return "omm-xml"
    if "," in start and any(keyword in start.upper() for keyword in ("NORAD_CAT_ID", "MEAN_MOTION", "EPOCH")):
        return "omm-csv"
    if "=" in start or start.startswith(("CCSDS_OMM_VERS", "COMMENT ")):
        return "omm-kvn"
    return "tle"


def write_catalogue(catalogue: Catalogue, file_format: str) -> str:
    """The catalogue's text in one of `FORMATS`. Raises Refused for what the format cannot hold."""
    if file_format not in _WRITERS:
        raise Refused(
            "catalogue.format",
            file_format,
            f"a format is one of {', '.join(FORMATS)}",
            "choose one with --format",
        )
    return _WRITERS[file_format](catalogue)


def format_of_suffix(suffix: str) -> str:
    """The format that a file's suffix (".json") asks for. Raises Refused for one that says nothing."""
    try:
        return FORMAT_OF_SUFFIX[suffix.lower()]
    except KeyError:
        raise Refused(
            "catalogue.format",
            f"the suffix {suffix!r}",
            f"the output's format is told by its suffix: {', '.join(FORMAT_OF_SUFFIX)}",
            f"choose one of these, or name the format with --format {'|'.join(FORMATS)}",
        ) from None
