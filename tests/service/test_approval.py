"""Agreements: two people, not two accounts; this very change, and no other."""

from __future__ import annotations

import hashlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from skylift.base.errors import Refused
from skylift.base.events import Event, Who
from skylift.base.instants import InstantUs
from skylift.service.approval.change import change_hash
from skylift.service.approval.state import (
    CYCLE,
    LONGEST_US,
    ROOM,
    Approval,
    ApprovalState,
    Proposal,
    Standing,
    agreed,
    declined,
    label,
    proposed,
    standing,
    used,
    withdrawn,
)

CHANGE = change_hash("region.activate", "rgn_1", 3, {})
PROPOSAL = Proposal("region.activate", "rgn_1", CHANGE, 3)


def who(at: int, account: str = "acc_1") -> Who:
    return Who(InstantUs(at), account)


def opened() -> Approval:
    (event,) = proposed(Approval("apr_1"), who(0), "per_1", PROPOSAL)
    return ROOM.apply(Approval("apr_1"), event)


@pytest.mark.parametrize("event", CYCLE.events())
@pytest.mark.parametrize("state", ApprovalState)
def test_every_step_is_allowed_or_explained(state: ApprovalState, event: type[Event]) -> None:
    if (state, event) in CYCLE.steps:
        assert CYCLE.after("apr_1", state, event) is CYCLE.steps[state, event]
    else:
        with pytest.raises(Refused, match=r"from here it can be|begin a new one"):
            CYCLE.after("apr_1", state, event)


def test_every_state_can_come_about_and_has_words() -> None:
    assert CYCLE.reachable() == set(ApprovalState)
    assert len({label(state) for state in ApprovalState}) == len(ApprovalState)


def test_the_hash_is_that_of_the_change_as_text() -> None:
    # Computed by hand: printf '["region.activate","rgn_1",3,{}]' | sha256sum.
    assert hashlib.sha256(b'["region.activate","rgn_1",3,{}]').hexdigest() == CHANGE


@pytest.mark.parametrize(
    "other",
    [
        ("region.suspend", "rgn_1", 3, {}),
        ("region.activate", "rgn_2", 3, {}),
        ("region.activate", "rgn_1", 4, {}),
        ("region.activate", "rgn_1", 3, {"cells": ["x"]}),
    ],
)
def test_any_altered_change_needs_a_new_agreement(other: tuple[str, str, int, dict[str, object]]) -> None:
    approval = ROOM.apply(opened(), agreed(opened(), who(1, "acc_2"), "per_2", CHANGE)[0])
    with pytest.raises(Refused) as refusal:
        used(approval, who(2), other[0], change_hash(*other))
    assert refusal.value.code == "approval.other-change"
    with pytest.raises(Refused, match="something was altered"):
        agreed(opened(), who(1), "per_2", change_hash(*other))


def test_one_person_with_two_accounts_counts_once() -> None:
    with pytest.raises(Refused, match="count once"):
        agreed(opened(), who(1, "acc_another_of_the_same"), "per_1", CHANGE)
    with pytest.raises(Refused, match="1 more person has to agree"):
        used(opened(), who(1), PROPOSAL.verb, CHANGE)


def test_it_lapses_and_is_used_once() -> None:
    with pytest.raises(Refused, match="lapsed"):
        agreed(opened(), who(LONGEST_US), "per_2", CHANGE)
    approval = ROOM.apply(opened(), agreed(opened(), who(1), "per_2", CHANGE)[0])
    with pytest.raises(Refused, match="lapsed"):
        used(approval, who(LONGEST_US), PROPOSAL.verb, CHANGE)
    spent = ROOM.apply(approval, used(approval, who(2), PROPOSAL.verb, CHANGE)[0])
    with pytest.raises(Refused) as refusal:
        used(spent, who(3), PROPOSAL.verb, CHANGE)
    assert refusal.value.code == "approval.wrong-state"


def test_how_it_stands_is_more_than_its_state() -> None:
    approval = opened()
    assert standing(approval, InstantUs(1), about_version=3) is Standing.OPEN
    assert standing(approval, InstantUs(1), about_version=4) is Standing.VOID
    assert standing(approval, InstantUs(LONGEST_US), about_version=4) is Standing.LAPSED
    assert standing(approval, InstantUs(1), about_version=None) is Standing.OPEN, (
        "nobody knows what it is about"
    )
    approval = ROOM.apply(approval, agreed(approval, who(1), "per_2", CHANGE)[0])
    assert standing(approval, InstantUs(2), about_version=3) is Standing.AGREED
    assert standing(approval, InstantUs(2), about_version=4) is Standing.VOID
    spent = ROOM.apply(approval, used(approval, who(2), PROPOSAL.verb, CHANGE)[0])
    assert standing(spent, InstantUs(LONGEST_US), about_version=4) is Standing.USED


def test_only_who_proposed_it_takes_it_back() -> None:
    approval = ROOM.apply(opened(), agreed(opened(), who(1, "acc_2"), "per_2", CHANGE)[0])
    with pytest.raises(Refused) as refusal:
        withdrawn(approval, who(2, "acc_2"), "per_2")
    assert refusal.value.code == "approval.not-yours"
    after = ROOM.apply(approval, withdrawn(approval, who(LONGEST_US), "per_1")[0])
    assert standing(after, InstantUs(LONGEST_US), about_version=4) is Standing.WITHDRAWN
    for late in (
        lambda: agreed(after, who(3), "per_3", CHANGE),
        lambda: declined(after, who(3), "per_3"),
        lambda: used(after, who(3), PROPOSAL.verb, CHANGE),
        lambda: withdrawn(after, who(3), "per_1"),
    ):
        with pytest.raises(Refused) as refusal:
            late()
        assert refusal.value.code == "approval.wrong-state"


@pytest.mark.parametrize("people", [1, 6])
def test_impossible_numbers_of_people(people: int) -> None:
    with pytest.raises(Refused, match="2 to 5 people"):
        proposed(Approval("apr_1"), who(0), "per_1", Proposal("v", "x", CHANGE, 0, people_needed=people))


@given(
    st.integers(2, 5),
    st.lists(
        st.tuples(st.sampled_from(["agree", "decline", "withdraw", "use"]), st.integers(1, 6)), max_size=20
    ),
)
def test_nothing_is_used_without_enough_people(needed: int, steps: list[tuple[str, int]]) -> None:
    approval = Approval("apr_1")
    events: list[Event] = [
        *proposed(approval, who(0), "per_1", Proposal("v", "x", CHANGE, 0, people_needed=needed))
    ]
    approval = ROOM.apply(approval, events[0])
    agreeing = {"per_1"}
    for number, (step, person) in enumerate(steps, start=1):
        try:
            if step == "agree":
                new = agreed(approval, who(number, f"acc_{number}"), f"per_{person}", CHANGE)
            elif step == "decline":
                new = declined(approval, who(number), f"per_{person}")
            elif step == "withdraw":
                new = withdrawn(approval, who(number), f"per_{person}")
            else:
                new = used(approval, who(number), "v", CHANGE)
        except Refused:
            continue
        if step == "agree":
            agreeing.add(f"per_{person}")
        if step == "use":
            assert len(agreeing) >= needed
        if step == "withdraw":
            assert person == 1
        approval = ROOM.apply(approval, new[0])
        events += new
    assert ROOM.replayed("apr_1", tuple(events)) == approval
    assert ROOM.from_plain(ROOM.to_plain(approval)) == approval
