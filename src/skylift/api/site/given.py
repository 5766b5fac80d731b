"""What stands in a verb's form before anybody types, what can be picked there, and what a page adds to it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from skylift.api.site.fields import FieldError, Form, Options, time_input, typed
from skylift.api.site.values import DAY_US
from skylift.api.site.words import choice_label
from skylift.service.region.state import Region
from skylift.service.shipment.state import Discrepancy, Shipment
from skylift.twin.office.verbs import Verb

# With more cells than these nobody edits a list: "all cells" is ticked instead.
MOST_CELLS = 60
# How long a paper is proposed to hold; the authority says otherwise where it does.
PAPER_DAYS = 30


def prefilled(verb: Verb, thing: Any, now_us: int) -> dict[str, str]:
    """What is so by now, to be corrected."""
    match verb.name:
        case "terminal.name":
            return {"serial": thing.serial, "kit": thing.kit, "dish_id": thing.dish_id}
        case "terminal.move":
            return {"cell": thing.cell, "region": thing.region, "mobility": thing.mobility.value}
        case "request.place":
            return {"cell": thing.cell, "region": thing.region}
        case "request.accept":
            return {"terminals": str(thing.terminals_wanted)}
        case "request.answer":
            return {"terminals": str(thing.granted or thing.terminals_wanted)}
        case "region.cells" if len(thing.cells) <= MOST_CELLS:
            return {"cells": typed(tuple(thing.cells)), "mode": "enabled", "limits.roaming": "on"}
        case "region.cells":
            return {"all_cells": "on", "mode": "enabled", "limits.roaming": "on"}
        case "region.grant":
            return {
                "paper": "temporary-authorisation",
                "valid_from": time_input(now_us),
                "valid_until": time_input(now_us + PAPER_DAYS * DAY_US),
            }
        case "approval.agree":
            return {"change": thing.change}
        case "shipment.plan-leg":
            return _next_leg(thing)
    return {}


def _next_leg(shipment: Shipment) -> dict[str, str]:
    start = shipment.legs[-1].to_place if shipment.legs else shipment.origin
    return {"from_place": start, "to_place": shipment.destination}


def choices(verb: Verb, thing: Any) -> Mapping[str, Options]:
    """Of what the thing itself has: its commands, its discrepancies, its roles."""
    match verb.name:
        case "terminal.confirm" | "terminal.report-failed":
            waiting = (*thing.commands.pending, *thing.commands.overtaken)
            return {
                "command": tuple(
                    (c.id, f"{choice_label(c.kind)}, asked of {choice_label(c.enforcer).lower()}")
                    for c in waiting
                )
            }
        case "shipment.resolve":
            return {
                "number": tuple((str(d.number), discrepancy_words(d)) for d in thing.open_discrepancies())
            }
        case "person.take":
            return {"role": tuple((g.role.value, choice_label(g.role)) for g in thing.grants)}
    return {}


def discrepancy_words(d: Discrepancy) -> str:
    what = d.line.serial or f"{d.left} × {d.line.product}"
    return f"{d.number}: {choice_label(d.kind).lower()}, {what}"


def filled_in(
    verb: Verb, thing: Any, form: Form, arguments: dict[str, Any], errors: dict[str, FieldError]
) -> None:
    """Add what a page asks for in its own way: all cells of a region, boxes ticked at the lines that came."""
    if verb.name in ("region.cells", "region.cells-remove") and form.get("all_cells"):
        arguments["cells"] = all_cells(thing)
        errors.pop("cells", None)
    if verb.name == "shipment.receive" and form.get("by_line"):
        _ticked(thing, form, arguments, errors)


def all_cells(region: Region) -> list[str]:
    return sorted(region.cells)


def _ticked(shipment: Shipment, form: Form, arguments: dict[str, Any], errors: dict[str, FieldError]) -> None:
    """What was ticked as sound or damaged; a count beside what has no serial."""
    heaps: dict[str, list[dict[str, Any]]] = {"sound": arguments["sound"], "damaged": arguments["damaged"]}
    for number, line in enumerate(shipment.awaited.lines()):
        if line.serial:
            came = form.get(f"came.{line.serial}", [""])[-1]
            if came in heaps:
                heaps[came].append({"product": line.product, "quantity": 1, "serial": line.serial})
            continue
        for name, heap in heaps.items():
            text = form.get(f"{name}.{number}", [""])[-1].strip()
            if text in ("", "0"):
                continue
            if not (text.isascii() and text.isdecimal() and len(text) < 7):
                errors[name] = FieldError(line.product, "it is a whole number", "correct it")
                continue
            heap.append({"product": line.product, "quantity": int(text)})
    if not errors and not arguments["sound"] and not arguments["damaged"]:
        errors["sound"] = FieldError("What came", "nothing is ticked", "tick what came out of the boxes")
