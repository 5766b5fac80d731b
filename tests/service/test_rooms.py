"""The list of rooms: a room that is not in it would be neither stored nor audited."""

from __future__ import annotations

import importlib
import pkgutil

from skylift import service
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
