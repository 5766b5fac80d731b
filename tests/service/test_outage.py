"""Outages: every step and every hole, words in both languages, and what the public may see."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from skylift.base.errors import Refused
from skylift.base.events import Event, EventTypes, Who, to_payload
from skylift.base.instants import InstantUs, parse_instant
from skylift.service.outage import state as room
from skylift.service.outage.events import Cause, Claim, Entity, EntityKind, Level
from skylift.service.outage.state import (
    CYCLE,
    LEAST_TERMINALS,
    PUBLIC_DELAY_US,
    ROOM,
    Outage,
    OutageState,
    is_public,
    label,
)
from skylift.service.outage.words import is_stale, sentence

BEGAN = parse_instant("2022-02-26T03:10:00Z")
SURE = InstantUs(BEGAN + 600_000_000)
NOW = InstantUs(BEGAN + 3_600_000_000)
WHO = Who(NOW, "per_1")
AS = Entity(EntityKind.AS, "AS64500", "Example Telecom", "Приклад Телеком", "UA")
LOW = Level(0.18, 0.15, 0.21, ("ping-slash24",), 400)
CLAIM = Claim("Example News", "https://example.org/report", BEGAN)


def opened(entity: Entity = AS, level: Level = LOW, **more: Any) -> Outage:
    empty = Outage("out_1")
    (event,) = room.opened(empty, WHO, entity, (BEGAN, SURE), level, (more.get("synthetic", False), ""))
    return room.apply(empty, event)


def after(outage: Outage, events: tuple[Event, ...]) -> Outage:
    for event in events:
        outage = room.apply(outage, event)
    return outage


@pytest.mark.parametrize("event", CYCLE.events())
@pytest.mark.parametrize("state", OutageState)
def test_every_step_is_allowed_or_explained(state: OutageState, event: type[Event]) -> None:
    if (state, event) in CYCLE.steps:
        assert CYCLE.after("out_1", state, event) is CYCLE.steps[state, event]
    else:
        with pytest.raises(Refused, match=r"from here it can be|begin a new one"):
            CYCLE.after("out_1", state, event)


def test_every_state_can_come_about_and_has_words() -> None:
    assert CYCLE.reachable() == set(OutageState)
    assert len({label(state) for state in OutageState}) == len(OutageState)


def test_the_sentence_that_a_monitor_must_be_able_to_say() -> None:
    outage = opened()
    assert sentence(outage) == (
        "Connectivity of Example Telecom (AS64500) fell to 18 % (15-21) of ordinary levels at 03:10 UTC on "
        "2022-02-26 and is still down."
    )
    assert sentence(outage, "uk") == (
        "Приклад Телеком (AS64500): зв'язність впала до 18 % (15-21) звичайного рівня о 03:10 UTC 2022-02-26 "
        "і досі не відновилася."
    )
    better = after(outage, room.updated(outage, WHO, NOW, Level(0.5, 0.5, 0.5)))
    assert sentence(better).endswith("and is at 50 % now.")
    over = after(better, room.closed(better, WHO, InstantUs(BEGAN + 1_800_000_000)))
    assert sentence(over).endswith("fell to 18 % (15-21) of ordinary levels at 03:10 UTC on 2022-02-26 and "
                                   "recovered at 03:40 UTC on 2022-02-26.")  # fmt: skip


def test_what_nobody_measures_any_more_is_not_said_to_be_down_still() -> None:
    outage = opened()
    day_us = 86_400_000_000
    assert [is_stale(outage, SURE + days * day_us) for days in (0, 2, 3)] == [False, False, True]
    assert not is_stale(after(outage, room.closed(outage, WHO, NOW)), SURE + 3 * day_us)
    assert sentence(outage, stale=True).endswith(
        "and was still down when last measured, at 03:20 UTC on 2022-02-26."
    )
    assert sentence(outage, "uk", stale=True).endswith("за останнім вимірюванням о 03:20 UTC 2022-02-26.")


def test_a_name_that_a_terminal_would_obey_is_refused() -> None:
    for field in ("code", "title", "title_uk"):
        for name in ("\x1b[31mUA", "UA\n", "U\u202eA", "A" * 201):
            with pytest.raises(Refused, match="can be printed"):
                opened(replace(AS, **{field: name}))


def test_what_is_made_up_says_so_in_every_language() -> None:
    assert "Synthetic" in sentence(opened(synthetic=True))
    assert "Вигадані" in sentence(opened(synthetic=True), "uk")


def test_nobody_is_blamed_without_a_source() -> None:
    outage = opened()
    with pytest.raises(Refused) as refusal:
        room.explained(outage, WHO, Cause.CYBER_ATTACK, ())
    assert refusal.value.code == "outage.unsourced"
    told = sentence(after(outage, room.explained(outage, WHO, Cause.CYBER_ATTACK, (CLAIM,))))
    assert told.endswith("Sources attribute it to a cyber-attack (Example News).")
    with pytest.raises(Refused):
        room.explained(outage, WHO, Cause.POWER, (replace(CLAIM, url="http://example.org"),))
    assert after(outage, room.explained(outage, WHO, Cause.POWER, ())).cause is Cause.POWER


def test_the_worst_is_kept_while_the_level_moves() -> None:
    outage = opened()
    for minutes, fraction in ((61, 0.4), (62, 0.05), (63, 0.6)):
        at = InstantUs(BEGAN + minutes * 60_000_000)
        level = Level(fraction, fraction, fraction)
        outage = after(outage, room.updated(outage, Who(at, "watch"), at, level))
    assert (outage.level.fraction, outage.worst.fraction) == (0.6, 0.05)


def test_a_late_measurement_rewrites_nothing() -> None:
    outage = opened()
    assert room.updated(outage, WHO, SURE, Level(0.01, 0.01, 0.01)) == ()
    assert room.updated(outage, WHO, InstantUs(SURE - 1), Level(0.01, 0.01, 0.01)) == ()


@pytest.mark.parametrize(
    "level",
    [Level(-0.1, -0.1, 0.1), Level(0.5, 0.6, 0.7), Level(0.5, 0.1, 0.4), Level(float("nan"), 0.1, 0.4)],
)
def test_impossible_levels_are_refused(level: Level) -> None:
    with pytest.raises(Refused):
        opened(level=level)


@pytest.mark.parametrize(
    ("kind", "targets", "public"),
    [
        (EntityKind.COUNTRY, 0, True),
        (EntityKind.REGION, 0, True),
        (EntityKind.AS, 0, True),
        (EntityKind.AS_WITH_CONE, 0, True),
        (EntityKind.CITY, 10_000, False),
        (EntityKind.CELL, 10_000, False),
        (EntityKind.POLYGON, 10_000, False),
        (EntityKind.TERMINALS, LEAST_TERMINALS - 1, False),
        (EntityKind.TERMINALS, LEAST_TERMINALS, True),
    ],
)
def test_the_public_sees_countries_regions_networks_and_crowds_after_a_while(
    kind: EntityKind, targets: int, public: bool
) -> None:
    outage = opened(replace(AS, kind=kind), replace(LOW, targets=targets))
    # NOW is long after the detector was sure: the delay counts from the recording.
    assert not is_public(outage, NOW)
    assert not is_public(outage, InstantUs(NOW + PUBLIC_DELAY_US - 1))
    later = InstantUs(NOW + PUBLIC_DELAY_US)
    assert is_public(outage, later) is public
    held = after(outage, room.held(outage, WHO, "people are still leaving"))
    assert not is_public(held, later)
    assert is_public(after(held, room.released(held, WHO)), later) is public
    assert not is_public(after(outage, room.dismissed(outage, WHO, "our own prober")), later)


def test_the_public_never_learns_of_what_is_on_record_since_nobody_knows_when() -> None:
    # As it was stored before the instant of recording was kept.
    plain = {name: value for name, value in ROOM.to_plain(opened()).items() if name != "recorded_at"}
    old = ROOM.from_plain(plain)
    assert old.recorded_at is None
    assert not is_public(old, InstantUs(NOW + 100 * PUBLIC_DELAY_US))


def test_an_outage_is_not_merged_into_itself_or_into_nothing() -> None:
    outage = opened()
    with pytest.raises(Refused):
        room.merged(outage, WHO, outage)
    with pytest.raises(Refused):
        room.merged(outage, WHO, Outage("out_2"))
    other = replace(opened(), id="out_2")
    assert after(outage, room.merged(outage, WHO, other)).into == "out_2"


def test_it_cannot_end_before_it_began_or_be_sure_before_it_begins() -> None:
    with pytest.raises(Refused):
        room.closed(opened(), WHO, BEGAN)
    with pytest.raises(Refused):
        room.closed(opened(), WHO, InstantUs(NOW + 1))
    with pytest.raises(Refused):
        room.opened(Outage("out_1"), WHO, AS, (SURE, BEGAN), LOW)


STEPS = st.lists(
    st.sampled_from(["update", "close", "confirm", "dismiss", "hold", "release", "explain"]), max_size=20
)


@given(STEPS)
def test_whatever_is_done_replay_gives_the_state_and_events_survive_storage(steps: list[str]) -> None:
    outage = Outage("out_1")
    events: list[Event] = list(room.opened(outage, WHO, AS, (BEGAN, SURE), LOW))
    outage = after(outage, tuple(events))
    types = EventTypes(ROOM.events)
    for number, step in enumerate(steps):
        who = Who(InstantUs(NOW + number), "per_2")
        level = Level(number / 20, number / 20, 1.0)
        decide = {
            "update": lambda o, w, lv: room.updated(o, w, w.at, lv),
            "close": lambda o, w, lv: room.closed(o, w, w.at),
            "confirm": lambda o, w, lv: room.confirmed(o, w),
            "dismiss": lambda o, w, lv: room.dismissed(o, w, "no"),
            "hold": lambda o, w, lv: room.held(o, w, "wait"),
            "release": lambda o, w, lv: room.released(o, w),
            "explain": lambda o, w, lv: room.explained(o, w, Cause.POWER, (CLAIM,)),
        }[step]
        try:
            more = decide(outage, who, level)
        except Refused:
            continue
        outage = after(outage, more)
        events += more
    assert ROOM.replayed("out_1", tuple(events)) == outage
    assert ROOM.from_plain(ROOM.to_plain(outage)) == outage
    for event in events:
        columns = {
            "at": event.at,
            "by": event.by,
            "subject_id": event.subject_id,
            "cause_id": event.cause_id,
        }
        assert types.read(event.NAME, columns, to_payload(event)) == event
