"""What can be asked of a dish, with what it needs to be told, and how what it ends comes back."""

from __future__ import annotations

import enum
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from skylift.base.errors import Refused

MINUTES_A_DAY: Final = 1_440


class CommandKind(enum.Enum):
    """Names as the agent knows them (wire/agent/orders.Kind; a test holds both together)."""

    REBOOT = "reboot"
    STOW = "stow"
    UNSTOW = "unstow"
    SLEEP_SCHEDULE = "sleep-schedule"
    GPS_INHIBIT = "gps-inhibit"
    GPS_ALLOW = "gps-allow"
    RF_INHIBIT = "rf-inhibit"
    RF_ALLOW = "rf-allow"
    WIFI_OFF = "wifi-off"
    OBSTRUCTION_RESET = "obstruction-reset"


_K = CommandKind
# What takes a link away from those who use it: only with their owner's recorded consent.
OFF: Final = frozenset({_K.STOW, _K.RF_INHIBIT, _K.SLEEP_SCHEDULE, _K.WIFI_OFF})
# What ends transmitting, and what begins it. Until the dish itself says that it is so:
RADIO_OFF: Final = frozenset({_K.STOW, _K.RF_INHIBIT})
RADIO_ON: Final = frozenset({_K.UNSTOW, _K.RF_ALLOW})
MAY_TRANSMIT: Final = "it may still transmit: pull the power"

_BY_HAND: Final = "unless its owner chose otherwise in the agent's own list, nothing switches it on by itself"
RETURNS: Final[Mapping[CommandKind, str]] = {
    _K.REBOOT: "it comes back by itself within some minutes",
    _K.STOW: f"it comes back by unstow, or by hand beside it; {_BY_HAND}",
    _K.UNSTOW: "it transmits from then on",
    _K.SLEEP_SCHEDULE: "it comes back by itself at the end of each sleep, or by on=false",
    _K.GPS_INHIBIT: "GPS comes back by gps-allow",
    _K.GPS_ALLOW: "it uses GPS from then on",
    _K.RF_INHIBIT: f"it comes back by rf-allow, where that can still reach it, or by hand; {_BY_HAND}",
    _K.RF_ALLOW: "it transmits from then on",
    _K.WIFI_OFF: "it comes back by hand, at the router",
    _K.OBSTRUCTION_RESET: "the map fills again within hours",
}


@dataclass(frozen=True, slots=True)
class Told:
    """What a schedule needs to be told; nothing else does. start_minutes: UTC, past midnight."""

    on: bool | None = None
    start_minutes: int | None = None
    duration_minutes: int | None = None

    def arguments(self) -> dict[str, int | bool]:
        """What is given of it."""
        given = {
            "on": self.on,
            "start_minutes": self.start_minutes,
            "duration_minutes": self.duration_minutes,
        }
        return {name: value for name, value in given.items() if value is not None}


def checked(kind: CommandKind, told: Told) -> dict[str, int | bool]:
    """The command's arguments. Raises Refused for what it lacks, and for what it has no use for."""
    given = told.arguments()
    if kind is not CommandKind.SLEEP_SCHEDULE:
        if given:
            raise Refused("command.argument", kind.value, "it needs to be told nothing", "leave that out")
        return {}
    if told.on is None or (told.on and (told.start_minutes is None or told.duration_minutes is None)):
        raise Refused(
            "command.argument",
            kind.value,
            "it is told whether it is on, and then when it begins and how long it lasts",
            "give on=true start_minutes=... duration_minutes=..., or on=false",
        )
    start = 0 if told.start_minutes is None else told.start_minutes
    lasts = 1 if told.duration_minutes is None else told.duration_minutes
    if not (0 <= start < MINUTES_A_DAY and 1 <= lasts <= MINUTES_A_DAY):
        raise Refused(
            "command.argument",
            kind.value,
            "it begins at minute 0 to 1439 of the day, UTC, and lasts 1 to 1440 minutes",
            "correct it",
        )
    return given
