"""When the agent tells of its dish's place: never, unless the owner said so at the dish.

The owner's list is share.toml. What is not readable shares nothing. Whatever changes in it is a new word of
the owner's, numbered, and told until the service has heard it: most of all that everything is taken back.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

import msgspec

from skylift.base.strict import read_toml
from skylift.base.units import US_PER_S
from skylift.wire.agent.pace import FIRST_WAIT_US, LONGEST_WAIT_US, SHUT_OUT_WAIT_US
from skylift.wire.telemetry.sharing import (
    BORESIGHT,
    EXACT,
    FINEST_RESOLUTION,
    LOCATION,
    OBSTRUCTIONS,
    SATELLITES,
    USUAL_RESOLUTION,
)

# A dish stands for months, its map grows for hours; what is replaced the service writes over in all files.
TELL_EVERY_US: Final = 6 * 3_600 * US_PER_S
# A new word is filled soon: the hour's satellites; or what the dish would not tell, until its owner lets it.
TELL_AGAIN_US: Final = 3_600 * US_PER_S
ASK_AGAIN_US: Final = 900 * US_PER_S
# Another satellite may serve from one slot to the next.
LOOK_EVERY_US: Final = 15 * US_PER_S
_LOCATION = ("off", "cell", "exact")


class Shares(msgspec.Struct, frozen=True):
    """What the owner lets it tell; nothing by default. resolution: of the H3 cell, where a cell is told."""

    kinds: tuple[str, ...] = ()
    resolution: int = USUAL_RESOLUTION


class Told(msgspec.Struct, frozen=True):
    """The owner's last word, and whether the service has heard it; kept before anything is sent.

    ended  the service has erased it of itself, and takes it again on a new word alone
    """

    word: int = 0
    shares: Shares = Shares()
    heard: bool = False
    ended: bool = False


def shares_of(text: str) -> Shares:
    """The owner's list. Raises Refused that names the line."""
    names = ("location", "resolution", "obstruction_map", "boresight", "satellite_trace")
    root = read_toml(text, "share.toml").table(known=names)
    location = root.choice("location", _LOCATION, default="off")
    flags = ((OBSTRUCTIONS, "obstruction_map"), (BORESIGHT, "boresight"), (SATELLITES, "satellite_trace"))
    places = {"off": (), "cell": (LOCATION,), "exact": (EXACT,)}[location]
    kinds = (*places, *(kind for kind, name in flags if root.flag(name, default=False)))
    resolution = root.whole("resolution", minimum=0, maximum=FINEST_RESOLUTION, default=USUAL_RESOLUTION)
    return Shares(kinds, resolution)


def text_of(shares: Shares) -> str:
    """The list that says so."""
    location = "exact" if EXACT in shares.kinds else "cell" if LOCATION in shares.kinds else "off"

    def flag(kind: str) -> str:
        return "true" if kind in shares.kinds else "false"

    return f"""\
# What the agent may tell its service of where this dish is. Nothing, unless its owner says so: here, or by
# `skylift agent share`. A dish can be a target, and so can whoever is beside it: see SAFETY.md.
# "off", "cell" (which H3 cell of this resolution it is in, 0 to {FINEST_RESOLUTION}) or "exact"
location = "{location}"
resolution = {shares.resolution}
obstruction_map = {flag(OBSTRUCTIONS)}
boresight = {flag(BORESIGHT)}
satellite_trace = {flag(SATELLITES)}
"""


@dataclass(slots=True)
class Sharer:
    """Told the owner's list and the time (a clock that is never set), it says when to look and when to tell.

    keep  writes a word to the disk
    """

    told: Told
    keep: Callable[[Told], None]
    tell_at_us: int = 0
    look_at_us: int = 0
    failures: int = 0
    # Something that was to be told could not be read.
    trouble: str = ""

    def heed(self, shares: Shares, now_us: int) -> bool:
        """Whether that is a new word of the owner's."""
        if shares == self.told.shares:
            return False
        self._note(Told(self.told.word + 1, shares))
        self.failures, self.tell_at_us = 0, now_us
        return True

    def is_due(self, now_us: int) -> bool:
        """Whether there is something to tell now."""
        told = self.told
        # Who never shared anything has nothing to take back.
        waits = not told.heard if not told.shares.kinds else not told.ended
        return told.word > 0 and waits and now_us >= self.tell_at_us

    def looks(self, now_us: int) -> bool:
        """Whether to note which satellite serves it now."""
        told = self.told
        if SATELLITES not in told.shares.kinds or told.ended or now_us < self.look_at_us:
            return False
        self.look_at_us = now_us + LOOK_EVERY_US
        return True

    def taken(self, now_us: int, is_whole: bool = True) -> None:
        """The service has it. is_whole: the dish told all that is shared."""
        self.failures, self.trouble = 0, ""
        heard = self.told.heard
        self.tell_at_us = now_us + (
            ASK_AGAIN_US if not is_whole else TELL_EVERY_US if heard else TELL_AGAIN_US
        )
        if not heard:
            self._note(msgspec.structs.replace(self.told, heard=True))

    def not_taken(self, now_us: int, status: int, code: str, jitter: float) -> None:
        """It has not. jitter: 0 to 1."""
        self.failures += 1
        self.trouble = code or (f"agent.http-{status}" if status else "agent.no-answer")
        if status == 409 and self.told.shares.kinds:
            self._note(msgspec.structs.replace(self.told, ended=True))
        shut_out = status in (400, 401, 403, 413, 422)
        wait_us = min(FIRST_WAIT_US << min(self.failures - 1, 10), LONGEST_WAIT_US)
        self.tell_at_us = now_us + round((SHUT_OUT_WAIT_US if shut_out else wait_us) * (0.5 + 0.5 * jitter))

    def _note(self, told: Told) -> None:
        # First here: what is taken back is told also where the disk refuses.
        self.told = told
        self.keep(told)
