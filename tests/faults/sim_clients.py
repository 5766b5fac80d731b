"""Who uses the service, and what they ask of it: every verb of the table, mostly where it can be done.

Verbs are sampled from the table by their types, so a new verb is asked for as soon as it stands there.
"""

from __future__ import annotations

import random
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import msgspec

from skylift.api.office.documents import plural
from skylift.service.account.roles import ALLOWS, Role
from skylift.service.approval.state import ROOM as APPROVALS
from skylift.twin.office.table import TABLE
from skylift.twin.office.verbs import Verb
from tests.faults.sim_wants import CELLS, FOR_ACCOUNT, LEFT_OUT, Arguments, Known, can_be, likely

# Of these somebody wants the next thing, mostly: what the invariants are about comes most.
WANTED = (
    "region", "region", "region", "terminal", "terminal", "terminal", "account", "account", "shipment",
    "request", "statement",
)  # fmt: skip
KINDS = tuple(dict.fromkeys((*(room.kind for room in TABLE.rooms()), APPROVALS.kind)))


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

    verb    of the table; "" for other doors, "erase" and "import" for two of them
    canary  what is personal in it
    table   rows that are handed in, in place of a body
    """

    by: Persona
    method: str
    path: str
    body: Mapping[str, Any] | None
    headers: tuple[tuple[str, str], ...] = ()
    verb: str = ""
    about: str = ""
    canary: str = ""
    table: str = ""

    @property
    def key(self) -> str:
        return dict(self.headers).get("idempotency-key", "")

    @property
    def writes(self) -> bool:
        looks = self.path == "may-serve" or (bool(self.table) and "?apply=" not in self.path)
        return self.method != "GET" and not looks

    def text(self) -> bytes:
        if self.table:
            return self.table.encode()
        return b"" if self.body is None else msgspec.json.encode(self.body)

    def __str__(self) -> str:
        marks = " ".join(f"{name}={value}" for name, value in self.headers if name != "authorization")
        body = "" if self.body is None else msgspec.json.encode(self.body).decode()
        return f"{self.by.person} {self.method} {self.path} {body[:300]} {marks}".strip()


class Clients:
    """All personas together, drawing from one stream."""

    def __init__(self, personas: tuple[Persona, ...], known: Known, draw: random.Random) -> None:
        self.personas, self.known, self.draw = personas, known, draw
        self.arguments = Arguments(known, draw)

    def command(self, at: int) -> Command:
        """The next thing that somebody wants; at: when."""
        self.arguments.at = at
        draw = self.draw.random()
        if draw < 0.17 and self.known.waiting:
            return self._about_an_agreement()
        if draw < 0.24:
            return self._read()
        if draw < 0.28:
            return self._of_other_doors()
        if draw < 0.31:
            return self.may_serve()
        if draw < 0.34:
            verb = TABLE.verbs[self.draw.choice(("request.create", "account.create", "person.create"))]
            return self.of_verb(verb, "", self._by(verb, ""))
        if draw < 0.66:
            return self._usual()
        return self._any()

    def may_serve(self) -> Command:
        terminal = self._one("terminal") or "trm_none"
        home = self.known.shown.get(terminal, {}).get("cell")
        cell = home if home and self.draw.random() < 0.8 else self.draw.choice(CELLS)
        operator = next(p for p in self.personas if p.roles == ("operator",))
        return self.made(operator, "POST", "may-serve", {"terminal": terminal, "cell": cell})

    def of_verb(self, verb: Verb, about: str, by: Persona, **more: Any) -> Command:
        """A verb with arguments of the right types. more: arguments that are given."""
        body = {**self.arguments.of(verb), **self.arguments.fitting(verb, about), **more}
        body = {name: value for name, value in body.items() if value is not LEFT_OUT}
        canary = ""
        for name in verb.personal:
            if isinstance(body.get(name), str):
                canary = canary or f"CANARY-{self.known.number()}-"
                body[name] = f"https://hooks.example/{canary}" if name == "url" else canary
        path = plural(verb.kind) if verb.creates else f"{plural(verb.kind)}/{about}/{verb.action}"
        headers = []
        # What tells a secret is told once: such doors take no key.
        if not verb.own_door and self.draw.random() < 0.75:
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

    # --- what is wanted

    def _usual(self) -> Command:
        """What people mostly want of one of the things that there are."""
        kind = self.draw.choice(WANTED)
        about = self._one(kind)
        verbs = likely(kind, self.known.shown.get(about, {}))
        if not verbs:
            return self._any()
        verb = self.draw.choice(verbs)
        return self._looked(verb, about)

    def _any(self) -> Command:
        """Any verb of the table: mostly of a thing that it can be done to, and of any other as well."""
        verb = self.draw.choice(list(TABLE.verbs.values()))
        if verb.creates:
            return self.of_verb(verb, "", self._by(verb, ""))
        about = self._one(verb.room.kind) or f"{verb.room.prefix}_none"
        if self.draw.random() < 0.75:
            shown = self.known.shown
            able = [id for id in self.known.ids[verb.kind] if can_be(verb.name, shown.get(id, {}))]
            about = self.draw.choice(able) if able else about
        return self._looked(verb, about)

    def _looked(self, verb: Verb, about: str) -> Command:
        """The verb, or first what has to be looked at."""
        if verb.name in ("allow-list.apply", "allow-list.schedule") and self.draw.random() < 0.4:
            return self.made(self._by(verb, about), "GET", f"allow-lists/{about}/look", about=about)
        return self.of_verb(verb, about, self._by(verb, about))

    def _by(self, verb: Verb, about: str) -> Persona:
        """Somebody who may, mostly."""
        able = [p for p in self.personas if p.allows(verb.name)]
        account = self.known.shown.get(about, {}).get(FOR_ACCOUNT.get(verb.name, ""), "")
        able = [p for p in able if account and p.account == account] or able
        return (
            self.draw.choice(able) if able and self.draw.random() < 0.92 else self.draw.choice(self.personas)
        )

    def _one(self, kind: str) -> str:
        return self.known.one(kind, self.draw)

    # --- agreements, and how people try to get round them

    def _about_an_agreement(self) -> Command:
        approval = self.draw.choice(list(self.known.waiting))
        proposed: Command = self.known.waiting[approval]
        if self.draw.random() < 0.55:
            change = self.known.changes[approval] if self.draw.random() < 0.9 else "0" * 64
            by = self._agreeing(proposed)
            action = self.draw.choices(("agree", "decline", "withdraw"), (92, 5, 3))[0]
            if action == "withdraw" and self.draw.random() < 0.7:
                by = proposed.by
            body = {"change": change} if action == "agree" else {}
            path = f"approvals/{approval}/{action}"
            return self.made(by, "POST", path, body, (), f"approval.{action}", approval)
        body = {**(proposed.body or {}), "approval": approval}
        verb = TABLE.verbs[proposed.verb]
        if self.draw.random() < 0.25:
            # Something else than what the others have read.
            body |= {name: value for name, value in self.arguments.of(verb).items() if name in body}
        by = proposed.by if self.draw.random() < 0.85 else self._by(verb, proposed.about)
        key = ("idempotency-key", f"key-{self.known.number()}")
        return self.made(by, "POST", proposed.path, body, (key,), proposed.verb, proposed.about)

    def _agreeing(self, proposed: Command) -> Persona:
        able = [p for p in self.personas if p.allows("approval.agree")]
        same = [p for p in able if p.person == proposed.by.person]
        if same and self.draw.random() < 0.5:
            return self.draw.choice(same)
        return self.draw.choice(able) if self.draw.random() < 0.93 else self.draw.choice(self.personas)

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
        by = self._by(TABLE.verbs["request.close"], "")
        match self.draw.randrange(9):
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
            case 6 | 7:
                return self._table()
        return self.made(by, "POST", f"persons/{self._one('person')}/invite", {})

    def _table(self) -> Command:
        """A table of terminals: looked at, and then written as it was looked at."""
        by = self._by(TABLE.verbs["terminal.create"], "")
        if self.known.plans and self.draw.random() < 0.7:
            return self.table(by, *self.draw.choice(self.known.plans))
        rows = [f"KIT{self.known.number():05d},STD-V2" for _ in range(self.draw.randrange(1, 7))]
        old = self.known.shown.get(self._one("terminal"), {}).get("serial")
        rows += [f"{old},STD-V2"] * bool(old)
        return self.table(by, "terminals/imports", "\n".join(("serial,hardware", *rows, "")))

    def table(self, by: Persona, path: str, table: str) -> Command:
        headers = (("authorization", f"Bearer {by.token}"), ("content-type", "text/csv"))
        return Command(by, "POST", path, None, headers, "import", table=table)
