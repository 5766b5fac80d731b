"""Terminals: every step and every hole, the ways that really happen, and what no sequence can bring about."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from skylift.base.errors import Refused
from skylift.base.events import Event, EventTypes, Who, to_payload
from skylift.base.instants import InstantUs, SlotClock
from skylift.service.terminal import decide, trouble
from skylift.service.terminal import events as e
from skylift.service.terminal.commands import KEPT
from skylift.service.terminal.decide import Home, Names
from skylift.service.terminal.events import BlockReason, CommandKind, Enforcer, Mobility, Network
from skylift.service.terminal.service_line import LineOff, ServiceLine
from skylift.service.terminal.state import CYCLE, LABELS, ROOM, Missing, Terminal, TerminalState, label

S = 1_000_000
CELL = "851e5227fffffff"
HOME = Home(CELL, Mobility.PORTABLE, "rgn_ua")
NAMES = Names("2DWC000012340001", "KIT00012345", "ut01000000-00000000-00001234")
LINE = ServiceLine(
    "ast-511274-31364-54", "business-subscription-100", e.LineStanding.ACTIVE, InstantUs(5 * S), None,
    e.LineSource.OPERATORS_API,
)  # fmt: skip
ORDER = (BlockReason.ORDER, "UA-NCEC", "order 12/26")


@pytest.mark.parametrize("event", CYCLE.events())
@pytest.mark.parametrize("state", TerminalState)
def test_every_step_is_allowed_or_explained(state: TerminalState, event: type[Event]) -> None:
    if (state, event) in CYCLE.steps:
        assert CYCLE.after("trm_1", state, event) is CYCLE.steps[state, event]
    else:
        with pytest.raises(Refused, match=r"from here it can be|begin a new one") as refusal:
            CYCLE.after("trm_1", state, event)
        assert refusal.value.code == "terminal.wrong-state"


def test_every_state_can_come_about_and_has_words() -> None:
    assert CYCLE.reachable() == set(TerminalState) == set(LABELS)
    assert len({label(state) for state in TerminalState}) == len(TerminalState)


class Story:
    """A terminal and the events that made it so; each decision comes one second after the one before."""

    def __init__(self) -> None:
        self.terminal = Terminal("trm_1")
        self.events: list[Event] = []
        self.at = 0

    def __call__(self, function: Callable[..., tuple[Event, ...]], *arguments: Any) -> Story:
        self.at += S
        return self.take(function(self.terminal, self.who, *arguments))

    @property
    def who(self) -> Who:
        return Who(InstantUs(self.at), "per_1")

    def take(self, events: tuple[Event, ...]) -> Story:
        for event in events:
            self.terminal = ROOM.apply(self.terminal, event)
            self.events.append(event)
        return self

    @property
    def state(self) -> TerminalState:
        return self.terminal.state


def declared(network: Network = Network.OURS) -> Story:
    return Story()(decide.declared, NAMES, "DISH-GEN2", network, e.Origin.BOUGHT_ABROAD)


def verified(network: Network = Network.OURS) -> Story:
    story = declared(network)(decide.registered, "acc_hospital", HOME)
    return story(decide.verified, e.Basis.AUTHORITY, "UA-MDT", "case 118")


def active(network: Network = Network.OURS) -> Story:
    return verified(network)(decide.activated, "cmd_1")(decide.confirmed, "cmd_1", "ticket 1")


def test_the_long_way_from_the_factory() -> None:
    story = Story()(decide.manufactured, NAMES, "DISH-GEN2")
    for step in (
        (decide.exported, "US", "export 1"),
        (decide.customs_entered, "PL", "MRN 22PL1"),
        (decide.customs_left, True, "MRN 22PL1"),
        (decide.customs_entered, "UA", "MRN 22UA1"),
        (decide.delivered, "KYIV-1"),
        (decide.registered, "acc_hospital", HOME),
        (decide.verified, e.Basis.OPERATOR, "acc_skylift", "check 1"),
        (decide.activated, "cmd_1"),
    ):
        story(*step)
    assert story.state is TerminalState.ACTIVE
    assert story.terminal.barred == ""
    facets = ROOM.facets(story.terminal)
    assert facets.keys == {"serial": NAMES.serial, "kit": NAMES.kit, "dish_id": NAMES.dish_id}
    assert (facets.status, facets.owner, facets.region) == ("active", "acc_hospital", "rgn_ua")


def test_a_terminal_bought_abroad_skips_our_export() -> None:
    assert declared().state is TerminalState.DELIVERED
    assert declared().terminal.origin is e.Origin.BOUGHT_ABROAD
    unnamed = Story()(decide.declared, Names(kit="KIT00012345"), "DISH-GEN2", Network.OURS, e.Origin.GIFT)
    assert ROOM.facets(unnamed.terminal).keys == {"kit": "KIT00012345"}


# --- what is asked, what is confirmed


def test_what_is_asked_but_not_confirmed_is_not_in_force() -> None:
    story = verified(Network.OPERATOR)(decide.activated, "cmd_1")
    asked_at = story.at
    assert story.terminal.in_force(asked_at + 10**9) is None
    story(decide.confirmed, "cmd_1", "ticket 1")
    assert story.terminal.in_force(asked_at) is None
    assert story.terminal.in_force(story.at) is CommandKind.ACTIVATE
    (command,) = story.terminal.commands.confirmed
    assert (command.enforcer, command.asked_at, command.confirmed_at) == (
        Enforcer.OPERATOR_API,
        asked_at,
        story.at,
    )
    story(trouble.lost, "cmd_2")
    assert story.terminal.in_force(story.at) is CommandKind.ACTIVATE
    assert story.terminal.cut_off
    assert story.terminal.to_ask == ()
    story(decide.failed, "cmd_2", "429")
    assert story.terminal.to_ask == (Enforcer.OPERATOR_API,)
    story(decide.asked, Enforcer.OPERATOR_API, "cmd_3")(decide.confirmed, "cmd_3", "ticket 3")
    assert story.terminal.in_force(story.at) is CommandKind.BLOCK
    assert story.terminal.in_force(story.at - 1) is CommandKind.ACTIVATE


@pytest.mark.parametrize("take", [(trouble.lost,), (trouble.stolen, True), (trouble.stolen, False)])
def test_on_our_network_the_asks_of_the_next_slot_cut_it_off(take: tuple[Any, ...]) -> None:
    story = active()
    assert story.terminal.barred == ""
    story(*take, "cmd_9")
    # No confirmation has come, and none is needed: whoever builds the next slot's Asks reads this.
    assert story.terminal.barred in ("terminal.lost", "terminal.stolen")
    clock = SlotClock()
    slot_at = clock.start(story.at) + clock.length_us
    assert slot_at - story.at <= clock.length_us
    who = Who(InstantUs(slot_at), "sys_tick")
    story.take(decide.confirmed_by_slot(story.terminal, who, slot_at))
    assert story.terminal.in_force(slot_at) is CommandKind.BLOCK
    assert story.terminal.in_force(slot_at - 1) is CommandKind.ACTIVATE
    assert decide.confirmed_by_slot(story.terminal, who, slot_at) == ()


def test_a_slot_confirms_nothing_that_was_asked_after_it_began() -> None:
    story = active()(trouble.lost, "cmd_9")
    who = Who(InstantUs(story.at), "sys_tick")
    assert decide.confirmed_by_slot(story.terminal, who, story.at - 1) == ()


def test_a_confirmation_that_comes_twice_counts_once() -> None:
    story = active()
    assert decide.confirmed(story.terminal, story.who, "cmd_1", "ticket 1") == ()


def test_a_late_confirmation_of_an_overtaken_command_shows_and_is_asked_again() -> None:
    story = verified(Network.OPERATOR)(decide.activated, "cmd_1")(trouble.lost, "cmd_2")
    story(decide.confirmed, "cmd_2", "ticket 2")
    assert story.terminal.in_force(story.at) is CommandKind.BLOCK
    assert story.terminal.to_ask == ()
    story(decide.confirmed, "cmd_1", "ticket 1")
    assert story.terminal.in_force(story.at) is CommandKind.ACTIVATE
    assert story.terminal.to_ask == (Enforcer.OPERATOR_API,)


def test_what_is_blocked_need_not_be_paused() -> None:
    story = verified()(decide.activated, "cmd_1")(trouble.stolen, True, "cmd_2")
    story(trouble.released, "UA-POLICE", "report 7", True, "cmd_3")
    assert [c.kind for c in story.terminal.commands.pending] == [CommandKind.ACTIVATE, CommandKind.BLOCK]
    assert story.terminal.to_ask == ()
    # But should the old activation come to be after all, somebody has to be asked.
    story(decide.confirmed, "cmd_2", "ticket 2")(decide.confirmed, "cmd_1", "ticket 1")
    assert story.terminal.wanted is CommandKind.PAUSE
    assert story.terminal.to_ask == (Enforcer.OUR_NETWORK,)


def test_the_field_can_take_it_off_but_not_let_it_in() -> None:
    story = verified(Network.OPERATOR)(decide.activated, "cmd_1")
    story(decide.asked, Enforcer.FIELD, "cmd_2")(decide.confirmed, "cmd_2", "visit 1")
    assert story.terminal.in_force(story.at) is None
    story(decide.confirmed, "cmd_1", "ticket 1")
    assert story.terminal.in_force(story.at) is CommandKind.ACTIVATE
    story(trouble.lost, "cmd_3")
    assert [c.enforcer for c in story.terminal.commands.pending] == [Enforcer.OPERATOR_API, Enforcer.FIELD]
    story(decide.confirmed, "cmd_3-field", "visit 2")
    assert story.terminal.in_force(story.at) is CommandKind.BLOCK


def test_commands_that_are_refused() -> None:
    story = active(Network.OPERATOR)
    with pytest.raises(Refused, match="run by operator-api"):
        decide.asked(story.terminal, story.who, Enforcer.OUR_NETWORK, "cmd_2")
    with pytest.raises(Refused, match="used before"):
        decide.paused(story.terminal, story.who, e.PauseReason.PLAN, "cmd_1")
    with pytest.raises(Refused, match="waits for an answer"):
        decide.confirmed(story.terminal, story.who, "cmd_8", "ticket 8")
    with pytest.raises(Refused, match="waits for an answer"):
        decide.failed(story.terminal, story.who, "cmd_8", "429")
    with pytest.raises(Refused, match="never switched on"):
        decide.asked(declared().terminal, story.who, Enforcer.OUR_NETWORK, "cmd_2")
    story(decide.paused, e.PauseReason.OWNER, "cmd_2")
    with pytest.raises(Refused, match="check the clock"):
        decide.confirmed(story.terminal, Who(InstantUs(story.at - 1), "per_1"), "cmd_2", "ticket 2")


def test_long_ago_is_the_journals() -> None:
    story = active()
    first = story.at
    for n in range(2, KEPT + 9):
        ask = (decide.paused, e.PauseReason.OWNER) if n % 2 == 0 else (decide.activated,)
        story(*ask, f"cmd_{n}")(decide.confirmed, f"cmd_{n}", f"ticket {n}")
    assert len(story.terminal.commands.confirmed) == KEPT
    with pytest.raises(Refused, match="journal alone"):
        story.terminal.in_force(first)
    # From where its memory begins, it says what the journal says.
    for at in range(story.terminal.commands.known_from or 0, story.at + 1, S):
        before = ROOM.replayed("trm_1", tuple(event for event in story.events if event.at <= at))
        assert story.terminal.in_force(at) is before.in_force(at)


# --- lost, stolen, blocked, and back


def test_a_lost_one_is_found_and_begins_anew() -> None:
    story = active()(trouble.lost, "cmd_2")(trouble.found, "cmd_f")
    assert story.state is TerminalState.REGISTERED
    assert story.terminal.owner == "acc_hospital"
    assert story.terminal.verified is None
    with pytest.raises(Refused, match="cannot be activated"):
        decide.activated(story.terminal, story.who, "cmd_3")


def test_one_lost_on_the_way_belongs_to_nobody_when_found() -> None:
    story = Story()(decide.manufactured, NAMES, "DISH-GEN2")(decide.exported, "US", "export 1")
    story(trouble.lost, "cmd_1")
    # A network is asked to block what it has never let in: it must not be let in by mistake.
    assert [c.kind for c in story.terminal.commands.pending] == [CommandKind.BLOCK]
    story(trouble.found, "cmd_f")
    assert (story.state, story.terminal.owner) == (TerminalState.DELIVERED, "")


def test_a_stolen_one_comes_back_through_an_authority_alone() -> None:
    story = active()(trouble.stolen, True, "cmd_2")
    assert story.terminal.missing is Missing.CAPTURED
    for function, *arguments in (
        (trouble.found, ID),
        (decide.activated, "cmd_3"),
        (decide.registered, "acc_thief", HOME),
        (decide.names_set, Names("OTHER-1234"), e.NameReason.CORRECTED),
    ):
        with pytest.raises(Refused, match="it is stolen"):
            function(story.terminal, story.who, *arguments)  # type: ignore[operator]
    story(trouble.released, "UA-POLICE", "report 7", True, "cmd_r")
    assert (story.state, story.terminal.missing) == (TerminalState.REGISTERED, None)


def test_a_block_is_lifted_by_who_ordered_it_and_no_other() -> None:
    story = active()(trouble.blocked, ORDER, False, "cmd_2")
    story(trouble.blocked, (BlockReason.SANCTION, "EU-COUNCIL", "list 4"), False, "cmd_3")
    with pytest.raises(Refused, match="ask EU-COUNCIL and UA-NCEC"):
        trouble.released(story.terminal, story.who, "acc_owner", "wish 1", True, "cmd_r")
    with pytest.raises(Refused, match="has blocked it already"):
        trouble.blocked(story.terminal, story.who, ORDER, False, "cmd_4")
    story(trouble.released, "UA-NCEC", "order 13/26", True, "cmd_r")
    assert story.state is TerminalState.BLOCKED
    story(trouble.released, "EU-COUNCIL", "list 5", True, "cmd_r")
    assert story.state is TerminalState.REGISTERED


def test_blocked_for_ever_is_for_ever() -> None:
    story = active()(trouble.blocked, ORDER, True, "cmd_2")
    with pytest.raises(Refused, match="for ever"):
        trouble.released(story.terminal, story.who, "UA-NCEC", "order 13/26", True, "cmd_r")
    story(trouble.retired, e.Retirement.BROKEN, "cmd_3")
    with pytest.raises(Refused, match="leave it retired"):
        trouble.restored(story.terminal, story.who, "repair 1", "cmd_r")


def test_a_blocked_one_that_was_stolen_is_released_when_it_is_there() -> None:
    story = active()(trouble.blocked, ORDER, False, "cmd_2")(trouble.stolen, False, "cmd_3")
    assert story.state is TerminalState.BLOCKED
    with pytest.raises(Refused, match="would speak for who has it"):
        trouble.released(story.terminal, story.who, "UA-NCEC", "order 13/26", True, "cmd_r")
    story(trouble.found, "cmd_f")
    assert story.state is TerminalState.BLOCKED
    with pytest.raises(Refused, match="nobody misses it"):
        trouble.found(story.terminal, story.who, "cmd_f")
    story(trouble.released, "UA-NCEC", "order 13/26", False, "cmd_r")
    assert (story.state, story.terminal.owner) == (TerminalState.DELIVERED, "")


def test_a_broken_one_is_repaired() -> None:
    story = active()(trouble.retired, e.Retirement.BROKEN, "cmd_2")
    assert [c.kind for c in story.terminal.commands.pending] == [CommandKind.BLOCK]
    story(trouble.restored, "repair 1", "cmd_r")
    assert (story.state, story.terminal.owner) == (TerminalState.DELIVERED, "")


def test_one_recorded_by_mistake_frees_its_names_unless_it_is_blocked_or_missing() -> None:
    story = declared()(trouble.retired, e.Retirement.NEVER_WAS, "cmd_1")
    assert ROOM.facets(story.terminal).keys == {}
    assert set(ROOM.facets(declared()(trouble.retired, e.Retirement.BROKEN, "cmd_1").terminal).keys) == {
        "serial",
        "kit",
        "dish_id",
    }
    for trick in ((trouble.blocked, ORDER, False), (trouble.lost,)):
        story = declared()(*trick, "cmd_1")
        with pytest.raises(Refused, match="was no mistake"):
            trouble.retired(story.terminal, story.who, e.Retirement.NEVER_WAS, "cmd_2")


# --- owners, names, homes


def test_a_hand_over_needs_both_sides() -> None:
    story = active()
    with pytest.raises(Refused, match="its owner does that"):
        decide.hand_over_offered(story.terminal, story.who, "acc_other", "acc_school")
    with pytest.raises(Refused, match="another account"):
        decide.hand_over_offered(story.terminal, story.who, "acc_hospital", "acc_hospital")
    with pytest.raises(Refused, match="no offer stands"):
        decide.hand_over_accepted(story.terminal, story.who, "acc_school", HOME, "cmd_2")
    story(decide.hand_over_offered, "acc_hospital", "acc_school")
    assert story.state is TerminalState.ACTIVE
    with pytest.raises(Refused, match="offered to another"):
        decide.hand_over_accepted(story.terminal, story.who, "acc_hospital", HOME, "cmd_2")
    story(decide.hand_over_accepted, "acc_school", Home(CELL), "cmd_2")
    assert (story.state, story.terminal.owner) == (TerminalState.REGISTERED, "acc_school")
    assert story.terminal.verified is None
    # The former owner's activation does not serve the new one.
    assert [c.kind for c in story.terminal.commands.pending] == [CommandKind.PAUSE]


@pytest.mark.parametrize(
    ("account", "how"),
    [("acc_hospital", e.OfferEnd.WITHDRAWN), ("acc_school", e.OfferEnd.DECLINED)],
)
def test_an_offer_ends_from_either_side(account: str, how: e.OfferEnd) -> None:
    story = active()(decide.hand_over_offered, "acc_hospital", "acc_school")
    with pytest.raises(Refused, match="its owner does that"):
        decide.hand_over_ended(story.terminal, story.who, "acc_third")
    story(decide.hand_over_ended, account)
    assert story.events[-1].how is how  # type: ignore[attr-defined]
    assert story.terminal.offered_to == ""


def test_an_offer_does_not_outlive_a_loss() -> None:
    story = active()(decide.hand_over_offered, "acc_hospital", "acc_school")(trouble.lost, "cmd_2")
    assert story(trouble.found, "cmd_f").terminal.offered_to == ""


def test_an_owner_gives_it_up() -> None:
    story = active()
    with pytest.raises(Refused, match="its owner does that"):
        decide.unregistered(story.terminal, story.who, "acc_other", "cmd_2")
    story(decide.unregistered, "acc_hospital", "cmd_2")
    assert (story.state, story.terminal.owner, story.terminal.cell) == (TerminalState.DELIVERED, "", "")
    assert [c.kind for c in story.terminal.commands.pending] == [CommandKind.PAUSE]


def test_a_verification_is_withdrawn_by_who_gave_it() -> None:
    story = active()
    with pytest.raises(Refused, match="ask UA-MDT"):
        decide.verification_withdrawn(story.terminal, story.who, "acc_x", "case 1", "cmd_2")
    story(decide.verification_withdrawn, "UA-MDT", "case 119", "cmd_2")
    assert story.state is TerminalState.REGISTERED
    assert [c.kind for c in story.terminal.commands.pending] == [CommandKind.PAUSE]


def test_an_allow_list_is_named_where_a_verification_rests_on_it() -> None:
    story = declared()(decide.registered, "acc_hospital", HOME)
    for basis, list_id in ((e.Basis.ALLOW_LIST, ""), (e.Basis.AUTHORITY, "alw_1")):
        with pytest.raises(Refused, match="give both, or neither"):
            decide.verified(story.terminal, story.who, basis, "UA-MDT", "case 1", list_id)
    story(decide.verified, e.Basis.ALLOW_LIST, "UA-MDT", "case 1", "alw_1")
    assert story.terminal.verified is not None
    assert story.terminal.verified.list_id == "alw_1"


def test_names_are_learned_and_corrected() -> None:
    story = Story()(decide.declared, Names(kit="KIT00012345"), "DISH-GEN2", Network.OURS, e.Origin.GIFT)
    story(decide.names_set, Names("2DWC0001", "KIT00012345"), e.NameReason.LEARNED)
    with pytest.raises(Refused, match="as a correction"):
        decide.names_set(story.terminal, story.who, Names("2DWC0002", "KIT00012345"), e.NameReason.LEARNED)
    assert (
        decide.names_set(story.terminal, story.who, Names("2dwc0001", "kit00012345"), e.NameReason.LEARNED)
        == ()
    )
    story(decide.names_set, Names("2DWC0002", "KIT00012345"), e.NameReason.CORRECTED)
    assert story.terminal.serial == "2DWC0002"
    with pytest.raises(Refused, match="give one of them"):
        decide.names_set(story.terminal, story.who, Names(), e.NameReason.CORRECTED)


@pytest.mark.parametrize("cell", ["871e52270ffffff", "50.45,30.52", "", "851e5227ffffff"])
def test_a_home_is_no_finer_than_a_cell_of_resolution_5(cell: str) -> None:
    with pytest.raises(Refused, match="resolution 5") as refusal:
        decide.registered(declared().terminal, Who(InstantUs(1), "per_1"), "acc_1", Home(cell))
    assert refusal.value.code == "terminal.cell"
    assert not cell or cell not in str(refusal.value)


def test_a_home_that_does_not_change_is_no_event() -> None:
    story = active()
    assert decide.home_set(story.terminal, story.who, HOME) == ()
    story(decide.home_set, Home(CELL, Mobility.IN_MOTION))
    assert story.terminal.mobility is Mobility.IN_MOTION


# --- any sequence

ACCOUNTS = ("acc_hospital", "acc_school")
ID = object()  # where a new command's id goes

DECISIONS: list[tuple[Any, ...]] = [
    (decide.manufactured, NAMES, "DISH-GEN2", Network.OPERATOR),
    (decide.declared, NAMES, "DISH-GEN2", Network.OURS, e.Origin.GIFT),
    (decide.names_set, Names(kit="KIT00012345"), e.NameReason.CORRECTED),
    (decide.exported, "US", "export 1"),
    (decide.customs_entered, "UA", "MRN 1"),
    (decide.customs_left, False, "MRN 1"),
    (decide.delivered, "KYIV-1"),
    (decide.registered, "acc_hospital", HOME),
    (decide.home_set, Home(CELL)),
    (decide.verified, e.Basis.AUTHORITY, "UA-MDT", "case 1"),
    (decide.verification_withdrawn, "UA-MDT", "case 2", ID),
    (decide.activated, ID),
    (decide.paused, e.PauseReason.PLAN, ID),
    (decide.hand_over_offered, "acc_hospital", "acc_school"),
    (decide.hand_over_accepted, "acc_school", HOME, ID),
    (decide.hand_over_ended, "acc_school"),
    (decide.unregistered, "acc_school", ID),
    (trouble.lost, ID),
    (trouble.stolen, True, ID),
    (trouble.found, ID),
    (trouble.blocked, ORDER, False, ID),
    (trouble.blocked, (BlockReason.FRAUD, "acc_skylift", "fraud 1"), True, ID),
    (trouble.released, "UA-NCEC", "order 13", True, ID),
    (trouble.retired, e.Retirement.BROKEN, ID),
    (trouble.restored, "repair 1", ID),
    (decide.asked, Enforcer.FIELD, ID),
    (decide.asked, Enforcer.OUR_NETWORK, ID),
    (decide.asked, Enforcer.OPERATOR_API, ID),
    (decide.line_recorded, LINE),
    (decide.no_line_recorded, e.LineSource.OTHER_RECORDS),
]


def _possible(story: Story, number: int) -> list[tuple[Any, ...]]:
    """Every decision that does something to the terminal as it is; the others are refused, and leave it
    alone.
    """
    used = [event.command_id for event in story.events if isinstance(event, e.CommandAsked)]
    answers = [(decide.confirmed, id, "ticket 1") for id in used] + [(decide.failed, id, "E1") for id in used]
    found = []
    for function, *arguments in [*DECISIONS, *answers]:
        given = [f"cmd_{number}" if a is ID else a for a in arguments]
        try:
            if function(story.terminal, story.who, *given):
                found.append((function, *given))
        except Refused as refusal:
            refused_as = refusal.code
        else:
            continue
        assert refused_as.startswith("terminal.")
    return found


def _oracle_in_force(events: list[Event], network: Enforcer) -> CommandKind | None:
    """Straight from the journal: the last confirmation of each enforcer, and a network before the field."""
    asked = {a.command_id: a for a in events if isinstance(a, e.CommandAsked)}
    last: dict[Enforcer, CommandKind] = {}
    for event in events:
        if isinstance(event, e.CommandConfirmed):
            last[asked[event.command_id].enforcer] = asked[event.command_id].kind
    order = [CommandKind.ACTIVATE, CommandKind.PAUSE, CommandKind.BLOCK]
    field = last.get(Enforcer.FIELD)
    says = [
        kind for kind in (last.get(network), field if field is not CommandKind.ACTIVATE else None) if kind
    ]
    return max(says, key=order.index) if says else None


# Chance alone would retire most terminals young: the first steps lead to service.
BEGUN = ([], [1, 7], [1, 7, 9, 11], [0, 6, 7, 9, 11])


@settings(max_examples=150, deadline=None)
@given(st.sampled_from(BEGUN), st.lists(st.integers(0, 2**16), min_size=10, max_size=25))
def test_no_sequence_serves_what_must_not_be_served(begun: list[int], choices: list[int]) -> None:
    story = Story()
    for number, choice in enumerate([*begun, *choices]):
        acts = _possible(story, number)
        act = DECISIONS[choice] if number < len(begun) else acts[choice % len(acts)]
        before = story.terminal
        story(act[0], *(f"cmd_{number}" if a is ID else a for a in act[1:]))
        _check(before, story)
    assert ROOM.replayed("trm_1", tuple(story.events)) == story.terminal
    assert ROOM.from_plain(ROOM.to_plain(story.terminal)) == story.terminal
    types = EventTypes(ROOM.events)
    for event in story.events:
        columns = {"at": event.at, "by": event.by, "subject_id": event.subject_id, "cause_id": event.cause_id}
        assert types.read(event.NAME, columns, to_payload(event)) == event


def _check(before: Terminal, story: Story) -> None:
    terminal = story.terminal
    if terminal.state is TerminalState.ACTIVE:
        assert terminal.owner
        assert terminal.verified is not None
        assert not terminal.blocks
        assert terminal.missing is None
    assert (terminal.barred == "") is (terminal.state is TerminalState.ACTIVE)
    # Nobody forgets to ask: what is cut off or switched off, its network heads for, unless it said no.
    if terminal.state is not before.state and terminal.wanted is not before.wanted:
        assert terminal.to_ask == ()
    assert terminal.in_force(story.at) is _oracle_in_force(story.events, terminal.enforcer)
    if before.owner and terminal.owner not in ("", before.owner):
        assert terminal.owner == before.offered_to
    if terminal.state is TerminalState.BLOCKED:
        assert terminal.blocks


# --- the line that it is on at an operator's


def test_a_line_is_recorded_changed_and_told_once() -> None:
    story = declared(Network.OPERATOR)(decide.line_recorded, LINE)
    line = story.terminal.line
    assert line is not None
    assert (line.number, line.product, line.off(10**18)) == ("AST-511274-31364-54", LINE.product, None)
    assert decide.line_recorded(story.terminal, story.who, LINE) == ()
    # Cancelled to the next bill day, renewed, taken for another dish.
    ends = replace(LINE, ended_at=InstantUs(90 * S))
    story(decide.line_recorded, ends)(decide.line_recorded, LINE)
    story(decide.no_line_recorded, e.LineSource.OPERATORS_API)
    assert decide.no_line_recorded(story.terminal, story.who, e.LineSource.OPERATORS_API) == ()
    told = [(type(event), to_payload(event).get("ended_at")) for event in story.events[1:]]
    assert told == [
        (e.LineRecorded, None), (e.LineRecorded, 90 * S), (e.LineRecorded, None), (e.NoLineRecorded, None)
    ]  # fmt: skip
    assert story.events[-1].former == line.number  # type: ignore[attr-defined]
    # It is no decision of ours: nothing is asked of anybody, and the state stays.
    assert story.terminal.commands.asked == 0
    assert story.state is TerminalState.DELIVERED


@pytest.mark.parametrize(
    ("line", "off"),
    [
        (LINE, None),
        (replace(LINE, ended_at=InstantUs(101)), None),
        (replace(LINE, ended_at=InstantUs(100)), LineOff.ENDED),
        (replace(LINE, standing=e.LineStanding.UNKNOWN), None),
        (replace(LINE, standing=e.LineStanding.INACTIVE), LineOff.INACTIVE),
        (ServiceLine(""), LineOff.NONE),
    ],
)
def test_what_a_line_says_of_whether_it_serves(line: ServiceLine, off: LineOff | None) -> None:
    assert line.off(100) is off


@pytest.mark.parametrize(
    ("wrong", "code"),
    [
        ({"number": "Олена, дім 5"}, "terminal.number"),
        ({"number": "380501234567"}, "terminal.number"),
        ({"product": "Olena Petrenko"}, "terminal.product"),
        ({"product": "50.4501"}, "terminal.product"),
        ({"product": "3805012345"}, "terminal.product"),
        ({"ended_at": InstantUs(4 * S)}, "terminal.line-ends"),
    ],
)
def test_a_line_that_is_none_is_refused_and_not_repeated(wrong: dict[str, Any], code: str) -> None:
    with pytest.raises(Refused) as refusal:
        declared()(decide.line_recorded, replace(LINE, **wrong))
    assert refusal.value.code == code
    assert not any(str(value) in str(refusal.value) for value in wrong.values())


@pytest.mark.parametrize("state", [TerminalState.LOST, TerminalState.BLOCKED, TerminalState.RETIRED])
def test_a_line_is_billed_whatever_became_of_the_dish(state: TerminalState) -> None:
    assert CYCLE.after("trm_1", state, e.LineRecorded) is state
    with pytest.raises(Refused):
        decide.line_recorded(Terminal("trm_1"), declared().who, LINE)
