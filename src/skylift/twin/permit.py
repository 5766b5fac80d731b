"""What the office lets the sky do with one terminal. Light: the server has it without NumPy's help."""

from __future__ import annotations

import enum
from collections.abc import Sequence
from typing import Any, NamedTuple


class Serve(enum.StrEnum):
    """Whose terminals a sky serves. Whatever the office knows, it obeys the office, unless it is SCENARIO.

    OFFICE    those alone that the office knows and permits; the scenario gives satellites and ground
    SCENARIO  the scenario's alone, as the scenario says: it knows nothing of an office
    BOTH      the office's, and the scenario's that the office does not know, as the scenario says
    """

    OFFICE = "office"
    SCENARIO = "scenario"
    BOTH = "both"


class Permit(NamedTuple):
    """What is decided about one terminal, where the sky takes it to be.

    cell      H3, in whose middle it stands; "" for nowhere: the sky forgets it
    scenario  the id of the scenario's terminal that it is; it then stands where the scenario has it
    hardware  as printed on its papers
    down_bps, up_bps  the most that its plan and its cell allow; inf for no limit
    priority  1 to 4, as in base.link.Ask
    barred    WhyDown: 0, or why it may not be served
    why       number of the reasons, in the list that goes with it
    until_us  from then on passing time may have changed the decision: it holds before that alone
    """

    terminal: str
    cell: str
    scenario: str
    hardware: str
    down_bps: float
    up_bps: float
    priority: int
    barred: int
    why: int
    until_us: int


Columns = tuple[list[Any], ...]


def columns_of(permits: Sequence[Permit]) -> Columns:
    """Field by field: a hundred thousand objects would take a pipe a second."""
    return tuple([permit[field] for permit in permits] for field in range(len(Permit._fields)))


def permits_of(columns: Columns) -> list[Permit]:
    """As they were."""
    return list(map(Permit, *columns))


# Code, authority, what would change it: as in service.permission.reasons.Why.
Reason = tuple[str, str, str]
Reasons = tuple[Reason, ...]

# Reasons of which the office knows nothing; numbers of what it tells come after these.
NOT_BARRED, OFFICE_SILENT, NOT_KNOWN = range(3)
OWN_REASONS: tuple[Reasons, ...] = (
    (),
    (("office.silent", "the service", "wait until the office is heard again; its store may be away"),),
    (("terminal.unknown", "the operator", "register the terminal"),),
)
