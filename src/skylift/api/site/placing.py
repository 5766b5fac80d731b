"""Where on a form a refusal belongs: by the thing that it names, its path, or its code."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence

# Refusals that name no field of theirs.
_BY_CODE: Mapping[str, str] = {
    "account.reference": "reference",
    "region.expired": "valid_until",
    "region.no-cells": "cells",
    "region.no-document": "document",
    "region.no-paper": "paper",
    "region.too-long": "valid_until",
    "region.validity": "valid_until",
    "region.hours": "limits.hours_utc",
    "region.limits": "mode",
    "request.merge": "into",
    "request.place": "latitude_deg",
    "person.no-territory": "regions",
    "plan.not-offered": "plan",
    "plan.unknown": "plan",
    "shipment.bad-rows": "lines",
}
_PATH = re.compile(r"`?\$\.?([a-z_.]+)")
_WORDS = re.compile(r"([a-z_.]+)(?:\[\.\.\.\][a-z_.]*)? is none of a few words")
_NAMED = re.compile(r"field '([a-z_.]+)'")


def field_of(error: Mapping[str, str], names: Sequence[str]) -> str:
    """The field that a refusal is about; "" where it is about none of these."""
    for found in _guesses(error):
        if found in names:
            return found
        # A row of a list, or one half of a nested part.
        nearest = [name for name in names if found.startswith(f"{name}.") or name.startswith(f"{found}.")]
        if nearest:
            return nearest[0]
    return ""


def _guesses(error: Mapping[str, str]) -> list[str]:
    thing, rule, code = error.get("thing", ""), error.get("rule", ""), error.get("code", "")
    found = [_BY_CODE.get(code, ""), thing]
    found += _NAMED.findall(thing)
    found += [path.strip(".") for path in (*_PATH.findall(rule), *_WORDS.findall(rule))]
    if match := re.search(r"missing required field `(\w+)`", rule):
        found.append(match[1])
    found.append(code.partition(".")[2].replace("-", "_"))
    # "serial KIT-1" names the field first, then what was given.
    found.append(thing.partition(" ")[0])
    # What is wrong with a line stands at the lines.
    found += ["lines"] if thing.partition(" ")[0] in ("product", "serial", "quantity") else []
    if code == "shipment.bad-rows":
        found += ["csv", "codes"]
    # "account acc_1 is not known" may be the recipient.
    if code.endswith(".unknown"):
        found += _ROLES.get(code.partition(".")[0], [])
    return [name for name in found if name]


_ROLES: Mapping[str, list[str]] = {
    "account": ["owner", "recipient", "to", "account"],
    "region": ["region", "about"],
    "request": ["into", "request"],
    "shipment": ["shipment", "batch"],
}
