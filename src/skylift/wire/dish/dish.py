"""An emulated dish: told what the network did, told the time, it knows what a dish would know."""

from __future__ import annotations

import math
from collections import deque
from dataclasses import dataclass, field, replace

import numpy as np

from skylift.base.geodesy import Place
from skylift.wire.dish.conditions import Conditions, Kind
from skylift.wire.dish.history import US_PER_S, History
from skylift.wire.dish.obstruction import BLOCKED, CLEAR, ObstructionMap
from skylift.wire.dish.power import USUAL, Power
from skylift.wire.dish.update import Update
from skylift.wire.dish.view import CAUSES, Cause, SlotView

MINUTES_A_DAY = 1_440
_US_PER_MINUTE = 60 * US_PER_S
# Assumed: from power-on to the first search, and the search itself. Real dishes take one to several minutes.
BOOT_US = 60 * US_PER_S
SEARCH_US = 15 * US_PER_S
# Slots that are kept to answer from: the twin tells one or two ahead, and the past is in the history.
_SLOTS_KEPT = 8


@dataclass(frozen=True, slots=True)
class Identity:
    """Who a dish says it is, and how it stands.

    boresight  azimuth and elevation of its axis, radians
    power      what its model draws
    place      handed out by get_location and get_diagnostics alone, and only where the owner allows it
    sigma_m    how far from there it may stand
    obstructed_fraction  share of the time in which something before it breaks the signal, where that is known
    """

    id: str
    place: Place
    boresight: tuple[float, float] = (0.0, math.pi / 2)
    hardware_version: str = "emulated1"
    software_version: str = "skylift.emulated"
    country_code: str = ""
    power: Power = USUAL
    sigma_m: float = 5.0
    obstructed_fraction: float = 0.0


@dataclass(frozen=True, slots=True)
class Config:
    """What its owner has set; minutes are UTC, past midnight."""

    snow_melt_mode: int = 0
    location_local: bool = False
    level_dish_mode: int = 0
    sleep_start_minutes: int = 0
    sleep_duration_minutes: int = 1
    sleeps: bool = False
    three_day_deferral: bool = False
    asset_class: int = 0
    reboot_hour: int = 0


@dataclass(slots=True)
class Dish:
    """One emulated dish. Times are UTC microseconds; they never go back."""

    identity: Identity
    booted_us: int
    config: Config = field(default_factory=Config)
    conditions: Conditions = field(default_factory=Conditions)
    stowed: bool = False
    radio_inhibited: bool = False
    gps_inhibited: bool = False
    boots: int = 1
    # A dish that was on long before we looked is not booting.
    warm: bool = True
    # What it says of its map after the owner had it cleared.
    map_was_reset: bool = False
    software_version: str = field(init=False)
    partitions_equal: bool = True
    history: History = field(init=False)
    map: ObstructionMap = field(default_factory=ObstructionMap)
    update: Update = field(default_factory=Update)
    _slots: deque[SlotView] = field(default_factory=lambda: deque(maxlen=_SLOTS_KEPT))
    _traced_us: int = -1

    def __post_init__(self) -> None:
        self.history = History(self.booted_us)
        self.software_version = self.identity.software_version

    def tell(self, view: SlotView) -> None:
        """What the network does in a slot, at the latest as it begins; slots come in order."""
        if not self._slots or view.at_us > self._slots[-1].at_us:
            self._slots.append(view)

    def slot_at(self, at_us: int) -> SlotView | None:
        """What is known of the slot that holds an instant."""
        for view in reversed(self._slots):
            if view.at_us <= at_us:
                return view if at_us < view.end_us else None
        return None

    def off_at(self, at_us: int) -> Cause | None:
        """Why the dish itself is not on the air; None where it is. The twin asks this for its next slot."""
        if self.is_dead(at_us) or (not self.warm and at_us < self.booted_us + BOOT_US):
            return Cause.BOOTING
        if self.conditions.holds(Kind.HOT, at_us):
            return Cause.THERMAL_SHUTDOWN
        if self.radio_inhibited:
            return Cause.INHIBIT_RF
        if self.stowed:
            return Cause.STOWED
        if self._asleep(at_us):
            return Cause.SLEEPING
        return Cause.SKY_SEARCH if self._searches(at_us) else None

    def is_dead(self, at_us: int) -> bool:
        """It has no power: it answers nothing."""
        return self.conditions.holds(Kind.POWER_CUT, at_us)

    def _searches(self, at_us: int) -> bool:
        if not self.warm and at_us < self.booted_us + BOOT_US + SEARCH_US:
            return True
        return self.conditions.ended_within(Kind.HOT, at_us, SEARCH_US)

    def trouble_at(self, at_us: int) -> Cause | None:
        """Why there is no link at an instant; None where there is one."""
        return self._trouble(self.off_at(at_us), self.slot_at(at_us))

    def _trouble(self, off: Cause | None, view: SlotView | None) -> Cause | None:
        if off is not None:
            return off
        if view is None:
            return Cause.NO_PINGS
        return None if view.up else CAUSES[view.why_down]

    def next_link_us(self, at_us: int) -> int | None:
        """When the next link begins, as far as slots are known."""
        starts = (max(at_us, view.at_us) for view in self._slots if view.up and view.end_us > at_us)
        return next((start for start in starts if self.off_at(start) is None), None)

    def advance(self, now_us: int) -> None:
        """Write down every second that has ended by now, and restart where it had to meanwhile."""
        while True:
            restart_us = self._restart_us()
            upto_us = now_us if restart_us is None else min(now_us, restart_us)
            self._record(upto_us)
            restart_us = self._restart_us()
            if restart_us is not None and restart_us <= now_us:
                self.reboot(restart_us)
            elif upto_us == now_us:
                return

    def _restart_us(self) -> int | None:
        """When it next restarts without being told to, as far as that is known."""
        known = (self.conditions.power_back_us(self.booted_us), self.update.reboot_us)
        return min((one for one in known if one is not None and one > self.booted_us), default=None)

    def _record(self, now_us: int) -> None:
        seconds = (now_us - self.booted_us) // US_PER_S - self.history.count
        if seconds <= 0:
            return
        # What is older than the rings need not be reckoned out second by second.
        skipped = max(0, seconds - 900)
        self.history.count += skipped
        rows = np.empty((5, seconds - skipped), dtype=np.float32)
        for k in range(rows.shape[1]):
            rows[:, k] = self._second(self.history.second_us(self.history.count + k) - US_PER_S)
        self.history.append(rows)

    def reboot(self, at_us: int) -> None:
        """Begin anew; what is set stays set, and new software that was ready runs."""
        self.booted_us, self.warm, self.boots = at_us, False, self.boots + 1
        self.history = History(at_us)
        self.map.clear()
        self.map_was_reset = False
        new = self.update.rebooted()
        # The software before stays in the other partition until the next update.
        self.partitions_equal = self.partitions_equal and not new
        self.software_version = new or self.software_version

    def begin_anew(self, now_us: int) -> None:
        """Its clock was set back: what it remembers is of another time."""
        self._slots.clear()
        self._traced_us = -1
        self.reboot(now_us)
        self.warm = True

    def clear_map(self) -> None:
        """As the owner asks."""
        self.map.clear()
        self.map_was_reset = True

    def configure(self, **changes: object) -> None:
        """Set fields of the configuration."""
        self.config = replace(self.config, **changes)  # type: ignore[arg-type]

    def power_w(self, at_us: int) -> float:
        """Power draw: figures of its model, as the twin knows nothing of it."""
        return self._power_w(self.off_at(at_us), at_us)

    def _power_w(self, off: Cause | None, at_us: int) -> float:
        power = self.identity.power
        if self.is_dead(at_us):
            return 0.0
        if off in (Cause.SLEEPING, Cause.THERMAL_SHUTDOWN):
            return power.idle_w
        return power.on_w + (power.heating_w if self.heats(at_us) else 0.0)

    def heats(self, at_us: int) -> bool:
        """Snow melt runs: switched on for good, or by itself while there is snow."""
        mode = self.config.snow_melt_mode
        return mode == 1 or (mode == 0 and self.conditions.holds(Kind.SNOW, at_us))

    def _second(self, at_us: int) -> tuple[float, float, float, float, float]:
        """(drop, latency, down, up, power) of the second that begins at an instant."""
        off, view = self.off_at(at_us), self.slot_at(at_us)
        trouble = self._trouble(off, view)
        self.history.note(trouble, at_us, switched=view is not None and view.handover)
        power = self._power_w(off, at_us)
        self.update.second(
            self.conditions.offered(self.software_version, at_us),
            trouble is None,
            at_us,
            self.config.reboot_hour,
            self.config.three_day_deferral,
        )
        if off is None and view is not None:
            self._trace(view)
        if trouble is not None or view is None:
            return 1.0, -1.0, 0.0, 0.0, power
        return view.drop_fraction, view.rtt_ms(at_us), _rate(view.down_bps), _rate(view.up_bps), power

    def _trace(self, view: SlotView) -> None:
        if view.at_us > self._traced_us:
            self._traced_us = view.at_us
            self.map.trace(view.blocked, BLOCKED)
            self.map.trace(view.track, CLEAR)

    def _asleep(self, at_us: int) -> bool:
        if not self.config.sleeps:
            return False
        minute = at_us // _US_PER_MINUTE % MINUTES_A_DAY
        return (minute - self.config.sleep_start_minutes) % MINUTES_A_DAY < self.config.sleep_duration_minutes


def _rate(bps: float) -> float:
    return 0.0 if math.isnan(bps) else bps
