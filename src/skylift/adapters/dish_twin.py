"""What emulated dishes learn of a scenario's sky, and what the sky learns of them."""

from __future__ import annotations

import dataclasses
import threading
from collections.abc import Callable, Sequence

from skylift.adapters.clock import AnyClock
from skylift.adapters.dish_grpc import Served
from skylift.adapters.dish_view import boresight_of, slot_view
from skylift.base.link import WhyDown
from skylift.base.units import US_PER_S
from skylift.sky.coverage.sites import Sites
from skylift.twin.tick import ScenarioAsking, Twin
from skylift.twin.world import FOREVER_US, Asks, World
from skylift.wire.dish.conditions import Conditions, Happening
from skylift.wire.dish.dish import Dish, Identity
from skylift.wire.dish.history import SECONDS
from skylift.wire.dish.power import power_of

# A slot is worked out this long before it begins: what a dish does until then still counts.
LEAD_US = 3 * US_PER_S


class DishesAsking:
    """A scenario's terminals; the dishes that are off ask for nothing."""

    def __init__(self, world: World, dishes: dict[int, Served]) -> None:
        self._scenario = ScenarioAsking(world)
        self._dishes = dishes

    def at(self, at_us: int) -> tuple[World, Asks]:
        world, asks = self._scenario.at(at_us)
        barred = asks.barred.copy()
        for row, served in self._dishes.items():
            with served.lock:
                if barred[row] == WhyDown.UP and served.dish.off_at(at_us) is not None:
                    barred[row] = WhyDown.TERMINAL_OFF
        return world, dataclasses.replace(asks, barred=barred)


def emulated(
    world: World, rows: Sequence[int], now_us: int, happenings: Sequence[Happening] = ()
) -> dict[int, Served]:
    """A dish for each of these terminals, on long enough to have a full history; happenings befall all."""
    sites = world.terminal_sites()
    on_since_us = world.slots.start(now_us) - SECONDS * US_PER_S
    return {
        row: Served(
            Dish(_identity(world, sites, row), on_since_us, conditions=Conditions(happenings)),
            threading.Lock(),
        )
        for row in rows
    }


def _identity(world: World, sites: Sites, row: int) -> Identity:
    terminal = world.terminals[row]
    return Identity(
        f"ut-emulated-{terminal.id}",
        terminal.place,
        boresight_of(sites, row),
        power=power_of(terminal.antenna.name),
        obstructed_fraction=terminal.need.obstructed_fraction,
    )


class DishFeed:
    """Runs a scenario's sky at a clock's pace and tells each dish its slots."""

    def __init__(self, world: World, dishes: dict[int, Served], clock: AnyClock) -> None:
        self._world = world
        self._sites = world.terminal_sites()
        self._dishes = dishes
        self._clock = clock
        self._twin = Twin(world, DishesAsking(world, dishes))
        self._stopping = threading.Event()

    def run(self, ready: Callable[[], None]) -> None:
        """The last quarter of an hour at once, then slot by slot until stopped.

        ready  called when the dishes know the slot under way, and with each slot after it
        """
        length_us = self._world.slots.length_us
        lead_us = min(length_us, LEAD_US * max(1.0, self._clock.speed))
        current_us = self._world.slots.start(self._clock.now())
        for sky, links in self._twin.links(current_us - SECONDS * US_PER_S, FOREVER_US):
            for row, served in self._dishes.items():
                view = slot_view(self._world, self._sites, sky, links, row)
                with served.lock:
                    served.dish.advance(min(self._clock.now(), view.at_us))
                    served.dish.tell(view)
            if links.at_us >= current_us:
                ready()
            self._sleep_until(int(links.at_us + length_us - lead_us))
            if self._stopping.is_set():
                return

    def stop(self) -> None:
        """End at the next slot, or sooner."""
        self._stopping.set()

    def _sleep_until(self, at_us: int) -> None:
        while not self._stopping.is_set() and (left_us := at_us - self._clock.now()) > 0:
            self._stopping.wait(min(0.5, left_us / US_PER_S / self._clock.speed))
