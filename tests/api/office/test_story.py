"""A day of a region over HTTP: set up, people, a region, two approvers, a terminal, may it be served."""

from __future__ import annotations

from typing import Any

from tests.api.office.conftest import CELLS, Person, Town, agreed


def activated_region(town: Town, operator: Person, approver: Person) -> tuple[str, Person]:
    """A region that is on, and the authority that allowed it."""
    region = operator.made("regions", country="UA", title="Ukraine", cells=CELLS)["id"]
    authority = town.person("authority", region, by=operator, approver=approver)
    authority.made(
        f"regions/{region}/grant", paper="temporary-authorisation", authority="regulator",
        document="decision 1", valid_from="2022-02-26T12:00:00Z", valid_until="2022-03-26T12:00:00Z",
    )  # fmt: skip
    for path, body in (
        (f"regions/{region}/cells", {"cells": CELLS, "mode": "enabled"}),
        (f"regions/{region}/activate", {}),
    ):
        waiting = operator.post(path, **body)
        assert waiting.status_code == 202, waiting.text
        early = operator.post(path, approval=waiting.json()["approval"], **body)
        assert early.status_code == 409, early.text
        agreed(approver, waiting)
        done = operator.post(path, approval=waiting.json()["approval"], **body)
        assert done.status_code == 200, done.text
    return region, authority


def active_terminal(operator: Person, region: str, cell: str = CELLS[0]) -> str:
    plan = operator.made("plans", title="Hospital", service_class=1, down_bps=5e7, up_bps=1e7)["id"]
    account = operator.made("accounts", holder="company", country="UA", region=region, name="CANARY")["id"]
    operator.made(f"accounts/{account}/verify", authority="ministry", reference="letter 5")
    operator.made(f"accounts/{account}/plan", plan=plan)
    terminal = operator.made("terminals", hardware="STD-V2", serial="KIT0001A", origin="gift")["id"]
    operator.made(f"terminals/{terminal}/deliver", place="WAW-1")
    operator.made(f"terminals/{terminal}/register", owner=account, cell=cell, region=region)
    operator.made(f"terminals/{terminal}/verify", basis="operator", authority="OPS", reference="check 1")
    operator.made(f"terminals/{terminal}/activate")
    return str(terminal)


def asked(person: Person, terminal: str, cell: str, **more: Any) -> dict[str, Any]:
    response = person.post("may-serve", terminal=terminal, cell=cell, **more)
    assert response.status_code == 200, response.text
    document: dict[str, Any] = response.json()
    return document


def test_from_nothing_to_a_terminal_that_may_be_served(town: Town, staff: dict[str, Person]) -> None:
    operator, approver = staff["operator"], staff["approver"]
    region, _ = activated_region(town, operator, approver)
    shown = operator.get(f"regions/{region}")
    assert (shown.json()["status"], shown.json()["version"]) == (
        "active",
        int(shown.headers["etag"].strip('"')),
    )
    terminal = active_terminal(operator, region)
    assert asked(operator, terminal, CELLS[0]) | {"at": 0} == {
        "allowed": True,
        "reasons": [],
        "cap_bps": 5e7,
        "at": 0,
    }
    away = asked(operator, terminal, CELLS[1])
    assert [reason["code"] for reason in away["reasons"]] == ["terminal.away-from-home"]
    later = asked(operator, terminal, CELLS[0], at="2022-04-01T00:00:00Z")
    assert [reason["code"] for reason in later["reasons"]] == ["region.papers-missing"]
    assert {"code", "authority", "would_change"} == set(later["reasons"][0])
    # What was decided a moment ago counts at once.
    waiting = operator.post(f"regions/{region}/suspend", reason="storm")
    agreed(approver, waiting)
    operator.made(f"regions/{region}/suspend", reason="storm", approval=waiting.json()["approval"])
    off = asked(operator, terminal, CELLS[0])
    assert [reason["code"] for reason in off["reasons"]] == ["region.not-active"]


def test_an_authorisation_runs_out_on_the_simulated_clock(town: Town, staff: dict[str, Person]) -> None:
    operator = staff["operator"]
    region, _ = activated_region(town, operator, staff["approver"])
    terminal = active_terminal(operator, region)
    assert asked(operator, terminal, CELLS[0])["allowed"]
    before = operator.get("clock").json()["now_us"]
    leapt = operator.made("clock", advance_s=30 * 86_400)
    assert 30 * 86_400e6 <= leapt["now_us"] - before < 30 * 86_400e6 + 60e6
    assert not asked(operator, terminal, CELLS[0])["allowed"]
    assert staff["approver"].post("clock", advance_s=1).status_code == 403
    assert operator.post("clock", advance_s=-1).status_code == 422
