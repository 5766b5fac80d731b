"""Reads TOML strictly: an unknown key, a wrong type or unit is refused with its line and the right key.

How to use it (the text comes from an adapter, this module opens no file):

    document = read_toml(text, "kuiper.toml")
    root = document.table(known=("name", "epoch", "shell"))       # refuses any other key at once
    epoch_us = root.instant("epoch", default=0)                   # no default: the key is required
    for shell in root.tables("shell", known=("planes", "altitude_km")):
        planes = shell.whole("planes", minimum=1)
        altitude_m = shell.number("altitude_km", minimum=100, maximum=50_000) * 1000
        if planes == 13:
            raise shell.refused("planes", "13 planes bring bad luck", "take 12 or 14")

Keys carry their unit as a suffix (altitude_km); `altitude_m` or "550 km" is answered with the unit that is
expected. No value is ever printed back: a scenario holds places.
"""

from __future__ import annotations

import difflib
import math
import re
import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any, Final

from skylift.base.errors import Refused
from skylift.base.instants import InstantUs, parse_instant

Path = tuple[str | int, ...]

# What a key's last part says about its unit. The longest that fits is the unit.
UNITS: Final[Mapping[str, str]] = {
    "rev_per_day": "revolutions per day",
    "m_per_s": "metres per second",
    "mm_per_h": "millimetres per hour",
    "km": "kilometres",
    "m": "metres",
    "deg": "degrees",
    "rad": "radians",
    "us": "microseconds",
    "ms": "milliseconds",
    "s": "seconds",
    "min": "minutes",
    "h": "hours",
    "days": "days",
    "hz": "hertz",
    "mhz": "megahertz",
    "ghz": "gigahertz",
    "bps": "bits per second",
    "kbps": "kilobits per second",
    "mbps": "megabits per second",
    "gbps": "gigabits per second",
    "db": "decibels",
    "dbw": "decibels over 1 watt",
    "dbi": "decibels over isotropic",
    "db_k": "decibels per kelvin",
    "w": "watts",
    "k": "kelvin",
    "fraction": "a fraction from 0 to 1",
    "percent": "percent",
}

_KEY = r"""(?:[A-Za-z0-9_-]+|"(?:\\.|[^"\\])*"|'[^']*')"""
_KEYS = rf"{_KEY}(?:\s*\.\s*{_KEY})*"
_HEADER = re.compile(rf"\s*(\[\[?)\s*({_KEYS})\s*\]")
_ASSIGNMENT = re.compile(rf"\s*({_KEYS})\s*=")
_ONE_KEY = re.compile(_KEY)
_TOKEN = re.compile(r'"""|' + r"'''" + r"""|"(?:\\.|[^"\\])*"|'[^']*'|\#.*|[\[{]|[\]}]""")


class _Missing:
    """No default: the key is required."""


_REQUIRED: Final = _Missing()


def read_toml(text: str, source: str) -> Document:
    """Parses TOML; `source` names the file in errors. Raises Refused with the line of a syntax error."""
    try:
        content = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        at = re.search(r"\(at (?:line (\d+), column (\d+)|end of document)\)", str(error))
        where = f" line {at.group(1)}" if at and at.group(1) else ", at its end"
        rule = re.sub(r"\s*\(at .*\)$", "", str(error))
        raise Refused(
            "toml.syntax",
            f"{source}{where}",
            f"this is not TOML ({rule})",
            "see https://toml.io for the syntax",
        ) from None
    except (RecursionError, ValueError):
        raise Refused(
            "toml.syntax", source, "this is not TOML", "see https://toml.io for the syntax"
        ) from None
    return Document(content, source, _lines_of_keys(text), text.splitlines())


@dataclass(frozen=True, slots=True)
class Document:
    """A parsed TOML text that knows on which line each key stands."""

    content: Mapping[str, Any]
    source: str
    line_of: Mapping[Path, int]
    lines: Sequence[str]

    def table(self, known: Sequence[str]) -> StrictTable:
        """The outermost table; raises Refused for a key that is not among `known`."""
        return StrictTable(self, self.content, (), tuple(known))

    def line(self, path: Path) -> int | None:
        """The line of a key; of one inside an inline table, the first from its parent on that has the key."""
        if path in self.line_of:
            return self.line_of[path]
        for end in range(len(path) - 1, 0, -1):
            start = self.line_of.get(path[:end])
            if start is not None:
                key = re.compile(rf"""(?<![\w-])["']?{re.escape(str(path[-1]))}["']?\s*=""")
                found = (n for n, line in enumerate(self.lines[start - 1 :], start) if key.search(line))
                return next(found, start)
        return None


class StrictTable:
    """One table of a document. Every reader raises Refused, naming the line, the rule and the way out."""

    def __init__(
        self, document: Document, content: Mapping[str, Any], path: Path, known: tuple[str, ...]
    ) -> None:
        self._document = document
        self._content = content
        self._path = path
        self._known = known
        for key in content:
            if key not in known:
                raise self._unknown(key)

    def has(self, key: str) -> bool:
        """Whether the table holds `key`."""
        self._ask(key)
        return key in self._content

    def text(self, key: str, default: str | _Missing = _REQUIRED) -> str:
        value = self._value(key, default)
        if not isinstance(value, str):
            raise self.refused(key, f"{key} is a text", f'write {key} = "..." in quotes', code="type")
        return value

    def texts(self, key: str, default: Sequence[str] | _Missing = _REQUIRED) -> tuple[str, ...]:
        value = self._value(key, default)
        if isinstance(value, str) or not all(isinstance(item, str) for item in _items(value)):
            raise self.refused(key, f"{key} is a list of texts", f'write {key} = ["...", "..."]', code="type")
        return tuple(value)

    def choice(self, key: str, options: Sequence[str], default: str | _Missing = _REQUIRED) -> str:
        """A text that is one of `options`."""
        value = self.text(key, default)
        if value not in options:
            near = difflib.get_close_matches(value, options, n=1, cutoff=0.5)
            hint = f"did you mean {near[0]!r}?" if near else f"write {key} = {options[0]!r}"
            raise self.refused(key, f"{key} is one of {', '.join(map(repr, options))}", hint, code="choice")
        return value

    def flag(self, key: str, default: bool | _Missing = _REQUIRED) -> bool:
        value = self._value(key, default)
        if not isinstance(value, bool):
            raise self.refused(
                key, f"{key} is true or false", f"write {key} = true, without quotes", code="type"
            )
        return value

    def whole(
        self,
        key: str,
        default: int | _Missing = _REQUIRED,
        *,
        minimum: int | None = None,
        maximum: int | None = None,
    ) -> int:
        """A whole number, minimum <= value <= maximum."""
        value = self._value(key, default)
        if isinstance(value, bool) or not isinstance(value, int):
            raise self.refused(
                key, f"{key} is a whole number", f"write {key} = 1, without quotes", code="type"
            )
        self._within(key, value, minimum, maximum)
        return value

    def whole_or(
        self, key: str, word: str, *, minimum: int | None = None, maximum: int | None = None
    ) -> int | None:
        """A whole number, minimum <= value <= maximum, or the text `word`, which is None."""
        value = self._value(key, _REQUIRED)
        if value == word:
            return None
        if isinstance(value, bool) or not isinstance(value, int):
            rule = f"{key} is a whole number, or {word!r}"
            raise self.refused(key, rule, f'write {key} = 1, or {key} = "{word}"', code="type")
        self._within(key, value, minimum, maximum)
        return value

    def wholes(self, key: str, *, minimum: int | None = None, maximum: int | None = None) -> tuple[int, ...]:
        """A list of whole numbers, each minimum <= value <= maximum."""
        items = _items(self._value(key, _REQUIRED))
        if any(isinstance(item, bool) or not isinstance(item, int) for item in items):
            raise self.refused(key, f"{key} is a list of whole numbers", f"write {key} = [0, 1]", code="type")
        for item in items:
            self._within(key, item, minimum, maximum)
        return items

    def number(
        self,
        key: str,
        default: float | _Missing = _REQUIRED,
        *,
        minimum: float | None = None,
        maximum: float | None = None,
    ) -> float:
        """A finite number in the unit that the key names, minimum <= value <= maximum."""
        return self._number(key, self._value(key, default), minimum, maximum)

    def numbers(
        self,
        key: str,
        default: Sequence[float] | _Missing = _REQUIRED,
        *,
        minimum: float | None = None,
        maximum: float | None = None,
    ) -> tuple[float, ...]:
        """A list of finite numbers, each minimum <= value <= maximum."""
        items = _items(self._value(key, default))
        if items == (None,):
            raise self.refused(key, f"{key} is a list of numbers", f"write {key} = [1.0, 2.0]", code="type")
        return tuple(self._number(key, item, minimum, maximum) for item in items)

    def instant(self, key: str, default: int | _Missing = _REQUIRED) -> InstantUs:
        """An instant in UTC: a TOML date-time, or a text in ISO 8601."""
        value = self._value(key, default)
        if isinstance(value, datetime | date):
            value = value.isoformat()
        if isinstance(value, int) and not isinstance(value, bool) and key not in self._content:
            return InstantUs(value)
        if not isinstance(value, str):
            raise self.refused(
                key, f"{key} is an instant in UTC", f"write {key} = 2022-02-26T12:00:00Z", code="type"
            )
        try:
            return parse_instant(value, key)
        except Refused as error:
            raise self.refused(key, error.rule, error.way_out, code="type") from None

    def table(self, key: str, known: Sequence[str]) -> StrictTable:
        """The table `key`; an empty one where the document has none."""
        value = self._value(key, {})
        if not isinstance(value, dict):
            raise self.refused(
                key, f"{key} is a table", f"write [{self._dotted(key)}] on a line of its own", code="type"
            )
        return StrictTable(self._document, value, (*self._path, key), tuple(known))

    def tables(self, key: str, known: Sequence[str]) -> tuple[StrictTable, ...]:
        """The tables of the list `key`; none where the document has none."""
        value = self._value(key, [])
        if not isinstance(value, list) or not all(isinstance(item, dict) for item in value):
            hint = f"write [[{self._dotted(key)}]] on a line of its own before each"
            raise self.refused(key, f"{key} is a list of tables", hint, code="type")
        return tuple(
            StrictTable(self._document, item, (*self._path, key, index), tuple(known))
            for index, item in enumerate(value)
        )

    def subtables(self, key: str, known: Sequence[str]) -> dict[str, StrictTable]:
        """The tables [key.NAME] with names that the file chooses, in its order; each has the keys `known`."""
        value = self._value(key, {})
        if not isinstance(value, dict) or not all(isinstance(item, dict) for item in value.values()):
            hint = f"write [{self._dotted(key)}.NAME] on a line of its own before each"
            raise self.refused(key, f"{key} holds named tables", hint, code="type")
        return {
            name: StrictTable(self._document, item, (*self._path, key, name), tuple(known))
            for name, item in value.items()
        }

    def refused(self, key: str | None, rule: str, way_out: str, code: str = "value") -> Refused:
        """A refusal that names the file, the line and the key; with key None, the table itself."""
        path = self._path if key is None else (*self._path, key)
        line = self._document.line(path)
        if line is None and key is not None:
            line = self._document.line(self._path)
        where = f" line {line}" if line else ""
        name = self._dotted(key)
        return Refused(
            f"toml.{code}", f"{self._document.source}{where}{': ' if name else ''}{name}", rule, way_out
        )

    def _ask(self, key: str) -> None:
        # A programmer's slip, not a user's: a key that is read but would be refused if written.
        if key not in self._known:
            raise KeyError(
                f"{key} is read but not among the known keys of {self._dotted(None) or 'the document'}"
            )

    def _value(self, key: str, default: object) -> Any:
        self._ask(key)
        if key in self._content:
            return self._content[key]
        if isinstance(default, _Missing):
            table = self._dotted(None) or "the file"
            raise self.refused(
                None, f"{table} needs the key {key}{_in_unit(key)}", f"add {key} = ...", code="missing"
            )
        return default

    def _number(self, key: str, value: object, minimum: float | None, maximum: float | None) -> float:
        if isinstance(value, bool) or not isinstance(value, int | float):
            hint = f"write {key} = 1.0, without quotes and without a unit"
            raise self.refused(key, f"{key} is a number{_in_unit(key)}", hint, code="type")
        if not math.isfinite(value):
            raise self.refused(
                key, f"{key} is a finite number", f"write a number{_in_unit(key)}", code="range"
            )
        self._within(key, value, minimum, maximum)
        return float(value)

    def _within(self, key: str, value: float, minimum: float | None, maximum: float | None) -> None:
        if (minimum is None or value >= minimum) and (maximum is None or value <= maximum):
            return
        if minimum is not None and maximum is not None:
            # A least number so small stands for "not zero".
            least = "more than 0, up" if 0.0 < minimum <= 1e-6 else f"{minimum:,g}"
            rule = f"{key} is {least} to {maximum:,g}"
        elif minimum is not None:
            rule = f"{key} is at least {minimum:,g}"
        else:
            rule = f"{key} is at most {maximum:,g}"
        unit = _unit(key)
        hint = f"give it in {UNITS[unit]}" if unit else "write a number in this range"
        raise self.refused(key, rule, hint, code="range")

    def _unknown(self, key: str) -> Refused:
        stem = _stem(key)
        same = [known for known in self._known if _stem(known) == stem and _unit(known)]
        if same:
            units = " or ".join(UNITS[_unit(known)] for known in same)
            rule = f"{key} is not a key here: {stem} is given in {units}"
            return self.refused(key, rule, f"write {' or '.join(same)}, and convert the number", code="unit")
        near = difflib.get_close_matches(key, self._known, n=1, cutoff=0.5)
        hint = f"did you mean {near[0]}?" if near else f"the keys here are {', '.join(self._known)}"
        return self.refused(key, f"{key} is not a key here", hint, code="unknown-key")

    def _dotted(self, key: str | None) -> str:
        parts = self._path if key is None else (*self._path, key)
        text = ""
        for part in parts:
            text += f"[{part + 1}]" if isinstance(part, int) else f"{'.' if text else ''}{part}"
        return text


def _items(value: object) -> tuple[Any, ...]:
    return tuple(value) if isinstance(value, list | tuple) else (None,)


def _unit(key: str) -> str:
    """The unit that a key ends in; "" for none."""
    fitting = [unit for unit in UNITS if key.endswith(f"_{unit}")]
    return max(fitting, key=len, default="")


def _stem(key: str) -> str:
    unit = _unit(key)
    return key[: -len(unit) - 1] if unit else key


def _in_unit(key: str) -> str:
    unit = _unit(key)
    return f" in {UNITS[unit]}" if unit else ""


def _lines_of_keys(text: str) -> dict[Path, int]:
    """On which line each table's header and each key stands; keys of inline tables are left out."""
    found: dict[Path, int] = {}
    last_index: dict[Path, int] = {}
    table: Path = ()
    quote, depth = "", 0
    for number, line in enumerate(text.splitlines(), 1):
        rest = line
        if not quote and depth == 0:
            header, assignment = _HEADER.match(line), _ASSIGNMENT.match(line)
            if header:
                table = _enter(_split(header.group(2)), header.group(1) == "[[", last_index)
                found.setdefault(table, number)
                found.setdefault(table[:-1] if header.group(1) == "[[" else table, number)
                continue
            if assignment:
                keys = _split(assignment.group(1))
                for end in range(1, len(keys) + 1):
                    found.setdefault((*table, *keys[:end]), number)
                rest = line[assignment.end() :]
        quote, depth = _scan(rest, quote, depth)
    return found


def _enter(keys: tuple[str, ...], is_list: bool, last_index: dict[Path, int]) -> Path:
    """The path of a table's header; a part that names a list of tables means its last one."""
    path: Path = ()
    for place, key in enumerate(keys):
        path = (*path, key)
        if is_list and place == len(keys) - 1:
            last_index[path] = last_index.get(path, -1) + 1
        if path in last_index:
            path = (*path, last_index[path])
    return path


def _split(dotted: str) -> tuple[str, ...]:
    return tuple(part.strip("\"'") for part in _ONE_KEY.findall(dotted))


def _scan(rest: str, quote: str, depth: int) -> tuple[str, int]:
    """Whether a line ends inside a text of several lines (`quote`), or inside brackets (`depth` of them)."""
    while rest:
        if quote:
            end = rest.find(quote)
            if end < 0:
                return quote, depth
            rest, quote = rest[end + 3 :], ""
            continue
        token = _TOKEN.search(rest)
        if token is None:
            break
        if token.group() in ('"""', "'''"):
            quote = token.group()
        elif token.group() in ("[", "{"):
            depth += 1
        elif token.group() in ("]", "}"):
            depth -= 1
        rest = rest[token.end() :]
    return quote, depth
