"""Tick: look and choose, slot by slot, for simulation and for the wall clock alike."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Protocol

from skylift.base.link import LinkTable
from skylift.twin.choose import Chooser
from skylift.twin.look import Observatory, Sky
from skylift.twin.world import Asks, World, asks_at, needs_of, working_at

# Slots looked at together: positions of 10,000 satellites then take about 20 MB.
SLOTS_PER_LOOK = 20


class Asking(Protocol):
    """Who is there in a slot, and who may be served."""

    def at(self, at_us: int) -> tuple[World, Asks]:
        """Asked once for each slot, in turn. Another world than before has other terminals, all else is the
        same.
        """
        ...


class ScenarioAsking:
    """The same terminals always; who may be served, the scenario's timeline says."""

    def __init__(self, world: World) -> None:
        self._world = world
        self._needs = needs_of(world.terminals)

    def at(self, at_us: int) -> tuple[World, Asks]:
        return self._world, asks_at(self._world, at_us, self._needs)


class Twin:
    """The world and its machinery in one process."""

    def __init__(self, world: World, asking: Asking | None = None) -> None:
        self.world = world
        self._asking = asking or ScenarioAsking(world)
        self._observatory = Observatory(world)
        self._chooser = Chooser(world)

    def links(self, start_us: int, end_us: int) -> Iterator[tuple[Sky, LinkTable]]:
        """All slots that begin in [start, end), with their links.

        The slots since the beginning of the memory window are worked through first and not given out, so
        that a slot's links are the same whatever instant a run began at.
        """
        wanted = self.world.slots.starts(start_us, end_us)
        if not wanted:
            return
        memory = self._chooser.forget()
        every = self.world.slots.starts(self.world.memory_start(wanted[0]), end_us)
        for i in range(0, len(every), SLOTS_PER_LOOK):
            looked = every[i : i + SLOTS_PER_LOOK]
            skies = self._observatory.look(looked)
            for at_us in looked:
                world, asks = self._asking.at(at_us)
                if world is not self.world:
                    self._observatory.renew(world)
                    self._chooser, memory = self._chooser.renewed(world, memory)
                    self.world = world
                if at_us == world.memory_start(at_us):
                    memory = self._chooser.forget()
                sky = next(skies)
                links, memory = self._chooser.choose(memory, sky, asks, working_at(world, at_us))
                if at_us >= wanted[0]:
                    yield sky, links
