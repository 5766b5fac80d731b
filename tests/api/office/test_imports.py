"""Tables handed in over HTTP: looked at first, written by the hash of what was looked at, and never twice."""

from __future__ import annotations

import csv
import io
from typing import Any

import httpx
import pytest

from skylift.api.office.imports import CSV, XLSX
from skylift.base.labels import plural
from skylift.service.terminal.state import ROOM as TERMINALS
from skylift.twin.office.imports_kinds import KINDS
from skylift.twin.office.table import TABLE
from tests.api.office.conftest import CELLS, Person, Town, agreed


def upload(
    person: Person, path: str, text: str | bytes, media_type: str = CSV, **query: str
) -> httpx.Response:
    data = text.encode() if isinstance(text, str) else text
    return person.town.client.post(
        f"/api/v1/{path}",
        content=data,
        params=query,
        headers={"Authorization": f"Bearer {person.token}", "Content-Type": media_type},
    )


def planned(person: Person, path: str, text: str | bytes, **query: str) -> dict[str, Any]:
    response = upload(person, path, text, **query)
    assert response.status_code == 200, response.text
    document: dict[str, Any] = response.json()
    return document


def applied(person: Person, path: str, text: str | bytes) -> dict[str, Any]:
    plan = planned(person, path, text)
    assert plan["bad"] == []
    done = planned(person, path, text, apply=plan["hash"])
    assert done["applied"]
    return done


TERMINALS_CSV = """serial,kit,hardware,origin
SN-0001,KIT00000001,STD-V2,
SN-0002,KIT00000002,STD-V2,gift
"""


def test_terminals_are_looked_at_then_written_once(town: Town, staff: dict[str, Person]) -> None:
    operator = staff["operator"]
    head = town.desk.store.head()
    plan = planned(operator, "terminals/imports", TERMINALS_CSV)
    assert (plan["rows"], plan["new"], plan["same"], plan["changed"], plan["bad"]) == (2, 2, 0, [], [])
    assert town.desk.store.head() == head, "nothing is written by looking"
    done = planned(operator, "terminals/imports", TERMINALS_CSV, apply=plan["hash"])
    assert done["applied"]
    listed = operator.get("terminals").json()["items"]
    assert sorted((one["serial"], one["kit"], one["status"]) for one in listed) == [
        ("SN-0001", "KIT00000001", "manufactured"),
        ("SN-0002", "KIT00000002", "delivered"),
    ]
    run = operator.get(f"imports/{done['import_id']}").json()
    assert (run["status"], run["of"], run["tally"]) == (
        "done",
        "terminal",
        {"new": 2, "changed": 0, "same": 0},
    )
    head = town.desk.store.head()
    again = planned(operator, "terminals/imports", TERMINALS_CSV, apply=plan["hash"])
    assert (again["import_id"], town.desk.store.head()) == (done["import_id"], head), "asked twice, done once"
    same = planned(operator, "terminals/imports", TERMINALS_CSV)
    assert (same["new"], same["same"], same["changed"]) == (0, 2, [])


def test_what_was_not_looked_at_is_not_written(town: Town, staff: dict[str, Person]) -> None:
    operator = staff["operator"]
    plan = planned(operator, "terminals/imports", TERMINALS_CSV)
    operator.made("terminals", hardware="STD-V2", serial="SN-0001")
    head = town.desk.store.head()
    response = upload(operator, "terminals/imports", TERMINALS_CSV, apply=plan["hash"])
    assert (response.status_code, response.json()["error"]["code"]) == (409, "import.changed")
    other = upload(operator, "terminals/imports", TERMINALS_CSV + "SN-3,,STD-V2,\n", apply=plan["hash"])
    assert other.status_code == 409
    assert town.desk.store.head() == head
    now = planned(operator, "terminals/imports", TERMINALS_CSV)
    [change] = now["changed"]
    assert change["row"] == 2
    assert change["fields"] == {"kit": {"old": None, "new": "KIT00000001"}}


def test_a_bad_row_stops_all_and_every_reason_is_told(town: Town, staff: dict[str, Person]) -> None:
    operator = staff["operator"]
    text = "\n".join(
        (
            "serial;kit;hardware;owner;cell;status",
            "SN-0001;;STD-V2;;;",
            "SN-0001;;STD-V2;;;",
            "1234567890;;STD-V2;;;",
            ";;STD-V2;;;",
            "SN-0005;;;;;",
            "SN-0006;;STD-V2;acc_absent;851e5227fffffff;",
            "SN-0007;;STD-V2;;;active",
            "",
            "=1+1;;STD-V2;;;",
            "SN-0010;;STD-V2;;8928308280fffff;;more",
        )
    )
    plan = planned(operator, "terminals/imports", text)
    told = [(bad["row"], bad["column"]) for bad in plan["bad"]]
    assert told == [
        (3, "serial"), (4, "serial"), (5, ""), (6, ""), (7, ""), (8, "status"), (10, "serial"),
        (11, ""), (11, "cell"),
    ]  # fmt: skip
    assert "row 2" in plan["bad"][0]["reason"]
    assert (plan["new"], plan["empty"]) == (1, 1)
    assert "1234567890" not in str(plan)
    response = upload(operator, "terminals/imports", text, apply=plan["hash"])
    assert (response.status_code, response.json()["error"]["code"]) == (422, "import.bad-rows")
    assert operator.get("terminals").json()["items"] == []


def test_a_file_that_is_said_to_be_a_workbook_is_refused_as_one(staff: dict[str, Person]) -> None:
    told = upload(staff["operator"], "terminals/imports", b"\x93" * 90, XLSX).json()
    assert told["error"]["code"] == "table.xlsx"


def test_terminals_get_owners_homes_and_names(town: Town, staff: dict[str, Person]) -> None:
    operator = staff["operator"]
    owner = operator.made("accounts", holder="company", country="UA")["id"]
    head = "serial,kit,dish_id,hardware,origin,owner,cell\n"
    first = f"{head}SN-0001,,,STD-V2,gift,{owner},{CELLS[0]}\n"
    applied(operator, "terminals/imports", first)
    [made] = operator.get("terminals").json()["items"]
    assert (made["owner"], made["cell"], made["status"]) == (owner, CELLS[0], "registered")
    then = f"{head}SN-0001,KIT00000009,,,,,{CELLS[1]}\n"
    plan = planned(operator, "terminals/imports", then)
    assert plan["changed"][0]["fields"] == {
        "kit": {"old": None, "new": "KIT00000009"},
        "cell": {"old": CELLS[0], "new": CELLS[1]},
    }
    applied(operator, "terminals/imports", then)
    [made] = operator.get("terminals").json()["items"]
    assert (made["kit"], made["cell"], made["version"]) == ("KIT00000009", CELLS[1], 2)
    other = operator.made("accounts", holder="company", country="UA")["id"]
    bad = planned(operator, "terminals/imports", f"{head}SN-0001,,,,,{other},\n")["bad"]
    assert [(one["column"], one["way_out"]) for one in bad] == [("owner", "have its owner hand it over")]


def test_many_changes_to_what_is_there_take_two_people(town: Town, staff: dict[str, Person]) -> None:
    operator, approver = staff["operator"], staff["approver"]
    rows = [f"SN-{n:04},,STD-V2\n" for n in range(51)]
    applied(operator, "terminals/imports", "serial,kit,hardware\n" + "".join(rows))
    then = "serial,kit\n" + "".join(f"SN-{n:04},KIT{n:08}\n" for n in range(51))
    plan = planned(operator, "terminals/imports", then)
    assert plan["people"] == 2
    waiting = upload(operator, "terminals/imports", then, apply=plan["hash"])
    assert waiting.status_code == 202
    agreement = waiting.json()["approval"]
    alone = upload(operator, "terminals/imports", then, apply=plan["hash"], approval=agreement)
    assert (alone.status_code, alone.json()["error"]["code"]) == (409, "approval.people-missing")
    agreed(approver, waiting)
    other = then.replace("KIT00000007", "KIT00000077")
    swapped = upload(
        operator, "terminals/imports", other, apply=planned(operator, "terminals/imports", other)["hash"],
        approval=agreement,
    )  # fmt: skip
    assert (swapped.status_code, swapped.json()["error"]["code"]) == (409, "approval.other-change")
    done = planned(operator, "terminals/imports", then, apply=plan["hash"], approval=agreement)
    assert done["import_id"] == waiting.json()["about"]
    assert operator.get(f"imports/{done['import_id']}").json()["agreement"] == agreement
    with town.desk.store.reading() as reader:
        stored = reader.find(TERMINALS, "kit", "KIT00000007")
    assert stored is not None
    causes = {
        row.event.cause_id for row in town.desk.store.journal(0, 5000) if row.event.subject_id == stored.id
    }
    assert done["import_id"] in causes


@pytest.mark.parametrize("role", ["viewer", "field", "approver", "auditor"])
def test_who_may_import_nothing_is_refused(town: Town, staff: dict[str, Person], role: str) -> None:
    stranger = town.person(role, by=staff["operator"], approver=staff["approver"])
    response = upload(stranger, "terminals/imports", TERMINALS_CSV)
    assert (response.status_code, response.json()["error"]["code"]) == (403, "actor.not-allowed")


# --- exports


def test_every_list_is_exported_and_tables_come_back_as_no_change(
    town: Town, staff: dict[str, Person]
) -> None:
    operator = staff["operator"]
    owner = operator.made("accounts", holder="company", country="UA", name="CANARY")["id"]
    operator.made("plans", title="=1+1", service_class=4, down_bps=1.5e8, up_bps=1e7)
    operator.made("requests", channel="phone", site_kind="hospital", asker="CANARY", latitude_deg=50.4501,
                  longitude_deg=30.5234, cell=CELLS[0])  # fmt: skip
    one = f"SN-1001,STD-V2,gift,{owner},{CELLS[0]}"
    applied(operator, "terminals/imports", f"serial,hardware,origin,owner,cell\n{one}")
    shipment = {"reference": "TRK-001", "origin": "WAW-1", "destination": "KYV-1", "recipient": owner}
    operator.made("shipments", **shipment)
    operator.made("regions", country="UA", title="+Ukraine", cells=CELLS)
    for room in TABLE.rooms():
        response = operator.get(f"{plural(room.kind)}?format=csv&limit=1")
        assert response.status_code == 200, response.text
        assert response.headers["content-type"] == "text/csv; charset=utf-8"
        assert "CANARY" not in response.text
        assert "50.45" not in response.text
        rows = list(csv.reader(io.StringIO(response.text.removeprefix("\ufeff"))))
        assert len(rows) - 1 == len(operator.get(f"{plural(room.kind)}?limit=1000").json()["items"])
        assert not any(cell[:1] in tuple("=+-@") for row in rows for cell in row if cell)
        if room.kind in KINDS and room.kind != "shipment":
            plan = planned(operator, f"{plural(room.kind)}/imports", response.text)
            assert (plan["new"], plan["changed"], plan["bad"], plan["same"]) == (0, [], [], len(rows) - 1)
    assert operator.get("terminals?format=xls").status_code == 400


def test_an_export_holds_what_its_asker_may_read(town: Town, staff: dict[str, Person]) -> None:
    operator = staff["operator"]
    mine = operator.made("accounts", holder="company", country="UA")["id"]
    other = operator.made("accounts", holder="company", country="UA")["id"]
    rows = [f"SN-100{n},STD-V2,gift,{owner},{CELLS[0]}\n" for n, owner in enumerate((mine, other, mine))]
    applied(operator, "terminals/imports", "serial,hardware,origin,owner,cell\n" + "".join(rows))
    subscriber = town.person("subscriber", by=operator, approver=staff["approver"], account=mine)
    assert len(subscriber.get("terminals?format=csv").text.splitlines()) == 3
    assert upload(subscriber, "terminals/imports", TERMINALS_CSV).status_code == 403
    reader = operator.made("tokens", scopes=["region.read"])["token"]
    assert Person(town, operator.id, reader).get("terminals?format=csv").status_code == 403
