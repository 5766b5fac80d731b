"""The process that tells a packet run what its link does, slot by slot."""

from __future__ import annotations

import math
import os
import time
from dataclasses import dataclass, replace
from multiprocessing.connection import Connection
from typing import Any

from skylift.base.errors import Refused, SkyliftError
from skylift.base.instants import InstantUs, format_instant
from skylift.wire.packet.trace import Piece

# Slots are told this far ahead of the moment they begin.
AHEAD_S = 20.0


@dataclass(frozen=True, slots=True)
class LinkSlot:
    """One terminal's slot; delays one way in microseconds, at its start and end."""

    at_us: int
    length_us: int
    why_down: str
    up_us: tuple[float, float] = (math.nan, math.nan)
    down_us: tuple[float, float] = (math.nan, math.nan)
    up_bps: float = math.nan
    down_bps: float = math.nan
    loss_fraction: float = math.nan
    satellite: int = -1
    satellites: int = 0
    gateway: str = ""
    pop: str = ""
    handover: bool = False
    # What was recorded in all detail, where something was: times since the run began.
    rtt_set_ms: float = math.nan
    loss_set: float = math.nan
    pieces: tuple[tuple[Piece, ...], ...] = ()
    opportunities_ns: tuple[tuple[int, ...], ...] = ()
    # What to tell whoever runs it.
    notes: tuple[str, ...] = ()

    @property
    def up(self) -> bool:
        return self.why_down == ""


@dataclass(frozen=True, slots=True)
class Failure:
    """Why there will be no slots."""

    error: dict[str, str]
    refused: bool


def sky_main(pipe: Connection, sources: Any, terminal: str, at_us: int) -> None:
    """The life of the process: slots from the one that holds `at_us` on, then at the pace of the wall."""
    if hasattr(os, "nice"):
        # Packets come first.
        os.nice(5)
    try:
        _tell(pipe, sources, terminal, at_us)
    except SkyliftError as error:
        pipe.send(Failure(error.as_dict()["error"], isinstance(error, Refused)))
    except (BrokenPipeError, EOFError, ConnectionResetError):
        os._exit(0)


def _tell(pipe: Connection, sources: Any, terminal: str, at_us: int) -> None:
    from skylift.twin.tick import Twin
    from skylift.twin.world import FOREVER_US

    world, notes = world_at(sources, at_us)
    row = row_of(world, terminal)
    first_us = world.slots.start(at_us)
    began_s = None
    for _, links in Twin(world).links(first_us, FOREVER_US):
        pipe.send(replace(slot_of(world, links, row), notes=notes))
        notes = ()
        if began_s is None:
            # The run begins when its first slot is told.
            began_s = time.monotonic()
        ahead_s = (links.at_us - at_us) / 1e6 - (time.monotonic() - began_s)
        if ahead_s > AHEAD_S:
            time.sleep(ahead_s - AHEAD_S)


def world_at(sources: Any, at_us: int) -> tuple[Any, tuple[str, ...]]:
    """The world of an instant's day, and what to tell whoever runs it."""
    from skylift.adapters.scenario_files import load_world
    from skylift.base.units import US_PER_DAY

    today_us = at_us // US_PER_DAY * US_PER_DAY
    loaded = load_world(sources, today_us)
    scenario, notes = loaded.scenario, loaded.warnings
    if scenario.start_us != today_us and not scenario.start_us <= at_us < scenario.end_us:
        notes += (outside_its_time(scenario.start_us, scenario.end_us),)
    return loaded.world, notes


def outside_its_time(start_us: int, end_us: int) -> str:
    first, last = (format_instant(InstantUs(one_us)) for one_us in (start_us, end_us))
    return f"this is outside the scenario's own time ({first} to {last}): --at {first} begins there"


def row_of(world: Any, terminal: str) -> int:
    import difflib

    ids = [str(one.id) for one in world.terminals]
    if terminal in ids:
        return ids.index(terminal)
    near = difflib.get_close_matches(terminal, ids, n=3, cutoff=0.5) or ids[:3]
    raise Refused(
        "packets.terminal",
        f"terminal {terminal[:40]!r}",
        "the scenario has none of this id",
        f"it has, for example, {', '.join(near)}",
    )


def slot_of(world: Any, links: Any, row: int) -> LinkSlot:
    from skylift.base.link import WhyDown

    why = WhyDown(int(links.why_down[row]))
    if why != WhyDown.UP:
        return LinkSlot(links.at_us, world.slots.length_us, why.label)
    return LinkSlot(
        links.at_us,
        world.slots.length_us,
        "",
        up_us=(float(links.delay_up_us[row]), float(links.delay_up_end_us[row])),
        down_us=(float(links.delay_down_us[row]), float(links.delay_down_end_us[row])),
        up_bps=float(links.up_bps[row]),
        down_bps=float(links.down_bps[row]),
        loss_fraction=float(links.loss_fraction[row]),
        satellite=int(world.catalogue.norad[int(links.satellite[row])]),
        satellites=len(links.path_of(row)),
        gateway=str(world.ground.gateways[int(links.gateway[row])].id),
        pop=str(world.ground.pops[int(links.pop[row])].id),
        handover=bool(links.handover[row]),
    )
