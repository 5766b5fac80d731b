"""Customers, people and their roles, plans: holes, who may what where, and used allowances."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from skylift.base.errors import Refused
from skylift.base.events import Event, EventTypes, Who, to_payload
from skylift.base.instants import InstantUs
from skylift.base.things import Room
from skylift.service.account import account, person, plan
from skylift.service.account.account import Account, AccountState, Holder
from skylift.service.account.person import Person, PersonState
from skylift.service.account.plan import Plan, PlanState, Reading, ServiceClass, Terms, used_bytes
from skylift.service.account.roles import ALLOWS, Grant, Role, Subject, may, verbs

WHO = Who(InstantUs(1_000), "acc_1")
CYCLES = [
    (module.CYCLE, state, event)
    for module, states in ((account, AccountState), (person, PersonState), (plan, PlanState))
    for state in states
    for event in module.CYCLE.events()
]


@pytest.mark.parametrize(("cycle", "state", "event"), CYCLES)
def test_every_step_is_allowed_or_explained(cycle: Any, state: Any, event: type[Event]) -> None:
    if (state, event) in cycle.steps:
        assert cycle.after("x_1", state, event) is cycle.steps[state, event]
    else:
        with pytest.raises(Refused, match=r"from here it can be|begin a new one"):
            cycle.after("x_1", state, event)


@pytest.mark.parametrize(
    ("module", "states"), [(account, AccountState), (person, PersonState), (plan, PlanState)]
)
def test_every_state_can_come_about_and_has_words(module: Any, states: Any) -> None:
    assert module.CYCLE.reachable() == set(states)
    assert len({module.label(state) for state in states}) == len(states)


TERMS = Terms("Hospital", ServiceClass.LIFE, 50e6, 10e6, allowance_bytes=1_000, slow_bps=1e6)
STEPS: dict[str, tuple[Room[Any], list[tuple[Callable[..., Any], tuple[Any, ...]]]]] = {
    "account": (
        account.ROOM,
        [
            (account.opened, (Holder.COMPANY, "UA", "rgn_1")),
            (account.verified, ("aut_1", "letter 7")),
            (account.plan_chosen, ("pln_1",)),
            (account.suspended, ("unpaid",)),
            (account.resumed, ()),
            (account.sanctioned, ("the council", "list of 2022-02-25")),
            (account.sanction_lifted, ("the council", "list of 2022-02-25")),
            (account.closed, ()),
        ],
    ),
    "person": (
        person.ROOM,
        [
            (person.added, ("acc_1",)),
            (person.granted, (Grant(Role.OPERATOR),)),
            (person.granted, (Grant(Role.APPROVER),)),
            (person.granted, (Grant(Role.AUDITOR),)),
            (person.granted, (Grant(Role.AUTHORITY, ("rgn_1",)),)),
            (person.taken, (Role.APPROVER,)),
            (person.locked, ("left the laptop on a train",)),
            (person.unlocked, ()),
            (person.left, ()),
        ],
    ),
    "plan": (plan.ROOM, [(plan.offered, (TERMS,)), (plan.withdrawn, ())]),
}


@pytest.mark.parametrize("kind", STEPS)
@given(data=st.data())
def test_replay_gives_the_same_and_what_is_stored_comes_back(kind: str, data: st.DataObject) -> None:
    room, steps = STEPS[kind]
    thing, events = room.empty("x_1"), []
    for number, (decide, arguments) in enumerate(data.draw(st.lists(st.sampled_from(steps), max_size=25))):
        try:
            new = decide(thing, Who(InstantUs(1_000 + number), "acc_1"), *arguments)
        except Refused:
            continue
        for event in new:
            thing = room.apply(thing, event)
            events.append(event)
    assert room.replayed("x_1", tuple(events)) == thing
    assert room.from_plain(room.to_plain(thing)) == thing
    types = EventTypes(room.events)
    for event in events:
        columns = {"at": event.at, "by": event.by, "subject_id": event.subject_id, "cause_id": event.cause_id}
        assert types.read(event.NAME, columns, to_payload(event)) == event
    if isinstance(thing, Person):
        assert not {Role.APPROVER, Role.AUDITOR} <= {grant.role for grant in thing.grants}


def test_roles_that_cannot_be_given() -> None:
    somebody = person.ROOM.apply(Person("per_1"), person.added(Person("per_1"), WHO)[0])
    for grant, code in (
        (Grant(Role.AUTHORITY), "person.no-territory"),
        (Grant(Role.SUBSCRIBER), "person.no-account"),
    ):
        with pytest.raises(Refused) as refusal:
            person.granted(somebody, WHO, grant)
        assert refusal.value.code == code


@pytest.mark.parametrize("role", Role)
@pytest.mark.parametrize("verb", sorted(verbs()))
def test_a_role_allows_its_verbs_and_no_others(role: Role, verb: str) -> None:
    # A grant for the very region and the very owner: only the verb decides.
    grant, subject = Grant(role, ("rgn_1",)), Subject(region="rgn_1", owner="acc_1")
    assert may([grant], "acc_1", verb, subject) == (verb in ALLOWS[role])


@pytest.mark.parametrize(
    ("grant", "account_id", "verb", "subject", "allowed"),
    [
        (Grant(Role.SUBSCRIBER), "acc_1", "terminal.pause", Subject(owner="acc_1"), True),
        (Grant(Role.SUBSCRIBER), "acc_1", "terminal.pause", Subject(owner="acc_2"), False),
        (Grant(Role.SUBSCRIBER), "", "terminal.pause", Subject(owner=""), False),
        (Grant(Role.AUTHORITY, ("rgn_1",)), "", "region.grant", Subject(region="rgn_1"), True),
        (Grant(Role.AUTHORITY, ("rgn_1",)), "", "region.grant", Subject(region="rgn_2"), False),
        (Grant(Role.AUTHORITY), "", "region.grant", Subject(region="rgn_2"), False),
        (Grant(Role.OPERATOR), "", "region.activate", Subject(region="rgn_2"), True),
        (Grant(Role.OPERATOR, ("rgn_1",)), "", "region.activate", Subject(region="rgn_2"), False),
        (Grant(Role.OPERATOR, ("rgn_1",)), "", "region.activate", Subject(), False),
        (Grant(Role.OPERATOR), "", "region.grant", Subject(region="rgn_1"), False),
        (Grant(Role.OPERATOR), "", "approval.agree", Subject(), False),
    ],
)
def test_reach(grant: Grant, account_id: str, verb: str, subject: Subject, allowed: bool) -> None:
    assert may([grant], account_id, verb, subject) is allowed


def test_no_operator_approves_and_nobody_but_an_authority_grants() -> None:
    assert [role for role in Role if "approval.agree" in ALLOWS[role]] == [Role.APPROVER]
    assert [role for role in Role if "region.grant" in ALLOWS[role]] == [Role.AUTHORITY]


@pytest.mark.parametrize(
    "bad",
    [
        Terms("x", ServiceClass.LIFE, 0.0, 1.0),
        Terms("x", ServiceClass.LIFE, 1.0, float("nan")),
        Terms("x", ServiceClass.LIFE, 1.0, 1.0, allowance_bytes=0),
        Terms("x", ServiceClass.LIFE, 1.0, 1.0, slow_bps=1.0),
    ],
)
def test_plans_that_cannot_be(bad: Terms) -> None:
    with pytest.raises(Refused):
        plan.offered(Plan("pln_1"), WHO, bad)


def test_beyond_the_allowance_a_plan_is_slow() -> None:
    hospital = plan.ROOM.apply(Plan("pln_1"), plan.offered(Plan("pln_1"), WHO, TERMS)[0])
    assert hospital.rates_bps(999) == (50e6, 10e6)
    assert hospital.rates_bps(1_000) == (1e6, 1e6)


@pytest.mark.parametrize(
    ("counters", "used"),
    [
        ([], 0),
        ([(10, 500)], 0),
        ([(10, 500), (20, 700), (30, 900)], 400),
        # A restart: from 700 to 50 means at least 50 since.
        ([(10, 500), (20, 700), (30, 50), (40, 60)], 260),
        # Out of order, and one of them twice.
        ([(30, 900), (10, 500), (20, 700), (20, 700)], 400),
        # Outside the cycle.
        ([(5, 0), (10, 500), (20, 700), (99, 5_000)], 200),
    ],
)
def test_usage(counters: list[tuple[int, int]], used: int) -> None:
    assert used_bytes([Reading(at, count) for at, count in counters], 10, 99) == used


def test_an_account_is_verified_by_reference_alone() -> None:
    opened = account.ROOM.apply(
        Account("acc_2"), account.opened(Account("acc_2"), WHO, Holder.PERSON, "UA")[0]
    )
    with pytest.raises(Refused, match="identity numbers are never stored"):
        account.verified(opened, WHO, "aut_1", "")
    with pytest.raises(Refused, match="ISO 3166"):
        account.opened(Account("acc_3"), WHO, Holder.PERSON, "Ukraine")
