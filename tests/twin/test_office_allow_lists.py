"""Lists of authorities on a real store: looked at, taken, applied, by two where many lose it, taken back."""

from __future__ import annotations

from typing import Any

import pytest

from skylift.base.errors import Refused
from skylift.base.instants import InstantUs, parse_instant
from skylift.service.account.account import ROOM as ACCOUNTS
from skylift.service.account.plan import ROOM as PLANS
from skylift.service.account.roles import Grant, Role
from skylift.service.permission.reasons import Code
from skylift.service.region.state import ROOM as REGIONS
from skylift.service.terminal.allow_list.state import ROOM, AllowListState
from skylift.service.terminal.events import Basis, BlockReason
from skylift.service.terminal.state import ROOM as TERMINALS
from skylift.service.terminal.state import TerminalState
from skylift.twin.office import allow_lists
from skylift.twin.office.allow_lists import left_to_do, look, look_again
from skylift.twin.office.list_keeping import apply_due, carry_on
from skylift.twin.office.office import Forbidden
from skylift.twin.office.permits import permissions_of
from skylift.twin.office.verbs import Actor

NOW = parse_instant("2026-02-10T08:00:00Z")
DAYS_2 = 48 * 3_600_000_000
HEAD = "serial,owner_kind,shown,reference\n"


def row(serial: str, case: str, kind: str = "company") -> str:
    return f"{serial},{kind},yes,{case}\n"


def active(bureau: Any, serial: str, owner: str) -> str:
    do = bureau.do
    dish = do(bureau.logistics, "terminal.create", hardware="ROUND-2021", serial=serial, origin="gift").id
    do(bureau.operator, "terminal.register", dish, owner=owner, cell=bureau.cell, region="rgn_ua")
    do(bureau.operator, "terminal.verify", dish, basis="operator", authority="US-1", reference="check 1")
    do(bureau.operator, "terminal.activate", dish)
    return str(dish)


@pytest.fixture
def country(bureau: Any) -> Any:
    """Three active terminals of two companies."""
    bureau.at = NOW
    bureau.open_region()
    for owner in ("acc_a", "acc_b"):
        bureau.account(owner)
    for serial, owner in (("KIT0000001", "acc_a"), ("KIT0000002", "acc_a"), ("KIT0000003", "acc_b")):
        active(bureau, serial, owner)
    return bureau


def taken(bureau: Any, text: str, id: str = "alw_1") -> None:
    bureau.do(
        bureau.authority,
        "allow-list.create",
        rules="ua-2026",
        region="rgn_ua",
        csv=HEAD + text,
        document=f"list {id[4:]}/26",
        new_id=id,
    )
    bureau.at += DAYS_2


def seen(bureau: Any, id: str = "alw_1") -> dict[str, Any]:
    with bureau.store.reading() as reader:
        found = look_again(reader, bureau.office.rules, reader.get(ROOM, id).thing)
    return {
        "seen": found.seen,
        "cut_off": len(found.preview.cut_off),
        "flagged": len(found.preview.flagged),
    }


def states(bureau: Any) -> list[str]:
    return [bureau.terminal(f"KIT000000{n}").state.value for n in (1, 2, 3)]


def may(bureau: Any, serial: str) -> set[Code]:
    def every(room: Any) -> list[Any]:
        return [stored.thing for stored in bureau.store.things(room)]

    plans = {plan.id: plan for plan in every(PLANS)}
    permits = permissions_of(every(TERMINALS), every(ACCOUNTS), plans, every(REGIONS), lists=every(ROOM))
    decision = permits.may_serve(bureau.terminal(serial).id, bureau.cell, bureau.at)
    return {why.code for why in decision.reasons}


def test_looking_writes_nothing_and_says_who_would_be_cut_off(country: Any) -> None:
    head = country.store.head()
    with country.store.reading() as reader:
        found = look(reader, country.office.rules[0], HEAD + row("KIT0000001", "7/26"))
    ids = [country.terminal(f"KIT000000{n}").id for n in (1, 2, 3)]
    assert found.preview.cut_off == tuple(sorted(ids[1:]))
    assert found.preview.stays == (ids[0],)
    assert country.store.head() == head


def test_a_list_is_applied_after_its_grace_and_cuts_off_who_is_not_on_it(country: Any) -> None:
    taken(country, row("KIT0000001", "7/26") + row("KIT0000002", "7/26"))
    assert states(country) == ["active", "active", "active"]
    country.at -= DAYS_2
    with pytest.raises(Refused, match="its grace lasts"):
        country.do(country.operator, "allow-list.apply", "alw_1", **seen(country))
    country.at += DAYS_2
    country.do(country.operator, "allow-list.apply", "alw_1", **seen(country))
    assert states(country) == ["active", "active", "blocked"]
    stays, gone = country.terminal("KIT0000001"), country.terminal("KIT0000003")
    assert (stays.verified.basis, stays.verified.list_id, stays.verified.reference) == (
        Basis.ALLOW_LIST,
        "alw_1",
        "7/26",
    )
    assert gone.blocks["UA-MDT"].why is BlockReason.NOT_LISTED
    assert Code.TERMINAL_CUT_OFF in may(country, "KIT0000003")
    assert not may(country, "KIT0000001") & {Code.TERMINAL_CUT_OFF, Code.TERMINAL_NOT_LISTED}


def test_what_was_looked_at_is_what_is_done(country: Any) -> None:
    taken(country, row("KIT0000001", "7/26"))
    before = seen(country)
    active(country, "KIT0000009", "acc_b")
    for wrong in (before, {**seen(country), "cut_off": 0}):
        with pytest.raises(Refused, match="not those that were seen"):
            country.do(country.operator, "allow-list.apply", "alw_1", **wrong)
    assert states(country) == ["active", "active", "active"]


def test_many_are_cut_off_by_two_people_and_part_by_part(
    country: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(allow_lists, "MOST_ALONE", 1)
    monkeypatch.setattr(allow_lists, "PART", 1)
    taken(country, row("KIT0000001", "7/26"))
    waiting = country.ask(country.operator, "allow-list.apply", "alw_1", **seen(country))
    assert waiting.approval is not None
    assert states(country) == ["active", "active", "active"]
    country.do(country.operator, "allow-list.apply", "alw_1", **seen(country))
    # The rest waits for its part, and is not served meanwhile.
    assert sorted(states(country)) == ["active", "active", "blocked"]
    late = next(s for s in ("KIT0000002", "KIT0000003") if country.terminal(s).state is TerminalState.ACTIVE)
    assert Code.TERMINAL_NOT_LISTED in may(country, late)
    assert Code.TERMINAL_NOT_LISTED not in may(country, "KIT0000001")
    for left in (2, 1, 0, 0):
        with country.store.reading() as reader:
            assert left_to_do(reader, reader.get(ROOM, "alw_1").thing) == left
        country.do(country.operator, "allow-list.carry-out", "alw_1")
    assert states(country) == ["active", "blocked", "blocked"]
    assert country.terminal("KIT0000001").verified.list_id == "alw_1"


def test_a_hospital_is_cut_off_by_two_people_alone(country: Any) -> None:
    do = country.do
    call = do(
        country.operator,
        "request.create",
        channel="phone",
        site_kind="hospital",
        region="rgn_ua",
        new_id="req_1",
    )
    kit = [{"product": "DISH-GEN2", "serial": "KIT0000003"}]
    do(
        country.logistics,
        "shipment.create",
        reference="SL-0001",
        origin="WAW-1",
        destination="acc_b",
        recipient="acc_b",
        request=call.id,
        lines=kit,
        new_id="shp_1",
    )
    do(country.logistics, "shipment.pack", "shp_1")
    do(
        country.logistics,
        "shipment.plan-leg",
        "shp_1",
        from_place="WAW-1",
        to_place="acc_b",
        carrier="DHL-PL",
    )
    for verb in ("depart", "arrive"):
        do(country.logistics, f"shipment.{verb}", "shp_1")
    do(country.logistics, "shipment.receive", "shp_1", sound=kit)
    taken(country, row("KIT0000001", "7/26") + row("KIT0000002", "7/26"))
    now = seen(country)
    assert (now["cut_off"], now["flagged"]) == (1, 1)
    assert country.ask(country.operator, "allow-list.apply", "alw_1", **now).approval is not None
    with pytest.raises(Refused, match="not those that were seen"):
        country.do(country.operator, "allow-list.apply", "alw_1", **{**now, "flagged": 0})
    done = country.do(country.operator, "allow-list.apply", "alw_1", **now)
    assert done.state is AllowListState.APPLIED


def test_a_later_list_replaces_the_earlier_and_lets_in_whom_it_names(country: Any) -> None:
    taken(country, row("KIT0000001", "7/26") + row("KIT0000002", "7/26"))
    country.do(country.operator, "allow-list.apply", "alw_1", **seen(country))
    every = "".join(row(f"KIT000000{n}", f"{n}/26") for n in (1, 2, 3))
    taken(country, every, "alw_2")
    country.do(country.operator, "allow-list.apply", "alw_2", **seen(country, "alw_2"))
    assert country.get(ROOM, "alw_1").state is AllowListState.REPLACED
    assert states(country) == ["active", "active", "verified"]
    # Carried out on the earlier list, nothing happens any more.
    country.do(country.operator, "allow-list.carry-out", "alw_1")
    assert states(country) == ["active", "active", "verified"]


def test_who_is_let_in_by_hand_is_not_cut_off_again(country: Any) -> None:
    taken(country, row("KIT0000001", "7/26") + row("KIT0000002", "7/26"))
    country.do(country.operator, "allow-list.apply", "alw_1", **seen(country))
    gone = country.terminal("KIT0000003").id
    country.do(country.operator, "terminal.unblock", gone, authority="UA-MDT", document="letter 9")
    country.do(country.operator, "allow-list.carry-out", "alw_1")
    assert states(country)[2] == "registered"
    verified = {"basis": "authority", "authority": "UA-MDT", "reference": "case 9"}
    country.do(country.operator, "terminal.verify", gone, **verified)
    country.do(country.operator, "terminal.activate", gone)
    country.do(country.operator, "allow-list.carry-out", "alw_1")
    assert states(country)[2] == "active"
    assert Code.TERMINAL_NOT_LISTED not in may(country, "KIT0000003")


def test_a_list_that_is_taken_back_lets_everybody_in_again(country: Any) -> None:
    taken(country, row("KIT0000001", "7/26") + row("KIT0000002", "7/26"))
    country.do(country.operator, "allow-list.apply", "alw_1", **seen(country))
    country.do(country.authority, "allow-list.withdraw", "alw_1", authority="UA-MDT", document="order 9")
    assert states(country) == ["active", "active", "registered"]


def test_an_authority_gives_lists_for_its_own_territory_alone(country: Any) -> None:
    polish = Actor("per_pl", grants=(Grant(Role.AUTHORITY, ("rgn_pl",)),))
    asked = {"rules": "ua-2026", "region": "rgn_ua", "csv": HEAD + row("KIT0000001", "7/26")}
    with pytest.raises(Forbidden):
        country.do(polish, "allow-list.create", document="list 1", **asked)
    taken(country, row("KIT0000001", "7/26"))
    for verb, more in (
        ("withdraw", {"authority": "UA-MDT", "document": "x 1"}),
        ("extend", {"until": country.at}),
    ):
        with pytest.raises(Forbidden):
            country.do(polish, f"allow-list.{verb}", "alw_1", **more)
    later = InstantUs(country.at + DAYS_2)
    assert country.do(country.authority, "allow-list.extend", "alw_1", until=later).apply_after == later


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"rules": "xx-1"}, "no such rules"),
        ({"region": "rgn_zz"}, "there is none"),
        ({"csv": "serial,passport,owner_kind,shown,reference\n"}, "identity numbers are never taken"),
        ({"csv": HEAD + "KIT0000001,nobody,yes,7/26\n"}, "1 of its rows cannot be read"),
        (
            {"csv": HEAD + "".join(row(f"KIT00000{n}", "7/26", "person") for n in (11, 12, 13, 14))},
            "owners have more",
        ),
    ],
)
def test_a_list_that_cannot_be_taken_leaves_nothing(country: Any, change: dict[str, str], says: str) -> None:
    head = country.store.head()
    good = {
        "rules": "ua-2026",
        "region": "rgn_ua",
        "csv": HEAD + row("KIT0000001", "7/26"),
        "document": "list 1",
    }
    actor = country.authority if "region" not in change else country.operator
    with pytest.raises(Refused, match=says):
        country.do(actor, "allow-list.create", **{**good, **change})
    assert country.store.head() == head


# --- by themselves, as time passes


def kept(bureau: Any, id: str = "alw_1") -> bool:
    bureau.at += 1_000_000
    with bureau.store.transaction() as transaction:
        return bool(apply_due(transaction, bureau.office, id, InstantUs(bureau.at)))


def test_a_list_that_was_scheduled_applies_by_itself_when_its_grace_ends(country: Any) -> None:
    taken(country, row("KIT0000001", "7/26"))
    country.at -= DAYS_2
    country.do(country.operator, "allow-list.schedule", "alw_1", **seen(country))
    assert not kept(country), "its grace lasts"
    country.at += DAYS_2
    assert kept(country)
    assert states(country) == ["active", "blocked", "blocked"]
    assert not kept(country), "once"
    with country.store.reading() as reader:
        applied = reader.get(ROOM, "alw_1").thing
    assert (applied.state, applied.cut) == (AllowListState.APPLIED, applied.scheduled.cut_off)
    events = [row.event for row in country.store.journal(0, 500) if row.event.NAME == "allow-list.applied/1"]
    assert events[0].by == country.operator.person, "on the word of whoever scheduled it"


def test_without_that_word_or_by_more_than_was_looked_at_it_waits_for_people(country: Any) -> None:
    taken(country, row("KIT0000001", "7/26"))
    assert not kept(country), "nobody has said so"
    country.do(country.operator, "allow-list.schedule", "alw_1", **seen(country))
    active(country, "KIT0000004", "acc_b")
    assert not kept(country), "a terminal more would be cut off"
    assert states(country) == ["active"] * 3
    country.do(country.operator, "allow-list.schedule", "alw_1", **seen(country))
    assert kept(country)


def test_who_was_verified_in_the_grace_is_not_cut_off_and_holds_nothing_up(country: Any) -> None:
    taken(country, row("KIT0000001", "7/26"))
    country.do(country.operator, "allow-list.schedule", "alw_1", **seen(country))
    dish = country.terminal("KIT0000003").id
    country.do(country.operator, "terminal.report-lost", dish)
    assert kept(country)
    assert states(country) == ["active", "blocked", "lost"]


def test_to_schedule_takes_as_many_people_as_to_apply(country: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(allow_lists, "MOST_ALONE", 1)
    taken(country, row("KIT0000001", "7/26"))
    waiting = country.ask(country.operator, "allow-list.schedule", "alw_1", **seen(country))
    assert waiting.approval is not None
    assert not kept(country)
    country.do(country.operator, "allow-list.schedule", "alw_1", **seen(country))
    assert kept(country)
    with pytest.raises(Refused, match="applied"):
        country.do(country.operator, "allow-list.schedule", "alw_1", **seen_of_old)


seen_of_old = {"seen": "x", "cut_off": 0, "flagged": 0}


def test_what_is_left_is_carried_out_part_by_part(country: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(allow_lists, "PART", 1)
    taken(country, row("KIT0000001", "7/26"))
    country.do(country.operator, "allow-list.schedule", "alw_1", **seen(country))
    assert kept(country)
    done = []
    for _ in range(5):
        country.at += 1_000_000
        with country.store.transaction() as transaction:
            done.append(carry_on(transaction, country.office, "alw_1", InstantUs(country.at)))
    assert done == [1, 1, 0, 0, 0]
    assert states(country) == ["active", "blocked", "blocked"]
    with country.store.reading() as reader:
        assert left_to_do(reader, reader.get(ROOM, "alw_1").thing) == 0
