"""A table from an authority's file -> entries. All or nothing: one bad row, and none is taken.

Columns, in any order: serial, kit, dish_id (one of the three in each row), owner_kind, shown, reference. The
reference is the authority's own number of the owner's case; it is how several terminals of one owner are
known to be one owner's. Who the owner is, skylift does not want to know: a column that is named like an
identity number, a name or a contact, or holds values that look like one, is refused with all that it brings,
before anything is read. No refusal repeats a value or an unknown heading (a file without headings has its
first person there).
"""

from __future__ import annotations

import csv
import re
from collections.abc import Callable, Container, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from skylift.base import labels
from skylift.base.errors import Refused
from skylift.service.terminal.allow_list.rules import Rules

KIND = "allow-list"
COLUMNS = ("serial", "kit", "dish_id", "owner_kind", "shown", "reference")
NAMES = ("serial", "kit", "dish_id")

_ALIASES = {
    "serial": ("serialnumber", "dishserialnumber", "серійнийномер"),
    "kit": ("kitnumber", "kitserialnumber", "kitномер", "номеркомплекту"),
    "dish_id": ("dishid", "utid", "userterminalid", "ідентифікаторантени"),
    "owner_kind": ("ownerkind", "owner", "kind", "типвласника", "власник"),
    "shown": ("deviceshown", "present", "пред'явлено", "предявлено", "показано"),
    "reference": ("ref", "case", "caseno", "номерсправи", "заява"),
}
_COLUMN_OF = {alias: column for column, aliases in _ALIASES.items() for alias in (column, *aliases)}
_COLUMN_OF |= {column.replace("_", ""): column for column in COLUMNS}

# Words that begin or make up the heading of a column that we must not have.
_PERSONAL = re.compile(
    r"passport|паспорт|rnokpp|рнокпп|\bipn\b|\bіпн\b|\bинн\b|\binn\b|tax|податк|налог|\btin\b|\bssn\b|pesel|nip\b"
    r"|identi(?:ty|fication)|\bid.?card|national.?id|personal|unzr|унзр|ідентифікаційн|идентификацион|edrpou|єдрпоу"
    r"|\bname|surname|прізвищ|фамили|\bім.?я\b|\bпіб\b|\bфио\b|birth|народж|рожден|phone|телефон|e.?mail|пошта"
    r"|address|адрес|latitude|longitude|широта|довгота|долгота",
    re.IGNORECASE,
)
_YES = frozenset({"yes", "true", "1", "y", "так", "да", "shown"})
_NO = frozenset({"no", "false", "0", "n", "ні", "нет", ""})


class Entry(NamedTuple):
    """One row of a list. reference: the authority's case, the same for all terminals of one owner."""

    serial: str
    kit: str
    dish_id: str
    owner_kind: str
    shown: bool
    reference: str


@dataclass(frozen=True, slots=True)
class BadRow:
    """Why a row cannot be taken. number: its line in the table, the headings being 1."""

    number: int
    column: str
    why: str


@dataclass(frozen=True, slots=True)
class ReadRows:
    """Entries by their row numbers; none where there is a bad row."""

    entries: tuple[Entry, ...]
    numbers: tuple[int, ...]
    bad: tuple[BadRow, ...]


def table_of_csv(text: str) -> list[list[str]]:
    """Cells of a CSV text with commas, semicolons or tabs; blank lines stay, so that rows keep their
    numbers.
    """
    text = text.removeprefix("\ufeff")
    heading = text.partition("\n")[0]
    delimiter = max(",;\t", key=heading.count)
    try:
        return list(csv.reader(text.splitlines(), delimiter=delimiter, strict=True))
    except csv.Error:
        raise Refused(
            f"{KIND}.csv", "list", "this is not CSV: a quote is not closed", "write it anew as CSV"
        ) from None


def read(table: Sequence[Sequence[str]], rules: Rules, known: Container[str] = frozenset()) -> ReadRows:
    """Entries of a table with headings.

    known  serials, kit numbers and dish ids of our own terminals: these are no identity numbers, whatever
           they look like
    Raises Refused for the whole table where a column is personal, unknown or missing.
    """
    columns = _columns(table)
    _refuse_personal_values(table, known)
    entries, numbers, bad = [], [], []
    seen: dict[Entry, int] = {}
    for number, cells in enumerate(table[1:], 2):
        if not any(cell.strip() for cell in cells):
            continue
        entry, wrong = _entry(number, cells, columns, rules)
        if entry is not None and entry in seen:
            wrong = [BadRow(number, "", f"it is the same as row {seen[entry]}")]
        bad += wrong
        if entry is not None and not wrong:
            seen[entry] = number
            entries.append(entry)
            numbers.append(number)
    if bad:
        return ReadRows((), (), tuple(bad))
    return ReadRows(tuple(entries), tuple(numbers), ())


def _columns(table: Sequence[Sequence[str]]) -> dict[str, int]:
    headings = [str(cell).strip() for cell in table[0]] if table else []
    personal = [n for n, heading in enumerate(headings, 1) if _is_personal(heading)]
    if personal:
        raise _personal(personal, "its heading names what tells who a person is")
    columns: dict[str, int] = {}
    for n, heading in enumerate(headings):
        column = _COLUMN_OF.get(re.sub(r"[\s_-]", "", heading).casefold())
        if column is None or column in columns:
            raise Refused(
                f"{KIND}.column",
                f"column {n + 1}",
                "two columns have the same heading" if column else "its heading is not known",
                f"use only {', '.join(COLUMNS)}, and delete the others",
            )
        columns[column] = n
    missing = [c for c in ("owner_kind", "shown", "reference") if c not in columns]
    if not any(name in columns for name in NAMES):
        missing.append("serial, kit or dish_id")
    if missing:
        raise Refused(
            f"{KIND}.column-missing", "list", f"it lacks {' and '.join(missing)}", "add it, with a heading"
        )
    return columns


def _is_personal(heading: str) -> bool:
    return bool(_PERSONAL.search(heading.replace("_", " "))) or bool(labels.personal_number(heading))


def _refuse_personal_values(table: Sequence[Sequence[str]], known: Container[str]) -> None:
    found = {
        n
        for cells in table[1:]
        for n, cell in enumerate(cells, 1)
        if labels.personal_number(cell) and cell.strip().upper() not in known and cell.strip() not in known
    }
    if found:
        raise _personal(sorted(found), "it holds what looks like numbers of passports, taxes or telephones")


def _personal(columns: Iterable[int], why: str) -> Refused:
    listed = ", ".join(map(str, columns))
    return Refused(
        f"{KIND}.personal-column",
        f"column {listed}",
        f"{why}; identity numbers are never taken",
        "delete the column, and give the authority's own reference instead; nothing of the file was kept",
    )


def _entry(
    number: int, cells: Sequence[str], columns: dict[str, int], rules: Rules
) -> tuple[Entry | None, list[BadRow]]:
    def cell(column: str) -> str:
        place = columns.get(column, len(cells))
        return cells[place].strip() if place < len(cells) else ""

    bad: list[BadRow] = []
    if len(cells) > len(columns):
        bad.append(BadRow(number, "", "it has more cells than there are headings"))
    names = {name: _label(number, name, cell(name), bad) for name in NAMES}
    if not any(cell(name) for name in NAMES):
        bad.append(BadRow(number, "", "it has no serial, kit number or dish id"))
    kind = rules.kind_of_owner(cell("owner_kind"))
    if not kind:
        bad.append(BadRow(number, "owner_kind", f"it is one of {', '.join(rules.limits)}"))
    elif rules.limits[kind].elsewhere:
        bad.append(BadRow(number, "owner_kind", "these go by a channel of their own; remove the row"))
    shown = cell("shown").casefold()
    if shown not in _YES | _NO:
        bad.append(BadRow(number, "shown", "it is yes or no"))
    reference = _label(number, "reference", cell("reference"), bad)
    if not cell("reference"):
        bad.append(BadRow(number, "reference", "it is missing: the authority's number of the owner's case"))
    if bad:
        return None, bad
    return Entry(names["serial"], names["kit"], names["dish_id"], kind, shown in _YES, reference), []


_READERS: Mapping[str, Callable[[str, str, str], str]] = {
    "serial": labels.serial,
    "kit": labels.serial,
    "dish_id": labels.dish_id,
    "reference": labels.reference,
}


def _label(number: int, column: str, text: str, bad: list[BadRow]) -> str:
    if not text:
        return ""
    try:
        return _READERS[column](text, KIND, column)
    except Refused as refusal:
        bad.append(BadRow(number, column, f"{refusal.rule}; {refusal.way_out}"))
        return ""
