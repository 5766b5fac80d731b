"""What stays of an erasure."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from skylift.base.errors import Refused
from skylift.base.events import EventTypes, Who, to_payload
from skylift.base.instants import InstantUs
from skylift.service.erasure import CYCLE, ROOM, Ground, erased


@given(st.lists(st.sampled_from(Ground), min_size=1, max_size=5))
def test_replay_gives_how_often_and_why(grounds: list[Ground]) -> None:
    events = []
    for number, ground in enumerate(grounds):
        events += erased("acc_1", Who(InstantUs(number), "acc_2"), ground, ["place", "contact", "place"])
    thing = ROOM.replayed("acc_1", tuple(events))
    assert (thing.times, thing.last_at, thing.ground) == (len(grounds), len(grounds) - 1, grounds[-1])
    assert ROOM.from_plain(ROOM.to_plain(thing)) == thing
    columns = {"at": events[0].at, "by": "acc_2", "subject_id": "acc_1", "cause_id": None}
    assert EventTypes(ROOM.events).read("store.erased/1", columns, to_payload(events[0])) == events[0]
    assert events[0].fields == ("contact", "place")


def test_only_names_of_fields_are_kept() -> None:
    with pytest.raises(Refused) as told:
        erased("acc_1", Who(InstantUs(0), "acc_2"), Ground.ASKED, ["Ivan Petrenko"])
    assert "Ivan" not in str(told.value)


def test_every_state_can_come_about() -> None:
    assert CYCLE.reachable() == {state for state, _ in CYCLE.steps}
