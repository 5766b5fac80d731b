"""The four times of a call, and what counts for them."""

from __future__ import annotations

import pytest

from skylift.base.events import Event
from skylift.base.instants import InstantUs
from skylift.service.region.events import Paper, PaperGranted, RegionActivated
from skylift.service.request.events import (
    Channel,
    RequestAcknowledged,
    RequestConfirmed,
    RequestDrafted,
    RequestPlaced,
    RequestReceived,
    SiteKind,
)
from skylift.service.terminal.events import (
    CommandAsked,
    CommandConfirmed,
    CommandKind,
    Enforcer,
    Mobility,
    TerminalRegistered,
    TerminalServed,
)
from skylift.twin.office.milestones import Milestones, milestones

HOUR_US = 3_600_000_000


def head(hours: float, subject: str) -> tuple[InstantUs, str, str, None]:
    return InstantUs(round(hours * HOUR_US)), "per_1", subject, None


def received(hours: float, region: str = "rgn_ua", asked_hours: float = 0.0, name: str = "req_1") -> Event:
    asked = InstantUs(round(asked_hours * HOUR_US))
    return RequestReceived(
        *head(hours, name), Channel.PUBLIC_POST, SiteKind.HOSPITAL, asked, 10, 1, "", region
    )


def terminal(hours: float, confirmed: float, name: str, region: str = "rgn_ua") -> list[Event]:
    return [
        TerminalRegistered(*head(hours, name), "acc_1", "851e5227fffffff", Mobility.FIXED, region),
        CommandAsked(*head(hours, name), f"cmd_{name}", CommandKind.ACTIVATE, Enforcer.OPERATOR_API),
        CommandConfirmed(*head(confirmed, name), f"cmd_{name}", "slot"),
    ]


DAY = [
    received(0.5),
    RequestAcknowledged(*head(1.0, "req_1")),
    PaperGranted(
        *head(4.0, "rgn_ua"), Paper.TEMPORARY, "regulator", "decision 1", InstantUs(0), InstantUs(10**15)
    ),
    PaperGranted(
        *head(5.0, "rgn_ua"), Paper.SPECTRUM, "regulator", "licence 2", InstantUs(0), InstantUs(10**15)
    ),
    RegionActivated(*head(9.5, "rgn_ua"), "apr_1"),
    *terminal(20.0, 22.0, "trm_1"),
    *terminal(19.0, 21.0, "trm_2"),
    *terminal(3.0, 3.5, "trm_3", region="rgn_pl"),
]


def test_the_first_of_each_counts() -> None:
    (call,) = milestones(sorted(DAY, key=lambda event: event.at))
    hours = [
        call.hours_to(at)
        for at in (call.acknowledged_at, call.authorised_at, call.activated_at, call.first_on_at)
    ]
    assert hours == [1.0, 4.0, 9.5, 21.0]
    assert call.beats_benchmark


def test_what_has_not_happened_is_not_known() -> None:
    (call,) = milestones([received(0.5, region="")])
    assert call == Milestones("req_1", "", InstantUs(0))
    assert call.hours_to(call.activated_at) is None
    assert call.beats_benchmark is None


def test_a_call_that_is_placed_later_gets_its_regions_times() -> None:
    (call,) = milestones(
        [received(0.5, region=""), RequestPlaced(*head(0.6, "req_1"), "x", "rgn_ua"), *DAY[1:]]
    )
    assert call.activated_at == 9.5 * HOUR_US


def test_a_draft_counts_for_nothing_until_a_person_confirms_it() -> None:
    draft = RequestDrafted(*head(0.0, "req_1"), Channel.API, SiteKind.HOSPITAL, 10, 1, "", "rgn_ua")
    placed = RequestPlaced(*head(0.1, "req_1"), "x", "rgn_pl")
    assert milestones([draft, placed, *DAY[2:]]) == []
    (call,) = milestones([draft, placed, RequestConfirmed(*head(7.0, "req_1"), "rgn_ua"), *DAY[1:]])
    assert call == Milestones("req_1", "rgn_ua", *(InstantUs(round(h * HOUR_US)) for h in (7, 1, 4, 9.5, 21)))


@pytest.mark.parametrize(("asked_hours", "beats"), [(-1.0, False), (-0.5, True), (12.0, True)])
def test_the_clock_runs_from_the_call_itself(asked_hours: float, beats: bool) -> None:
    (call,) = milestones(
        [received(12.5, asked_hours=asked_hours), RegionActivated(*head(9.5, "rgn_ua"), "apr_1")]
    )
    assert call.beats_benchmark is beats
    assert (call.hours_to(call.activated_at) or 0.0) >= 0.0


def test_on_our_network_a_terminal_is_on_when_a_slot_serves_it() -> None:
    """That the sky lets it in is not yet a link; the start of the slot counts, not when it was written."""
    name = "trm_ours"
    let_in: list[Event] = [
        TerminalRegistered(*head(10.0, name), "acc_1", "851e5227fffffff", Mobility.FIXED, "rgn_ua"),
        CommandAsked(*head(10.0, name), "cmd_1", CommandKind.ACTIVATE, Enforcer.OUR_NETWORK),
        CommandConfirmed(*head(10.1, name), "cmd_1", "slot 1"),
    ]
    (call,) = milestones([received(0.5), *let_in])
    assert call.first_on_at is None
    served = TerminalServed(*head(10.3, name), InstantUs(round(10.2 * HOUR_US)))
    (call,) = milestones([received(0.5), *let_in, served])
    assert call.first_on_at == round(10.2 * HOUR_US)
