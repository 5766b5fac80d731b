"""Tables of consignments, a row for each line: its serial, or how many of a product. Rows with the same
reference are one consignment's. A table adds lines to drafts, and sets counts; it takes no serial away.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from operator import attrgetter
from typing import Any

from skylift.base import labels
from skylift.service.shipment.state import ROOM, Shipment
from skylift.twin.office.imports import ImportKind, Row, Step
from skylift.twin.office.imports_columns import fails, id_column, id_of, label, told, whole

_DRAFTED = "it was begun so; cancel it, or leave the cell empty"
_HEAD = ("reference", "origin", "destination", "recipient", "request", "region")
_of_head = attrgetter(*_HEAD)

COLUMNS = (
    id_column("shp"),
    label("reference", labels.tracking, "trackingnumber", "tracking", fixed=_DRAFTED),
    told("status"),
    label("origin", labels.code, "from", fixed=_DRAFTED),
    label("destination", labels.code, "to", fixed=_DRAFTED),
    id_of("recipient", "acc", fixed=_DRAFTED),
    id_of("request", "req", fixed=_DRAFTED),
    id_of("region", "rgn", fixed=_DRAFTED),
    label("serial", labels.serial, "serialnumber", "kit", "kitnumber", "серійнийномер"),
    label("product", labels.code, "productcode", "model", "товар", "модель"),
    whole("quantity", "qty", "count", "кількість"),
)


def _line(row: Row) -> dict[str, Any] | None:
    if not {"serial", "product", "quantity"} & row.keys():
        return None
    if "product" not in row:
        raise fails("a line needs its product", "write for example STD-V2")
    if "serial" not in row and "quantity" not in row:
        raise fails("a line has a serial or a quantity", "write one of them")
    if "serial" in row and row.get("quantity", 1) != 1:
        raise fails("a serial is of one piece", "write 1, or leave quantity empty")
    return {"product": row["product"], "quantity": row.get("quantity", 1), "serial": row.get("serial", "")}


def _begin(row: Row) -> Sequence[Step]:
    missing = [name for name in _HEAD[:4] if name not in row]
    if missing:
        raise fails(f"a new one needs its {', '.join(missing)}", "fill these in, in the first of its rows")
    line = _line(row)
    more = {"lines": [line]} if line is not None else {}
    return (Step("shipment.create", {name: row[name] for name in _HEAD if name in row} | more),)


def _change(shipment: Shipment, row: Row) -> Sequence[Step]:
    line = _line(row)
    if line is None or line["serial"] in shipment.goods.serials:
        return ()
    steps = []
    had = 0 if line["serial"] else shipment.goods.counts.get(line["product"], 0)
    if had:
        steps.append(Step("shipment.remove-lines", {"lines": [{**line, "quantity": had}]}))
    if line["quantity"]:
        steps.append(Step("shipment.add-lines", {"lines": [line]}))
    return steps


def _show(shipment: Shipment, row: Row) -> Mapping[str, Any]:
    return _head(shipment) | _shown_line(shipment, row.get("serial"), row.get("product"))


def _shown_line(shipment: Shipment, serial: Any, product: Any) -> dict[str, Any]:
    if serial is not None:
        there = shipment.goods.serials.get(serial)
        return {"serial": serial, "product": there, "quantity": 1} if there is not None else {}
    count = shipment.goods.counts.get(product, 0) if product is not None else 0
    return {"product": product, "quantity": count} if count else {}


def _head(shipment: Shipment) -> dict[str, Any]:
    shown = {name: value or None for name, value in zip(_HEAD, _of_head(shipment), strict=True)}
    return {"id": shipment.id, "status": shipment.state.value, **shown}


def _rows(shipment: Shipment) -> Sequence[Row]:
    head = _head(shipment)
    lines = shipment.goods.lines()
    if not lines:
        return (head,)
    return [head | _shown_line(shipment, line.serial or None, line.product) for line in lines]


SHIPMENTS = ImportKind(
    room=ROOM,
    columns=COLUMNS,
    needs=(("reference",),),
    keys=("reference",),
    begin=_begin,
    change=_change,
    show=_show,
    rows=_rows,
    together="reference",
)
