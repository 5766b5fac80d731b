"""The process that tells a run of many terminals what their links do, slot by slot."""

from __future__ import annotations

import os
import signal
import time
from multiprocessing.connection import Connection
from typing import Any

from skylift.adapters.packet_sky import AHEAD_S, Failure, LinkSlot, row_of, slot_of
from skylift.base.errors import Refused, SkyliftError

# So many terminals are told at once, so that reading them holds no packet up for long.
AT_ONCE = 50

Told = list[tuple[int, LinkSlot]]
"""(number of the terminal, its slot)."""


def net_sky_main(pipe: Connection, sources: Any, wanted: tuple[str, ...], at_us: int) -> None:
    """The life of the process: the terminals' ids, then their slots at the pace of the wall.

    wanted  ids; () for all that there are
    """
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    # Packets come first.
    os.nice(5)
    try:
        _tell(pipe, sources, wanted, at_us)
    except SkyliftError as error:
        pipe.send(Failure(error.as_dict()["error"], isinstance(error, Refused)))
    except (BrokenPipeError, EOFError, ConnectionResetError):
        os._exit(0)


def _tell(pipe: Connection, sources: Any, wanted: tuple[str, ...], at_us: int) -> None:
    from skylift.adapters.scenario_files import load_world
    from skylift.base.units import US_PER_DAY
    from skylift.twin.tick import Twin
    from skylift.twin.world import FOREVER_US

    world = load_world(sources, at_us // US_PER_DAY * US_PER_DAY).world
    ids = [str(one.id) for one in world.terminals]
    rows = [row_of(world, id) for id in dict.fromkeys(wanted)] or list(range(len(ids)))
    pipe.send([ids[row] for row in rows])
    began_s = None
    for _, links in Twin(world).links(world.slots.start(at_us), FOREVER_US):
        for first in range(0, len(rows), AT_ONCE):
            told: Told = [
                (first + place, slot_of(world, links, row))
                for place, row in enumerate(rows[first : first + AT_ONCE])
            ]
            pipe.send(told)
        began_s = time.monotonic() if began_s is None else began_s
        ahead_s = (links.at_us - at_us) / 1e6 - (time.monotonic() - began_s)
        if ahead_s > AHEAD_S:
            time.sleep(ahead_s - AHEAD_S)
