"""Tables of terminals. A new one with an owner is registered at once; one that is there gets the names that
it lacked, an owner where it has none, another home, and its operator's service line. All else of it is
changed by the verbs.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from skylift.base import labels
from skylift.service.terminal.events import LineSource, LineStanding, Mobility, NameReason, Network, Origin
from skylift.service.terminal.state import ROOM, Terminal
from skylift.twin.office.imports import ImportKind, Row, Step
from skylift.twin.office.imports_columns import (
    NONE,
    cell_column,
    fails,
    id_column,
    id_of,
    instant,
    label,
    one_of,
    or_none,
    told,
)

NAMES = ("serial", "kit", "dish_id")
_HOME = ("cell", "mobility", "region")
_MADE = "it was recorded so; retire it, or leave the cell empty"
# Columns of the service line, by what they are of it.
_LINE = {
    "line": "number", "line_product": "product", "line_standing": "standing", "line_started": "started_at",
    "line_ended": "ended_at", "line_source": "source",
}  # fmt: skip
_NO_LINE = "name its line as well, or leave the cell empty"

COLUMNS = (
    id_column("trm"),
    label("serial", labels.serial, "serialnumber", "dishserialnumber", "серійнийномер"),
    label("kit", labels.serial, "kitnumber", "kitserialnumber", "номеркомплекту"),
    label("dish_id", labels.dish_id, "utid", "userterminalid", "ідентифікаторантени"),
    label("hardware", labels.code, "model", "product", "модель", fixed=_MADE),
    one_of("network", Network, fixed=_MADE),
    one_of("origin", Origin, fixed=_MADE),
    id_of("owner", "acc", "account", fixed="have its owner hand it over"),
    cell_column("only one with an owner has a home"),
    one_of("mobility", Mobility, fixed="only one with an owner has a home"),
    id_of("region", "rgn", fixed="only one with an owner has a home"),
    or_none(label("line", labels.serial, "serviceline", "servicelinenumber", "лінія", fixed=_NO_LINE)),
    or_none(label("line_product", labels.catalogue_id, fixed=_NO_LINE)),
    one_of("line_standing", LineStanding, fixed=_NO_LINE),
    or_none(instant("line_started", fixed=_NO_LINE)),
    or_none(instant("line_ended", fixed=_NO_LINE)),
    one_of("line_source", LineSource, fixed=_NO_LINE),
    told("place"),
    told("status"),
)


def _begin(row: Row) -> Sequence[Step]:
    if "hardware" not in row:
        if "line" in row:
            raise fails("it is not in the fleet", "leave the row out; or add its hardware to make it known")
        raise fails("a new one needs its hardware", "write for example STD-V2")
    steps = [Step("terminal.create", _some(row, (*NAMES, "hardware", "network", "origin")))]
    if "owner" in row:
        if "origin" not in row:
            raise fails(
                "a new one with an owner needs its origin", "write bought-abroad, gift or other-records"
            )
        steps.append(_register(row))
    return [*steps, *_line_steps({}, row)]


def _register(row: Row) -> Step:
    if "cell" not in row:
        raise fails("one with an owner needs its cell", "give the H3 cell of its home, of resolution 5")
    return Step("terminal.register", _some(row, ("owner", *_HOME)))


def _change(terminal: Terminal, row: Row) -> Sequence[Step]:
    steps = []
    own = {name: getattr(terminal, name) for name in NAMES}
    names = own | {name: row[name] for name in NAMES if name in row}
    if names != own:
        learned = all(own[name] in ("", names[name]) for name in NAMES)
        why = NameReason.LEARNED if learned else NameReason.CORRECTED
        steps.append(Step("terminal.name", {**names, "why": why.value}))
    if "owner" in row and not terminal.owner:
        steps.append(_register(row))
    elif terminal.owner:
        now = {"cell": terminal.cell, "mobility": terminal.mobility.value, "region": terminal.region}
        home = now | _some(row, _HOME)
        if home != now:
            steps.append(Step("terminal.move", home))
    return [*steps, *_line_steps(_line(terminal), row)]


def _line(terminal: Terminal) -> dict[str, Any]:
    """What is recorded of its line, by column; nothing where nobody told."""
    line = terminal.line
    if line is None:
        return {}
    if not line.number:
        return {"line": NONE, "line_source": line.source.value}
    told = {name: getattr(line, field) for name, field in _LINE.items()}
    told |= {"line_standing": line.standing.value, "line_source": line.source.value}
    return {name: value for name, value in told.items() if value not in ("", None)}


def _line_steps(now: Mapping[str, Any], row: Row) -> Sequence[Step]:
    """Of a line that is another, what the row says is known, and no more."""
    said = _some(row, tuple(_LINE))
    if not said:
        return ()
    if "line" not in {*now, *said}:
        raise fails("its line is not known", _NO_LINE)
    wanted = {**(now if said.get("line", now.get("line")) == now.get("line") else {}), **said}
    told = {_LINE[name]: value for name, value in wanted.items() if value != NONE}
    if wanted["line"] == NONE:
        return (Step("terminal.record-no-line", {"source": told["source"]} if "source" in told else {}),)
    return (Step("terminal.record-line", told),)


def _some(row: Row, names: Sequence[str]) -> dict[str, Any]:
    return {name: row[name] for name in names if name in row}


def _show(terminal: Terminal, row: Row) -> Mapping[str, Any]:
    """None for what it does not have; "none" where the row says that there is none of it."""
    line: dict[str, Any] = dict.fromkeys(_LINE) | _line(terminal)
    for name in ("line_product", "line_started", "line_ended"):
        line[name] = line[name] or (NONE if row.get(name) == NONE else None)
    return {
        "id": terminal.id,
        "serial": terminal.serial or None,
        "kit": terminal.kit or None,
        "dish_id": terminal.dish_id or None,
        "hardware": terminal.hardware or None,
        "network": terminal.network.value,
        "origin": terminal.origin.value if terminal.origin else None,
        "owner": terminal.owner or None,
        "cell": terminal.cell or None,
        "mobility": terminal.mobility.value,
        "region": terminal.region or None,
        **line,
        "place": terminal.place or None,
        "status": terminal.state.value,
    }


TERMINALS = ImportKind(
    room=ROOM,
    columns=COLUMNS,
    needs=(("id", *NAMES),),
    keys=NAMES,
    begin=_begin,
    change=_change,
    show=_show,
    rows=lambda terminal: (_show(terminal, {}),),
    limited=True,
)
