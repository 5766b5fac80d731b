"""From terminals, accounts, plans and regions to a decision, through the office: a hospital's whole way."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from skylift.adapters.sql.store import SqlStore, open_store, sqlite_url
from skylift.base.errors import Refused
from skylift.base.instants import InstantUs
from skylift.service.account.account import ROOM as ACCOUNTS
from skylift.service.account.plan import ROOM as PLANS
from skylift.service.account.roles import Grant, Role
from skylift.service.permission.reasons import Code, Decision
from skylift.service.region.state import ROOM as REGIONS
from skylift.service.rooms import ROOMS
from skylift.service.terminal.state import ROOM as TERMINALS
from skylift.twin.office.office import Asked, Done, Forbidden, Office
from skylift.twin.office.permits import permissions_of
from skylift.twin.office.table import TABLE
from skylift.twin.office.verbs import Actor
from tests.known_authorities import record_known

CELL, ELSEWHERE = "851e5227fffffff", "851e5237fffffff"
OPERATOR = Actor("per_operator", grants=(Grant(Role.OPERATOR), Grant(Role.LOGISTICS)))
APPROVER = Actor("per_approver", grants=(Grant(Role.APPROVER),))
AUTHORITY = Actor("per_authority", grants=(Grant(Role.AUTHORITY, ("rgn_ua",)),))


class Ids:
    count = 0

    def new(self, prefix: str) -> str:
        self.count += 1
        return f"{prefix}_{self.count:024d}"


class Day:
    def __init__(self, store: SqlStore) -> None:
        self.store, self.office, self.at = store, Office(TABLE, Ids()), 0

    def do(self, actor: Actor, verb: str, subject: str | None = None, **more: Any) -> Done:
        self.at += 1_000_000
        extra = {k: more.pop(k) for k in ("approval", "new_id") if k in more}
        with self.store.transaction() as transaction:
            done = self.office.do(transaction, Asked(actor, verb, subject, more, InstantUs(self.at), **extra))
        if done.approval is None:
            return done
        self.do(APPROVER, "approval.agree", done.approval.id, change=done.approval.thing.change)
        return self.do(actor, verb, subject, approval=done.approval.id, **more)

    def decision(self) -> Decision:
        def every(room: Any) -> list[Any]:
            return [stored.thing for stored in self.store.things(room)]

        plans = {plan.id: plan for plan in every(PLANS)}
        permissions = permissions_of(every(TERMINALS), every(ACCOUNTS), plans, every(REGIONS))
        return permissions.may_serve(self.dish, CELL, self.at)

    def codes(self) -> set[Code]:
        return {why.code for why in self.decision().reasons}

    dish = ""


@pytest.fixture
def day(tmp_path: Path) -> Iterator[Day]:
    store = open_store(sqlite_url(tmp_path), ROOMS)
    record_known(store)
    yield Day(store)
    assert store.verify().valid
    store.close()


def test_a_home_lies_in_the_region_that_is_named(day: Day) -> None:
    account = day.do(OPERATOR, "account.create", holder="company", country="UA").stored.id
    dish = day.do(OPERATOR, "terminal.create", hardware="ROUND-2021", serial="KIT-0001").stored.id
    day.do(OPERATOR, "terminal.deliver", dish, place="LVIV-1")
    home = {"owner": account, "cell": CELL, "region": "rgn_ua"}
    with pytest.raises(Refused, match="there is none"):
        day.do(OPERATOR, "terminal.register", dish, **home)
    day.do(OPERATOR, "region.create", country="UA", title="Ukraine", cells=[ELSEWHERE], new_id="rgn_ua")
    with pytest.raises(Refused, match="does not hold this cell") as refusal:
        day.do(OPERATOR, "terminal.register", dish, **home)
    assert refusal.value.code == "terminal.region"
    day.do(OPERATOR, "terminal.register", dish, **{**home, "cell": ELSEWHERE})
    with pytest.raises(Refused, match="does not hold this cell"):
        day.do(OPERATOR, "terminal.move", dish, cell=CELL, region="rgn_ua")
    # Without a region anything goes: nobody decides by it.
    day.do(OPERATOR, "terminal.move", dish, cell=CELL)


def test_a_hospitals_way_from_nothing_to_service_and_off_again(day: Day) -> None:
    account = day.do(OPERATOR, "account.create", holder="critical-infrastructure", country="UA").stored.id
    day.dish = day.do(OPERATOR, "terminal.create", hardware="ROUND-2021", serial="KIT-0001").stored.id
    day.do(OPERATOR, "terminal.deliver", day.dish, place="LVIV-1")
    day.do(OPERATOR, "terminal.register", day.dish, owner=account, cell=CELL)
    assert day.codes() == {
        Code.REGION_NONE, Code.TERMINAL_NOT_ACTIVE, Code.ACCOUNT_NOT_VERIFIED, Code.PLAN_NONE
    }  # fmt: skip
    day.do(
        OPERATOR, "plan.create", title="Hospital", service_class=1, down_bps=5e7, up_bps=1e7, new_id="pln_1"
    )
    day.do(OPERATOR, "account.plan", account, plan="pln_1")
    day.do(OPERATOR, "account.verify", account, authority="MINISTRY", reference="letter 7")
    day.do(
        OPERATOR, "terminal.verify", day.dish, basis="authority", authority="MINISTRY", reference="letter 7"
    )
    day.do(OPERATOR, "terminal.activate", day.dish)
    day.do(OPERATOR, "region.create", country="UA", title="Ukraine", cells=[CELL], new_id="rgn_ua")
    assert day.codes() == {Code.REGION_NOT_ACTIVE, Code.REGION_PAPERS, Code.CELL_DISABLED}
    day.do(
        AUTHORITY, "region.grant", "rgn_ua", paper="temporary-authorisation", authority="regulator",
        document="decision 1", valid_from=0, valid_until=3_600_000_000,
    )  # fmt: skip
    day.do(OPERATOR, "region.activate", "rgn_ua")
    day.do(OPERATOR, "region.cells", "rgn_ua", cells=[CELL], mode="enabled")
    decision = day.decision()
    assert decision.allowed
    assert decision.cap_bps == 5e7
    day.do(OPERATOR, "terminal.report-stolen", day.dish, captured=True)
    assert day.codes() == {Code.TERMINAL_CUT_OFF}
    day.at = 3_600_000_000
    assert day.codes() == {Code.TERMINAL_CUT_OFF, Code.REGION_PAPERS}


def test_an_owner_registers_and_hands_over_and_no_stranger_does(day: Day) -> None:
    mine, yours = (
        day.do(OPERATOR, "account.create", holder="person", country="UA").stored.id for _ in range(2)
    )
    me, you = (Actor(f"per_{a}", a, (Grant(Role.SUBSCRIBER),)) for a in (mine, yours))
    dish = day.do(OPERATOR, "terminal.create", hardware="ROUND-2021", serial="KIT-0001").stored.id
    day.do(OPERATOR, "terminal.deliver", dish, place="LVIV-1")
    with pytest.raises(Forbidden):
        day.do(you, "terminal.register", dish, owner=mine, cell=CELL)
    day.do(me, "terminal.register", dish, owner=mine, cell=CELL)
    with pytest.raises(Forbidden):
        day.do(you, "terminal.pause", dish)
    day.do(me, "terminal.hand-over", dish, to=yours)
    with pytest.raises(Forbidden):
        day.do(me, "terminal.accept", dish, cell=CELL)
    assert day.do(you, "terminal.accept", dish, cell=CELL).stored.thing.owner == yours
