"""What clients of the simulation want of things as they stand, and what they say so that it can be done.

A verb that is named nowhere here is asked for all the same, with arguments of the right types: whether it is
ever done, the simulation's own test says.
"""

from __future__ import annotations

import enum
import random
import types
import typing
from collections import defaultdict
from collections.abc import Callable, Mapping
from dataclasses import MISSING, dataclass, field, fields, is_dataclass
from functools import cache
from typing import Any, get_args, get_origin, get_type_hints

from skylift.base.instants import InstantUs
from skylift.service.shipment.events import RESOLUTIONS, Kind
from skylift.twin.office.table import TABLE
from skylift.twin.office.verbs import Verb

CELLS = (
    "851e5227fffffff", "851e5237fffffff", "851e522bfffffff", "851e5223fffffff", "851e520ffffffff",
)  # fmt: skip
# Cells in which nobody is served, for regions that begin.
SPARE_CELLS = ("851e535bfffffff", "851e5353fffffff", "851e53cbfffffff", "851e534bfffffff", "851e5343fffffff")
DAY_US = 86_400_000_000
DEPOTS = ("WAW-1", "RZE-2", "KBP-1")
RULES = "ua-2026"
# In place of an argument that is not given.
LEFT_OUT = object()

# What is tried most of a thing of a kind in a state: the way that most things go.
LIKELY = {
    "terminal manufactured": "deliver export name",
    "terminal exported": "enter-customs enter-customs deliver",
    "terminal in-customs": "leave-customs",
    "terminal delivered": "register register deliver export report-lost",
    "terminal registered": "verify verify hand-over move accept decline end-offer unregister record-line",
    "terminal verified": "activate activate withdraw-verification hand-over accept decline end-offer confirm "
    "report-failed report-failed",
    "terminal active": "pause block report-lost report-stolen confirm confirm report-failed report-failed "
    "report-failed move retire ask-field ask-again record-line record-no-line",
    "terminal paused": "activate activate hand-over accept end-offer unregister confirm report-failed "
    "report-failed",
    "terminal lost": "find report-stolen",
    "terminal blocked": "unblock find",
    "terminal retired": "restore",
    "region closed": "grant request cells",
    "region requested": "grant refuse",
    "region authorised": "activate activate activate cells grant revoke",
    "region active": "suspend cells cells-remove revoke prohibit",
    "region suspended": "activate activate",
    "region prohibited": "lift",
    "account open": "verify verify plan sanction lift-sanction",
    "account verified": "plan suspend sanction lift-sanction",
    "account suspended": "resume resume close",
    "person active": "grant take lock leave",
    "person locked": "unlock unlock leave",
    "plan offered": "withdraw",
    "request draft": "confirm confirm refuse",
    "request received": "acknowledge acknowledge merge place refuse",
    "request acknowledged": "verify verify accept accept merge refuse",
    "request accepted": "answer answer",
    "request answered": "close reopen",
    "request refused": "reopen close",
    "request merged": "separate",
    "shipment draft": "add-lines scan-lines import-lines remove-lines plan-leg plan-leg drop-legs pack pack",
    "shipment packed": "depart depart unpack cancel set-paper",
    "shipment under-way": "arrive arrive enter-customs lose turn-back",
    "shipment in-customs": "leave-customs",
    "shipment lost": "find",
    "shipment arrived": "receive receive receive-scans complete swap notice",
    "shipment received": "prove confirm close resolve notice",
    "statement drafted": "publish publish redraft",
    "statement published": "withdraw",
    "webhook active": "pause test remove rotate redeliver",
    "webhook paused": "resume",
    "allow-list accepted": "apply apply schedule extend withdraw",
    "allow-list applied": "carry-out withdraw",
    "allow-list withdrawn": "carry-out",
    "app-figure imported": "correct correct withdraw",
    "outage open": "update update close merge explain confirm dismiss hold release",
    "outage closed": "explain merge confirm hold release dismiss",
    "import under-way": "abandon",
    "command issued": "withdraw",
    "consent given": "take-back",
    "rollout under-way": "proceed stop",
    "authority known": "amend withdraw",
    "authority withdrawn": "restore",
}
# What has to be so of a thing beside its state.
ONLY_IF: dict[str, Callable[[Mapping[str, Any]], object]] = {
    "terminal.accept": lambda shown: shown.get("offered_to"),
    "terminal.decline": lambda shown: shown.get("offered_to"),
    "terminal.end-offer": lambda shown: shown.get("offered_to"),
    "terminal.hand-over": lambda shown: not shown.get("offered_to"),
    "terminal.confirm": lambda shown: waits_for_people(shown),
    "terminal.report-failed": lambda shown: waits_for_people(shown),
    "shipment.resolve": lambda shown: discrepancy(shown),
    "shipment.confirm": lambda shown: shown.get("confirmed_at") is None,
    "shipment.remove-lines": lambda shown: shown.get("goods", {}).get("serials"),
    "shipment.swap": lambda shown: shown.get("awaited", {}).get("serials"),
    "outage.release": lambda shown: shown.get("held"),
    "outage.hold": lambda shown: not shown.get("held"),
    "account.lift-sanction": lambda shown: shown.get("sanctions"),
    "person.take": lambda shown: shown.get("grants"),
}
# Whose account alone can do it, by the field that names it.
FOR_ACCOUNT = {
    "terminal.accept": "offered_to",
    "terminal.decline": "offered_to",
    "shipment.confirm": "recipient",
}
_STATES: dict[str, set[str]] = defaultdict(set)
for _where, _actions in LIKELY.items():
    for _action in _actions.split():
        _STATES[f"{_where.split()[0]}.{_action}"].add(_where.split()[1])


def can_be(verb: str, shown: Mapping[str, Any]) -> bool:
    """Whether a verb is likely to be done to a thing as it was last seen."""
    return shown.get("status") in _STATES[verb] and is_so(verb, shown)


def likely(kind: str, shown: Mapping[str, Any]) -> list[Verb]:
    """What people mostly want of a thing as it was last seen."""
    names = [f"{kind}.{action}" for action in LIKELY.get(f"{kind} {shown.get('status', '')}", "").split()]
    return [TABLE.verbs[name] for name in names if name in TABLE.verbs and is_so(name, shown)]


def is_so(verb: str, shown: Mapping[str, Any]) -> bool:
    """Whether what has to be so for a verb, beside the state, is so of a thing as it was last seen."""
    return bool(ONLY_IF.get(verb, bool)(shown))


def pending(shown: Mapping[str, Any]) -> str:
    """The last that an enforcer was asked of a terminal."""
    asked = (shown.get("commands") or {}).get("pending") or [{}]
    return str(asked[-1].get("id", ""))


def waits_for_people(shown: Mapping[str, Any]) -> bool:
    """Whether what was asked last is confirmed by people: what our own network does, slots show."""
    asked = (shown.get("commands") or {}).get("pending") or [{}]
    return asked[-1].get("enforcer", "our-network") != "our-network"


def discrepancy(shown: Mapping[str, Any]) -> Mapping[str, Any]:
    """One that is open."""
    return next((one for one in shown.get("discrepancies", ()) if one["left"]), {})


@dataclass
class Known:
    """What clients have learned from answers.

    waiting, changes  changes that need another person, by the agreement: who asked what, and its hash
    looks             what allow-lists would do
    plans             tables that were looked at: the path that writes them, and the table
    """

    ids: dict[str, list[str]] = field(default_factory=lambda: defaultdict(list))
    shown: dict[str, dict[str, Any]] = field(default_factory=dict)
    waiting: dict[str, Any] = field(default_factory=dict)
    changes: dict[str, str] = field(default_factory=dict)
    looks: dict[str, dict[str, Any]] = field(default_factory=dict)
    plans: list[tuple[str, str]] = field(default_factory=list)
    count: int = 0

    def copy(self) -> Known:
        other = Known(
            shown=dict(self.shown), waiting=dict(self.waiting), changes=dict(self.changes),
            looks=dict(self.looks), plans=list(self.plans), count=self.count,
        )  # fmt: skip
        other.ids |= {kind: list(ids) for kind, ids in self.ids.items()}
        return other

    def learn(self, kind: str, document: Mapping[str, Any]) -> None:
        id = document.get("id", "")
        if not id:
            return
        if id not in self.ids[kind]:
            self.ids[kind].append(id)
        if document.get("version", 0) >= self.shown.get(id, {}).get("version", 0):
            self.shown[id] = dict(document)

    def number(self) -> int:
        self.count += 1
        return self.count

    def one(self, kind: str, draw: random.Random) -> str:
        """Any thing of a kind; "" where none is known."""
        ids = self.ids.get(kind)
        return draw.choice(ids) if ids else ""


class Arguments:
    """What is said with a verb: of the right types, and mostly fitting."""

    def __init__(self, known: Known, draw: random.Random) -> None:
        self.known, self.draw = known, draw
        # When it is now, for validities.
        self.at = 0

    def of(self, verb: Verb) -> dict[str, Any]:
        """Arguments of the right types."""
        return {
            name: self._value(hint, name)
            for name, hint, needed in arguments_of(verb.arguments)
            if needed or self.draw.random() < 0.6
        }

    def fitting(self, verb: Verb, about: str) -> dict[str, Any]:
        """What is given so that it can be done, mostly, where types alone would seldom hit on it."""
        if self.draw.random() < 0.15:
            return {}
        shown = self.known.shown.get(about, {})
        of_kind = getattr(self, f"_of_{verb.kind.replace('-', '_')}", None)
        given = of_kind(shown).get(verb.action, {}) if of_kind is not None else {}
        return {name: value for name, value in given.items() if value is not None}

    # --- of each kind: action -> what is given

    def _of_terminal(self, shown: Mapping[str, Any]) -> dict[str, Any]:
        serial = f"KIT{self.known.number():05d}"
        command = {"command": pending(shown) or "cmd_1"}
        account = self.known.one("account", self.draw)
        return {
            "create": {"serial": serial, "kit": "", "dish_id": ""},
            "name": {"serial": shown.get("serial") or serial, "kit": serial + "K", "dish_id": ""},
            "verify": {"basis": "operator", "list_id": ""},
            "block": {"for_ever": False},
            "unblock": {"authority": next(iter(shown.get("blocks") or ["REGULATOR"]))},
            "withdraw-verification": {
                "authority": (shown.get("verified") or {"authority": "OPS"})["authority"]
            },
            "hand-over": {"to": account if account != shown.get("owner") else None},
            "accept": {"region": ""},
            "register": {"region": ""},
            "move": {"region": ""},
            "confirm": command,
            "report-failed": command,
            "record-line": {"number": f"AST-{self.draw.randrange(3)}", "started_at": LEFT_OUT},
        }

    def _of_shipment(self, shown: Mapping[str, Any]) -> dict[str, Any]:
        number = self.known.number()
        new = {"product": "DISH-GEN2", "quantity": 1, "serial": f"KIT{number:05d}"}
        lines, awaited = _lines(shown, "goods"), _lines(shown, "awaited")
        legs = shown.get("legs") or [{"to_place": shown.get("origin", "WAW-1")}]
        open_one = discrepancy(shown)
        ways = RESOLUTIONS[Kind(open_one["kind"])] if open_one else ()
        route = {"origin": "WAW-1", "destination": "KBP-1", "region": "", "request": ""}
        codes = "\n".join(line["serial"] for line in awaited[:1])
        return {
            "create": {"reference": f"TRK{number:05d}", "lines": [new], **route},
            "add-lines": {"lines": [new]},
            "scan-lines": {"codes": new["serial"]},
            "import-lines": {"csv": f"product,quantity,serial\nDISH-GEN2,1,{new['serial']}\n"},
            "remove-lines": {"lines": lines[-1:]},
            "plan-leg": {"from_place": legs[-1].get("to_place"), "to_place": shown.get("destination")},
            "receive": {"sound": awaited[1:], "damaged": awaited[:1]},
            "receive-scans": {"codes": codes, "damaged_codes": "", "product": "DISH-GEN2"},
            "notice": {"line": new, "kind": "surplus"},
            "swap": {"serial": awaited[0]["serial"] if awaited else "", "came": new},
            "resolve": {"number": open_one.get("number", 1), "quantity": 1}
            | ({"resolution": self.draw.choice(ways).value} if ways else {}),
            "enter-customs": {"country": "PL"},
            "set-paper": {"country": "PL", "standing": self.draw.choice(("filed", "accepted"))},
        }

    def _of_request(self, shown: Mapping[str, Any]) -> dict[str, Any]:
        place = {"latitude_deg": 45.7, "longitude_deg": 26.4}
        return {
            "create": {"channel": "phone", "region": "", "link": "", **place},
            "merge": {"into": self.known.ids["request"][0]},
            "answer": {"terminals": 1, "shipment": ""},
            "place": {"region": ""},
        }

    def _of_account(self, shown: Mapping[str, Any]) -> dict[str, Any]:
        authority, listed = next(iter(shown.get("sanctions") or ()), ("REGULATOR", "LIST-1"))
        return {
            "sanction": {"list_name": "LIST-1"},
            "lift-sanction": {"authority": authority, "list_name": listed},
        }

    def _of_person(self, shown: Mapping[str, Any]) -> dict[str, Any]:
        has = [grant["role"] for grant in shown.get("grants", ())] or ["viewer"]
        return {
            "grant": {"role": self.draw.choice(("viewer", "field", "operator")), "regions": []},
            "take": {"role": has[-1]},
        }

    def _of_region(self, shown: Mapping[str, Any]) -> dict[str, Any]:
        spare = sorted(self.draw.sample(SPARE_CELLS, 2))
        return {
            "create": {"cells": spare if self.draw.random() < 0.5 else None},
            "revoke": {"paper": next(iter(shown.get("papers", ())), None)},
            "cells-remove": {"cells": sorted(shown.get("cells", ()))[-1:]},
        }

    def _of_statement(self, shown: Mapping[str, Any]) -> dict[str, Any]:
        regions = [id for id in self.known.ids["region"] if self._status(id) == "active"]
        about = self.draw.choice(regions) if regions else None
        return {"create": {"kind": "service-active", "about": about, "batch": "", "place_uk": "Україна"}}

    def _of_bulk_change(self, shown: Mapping[str, Any]) -> dict[str, Any]:
        return {"create": {"what": "pause", "region": "", "skip": True}}

    def _of_webhook(self, shown: Mapping[str, Any]) -> dict[str, Any]:
        kinds = [self.draw.choice(("region", "terminal.blocked", "approval"))]
        return {
            "create": {"kinds": kinds, "regions": [], "after": 0},
            "redeliver": {"after": self.draw.randrange(20)},
            "rotate": {"old_for_s": 60},
        }

    def _of_allow_list(self, shown: Mapping[str, Any]) -> dict[str, Any]:
        rows = [
            f"{one['serial']},company,yes,CASE-{n}"
            for n, one in enumerate(map(self.known.shown.__getitem__, self.known.ids["terminal"]), 1)
            if one.get("serial") and self.draw.random() < 0.7
        ]
        look = self.known.looks.get(shown.get("id", ""), {})
        seen = {"seen": look.get("seen"), "cut_off": look.get("cut_off"), "flagged": look.get("flagged")}
        later = (shown.get("apply_after") or self.at) + self.draw.randrange(1, 3) * DAY_US
        return {
            "create": {
                "rules": RULES,
                "region": self.known.ids["region"][0],
                "csv": "\n".join(("serial,owner_kind,shown,reference", *rows, "")),
                "despite": "REF-9",
            },
            "extend": {"until": later},
            "apply": seen,
            "schedule": seen,
            "withdraw": {"authority": shown.get("authority")},
        }

    def _of_command(self, shown: Mapping[str, Any]) -> dict[str, Any]:
        return {"create": self._ordered()}

    def _of_rollout(self, shown: Mapping[str, Any]) -> dict[str, Any]:
        return {"create": self._ordered()}

    def _of_consent(self, shown: Mapping[str, Any]) -> dict[str, Any]:
        given = {self.known.shown[id].get("terminal") for id in self.known.ids["consent"]}
        owned = [
            id
            for id in self.known.ids["terminal"]
            if self.known.shown[id].get("owner") and id not in given and self._status(id) != "retired"
        ]
        kinds = [self.draw.choice(("stow", "rf-inhibit", "sleep-schedule", "wifi-off"))]
        return {
            "create": {"terminal": self.draw.choice(owned) if owned else None, "kinds": kinds, "region": ""}
        }

    def _ordered(self) -> dict[str, Any]:
        kind = self.draw.choice(("reboot", "unstow", "stow"))
        untold = dict.fromkeys(("on", "start_minutes", "duration_minutes"), LEFT_OUT)
        return {"command": kind, "expires_min": 60, "region": "", **untold}

    def _of_authority(self, shown: Mapping[str, Any]) -> dict[str, Any]:
        everywhere = {"everywhere": True, "countries": [], "regions": []}
        text = f"TOWN-{self.known.number()}"
        terms = {"title": f"Authority {text}", "source": "REF-1", "valid_from": self.at, **everywhere}
        lasting = {"valid_until": self.at + 9 * DAY_US}
        return {"create": {"code": text, **terms, **lasting}, "amend": {**everywhere, **lasting}}

    def _of_app_figure(self, shown: Mapping[str, Any]) -> dict[str, Any]:
        day = f"2026-02-{self.draw.randrange(1, 25):02d}"
        value = float(self.draw.randrange(1, 100))
        return {"create": {"day": day, "value": value, "what": "rank"}, "correct": {"value": value}}

    def _of_outage(self, shown: Mapping[str, Any]) -> dict[str, Any]:
        low = self.draw.random() / 2
        level = {"fraction": low + 0.1, "low": low, "high": low + 0.2, "signals": ["bgp"], "targets": 40}
        kind = self.draw.choice(("country", "region", "as"))
        others = [id for id in self.known.ids["outage"] if id != shown.get("id")]
        return {
            "create": {
                "entity": {"kind": kind, "code": f"XA-{self.known.number()}", "title": "Somewhere"},
                "began_at": self.at - DAY_US,
                "confirmed_at": self.at - DAY_US // 2,
                "level": level,
                "detection": f"det-{self.known.number()}",
            },
            "update": {"measured_at": self.at, "level": level},
            "close": {"ended_at": self.at},
            "merge": {"into": self.draw.choice(others) if others else None},
            "explain": {"cause": self.draw.choice(("power", "physical-damage")), "claims": []},
        }

    # --- by types alone

    def _status(self, id: str) -> str:
        return str(self.known.shown.get(id, {}).get("status", ""))

    def _value(self, hint: Any, name: str) -> Any:
        origin = get_origin(hint)
        if origin in (typing.Union, types.UnionType):
            options = [part for part in get_args(hint) if part is not type(None)]
            return self._value(options[0], name) if self.draw.random() < 0.6 else None
        if origin is tuple:
            return self._several(get_args(hint)[0], name)
        if hint is InstantUs:
            return self.at + self.draw.randrange(-1, 30) * DAY_US
        if isinstance(hint, type) and issubclass(hint, enum.Enum):
            return self.draw.choice(list(hint)).value
        if is_dataclass(hint):
            return {n: self._value(h, n) for n, h, _ in arguments_of(hint)}  # type: ignore[arg-type]
        if hint is bool:
            return self.draw.random() < 0.5
        if hint is int:
            return self.known.number() if name == "people" else self.draw.randrange(1, 4)
        if hint is float:
            return self.draw.choice((1e6, 5e7))
        return self._text(name)

    def _several(self, hint: Any, name: str) -> list[Any]:
        many = self.draw.randrange(1, 4)
        if name == "hours_utc":
            return sorted({self.draw.randrange(24) for _ in range(many)})
        if name == "cells":
            # In order, as the event has them: the checker hashes anew what was agreed to.
            return sorted(self.draw.sample(CELLS, many))
        if name == "terminals":
            return self.draw.sample(self.known.ids["terminal"], min(many, len(self.known.ids["terminal"])))
        if name in ("regions",):
            return [self.known.one("region", self.draw) for _ in range(1)]
        return [self._value(hint, name.removesuffix("s")) for _ in range(many)]

    def _text(self, name: str) -> str:
        draw = self.draw
        of_kind = {
            "owner": "account", "to": "account", "account": "account", "recipient": "account",
            "region": "region", "about": "region", "plan": "plan", "into": "request", "request": "request",
            "shipment": "shipment", "batch": "shipment", "terminal": "terminal",
        }  # fmt: skip
        if name in of_kind:
            return self.known.one(of_kind[name], draw)
        match name:
            case "country":
                return draw.choice(("UA", "PL"))
            case "cell":
                return draw.choice(CELLS)
            case "serial" | "kit" | "dish_id":
                old = [d[name] for d in self.known.shown.values() if d.get(name)]
                return draw.choice(old) if old and draw.random() < 0.4 else f"KIT{self.known.number():05d}"
            case "hardware" | "product":
                return draw.choice(("STD-V2", "DISH-GEN2"))
            case "place" | "origin" | "destination" | "from_place" | "to_place":
                return draw.choice(DEPOTS)
            case "authority":
                return draw.choice(("REGULATOR", "MINISTRY"))
            case "command":
                return f"cmd_{draw.randrange(1, 9)}"
            case "csv":
                return f"product,quantity,serial\nDISH-GEN2,1,KIT{self.known.number():05d}\n"
        return draw.choice(("REF-1", "REF-2", "REF-3"))


def _lines(shown: Mapping[str, Any], heap: str) -> list[dict[str, Any]]:
    serials = shown.get(heap, {}).get("serials", {})
    return [{"product": product, "quantity": 1, "serial": serial} for serial, product in serials.items()]


@cache
def arguments_of(kind: type) -> tuple[tuple[str, Any, bool], ...]:
    """Name, type and whether it must be given, of each field."""
    hints = get_type_hints(kind)
    return tuple(
        (f.name, hints[f.name], f.default is MISSING and f.default_factory is MISSING) for f in fields(kind)
    )
