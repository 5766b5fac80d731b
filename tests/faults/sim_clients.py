"""Who uses the service, and what they ask of it: every verb of the table, mostly where it can be done.

Verbs are sampled from the table by their types, so a new verb is asked for as soon as it stands there.
"""

from __future__ import annotations

import enum
import random
import types
import typing
from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass, field, is_dataclass
from functools import cache
from typing import Any, get_args, get_origin, get_type_hints

import msgspec

from skylift.api.office.documents import plural
from skylift.base.instants import InstantUs
from skylift.service.account.roles import ALLOWS, Role
from skylift.service.approval.state import ROOM as APPROVALS
from skylift.twin.office.table import TABLE
from skylift.twin.office.verbs import Verb

CELLS = (
    "851e5227fffffff", "851e5237fffffff", "851e522bfffffff", "851e5223fffffff", "851e520ffffffff",
)  # fmt: skip
DAY_US = 86_400_000_000
DEPOTS = ("WAW-1", "RZE-2", "KBP-1")
# What is tried most of a thing of a kind in a state: the way that most things go.
LIKELY = {
    "terminal manufactured": "deliver export name",
    "terminal exported": "enter-customs enter-customs deliver",
    "terminal in-customs": "leave-customs",
    "terminal delivered": "register register deliver export report-lost",
    "terminal registered": "verify verify hand-over move",
    "terminal verified": "activate activate withdraw-verification hand-over",
    "terminal active": "pause block report-lost report-stolen confirm report-failed move retire",
    "terminal paused": "activate activate",
    "terminal lost": "find report-stolen",
    "terminal blocked": "unblock find",
    "terminal retired": "restore",
    "region closed": "grant request cells",
    "region requested": "grant refuse",
    "region authorised": "activate activate activate cells grant revoke",
    "region active": "suspend cells cells-remove revoke prohibit",
    "region suspended": "activate activate",
    "region prohibited": "lift",
    "account open": "verify verify plan sanction",
    "account verified": "plan suspend sanction",
    "account suspended": "resume resume close",
    "request received": "acknowledge acknowledge merge place refuse",
    "request acknowledged": "verify verify accept accept merge refuse",
    "request accepted": "answer answer",
    "request answered": "close reopen",
    "request refused": "reopen close",
    "request merged": "separate",
    "shipment draft": "add-lines scan-lines plan-leg plan-leg pack pack",
    "shipment packed": "depart depart unpack set-paper",
    "shipment under-way": "arrive arrive enter-customs lose turn-back",
    "shipment in-customs": "leave-customs",
    "shipment lost": "find",
    "shipment arrived": "receive receive complete swap notice",
    "shipment received": "prove confirm close resolve notice",
    "statement drafted": "publish publish redraft",
    "statement published": "withdraw",
    "webhook active": "pause test remove rotate",
    "webhook paused": "resume",
}


@dataclass(frozen=True, slots=True)
class Persona:
    """Somebody with a token. person: several tokens may be one person's."""

    person: str
    token: str
    roles: tuple[str, ...]
    account: str = ""

    def allows(self, verb: str) -> bool:
        return any(verb in ALLOWS[Role(role)] for role in self.roles)


@dataclass(frozen=True, slots=True)
class Command:
    """One request, as it may be delivered once, twice, late or never.

    verb    of the table; "" for other doors
    canary  what is personal in it
    """

    by: Persona
    method: str
    path: str
    body: Mapping[str, Any] | None
    headers: tuple[tuple[str, str], ...] = ()
    verb: str = ""
    about: str = ""
    canary: str = ""

    @property
    def key(self) -> str:
        return dict(self.headers).get("idempotency-key", "")

    @property
    def writes(self) -> bool:
        return self.method != "GET" and self.path != "may-serve"

    def text(self) -> bytes:
        return b"" if self.body is None else msgspec.json.encode(self.body)

    def __str__(self) -> str:
        marks = " ".join(f"{name}={value}" for name, value in self.headers if name != "authorization")
        body = "" if self.body is None else msgspec.json.encode(self.body).decode()
        return f"{self.by.person} {self.method} {self.path} {body[:300]} {marks}".strip()


@dataclass
class Known:
    """What clients have learned from answers."""

    ids: dict[str, list[str]] = field(default_factory=lambda: defaultdict(list))
    shown: dict[str, dict[str, Any]] = field(default_factory=dict)
    waiting: dict[str, Command] = field(default_factory=dict)
    changes: dict[str, str] = field(default_factory=dict)
    canaries: dict[str, str] = field(default_factory=dict)
    count: int = 0

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


class Clients:
    """All personas together, drawing from one stream."""

    def __init__(self, personas: tuple[Persona, ...], known: Known, draw: random.Random) -> None:
        self.personas, self.known, self.draw = personas, known, draw
        # When it is now, for validities.
        self.at = 0

    def command(self) -> Command:
        """The next thing that somebody wants."""
        draw = self.draw.random()
        if draw < 0.18 and self.known.waiting:
            return self._about_an_agreement()
        if draw < 0.26:
            return self._read()
        if draw < 0.30:
            return self._of_other_doors()
        if draw < 0.33:
            return self.may_serve()
        if draw < 0.37:
            verb = TABLE.verbs[self.draw.choice(("request.create", "account.create", "person.create"))]
            return self.of_verb(verb, "", self._by(verb))
        verb = self._verb()
        about = self._about(verb)
        return self.of_verb(verb, about, self._by(verb))

    def may_serve(self) -> Command:
        terminal = self._one("terminal") or "trm_none"
        home = self.known.shown.get(terminal, {}).get("cell")
        cell = home if home and self.draw.random() < 0.8 else self.draw.choice(CELLS)
        operator = next(p for p in self.personas if p.roles == ("operator",))
        return self.made(operator, "POST", "may-serve", {"terminal": terminal, "cell": cell})

    def of_verb(self, verb: Verb, about: str, by: Persona, **more: Any) -> Command:
        """A verb with arguments of the right types. more: arguments that are given."""
        body = {**self._arguments(verb), **self._fitting(verb, about), **more}
        canary = ""
        for name in verb.personal:
            if isinstance(body.get(name), str):
                canary = canary or f"CANARY-{self.known.number()}-"
                body[name] = canary
        path = plural(verb.kind) if verb.creates else f"{plural(verb.kind)}/{about}/{verb.action}"
        headers = []
        if self.draw.random() < 0.75:
            headers.append(("idempotency-key", f"key-{self.known.number()}"))
        if not verb.creates and self.draw.random() < 0.25:
            seen = self.known.shown.get(about, {}).get("version", 1)
            headers.append(("if-match", f'"{max(1, seen - self.draw.randrange(2))}"'))
        return self.made(by, "POST", path, body, tuple(headers), verb.name, about, canary)

    def made(
        self, by: Persona, method: str, path: str, body: Mapping[str, Any] | None = None,
        headers: tuple[tuple[str, str], ...] = (), verb: str = "", about: str = "", canary: str = "",
    ) -> Command:  # fmt: skip
        token = ("authorization", f"Bearer {by.token}")
        return Command(by, method, path, body, (token, *headers), verb, about, canary)

    # --- agreements, and how people try to get round them

    def _about_an_agreement(self) -> Command:
        approval = self.draw.choice(list(self.known.waiting))
        proposed = self.known.waiting[approval]
        if self.draw.random() < 0.55:
            change = self.known.changes[approval] if self.draw.random() < 0.9 else "0" * 64
            by = self._agreeing(proposed)
            action = "agree" if self.draw.random() < 0.93 else "decline"
            body = {"change": change} if action == "agree" else {}
            path = f"approvals/{approval}/{action}"
            return self.made(by, "POST", path, body, (), f"approval.{action}", approval)
        body = {**(proposed.body or {}), "approval": approval}
        if self.draw.random() < 0.25:
            # Something else than what the others have read.
            body |= {name: value for name, value in self._other(proposed).items() if name in body}
        by = proposed.by if self.draw.random() < 0.85 else self._by(TABLE.verbs[proposed.verb])
        key = ("idempotency-key", f"key-{self.known.number()}")
        return self.made(by, "POST", proposed.path, body, (key,), proposed.verb, proposed.about)

    def _agreeing(self, proposed: Command) -> Persona:
        able = [p for p in self.personas if p.allows("approval.agree")]
        same = [p for p in able if p.person == proposed.by.person]
        if same and self.draw.random() < 0.5:
            return self.draw.choice(same)
        return self.draw.choice(able) if self.draw.random() < 0.93 else self.draw.choice(self.personas)

    def _other(self, proposed: Command) -> dict[str, Any]:
        return self._arguments(TABLE.verbs[proposed.verb])

    # --- reading, and doors that no verb gives

    def _read(self) -> Command:
        kind = self.draw.choice([k for k in self.known.ids if self.known.ids[k]])
        by = self.draw.choice(self.personas)
        if self.draw.random() < 0.3:
            query = self.draw.choice(("", "?limit=3", "?status=active", "?q=ua"))
            return self.made(by, "GET", f"{plural(kind)}{query}")
        about = self._one(kind)
        return self.made(by, "GET", f"{plural(kind)}/{about}", about=about)

    def _of_other_doors(self) -> Command:
        kind = self.draw.choice(("request", "request", "account", "person"))
        # Mostly those that came last: what is personal about them is known.
        about = self.draw.choice(self.known.ids[kind][-3:])
        by = self._by(TABLE.verbs["request.close"])
        match self.draw.randrange(7):
            case 0:
                somebody = self.draw.choice(self.personas).person
                action = self.draw.choice(("lock", "lock", "unlock"))
                return self.of_verb(TABLE.verbs[f"person.{action}"], somebody, by)
            case 1:
                return self.made(by, "GET", f"{plural(kind)}/{about}/personal")
            case 2 | 4 | 5:
                key = (("idempotency-key", f"key-{self.known.number()}"),)
                path = f"{plural(kind)}/{about}/personal"
                return self.made(by, "DELETE", path, {}, key, "erase", about)
            case 3:
                return self.made(self.draw.choice(self.personas), "POST", "tokens", {"title": "program"})
        return self.made(by, "POST", f"persons/{self._one('person')}/invite", {})

    # --- arguments

    def _verb(self) -> Verb:
        if self.draw.random() < 0.7:
            kind = self.draw.choice(
                (
                    "region",
                    "region",
                    "terminal",
                    "terminal",
                    "account",
                    "shipment",
                    "shipment",
                    "request",
                    "statement",
                )
            )
            about = self._one(kind)
            status = self.known.shown.get(about, {}).get("status", "")
            likely = [f"{kind}.{action}" for action in LIKELY.get(f"{kind} {status}", "").split()]
            likely = [name for name in likely if name in TABLE.verbs]
            if likely:
                self._chosen = about
                return TABLE.verbs[self.draw.choice(likely)]
        self._chosen = ""
        return self.draw.choice(list(TABLE.verbs.values()))

    _chosen = ""

    def _about(self, verb: Verb) -> str:
        return "" if verb.creates else self._chosen or self._one(verb.room.kind) or f"{verb.room.prefix}_none"

    def _by(self, verb: Verb) -> Persona:
        able = [p for p in self.personas if p.allows(verb.name)]
        return (
            self.draw.choice(able) if able and self.draw.random() < 0.92 else self.draw.choice(self.personas)
        )

    def _one(self, kind: str) -> str:
        ids = self.known.ids.get(kind)
        return self.draw.choice(ids) if ids else ""

    def _arguments(self, verb: Verb) -> dict[str, Any]:
        return {
            name: self._value(hint, name)
            for name, hint, needed in arguments_of(verb.arguments)
            if needed or self.draw.random() < 0.6
        }

    def _fitting(self, verb: Verb, about: str) -> dict[str, Any]:
        """What is given so that it can be done, mostly, where types alone would seldom hit on it."""
        if self.draw.random() < 0.15:
            return {}
        shown = self.known.shown.get(about, {})
        serials = list(shown.get("goods", {}).get("serials", ()))
        lines = [{"product": "DISH-GEN2", "quantity": 1, "serial": s} for s in serials]
        new = {"product": "DISH-GEN2", "quantity": 1, "serial": f"KIT{self.known.number():05d}"}
        legs = shown.get("legs") or [{"to_place": shown.get("origin", "WAW-1")}]
        fitting: dict[str, dict[str, Any]] = {
            "shipment.create": {"lines": [new], "region": "", "request": "", "origin": "WAW-1",
                                "destination": "KBP-1"},
            "shipment.add-lines": {"lines": [new]},
            "shipment.plan-leg": {"from_place": legs[-1].get("to_place"),
                                  "to_place": shown.get("destination")},
            "shipment.receive": {"sound": lines[1:], "damaged": lines[:1]},
            "shipment.notice": {"line": lines[0] if lines else new},
            "shipment.swap": {"serial": serials[0] if serials else "", "came": new},
            "shipment.enter-customs": {"country": "PL"},
            "shipment.set-paper": {"country": "PL", "standing": "cleared"},
            "terminal.create": {"serial": new["serial"], "kit": "", "dish_id": ""},
            "terminal.name": {"serial": shown.get("serial") or new["serial"], "kit": new["serial"] + "K",
                              "dish_id": ""},
            "terminal.verify": {"basis": "operator", "list_id": ""},
            "terminal.block": {"for_ever": False},
            "terminal.unblock": {"authority": next(iter(shown.get("blocks") or ["REGULATOR"]))},
            "terminal.withdraw-verification": {
                "authority": (shown.get("verified") or {"authority": "OPS"})["authority"]
            },
            "terminal.confirm": {"command": _command(shown)},
            "terminal.report-failed": {"command": _command(shown)},
            "account.sanction": {"list_name": "LIST-1"},
            "account.lift-sanction": {"list_name": "LIST-1"},
            "request.merge": {"into": self.known.ids["request"][0]},
            "request.answer": {"terminals": 1, "shipment": ""},
            "request.create": {"channel": "phone", "region": "", "link": ""},
            "person.grant": {"role": self.draw.choice(("viewer", "field", "operator")), "regions": []},
            "region.cells-remove": {"cells": sorted(shown.get("cells", ()))[-1:]},
            "statement.create": {"kind": "service-active", "batch": "", "place_uk": ""},
            "bulk-change.create": {"what": "pause", "region": "", "skip": True},
        }  # fmt: skip
        given = fitting.get(verb.name, {})
        return {name: value for name, value in given.items() if value is not None}

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
            return [self._one("region") for _ in range(1)]
        return [self._value(hint, name.removesuffix("s")) for _ in range(many)]

    def _text(self, name: str) -> str:
        draw = self.draw
        of_kind = {
            "owner": "account", "to": "account", "account": "account", "recipient": "account",
            "region": "region", "about": "region", "plan": "plan", "into": "request", "request": "request",
            "shipment": "shipment", "batch": "shipment",
        }  # fmt: skip
        if name in of_kind:
            return self._one(of_kind[name])
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


def _command(shown: Mapping[str, Any]) -> str:
    """The last that an enforcer was asked of a terminal."""
    pending = (shown.get("commands") or {}).get("pending") or [{}]
    return str(pending[-1].get("id", "cmd_1"))


@cache
def arguments_of(kind: type) -> tuple[tuple[str, Any, bool], ...]:
    """Name, type and whether it must be given, of each field."""
    from dataclasses import MISSING, fields

    hints = get_type_hints(kind)
    return tuple(
        (f.name, hints[f.name], f.default is MISSING and f.default_factory is MISSING) for f in fields(kind)
    )


KINDS = (*(room.kind for room in TABLE.rooms()), APPROVALS.kind)
