"""The office on a real store: roles, two people for one exact change, what is personal, and stale edits."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from skylift.adapters.sql.store import SqlStore, open_store, sqlite_url
from skylift.base.errors import Refused
from skylift.base.instants import InstantUs
from skylift.ports.store import Conflict
from skylift.service.account.roles import ALLOWS, Grant, Role
from skylift.service.approval.state import ROOM as APPROVALS
from skylift.service.region.state import ROOM as REGIONS
from skylift.service.region.state import RegionState
from skylift.twin.office.office import Asked, Done, Forbidden, Office
from skylift.twin.office.table import ROOMS, TABLE
from skylift.twin.office.verbs import Actor
from tests.known_authorities import record_known

CELLS = ("851e5227fffffff", "851e5237fffffff")
DAY_US = 86_400_000_000
OPERATOR = Actor("per_operator", grants=(Grant(Role.OPERATOR),))
FIRST = Actor("per_first", grants=(Grant(Role.APPROVER),))
AUTHORITY = Actor("per_authority", grants=(Grant(Role.AUTHORITY, ("rgn_ua",)),))


class CountedIds:
    def __init__(self) -> None:
        self.count = 0

    def new(self, prefix: str) -> str:
        self.count += 1
        return f"{prefix}_{self.count}"


class Desk:
    """An office over a store; each call is one transaction, a second after the one before."""

    def __init__(self, store: SqlStore) -> None:
        self.store, self.office, self.at = store, Office(TABLE, CountedIds()), 0

    def do(self, actor: Actor, verb: str, subject: str | None = None, **more: Any) -> Done:
        self.at += 1_000_000
        asked = {k: more.pop(k) for k in ("approval", "expected_version", "new_id") if k in more}
        with self.store.transaction() as transaction:
            return self.office.do(transaction, Asked(actor, verb, subject, more, InstantUs(self.at), **asked))


@pytest.fixture
def desk(tmp_path: Path) -> Iterator[Desk]:
    store = open_store(sqlite_url(tmp_path), ROOMS)
    record_known(store)
    yield Desk(store)
    assert store.verify().valid
    store.close()


def opened(desk: Desk) -> None:
    desk.do(OPERATOR, "region.create", country="UA", title="Ukraine", cells=CELLS, new_id="rgn_ua")
    desk.do(
        AUTHORITY, "region.grant", "rgn_ua", paper="temporary-authorisation", authority="regulator",
        document="decision 1", valid_from=0, valid_until=30 * DAY_US,
    )  # fmt: skip


def test_every_verb_is_somebodys_and_every_role_has_its_verbs() -> None:
    allowed = frozenset().union(*ALLOWS.values())
    assert set(TABLE.verbs) <= allowed, "a verb that nobody may use"


def test_a_region_is_switched_on_by_two_people(desk: Desk) -> None:
    opened(desk)
    waiting = desk.do(OPERATOR, "region.activate", "rgn_ua")
    assert waiting.approval is not None
    assert waiting.stored.thing.state is RegionState.AUTHORISED
    approval, change = waiting.approval.id, waiting.approval.thing.change
    with pytest.raises(Refused, match="1 more person"):
        desk.do(OPERATOR, "region.activate", "rgn_ua", approval=approval)
    # The same person with an approver's token is still the same person.
    with pytest.raises(Refused, match="count once"):
        desk.do(Actor("per_operator", grants=FIRST.grants), "approval.agree", approval, change=change)
    desk.do(FIRST, "approval.agree", approval, change=change)
    done = desk.do(OPERATOR, "region.activate", "rgn_ua", approval=approval)
    assert done.stored.thing.state is RegionState.ACTIVE
    with desk.store.reading() as reader:
        stored = reader.get(APPROVALS, approval)
    assert stored is not None
    assert stored.thing.people == ("per_operator", "per_first")
    with pytest.raises(Refused):
        desk.do(OPERATOR, "region.suspend", "rgn_ua", reason="x", approval=approval)


def test_an_agreement_binds_the_region_as_it_was(desk: Desk) -> None:
    opened(desk)
    waiting = desk.do(OPERATOR, "region.cells", "rgn_ua", cells=CELLS[:1], mode="enabled").approval
    assert waiting is not None
    desk.do(FIRST, "approval.agree", waiting.id, change=waiting.thing.change)
    for other in ({"cells": CELLS, "mode": "enabled"}, {"cells": CELLS[:1], "mode": "disabled"}):
        with pytest.raises(Refused, match="another change"):
            desk.do(OPERATOR, "region.cells", "rgn_ua", approval=waiting.id, **other)
    desk.do(
        AUTHORITY,
        "region.revoke",
        "rgn_ua",
        paper="temporary-authorisation",
        authority="regulator",
        reason="x",
    )
    with pytest.raises(Refused, match="another change"):
        desk.do(OPERATOR, "region.cells", "rgn_ua", cells=CELLS[:1], mode="enabled", approval=waiting.id)


def test_what_cannot_be_done_is_not_even_proposed(desk: Desk) -> None:
    desk.do(OPERATOR, "region.create", country="UA", title="Ukraine", cells=CELLS, new_id="rgn_ua")
    with pytest.raises(Refused, match="cannot be activated"):
        desk.do(OPERATOR, "region.activate", "rgn_ua")
    with desk.store.reading() as reader:
        assert reader.get(APPROVALS, "apr_1") is None


@pytest.mark.parametrize(
    ("actor", "verb", "arguments"),
    [
        (OPERATOR, "region.prohibit", {"authority": "a", "reason": "b"}),
        (FIRST, "region.activate", {}),
        (
            Actor("per_x", grants=(Grant(Role.AUTHORITY, ("rgn_pl",)),)),
            "region.lift",
            {"authority": "a", "reason": "b"},
        ),
        (Actor("per_x", grants=OPERATOR.grants, scopes=("region.read",)), "region.activate", {}),
        (Actor("per_x"), "region.activate", {}),
    ],
)
def test_strangers_are_refused(desk: Desk, actor: Actor, verb: str, arguments: dict[str, str]) -> None:
    opened(desk)
    with pytest.raises(Forbidden):
        desk.do(actor, verb, "rgn_ua", **arguments)


def test_who_may_not_read_a_thing_is_told_that_there_is_none(desk: Desk) -> None:
    opened(desk)
    verb = TABLE.verbs["region.activate"]
    stranger = Actor("per_x", "acc_x", (Grant(Role.SUBSCRIBER),))
    with desk.store.reading() as reader:
        assert desk.office.read(reader, FIRST, verb, "rgn_ua").id == "rgn_ua"
        with pytest.raises(Refused) as there:
            desk.office.read(reader, stranger, verb, "rgn_ua")
        with pytest.raises(Refused) as absent:
            desk.office.read(reader, stranger, verb, "rgn_zz")
    assert str(there.value).replace("rgn_ua", "") == str(absent.value).replace("rgn_zz", "")


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (
            {"country": "UA", "title": "x", "cells": CELLS, "colour": "blue"},
            "it takes: cells, country, title",
        ),
        ({"country": "UA", "title": "x"}, "cells"),
        ({"country": "UA", "title": 7, "cells": CELLS}, "title"),
    ],
)
def test_arguments_are_read_strictly(desk: Desk, arguments: dict[str, object], says: str) -> None:
    before = desk.store.head()
    with pytest.raises(Refused, match=says) as refusal:
        desk.do(OPERATOR, "region.create", **arguments)
    assert refusal.value.code == "region.argument"
    assert desk.store.head() == before


def test_a_stale_edit_is_a_conflict_that_says_what_it_is_now(desk: Desk) -> None:
    opened(desk)
    with pytest.raises(Conflict, match="version 2, not 1"):
        desk.do(OPERATOR, "region.activate", "rgn_ua", expected_version=1)
    with desk.store.reading() as reader:
        stored = reader.get(REGIONS, "rgn_ua")
    assert stored is not None
    assert stored.version == 2


def test_names_words_and_places_of_a_call_stand_in_no_event(desk: Desk) -> None:
    canaries = {
        "asker": "CANARY-NAME", "contact": "CANARY-PHONE", "site": "CANARY-SITE", "words": "CANARY-WORDS",
        "latitude_deg": 12.3456789, "longitude_deg": 98.7654321,
    }  # fmt: skip
    done = desk.do(
        OPERATOR, "request.create", channel="phone", site_kind="hospital", cell=CELLS[0], **canaries
    )
    with desk.store.reading() as reader:
        assert dict(reader.personal(done.stored.id)) == canaries
    for row in desk.store.journal():
        assert "CANARY" not in repr(row.event)
        assert "12.34" not in repr(row.event)
    assert "CANARY" not in repr(done.stored.thing)


def test_a_refused_call_leaves_nothing_behind(desk: Desk) -> None:
    before = desk.store.head()
    with pytest.raises(Refused, match="give the post's link"):
        desk.do(
            OPERATOR, "request.create", channel="public-post", site_kind="hospital", asker="x", new_id="req_1"
        )
    with desk.store.reading() as reader:
        assert not reader.personal("req_1")
    assert desk.store.head() == before


def test_a_call_is_merged_into_another_that_is_there(desk: Desk) -> None:
    for name in ("req_1", "req_2"):
        desk.do(OPERATOR, "request.create", channel="phone", site_kind="hospital", new_id=name)
    with pytest.raises(Refused, match="there is none"):
        desk.do(OPERATOR, "request.merge", "req_1", into="req_3")
    assert desk.do(OPERATOR, "request.merge", "req_1", into="req_2").stored.thing.merged_into == "req_2"
    with pytest.raises(Conflict):
        desk.do(OPERATOR, "request.create", channel="phone", site_kind="hospital", new_id="req_2")


def test_a_withdrawn_plan_cannot_be_chosen(desk: Desk) -> None:
    desk.do(OPERATOR, "account.create", holder="company", country="UA", new_id="acc_1", name="CANARY")
    desk.do(
        OPERATOR, "plan.create", title="Hospital", service_class=1, down_bps=5e7, up_bps=1e7, new_id="pln_1"
    )
    assert desk.do(OPERATOR, "account.plan", "acc_1", plan="pln_1").stored.thing.plan == "pln_1"
    desk.do(OPERATOR, "plan.withdraw", "pln_1")
    desk.do(OPERATOR, "account.create", holder="company", country="UA", new_id="acc_2")
    with pytest.raises(Refused, match="nobody new"):
        desk.do(OPERATOR, "account.plan", "acc_2", plan="pln_1")


def test_the_first_approver_is_named_by_one_person_and_every_later_role_by_two(desk: Desk) -> None:
    for name in ("per_1", "per_2"):
        desk.do(OPERATOR, "person.create", name="CANARY", new_id=name)
    assert desk.do(OPERATOR, "person.grant", "per_1", role="approver").approval is None
    waiting = desk.do(OPERATOR, "person.grant", "per_2", role="approver").approval
    assert waiting is not None
    desk.do(Actor("per_1", grants=FIRST.grants), "approval.agree", waiting.id, change=waiting.thing.change)
    done = desk.do(OPERATOR, "person.grant", "per_2", role="approver", approval=waiting.id)
    assert done.stored.thing.grants == (Grant(Role.APPROVER),)


def test_a_terminal_is_in_the_region_that_holds_its_cell(bureau: Any) -> None:
    bureau.open_region()
    bureau.account("acc_a")
    made = bureau.do(bureau.logistics, "terminal.create", hardware="STD-V2", serial="KIT1", origin="gift")
    told = {"owner": "acc_a", "cell": bureau.cell}
    assert bureau.do(bureau.operator, "terminal.register", made.id, **told).region == "rgn_ua"
    elsewhere = "851e4b67fffffff"
    assert bureau.do(bureau.operator, "terminal.move", made.id, cell=elsewhere).region == ""
    # Where two regions hold a cell, a person has to say which.
    bureau.do(
        bureau.operator, "region.create", country="UA", title="A part", cells=[bureau.cell], new_id="rgn_part"
    )
    assert bureau.do(bureau.operator, "terminal.move", made.id, cell=bureau.cell).region == ""
