"""Emulated dishes of a running service: they live by its clock, and its sky knows when they are off."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

import h3
import msgspec

from skylift.adapters.dish_grpc import Served
from skylift.base.errors import Refused, SkyliftError, Unavailable
from skylift.base.geodesy import Place
from skylift.base.units import US_PER_S
from skylift.wire.dish.conditions import Conditions, Happening
from skylift.wire.dish.dish import Dish, Identity
from skylift.wire.dish.history import SECONDS
from skylift.wire.dish.power import power_of
from skylift.wire.dish.told import ToldSlot, view_of

# How often the service is asked, in seconds of its clock, and in ours at the least and the most.
ASK_EVERY_S = 1.0
_SOONEST_S, _LATEST_S = 0.05, 1.0
# A service that does not answer is asked again after this long.
_PAUSE_S = 2.0
# A service that has just begun computes its first slot: seconds here, a minute on a small machine.
_READY_WITHIN_S = 120.0
# Until the sky has computed a slot with the dishes in it, and some more.
_SLOTS_OF_PATIENCE = 4
# Half the longest way across an H3 cell of resolution 5: its edge is 9.9 km (https://h3geo.org/docs/core-library/restable).
_SIGMA_M = 9_900.0

# Asks the service's door of emulated dishes: body -> document.
Ask = Callable[[dict[str, Any]], Mapping[str, Any]]


T = TypeVar("T")


def once_ready(ask: Callable[[], T]) -> T:
    """What it gives, once the service's first slot is there. Raises as it does for anything else."""
    until_s = time.monotonic() + _READY_WITHIN_S
    while True:
        try:
            return ask()
        except SkyliftError as error:
            if error.code != "service.not_ready" or time.monotonic() > until_s:
                raise
        time.sleep(_PAUSE_S)


@dataclass(frozen=True, slots=True)
class _Slot:
    at_us: int
    dishes: dict[str, ToldSlot]


@dataclass(frozen=True, slots=True)
class _Told:
    now_us: int
    speed: float
    paused: bool
    slot_length_us: int
    slots: list[_Slot]


class ServersClock:
    """The service's clock, as it was told last and as it goes on since. It never goes back."""

    def __init__(self, seconds: Callable[[], float] = time.monotonic) -> None:
        self._seconds = seconds
        self._told_us, self._told_s, self.speed, self.paused = 0, 0.0, 1.0, True
        self._shown_us = 0
        self._lock = threading.Lock()

    def follow(self, now_us: int, speed: float, paused: bool, at_s: float) -> None:
        """It showed `now_us` when our own seconds showed `at_s`."""
        with self._lock:
            self._told_us, self._told_s, self.speed, self.paused = now_us, at_s, speed, paused

    def now(self) -> int:
        with self._lock:
            since_s = 0.0 if self.paused else self._seconds() - self._told_s
            self._shown_us = max(self._shown_us, self._told_us + int(since_s * self.speed * US_PER_S))
            return self._shown_us

    def set_back(self) -> None:
        """Show what it is told from now on, though it be earlier."""
        with self._lock:
            self._shown_us = 0


class LiveDishes:
    """Dishes of some terminals of a running service."""

    def __init__(self, ask: Ask, terminals: Sequence[str], happenings: Sequence[Happening] = ()) -> None:
        self.clock = ServersClock()
        self.dishes: dict[str, Served] = {}
        self._ask = ask
        self._terminals = tuple(terminals)
        self._conditions = Conditions(happenings)
        self._after_us = 0
        self._slot_length_us = 15 * US_PER_S
        self._stopping = threading.Event()

    def find(self) -> None:
        """Wait until the sky has told who they are; then `dishes` holds all of them, with their past.

        Raises Refused for terminals that the service does not have, and Unavailable where no slot comes.
        """
        told = self._told()
        slots = list(told.slots)
        patience_s = _SLOTS_OF_PATIENCE * told.slot_length_us / US_PER_S / told.speed + _PAUSE_S
        until_s = time.monotonic() + patience_s
        while not all(self._seen(slots, id) for id in self._terminals):
            if time.monotonic() > until_s or self._stopping.wait(self._period_s()):
                raise Unavailable(
                    "dish.no_slot",
                    "the service's sky",
                    "it computes no slot for these terminals",
                    "look at /readyz and at its clock, which may stand still",
                )
            slots += self._told().slots
        for id in self._terminals:
            seen = self._seen(slots, id)
            assert seen is not None
            self.dishes[id] = Served(self._dish(id, seen), threading.Lock())
        self._hand_on(slots)

    def run(self, lost: Callable[[SkyliftError | None], None]) -> None:
        """Tell the dishes their slots, and the service how they are, until stopped.

        lost  told of the first error where the service is silent, and of None when it is there again
        """
        silent = False
        while not self._stopping.is_set():
            try:
                self._hand_on(self._told().slots)
            except SkyliftError as error:
                # The dishes know no slots now, and say so; they stay.
                if not silent:
                    lost(error)
                silent = True
                self._stopping.wait(_PAUSE_S)
                continue
            if silent:
                lost(None)
            silent = False
            self._stopping.wait(self._period_s())

    def stop(self) -> None:
        self._stopping.set()

    def _told(self) -> _Told:
        body = {"dishes": {id: self._off(id) for id in self._terminals}, "after": self._after_us}
        before_s = time.monotonic()
        try:
            told = msgspec.convert(self._ask(body), _Told)
        except msgspec.ValidationError:
            raise Refused(
                "server.strange",
                "the service",
                "it answers what we do not know",
                "let both be of one version",
            ) from None
        # Half way between: what the answer takes is a few milliseconds.
        self.clock.follow(told.now_us, told.speed, told.paused, (before_s + time.monotonic()) / 2)
        self._slot_length_us = told.slot_length_us
        if told.slots:
            self._after_us = told.slots[-1].at_us
        elif told.now_us < self._after_us - _SLOTS_OF_PATIENCE * told.slot_length_us:
            # Another service, with an earlier clock, is there now.
            self._begin_anew(told.now_us)
        return told

    def _begin_anew(self, now_us: int) -> None:
        self._after_us = 0
        self.clock.set_back()
        for served in self.dishes.values():
            with served.lock:
                served.dish.begin_anew(now_us)

    def _off(self, id: str) -> str:
        """Why a dish will be off the air when the next slot begins."""
        served = self.dishes.get(id)
        if served is None:
            return ""
        with served.lock:
            off = served.dish.off_at(self._next_slot_us(served.dish))
        return "" if off is None else off.name.lower()

    def _next_slot_us(self, dish: Dish) -> int:
        now_us = self.clock.now()
        view = dish.slot_at(now_us)
        return now_us if view is None else view.end_us

    def _seen(self, slots: Sequence[_Slot], id: str) -> ToldSlot | None:
        return next(
            (
                one.dishes[id]
                for one in reversed(slots)
                if id in one.dishes and one.dishes[id].cell is not None
            ),
            None,
        )

    def _dish(self, id: str, seen: ToldSlot) -> Dish:
        assert seen.cell is not None
        assert seen.boresight is not None
        identity = Identity(
            f"ut-emulated-{id}",
            Place(*h3.cell_to_latlng(seen.cell)),
            seen.boresight,
            power=power_of(seen.antenna or ""),
            # Exact places do not leave the service.
            sigma_m=_SIGMA_M,
        )
        now_us = self.clock.now()
        # A whole number of slots ago, and long enough for a full history.
        slots = -(-(seen.at_us - now_us + SECONDS * US_PER_S) // self._slot_length_us)
        since_us = seen.at_us - slots * self._slot_length_us
        return Dish(identity, since_us, conditions=self._conditions)

    def _hand_on(self, slots: Sequence[_Slot]) -> None:
        now_us = self.clock.now()
        for slot in slots:
            for id, told in slot.dishes.items():
                served = self.dishes.get(id)
                if served is not None:
                    with served.lock:
                        served.dish.advance(min(now_us, told.at_us))
                        served.dish.tell(view_of(told))
        for served in self.dishes.values():
            with served.lock:
                served.dish.advance(now_us)

    def _period_s(self) -> float:
        return min(max(ASK_EVERY_S / self.clock.speed, _SOONEST_S), _LATEST_S)
