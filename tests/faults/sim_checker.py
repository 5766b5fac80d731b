"""What must hold whatever happens, read from the journal alone.

Nothing of skylift is imported here: this is a second opinion, written from the journal's documented form
(docs/reference/store.md) and from what events say.
"""

from __future__ import annotations

import hashlib
import json
import sqlite3
from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

HOUR_US = 3_600_000_000
# More terminals than these are changed at once by two people only.
MOST_ALONE = 50
CHAIN = {"landing-right", "spectrum", "operator-licence", "type-approval", "customs-route"}
# Events that two people must have agreed to, by the verb that they agreed to.
BY_TWO = {
    "region.activated/1": "region.activate",
    "region.suspended/1": "region.suspend",
    "region.cells-set/1": "region.cells",
    "region.cells-removed/1": "region.cells-remove",
}
OF_AUTHORITY = {
    "region.paper-granted/1",
    "region.paper-revoked/1",
    "region.refused/1",
    "region.prohibited/1",
    "region.prohibition-lifted/1",
    "account.sanctioned/1",
    "account.sanction-lifted/1",
}
# Events that put a terminal into a state, and change nothing else that counts.
STATE_AFTER = {
    "activated": "active",
    "paused": "paused",
    "blocked": "blocked",
    "retired": "retired",
    "exported": "exported",
    "delivered": "delivered",
    "customs-entered": "in-customs",
    "customs-left": "exported",
}
COLUMNS = (
    "sequence", "at_us", "by_id", "name", "subject_id", "cause_id", "version", "payload", "previous_hash",
    "hash",
)  # fmt: skip
_ROWS = f"SELECT {', '.join(COLUMNS)} FROM journal WHERE sequence > ? ORDER BY sequence"


class BrokenError(AssertionError):
    """An invariant does not hold."""


def holds(condition: object, what: str) -> None:
    if not condition:
        raise BrokenError(what)


@dataclass
class Person:
    account: str = ""
    active: bool = True
    roles: dict[str, list[str]] = field(default_factory=dict)


@dataclass
class Region:
    country: str
    state: str = "closed"
    papers: dict[str, tuple[int, int]] = field(default_factory=dict)
    cells: dict[str, tuple[str, Mapping[str, Any]]] = field(default_factory=dict)

    def allowed_at(self, at: int) -> bool:
        valid = {name for name, (start, end) in self.papers.items() if start <= at < end}
        return "temporary-authorisation" in valid or valid >= CHAIN


@dataclass
class Account:
    country: str
    state: str = "open"
    plan: str = ""
    sanctions: list[tuple[str, str]] = field(default_factory=list)


@dataclass
class Terminal:
    state: str
    owner: str = ""
    cell: str = ""
    region: str = ""
    moves: bool = False
    basis: str = ""
    verified_at: int = 0
    names: frozenset[str] = frozenset()


@dataclass
class AllowList:
    """cut: the terminals that it cut off when it was applied; names: what its rows name."""

    country: str
    names: frozenset[str]
    cut: frozenset[str] = frozenset()
    applied_at: int | None = None
    ended: bool = False


@dataclass
class Approval:
    verb: str
    about: str
    change: str
    people: list[str]
    needed: int
    lapses_at: int
    version: int
    declined: bool = False
    used_at: int | None = None
    spent: bool = False


@dataclass
class Ledger:
    """All that the journal has told so far. `read` takes the rows that are new; raises BrokenError."""

    head: str = ""
    rows: int = 0
    at: int = 0
    at_of: dict[str, int] = field(default_factory=dict)
    hash_of: dict[tuple[str, int], list[str]] = field(default_factory=lambda: defaultdict(list))
    version: dict[str, int] = field(default_factory=dict)
    people: dict[str, Person] = field(default_factory=dict)
    regions: dict[str, Region] = field(default_factory=dict)
    accounts: dict[str, Account] = field(default_factory=dict)
    terminals: dict[str, Terminal] = field(default_factory=dict)
    approvals: dict[str, Approval] = field(default_factory=dict)
    plans: set[str] = field(default_factory=set)
    lists: dict[str, AllowList] = field(default_factory=dict)
    erased: set[str] = field(default_factory=set)
    # Tables of which every row was written.
    imported: set[str] = field(default_factory=set)
    # How often a call for help of so many people was written.
    numbers: dict[int, int] = field(default_factory=lambda: defaultdict(int))

    def read(self, connection: sqlite3.Connection) -> int:
        """Rows that were written since; how many."""
        found = connection.execute(_ROWS, (self.rows,)).fetchall()
        for row in found:
            self.take(dict(zip(COLUMNS, row, strict=True)))
        return len(found)

    def take(self, row: dict[str, Any]) -> None:
        where = f"row {row['sequence']} ({row['name']} of {row['subject_id']})"
        self._check_chain(row, where)
        self._check_time(row, where)
        told = json.loads(row["payload"])
        holds("CANARY" not in row["payload"], f"{where} holds what is personal")
        self._check_who(row, where)
        self._fold(row, told, where)
        self._check_people(row, told, where)
        # Accesses and erasures are things of their own, with the id of what they are about.
        kind = row["name"] if row["name"].startswith("store.") else row["name"].split(".")[0]
        before = self.version.get(f"{kind} {row['subject_id']}", 0)
        holds(row["version"] in (before, before + 1) and row["version"] > 0, f"{where} skips a version")
        self.version[f"{kind} {row['subject_id']}"] = row["version"]
        self.hash_of[row["subject_id"], row["version"]].append(row["hash"])

    def _check_time(self, row: dict[str, Any], where: str) -> None:
        """Rows follow in time; those of a table are of when it was read, a moment before they are written."""
        of_table = str(row["cause_id"] or "").startswith("imp_")
        before = self.at_of.get(row["subject_id"], 0) if of_table else self.at
        holds(row["at_us"] >= before, f"{where} is of before the row before it")
        self.at_of[row["subject_id"]] = row["at_us"]
        self.at = max(self.at, row["at_us"])

    def _check_chain(self, row: dict[str, Any], where: str) -> None:
        holds(row["sequence"] == self.rows + 1, f"{where}: a row is missing before it")
        holds(row["previous_hash"] == self.head, f"{where} does not follow from the row before")
        columns = {name: value for name, value in row.items() if name != "hash"}
        text = json.dumps(columns, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
        holds(hashlib.sha256(text.encode()).hexdigest() == row["hash"], f"{where} is not as it was hashed")
        self.rows, self.head = row["sequence"], row["hash"]

    def _check_who(self, row: dict[str, Any], where: str) -> None:
        by = row["by_id"]
        if by == "setup":
            return
        person = self.people.get(by)
        holds(person is not None, f"{where} is by somebody who is not known")
        assert person is not None
        holds(person.active, f"{where} is by {by}, who may not act")
        if row["name"] in OF_AUTHORITY:
            holds("authority" in person.roles, f"{where} is by {by}, who is no authority")
            if row["name"].startswith("region."):
                holds(row["subject_id"] in person.roles["authority"], f"{where}: not {by}'s territory")
        if row["name"] == "approval.agreed/1":
            holds("approver" in person.roles, f"{where} is by {by}, who is no approver")
        if row["name"] in BY_TWO:
            holds("operator" in person.roles, f"{where} is by {by}, who is no operator")

    # --- two people

    def _check_people(self, row: dict[str, Any], told: dict[str, Any], where: str) -> None:
        name, subject = row["name"], row["subject_id"]
        if name in BY_TWO:
            self._spend(told["approval"], BY_TWO[name], row, where, _arguments(name, told))
        elif name == "person.role-granted/1" and row["by_id"] != "setup" and self._approver_before:
            used = [
                id
                for id, a in self.approvals.items()
                if a.about == subject and a.used_at == row["sequence"] - 1
            ]
            holds(used, f"{where} was agreed to by one person")
            self._spend(used[0], "person.grant", row, where, None)
        elif name == "bulk-change.made/1" and (told["asked"] > MOST_ALONE or told["agreement"]):
            self._spend(told["agreement"], "bulk-change.create", row, where, None)
        elif name == "allow-list.applied/1" and (len(told["cut_off"]) > MOST_ALONE or told["agreement"]):
            self._spend(told["agreement"], "allow-list.apply", row, where, None)
        elif name == "rollout.begun/1":
            self._spend(told["agreement"], "rollout.create", row, where, None)
        self._approver_before = any("approver" in person.roles for person in self.people.values())

    _approver_before: bool = False

    def _spend(
        self, id: str, verb: str, row: dict[str, Any], where: str, arguments: list[dict[str, Any]] | None
    ) -> None:
        approval = self.approvals.get(id)
        holds(approval is not None, f"{where} was agreed to by one person: it names no agreement")
        assert approval is not None
        holds(not approval.spent, f"{where} uses an agreement a second time")
        holds(approval.used_at is not None, f"{where} uses an agreement that is not marked as used")
        holds(approval.verb == verb and approval.about == row["subject_id"], f"{where}: agreed to another")
        holds(len(set(approval.people)) >= max(2, approval.needed), f"{where} was agreed to by one person")
        holds(not approval.declined, f"{where} was declined or withdrawn")
        holds(row["at_us"] < approval.lapses_at, f"{where} was agreed to too long ago")
        holds(
            approval.version == row["version"] - 1,
            f"{where} was agreed to for version {approval.version}, and made of {row['version'] - 1}",
        )
        if arguments is not None:
            exact = {_change_hash(verb, row["subject_id"], approval.version, given) for given in arguments}
            holds(approval.change in exact, f"{where} is not what was agreed to")
        approval.spent = True

    # --- what is, by what happened

    def _fold(self, row: dict[str, Any], told: dict[str, Any], where: str) -> None:
        kind, _, what = row["name"].removesuffix("/1").partition(".")
        id = row["subject_id"]
        match kind:
            case "person":
                self._person(id, what, told)
            case "region":
                self._region(id, what, told)
            case "account":
                self._account(id, what, told)
            case "terminal":
                self._terminal(id, what, told, row["at_us"])
            case "approval":
                self._approval(id, what, told, row, where)
            case "allow-list":
                self._list(id, what, told, row["at_us"])
            case _:
                self._rest(row["name"], id, told)

    def _rest(self, name: str, id: str, told: dict[str, Any]) -> None:
        match name:
            case "plan.offered/1":
                self.plans.add(id)
            case "import.done/1":
                self.imported.add(id)
            case "request.received/1":
                self.numbers[told["people"]] += 1
            case "store.erased/1":
                self.erased.add(id)

    def _person(self, id: str, what: str, told: dict[str, Any]) -> None:
        if what == "added":
            self.people[id] = Person(told["account"])
            return
        person = self.people[id]
        if what == "role-granted":
            person.roles[told["role"]] = told["regions"]
        elif what == "role-taken":
            del person.roles[told["role"]]
        elif what == "left":
            person.active, person.roles = False, {}
        else:
            person.active = what == "unlocked"

    def _region(self, id: str, what: str, told: dict[str, Any]) -> None:
        if what == "opened":
            self.regions[id] = Region(told["country"], cells={c: ("disabled", {}) for c in told["cells"]})
            return
        region = self.regions[id]
        match what:
            case "paper-granted":
                region.papers[told["paper"]] = (told["valid_from"], told["valid_until"])
                if region.state in ("closed", "requested"):
                    region.state = "authorised"
            case "paper-revoked":
                region.papers.pop(told["paper"], None)
            case "cells-set":
                region.cells |= {cell: (told["mode"], told["limits"] or {}) for cell in told["cells"]}
            case "cells-removed":
                region.cells = {c: how for c, how in region.cells.items() if c not in told["cells"]}
            case "activated":
                region.state = "active"
            case "requested" | "suspended" | "prohibited":
                region.state = what
            case "refused" | "prohibition-lifted":
                region.state = "closed"

    def _account(self, id: str, what: str, told: dict[str, Any]) -> None:
        if what == "opened":
            self.accounts[id] = Account(told["country"])
            return
        account = self.accounts[id]
        match what:
            case "verified" | "suspended" | "closed":
                account.state = what
            case "resumed":
                account.state = "verified"
            case "plan-chosen":
                account.plan = told["plan"]
            case "sanctioned":
                account.sanctions.append((told["authority"], told["list_name"]))
            case "sanction-lifted":
                gone = (told["authority"], told["list_name"])
                account.sanctions = [one for one in account.sanctions if one != gone]

    def _list(self, id: str, what: str, told: dict[str, Any], at: int) -> None:
        match what:
            case "accepted":
                names = (name for row in told["entries"] for name in row[:3] if name)
                self.lists[id] = AllowList(told["country"], frozenset(names))
            case "applied":
                self.lists[id].applied_at, self.lists[id].cut = at, frozenset(told["cut_off"])
            case "withdrawn" | "replaced":
                self.lists[id].ended = True

    def _terminal(self, id: str, what: str, told: dict[str, Any], at: int) -> None:
        names = frozenset(told[name] for name in ("serial", "kit", "dish_id") if told.get(name))
        if what in ("manufactured", "declared"):
            self.terminals[id] = Terminal("delivered" if what == "declared" else what, names=names)
            return
        terminal = self.terminals[id]
        if what == "names-set":
            terminal.names = names
        elif what in ("registered", "hand-over-accepted", "home-set"):
            terminal.cell, terminal.region = told["cell"], told["region"]
            terminal.moves = told["mobility"] != "fixed"
            if what != "home-set":
                terminal.owner, terminal.state, terminal.basis = told["owner"], "registered", ""
        elif what in ("verified", "verification-withdrawn"):
            terminal.basis, terminal.verified_at = told.get("basis", ""), at
            if what != "verified" or terminal.state == "registered":
                terminal.state = "verified" if what == "verified" else "registered"
        elif what in ("lost", "stolen"):
            # Whatever else is known of it, a blocked one stays blocked.
            terminal.state = "blocked" if terminal.state == "blocked" else what
        elif what in ("unregistered", "released", "restored") or (
            what == "found" and terminal.state != "blocked"
        ):
            self.terminals[id] = Terminal("delivered", names=terminal.names)
        elif what in STATE_AFTER:
            terminal.state = STATE_AFTER[what]

    def _approval(self, id: str, what: str, told: dict[str, Any], row: dict[str, Any], where: str) -> None:
        if what == "proposed":
            holds(told["people_needed"] >= 2, f"{where} asks for one person alone")
            holds(told["person"] == row["by_id"], f"{where} is proposed in another's name")
            kind = told["verb"].split(".")[0]
            self.approvals[id] = Approval(
                told["verb"], told["about"], told["change"], [told["person"]], told["people_needed"],
                told["lapses_at"], self.version.get(f"{kind} {told['about']}", 0),
            )  # fmt: skip
            return
        approval = self.approvals[id]
        match what:
            case "agreed":
                holds(told["person"] == row["by_id"], f"{where} is agreed to in another's name")
                holds(told["person"] not in approval.people, f"{where}: one person agrees twice")
                holds(told["change"] == approval.change, f"{where}: agreed to something else")
                holds(row["at_us"] < approval.lapses_at, f"{where}: agreed to after it lapsed")
                approval.people.append(told["person"])
            case "declined":
                approval.declined = True
            case "withdrawn":
                holds(row["by_id"] == told["person"] == approval.people[0], f"{where}: by another person")
                approval.declined = True
            case "used":
                holds(approval.used_at is None, f"{where}: used twice")
                approval.used_at = row["sequence"]

    # --- may it be served

    def may_serve(self, terminal_id: str, cell: str, at: int) -> bool:
        """By everything that was decided."""
        terminal = self.terminals.get(terminal_id)
        here = [(region, *region.cells[cell]) for region in self.regions.values() if cell in region.cells]
        if terminal is None or not here or terminal.state != "active":
            return False
        account = self.accounts.get(terminal.owner)
        if account is None or account.state != "verified" or account.sanctions:
            return False
        if account.plan not in self.plans or (not terminal.moves and terminal.cell not in ("", cell)):
            return False
        country = self.regions[terminal.region].country if terminal.region else account.country
        lists = [a for a in self.lists.values() if a.applied_at and not a.ended and a.country == country]
        if any(terminal_id in one.cut and terminal.verified_at < (one.applied_at or 0) for one in lists):
            return False
        listed = any(terminal.names & one.names for one in lists)
        listed = listed if lists else terminal.basis == "allow-list"
        return all(_open(region, mode, limits, terminal, listed, cell, at) for region, mode, limits in here)


def _open(
    region: Region, mode: str, limits: Mapping[str, Any], terminal: Terminal, listed: bool, cell: str, at: int
) -> bool:
    if region.state != "active" or not region.allowed_at(at) or mode in ("disabled", "waitlist"):
        return False
    if mode == "enabled":
        return True
    hours = limits.get("hours_utc") or ()
    if hours and at // HOUR_US % 24 not in hours:
        return False
    if limits.get("allow_list_only") and not listed:
        return False
    return bool(limits.get("roaming", True)) or terminal.cell == cell


def _arguments(name: str, told: dict[str, Any]) -> list[dict[str, Any]]:
    """What may have been asked for, for an event to come of it."""
    match name:
        case "region.suspended/1":
            return [{"reason": told["reason"]}]
        case "region.cells-set/1":
            plain = {"cells": told["cells"], "mode": told["mode"]}
            return [plain, {**plain, "limits": told["limits"]}]
        case "region.cells-removed/1":
            return [{"cells": told["cells"]}]
    return [{}]


def _change_hash(verb: str, about: str, version: int, arguments: dict[str, Any]) -> str:
    text = json.dumps(
        [verb, about, version, arguments], sort_keys=True, separators=(",", ":"), ensure_ascii=False
    )
    return hashlib.sha256(text.encode()).hexdigest()


def stands_in(folder: Path, names: Iterable[str], texts: Iterable[str]) -> list[str]:
    """Those of the texts that stand in any of the files."""
    files = [(folder / name).read_bytes() for name in names if (folder / name).exists()]
    return [text for text in texts if any(text.encode() in held for held in files)]
