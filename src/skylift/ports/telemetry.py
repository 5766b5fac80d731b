"""Where dishes' reports are kept, as a port: bulk, not journalled, beside the service's store.

Rows of 15 s become buckets of 5 minutes, an hour and a day; each level is kept as long as its rule says.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

from skylift.base.errors import Refused
from skylift.base.units import US_PER_DAY

ROWS, FIVE_MINUTES, HOUR, DAY = "15s", "5min", "1h", "1d"
LEVELS = (ROWS, FIVE_MINUTES, HOUR, DAY)
BUCKET_S: Mapping[str, int] = {FIVE_MINUTES: 300, HOUR: 3_600, DAY: 86_400}


@dataclass(frozen=True, slots=True)
class Keep:
    """For how many days each level is kept, and what was put aside.

    Rows come late where a link was down; those that are older than `rows` are not taken.
    """

    rows: int = 45
    five_minutes: int = 180
    hours: int = 1_100
    days: int = 3_660
    aside: int = 30

    def days_of(self, level: str) -> int:
        return {ROWS: self.rows, FIVE_MINUTES: self.five_minutes, HOUR: self.hours, DAY: self.days}[level]

    @classmethod
    def read(cls, text: str) -> Keep:
        """From "15s=45,5min=180,1h=1100,1d=3660,aside=30", in days; what is not said is as usual."""
        names = {ROWS: "rows", FIVE_MINUTES: "five_minutes", HOUR: "hours", DAY: "days", "aside": "aside"}
        said: dict[str, int] = {}
        for part in filter(None, text.replace(" ", "").split(",")):
            name, _, days = part.partition("=")
            if name not in names or not days.isascii() or not days.isdecimal() or not 1 < int(days) < 40_000:
                raise _no_rule(f"each part is {', '.join(names)} and a number of days from 2 on")
            said[names[name]] = int(days)
        keep = cls(**said)
        if not keep.rows <= keep.five_minutes <= keep.hours <= keep.days:
            raise _no_rule("what is coarser is kept at least as long")
        return keep

    @property
    def oldest_us(self) -> int:
        """How old a row may be when it comes; never more than is taken for an allowance."""
        return min(self.rows - 1, 40) * US_PER_DAY


def _no_rule(rule: str) -> Refused:
    return Refused(
        "telemetry.keep", "the rule of how long telemetry is kept", rule, "write for example 15s=14,5min=90"
    )


@dataclass(frozen=True, slots=True)
class Posted:
    """What one terminal sent at once. rows: wire/telemetry/rows.Row; aside: wire/telemetry/reading.Aside."""

    terminal: str
    received_us: int
    rows: Sequence[Any]
    aside: Sequence[Any] = ()


@dataclass(frozen=True, slots=True)
class Taken:
    """What became of it.

    skipped  numbers that came when they had been given up; they are put aside too
    state    the terminal's newest row now, encoded; "" where none of it was ever taken
    """

    new: int
    again: int
    aside: int = 0
    skipped: tuple[int, ...] = ()
    state: str = ""


@dataclass(frozen=True, slots=True)
class History:
    """One terminal at one level: columns of equal length, ascending by time; None where it was not known."""

    terminal: str
    level: str
    columns: Mapping[str, Sequence[Any]] = field(default_factory=dict)

    def __len__(self) -> int:
        return len(next(iter(self.columns.values()), ()))


@dataclass(frozen=True, slots=True)
class PutAside:
    """A row that is in no history, and why."""

    terminal: str
    sequence: int
    received_us: int
    code: str
    reason: str
    row: str


@dataclass(frozen=True, slots=True)
class Turned:
    """Requests of a terminal that were refused as a whole: how often, when, and why."""

    terminal: str
    code: str
    reason: str
    times: int
    first_us: int
    last_us: int


@dataclass(frozen=True, slots=True)
class Online:
    """A group of terminals in the bin that begins at at_us: how many were online, of how many expected."""

    at_us: int
    group: str
    online: int
    expected: int


class TelemetryStore(Protocol):
    """Safe to use from several threads; those that write take turns."""

    def take(self, posted: Sequence[Posted]) -> Sequence[Taken]:
        """Keep what is new, each (terminal, sequence) once; all of it is on the disk when this returns.

        Raises Unavailable: then it may or may not have been kept, and can be sent again.
        """
        ...

    def last_states(self) -> Iterable[tuple[str, bytes]]:
        """The newest row of every terminal, as it was encoded when it came."""
        ...

    def others_states(self) -> Iterable[tuple[str, bytes]]:
        """Of those of which another process has written since this was asked before; none the first time."""
        ...

    def history(self, terminal: str, from_us: int, until_us: int, level: str) -> History: ...

    def online(
        self, groups: Mapping[str, tuple[str, ...]], between_us: tuple[int, int], step_us: int, least: int
    ) -> Sequence[Online]:
        """Of each group (terminal -> its groups), bin by bin; groups of fewer than `least` are left out.

        Asking again with the very same `groups` is cheaper: they must not have been changed meanwhile.
        """
        ...

    def put_aside(self, terminal: str, limit: int) -> Sequence[PutAside]:
        """Rows that are in no history, the newest first; terminal: "" for all."""
        ...

    def refused(self, terminal: str, limit: int) -> Sequence[Turned]:
        """Requests that were refused as a whole, the newest first."""
        ...

    def turned(self, refused: Sequence[Turned]) -> None:
        """Add to the counts of them."""
        ...

    def next_sequence(self, terminal: str) -> int:
        """One more than any number that came from it."""
        ...

    def roll(self, now: int, most: int) -> int:
        """Make buckets of hours that are over; at most so many; how many were left to do."""
        ...

    def tidy(self, now: int, keep: Keep) -> int:
        """Forget what is older than the rules say; how many tables or rows went."""
        ...

    def erase(self, terminals: Sequence[str]) -> int:
        """Everything of these terminals, from the files too; how many rows there were."""
        ...

    def close(self) -> None: ...
