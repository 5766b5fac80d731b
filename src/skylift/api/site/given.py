"""What stands in a verb's form before anybody types, what can be picked there, and what a page adds to it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

from skylift.adapters.outlines import country_outline
from skylift.api.site.fields import Field, FieldError, Form, Options, claim_line, time_input, typed
from skylift.api.site.values import DAY_US
from skylift.api.site.words import choice_label
from skylift.base.errors import Refused
from skylift.base.places import cells_of
from skylift.service.authority.state import Authority
from skylift.service.region.state import Region
from skylift.service.shipment.state import Discrepancy, Shipment
from skylift.service.terminal.state import Terminal
from skylift.twin.office.terminals import said_by_people
from skylift.twin.office.verbs import Verb

# With more cells than these nobody edits a list: "all cells" is ticked instead.
MOST_CELLS = 60
# How long a paper is proposed to hold; the authority says otherwise where it does.
PAPER_DAYS = 30


def prefilled(verb: Verb, thing: Any, now_us: int) -> dict[str, str]:
    """What is so by now, to be corrected."""
    give = _PREFILLED.get(verb.name)
    return {} if give is None else give(thing, now_us)


def _cells(region: Region, now_us: int) -> dict[str, str]:
    few = len(region.cells) <= MOST_CELLS
    cells = {"cells": typed(tuple(region.cells))} if few else {"all_cells": "on"}
    return {**cells, "mode": "enabled", "limits.roaming": "on"}


def _paper(region: Region, now_us: int) -> dict[str, str]:
    return {
        "paper": "temporary-authorisation",
        "valid_from": time_input(now_us),
        "valid_until": time_input(now_us + PAPER_DAYS * DAY_US),
    }


def _next_leg(shipment: Shipment, now_us: int) -> dict[str, str]:
    start = shipment.legs[-1].to_place if shipment.legs else shipment.origin
    return {"from_place": start, "to_place": shipment.destination}


def _entry(authority: Authority, now_us: int) -> dict[str, str]:
    terms = authority.terms
    names = ("title", "kind", "vouches_for", "source", "countries", "regions", "everywhere")
    until = {} if terms.valid_until is None else {"valid_until": time_input(terms.valid_until)}
    return {**{name: typed(getattr(terms, name)) for name in names}, **until}


def _line(terminal: Terminal, now_us: int) -> dict[str, str]:
    line = terminal.line
    if line is None:
        return {}
    times = {"started_at": line.started_at, "ended_at": line.ended_at}
    return {
        **{name: typed(getattr(line, name)) for name in ("number", "product", "standing", "source")},
        **{name: time_input(at) for name, at in times.items() if at is not None},
    }


_PREFILLED: Mapping[str, Callable[[Any, int], dict[str, str]]] = {
    "terminal.name": lambda t, _: {"serial": t.serial, "kit": t.kit, "dish_id": t.dish_id},
    "terminal.record-line": _line,
    "terminal.move": lambda t, _: {"cell": t.cell, "region": t.region, "mobility": t.mobility.value},
    "request.place": lambda r, _: {"cell": r.cell, "region": r.region},
    "request.accept": lambda r, _: {"terminals": str(r.terminals_wanted)},
    "request.answer": lambda r, _: {"terminals": str(r.granted or r.terminals_wanted)},
    "region.cells": _cells,
    "region.grant": _paper,
    "authority.amend": _entry,
    "approval.agree": lambda a, _: {"change": a.change},
    "shipment.plan-leg": _next_leg,
    "outage.explain": lambda o, _: {
        "cause": o.cause.value,
        "claims": "\n".join(claim_line(claim) for claim in o.claims),
    },
    "outage.update": lambda _, now_us: {"measured_at": time_input(now_us)},
    "outage.close": lambda _, now_us: {"ended_at": time_input(now_us)},
}


def choices(verb: Verb, thing: Any) -> Mapping[str, Options]:
    """Of what the thing itself has: its commands, its discrepancies, its roles."""
    match verb.name:
        case "terminal.confirm" | "terminal.report-failed":
            waiting = said_by_people(thing)
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
    what = d.line.serial or f"{d.left or d.line.quantity} × {d.line.product}"
    return f"{d.number}: {choice_label(d.kind).lower()}, {what}"


# Beside the list of cells: nobody types those of a country.
_ALL_CELLS: Mapping[str, str] = {
    "region.create": "All cells of the country",
    "region.cells": "All cells of this region",
    "region.cells-remove": "All cells of this region",
}


def with_more(verb: Verb, shown: list[Field], given: Mapping[str, str]) -> list[Field]:
    """A form's inputs, and what the page asks for in its own way."""
    label = _ALL_CELLS.get(verb.name)
    if label is None:
        return shown
    tick = Field("all_cells", label, "", "check", False, given.get("all_cells", ""))
    found: list[Field] = []
    for one in shown:
        found += [replace(one, required=False), tick] if one.name == "cells" else [one]
    return found


def filled_in(
    verb: Verb, thing: Any, form: Form, arguments: dict[str, Any], errors: dict[str, FieldError]
) -> None:
    """Add what a page asks for in its own way: all cells of a region, boxes ticked at the lines that came."""
    if verb.name in _ALL_CELLS and form.get("all_cells"):
        _all_cells(thing, arguments, errors)
    elif verb.name in _ALL_CELLS and "cells" in errors and not form.get("cells", [""])[-1].strip():
        way_out = f"name some, or tick “{_ALL_CELLS[verb.name]}”"
        errors["cells"] = replace(errors["cells"], rule="none is named", way_out=way_out)
    if verb.name == "shipment.receive" and form.get("by_line"):
        _ticked(thing, form, arguments, errors)


def _all_cells(region: Region | None, arguments: dict[str, Any], errors: dict[str, FieldError]) -> None:
    """Those of the region, or of the country that is to be one; for a country this takes a moment."""
    errors.pop("cells", None)
    if region is not None:
        arguments["cells"] = sorted(region.cells)
        return
    country = str(arguments.get("country", ""))
    try:
        arguments["cells"] = cells_of(country_outline(country)) if country else []
    except Refused as error:
        errors["country"] = FieldError("Country", error.rule, error.way_out)


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
