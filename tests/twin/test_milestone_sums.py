"""The four times over several calls."""

from __future__ import annotations

from skylift.base.events import Event
from skylift.base.instants import InstantUs
from skylift.service.request.events import RequestMerged, RequestSeparated
from skylift.twin.office.milestone_sums import Hours, by_region, hours_of, sums
from skylift.twin.office.milestones import NAMES, Measured, Milestones, milestones
from tests.twin.test_milestones import DAY, HOUR_US, head, received


def hours(value: float) -> InstantUs:
    return InstantUs(round(value * HOUR_US))


# In time, late, waiting and still in time, waiting and late; the last is of another region.
CALLS = [
    Milestones("req_1", "rgn_ua", hours(0), hours(1), hours(4), hours(9), hours(21)),
    Milestones("req_2", "rgn_ua", hours(2), hours(2.5), hours(4), hours(13)),
    Milestones("req_3", "rgn_ua", hours(20)),
    Milestones("req_4", "rgn_pl", hours(1), hours(11)),
]


def test_the_sums_of_all_calls() -> None:
    found = sums("*", CALLS, hours(25))
    assert (found.requests, found.first_asked_at, found.reached) == (4, 0, (3, 2, 2, 1))
    assert found.from_first_call == Hours(1.0, 4.0, 9.0, 21.0)
    assert found.middle == Hours(1.0, 3.0, 10.0, 21.0)
    assert (found.within_benchmark, found.beyond_benchmark) == (1, 2)
    assert sums("*", CALLS, hours(31)).beyond_benchmark == 3, "one that waits becomes late"


def test_each_region_for_itself() -> None:
    poland, ukraine = by_region(CALLS, hours(25))
    assert (poland.region, poland.requests, poland.from_first_call) == ("rgn_pl", 1, Hours(acknowledged=10.0))
    assert (ukraine.region, ukraine.requests) == ("rgn_ua", 3)
    assert sums("rgn_none", [], 0).from_first_call == Hours()


def test_what_was_there_before_the_call_took_no_time() -> None:
    call = Milestones("req_1", "rgn_ua", hours(5), hours(6), hours(1), hours(2))
    assert hours_of(call) == Hours(1.0, 0.0, 0.0, None)
    assert sums("rgn_ua", [call], hours(6)).from_first_call == Hours(1.0, 0.0, 0.0, None)


def test_a_merged_call_is_part_of_another_until_the_merge_was_a_mistake() -> None:
    merged: Event = RequestMerged(*head(2, "req_2"), "req_1")
    events = [received(0.5), received(0.6, name="req_2"), merged]
    assert [call.merged_into for call in milestones(events)] == ["", "req_1"]
    events.append(RequestSeparated(*head(3, "req_2")))
    assert [call.merged_into for call in milestones(events)] == ["", ""]


def test_the_events_that_are_named_are_all_that_matter() -> None:
    chosen = Measured()
    for event in DAY:
        if event.NAME in NAMES:
            chosen.take(event)
    assert list(chosen.all()) == milestones(DAY)
    assert {event.NAME for event in DAY} <= set(NAMES)
