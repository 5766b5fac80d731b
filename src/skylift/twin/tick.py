"""Tick: look and choose, slot by slot, for simulation and for the wall clock alike."""

from __future__ import annotations

from collections.abc import Iterator

from skylift.base.link import LinkTable
from skylift.twin.choose import Chooser
from skylift.twin.look import Observatory, Sky
from skylift.twin.world import World, asks_at, needs_of, working_at

# Slots looked at together: positions of 10,000 satellites then take about 20 MB.
SLOTS_PER_LOOK = 20


class Twin:
    """The world and its machinery in one process."""

    def __init__(self, world: World) -> None:
        self.world = world
        self._observatory = Observatory(world)
        self._chooser = Chooser(world)
        self._needs = needs_of(world.terminals)

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
            for sky in self._observatory.look(every[i : i + SLOTS_PER_LOOK]):
                if sky.at_us == self.world.memory_start(sky.at_us):
                    memory = self._chooser.forget()
                asks = asks_at(self.world, sky.at_us, self._needs)
                working = working_at(self.world, sky.at_us)
                links, memory = self._chooser.choose(memory, sky, asks, working)
                if sky.at_us >= wanted[0]:
                    yield sky, links
