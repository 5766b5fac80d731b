"""Verbs that name an authority: the word of whom the register knows opens something, and no other's."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from skylift.base.errors import Refused
from skylift.service.account.person import ROOM as PEOPLE
from skylift.service.account.roles import Grant, Role
from skylift.service.request.state import ROOM as REQUESTS
from skylift.twin.office.office import Forbidden
from skylift.twin.office.table import TABLE
from tests.twin.conftest import Bureau

NEW = {
    "title": "Kharkiv city council",
    "kind": "municipality",
    "vouches_for": ["askers"],
    "source": "city.kharkiv.ua",
    "countries": ["UA"],
}
PAPER = {"paper": "temporary-authorisation", "document": "decision 1", "valid_from": 0, "valid_until": 10**12}


def refused(bureau: Bureau, verb: str, subject: str, **told: Any) -> Refused:
    actor = bureau.authority if verb.startswith("region") else bureau.operator
    with pytest.raises(Refused) as refusal:
        bureau.do(actor, verb, subject, **told)
    return refusal.value


def test_on_the_first_day_one_command_makes_an_authority_known_and_its_word_counts(bureau: Bureau) -> None:
    bureau.do(bureau.operator, "request.create", channel="phone", site_kind="hospital", new_id="req_1")
    told = {"authority": "kharkiv-1", "how": "called back"}
    stranger = refused(bureau, "request.verify", "req_1", **told)
    assert stranger.code == "authority.not-known"
    assert "for this there are: " in stranger.way_out
    assert "skylift authority create" in stranger.way_out
    entry = bureau.do(bureau.operator, "authority.create", code="KHARKIV-1", new_id="aut_1", **NEW)
    assert entry.recorded_by == bureau.operator.person
    # Whatever case it is typed in, the journal has its code.
    assert bureau.do(bureau.operator, "request.verify", "req_1", **told).verified_by == "KHARKIV-1"


def test_once_there_has_been_an_approver_the_register_widens_by_two_people_alone(bureau: Bureau) -> None:
    bureau.do(bureau.operator, "person.create", new_id="per_1")
    bureau.do(bureau.operator, "person.grant", "per_1", role="approver")
    waits = bureau.ask(bureau.operator, "authority.create", code="KHARKIV-1", **NEW)
    assert waits.approval is not None
    entry = bureau.do(bureau.operator, "authority.create", code="KHARKIV-2", new_id="aut_2", **NEW)
    assert (
        bureau.ask(bureau.operator, "authority.amend", "aut_2", vouches_for=["licences"]).approval is not None
    )
    # To narrow it is never kept waiting.
    assert bureau.ask(bureau.operator, "authority.withdraw", "aut_2", reason="taken over").approval is None
    assert bureau.ask(bureau.operator, "authority.restore", "aut_2").approval is not None
    assert entry.code == "KHARKIV-2"


def test_nobody_but_an_operator_records_one(bureau: Bureau) -> None:
    for actor in (bureau.approver, bureau.field, bureau.logistics, bureau.authority):
        with pytest.raises(Forbidden):
            bureau.do(actor, "authority.create", code="KHARKIV-1", **NEW)


def test_nothing_personal_waits_for_a_second_person() -> None:
    """What is proposed is kept with its words until it is agreed to, and no erasure reaches there."""
    assert [verb.name for verb in TABLE.verbs.values() if verb.personal and verb.may_take_two] == []


def test_two_entries_never_share_a_code(bureau: Bureau) -> None:
    with pytest.raises(Refused) as refusal:
        bureau.do(bureau.operator, "authority.create", code="ua-mdt", **NEW)
    assert refusal.value.code.startswith("authority.")
    assert "another" in refusal.value.rule or "taken" in refusal.value.rule


def test_papers_take_an_authority_that_gives_licences_there(bureau: Bureau) -> None:
    bureau.open_region()
    for wrong, says in (("ministry", "may not vouch for licences"), ("nobody", "no authority of that code")):
        assert says in refused(bureau, "region.grant", "rgn_ua", authority=wrong, **PAPER).rule
    region = bureau.do(bureau.authority, "region.grant", "rgn_ua", authority="regulator", **PAPER)
    (granted,) = region.papers.values()
    assert granted.authority == "REGULATOR"
    # What closes takes any authority's word at once; what opens again does not.
    order = {"authority": "The council", "reason": "a sanction"}
    bureau.do(bureau.authority, "region.prohibit", "rgn_ua", **order)
    assert refused(bureau, "region.lift", "rgn_ua", **order).code == "authority.not-known"
    bureau.do(bureau.authority, "region.lift", "rgn_ua", authority="NCEC", reason="it ended")


def test_an_authority_that_was_withdrawn_or_has_ended_opens_nothing(bureau: Bureau) -> None:
    bureau.do(bureau.operator, "account.create", holder="company", country="UA", new_id="acc_1")
    letter = {"authority": "MDT", "reference": "letter 5"}
    bureau.do(bureau.operator, "authority.withdraw", "aut_mdt", reason="dissolved")
    assert "withdrawn" in refused(bureau, "account.verify", "acc_1", **letter).rule
    bureau.do(bureau.operator, "authority.restore", "aut_mdt")
    bureau.do(bureau.operator, "authority.amend", "aut_mdt", valid_until=bureau.at + 10_000_000)
    bureau.do(bureau.operator, "account.verify", "acc_1", **letter)
    bureau.at += 10_000_000
    assert "has ended" in refused(bureau, "account.verify", "acc_1", **letter).rule
    bureau.do(bureau.operator, "authority.amend", "aut_mdt", no_end=True)
    bureau.do(bureau.operator, "account.verify", "acc_1", **letter)


def test_nobody_vouches_for_another_country(bureau: Bureau) -> None:
    bureau.do(bureau.operator, "account.create", holder="company", country="DE", new_id="acc_de")
    letter = {"authority": "MINISTRY", "reference": "letter 5"}
    found = refused(bureau, "account.verify", "acc_de", **letter)
    assert found.rule == "it does not speak for DE"
    assert "OPS" in found.way_out
    # The service's own operator speaks everywhere.
    bureau.do(bureau.operator, "account.verify", "acc_de", authority="OPS", reference="visit 1")


def test_a_call_is_of_the_country_that_holds_its_cell(bureau: Bureau) -> None:
    bureau.open_region()
    bureau.do(
        bureau.operator,
        "request.create",
        channel="phone",
        site_kind="hospital",
        cell=bureau.cell,
        new_id="req_1",
    )
    abroad = {**NEW, "countries": ["PL"]}
    bureau.do(bureau.operator, "authority.create", code="PL-1", **abroad)
    word = {"authority": "PL-1", "how": "letter"}
    assert refused(bureau, "request.verify", "req_1", **word).rule == "it does not speak for UA"
    assert bureau.get(REQUESTS, "req_1").verified_by == ""


def test_terminals_take_an_authority_of_where_they_are_or_of_their_owners_country(bureau: Bureau) -> None:
    owner = bureau.account("acc_1")
    bureau.do(
        bureau.operator,
        "terminal.create",
        hardware="STD-V2",
        serial="KIT-1234",
        origin="gift",
        new_id="trm_1",
    )
    bureau.do(owner, "terminal.register", "trm_1", owner="acc_1", cell=bureau.cell)
    paper = {"basis": "authority", "reference": "letter 5"}
    bureau.do(
        bureau.operator,
        "authority.create",
        code="PL-1",
        **{**NEW, "countries": ["PL"], "vouches_for": ["terminals"]},
    )
    assert refused(bureau, "terminal.verify", "trm_1", authority="PL-1", **paper).code == "authority.may-not"
    bureau.do(bureau.field, "terminal.verify", "trm_1", authority="mdt", **paper)


def test_an_officer_who_speaks_for_one_authority_names_no_other(bureau: Bureau) -> None:
    bureau.open_region()
    bureau.do(bureau.operator, "person.create", new_id="per_officer")
    role = {"role": "authority", "regions": ["rgn_ua"]}
    with pytest.raises(Refused) as refusal:
        bureau.do(bureau.operator, "person.grant", "per_officer", authority="NOBODY", **role)
    assert refusal.value.code == "authority.not-known"
    bureau.do(bureau.operator, "person.grant", "per_officer", authority="ncec", **role)
    officer = replace(bureau.authority, grants=bureau.get(PEOPLE, "per_officer").grants)
    assert officer.grants == (Grant(Role.AUTHORITY, ("rgn_ua",), "NCEC"),)
    for verb, told in (
        ("region.grant", PAPER),
        ("region.revoke", {"paper": "spectrum", "reason": "none"}),
        ("region.prohibit", {"reason": "none"}),
    ):
        with pytest.raises(Refused) as refusal:
            bureau.do(officer, verb, "rgn_ua", authority="REGULATOR", **told)
        assert refusal.value.code == "authority.not-yours"
    bureau.do(officer, "region.grant", "rgn_ua", authority="NCEC", **PAPER)


def test_only_an_officer_speaks_for_an_authority(bureau: Bureau) -> None:
    bureau.do(bureau.operator, "person.create", new_id="per_1")
    with pytest.raises(Refused, match="only an authority's officer"):
        bureau.do(bureau.operator, "person.grant", "per_1", role="viewer", authority="NCEC")


def test_a_region_that_is_not_there_is_nobodys_territory(bureau: Bureau) -> None:
    with pytest.raises(Refused) as refusal:
        bureau.do(
            bureau.operator, "authority.create", code="KH-1", **{**NEW, "countries": [], "regions": ["rgn_x"]}
        )
    assert refusal.value.code == "region.unknown"


def test_a_list_counts_by_the_word_of_its_authority_alone(bureau: Bureau) -> None:
    bureau.open_region()
    bureau.account("acc_a")
    rows = "serial,owner_kind,shown,reference\nKIT0000001,company,yes,CASE-1\n"
    listed = {"rules": "ua-2026", "region": "rgn_ua", "csv": rows, "document": "list 1/26"}
    bureau.do(bureau.operator, "authority.withdraw", "aut_ua-mdt", reason="dissolved")
    with pytest.raises(Refused) as refusal:
        bureau.do(bureau.operator, "allow-list.create", new_id="alw_1", **listed)
    assert refusal.value.code == "authority.may-not"
    bureau.do(bureau.operator, "authority.restore", "aut_ua-mdt")
    assert bureau.do(bureau.operator, "allow-list.create", new_id="alw_1", **listed).authority == "UA-MDT"


def test_whoever_vouched_before_there_was_a_place_has_to_speak_for_it(bureau: Bureau) -> None:
    bureau.open_region()
    moldova = NEW | {"countries": ["MD"], "vouches_for": ["askers"]}
    bureau.do(bureau.operator, "authority.create", code="MD-1", new_id="aut_md", **moldova)
    bureau.do(bureau.operator, "request.create", channel="phone", site_kind="hospital", new_id="req_1")
    bureau.do(bureau.operator, "request.acknowledge", "req_1")
    bureau.do(bureau.operator, "request.verify", "req_1", authority="MD-1", how="called back")
    placed = bureau.do(bureau.operator, "request.place", "req_1", cell=bureau.cell)
    assert placed.region == "rgn_ua", "a cell alone says in which region it is"
    refusal = refused(bureau, "request.accept", "req_1", terminals=1)
    assert (refusal.code, refusal.rule) == ("authority.may-not", "it does not speak for UA")
    assert refusal.way_out.startswith("verify the asker anew")
    bureau.do(bureau.operator, "request.verify", "req_1", authority="MINISTRY", how="called back")
    assert bureau.do(bureau.operator, "request.accept", "req_1", terminals=1).granted == 1
