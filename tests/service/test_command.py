"""Commands, consents and rollouts: every step and hole, and what no sequence of them can bring about."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from skylift.base.errors import Refused
from skylift.base.events import Event, EventTypes, Who, to_payload
from skylift.base.instants import InstantUs
from skylift.service.command import consent, rollout, state
from skylift.service.command.kinds import MAY_TRANSMIT, OFF, RADIO_OFF, RETURNS, CommandKind, Told, checked
from skylift.service.command.rollout import MOST_BY_PERSON, MOST_IN_REGION, Rollout, RolloutTo, StageHealth
from skylift.service.command.state import Addressee, Command, CommandState, Order
from skylift.wire.agent import orders

WHO = Who(InstantUs(1_000), "per_1")
HOUR_US = 3_600_000_000
TO = Addressee("trm_1", 1, "rgn_ua", "acc_1")


def issued(kind: CommandKind = CommandKind.STOW, told: Told = state.NOTHING_TOLD) -> Command:
    (event,) = state.issued(Command("cmd_1"), WHO, Order(kind, told), TO)
    return state.apply(Command("cmd_1"), event)


@pytest.mark.parametrize("cycle", [state.CYCLE, consent.CYCLE, rollout.CYCLE], ids=lambda one: one.thing)
def test_every_step_is_allowed_or_explained(cycle: Any) -> None:
    for at in type(cycle.begins):
        for event in cycle.events():
            if (at, event) in cycle.steps:
                assert cycle.after("x_1", at, event) is cycle.steps[at, event]
            else:
                with pytest.raises(Refused, match=r"from here it can be|begin a new one"):
                    cycle.after("x_1", at, event)
    assert cycle.reachable() == set(type(cycle.begins))


def test_agent_and_service_mean_the_same_commands() -> None:
    assert {kind.value for kind in CommandKind} == {kind.value for kind in orders.Kind}
    assert {kind.value for kind in RADIO_OFF} <= {kind.value for kind in OFF}
    assert set(RETURNS) == set(CommandKind)
    assert (MAY_TRANSMIT, {kind.value for kind in RADIO_OFF}) == (
        orders.MAY_TRANSMIT,
        {kind.value for kind in orders.RADIO_OFF},
    )
    assert len({state.label(one) for one in CommandState}) == len(CommandState)


def test_a_command_says_how_it_comes_back_and_when_its_time_is_over() -> None:
    command = issued()
    assert "nothing switches it on by itself" in command.returns
    assert command.expires_at == WHO.at + HOUR_US
    assert command.waits_at(WHO.at + HOUR_US - 1)
    assert not command.waits_at(WHO.at + HOUR_US)


@pytest.mark.parametrize(
    ("kind", "told"),
    [
        (CommandKind.STOW, Told(on=True)),
        (CommandKind.SLEEP_SCHEDULE, Told()),
        (CommandKind.SLEEP_SCHEDULE, Told(True, 60)),
        (CommandKind.SLEEP_SCHEDULE, Told(True, 1440, 60)),
        (CommandKind.SLEEP_SCHEDULE, Told(True, 0, 0)),
        (CommandKind.SLEEP_SCHEDULE, Told(True, -1, 5)),
    ],
)
def test_what_a_command_cannot_be_told(kind: CommandKind, told: Told) -> None:
    with pytest.raises(Refused) as refusal:
        checked(kind, told)
    assert refusal.value.code == "command.argument"


@pytest.mark.parametrize("minutes", [0, 1441, -5])
def test_no_command_lasts_for_ever(minutes: int) -> None:
    with pytest.raises(Refused, match="expires_min"):
        state.issued(Command("cmd_1"), WHO, Order(CommandKind.STOW, expires_min=minutes), TO)


def test_the_first_answer_stands_and_none_of_it_tells_of_people_or_places() -> None:
    command = issued()
    (event,) = state.answered(command, WHO, "failed", ("unconfirmed", "it may still transmit"), 7)
    after = state.apply(command, event)
    assert (after.state, after.code, after.said) == (
        CommandState.FAILED,
        "unconfirmed",
        "it may still transmit",
    )
    assert state.answered(after, WHO, "done", ("", ""), 9) == ()
    for said in ("at 50.4501 30.5234", "ask olena@example.org", "3001234567", "x\x1b[31m\n" * 90):
        (event,) = state.answered(command, WHO, "done", ("<script>", said), -5)
        done = state.apply(command, event)
        assert done.said in ("", "".join(c if c.isprintable() else " " for c in said[:200]).strip())
        assert "50.4501" not in done.said
        assert "@" not in done.said
        assert done.code == ""
    with pytest.raises(Refused, match="done, refused, failed or expired"):
        state.answered(command, WHO, "perhaps", ("", ""), 0)


def test_an_answer_may_come_after_it_was_taken_back() -> None:
    command = issued()
    (event,) = state.withdrawn(command, WHO, "a mistake")
    gone = state.apply(command, event)
    (event,) = state.answered(gone, WHO, "done", ("", "its radio is off"), 9)
    assert state.apply(gone, event).state is CommandState.DONE


def test_consent_is_given_to_what_switches_off_in_writing() -> None:
    of = ("trm_1", "rgn_ua", "acc_1")
    for kinds in ((), (CommandKind.REBOOT,), (CommandKind.STOW, CommandKind.UNSTOW)):
        with pytest.raises(Refused, match="switches off"):
            consent.given(consent.Consent("cns_1"), WHO, of, kinds, "letter 7")
    with pytest.raises(Refused):
        consent.given(consent.Consent("cns_1"), WHO, of, (CommandKind.STOW,), "")
    (event,) = consent.given(consent.Consent("cns_1"), WHO, of, (CommandKind.STOW,) * 2, "letter 7")
    given_ = consent.apply(consent.Consent("cns_1"), event)
    assert consent.facets(given_).keys == {"terminal": "trm_1"}
    (event,) = consent.taken_back(given_, WHO)
    assert consent.facets(consent.apply(given_, event)).keys == {}


@pytest.mark.parametrize("kind", CommandKind)
def test_a_radio_is_off_once_the_dish_says_so_and_until_then_may_transmit(kind: CommandKind) -> None:
    told = Told(False) if kind is CommandKind.SLEEP_SCHEDULE else state.NOTHING_TOLD
    sent = issued(kind, told)
    radio = kind in (CommandKind.STOW, CommandKind.RF_INHIBIT)
    (back,) = state.withdrawn(sent, WHO, "the rollout has stopped")
    unconfirmed = [sent, state.apply(sent, back)]
    for result in ("refused", "failed", "expired"):
        (event,) = state.answered(sent, WHO, result, ("", ""), 5)
        unconfirmed.append(state.apply(sent, event))
    assert {"may still transmit: pull the power" in state.meaning(one) for one in unconfirmed} == {radio}
    (event,) = state.answered(sent, WHO, "done", ("", "the radio is off"), 5)
    assert "transmit" not in state.meaning(state.apply(sent, event))


# --- many dishes


def begun(count: int, by: str = "per_1", at: int = 1_000, region: str = "rgn_ua") -> Rollout:
    ids = tuple(f"trm_{n}" for n in range(count))
    who = Who(InstantUs(at), by)
    to = RolloutTo(ids, {region: count}, region, "firmware hangs", "apr_1")
    (event,) = rollout.begun(Rollout("rol_1"), who, (CommandKind.REBOOT, {}, 60), to)
    return rollout.apply(Rollout("rol_1"), event)


def test_stages_are_1_10_and_100_at_a_time_and_each_waits_for_the_one_before() -> None:
    one, sizes = begun(350), []
    health = StageHealth(0, 0, 0)
    while one.state is rollout.RolloutState.UNDER_WAY:
        ids = {terminal: f"cmd_{terminal}" for terminal in one.next_stage()}
        for event in rollout.proceeded(one, WHO, health, ids):
            one = rollout.apply(one, event)
        if one.state is rollout.RolloutState.UNDER_WAY:
            sizes.append(len(one.stages[-1]))
            with pytest.raises(Refused, match="the gate is shut"):
                rollout.proceeded(one, WHO, StageHealth(sizes[-1] - 1, 0, 1), ids)
            health = StageHealth(sizes[-1], 0, 0)
    assert sizes == [1, 10, 100, 100, 100, 39]
    assert one.state is rollout.RolloutState.ENDED
    assert {terminal for stage in one.stages for terminal in stage} == set(one.terminals)


@pytest.mark.parametrize(
    ("total", "wrong", "bad"), [(1, 0, False), (1, 1, True), (10, 1, True), (100, 5, False), (100, 6, True)]
)
def test_it_ends_by_itself_where_too_many_go_wrong(total: int, wrong: int, bad: bool) -> None:
    one = begun(350)
    (event,) = rollout.proceeded(one, WHO, StageHealth(0, 0, 0), {"trm_0": "cmd_1"})
    one = rollout.apply(one, event)
    health = StageHealth(0, wrong, total - wrong)
    stopped = rollout.judged(one, WHO, health)
    assert bool(stopped) is bad
    # Whoever goes on where nothing was heard in time meets the same.
    over = StageHealth(total - wrong, wrong, 0)
    (event,) = rollout.proceeded(one, WHO, over, {"trm_1": "cmd_2"})
    assert isinstance(event, rollout.RolloutStopped) is bad


def test_the_blast_radius_of_a_person_and_of_a_region() -> None:
    before = [begun(MOST_BY_PERSON - 10), begun(MOST_IN_REGION - MOST_BY_PERSON, by="per_2")]
    rollout.refuse_blast(before, "per_1", {"rgn_ua": 10}, 2_000)
    with pytest.raises(Refused, match="one person") as refusal:
        rollout.refuse_blast(before, "per_1", {"rgn_ua": 11}, 2_000)
    assert refusal.value.code == "rollout.too-many-by-person"
    with pytest.raises(Refused, match="of a region") as refusal:
        rollout.refuse_blast(before, "per_3", {"rgn_ua": 11}, 2_000)
    assert refusal.value.code == "rollout.too-many-in-region"
    rollout.refuse_blast(before, "per_3", {"rgn_pl": 11}, 2_000)
    # Those that are in no region are no way around it.
    nowhere = [begun(MOST_BY_PERSON, by="per_2", region=""), begun(MOST_BY_PERSON, by="per_4", region="")]
    with pytest.raises(Refused, match="of a region") as refusal:
        rollout.refuse_blast(nowhere, "per_3", {"": 1}, 2_000)
    assert refusal.value.thing == "terminals of no region"


def test_a_rollout_counts_as_long_as_it_reaches_somebody_and_for_a_day_after() -> None:
    one = begun(MOST_BY_PERSON)
    late = rollout.WINDOW_US + 5_000
    with pytest.raises(Refused, match="one person"):
        rollout.refuse_blast([one], "per_1", {"rgn_ua": 1}, late)
    who = Who(InstantUs(late), "per_1")
    (event,) = rollout.proceeded(one, who, StageHealth(0, 0, 0), {"trm_0": "cmd_1"})
    (stop,) = rollout.stopped(one, who)
    ended = rollout.apply(rollout.apply(one, event), stop)
    with pytest.raises(Refused, match="one person"):
        rollout.refuse_blast([ended], "per_1", {"rgn_ua": 1}, late + rollout.WINDOW_US - 1)
    rollout.refuse_blast([ended], "per_1", {"rgn_ua": 1}, late + rollout.WINDOW_US)


@pytest.mark.parametrize(
    "ids", [[], ["trm_1"], ["trm_1", "trm_1"], [f"trm_{n}" for n in range(1_001)], ["x"]]
)
def test_a_rollout_is_to_several_and_not_to_too_many(ids: list[str]) -> None:
    with pytest.raises(Refused):
        rollout.checked(ids)


ANSWERS = st.sampled_from(["done", "refused", "failed", "expired", "withdraw"])


@given(st.lists(ANSWERS, max_size=6))
def test_replay_gives_the_same_and_it_comes_back_from_the_store(steps: list[str]) -> None:
    command, events = Command("cmd_1"), list[Event]()
    told = Told(True, 60, 30)
    for step in ["issue", *steps]:
        try:
            if step == "issue":
                new = state.issued(command, WHO, Order(CommandKind.SLEEP_SCHEDULE, told), TO)
            elif step == "withdraw":
                new = state.withdrawn(command, WHO, "no")
            else:
                new = state.answered(command, WHO, step, ("not_allowed", "no"), 5)
        except Refused:
            continue
        for event in new:
            command = state.apply(command, event)
            events.append(event)
    room = state.ROOM
    assert room.replayed("cmd_1", tuple(events)) == command == room.from_plain(room.to_plain(command))
    types = EventTypes(room.events)
    for event in events:
        columns = {"at": event.at, "by": event.by, "subject_id": event.subject_id, "cause_id": event.cause_id}
        assert types.read(event.NAME, columns, to_payload(event)) == event
