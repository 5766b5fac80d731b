"""Statements from the record of a real store, and their feeds; the whole day, from the call to the word."""

from __future__ import annotations

import json
from typing import Any
from xml.etree import ElementTree as Xml

import pytest
from hypothesis import given
from hypothesis import strategies as st

from skylift.base.errors import Refused
from skylift.base.events import Who
from skylift.base.instants import InstantUs, parse_instant
from skylift.service.account.account import ROOM as ACCOUNTS
from skylift.service.account.plan import ROOM as PLANS
from skylift.service.region.state import ROOM as REGIONS
from skylift.service.statement.drafting import Claims, Kind
from skylift.service.statement.feed import ATOM, Feed, atom, json_feed
from skylift.service.statement.state import ROOM, Statement, StatementState
from skylift.service.terminal import decide
from skylift.service.terminal.events import CommandKind
from skylift.service.terminal.state import ROOM as TERMINALS
from skylift.twin.handle import change
from skylift.twin.office.milestones import milestones
from skylift.twin.office.permits import permissions_of
from skylift.twin.office.verbs import Actor

HOUR_US = 3_600_000_000
DAWN = parse_instant("2022-02-26T12:06:00Z")
HOME = "https://aid.example"
FEED = Feed("en", "Service in Ukraine", "Ministry", HOME, f"{HOME}/feed.atom")


def switched_on(bureau: Any, until: int) -> None:
    bureau.open_region()
    bureau.do(
        bureau.authority,
        "region.grant",
        "rgn_ua",
        paper="temporary-authorisation",
        authority="regulator",
        document="decision 1",
        valid_from=0,
        valid_until=until,
    )
    bureau.do(bureau.operator, "region.activate", "rgn_ua")
    bureau.do(bureau.operator, "region.cells", "rgn_ua", cells=[bureau.cell], mode="enabled")


def batch(bureau: Any, number: int, serials: list[str]) -> str:
    """A consignment of these kits from Warsaw to Kyiv, packed and on its way."""
    for serial in serials:
        bureau.do(bureau.logistics, "terminal.create", hardware="ROUND-2021", serial=serial)
    ship = f"shp_{number}"
    bureau.do(
        bureau.logistics,
        "shipment.create",
        reference=f"SL-{number:04}",
        origin="WAW-1",
        destination="KYIV-1",
        recipient="acc_ministry",
        region="rgn_ua",
        new_id=ship,
        lines=[{"product": "DISH-GEN2", "serial": s} for s in serials]
        + [{"product": "CABLE-20M", "quantity": 9}],
    )
    bureau.do(bureau.logistics, "shipment.pack", ship)
    bureau.do(
        bureau.logistics, "shipment.plan-leg", ship, from_place="WAW-1", to_place="KYIV-1", carrier="DHL-PL"
    )
    bureau.do(bureau.logistics, "shipment.depart", ship)
    return ship


def unpacked(bureau: Any, ship: str, sound: list[str], damaged: list[str]) -> None:
    def listed(serials: list[str]) -> list[dict[str, Any]]:
        return [{"product": "DISH-GEN2", "serial": s} for s in serials]

    bureau.do(bureau.field, "shipment.arrive", ship)
    cables = [{"product": "CABLE-20M", "quantity": 9}]
    bureau.do(bureau.field, "shipment.receive", ship, sound=listed(sound) + cables, damaged=listed(damaged))
    bureau.do(bureau.field, "shipment.complete", ship)


def test_the_whole_day_from_a_public_call_to_the_public_word(bureau: Any, capsys: Any) -> None:
    """As on 26 February 2022: a call in public at 12:06 UTC, service active about ten hours later."""
    do, operator = bureau.do, bureau.operator
    bureau.at = DAWN
    bureau.open_region()
    ministry = bureau.account("acc_ministry", "authority")
    call = do(
        operator,
        "request.create",
        channel="public-post",
        site_kind="government",
        region="rgn_ua",
        cell=bureau.cell,
        terminals_wanted=3,
        link="https://post.example/1",
        author="CANARY",
        asked_at=DAWN,
    ).id
    do(operator, "request.acknowledge", call)
    do(operator, "request.verify", call, authority="MDT", how="call back")
    do(operator, "request.accept", call, terminals=3)
    bureau.at = DAWN + 3 * HOUR_US
    do(
        bureau.authority,
        "region.grant",
        "rgn_ua",
        paper="temporary-authorisation",
        authority="regulator",
        document="decision 1",
        valid_from=DAWN,
        valid_until=DAWN + 30 * 24 * HOUR_US,
    )
    bureau.at = DAWN + 9 * HOUR_US
    do(operator, "region.activate", "rgn_ua")
    do(operator, "region.cells", "rgn_ua", cells=[bureau.cell], mode="enabled")
    bureau.at = DAWN + 20 * HOUR_US
    first = batch(bureau, 1, ["KIT0000001", "KIT0000002"])
    second = batch(bureau, 2, ["KIT0000003", "KIT0000004"])
    bureau.at = DAWN + 40 * HOUR_US
    unpacked(bureau, first, ["KIT0000001", "KIT0000002"], [])
    unpacked(bureau, second, ["KIT0000003"], ["KIT0000004"])
    for ship in (first, second):
        do(bureau.field, "shipment.prove", ship, document=f"CMR {ship[4:]}/22")
        do(ministry, "shipment.confirm", ship)
    do(bureau.logistics, "shipment.resolve", second, number=1, resolution="repaired", document="note 7")
    do(bureau.logistics, "shipment.close", second)
    do(operator, "plan.create", title="Aid", service_class=1, down_bps=5e7, up_bps=1e7, new_id="pln_1")
    do(operator, "account.plan", "acc_ministry", plan="pln_1")
    do(operator, "account.verify", "acc_ministry", authority="MDT", reference="letter 7")
    for serial in ("KIT0000001", "KIT0000002", "KIT0000003"):
        dish = bureau.terminal(serial).id
        do(ministry, "terminal.register", dish, owner="acc_ministry", cell=bureau.cell, region="rgn_ua")
        do(operator, "terminal.verify", dish, basis="authority", authority="MDT", reference="letter 7")
        do(ministry, "terminal.activate", dish)
    # Asked is not in force: nobody may say yet that one is online.
    with pytest.raises(Refused, match="no terminal"):
        do(operator, "statement.create", kind="terminals-online", about="rgn_ua", place_uk="Україна")
    for serial in ("KIT0000001", "KIT0000002"):
        terminal = bureau.terminal(serial)
        command = terminal.commands.pending[-1].id
        for word, told in (("confirm", {"evidence": "slot 1"}), ("report-failed", {"error": "TIMEOUT"})):
            # Of our own network a slot says so, and nobody else.
            with pytest.raises(Refused, match="people do not"):
                do(bureau.field, f"terminal.{word}", terminal.id, command=command, **told)
        sky = Who(InstantUs(bureau.at), "sys_sky")
        with bureau.store.transaction() as transaction:
            change(
                TERMINALS,
                transaction,
                terminal.id,
                lambda t, sky=sky: decide.confirmed_by_slot(t, sky, sky.at),
            )
        assert bureau.terminal(serial).in_force(bureau.at) is CommandKind.ACTIVATE
        with bureau.store.transaction() as transaction:
            change(TERMINALS, transaction, terminal.id, lambda t, sky=sky: decide.served(t, sky, sky.at))
    do(operator, "request.answer", call, terminals=3, shipment=second)
    # A terminal that was confirmed to be on is not online where it may not be served any more.
    online = {"kind": "terminals-online", "about": "rgn_ua", "place_uk": "Україна"}
    too_late = do(operator, "statement.create", **online)
    for stop, go, more in (
        (("region.suspend", "rgn_ua"), ("region.activate", "rgn_ua"), {"reason": "storm"}),
        (("account.suspend", "acc_ministry"), ("account.resume", "acc_ministry"), {"reason": "a mistake"}),
    ):
        do(operator, *stop, **more)
        with pytest.raises(Refused, match="no terminal"):
            do(operator, "statement.create", **online)
        with pytest.raises(Refused, match="0 terminals are online"):
            do(operator, "statement.publish", too_late.id)
        do(operator, *go)
    said = []
    for kind, ship in (
        ("service-active", ""),
        ("batch-received", first),
        ("batch-received", second),
        ("terminals-online", ""),
    ):
        one = do(operator, "statement.create", kind=kind, about="rgn_ua", batch=ship, place_uk="Україна")
        said.append(do(operator, "statement.publish", one.id))
    assert [s.texts["en"].partition(". ")[2] or s.texts["en"] for s in said] == [
        "Switch a terminal on only when needed, and far from people.",
        "Terminals in good order: 2.",
        "Terminals in good order: 2.",
        "Terminals online in Ukraine: 2.",
    ]
    assert said[2].texts["uk"] == "Партію 2 отримано: Україна. Справних терміналів: 2."
    assert len(Xml.fromstring(atom(FEED, said, InstantUs(bureau.at))).findall(f"{{{ATOM}}}entry")) == 4
    measured = milestones(row.event for row in bureau.store.journal(0, 1000))[0]
    hours = [
        round(measured.hours_to(at) or 0.0, 2)
        for at in (
            measured.acknowledged_at,
            measured.authorised_at,
            measured.activated_at,
            measured.first_on_at,
        )
    ]
    print("hours to acknowledged, authorised, activated, first online:", *hours)
    assert hours[0] < 0.01
    assert hours[1:3] == [3.0, 9.0]
    assert 40.0 < hours[3] < 40.1
    assert measured.beats_benchmark
    assert "first online" in capsys.readouterr().out

    def every(room: Any) -> list[Any]:
        return [stored.thing for stored in bureau.store.things(room)]

    permits = permissions_of(
        every(TERMINALS), every(ACCOUNTS), {plan.id: plan for plan in every(PLANS)}, every(REGIONS)
    )
    served = {
        s: permits.may_serve(bureau.terminal(s).id, bureau.cell, bureau.at).allowed
        for s in ("KIT0000001", "KIT0000004")
    }
    assert served == {"KIT0000001": True, "KIT0000004": False}
    assert not any("CANARY" in repr(row.event) for row in bureau.store.journal(0, 1000))


def test_what_the_record_stopped_bearing_is_not_published(bureau: Any) -> None:
    switched_on(bureau, until=HOUR_US)
    draft = bureau.do(
        bureau.operator, "statement.create", kind="service-active", about="rgn_ua", place_uk="Україна"
    )
    bureau.at = HOUR_US
    with pytest.raises(Refused, match="papers do not hold now"):
        bureau.do(bureau.operator, "statement.publish", draft.id)
    with pytest.raises(Refused, match="record says otherwise"):
        bureau.do(bureau.operator, "statement.redraft", draft.id)


def test_a_region_without_a_cell_that_is_on_is_not_called_active(bureau: Any) -> None:
    switched_on(bureau, until=HOUR_US)
    bureau.do(bureau.operator, "region.cells", "rgn_ua", cells=[bureau.cell], mode="disabled")
    with pytest.raises(Refused, match="none of its cells is"):
        bureau.do(
            bureau.operator, "statement.create", kind="service-active", about="rgn_ua", place_uk="Україна"
        )


def test_batches_keep_their_numbers_and_are_told_as_they_are(bureau: Any) -> None:
    bureau.open_region()
    bureau.account("acc_ministry")
    first, second = batch(bureau, 1, ["KIT0000001"]), batch(bureau, 2, ["KIT0000002", "KIT0000003"])
    told = bureau.do(
        bureau.operator,
        "statement.create",
        kind="batch-sent",
        about="rgn_ua",
        place_uk="Україна",
        batch=second,
    ).claims
    # Cables are no terminals.
    assert (told.ordinal, told.number) == (2, 2)
    bureau.do(bureau.logistics, "shipment.lose", first)
    with pytest.raises(Refused, match="has not been sent"):
        bureau.do(
            bureau.operator,
            "statement.create",
            kind="batch-sent",
            about="rgn_ua",
            place_uk="Україна",
            batch=first,
        )
    unpacked(bureau, second, ["KIT0000002"], ["KIT0000003"])
    told = bureau.do(
        bureau.operator,
        "statement.create",
        kind="batch-received",
        about="rgn_ua",
        place_uk="Україна",
        batch=second,
    ).claims
    assert (told.ordinal, told.number) == (2, 1)
    with pytest.raises(Refused, match="not on its way any more"):
        bureau.do(
            bureau.operator,
            "statement.create",
            kind="batch-sent",
            about="rgn_ua",
            place_uk="Україна",
            batch=second,
        )
    with pytest.raises(Refused, match="not on record"):
        bureau.do(
            bureau.operator,
            "statement.create",
            kind="batch-sent",
            about="rgn_ua",
            place_uk="Україна",
            batch="shp_9",
        )


@pytest.mark.parametrize("place", ["Ukraine", "вул. Хрещатик 1", "х"])
def test_a_place_in_ukrainian_is_a_name_in_ukrainian_letters(bureau: Any, place: str) -> None:
    switched_on(bureau, until=HOUR_US)
    with pytest.raises(Refused, match="Ukrainian letters"):
        bureau.do(bureau.operator, "statement.create", kind="service-active", about="rgn_ua", place_uk=place)


def test_a_region_is_called_something_in_ukrainian_and_asked_for_that_once(bureau: Any) -> None:
    switched_on(bureau, until=HOUR_US)
    active = {"kind": "service-active", "about": "rgn_ua"}
    with pytest.raises(Refused) as refusal:
        bureau.do(bureau.operator, "statement.create", **active)
    assert refusal.value.code == "statement.place-uk"
    bureau.do(bureau.operator, "statement.create", place_uk="Україна", **active)
    again = bureau.do(bureau.operator, "statement.create", **active)
    assert again.claims.titles == {"en": "Ukraine", "uk": "Україна"}


def test_strangers_say_nothing_in_public(bureau: Any) -> None:
    switched_on(bureau, until=HOUR_US)
    for actor in (bureau.logistics, bureau.authority, Actor("per_x")):
        with pytest.raises(Refused, match="none of your roles"):
            bureau.do(actor, "statement.create", kind="service-active", about="rgn_ua", place_uk="Україна")


# --- feeds


def published(number: int, text: str, at: int, gone_at: int | None = None) -> Statement:
    state = StatementState.PUBLISHED if gone_at is None else StatementState.WITHDRAWN
    return Statement(
        f"sta_{number}",
        state,
        Claims(Kind.SERVICE_ACTIVE, "rgn_ua"),
        {"en": text, "uk": "Так"},
        InstantUs(at),
        "the count was wrong" if gone_at else "",
        None if gone_at is None else InstantUs(gone_at),
    )


SAID = [
    published(1, "Service is active in A. Far from people.", DAWN),
    published(2, "Batch 1 is there.", DAWN + HOUR_US, DAWN + 2 * HOUR_US),
    Statement("sta_3", StatementState.DRAFTED),
    Statement("sta_4", StatementState.WITHDRAWN, reason="never said"),
]


def entries(text: str) -> list[dict[str, str]]:
    root = Xml.fromstring(text)
    return [
        {child.tag.removeprefix(f"{{{ATOM}}}"): child.text or "" for child in entry}
        for entry in root.findall(f"{{{ATOM}}}entry")
    ]


def test_a_feed_has_what_was_said_and_what_was_taken_back_the_newest_first() -> None:
    text = atom(FEED, SAID, InstantUs(DAWN))
    root = Xml.fromstring(text)
    # RFC 4287, 4.1.1 and 4.1.2: what a feed and an entry must have.
    for name in ("id", "title", "updated", "author"):
        assert root.find(f"{{{ATOM}}}{name}") is not None
    found = entries(text)
    assert [entry["id"] for entry in found] == [f"urn:skylift:statement:sta_{n}" for n in (2, 1)]
    assert found[0]["title"] == "Withdrawn: Batch 1 is there"
    assert found[0]["content"].startswith("Withdrawn: the count was wrong")
    assert found[0]["updated"] == "2022-02-26T14:06:00Z" == root.findtext(f"{{{ATOM}}}updated")
    assert all(set(entry) >= {"id", "title", "updated", "published", "content"} for entry in found)


def test_json_has_the_same_entries_as_atom() -> None:
    document = json.loads(json_feed(FEED, SAID))
    # jsonfeed.org/version/1.1: version, title and items; each item an id and a content.
    assert document["version"] == "https://jsonfeed.org/version/1.1"
    assert document["language"] == "en"
    assert [(i["id"], i["title"], i["content_text"]) for i in document["items"]] == [
        (entry["id"], entry["title"], entry["content"]) for entry in entries(atom(FEED, SAID, InstantUs(0)))
    ]


def test_a_demonstration_says_so_on_every_entry_and_an_empty_feed_is_one() -> None:
    demo = Feed("uk", "Сервіс", "x", HOME, f"{HOME}/feed", "DEMO")
    assert all(entry["title"].startswith("DEMO ") for entry in entries(atom(demo, SAID, InstantUs(0))))
    assert all(entry["content"].startswith("DEMO ") for entry in entries(atom(demo, SAID, InstantUs(0))))
    assert "Відкликано" in atom(demo, SAID, InstantUs(0))
    empty = Xml.fromstring(atom(FEED, [], InstantUs(DAWN)))
    assert empty.findtext(f"{{{ATOM}}}updated") == "2022-02-26T12:06:00Z"


@given(st.text())
def test_whatever_a_region_is_called_the_feed_can_be_read(text: str) -> None:
    one = [published(1, text, DAWN)]
    assert len(entries(atom(FEED, one, InstantUs(DAWN)))) == 1
    assert json.loads(json_feed(FEED, one))["items"][0]["content_text"] == text


def test_what_is_stored_comes_back(bureau: Any) -> None:
    switched_on(bureau, until=HOUR_US)
    one = bureau.do(
        bureau.operator, "statement.create", kind="service-active", about="rgn_ua", place_uk="Україна"
    )
    bureau.do(bureau.operator, "statement.publish", one.id)
    bureau.do(bureau.operator, "statement.withdraw", one.id, reason="said too early")
    assert bureau.get(ROOM, one.id).withdrawn_at == bureau.at
