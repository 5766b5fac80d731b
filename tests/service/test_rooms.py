"""The list of rooms: a room that is not in it would be neither stored nor audited."""

from __future__ import annotations

import importlib
import pkgutil
from collections.abc import Iterator
from typing import Any

import pytest

from skylift import service
from skylift.base.errors import Refused
from skylift.base.life_cycle import LifeCycle, verb
from skylift.base.things import Room
from skylift.service.rooms import ROOMS


def test_every_room_is_listed_once_and_shares_no_event() -> None:
    found = {}
    for module in pkgutil.walk_packages(service.__path__, f"{service.__name__}."):
        for value in vars(importlib.import_module(module.name)).values():
            if isinstance(value, Room):
                found[value.kind] = value
    missing = sorted(set(found) - {room.kind for room in ROOMS})
    assert not missing, f"add these to src/skylift/service/rooms.py: {missing}"
    assert len({room.kind for room in ROOMS}) == len(ROOMS)
    names = [event.NAME for room in ROOMS for event in room.events]
    assert len(set(names)) == len(names)


def _cycles() -> Iterator[LifeCycle[Any]]:
    found: dict[int, LifeCycle[Any]] = {}
    for module in pkgutil.walk_packages(service.__path__, f"{service.__name__}."):
        for value in vars(importlib.import_module(module.name)).values():
            if isinstance(value, LifeCycle):
                found[id(value)] = value
    return iter(found.values())


@pytest.mark.parametrize("cycle", list(_cycles()), ids=lambda cycle: cycle.thing)
def test_every_hole_of_every_table_is_refused_with_what_is_possible(cycle: LifeCycle[Any]) -> None:
    """A table that is made later is walked without a test of its own."""
    assert cycle.reachable() == set(type(cycle.begins))
    for state in type(cycle.begins):
        possible = {verb(event) for at, event in cycle.steps if at is state}
        for event in cycle.events():
            if (state, event) in cycle.steps:
                assert cycle.after("x_1", state, event) is cycle.steps[state, event]
                continue
            with pytest.raises(Refused) as refusal:
                cycle.after("x_1", state, event)
            assert refusal.value.code == f"{cycle.thing}.wrong-state"
            said = refusal.value.way_out.removeprefix("from here it can be ").split(" or ")
            assert set(said) == (possible or {"nothing follows this state; begin a new one"})
