"""Calls for help: every step and hole, verification before promises, duplicates and triage with reasons."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from skylift.base.errors import Refused
from skylift.base.events import Event, EventTypes, Who, to_payload
from skylift.base.instants import InstantUs
from skylift.service.request import decide
from skylift.service.request.decide import Call
from skylift.service.request.events import Channel, RefusalReason, RequestAccepted, SiteKind
from skylift.service.request.likeness import Told, alike
from skylift.service.request.state import CYCLE, ROOM, Request, RequestState, label
from skylift.service.request.triage import HOUR_US, TriageRules, score

CELL = "851e5227fffffff"
CALL = Call(Channel.PUBLIC_POST, SiteKind.HOSPITAL, InstantUs(500), people=350, cell=CELL, region="rgn_1")
WHO = Who(InstantUs(1_000), "acc_1")


@pytest.mark.parametrize("event", CYCLE.events())
@pytest.mark.parametrize("state", RequestState)
def test_every_step_is_allowed_or_explained(state: RequestState, event: type[Event]) -> None:
    if (state, event) in CYCLE.steps:
        assert CYCLE.after("req_1", state, event) is CYCLE.steps[state, event]
    else:
        with pytest.raises(Refused, match=r"from here it can be|begin a new one"):
            CYCLE.after("req_1", state, event)


def test_every_state_can_come_about_and_has_words() -> None:
    assert CYCLE.reachable() == set(RequestState)
    assert len({label(state) for state in RequestState}) == len(RequestState)


def through(*steps: tuple[object, ...], id: str = "req_1") -> Request:
    request = Request(id)
    for number, (function, *arguments) in enumerate(steps):
        for event in function(request, Who(InstantUs(1_000 + number), "acc_1"), *arguments):  # type: ignore[operator]
            request = ROOM.apply(request, event)
    return request


RECEIVED = (decide.received, CALL)


def test_nothing_is_promised_to_an_unverified_asker_or_to_nowhere() -> None:
    request = through(RECEIVED, (decide.acknowledged,))
    with pytest.raises(Refused, match="not verified"):
        decide.accepted(request, WHO, 2)
    nowhere = through(
        (decide.received, replace(CALL, cell="")),
        (decide.acknowledged,),
        (decide.verified, "aut_1", "call back"),
    )
    with pytest.raises(Refused, match="place it first"):
        decide.accepted(nowhere, WHO, 2)
    assert decide.accepted(through(RECEIVED, (decide.acknowledged,), (decide.verified, "aut_1", "x")), WHO, 2)


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"asked_at": InstantUs(1_001)}, "request.from-the-future"),
        ({"terminals_wanted": 0}, "request.number"),
        ({"people": -1}, "request.number"),
        ({"needed_by": InstantUs(499)}, "request.needed-by"),
    ],
)
def test_calls_that_cannot_be(changes: dict[str, object], code: str) -> None:
    with pytest.raises(Refused) as refusal:
        decide.received(Request("req_1"), WHO, replace(CALL, **changes))  # type: ignore[arg-type]
    assert refusal.value.code == code


def test_calls_are_merged_only_into_one_that_stands_for_itself() -> None:
    first, second = through(RECEIVED), through(RECEIVED, id="req_2")
    (event,) = decide.merged(second, WHO, first)
    merged = ROOM.apply(second, event)
    assert (merged.state, merged.merged_into) == (RequestState.MERGED, "req_1")
    for into in (second, merged, through(RECEIVED, (decide.refused, RefusalReason.NONE_LEFT), id="req_3")):
        with pytest.raises(Refused) as refusal:
            decide.merged(replace(second, state=RequestState.RECEIVED), WHO, into)
        assert refusal.value.code == "request.merge"
    apart = ROOM.apply(merged, decide.separated(merged, WHO)[0])
    assert (apart.state, apart.merged_into) == (RequestState.ACKNOWLEDGED, "")


DRAFT = (decide.drafted, replace(CALL, asked_at=InstantUs(1_000)))


def test_a_draft_is_no_call_until_a_person_confirms_it() -> None:
    draft = through(DRAFT, (decide.placed, CELL, "rgn_2"))
    assert (draft.state, draft.is_open, draft.people) == (RequestState.DRAFT, False, 350)
    for step in (decide.acknowledged, decide.closed, decide.reopened):
        with pytest.raises(Refused):
            step(draft, WHO)
    with pytest.raises(Refused, match="confirm it first"):
        decide.merged(through(RECEIVED, id="req_2"), WHO, draft)
    call = ROOM.apply(draft, decide.confirmed(draft, Who(InstantUs(9_000), "acc_1"))[0])
    assert (call.state, call.asked_at, call.region) == (RequestState.RECEIVED, 9_000, "rgn_2")


def test_a_draft_that_is_refused_never_becomes_a_call() -> None:
    gone = through(DRAFT, (decide.refused, RefusalReason.OTHER_MEANS))
    assert (gone.state, gone.refusal) == (RequestState.DISCARDED, RefusalReason.OTHER_MEANS)
    assert not [event for state, event in CYCLE.steps if state is RequestState.DISCARDED]


@pytest.mark.parametrize("changes", [{"asked_at": InstantUs(999)}, {"needed_by": InstantUs(2_000)}])
def test_a_draft_says_neither_when_somebody_asked_nor_a_deadline(changes: dict[str, object]) -> None:
    with pytest.raises(Refused) as refusal:
        decide.drafted(Request("req_1"), WHO, replace(DRAFT[1], **changes))  # type: ignore[arg-type]
    assert refusal.value.code == "request.draft"


DECISIONS = st.sampled_from(
    [
        RECEIVED,
        (decide.drafted, replace(CALL, asked_at=InstantUs(1_000))),
        (decide.confirmed,),
        (decide.acknowledged,),
        (decide.placed, CELL, "rgn_2"),
        (decide.verified, "aut_1", "call back"),
        (decide.accepted, 3),
        (decide.refused, RefusalReason.NOT_ALLOWED),
        (decide.answered, 3, "shp_1"),
        (decide.reopened,),
        (decide.closed,),
        (decide.merged, through(RECEIVED, id="req_9")),
        (decide.separated,),
    ]
)


@given(st.lists(DECISIONS, max_size=30))
def test_no_sequence_promises_without_verification_and_replay_gives_the_same(
    decisions: list[tuple[object, ...]],
) -> None:
    request, events = Request("req_1"), []
    for number, (function, *arguments) in enumerate(decisions):
        try:
            new = function(request, Who(InstantUs(1_000 + number), "acc_1"), *arguments)  # type: ignore[operator]
        except Refused:
            continue
        for event in new:
            assert not isinstance(event, RequestAccepted) or request.verified_by
            request = ROOM.apply(request, event)
            events.append(event)
    assert (request.state is RequestState.MERGED) == bool(request.merged_into)
    assert ROOM.replayed("req_1", tuple(events)) == request
    assert ROOM.from_plain(ROOM.to_plain(request)) == request
    types = EventTypes(ROOM.events)
    for event in events:
        columns = {"at": event.at, "by": event.by, "subject_id": event.subject_id, "cause_id": event.cause_id}
        assert types.read(event.NAME, columns, to_payload(event)) == event


def test_a_score_is_the_sum_of_its_reasons_and_says_what_is_not_known() -> None:
    request = replace(through(RECEIVED), needed_by=InstantUs(500 + 36 * HOUR_US))
    got = score(request, InstantUs(500 + 12 * HOUR_US), reachable_fraction=0.2)
    # 40 for a hospital, 2 tenfolds of 350 people, 80 % of the internet gone, 24 of 72 h left, 12 h of 24.
    assert [reason.points for reason in got.reasons] == pytest.approx([40, 10, 16, 10, 2.5])
    assert got.points == pytest.approx(78.5)
    unknown = score(request, InstantUs(500))
    assert any("not known" in reason.what for reason in unknown.reasons)
    assert score(request, InstantUs(500), 0.2, TriageRules(outage_points=0.0)).points < got.points


@given(st.integers(0, 10**7), st.integers(0, 10**7))
def test_more_people_never_count_less(a: int, b: int) -> None:
    few, many = (score(replace(through(RECEIVED), people=n), WHO.at).points for n in sorted((a, b)))
    assert few <= many


def test_duplicates_are_found_with_reasons_that_tell_nothing_personal() -> None:
    ours = Told(
        through(RECEIVED), "+380 (44) 000-00-01", "Міська лікарня № 1", "we need two dishes for surgery"
    )
    same = Told(through(RECEIVED, id="req_2"), "380440000001", "міська лікарня №1", "")
    near = Told(through(RECEIVED, id="req_3"), "", "Міська лікарня N 1", "We need 2 dishes for surgery!")
    other = Told(
        through((decide.received, replace(CALL, cell="851e5237fffffff")), id="req_4"),
        "else@example.org",
        "School 5",
        "",
    )
    found = alike(ours, [other, near, same, ours])
    assert [like.request_id for like in found] == ["req_2", "req_3"]
    assert "the same contact" in found[0].reasons
    told = " ".join(reason for like in found for reason in like.reasons)
    assert "380" not in told
    assert "лікарня" not in told


@pytest.mark.parametrize("cell", ["8f1e52274a6d8c3", "871e52274ffffff", "not-a-cell", "10.0,20.0"])
def test_a_cell_as_fine_as_a_place_is_refused_and_not_repeated(cell: str) -> None:
    with pytest.raises(Refused) as refusal:
        decide.received(Request("req_9"), WHO, replace(CALL, cell=cell))
    assert refusal.value.code == "request.cell"
    assert cell not in str(refusal.value)
    placed = through((decide.received, replace(CALL, cell="")), id="req_9")
    with pytest.raises(Refused):
        decide.placed(placed, WHO, cell, "")
