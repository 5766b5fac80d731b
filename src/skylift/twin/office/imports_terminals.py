"""Tables of terminals. A new one with an owner is registered at once; one that is there gets the names that
it lacked, an owner where it has none, and another home. All else of it is changed by the verbs.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from skylift.base import labels
from skylift.service.terminal.events import Mobility, NameReason, Network, Origin
from skylift.service.terminal.state import ROOM, Terminal
from skylift.twin.office.imports import ImportKind, Row, Step
from skylift.twin.office.imports_columns import cell_column, fails, id_column, id_of, label, one_of, told

NAMES = ("serial", "kit", "dish_id")
_HOME = ("cell", "mobility", "region")
_MADE = "it was recorded so; retire it, or leave the cell empty"

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
    told("place"),
    told("status"),
)


def _begin(row: Row) -> Sequence[Step]:
    if "hardware" not in row:
        raise fails("a new one needs its hardware", "write for example STD-V2")
    steps = [Step("terminal.create", _some(row, (*NAMES, "hardware", "network", "origin")))]
    if "owner" in row:
        if "origin" not in row:
            raise fails(
                "a new one with an owner needs its origin", "write bought-abroad, gift or other-records"
            )
        steps.append(_register(row))
    return steps


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
    return steps


def _some(row: Row, names: Sequence[str]) -> dict[str, Any]:
    return {name: row[name] for name in names if name in row}


def _show(terminal: Terminal, row: Row) -> Mapping[str, Any]:
    """None for what it does not have."""
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
