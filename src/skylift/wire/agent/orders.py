"""Commands to a dish: what they are, and how the agent judges one before anything is done.

A command is signed by the service's key, numbered per terminal and expires; what it may do, the owner says
at the dish. All of it is remembered before anything is done, so that nothing is done twice, whoever sends it
again.
"""

from __future__ import annotations

import base64
import binascii
import enum
import re
from collections.abc import Callable, Mapping
from typing import Any, Final

import msgspec

from skylift.wire.dish.reading import DishStatus
from skylift.wire.telemetry.rows import SignedCommand

MOST_BYTES: Final = 8_192
KEPT: Final = 64
_ID = re.compile(r"cmd_[A-Za-z0-9_-]{1,60}", re.ASCII)
WIFI_OFF: Final = "wifi-off"
MAY_TRANSMIT: Final = "it may still transmit: pull the power"


class Kind(enum.Enum):
    """What can be asked of a dish. A dish's own word for it stands in `DO`."""

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


# What ends transmitting, and what may begin it.
RADIO_OFF: Final = frozenset({Kind.STOW, Kind.RF_INHIBIT})
RADIO_ON: Final = frozenset({Kind.UNSTOW, Kind.RF_ALLOW})
_OFF_STATES: Final = frozenset({"stowed", "sleeping"})

# (the dish's command, its arguments); a schedule brings its own.
DO: Final[Mapping[Kind, tuple[str, Mapping[str, Any]]]] = {
    Kind.REBOOT: ("reboot", {}),
    Kind.STOW: ("stow", {}),
    Kind.UNSTOW: ("unstow", {}),
    Kind.SLEEP_SCHEDULE: ("sleep-schedule", {}),
    Kind.GPS_INHIBIT: ("gps-inhibit", {"on": True}),
    Kind.GPS_ALLOW: ("gps-inhibit", {"on": False}),
    Kind.RF_INHIBIT: ("rf-inhibit", {"on": True}),
    Kind.RF_ALLOW: ("rf-inhibit", {"on": False}),
    Kind.OBSTRUCTION_RESET: ("obstruction-reset", {}),
    # The router's word, not the dish's.
    Kind.WIFI_OFF: (WIFI_OFF, {}),
}
# How long a dish may take until it says that it is so.
CONFIRM_WITHIN_S: Final[Mapping[Kind, float]] = {Kind.REBOOT: 900.0, Kind.STOW: 180.0, Kind.UNSTOW: 180.0}
USUAL_CONFIRM_S: Final = 60.0


class Command(msgspec.Struct, frozen=True):
    """One command's document. issued_at, expires_at: microseconds since 1970; returns: how it comes back."""

    id: str
    terminal: str
    sequence: int
    kind: str
    arguments: dict[str, Any]
    issued_at: int
    expires_at: int
    returns: str = ""


class Reply(msgspec.Struct, frozen=True):
    """What POST /api/v1/agent/replies takes. result: done, refused, failed or expired; code: why."""

    command: str
    result: str
    code: str = ""
    said: str = ""
    at_us: int = 0


class Permits(msgspec.Struct, frozen=True):
    """What the owner allows at the dish; nothing by default.

    radio_on_again_after_min  0: a radio that was switched off from afar stays off until somebody, allowed by
                              this list or standing beside it, switches it on
    reboot_while_off          whether a dish may be rebooted while its radio is off: that may switch it on
    """

    allow: frozenset[Kind] = frozenset()
    radio_on_again_after_min: int = 0
    reboot_while_off: bool = False


class Off(msgspec.Struct, frozen=True):
    """A radio that a command switched off. passed_s: how long it is off, counted while the agent runs."""

    kind: Kind
    passed_s: float = 0.0


class Docket(msgspec.Struct):
    """What the agent remembers of commands; kept on its disk before anything is done.

    highest  number of the last one that was rightly signed
    known    ids of the last KEPT
    todo     taken, in order, and not begun
    doing    begun; found after a restart, nobody knows whether it was done
    outbox   replies that the service has not taken yet
    latest_us  no instant before this one can be now: the service signed it
    """

    highest: int = 0
    known: list[str] = []
    todo: list[Command] = []
    doing: Command | None = None
    outbox: list[Reply] = []
    latest_us: int = 0
    off: Off | None = None

    def is_at(self, command_id: str) -> bool:
        """Whether it waits, is being done, or its reply has not been taken yet."""
        ids = {one.id for one in self.todo} | {one.command for one in self.outbox}
        return command_id in ids or (self.doing is not None and self.doing.id == command_id)

    def say(self, reply: Reply) -> None:
        """Put a reply into the outbox; the same one stands there once."""
        same = (reply.command, reply.result, reply.code)
        if any((one.command, one.result, one.code) == same for one in self.outbox):
            return
        # Forged ones must not push out what was done.
        if len(self.outbox) < KEPT or reply.result != "refused":
            self.outbox.append(reply)


def take(
    docket: Docket,
    signed: SignedCommand,
    terminal: str,
    is_signed: Callable[[bytes, bytes], bool],
    now: tuple[int, Permits],
) -> bool:
    """Judge one command and remember it; whether it is to be done. What is refused is replied to.

    is_signed  (document, signature) -> whether the service's key made it
    now        (the wall clock's microseconds, what the owner allows)
    """
    wall_us, permits = now
    command = _read(signed, is_signed)
    if command is None or command.terminal != terminal:
        docket.say(Reply(_shown_id(command), "refused", "forged", "not signed by our service", wall_us))
        return False
    if docket.is_at(command.id):
        # Offered again because no reply has come yet: there will be one.
        return False
    code, said = _fault(docket, command, permits, wall_us)
    if code not in ("replayed", "out_of_order"):
        docket.highest = command.sequence
        docket.known = [*docket.known, command.id][-KEPT:]
        docket.latest_us = max(docket.latest_us, command.issued_at)
    if not code:
        docket.todo.append(command)
        return True
    result = "expired" if code == "expired" else "refused"
    docket.say(Reply(command.id, result, code, said, wall_us))
    return False


def _read(signed: SignedCommand, is_signed: Callable[[bytes, bytes], bool]) -> Command | None:
    if len(signed.payload) > MOST_BYTES or len(signed.signature) > 200:
        return None
    try:
        document, signature = unpadded(signed.payload), unpadded(signed.signature)
        # The signature first: nothing that is not ours is even parsed.
        if not is_signed(document, signature):
            return None
        return msgspec.json.decode(document, type=Command)
    except (binascii.Error, ValueError, msgspec.DecodeError, RecursionError):
        return None


def _fault(docket: Docket, command: Command, permits: Permits, wall_us: int) -> tuple[str, str]:
    """Why it is not done, as a code and words; ("", "") where it is."""
    if command.id in docket.known:
        return "replayed", "this command has come before"
    if command.sequence <= docket.highest:
        return "out_of_order", "a later command has come before it"
    # A clock that was set back must not make an old command new.
    if max(wall_us, docket.latest_us) >= command.expires_at:
        return "expired", "it came after its time, by this board's clock"
    if command.kind not in {kind.value for kind in permits.allow}:
        return "not_allowed", "the owner's list at the dish does not allow it"
    return "", ""


def unpadded(text: str) -> bytes:
    """base64url without padding, and nothing else."""
    return base64.b64decode(text + "=" * (-len(text) % 4), altchars=b"-_", validate=True)


def as_text(raw: bytes) -> str:
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode()


def _shown_id(command: Command | None) -> str:
    return command.id if command is not None and _ID.fullmatch(command.id) else ""


def is_off(status: DishStatus) -> bool:
    """Whether the dish itself says that it does not transmit."""
    return status.radio_off is True or status.state in _OFF_STATES


def needs_radio_off_leave(command: Command, off: bool, permits: Permits) -> bool:
    """Whether it might switch on a radio that is off, without the owner having chosen so."""
    return off and command.kind == Kind.REBOOT.value and not permits.reboot_while_off


def confirmed(command: Command, status: DishStatus, before: DishStatus | None) -> bool:
    """Whether the dish now says what the command wanted."""
    match Kind(command.kind):
        case Kind.REBOOT:
            return _rebooted(status, before)
        case Kind.STOW:
            return status.state == "stowed"
        case Kind.UNSTOW:
            return status.state not in ("stowed", "unknown") and status.stowed is not True
        case Kind.RF_INHIBIT:
            return status.radio_off is True
        case Kind.RF_ALLOW:
            return status.radio_off is False
        case Kind.GPS_INHIBIT:
            return status.gps_inhibited is True
        case Kind.GPS_ALLOW:
            return status.gps_inhibited is False
        case Kind.SLEEP_SCHEDULE:
            return status.config.get("power_save_mode") is bool(command.arguments.get("on"))
    # Of the rest the dish's own answer is all there is.
    return True


def _rebooted(status: DishStatus, before: DishStatus | None) -> bool:
    if before is None or before.uptime_s is None or status.uptime_s is None:
        return False
    more_boots = (status.device.boots or 0) > (before.device.boots or 0)
    return more_boots or status.uptime_s < before.uptime_s


def outcome(command: Command, so: bool, dish_said: str, at_us: int) -> Reply:
    """What is replied once the dish has spoken, or its time is up."""
    kind = Kind(command.kind)
    if so:
        said = "the radio is off" if kind in RADIO_OFF else dish_said
        back = f"; {command.returns}" if command.returns else ""
        return Reply(command.id, "done", "", f"{said}{back}", at_us)
    said = MAY_TRANSMIT if kind in RADIO_OFF else f"the dish does not say that it is so ({dish_said})"
    return Reply(command.id, "failed", "unconfirmed", said, at_us)
