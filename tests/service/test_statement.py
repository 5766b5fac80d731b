"""Statements: from the record alone, checked again when they go out, in both languages."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from skylift.base.errors import Refused
from skylift.base.events import Event, EventTypes, Who, to_payload
from skylift.base.instants import InstantUs
from skylift.service.statement import state as room
from skylift.service.statement.drafting import (
    LANGUAGES,
    TEXTS,
    BatchFact,
    Claims,
    Kind,
    RecordedFacts,
    RegionFact,
    contradictions,
    drafted,
    texts,
)
from skylift.service.statement.state import CYCLE, ROOM, Statement, StatementState, label

WHO = Who(InstantUs(1_000), "acc_1")
FACTS = RecordedFacts(
    InstantUs(900),
    {"rgn_1": RegionFact({"en": "Ukraine", "uk": "Україна"}, "active")},
    {"shp_1": BatchFact(1, True, True, 499), "shp_2": BatchFact(2, True, False, 600)},
    {"rgn_1": 212},
)


@pytest.mark.parametrize("event", CYCLE.events())
@pytest.mark.parametrize("state", StatementState)
def test_every_step_is_allowed_or_explained(state: StatementState, event: type[Event]) -> None:
    if (state, event) in CYCLE.steps:
        assert CYCLE.after("sta_1", state, event) is CYCLE.steps[state, event]
    else:
        with pytest.raises(Refused, match=r"from here it can be|begin a new one"):
            CYCLE.after("sta_1", state, event)


def test_every_state_can_come_about_and_has_words() -> None:
    assert CYCLE.reachable() == set(StatementState)
    assert len({label(state) for state in StatementState}) == len(StatementState)
    assert all(set(words) == set(LANGUAGES) for words in TEXTS.values())
    assert set(TEXTS) == set(Kind)


def test_words_in_both_languages() -> None:
    assert texts(drafted(Kind.BATCH_RECEIVED, "rgn_1", FACTS, "shp_1")) == {
        "en": "Batch 1 has been received in Ukraine. Terminals in good order: 499.",
        "uk": "Партію 1 отримано: Україна. Справних терміналів: 499.",
    }
    assert "only when needed" in texts(drafted(Kind.SERVICE_ACTIVE, "rgn_1", FACTS))["en"]


@pytest.mark.parametrize(
    ("kind", "batch", "says"),
    [
        (Kind.SERVICE_PAUSED, "", "rgn_1 is active"),
        (Kind.BATCH_RECEIVED, "shp_2", "has not been received"),
        (Kind.BATCH_RECEIVED, "shp_3", "not on record"),
        (Kind.BATCH_RECEIVED, "", "no shipment is named"),
    ],
)
def test_what_the_record_does_not_bear_is_refused(kind: Kind, batch: str, says: str) -> None:
    with pytest.raises(Refused, match=says):
        drafted(kind, "rgn_1", FACTS, batch)


@pytest.mark.parametrize(
    "change",
    [
        {"number": 500},
        {"ordinal": 2},
        {"batch": "shp_2"},
        {"about": "rgn_2"},
        {"kind": Kind.BATCH_SENT, "number": 1},
    ],
)
def test_any_altered_claim_is_a_contradiction(change: dict[str, object]) -> None:
    claims = drafted(Kind.BATCH_RECEIVED, "rgn_1", FACTS, "shp_1")
    assert not contradictions(claims, FACTS)
    assert contradictions(replace(claims, **change), FACTS)  # type: ignore[arg-type]


def test_what_was_true_when_drafted_is_looked_at_again() -> None:
    claims = drafted(Kind.SERVICE_ACTIVE, "rgn_1", FACTS)
    statement = ROOM.apply(Statement("sta_1"), room.drafted(Statement("sta_1"), WHO, claims, FACTS)[0])
    assert room.published(statement, WHO, FACTS)
    since = replace(FACTS, regions={"rgn_1": RegionFact({"en": "Ukraine"}, "suspended")})
    with pytest.raises(Refused, match="rgn_1 is suspended"):
        room.published(statement, WHO, since)
    with pytest.raises(Refused, match="told why"):
        room.withdrawn(statement, WHO, " ")


CLAIMS = Claims(Kind.TERMINALS_ONLINE, "rgn_1", number=212, titles={"en": "Ukraine", "uk": "Україна"})
STEPS = st.sampled_from(
    [(room.drafted, CLAIMS, FACTS), (room.published, FACTS), (room.withdrawn, "a mistake in the count")]
)


@given(st.lists(STEPS, max_size=12))
def test_replay_gives_the_same_and_what_is_stored_comes_back(steps: list[tuple[object, ...]]) -> None:
    statement, events = Statement("sta_1"), []
    for number, (decide, *arguments) in enumerate(steps):
        try:
            new = decide(statement, Who(InstantUs(1_000 + number), "acc_1"), *arguments)  # type: ignore[operator]
        except Refused:
            continue
        statement = ROOM.apply(statement, new[0])
        events += new
    assert ROOM.replayed("sta_1", tuple(events)) == statement
    assert ROOM.from_plain(ROOM.to_plain(statement)) == statement
    types = EventTypes(ROOM.events)
    for event in events:
        columns = {"at": event.at, "by": event.by, "subject_id": event.subject_id, "cause_id": event.cause_id}
        assert types.read(event.NAME, columns, to_payload(event)) == event
