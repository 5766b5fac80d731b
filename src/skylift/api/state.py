"""What the server knows of the sky: the recent slots, which of them is under way, and whether all is well."""

from __future__ import annotations

import asyncio
from collections import deque
from typing import Any

from skylift.adapters.clock import PAUSED_NAP_S, AnyClock
from skylift.adapters.sky_messages import Failed, Hello, MapReady, SlotReport
from skylift.api.dish_leases import DishLeases
from skylift.api.office_slot import OfficeSlot, OfficeSlots
from skylift.base.errors import SkyliftError, Unavailable
from skylift.twin.permit import Reasons
from skylift.wire.dish.told import DishSeen

# An hour of slots, unless they are large: then as many as fit.
MOST_SLOTS = 240
MOST_BYTES = 32 * 1024 * 1024
# A slot of 100,000 terminals of the office takes about 12 MB.
MOST_OFFICE_BYTES = 64 * 1024 * 1024
# Positions are asked for now, not for an hour ago: they are the larger part.
SLOTS_WITH_POSITIONS = 3
# A slot under way that has not come by then means that the sky does not keep up.
SLOTS_OF_PATIENCE = 2

NO_HELLO = "the scenario and the catalogue are still being loaded"
NO_SLOT = "the first slot is still being computed"


class Kept:
    """One slot in the ring; its positions are dropped when it grows old."""

    __slots__ = ("at_us", "late", "links", "office", "report", "seen")

    def __init__(self, report: SlotReport, office: OfficeSlot | None) -> None:
        self.at_us = report.at_us
        self.late = report.late
        self.links = report.links
        self.report: SlotReport | None = report
        self.office = office
        self.seen: dict[str, DishSeen] = report.seen


class LiveState:
    """Lives in the event loop; other threads hand in by `loop.call_soon_threadsafe`.

    A slot is kept as soon as it has been computed, and becomes the present one when it begins.
    """

    def __init__(self, clock: AnyClock) -> None:
        self.clock = clock
        self.hello: Hello | None = None
        self.map: bytes | None = None
        self.closed = False
        self.fatal: Failed | None = None
        self.dishes = DishLeases()
        self._down: str | None = None
        self._kept: deque[Kept] = deque()
        self._offices = OfficeSlots()
        self._changed = asyncio.Event()

    # --- told by the sky process

    def take(self, message: Hello | SlotReport | MapReady | Failed) -> None:
        if isinstance(message, Hello):
            self.hello = message
        elif isinstance(message, MapReady):
            self.map = message.document
        elif isinstance(message, SlotReport):
            self._down = None
            self._keep(message)
            self._announce_at(message.at_us)
        elif self.hello is None and not self._kept:
            # Nothing was ever computed: to try again would fail again, so the service ends with this.
            self.fatal = message
            self.close()
        else:
            self._down = f"{message.error['thing']}: {message.error['rule']}"

    def sky_is_down(self, reason: str) -> None:
        self._down = reason

    def close(self) -> None:
        """End all streams."""
        self.closed = True
        self._announce()

    def clock_leapt(self) -> None:
        """The clock shows a later time all of a sudden: whatever has begun by now is told at once."""
        self._announce()

    def _keep(self, report: SlotReport) -> None:
        # Also of one that is not kept: what the next says leans on it.
        office = self._offices.take(report)
        # After a restart of the sky the slot under way comes again; it is the same, so the first one stays.
        if self._kept and report.at_us <= self._kept[-1].at_us:
            if report.at_us + MOST_SLOTS * self.slot_length_us > self._kept[-1].at_us:
                return
            self._kept.clear()
        self._kept.append(Kept(report, office))
        if len(self._kept) > SLOTS_WITH_POSITIONS:
            self._kept[-1 - SLOTS_WITH_POSITIONS].report = None
        size = 0
        for kept in reversed(self._kept):
            size += kept.office.size if kept.office else 0
            if size > MOST_OFFICE_BYTES and kept is not self._kept[-1]:
                kept.office = None
        size = sum(len(kept.links) for kept in self._kept)
        while len(self._kept) > MOST_SLOTS or (size > MOST_BYTES and len(self._kept) > 2):
            size -= len(self._kept.popleft().links)

    def _announce_at(self, at_us: int) -> None:
        wait_s = (at_us - self.clock.now()) / 1e6 / self.clock.speed
        if self.clock.paused:
            wait_s = max(wait_s, PAUSED_NAP_S)
        if wait_s <= 0:
            self._announce()
        else:
            # Asked again then: a timer may ring a moment early, and a wall clock may be set back.
            asyncio.get_running_loop().call_later(wait_s, self._announce_at, at_us)

    def _announce(self) -> None:
        self._changed.set()
        self._changed = asyncio.Event()

    # --- asked by the API

    def present(self) -> Kept | None:
        """The newest slot that has begun."""
        now = self.clock.now()
        return next((kept for kept in reversed(self._kept) if kept.at_us <= now), None)

    def slot_at(self, at_us: int) -> Kept | None:
        """The kept slot that `at_us` falls in; it may not have begun yet."""
        length_us = self.slot_length_us
        return next((kept for kept in self._kept if kept.at_us <= at_us < kept.at_us + length_us), None)

    def after(self, at_us: int) -> list[Kept]:
        """The kept slots later than `at_us` that have begun, oldest first."""
        now = self.clock.now()
        return [kept for kept in self._kept if at_us < kept.at_us <= now]

    def known_after(self, at_us: int) -> list[Kept]:
        """The kept slots later than `at_us`, oldest first, those that have not begun included."""
        return [kept for kept in self._kept if kept.at_us > at_us]

    def newest(self) -> Kept | None:
        """The newest slot that is known; it may not have begun yet."""
        return self._kept[-1] if self._kept else None

    @property
    def oldest_us(self) -> int | None:
        return self._kept[0].at_us if self._kept else None

    @property
    def newest_us(self) -> int | None:
        return self._kept[-1].at_us if self._kept else None

    @property
    def slot_length_us(self) -> int:
        return self.hello.slot_length_us if self.hello else 15_000_000

    def why_not_ready(self) -> str | None:
        """None when the links of the slot under way are known."""
        if self.closed:
            return "the service is stopping"
        if self._down is not None:
            return self._down
        if self.hello is None:
            return NO_HELLO
        present = self.present()
        if present is None:
            return NO_SLOT
        behind_us = self.clock.now() - present.at_us
        if behind_us > SLOTS_OF_PATIENCE * self.slot_length_us:
            return f"the newest slot began {behind_us / 1e6:.0f} s ago: the sky process does not keep up"
        return None

    def need_hello(self) -> Hello:
        if self.hello is None:
            raise not_ready(self.why_not_ready() or NO_HELLO)
        return self.hello

    def told(self, life: int, reasons: list[Reasons]) -> None:
        """The list in which the sky finds the reasons that it names by number, in one of its lives."""
        self._offices.told(life, reasons)

    async def changed(self, patience_s: float) -> bool:
        """Wait until a slot begins or the service closes; False when neither happened within `patience_s`."""
        try:
            async with asyncio.timeout(patience_s):
                await self._changed.wait()
        except TimeoutError:
            return False
        return True

    def about(self) -> dict[str, Any]:
        present = self.present()
        return {
            **self.need_hello().about,
            "clock": type(self.clock).__name__.removesuffix("Clock").lower(),
            "speed": self.clock.speed,
            "now_us": self.clock.now(),
            "oldest_slot_us": self.oldest_us,
            "present_slot_us": present.at_us if present else None,
            "ready": self.why_not_ready() is None,
        }


def not_ready(reason: str) -> SkyliftError:
    return Unavailable(
        "service.not_ready", "the service", f"not ready: {reason}", "ask again in a few seconds"
    )
