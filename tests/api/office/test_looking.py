"""Looking before leaping: lists of authorities, scanned codes, stock; and lists that apply by themselves."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from skylift.api.office.keeping import ListKeeper
from skylift.base.instants import parse_instant
from tests.api.office.conftest import CELLS, Person, Town, make_town
from tests.api.office.test_imports import applied, planned, upload

DAYS_3_S = 3 * 86_400
HEAD = "serial,owner_kind,shown,reference\n"


@pytest.fixture
def town(tmp_path: Path) -> Iterator[Town]:
    """In 2026, when the rules are in force."""
    for town in make_town(tmp_path):
        assert town.desk.advance is not None
        town.desk.advance(parse_instant("2026-03-01T00:00:00Z") - town.desk.clock.now())
        yield town


@pytest.fixture
def country(town: Town, staff: dict[str, Person]) -> dict[str, Any]:
    """Three active terminals of one company in 2026, and the authority's person."""
    operator, approver = staff["operator"], staff["approver"]
    region = operator.made("regions", country="UA", title="Ukraine", cells=CELLS)["id"]
    owner = operator.made("accounts", holder="company", country="UA")["id"]
    ids = []
    for n in (1, 2, 3):
        made = {"hardware": "STD-V2", "serial": f"KIT000000{n}", "origin": "gift"}
        id = operator.made("terminals", **made)["id"]
        operator.made(f"terminals/{id}/register", owner=owner, cell=CELLS[0], region=region)
        operator.made(f"terminals/{id}/verify", basis="operator", authority="US-1", reference="check 1")
        operator.made(f"terminals/{id}/activate")
        ids.append(id)
    authority = town.person("authority", region, by=operator, approver=approver)
    return {"region": region, "owner": owner, "ids": ids, "authority": authority}


def statuses(operator: Person, country: dict[str, Any]) -> list[str]:
    return [operator.get(f"terminals/{id}").json()["status"] for id in country["ids"]]


def keep(town: Town) -> int:
    """What a service does by itself, as long as there is something to do."""

    async def go() -> int:
        keeper, done = ListKeeper(town.desk), 0
        while await keeper.once():
            done += 1
        return done

    return asyncio.run(go())


def test_a_list_is_looked_at_taken_scheduled_and_applies_by_itself(
    town: Town, staff: dict[str, Person], country: dict[str, Any]
) -> None:
    operator, authority = staff["operator"], country["authority"]
    text = HEAD + "KIT0000001;company\n".replace(";", ",").replace("\n", ",yes,7/26\n")
    query = {"rules": "ua-2026", "region": country["region"], "document": "list 1/26"}
    head = town.desk.store.head()
    seen = planned(authority, "allow-lists/imports", text, **query)
    assert (seen["rows"], seen["cut_off"], seen["bad"]) == (1, sorted(country["ids"][1:]), [])
    assert town.desk.store.head() == head
    wrong = upload(authority, "allow-lists/imports", text, apply="0" * 64, **query)
    assert (wrong.status_code, wrong.json()["error"]["code"]) == (409, "import.changed")
    taken = upload(authority, "allow-lists/imports", text, apply=seen["hash"], **query)
    assert taken.status_code == 201, taken.text
    id = taken.json()["id"]
    again = operator.get(f"allow-lists/{id}/look").json()
    assert (again["cut_off"], again["left"]) == (seen["cut_off"], 0)
    told = {"seen": again["seen"], "cut_off": len(again["cut_off"]), "flagged": 0}
    early = operator.post(f"allow-lists/{id}/apply", **told)
    assert (early.status_code, early.json()["error"]["code"]) == (422, "allow-list.grace")
    operator.made(f"allow-lists/{id}/schedule", **told)
    assert keep(town) == 0
    assert statuses(operator, country) == ["active"] * 3
    operator.made("clock", advance_s=DAYS_3_S)
    assert keep(town) > 0
    assert statuses(operator, country) == ["active", "blocked", "blocked"]
    assert operator.get(f"allow-lists/{id}/look").json()["left"] == 0
    assert keep(town) == 0


def test_who_may_not_take_a_list_does_not_see_what_it_would_do(
    town: Town, staff: dict[str, Person], country: dict[str, Any]
) -> None:
    viewer = town.person("viewer", by=staff["operator"], approver=staff["approver"])
    response = upload(viewer, "allow-lists/imports", HEAD, rules="ua-2026", region=country["region"])
    assert response.status_code == 403
    elsewhere = upload(country["authority"], "allow-lists/imports", HEAD, rules="ua-2026", region="rgn_pl")
    assert elsewhere.status_code == 403
    assert viewer.get("allow-lists/alw_absent/look").status_code == 404
    personal = "name,serial,owner_kind,shown,reference\nCANARY,KIT0000001,company,yes,7/26\n"
    query = {"rules": "ua-2026", "region": country["region"]}
    refused = upload(country["authority"], "allow-lists/imports", personal, **query)
    assert refused.status_code == 422
    assert "CANARY" not in refused.text


def test_bad_rows_of_a_list_have_the_numbers_of_the_file(
    staff: dict[str, Person], country: dict[str, Any]
) -> None:
    query = {"rules": "ua-2026", "region": country["region"]}
    text = f'{HEAD}\nKIT0000001,company,yes,7/26\n,,,\n"KIT0000\n002",nobody,yes,7/26\n'
    seen = planned(country["authority"], "allow-lists/imports", text, **query)
    assert [(one["row"], one["column"]) for one in seen["bad"]] == [(5, "owner_kind")]


SHIPMENT = "reference,origin,destination,recipient,serial,product,quantity\n"


def test_stock_now_and_at_any_time_and_who_may_ask(
    town: Town, staff: dict[str, Person], country: dict[str, Any]
) -> None:
    operator, owner = staff["operator"], country["owner"]
    logistics = town.person("logistics", by=operator, approver=staff["approver"])
    rows = (
        f"TRK-001,WAW-1,KYV-1,{owner},SN-0001,STD-V2,\nTRK-001,,,,SN-0002,STD-V2,\nTRK-001,,,,,CABLE-5,20\n"
    )
    applied(logistics, "shipments/imports", SHIPMENT + rows)
    [shipment] = logistics.get("shipments").json()["items"]
    path = f"shipments/{shipment['id']}"
    before = operator.get("clock").json()["now_us"]
    operator.made("clock", advance_s=60)
    logistics.made(f"{path}/plan-leg", from_place="WAW-1", to_place="KYV-1", carrier="UPS-1")
    logistics.made(f"{path}/pack")
    packed = operator.get("clock").json()["now_us"]
    operator.made("clock", advance_s=3600)
    logistics.made(f"{path}/depart")
    logistics.made(f"{path}/arrive")
    received = [{"product": "STD-V2", "quantity": 1, "serial": "SN-0001"}]
    damaged = [{"product": "STD-V2", "quantity": 1, "serial": "SN-0002"}]
    logistics.made(f"{path}/receive", sound=received, damaged=damaged)
    now = logistics.get("stock?serials=true").json()
    assert [
        (one["place_kind"], one["place"], one["product"], one["sound"], one["damaged"], one["serials"])
        for one in now["items"]
    ] == [
        ("consignment", shipment["id"], "CABLE-5", 20, 0, []),
        ("depot", "KYV-1", "STD-V2", 1, 1, ["SN-0001", "SN-0002"]),
    ]
    then = logistics.get(f"stock?at={packed}").json()["items"]
    assert [(one["place_kind"], one["product"], one["sound"]) for one in then] == [
        ("consignment", "CABLE-5", 20), ("consignment", "STD-V2", 2),
    ]  # fmt: skip
    assert logistics.get(f"stock?at={before}").json()["items"] == []
    assert len(logistics.get("stock?depot=KYV-1").json()["items"]) == 1
    assert logistics.get("stock?depot=KYV-1&product=CABLE-5").json()["items"] == []
    assert logistics.get("stock?at=2099-01-01T00:00:00Z").status_code == 400
    subscriber = town.person("subscriber", by=operator, approver=staff["approver"], account=owner)
    for query in ("", "?depot=KYV-1", f"?depot={owner}"):
        assert subscriber.get(f"stock{query}").json()["items"] == []
    polish = town.person("logistics", "rgn_pl", by=operator, approver=staff["approver"])
    assert polish.get("stock").status_code == 403, "stock is by place, not by region"
    scoped = Person(town, logistics.id, logistics.made("tokens", scopes=["region.read"])["token"])
    assert scoped.get("stock").status_code == 403


def test_scanned_codes_are_looked_at_first(
    town: Town, staff: dict[str, Person], country: dict[str, Any]
) -> None:
    operator = staff["operator"]
    logistics = town.person("logistics", by=operator, approver=staff["approver"])
    rows = f"TRK-001,WAW-1,KYV-1,{country['owner']},SN-0001,STD-V2,\n"
    applied(logistics, "shipments/imports", SHIPMENT + rows)
    [shipment] = logistics.get("shipments").json()["items"]
    logistics.made(f"shipments/{shipment['id']}/pack")
    head = town.desk.store.head()
    codes = "(01)01234567890128(21)SN-0001\nSN-0009\nhttps://x.example/1\nSN-0001\n"
    seen = logistics.made(f"shipments/{shipment['id']}/check-scans", codes=codes, product="STD-V2")
    assert [(one["serial"], one["listed"], one["place_kind"]) for one in seen["pieces"]] == [
        ("SN-0001", True, "consignment"), ("SN-0009", False, ""),
    ]  # fmt: skip
    assert [one["row"] for one in seen["bad"]] == [3, 4]
    assert town.desk.store.head() == head
    other = operator.made("accounts", holder="person", country="UA")["id"]
    stranger = town.person("subscriber", by=operator, approver=staff["approver"], account=other)
    path = f"shipments/{shipment['id']}/check-scans"
    assert stranger.post(path, codes="X", product="STD-V2").status_code == 404
