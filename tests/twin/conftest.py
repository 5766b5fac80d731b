"""An office over a real store, with one actor of each kind."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from skylift.adapters.allow_lists import packaged_rules
from skylift.adapters.sql.store import SqlStore, open_store, sqlite_url
from skylift.base.instants import InstantUs
from skylift.service.account.roles import Grant, Role
from skylift.service.rooms import ROOMS
from skylift.service.terminal.state import ROOM as TERMINALS
from skylift.service.terminal.state import Terminal
from skylift.twin.office.office import Asked, Done, Office
from skylift.twin.office.table import TABLE
from skylift.twin.office.verbs import Actor
from tests.known_authorities import record_known

RULES = packaged_rules()


class CountedIds:
    def __init__(self) -> None:
        self.count = 0

    def new(self, prefix: str) -> str:
        self.count += 1
        return f"{prefix}_{self.count:024d}"


class Bureau:
    """Each call is one transaction, a second after the one before, unless `at` is set."""

    cell = "851e5227fffffff"
    operator = Actor("per_operator", grants=(Grant(Role.OPERATOR),))
    approver = Actor("per_approver", grants=(Grant(Role.APPROVER),))
    logistics = Actor("per_logistics", grants=(Grant(Role.LOGISTICS),))
    field = Actor("per_field", grants=(Grant(Role.FIELD),))
    authority = Actor("per_authority", grants=(Grant(Role.AUTHORITY, ("rgn_ua",)),))

    def __init__(self, store: SqlStore) -> None:
        self.store, self.office, self.at = store, Office(TABLE, CountedIds(), RULES), 0

    def ask(self, actor: Actor, verb: str, subject: str | None = None, **more: Any) -> Done:
        """What the office answers, an agreement that is waited for as well."""
        self.at += 1_000_000
        extra = {k: more.pop(k) for k in ("approval", "new_id", "expected_version") if k in more}
        with self.store.transaction() as transaction:
            asked = Asked(actor, verb, subject, more, InstantUs(self.at), **extra)
            return self.office.do(transaction, asked)

    def do(self, actor: Actor, verb: str, subject: str | None = None, **more: Any) -> Any:
        """The thing afterwards; the approver agrees to whatever needs it."""
        done = self.ask(actor, verb, subject, **more)
        if done.approval is None:
            return done.stored.thing
        self.do(self.approver, "approval.agree", done.approval.id, change=done.approval.thing.change)
        more.pop("new_id", None)
        again = self.ask(actor, verb, subject, approval=done.approval.id, **more)
        assert again.approval is None
        return again.stored.thing

    def get(self, room: Any, id: str) -> Any:
        with self.store.reading() as reader:
            stored = reader.get(room, id)
        assert stored is not None
        return stored.thing

    def terminal(self, serial: str) -> Terminal:
        with self.store.reading() as reader:
            stored = reader.find(TERMINALS, "serial", serial)
        assert stored is not None
        return stored.thing

    def account(self, id: str, holder: str = "company") -> Actor:
        """A new account, and one of its people."""
        self.do(self.operator, "account.create", holder=holder, country="UA", new_id=id)
        return Actor(f"per_of_{id}", id, (Grant(Role.SUBSCRIBER),))

    def open_region(self) -> None:
        self.do(
            self.operator,
            "region.create",
            country="UA",
            title="Ukraine",
            cells=[self.cell],
            new_id="rgn_ua",
        )


@pytest.fixture
def bureau(tmp_path: Path) -> Iterator[Bureau]:
    store = open_store(sqlite_url(tmp_path), ROOMS)
    record_known(store)
    yield Bureau(store)
    audit = store.verify()
    assert audit.valid, audit
    store.close()
