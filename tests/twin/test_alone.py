"""Many small changes by one person are one large one: in the window, over restarts, each sort by itself."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from skylift.base.events import Who
from skylift.base.instants import InstantUs
from skylift.service.account import alone
from skylift.service.account.alone import KEPT_US, Alone
from skylift.service.account.roles import Grant, Role
from skylift.twin.office.alone import DAY_US, Limits
from skylift.twin.office.office import Office
from skylift.twin.office.verbs import Actor
from tests.twin.test_office_bulk import BLOCK, fleet


@pytest.fixture
def few(bureau: Any) -> Any:
    """An office where one person may change four terminals a day."""
    bureau.office = replace(bureau.office, limits=Limits(4, DAY_US))
    return bureau


def waits(
    bureau: Any, verb: str, subject: str | None = None, actor: Actor | None = None, **more: Any
) -> bool:
    """Whether it waits for another person; if not, it is done."""
    return bureau.ask(actor or bureau.operator, verb, subject, **more).approval is not None


def block(bureau: Any, ids: list[str], **more: Any) -> bool:
    return waits(bureau, "bulk-change.create", terminals=ids, **BLOCK, **more)


def test_a_bulk_change_that_is_split_up_takes_two_people_all_the_same(few: Any) -> None:
    ids = fleet(few, 8)
    assert not block(few, ids[:3])
    assert block(few, ids[3:6]), "three and three are six"
    assert not block(few, ids[3:4]), "one more is four"
    assert block(few, ids[4:5])


def test_a_loop_of_single_changes_is_a_bulk_change(few: Any) -> None:
    ids = fleet(few, 6)
    order = {"why": "authority-order", "authority": "UA-MDT", "document": "order 7"}
    done = [not waits(few, "terminal.block", id, **order) for id in ids]
    assert done == [True] * 4 + [False] * 2
    few.do(few.operator, "terminal.block", ids[4], **order)
    assert waits(few, "terminal.block", ids[5], **order), "what two agreed to leaves no more room either"


def test_what_is_mixed_counts_together_and_the_same_one_once(few: Any) -> None:
    ids = fleet(few, 6)
    for _ in range(3):
        assert not waits(few, "terminal.activate", ids[0])
        assert not waits(few, "terminal.pause", ids[0])
    assert not block(few, ids[:4], skip=True)
    assert waits(few, "terminal.retire", ids[4], why="broken")
    assert waits(few, "terminal.activate", ids[5])
    assert not waits(few, "terminal.retire", ids[3], why="broken"), "it is one of the four"


def test_a_day_later_there_is_room_again(few: Any) -> None:
    ids = fleet(few, 6)
    assert not block(few, ids[:4])
    few.at += DAY_US - 60_000_000
    assert waits(few, "terminal.activate", ids[4])
    few.at += 120_000_000
    assert not waits(few, "terminal.activate", ids[4])


def test_each_person_has_a_day_of_their_own_and_a_new_token_or_restart_gives_no_other(few: Any) -> None:
    ids = fleet(few, 6)
    assert not block(few, ids[:4])
    same = Actor(few.operator.person, grants=few.operator.grants, scopes=("terminal.activate",))
    assert waits(few, "terminal.activate", ids[4], same)
    few.office = Office(few.office.table, few.office.ids, few.office.rules, few.office.limits)
    assert waits(few, "terminal.activate", ids[4])
    assert not waits(few, "terminal.activate", ids[4], Actor("per_other", grants=(Grant(Role.OPERATOR),)))


def test_ones_own_are_ones_own_and_the_lost_do_not_wait_behind_the_paused(few: Any) -> None:
    ids = fleet(few, 7)
    owner = Actor("per_owner", "acc_a", (Grant(Role.SUBSCRIBER),))
    assert not any(waits(few, "terminal.activate", id, owner) for id in ids)
    assert not block(few, ids[:4])
    assert not waits(few, "terminal.report-stolen", ids[4], captured=True)
    assert not waits(few, "terminal.report-stolen", ids[5], few.field)


def test_what_two_agreed_to_is_not_counted(few: Any) -> None:
    ids = fleet(few, 6)
    assert not block(few, ids[:3])
    few.do(few.operator, "bulk-change.create", terminals=ids[3:5], **BLOCK)
    assert not waits(few, "terminal.activate", ids[5]), "three and one are four"


@given(
    st.lists(
        st.tuples(
            st.integers(0, 3 * KEPT_US // 2), st.sampled_from("ab"), st.sets(st.integers(0, 5), min_size=1)
        ),
        max_size=12,
    )
)
def test_what_is_kept_of_a_person_is_the_last_week(changes: list[Any]) -> None:
    thing, events = Alone("per_1"), []
    changes = sorted(changes, key=lambda one: one[0])
    for at, sort, things in changes:
        new = alone.changed(
            thing, Who(InstantUs(at), "per_1"), sort, tuple(f"trm_{n}" for n in sorted(things))
        )
        for event in new:
            thing = alone.apply(thing, event)
            events.append(event)
    assert alone.ROOM.replayed("per_1", tuple(events)) == thing
    assert alone.ROOM.from_plain(alone.ROOM.to_plain(thing)) == thing
    if changes:
        now = changes[-1][0]
        for sort in "ab":
            for since in (now - DAY_US, now - KEPT_US):
                told = {f"trm_{n}" for at, of, things in changes for n in things if of == sort and at > since}
                assert thing.since(sort, since) == told
