"""What the store counts beside its journal: progress of readers, usage of terminals, uses of the app."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol


@dataclass(frozen=True, slots=True)
class Progress:
    """How far somebody who reads the journal has come; the note is theirs, as JSON."""

    sequence: int
    note: str = "{}"


@dataclass(frozen=True, slots=True)
class UsageReport:
    """What a terminal sent and received since its report before; `day` and `cycle` are those of `at`."""

    sequence: int
    at: int
    day: str
    cycle: str
    down_bytes: int
    up_bytes: int


@dataclass(frozen=True, slots=True)
class UsageDay:
    """Bytes of one terminal on one day, for whom it was used then."""

    terminal: str
    day: str
    account: str
    down_bytes: int
    up_bytes: int


@dataclass(frozen=True, slots=True)
class Used:
    """What an account has used in a cycle. changed: rises with every change of any account."""

    account: str
    cycle: str
    used_bytes: int
    changed: int


@dataclass(frozen=True, slots=True)
class AppDay:
    """Uses of the app in one country on one day, and how many of them were its first."""

    country: str
    day: str
    installs: int
    active: int


class CountsReader(Protocol):
    """Counts as they stood at one instant."""

    def progress(self, name: str) -> Progress | None: ...

    def usage_days(
        self, terminal: str = "", account: str = "", from_day: str = "", until_day: str = "~"
    ) -> Sequence[UsageDay]:
        """Of a terminal or of an account, both days included, ascending by day and terminal."""
        ...

    def used_bytes(self, account: str, cycle: str) -> int: ...

    def used_in(self, cycle: str) -> Sequence[Used]:
        """Of every account that used anything in a cycle."""
        ...

    def used_since(self, changed: int, limit: int) -> Sequence[Used]:
        """What has changed after a change, in the order of changes."""
        ...

    def app_days(self, from_day: str, until_day: str) -> Sequence[AppDay]:
        """Both days included, ascending by country and day."""
        ...


class CountsWriter(CountsReader, Protocol):
    """Part of a transaction."""

    def keep_progress(self, name: str, progress: Progress) -> None: ...

    def drop_progress(self, name: str) -> None: ...

    def add_usage(self, terminal: str, account: str, reports: Sequence[UsageReport]) -> int:
        """Count what was not counted yet, by sequence number; how many reports that were.

        Raises Conflict where a report of a number came before with other figures; then nothing is counted.
        """
        ...

    def drop_usage(self, before: int) -> int:
        """Forget which reports came in before an instant, not what they sum to; how many."""
        ...

    def add_app_use(self, use: AppDay) -> None:
        """Add to the country's counts of that day."""
        ...
