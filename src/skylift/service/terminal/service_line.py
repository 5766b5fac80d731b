"""The service line that a terminal is on at an operator's: what others record of it, and no decision of ours.

It is kept so that a dish that fell silent because its line ended is told from one that lost its power.
"""

from __future__ import annotations

import enum
from dataclasses import dataclass, replace

from skylift.base import labels
from skylift.base.errors import Refused
from skylift.base.instants import InstantUs
from skylift.service.terminal.events import LineRecorded, LineSource, LineStanding, NoLineRecorded

KIND = "terminal"
_NEVER = InstantUs(0)


class LineOff(enum.Enum):
    """Why a line serves nobody."""

    NONE = "none"
    ENDED = "ended"
    INACTIVE = "inactive"


@dataclass(frozen=True, slots=True)
class ServiceLine:
    """As it was recorded last. number: "" where the operator has none for this terminal.

    product               as the operator's catalogue calls it; "" where it is not told
    started_at, ended_at  of the line; None where not told.  since: when it was recorded so
    """

    number: str
    product: str = ""
    standing: LineStanding = LineStanding.UNKNOWN
    started_at: InstantUs | None = None
    ended_at: InstantUs | None = None
    source: LineSource = LineSource.OTHER_RECORDS
    since: InstantUs = _NEVER

    def off(self, at: int) -> LineOff | None:
        """Why it serves nobody at an instant; None where nothing recorded says that it does not."""
        if not self.number:
            return LineOff.NONE
        if self.ended_at is not None and self.ended_at <= at:
            return LineOff.ENDED
        return LineOff.INACTIVE if self.standing is LineStanding.INACTIVE else None

    def tells(self, other: ServiceLine | None) -> bool:
        """Whether it says anything that the other does not."""
        return other is None or replace(self, since=other.since) != other


def read(line: ServiceLine) -> ServiceLine:
    """In its one canonical form. Raises Refused."""
    if line.started_at is not None and line.ended_at is not None and line.ended_at < line.started_at:
        raise Refused("terminal.line-ends", "ended_at", "a line ends after it began", "check both")
    product = labels.catalogue_id(line.product, KIND, "product") if line.product else ""
    return replace(line, number=labels.serial(line.number, KIND, "number"), product=product)


def of(event: LineRecorded | NoLineRecorded) -> ServiceLine:
    """What is known of a terminal's line after an event."""
    if isinstance(event, NoLineRecorded):
        return ServiceLine("", source=event.source, since=event.at)
    return ServiceLine(
        event.number, event.product, event.standing, event.started_at, event.ended_at, event.source, event.at
    )
