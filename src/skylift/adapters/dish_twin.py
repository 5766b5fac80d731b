"""What emulated dishes learn of a scenario's sky, and what the sky learns of them."""

from __future__ import annotations

import dataclasses
import math
import threading
from collections.abc import Callable, Sequence

import numpy as np
import numpy.typing as npt

from skylift.adapters.clock import AnyClock
from skylift.adapters.dish_grpc import Served
from skylift.base.link import LinkTable, WhyDown
from skylift.base.units import US_PER_S
from skylift.sky.coverage.sites import Sites
from skylift.twin.look import Sky
from skylift.twin.tick import ScenarioAsking, Twin
from skylift.twin.world import FOREVER_US, Asks, World
from skylift.wire.dish.dish import Dish, Identity
from skylift.wire.dish.history import SECONDS
from skylift.wire.dish.view import SlotView

Floats = npt.NDArray[np.float64]

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


def emulated(world: World, rows: Sequence[int], now_us: int) -> dict[int, Served]:
    """A dish for each of these terminals, on long enough to have a full history."""
    sites = world.terminal_sites()
    on_since_us = world.slots.start(now_us) - SECONDS * US_PER_S
    return {row: Served(_dish(world, sites, row, on_since_us), threading.Lock()) for row in rows}


def _dish(world: World, sites: Sites, row: int, on_since_us: int) -> Dish:
    terminal = world.terminals[row]
    boresight = _look_angles(sites, row, sites.boresight[:, row])
    return Dish(Identity(f"ut-emulated-{terminal.id}", terminal.place, boresight), on_since_us)


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


def slot_view(world: World, sites: Sites, sky: Sky, links: LinkTable, row: int) -> SlotView:
    """One terminal's slot, as its dish sees it."""
    why = WhyDown(int(links.why_down[row]))
    length_us = world.slots.length_us
    if why != WhyDown.UP:
        return SlotView(links.at_us, length_us, why)
    satellite = int(links.satellite[row])
    positions = (sky.position_start_m, sky.position_mid_m, sky.position_end_m)
    there = sites.position_ecef_m[:, row]
    return SlotView(
        links.at_us,
        length_us,
        why,
        rtt_start_ms=float(links.delay_up_us[row] + links.delay_down_us[row]) / 1_000,
        rtt_end_ms=float(links.delay_up_end_us[row] + links.delay_down_end_us[row]) / 1_000,
        down_bps=float(links.down_bps[row]),
        up_bps=float(links.up_bps[row]),
        loss_fraction=float(links.loss_fraction[row]),
        satellite=int(world.catalogue.norad[satellite]),
        track=tuple(_look_angles(sites, row, position[:, satellite] - there) for position in positions),
        handover=bool(links.handover[row]),
        gateway=str(world.ground.gateways[int(links.gateway[row])].id),
        pop=str(world.ground.pops[int(links.pop[row])].id),
    )


def _look_angles(sites: Sites, row: int, towards: Floats) -> tuple[float, float]:
    """(azimuth from north over east, elevation) of an Earth-fixed vector (3,) at a site, radians."""
    east, north, up = (float(axis[:, row] @ towards) for axis in (sites.east, sites.north, sites.up))
    return math.atan2(east, north) % (2 * math.pi), math.atan2(up, math.hypot(east, north))
