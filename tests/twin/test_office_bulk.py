"""Many terminals by one decision: two people for many, all or none; and every verb walked by every role."""

from __future__ import annotations

import dataclasses
import enum
import types
import typing
from random import Random
from typing import Any

import pytest

from skylift.base.errors import Refused
from skylift.base.events import EventTypes, Who, to_payload
from skylift.base.instants import InstantUs
from skylift.service.account.roles import ALLOWS, Grant, Role
from skylift.service.terminal import bulk
from skylift.service.terminal.bulk import ROOM, BulkChange, What
from skylift.service.terminal.state import TerminalState
from skylift.twin.office import bulk_changes
from skylift.twin.office.allow_lists import MOST_ALONE
from skylift.twin.office.office import Forbidden
from skylift.twin.office.table import TABLE
from skylift.twin.office.verbs import Actor

BLOCK = {"what": "block", "authority": "UA-MDT", "document": "order 7"}


def fleet(bureau: Any, count: int) -> list[str]:
    """Terminals of one company, verified."""
    bureau.at = 1
    bureau.account("acc_a")
    ids = []
    for n in range(count):
        dish = bureau.do(
            bureau.logistics, "terminal.create", hardware="ROUND-2021", serial=f"KIT{n:07}", origin="gift"
        ).id
        bureau.do(bureau.operator, "terminal.register", dish, owner="acc_a", cell=bureau.cell)
        bureau.do(
            bureau.operator, "terminal.verify", dish, basis="operator", authority="US-1", reference="check 1"
        )
        ids.append(dish)
    return ids


def states(bureau: Any, count: int) -> set[TerminalState]:
    return {bureau.terminal(f"KIT{n:07}").state for n in range(count)}


def test_more_than_a_set_number_take_two_people(bureau: Any) -> None:
    ids = fleet(bureau, MOST_ALONE + 1)
    few = bureau.ask(bureau.operator, "bulk-change.create", what="activate", terminals=ids[:MOST_ALONE])
    assert few.approval is None
    many = {**BLOCK, "terminals": ids}
    waiting = bureau.ask(bureau.operator, "bulk-change.create", **many)
    assert waiting.approval is not None
    assert TerminalState.BLOCKED not in states(bureau, MOST_ALONE + 1)
    approval = waiting.approval.id
    with pytest.raises(Refused, match="1 more person"):
        bureau.ask(bureau.operator, "bulk-change.create", approval=approval, **many)
    agreed = {"change": waiting.approval.thing.change}
    bureau.do(bureau.approver, "approval.agree", approval, **agreed)
    with pytest.raises(Refused, match="another change"):
        bureau.ask(
            bureau.operator, "bulk-change.create", approval=approval, **{**many, "document": "order 8"}
        )
    done = bureau.ask(bureau.operator, "bulk-change.create", approval=approval, **many).stored
    assert states(bureau, MOST_ALONE + 1) == {TerminalState.BLOCKED}
    assert (done.id, done.thing.agreement, len(done.thing.terminals)) == (
        waiting.approval.thing.about,
        approval,
        MOST_ALONE + 1,
    )
    causes = [
        row.event.cause_id for row in bureau.store.journal(0, 5000) if row.event.NAME == "terminal.blocked/1"
    ]
    assert causes == [done.id] * (MOST_ALONE + 1)
    with pytest.raises(Refused):
        bureau.ask(bureau.operator, "bulk-change.create", approval=approval, **many)


def test_naming_one_twice_does_not_make_it_fewer_or_more(bureau: Any) -> None:
    ids = fleet(bureau, 1)
    done = bureau.ask(bureau.operator, "bulk-change.create", what="activate", terminals=ids * 60)
    assert done.approval is None
    assert done.stored.thing.terminals == tuple(ids)


def test_all_or_none_unless_some_may_be_skipped(bureau: Any) -> None:
    ids = fleet(bureau, 3)
    bureau.do(bureau.operator, "terminal.activate", ids[0])
    head = bureau.store.head()
    with pytest.raises(Refused, match=rf"2 of 3: {ids[1]}: it is verified.*nothing was changed"):
        bureau.do(bureau.operator, "bulk-change.create", what="pause", terminals=ids)
    assert bureau.store.head() == head
    done = bureau.do(bureau.operator, "bulk-change.create", what="pause", terminals=ids, skip=True)
    assert (done.terminals, done.asked) == ((ids[0],), 3)
    with pytest.raises(Refused, match="in a state to pause it"):
        bureau.do(bureau.operator, "bulk-change.create", what="pause", terminals=ids, skip=True)
    bureau.do(bureau.operator, "bulk-change.create", terminals=ids, **BLOCK)
    unblock = {**BLOCK, "what": "unblock", "document": "order 8"}
    bureau.do(bureau.operator, "bulk-change.create", terminals=ids, **unblock)
    assert states(bureau, 3) == {TerminalState.REGISTERED}


def test_a_failure_half_way_undoes_all(bureau: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    ids = fleet(bureau, 3)
    head = bureau.store.head()
    calls, whole = [], bulk_changes._by

    def third_fails(*arguments: Any, **more: Any) -> Any:
        calls.append(1)
        if len(calls) == 3:
            raise Refused("x.x", "x", "the third cannot", "x")
        return whole(*arguments, **more)

    monkeypatch.setattr(bulk_changes, "_by", third_fails)
    with pytest.raises(Refused, match="the third cannot"):
        bureau.do(bureau.operator, "bulk-change.create", what="activate", terminals=ids)
    assert bureau.store.head() == head
    assert states(bureau, 3) == {TerminalState.VERIFIED}


def test_nobody_does_to_many_what_they_may_not_do_to_one(bureau: Any) -> None:
    ids = fleet(bureau, 2)
    asked = {**BLOCK, "terminals": ids}
    for actor in (
        bureau.field,
        bureau.logistics,
        bureau.authority,
        Actor("per_x", "acc_a", (Grant(Role.SUBSCRIBER),)),
    ):
        with pytest.raises(Forbidden):
            bureau.do(actor, "bulk-change.create", **asked)
    abroad = Actor("per_pl", grants=(Grant(Role.OPERATOR, ("rgn_pl",)),))
    with pytest.raises(Forbidden):
        bureau.do(abroad, "bulk-change.create", **asked)
    with pytest.raises(Refused, match="there is none"):
        bureau.do(abroad, "bulk-change.create", region="rgn_pl", **asked)
    assert states(bureau, 2) == {TerminalState.VERIFIED}


@pytest.mark.parametrize("ids", [[], ["trm_x"], ["rgn_x"], [f"trm_{n}" for n in range(bulk.MOST + 1)]])
def test_ids_are_of_terminals_that_are_there(bureau: Any, ids: list[str]) -> None:
    with pytest.raises(Refused):
        bureau.do(bureau.operator, "bulk-change.create", what="pause", terminals=ids)


def test_a_bulk_change_is_made_once_and_comes_back_from_the_store() -> None:
    change = BulkChange("blk_1")
    events = bulk.made(change, Who(InstantUs(1), "per_1"), What.PAUSE, ("trm_1",), 2)
    after = ROOM.apply(change, events[0])
    assert ROOM.replayed("blk_1", events) == after == ROOM.from_plain(ROOM.to_plain(after))
    with pytest.raises(Refused, match="begin a new one"):
        ROOM.apply(after, events[0])
    columns = {"at": InstantUs(1), "by": "per_1", "subject_id": "blk_1", "cause_id": None}
    assert EventTypes(ROOM.events).read(events[0].NAME, columns, to_payload(events[0])) == events[0]


# --- owners and those who act for them


def test_owners_and_operators_for_them_give_up_and_hand_over_and_nobody_else(bureau: Any) -> None:
    (dish,) = fleet(bureau, 1)
    owner = Actor("per_a", "acc_a", (Grant(Role.SUBSCRIBER),))
    other = bureau.account("acc_b")
    # In the field, with an account of their own, and no operator.
    with pytest.raises(Forbidden):
        bureau.do(bureau.logistics, "terminal.hand-over", dish, to="acc_b")
    with pytest.raises(Refused, match="there is none"):
        bureau.do(owner, "terminal.hand-over", dish, to="acc_zz")
    for offering in (owner, bureau.operator):
        assert bureau.do(offering, "terminal.hand-over", dish, to="acc_b").offered_to == "acc_b"
        with pytest.raises(Forbidden):
            bureau.do(other, "terminal.end-offer", dish)
        assert bureau.do(offering, "terminal.end-offer", dish).offered_to == ""
    bureau.do(owner, "terminal.hand-over", dish, to="acc_b")
    with pytest.raises(Forbidden):
        bureau.do(owner, "terminal.decline", dish)
    assert bureau.do(other, "terminal.decline", dish).offered_to == ""
    with pytest.raises(Forbidden):
        bureau.do(other, "terminal.unregister", dish)
    assert bureau.do(owner, "terminal.unregister", dish).state is TerminalState.DELIVERED


def test_a_subscriber_who_is_an_operator_elsewhere_acts_for_their_own_account_here(bureau: Any) -> None:
    bureau.open_region()
    (dish,) = fleet(bureau, 1)
    both = Actor("per_c", "acc_c", (Grant(Role.SUBSCRIBER), Grant(Role.OPERATOR, ("rgn_pl",))))
    with pytest.raises(Forbidden):
        bureau.do(both, "terminal.unregister", dish)


def test_what_enforcers_refuse_is_asked_again_and_what_was_retired_comes_back(bureau: Any) -> None:
    (dish,) = fleet(bureau, 1)
    bureau.do(bureau.operator, "terminal.activate", dish)
    command = bureau.do(bureau.operator, "terminal.ask-field", dish).commands.pending[-1].id
    after = bureau.do(bureau.field, "terminal.report-failed", dish, command=command, error="TIMEOUT")
    assert after.commands.last_error == "TIMEOUT"
    assert len(after.commands.pending) == 1
    assert len(bureau.do(bureau.operator, "terminal.ask-field", dish).commands.pending) == 2
    bureau.do(bureau.operator, "terminal.ask-again", dish)
    with pytest.raises(Refused, match="who verified it"):
        bureau.do(bureau.operator, "terminal.withdraw-verification", dish, authority="XX-1", reference="x 1")
    gone = {"authority": "US-1", "reference": "letter 9"}
    assert bureau.do(bureau.operator, "terminal.withdraw-verification", dish, **gone).verified is None
    bureau.do(bureau.operator, "terminal.retire", dish, why="broken")
    restored = bureau.do(bureau.operator, "terminal.restore", dish, document="repair 7")
    assert restored.state is TerminalState.DELIVERED


# --- every verb by every role: done, or refused with a reason; never anything else


def value(random: Random, hint: Any, name: str, pool: list[str]) -> Any:
    """Something of a type that msgspec takes for it, as a caller would send it."""
    args = typing.get_args(hint)
    origin = typing.get_origin(hint)
    if origin in (typing.Union, types.UnionType):
        chosen = random.choice(args)
        return None if chosen is type(None) else value(random, chosen, name, pool)
    if origin is tuple:
        return [value(random, args[0], name, pool) for _ in range(random.randint(0, 3))]
    if origin is not None:
        return {}
    if dataclasses.is_dataclass(hint):
        return arguments(random, hint, pool)
    if isinstance(hint, type) and issubclass(hint, enum.Enum):
        return random.choice(list(hint)).value
    if hint is bool:
        return random.random() < 0.5
    if hint in (int, InstantUs):
        return random.choice((-1, 0, 1, 2, 10**15))
    if hint is float:
        return random.choice((0.0, 1e7))
    likely = [text for word, texts in LIKELY.items() if word in name for text in texts]
    return random.choice(likely if likely and random.random() < 0.85 else pool)


HEAD = "serial,owner_kind,shown,reference\n"
# What a caller who knows the fields would say in them.
LIKELY: dict[str, list[str]] = {
    "owner": ["acc_a"], "recipient": ["acc_a"], "account": ["acc_a"], "to": ["acc_a", "acc_b"],
    "cell": ["851e5227fffffff"], "region": ["rgn_ua"], "about": ["rgn_ua"], "country": ["UA"],
    "serial": ["KIT0000000", "KIT0000001", "KIT0000002"], "kit": [""], "dish_id": [""],
    "document": ["order 7/26"], "reference": ["SL-0001", "SL-0002"], "evidence": ["slot 1"],
    "authority": ["US-1", "UA-MDT"], "origin": ["WAW-1"], "destination": ["KYIV-1"], "from_place": ["WAW-1"],
    "to_place": ["KYIV-1"], "carrier": ["DHL-PL"], "product": ["DISH-GEN2"], "codes": ["KIT0000000"],
    "csv": ["product,serial\nDISH-GEN2,KIT0000001", HEAD + "KIT0000001,company,1,7/26"],
    "hardware": ["ROUND-2021"], "request": [""], "place_uk": [""], "batch": [""], "rules": ["ua-2026"],
    "change": [], "despite": [""],
    "title": ["Aid"], "reason": ["weather"], "how": ["call back"], "list_id": [""],
}  # fmt: skip


def arguments(random: Random, kind: Any, pool: list[str]) -> dict[str, Any]:
    hints = typing.get_type_hints(kind)
    return {f.name: value(random, hints[f.name], f.name, pool) for f in dataclasses.fields(kind)}


EVERYTHING = (
    *(Grant(role) for role in Role if role is not Role.AUTHORITY),
    Grant(Role.AUTHORITY, ("rgn_ua",)),
)
TEXTS = [
    "",
    "UA",
    "UA-MDT",
    "WAW-1",
    "KYIV-1",
    "KIT0000001",
    "order 7/26",
    "851e5227fffffff",
    "acc_a",
    "rgn_ua",
    "DISH-GEN2",
    "product,serial\nDISH-GEN2,KIT0000001",
    "Україна",
    "\n",
    "x" * 300,
    "ua-2026",
]


@pytest.mark.parametrize("role", Role)
def test_every_verb_by_every_role_is_done_or_explained(bureau: Any, role: Role) -> None:
    """Others who may do everything go about their work meanwhile, so that there is something to be done."""
    random = Random(role.value)
    LIKELY["change"] = []
    ids = fleet(bureau, 2)
    bureau.open_region()
    bureau.account("acc_b")
    own = (Grant(role, ("rgn_ua",) if role is Role.AUTHORITY else ()),)
    walker, others = Actor("per_walk", "acc_a", own), Actor("per_others", "acc_a", EVERYTHING)
    known: dict[str, list[str]] = {"terminal": ids, "region": ["rgn_ua"], "account": ["acc_a", "acc_b"]}
    done: set[str] = set()
    for _ in range(9):
        for verb in TABLE.verbs.values():
            for actor in (others, walker):
                pool = [*TEXTS, *(id for of_it in known.values() for id in of_it)]
                subjects = [*known.get(verb.kind, [])[-3:], f"{verb.room.prefix}_none"]
                subject = None if verb.creates else random.choice(subjects)
                try:
                    answer = bureau.ask(actor, verb.name, subject, **arguments(random, verb.arguments, pool))
                except Refused:
                    continue
                known.setdefault(verb.kind, []).append(answer.stored.id)
                if answer.approval is not None:
                    known.setdefault("approval", []).append(answer.approval.id)
                    LIKELY["change"].append(answer.approval.thing.change)
                if actor is walker:
                    done.add(verb.name)
    # A verb that is somebody else's is never done; some of its own every role gets done.
    assert done <= ALLOWS[role]
    assert done or not ALLOWS[role] & set(TABLE.verbs)
