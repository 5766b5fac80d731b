"""The four syntaxes of OMM, each read into keywords; whatever a cut file still holds whole is kept."""

from __future__ import annotations

import csv
import io
import json
import re
from xml.parsers.expat import ExpatError

from defusedxml.common import DefusedXmlException  # type: ignore[import-untyped]
from defusedxml.ElementTree import DefusedXMLParser  # type: ignore[import-untyped]

from skylift.sky.orbit.omm import OmmRecord
from skylift.sky.orbit.records import Problem

Parsed = tuple[list[OmmRecord], list[Problem]]
_SPACE = re.compile(r"[ \t\r\n]*")
# "15.06 [rev/day]"; but a name may end in brackets too, as in "STARLINK-11099 [DTC]".
_WITH_UNIT = re.compile(r"([-+.0-9eE]+)\s*\[[^\]]*\]")
_FIRST_KEY = "CCSDS_OMM_VERS"


def parse_json(text: str) -> Parsed:
    """An array of messages, or a single one; each begins on the line where its brace stands."""
    decoder = json.JSONDecoder()
    records: list[OmmRecord] = []
    problems: list[Problem] = []
    position = _skip(text, 0)
    is_list = text[position : position + 1] == "["
    position = _skip(text, position + 1) if is_list else position
    line, counted = 1, 0
    while position < len(text) and not (is_list and text[position] == "]"):
        line += text.count("\n", counted, position)
        counted = position
        number = len(records) + len(problems) + 1
        try:
            value, position = decoder.raw_decode(text, position)
        except (ValueError, RecursionError):
            problems.append(
                Problem(line, "", "json", f"record {number} is not whole JSON (is the file cut?)")
            )
            return records, problems
        if isinstance(value, dict):
            records.append(OmmRecord(line, value))
        else:
            problems.append(Problem(line, "", "json", f"record {number} is not a JSON object"))
        position = _skip(text, position)
        if not is_list:
            break
        if text[position : position + 1] == ",":
            position = _skip(text, position + 1)
        elif text[position : position + 1] != "]":
            problems.append(Problem(line, "", "json", f"after record {number} the list goes on or ends"))
            return records, problems
    if is_list and position >= len(text):
        problems.append(Problem(line, "", "json", "the list has no end (is the file cut?)"))
    elif _skip(text, position + 1 if is_list else position) < len(text):
        problems.append(Problem(line, "", "json", "nothing follows the end of the JSON document"))
    return records, problems


def _skip(text: str, position: int) -> int:
    match = _SPACE.match(text, position)
    return match.end() if match else position


def parse_csv(text: str) -> Parsed:
    """A header of keywords, then one message a row."""
    records: list[OmmRecord] = []
    problems: list[Problem] = []
    header: list[str] | None = None
    rows = csv.reader(io.StringIO(text, newline=""))
    while True:
        line = rows.line_num + 1
        try:
            row = next(rows, None)
        except csv.Error:
            problems.append(
                Problem(line, "", "csv", "a row of CSV has closed quotes and fields of sensible length")
            )
            continue
        if row is None:
            return records, problems
        if not row or (len(row) == 1 and not row[0].strip()) or row[0].startswith("#"):
            continue
        if header is None:
            header = [name.strip().upper() for name in row]
        elif len(row) != len(header):
            rule = (
                f"a row has {len(header)} fields like the header, and this one {len(row)} (is the file cut?)"
            )
            problems.append(Problem(line, row[0].strip()[:24], "csv", rule))
        else:
            records.append(OmmRecord(line, dict(zip(header, map(str.strip, row), strict=True))))


def parse_kvn(text: str) -> Parsed:
    """KEYWORD = value, one a line; a new message begins with its version, or where a keyword comes again."""
    records: list[OmmRecord] = []
    problems: list[Problem] = []
    fields: dict[str, object] = {}
    lines: dict[str, int] = {}

    def close() -> None:
        if fields.keys() - {_FIRST_KEY, "CREATION_DATE", "ORIGINATOR"}:
            records.append(OmmRecord(min(lines.values()), dict(fields), dict(lines)))
        elif fields:
            problems.append(
                Problem(
                    min(lines.values()), "", "kvn", "a header is followed by its elements (is the file cut?)"
                )
            )
        fields.clear()
        lines.clear()

    for number, raw in enumerate(text.replace("\r\n", "\n").replace("\r", "\n").split("\n"), 1):
        line = raw.strip()
        if not line or line.startswith(("COMMENT", "#")):
            continue
        key, equals, value = line.partition("=")
        key = key.strip().upper()
        if not equals:
            problems.append(
                Problem(number, "", "kvn", "a line is written KEYWORD = value, or begins with COMMENT")
            )
            continue
        if key in fields:
            close()
        value = value.strip()
        with_unit = _WITH_UNIT.fullmatch(value)
        fields[key] = with_unit.group(1) if with_unit else value
        lines[key] = number
    close()
    return records, problems


class _Messages:
    """Collects the leaves of each <omm>; namespaces do not matter, nor how the leaves are nested."""

    def __init__(self, parser: DefusedXMLParser) -> None:
        self.records: list[OmmRecord] = []
        self._fields: dict[str, object] | None = None
        self._lines: dict[str, int] = {}
        self._begun = 0
        self._text: list[str] = []
        # Straight onto expat, under defusedxml's guards: an element tree of it all takes twice the time.
        self._expat = parser.parser
        self._expat.StartElementHandler = self._start
        self._expat.EndElementHandler = self._end
        self._expat.CharacterDataHandler = self._text.append

    def _start(self, tag: str, _attributes: object) -> None:
        self._text.clear()
        if tag.rpartition("}")[2].lower() == "omm":
            self._fields, self._lines, self._begun = {}, {}, self._expat.CurrentLineNumber

    def _end(self, tag: str) -> None:
        name = tag.rpartition("}")[2]
        text = "".join(self._text).strip()
        self._text.clear()
        if self._fields is None:
            return
        if name.lower() == "omm":
            self.records.append(OmmRecord(self._begun, self._fields, self._lines))
            self._fields = None
        elif text and name not in ("COMMENT", "USER_DEFINED"):
            self._fields[name.upper()] = text
            self._lines[name.upper()] = self._expat.CurrentLineNumber


def parse_xml(text: str) -> Parsed:
    """One <omm>, or several in an <ndm>. Entities are refused: none is needed, and they can explode."""
    parser = DefusedXMLParser(forbid_dtd=True)
    messages = _Messages(parser)
    expat = parser.parser
    problems: list[Problem] = []
    try:
        # expat is given a text, not bytes, so an encoding named inside does not matter.
        expat.Parse(text, True)
    except ExpatError as error:
        problems.append(Problem(error.lineno, "", "xml", "this is not whole XML (is the file cut?)"))
    except DefusedXmlException:
        problems.append(Problem(expat.CurrentLineNumber, "", "xml", "a catalogue declares no document type"))
    except (ValueError, LookupError):
        problems.append(Problem(1, "", "xml", "this is not XML"))
    return messages.records, problems
