"""From a thing on to others: those that belong to it, and forms that begin one with what is known by now."""

from __future__ import annotations

from typing import Any
from urllib.parse import urlencode

from skylift.api.site.values import Link, path_of
from skylift.api.site.visit import NAMES, Visit
from skylift.api.site.words import verb_label

# (kind, parameter of its list): shown for a region, and for an account.
_OF_REGION = (("request", "region"), ("terminal", "region"), ("shipment", "region"), ("account", "region"))
_OF_ACCOUNT = (("terminal", "owner"), ("shipment", "owner"), ("person", "owner"))


def related_to(visit: Visit, kind: str, thing: Any) -> list[Link]:
    """Only lists that the visitor may read, and verbs that they may do somewhere."""
    match kind:
        case "region":
            begins = [_begin(visit, "statement", about=thing.id), _begin(visit, "request", region=thing.id)]
            return [*_lists(visit, _OF_REGION, thing.id), *filter(None, begins)]
        case "account":
            begins = [_begin(visit, "person", account=thing.id)]
            return [*_lists(visit, _OF_ACCOUNT, thing.id), *filter(None, begins)]
        case "request" if thing.is_open:
            begins = [_begin(visit, "shipment", request=thing.id, region=thing.region)]
            return list(filter(None, begins))
        case "terminal" if thing.serial or thing.kit:
            known = {"terminal": thing.id, "region": thing.region}
            begins = [_begin(visit, "command", **known), _begin(visit, "consent", **known)]
            printed = _lists(visit, (("shipment", "q"),), thing.serial or thing.kit)
            asked = _lists(visit, (("command", "q"), ("consent", "q")), thing.id)
            return [*printed, *asked, *filter(None, begins)]
    return []


def _lists(visit: Visit, lists: tuple[tuple[str, str], ...], value: str) -> list[Link]:
    return [
        Link(NAMES[kind], f"{path_of(kind)}?{urlencode({name: value})}")
        for kind, name in lists
        if visit.allows(f"{kind}.read")
    ]


def _begin(visit: Visit, kind: str, **given: str) -> Link | None:
    verb = f"{kind}.create"
    known = {name: value for name, value in given.items() if value}
    return Link(verb_label(verb), f"{path_of(kind)}/new?{urlencode(known)}") if visit.allows(verb) else None
