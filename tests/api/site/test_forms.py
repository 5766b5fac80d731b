"""Forms from the table of verbs: every verb has one, and what is typed becomes what the door takes."""

from __future__ import annotations

import pytest

from skylift.api.site import steps, words
from skylift.api.site.fields import fields_of, read_form
from skylift.api.site.kinds import KINDS
from skylift.api.site.placing import field_of
from skylift.api.site.values import Time, span, time_of
from skylift.service.request.state import Request, RequestState
from skylift.service.shipment.state import Shipment, ShipmentState
from skylift.twin.office.table import TABLE

VERBS = list(TABLE.verbs.values())


@pytest.mark.parametrize("verb", VERBS, ids=lambda verb: verb.name)
def test_every_verb_has_a_form_with_labels(verb: object) -> None:
    shown = fields_of(verb)  # type: ignore[arg-type]
    assert all(one.label and "_" not in one.label for one in shown)
    assert all(one.options for one in shown if one.widget == "select")
    names = [one.name for one in shown]
    assert len(names) == len(set(names))
    empty, errors = read_form(verb, {})  # type: ignore[arg-type]
    needed = {one.name for one in shown if one.required}
    assert set(errors) == needed
    assert all(error.rule == "it is needed" for error in errors.values())
    assert not needed & set(empty)


def test_words_and_steps_name_verbs_that_there_are() -> None:
    assert set(words.VERBS) <= set(TABLE.verbs)
    assert set(steps.GRAVE) <= set(TABLE.verbs)
    assert set(steps._EVENTS) <= set(TABLE.verbs)
    assert set(steps._ALSO) <= set(TABLE.verbs)
    for (kind, state), actions in steps.NEXT.items():
        assert state in dict(KINDS[kind].states), (kind, state)
        assert {f"{kind}.{action}" for action in actions} <= set(TABLE.verbs)
    for kind in KINDS.values():
        assert set(kind.tones) <= set(dict(kind.states)), kind.kind
        assert kind.room in TABLE.rooms()


@pytest.mark.parametrize(
    ("verb", "field"),
    [("terminal.verify", "authority"), ("shipment.create", "origin"), ("terminal.block", "authority")],
)
def test_what_takes_a_code_says_so_beforehand(verb: str, field: str) -> None:
    """Names are taken elsewhere: of regions and accounts."""
    assert "code" in words.field_help(verb, field)
    assert "name" not in words.field_help(verb, field)


def open_verbs(kind: str, thing: object) -> set[str]:
    return {v.action for v in TABLE.of_kind(kind) if not v.creates and steps.is_open(v, thing)}


@pytest.mark.parametrize("state", RequestState)
def test_a_call_offers_what_its_state_leaves_open(state: RequestState) -> None:
    open_ones = {
        v.action for v in TABLE.of_kind("request") if not v.creates and steps.is_open(v, Request("r", state))
    }
    placing = {"place", "verify"}
    assert (
        open_ones
        == {
            RequestState.UNKNOWN: set(),
            RequestState.RECEIVED: {"acknowledge", "merge", "refuse"} | placing,
            RequestState.DRAFT: {"confirm", "place", "refuse"},
            RequestState.DISCARDED: set(),
            RequestState.ACKNOWLEDGED: {"merge", "refuse", "accept"} | placing,
            RequestState.MERGED: {"separate"},
            RequestState.ACCEPTED: {"answer", "refuse"} | placing,
            RequestState.REFUSED: {"close", "reopen"},
            RequestState.ANSWERED: {"close", "reopen"},
            RequestState.CLOSED: {"reopen"},
        }[state]
    )


def test_an_empty_draft_is_not_packed() -> None:
    draft = Shipment("s", ShipmentState.DRAFT)
    open_ones = open_verbs("shipment", draft)
    assert "add-lines" in open_ones
    assert not {"pack", "depart", "receive", "remove-lines", "drop-legs"} & open_ones


def read(name: str, **typed: str) -> tuple[dict[str, object], dict[str, str]]:
    found, errors = read_form(
        TABLE.verbs[name], {key.replace("__", "."): [text] for key, text in typed.items()}
    )
    return found, {field: error.rule for field, error in errors.items()}


def test_what_is_typed_is_read_by_its_type() -> None:
    granted = {"paper": "spectrum", "authority": " NCEC ", "document": "4"}
    found, errors = read(
        "region.grant", **granted, valid_from="2022-02-26T12:00", valid_until="2022-03-26T12:00:30"
    )
    assert errors == {}
    assert (found["valid_from"], found["valid_until"]) == ("2022-02-26T12:00:00Z", "2022-03-26T12:00:30Z")
    assert found["authority"] == "NCEC"
    zoned, _ = read(
        "region.grant", **granted, valid_from="2022-02-26T12:00:00+02:00", valid_until="2022-02-26T12:00Z"
    )
    assert (zoned["valid_from"], zoned["valid_until"]) == ("2022-02-26T12:00:00+02:00", "2022-02-26T12:00Z")
    terms = {"title": "A", "service_class": "1", "allowance_bytes": ""}
    plan, errors = read("plan.create", **terms, down_bps="50e6", up_bps="1,5")
    assert (plan, errors) == ({"title": "A", "service_class": 1, "down_bps": 5e7, "up_bps": 1.5}, {})
    assert read("plan.create", **terms, down_bps="nan", up_bps="inf")[1] == {
        "down_bps": "it is a number",
        "up_bps": "it is a number",
    }
    cells, _ = read("region.cells-remove", cells=" a, b;c\n d ")
    assert cells == {"cells": ["a", "b", "c", "d"]}


def test_lines_of_a_consignment_are_read_row_by_row() -> None:
    text = "STD-V2, KIT1001X\nMOUNT-1; 12\n\nSTD-V2, 1, KIT1002X\nCABLE-1"
    assert read("shipment.add-lines", lines=text)[0]["lines"] == [
        {"product": "STD-V2", "serial": "KIT1001X"},
        {"product": "MOUNT-1", "quantity": 12},
        {"product": "STD-V2", "quantity": 1, "serial": "KIT1002X"},
        {"product": "CABLE-1", "quantity": 1},
    ]
    assert "row 2" in read("shipment.add-lines", lines="A-1, 3\na,b,c,d")[1]["lines"]


def test_limits_are_told_only_where_somebody_touched_them() -> None:
    base = {"cells": "851e5227fffffff", "mode": "enabled", "limits__roaming": "on"}
    assert "limits" not in read("region.cells", **base)[0]
    found, _ = read("region.cells", **base, limits__speed_cap_bps="20e6", limits__hours_utc="6 7")
    assert found["limits"] == {
        "allow_list_only": False, "speed_cap_bps": 2e7, "roaming": True, "hours_utc": [6, 7],
    }  # fmt: skip
    assert read("region.cells", **{**base, "limits__roaming": ""})[0]["limits"] == {
        "allow_list_only": False, "roaming": False, "hours_utc": [],
    }  # fmt: skip


REFUSALS = [
    ("field 'asked_at'", "", "body.instant", ["asked_at", "cell"], "asked_at"),
    ("a field of x", "Expected `int` - at `$.people`", "x.argument", ["people"], "people"),
    ("a field", "Expected `str` - at `$.lines[0].serial`", "x.argument", ["lines"], "lines"),
    ("a field of x", "site_kind is none of a few words", "x.argument", ["people", "site_kind"], "site_kind"),
    ("a field", "lines[...].kind is none of a few words", "x.argument", ["lines"], "lines"),
    ("serial KIT", "", "shipment.serial", ["lines", "serial"], "serial"),
    ("product", "it is a code", "shipment.text", ["reference", "lines"], "lines"),
    ("validity", "", "region.validity", ["valid_until"], "valid_until"),
    ("account acc_1", "", "account.unknown", ["recipient", "origin"], "recipient"),
    ("came", "", "shipment.swap", ["came.product"], "came.product"),
    ("region rgn_1", "", "region.papers-missing", ["reason"], ""),
]


@pytest.mark.parametrize(("thing", "rule", "code", "names", "field"), REFUSALS)
def test_a_refusal_finds_its_field(thing: str, rule: str, code: str, names: list[str], field: str) -> None:
    assert field_of({"thing": thing, "rule": rule, "code": code}, names) == field


def test_times_are_told_from_now() -> None:
    hour = 3_600_000_000
    now = 1_645_876_800_000_000
    shown = time_of(now - 3 * hour, now)
    assert isinstance(shown, Time)
    assert (shown.iso, shown.text, shown.ago) == ("2022-02-26T09:00:00Z", "2022-02-26 09:00 UTC", "3.0 h ago")
    assert time_of(None, now) == "–"
    assert [span(gap * hour // 60) for gap in (5, 90, 1200, 2880, 60 * 24 * 30)] == [
        "5 min", "1.5 h", "20 h", "2 days", "30 days",
    ]  # fmt: skip
