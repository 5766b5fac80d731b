"""Service lines of an operator at the doors: recorded by verb and by table, and kept in history."""

from __future__ import annotations

from tests.api.office.conftest import CELLS, Person, Town
from tests.api.office.test_imports import applied, planned

LINE = {
    "number": "ast-511274-31364-54",
    "product": "business-subscription-100",
    "standing": "active",
    "started_at": "2022-01-05T00:00:00Z",
    "source": "operators-api",
}
# As `skylift management lines` writes it.
TABLE = """dish_id,kit,serial,line,line_product,line_standing,line_started,line_ended,line_source
ut0100,,,AST-511274-31364-54,business-subscription-100,active,2022-01-05T00:00:00.0000000+00:00,none,operators-api
ut0200,,,none,,,,,operators-api
"""


def dishes(operator: Person) -> list[str]:
    made = {"hardware": "STD-V2", "origin": "gift", "network": "operator"}
    return [operator.made("terminals", dish_id=id, **made)["id"] for id in ("ut0100", "ut0200")]


def test_a_table_of_lines_is_taken_once_and_a_renewal_kept(town: Town, staff: dict[str, Person]) -> None:
    operator = staff["operator"]
    one, other = dishes(operator)
    applied(operator, "terminals/imports", TABLE)
    assert planned(operator, "terminals/imports", TABLE)["same"] == 2
    shown = operator.get(f"terminals/{one}").json()
    line = dict(shown["line"])
    assert (line["number"], line["standing"], line["ended_at"]) == ("AST-511274-31364-54", "active", None)
    assert shown["status"] == "delivered"
    assert operator.get(f"terminals/{other}").json()["line"]["number"] == ""
    # The same by the verb is no new fact; a cancellation and a renewal are.
    version = shown["version"]
    assert operator.made(f"terminals/{one}/record-line", **LINE)["version"] == version
    operator.made(f"terminals/{one}/record-line", **LINE, ended_at="2022-03-05T00:00:00Z")
    assert operator.made(f"terminals/{one}/record-line", **LINE)["version"] == version + 2
    # Moved to the other dish.
    moved = TABLE.replace("ut0100", "ut0300").replace("ut0200", "ut0100").replace("ut0300", "ut0200")
    plan = planned(operator, "terminals/imports", moved)
    assert {tuple(change["fields"]["line"].values()) for change in plan["changed"]} == {
        ("AST-511274-31364-54", "none"), ("none", "AST-511274-31364-54")
    }  # fmt: skip
    applied(operator, "terminals/imports", moved)
    for asked in ("ast-511274", "business-subscription"):
        assert [t["id"] for t in operator.get(f"terminals?q={asked}").json()["items"]] == [other]
    told = [row.event for row in town.desk.store.history(one, None, 20)]
    assert (told[0].NAME, told[0].former) == ("terminal.no-line-recorded/1", "AST-511274-31364-54")  # type: ignore[attr-defined]
    assert [event.NAME for event in told].count("terminal.line-recorded/1") == 3


def test_a_dish_that_is_not_ours_is_told_by_its_row(town: Town, staff: dict[str, Person]) -> None:
    operator = staff["operator"]
    dishes(operator)
    head = town.desk.store.head()
    [bad] = planned(operator, "terminals/imports", TABLE.replace("ut0200", "ut0900"))["bad"]
    assert (bad["row"], bad["reason"]) == (3, "it is not in the fleet")
    assert "leave the row out" in bad["way_out"]
    assert town.desk.store.head() == head


def test_names_and_places_do_not_become_a_lines(town: Town, staff: dict[str, Person]) -> None:
    """What people call a line is refused wherever it is put, and stands nowhere afterwards."""
    operator = staff["operator"]
    one, _ = dishes(operator)
    canaries = ("Canary Olena's house", "CANARY Школа 5", "50.4501, 30.5234", "+380 50 123 45 67")
    for canary in canaries:
        for field in ("number", "product"):
            refused = operator.post(f"terminals/{one}/record-line", **{**LINE, field: canary})
            assert refused.status_code == 422, canary
            assert canary not in refused.text
            row = f'"{canary}",' if field == "number" else f'AST-1,"{canary}"'
            table = f"dish_id,line,line_product\nut0100,{row}\n"
            [bad] = planned(operator, "terminals/imports", table)["bad"]
            assert canary not in str(bad)
    assert operator.post(f"terminals/{one}/record-line", **LINE, nickname="CANARY").status_code == 400
    assert operator.get(f"terminals/{one}").json()["line"] is None
    assert "canary" not in str(town.desk.store.journal(0, 1000)).lower()


def test_who_may_record_a_line_and_who_sees_it(town: Town, staff: dict[str, Person]) -> None:
    operator, approver = staff["operator"], staff["approver"]
    one, _ = dishes(operator)
    account = operator.made("accounts", holder="company", country="UA")["id"]
    operator.made(f"terminals/{one}/register", owner=account, cell=CELLS[0])
    people = {
        role: town.person(role, by=operator, approver=approver, account=account * (role == "subscriber"))
        for role in ("logistics", "field", "subscriber")
    }
    for role, person in people.items():
        status = 200 if role == "logistics" else 403
        assert person.post(f"terminals/{one}/record-line", **LINE).status_code == status, role
    assert people["subscriber"].get(f"terminals/{one}").json()["line"]["number"] == "AST-511274-31364-54"
    assert people["field"].post(f"terminals/{one}/record-no-line").status_code == 403
    assert people["logistics"].post(f"terminals/{one}/record-no-line").status_code == 200
