"""Readers of cells that several kinds of table share. Each raises Refused, and repeats nothing."""

from __future__ import annotations

import enum
import math
import re
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from typing import Any

from skylift.base import labels
from skylift.base.cells import is_cell
from skylift.base.errors import Refused
from skylift.base.instants import InstantUs, format_instant, parse_instant
from skylift.twin.office.imports_table import FIXED, Column, Oddity

# A cell of resolution 5 has about 250 km2; a finer one would lead to the house.
FINEST = 5
KIND = "table"
# The word by which a cell says that there is nothing.
NONE = "none"


def fails(rule: str, way_out: str) -> Refused:
    """What a reader raises: the column and the row are said by whoever asked it."""
    return Refused(KIND, "", rule, way_out)


def id_column(prefix: str) -> Column:
    return Column("id", partial(_own_id, prefix=prefix), fixed="leave the cell empty for one that is new")


def _own_id(text: str, prefix: str) -> str:
    return labels.own_id(text, KIND, "id", prefix)


def id_of(name: str, prefix: str, *aliases: str, fixed: str = FIXED) -> Column:
    return Column(name, partial(_own_id, prefix=prefix), aliases=aliases, fixed=fixed)


def told(name: str) -> Column:
    """What an export tells and no import sets: it must be as it is."""
    return Column(name, str, fixed="it is set by what is done to it, not by a table: leave the cell empty")


def one_of(name: str, kind: type[enum.Enum], *aliases: str, fixed: str = FIXED) -> Column:
    """A word of an enum; what a row has is the word."""
    words = {str(one.value): one.value for one in kind}
    return Column(name, partial(_word, words=words), aliases=aliases, fixed=fixed)


def _word(text: str, words: dict[str, Any]) -> Any:
    found = words.get(re.sub(r"[\s_]+", "-", text.casefold()))
    if found is None:
        raise fails(f"it is one of {', '.join(words)}", "write one of these")
    return found


def whole(name: str, *aliases: str, fixed: str = FIXED) -> Column:
    return Column(name, _whole, aliases=aliases, takes=(Oddity.NUMBER,), fixed=fixed)


def _whole(text: str) -> int:
    if not re.fullmatch(r"\d{1,18}", text, re.ASCII):
        raise fails("it is a whole number, without spaces", "write for example 20")
    return int(text)


def number(name: str, *aliases: str, personal: bool = False, fixed: str = FIXED) -> Column:
    return Column(
        name,
        _number,
        write=_number_text,
        aliases=aliases,
        personal=personal,
        takes=(Oddity.NUMBER,),
        fixed=fixed,
    )


def _number(text: str) -> float:
    # A comma for a point, as spreadsheets in many languages write it.
    plain = text.replace(",", ".", 1) if text.count(",") == 1 and "." not in text else text
    if not re.fullmatch(r"[+-]?\d+(?:\.\d+)?(?:[eE][+-]?\d{1,3})?", plain, re.ASCII):
        raise fails("it is a number", "write for example 50.45")
    value = float(plain)
    if not math.isfinite(value):
        raise fails("it is too large", "correct it")
    return value


def _number_text(value: float) -> str:
    return str(int(value)) if value == int(value) and abs(value) < 1e15 else repr(float(value))


def instant(name: str, *aliases: str, fixed: str = FIXED) -> Column:
    return Column(
        name,
        _instant,
        write=lambda at: format_instant(at),
        aliases=aliases,
        takes=(Oddity.DATE,),
        fixed=fixed,
    )


def _instant(text: str) -> InstantUs:
    """ISO 8601; UTC where a spreadsheet's own date says no zone."""
    plain = re.sub(r"^(\d{4}-\d{2}-\d{2}) (\d)", r"\1T\2", text)
    if re.fullmatch(r"\d{4}-\d{2}-\d{2}", plain, re.ASCII):
        plain += "T00:00:00"
    if re.fullmatch(r"\d{4}-\d{2}-\d{2}T\d{2}:\d{2}(:\d{2}(\.\d+)?)?", plain, re.ASCII):
        plain += "Z"
    try:
        return parse_instant(plain, name_of_time)
    except Refused:
        raise fails(
            "it is an instant by ISO 8601", "write for example 2022-02-26T12:00:00Z; without a zone it is UTC"
        ) from None


name_of_time = "an instant"


def or_none(column: Column) -> Column:
    """It may say that there is none; an empty cell says nothing."""
    return replace(
        column,
        read=lambda text: NONE if text.casefold() == NONE else column.read(text),
        write=lambda value: NONE if value == NONE else column.write(value),
    )


def cell_column(fixed: str = FIXED) -> Column:
    return Column("cell", _cell, aliases=("h3", "h3cell", "комірка"), fixed=fixed)


def _cell(text: str) -> str:
    cell = text.lower()
    if not is_cell(cell, FINEST):
        raise fails(
            f"it is an H3 cell no finer than resolution {FINEST}",
            "give its parent cell; exact places are kept apart",
        )
    return cell


def country_column(fixed: str) -> Column:
    return Column(
        "country", lambda text: labels.country(text.upper(), KIND), aliases=("країна",), fixed=fixed
    )


def personal(name: str, *aliases: str) -> Column:
    """A text that goes to rows that can be erased."""
    # A telephone number is often kept as a number; nothing of it is compared.
    return Column(name, str, aliases=aliases, personal=True, takes=(Oddity.NUMBER, Oddity.DATE))


def plain_text(name: str, *aliases: str, fixed: str) -> Column:
    """A text that is kept for ever: what looks personal is refused."""
    return Column(name, _plain, aliases=aliases, fixed=fixed)


_PLACE = re.compile(r"\d\.\d{3}")
_MAIL = re.compile(r"\S@\S")


def looks_personal(text: str) -> str:
    """What sort of personal thing a text looks like, in words; "" for none."""
    if _PLACE.search(text):
        return "an exact place"
    return "a mail address" if _MAIL.search(text) else labels.personal_number(text)


def _plain(text: str) -> str:
    found = looks_personal(text)
    if found:
        raise fails(f"it is kept for ever, and looks like {found}", "leave that out")
    return text


def label(name: str, read: Callable[..., str], *aliases: str, fixed: str = FIXED) -> Column:
    """A serial, a dish id, a code or a reference, in its one canonical form (base/labels.py)."""
    return Column(name, lambda text: read(text, KIND, name), aliases=aliases, fixed=fixed)
