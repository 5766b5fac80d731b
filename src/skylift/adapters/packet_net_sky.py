"""The process that tells a run of many terminals what their links do, slot by slot."""

from __future__ import annotations

import os
import time
from collections.abc import Sequence
from dataclasses import replace
from multiprocessing.connection import Connection
from typing import Any

from skylift.adapters.packet_sky import AHEAD_S, Failure, LinkSlot, row_of, slot_of, world_at
from skylift.base.errors import Refused, SkyliftError

# A note names so many terminals, and counts the others.
_NAMED = 5
# So many terminals are told at once, so that reading them holds no packet up for long.
AT_ONCE = 50

Told = list[tuple[int, LinkSlot]]
"""(number of the terminal, its slot)."""


def net_sky_main(pipe: Connection, sources: Any, wanted: tuple[str, ...], at_us: int) -> None:
    """The life of the process: the terminals' ids, then their slots at the pace of the wall.

    wanted  ids; () for all that there are
    """
    # Packets come first.
    os.nice(5)
    try:
        _tell(pipe, sources, wanted, at_us)
    except SkyliftError as error:
        pipe.send(Failure(error.as_dict()["error"], isinstance(error, Refused)))
    except (BrokenPipeError, EOFError, ConnectionResetError):
        os._exit(0)


def _tell(pipe: Connection, sources: Any, wanted: tuple[str, ...], at_us: int) -> None:
    from skylift.twin.tick import Twin
    from skylift.twin.world import FOREVER_US

    world, notes = world_at(sources, at_us)
    ids = [str(one.id) for one in world.terminals]
    rows = [row_of(world, id) for id in dict.fromkeys(wanted)] or list(range(len(ids)))
    pipe.send([ids[row] for row in rows])
    began_s = None
    for _, links in Twin(world).links(world.slots.start(at_us), FOREVER_US):
        for first in range(0, len(rows), AT_ONCE):
            told: Told = [
                (first + place, replace(slot_of(world, links, row), notes=notes))
                for place, row in enumerate(rows[first : first + AT_ONCE])
            ]
            pipe.send(told)
        notes = ()
        began_s = time.monotonic() if began_s is None else began_s
        ahead_s = (links.at_us - at_us) / 1e6 - (time.monotonic() - began_s)
        if ahead_s > AHEAD_S:
            time.sleep(ahead_s - AHEAD_S)


def notes_of(ids: Sequence[str], first: Told) -> list[str]:
    """What whoever runs it should read of all terminals' first slots, each thing once."""
    notes = list(dict.fromkeys(note for _, slot in first for note in slot.notes))
    down: dict[str, list[str]] = {}
    for number, slot in first:
        if not slot.up:
            down.setdefault(slot.why_down.replace("_", " "), []).append(ids[number])
    for why, those in down.items():
        named = ", ".join(those[:_NAMED])
        more = f" and {len(those) - _NAMED} more" if len(those) > _NAMED else ""
        notes.append(f"{named}{more} {'begin' if those[1:] else 'begins'} without a link: {why}")
    return notes
