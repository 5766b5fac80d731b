"""How fast help came: from a call to its acknowledgement, authorisation, activation and first terminal.

The world's benchmark is about ten hours from a public call to active service (February 2022).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace

from skylift.base.events import Event
from skylift.base.instants import InstantUs
from skylift.service.region.events import PaperGranted, RegionActivated
from skylift.service.request.events import (
    RequestAcknowledged,
    RequestConfirmed,
    RequestMerged,
    RequestPlaced,
    RequestReceived,
    RequestSeparated,
)
from skylift.service.terminal.events import (
    CommandAsked,
    CommandConfirmed,
    CommandKind,
    Enforcer,
    HandOverAccepted,
    HomeSet,
    TerminalRegistered,
    TerminalServed,
)

BENCHMARK_US = 10 * 3_600_000_000
# All that a time can come from: who follows the journal need read no other rows.
NAMES = tuple(
    kind.NAME
    for kind in (
        RequestReceived,
        RequestConfirmed,
        RequestPlaced,
        RequestAcknowledged,
        RequestMerged,
        RequestSeparated,
        PaperGranted,
        RegionActivated,
        TerminalRegistered,
        HomeSet,
        HandOverAccepted,
        CommandAsked,
        CommandConfirmed,
        TerminalServed,
    )
)


@dataclass(frozen=True, slots=True)
class Milestones:
    """What happened first after a call, for its region; None where it has not happened yet.

    authorised_at  the first paper that was granted; it may be older than the call
    first_on_at    the start of the first slot of ours that served a terminal of the region; of another
                   operator's network: when somebody wrote down that it confirmed an activation
    merged_into    the call that goes on for this one, where somebody found them to be the same
    """

    request: str
    region: str
    asked_at: InstantUs
    acknowledged_at: InstantUs | None = None
    authorised_at: InstantUs | None = None
    activated_at: InstantUs | None = None
    first_on_at: InstantUs | None = None
    merged_into: str = ""

    def hours_to(self, milestone: InstantUs | None) -> float | None:
        """Hours from the call; 0 for what was there before it."""
        return None if milestone is None else max(milestone - self.asked_at, 0) / 3_600_000_000

    @property
    def beats_benchmark(self) -> bool | None:
        """Whether service was active within the ten hours; None while it is neither active nor too late."""
        return None if self.activated_at is None else self.activated_at - self.asked_at <= BENCHMARK_US


def milestones(events: Iterable[Event]) -> list[Milestones]:
    """One for every call, in the order in which they came in; events in the order of the journal."""
    measured = Measured()
    for event in events:
        measured.take(event)
    return list(measured.all())


class Measured:
    """The milestones of every call, as the journal grows: events are taken in its order, each once."""

    def __init__(self) -> None:
        self._calls: dict[str, Milestones] = {}
        self._first = _Firsts()

    def take(self, event: Event) -> None:
        calls = self._calls
        match event:
            case RequestReceived():
                calls[event.subject_id] = Milestones(event.subject_id, event.region, event.asked_at)
            case RequestConfirmed():
                # A draft is no call: time runs from when a person made it one.
                calls[event.subject_id] = Milestones(event.subject_id, event.region, event.at)
            case RequestPlaced() if event.subject_id in calls:
                calls[event.subject_id] = replace(calls[event.subject_id], region=event.region)
            case RequestAcknowledged() if calls[event.subject_id].acknowledged_at is None:
                calls[event.subject_id] = replace(calls[event.subject_id], acknowledged_at=event.at)
            case RequestMerged() if event.subject_id in calls:
                calls[event.subject_id] = replace(calls[event.subject_id], merged_into=event.into)
            case RequestSeparated() if event.subject_id in calls:
                calls[event.subject_id] = replace(calls[event.subject_id], merged_into="")
            case _:
                self._first.take(event)

    def of(self, request_id: str) -> Milestones | None:
        """Those of one call; None for one that is not known."""
        call = self._calls.get(request_id)
        return None if call is None else self._with_firsts(call)

    def all(self) -> Iterator[Milestones]:
        """In the order in which the calls came in."""
        return (self._with_firsts(call) for call in list(self._calls.values()))

    def latest(self, count: int) -> list[Milestones]:
        """Of the calls that came in last, in the order in which they did."""
        return [self._with_firsts(call) for call in list(self._calls.values())[-count:]]

    def _with_firsts(self, call: Milestones) -> Milestones:
        first = self._first
        return replace(
            call,
            authorised_at=first.authorised.get(call.region),
            activated_at=first.activated.get(call.region),
            first_on_at=first.on.get(call.region),
        )


class _Firsts:
    """The first of each kind by region, and what is needed to know it: which command is of which terminal."""

    def __init__(self) -> None:
        self.authorised: dict[str, InstantUs] = {}
        self.activated: dict[str, InstantUs] = {}
        self.on: dict[str, InstantUs] = {}
        self._region_of: dict[str, str] = {}
        self._activations: set[str] = set()

    def take(self, event: Event) -> None:
        match event:
            case PaperGranted():
                self.authorised.setdefault(event.subject_id, event.at)
            case RegionActivated():
                self.activated.setdefault(event.subject_id, event.at)
            case TerminalRegistered() | HomeSet() | HandOverAccepted():
                self._region_of[event.subject_id] = event.region
            case CommandAsked() if event.kind is CommandKind.ACTIVATE:
                # Our own network lets it in by that; that it is on, the slot shows that serves it.
                if event.enforcer is not Enforcer.OUR_NETWORK:
                    self._activations.add(event.command_id)
            case CommandConfirmed() if event.command_id in self._activations:
                self._is_on(event.subject_id, event.at)
            case TerminalServed():
                self._is_on(event.subject_id, event.slot_at)

    def _is_on(self, terminal: str, at: InstantUs) -> None:
        region = self._region_of.get(terminal, "")
        if region:
            self.on[region] = min(at, self.on.get(region, at))
