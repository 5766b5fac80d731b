"""Usage comes in by whoever may report it, is counted once, and ends service where the allowance ends."""

from __future__ import annotations

from typing import Any

import pytest

from skylift.base.instants import parse_instant
from tests.api.office.conftest import CELLS, Person, Town
from tests.api.office.test_story import activated_region, active_terminal, asked

AT = "2022-02-26T12:00:00Z"
GB = 10**9


@pytest.fixture
def terminal(town: Town, staff: dict[str, Person]) -> str:
    """One that may be served, whose account has a plan without an allowance."""
    region, _ = activated_region(town, staff["operator"], staff["approver"])
    return active_terminal(staff["operator"], region)


def use(person: Person, terminal: str, sequence: int, down: int, at: str = AT, up: int = 0) -> Any:
    row = {"sequence": sequence, "at": at, "down_bytes": down, "up_bytes": up}
    return person.post(f"terminals/{terminal}/usage", reports=[row])


def put_on_plan(operator: Person, terminal: str, **terms: Any) -> str:
    account: str = operator.get(f"terminals/{terminal}").json()["owner"]
    plan = operator.made(
        "plans", title="Limited", service_class=1, down_bps=5e7, up_bps=1e7, allowance_bytes=10 * GB, **terms
    )["id"]
    operator.made(f"accounts/{account}/plan", plan=plan)
    return account


def test_an_allowance_that_is_used_up_ends_service_until_the_next_month(
    town: Town, staff: dict[str, Person], terminal: str
) -> None:
    operator = staff["operator"]
    account = put_on_plan(operator, terminal)
    assert use(operator, terminal, 1, 10 * GB - 1).json() | {"account": ""} == {
        "counted": 1, "known": 0, "account": "", "cycle": "2022-02", "used_bytes": 10 * GB - 1,
    }  # fmt: skip
    assert asked(operator, terminal, CELLS[0])["allowed"]
    assert use(operator, terminal, 2, 0, up=1).json()["used_bytes"] == 10 * GB
    decision = asked(operator, terminal, CELLS[0])
    assert not decision["allowed"]
    assert decision["reasons"] == [
        {
            "code": "plan.allowance-used",
            "authority": "the operator",
            "would_change": "wait until 2022-03-01T00:00:00Z, or change the plan",
        }
    ]
    shown = operator.get(f"accounts/{account}/usage").json()
    assert (shown["used_bytes"], shown["allowance_bytes"], shown["slow_bps"]) == (10 * GB, 10 * GB, None)
    assert shown["cycle_ends"] == parse_instant("2022-03-01T00:00:00Z")
    assert shown["terminals"] == [{"terminal": terminal, "down_bytes": 10 * GB - 1, "up_bytes": 1}]
    # Time alone ends it, and so does another plan.
    town.desk.advance(2 * 86_400_000_000)  # type: ignore[misc]
    assert not asked(operator, terminal, CELLS[0])["allowed"], "28 February"
    town.desk.advance(86_400_000_000)  # type: ignore[misc]
    assert asked(operator, terminal, CELLS[0])["allowed"]
    assert operator.get(f"accounts/{account}/usage").json()["used_bytes"] == 0
    use(operator, terminal, 3, 11 * GB, at="2022-03-01T12:00:00Z")
    assert not asked(operator, terminal, CELLS[0])["allowed"]
    put_on_plan(operator, terminal, slow_bps=1e6)
    assert asked(operator, terminal, CELLS[0]) | {"at": 0} == {
        "allowed": True, "reasons": [], "cap_bps": 1e6, "at": 0
    }  # fmt: skip


def test_what_was_used_before_a_restart_counts_after_it(
    town: Town, staff: dict[str, Person], terminal: str
) -> None:
    from skylift.api.office.facts import Facts

    operator = staff["operator"]
    put_on_plan(operator, terminal)
    use(operator, terminal, 1, 11 * GB)
    again = Facts(town.desk.store, town.desk.clock.now)
    again._catch_up()
    decision = again._permissions.may_serve(terminal, CELLS[0], town.desk.clock.now())
    assert [why.code.value for why in decision.reasons] == ["plan.allowance-used"]
    # And what another process counts is seen as well.
    with town.desk.store.transaction() as transaction:
        account = operator.get(f"terminals/{terminal}").json()["owner"]
        assert transaction.used_bytes(account, "2022-02") == 11 * GB
    again.close()


def test_a_report_that_comes_again_counts_once(town: Town, staff: dict[str, Person], terminal: str) -> None:
    operator = staff["operator"]
    assert use(operator, terminal, 7, 100).json()["counted"] == 1
    again = use(operator, terminal, 7, 100).json()
    assert (again["counted"], again["known"], again["used_bytes"]) == (0, 1, 100)
    other = use(operator, terminal, 7, 101)
    assert (other.status_code, other.json()["error"]["code"]) == (409, "usage.other-report")
    head = town.desk.store.head()
    use(operator, terminal, 8, 100)
    assert town.desk.store.head() == head, "usage is not journalled"
    rows = [{"sequence": n, "at": AT, "down_bytes": 1, "up_bytes": 1} for n in range(7, 12)]
    mixed = operator.post(f"terminals/{terminal}/usage", reports=rows)
    assert mixed.status_code == 409, "7 and 8 came with other figures"
    assert operator.post(f"terminals/{terminal}/usage", reports=rows[2:]).json()["counted"] == 3


@pytest.mark.parametrize(
    ("row", "status"),
    [
        ({"sequence": -1}, 422), ({"down_bytes": -1}, 422), ({"up_bytes": 10**17}, 422),
        ({"at": "2021-12-01T00:00:00Z"}, 422), ({"at": "2022-03-26T00:00:00Z"}, 422),
        ({"at": "yesterday"}, 400), ({"sequence": "one"}, 400), ({"down_bytes": 1.5}, 400),
    ],
)  # fmt: skip
def test_reports_that_cannot_be(
    staff: dict[str, Person], terminal: str, row: dict[str, Any], status: int
) -> None:
    good = {"sequence": 1, "at": AT, "down_bytes": 1, "up_bytes": 1}
    response = staff["operator"].post(f"terminals/{terminal}/usage", reports=[good, good | row])
    assert response.status_code == status, response.text
    assert staff["operator"].get(f"terminals/{terminal}/usage").json()["days"] == []
    assert staff["operator"].post(f"terminals/{terminal}/usage", reports=[]).status_code == 422


def test_who_may_report_and_who_may_look(town: Town, staff: dict[str, Person], terminal: str) -> None:
    operator, approver = staff["operator"], staff["approver"]
    account = operator.get(f"terminals/{terminal}").json()["owner"]
    owner = town.person("subscriber", by=operator, approver=approver, account=account)
    other = operator.made("accounts", holder="company", country="UA")["id"]
    stranger = town.person("subscriber", by=operator, approver=approver, account=other)
    made = operator.made("tokens", scopes=["telemetry.write"], title="agent")
    agent = Person(town, operator.id, made["token"])
    assert use(agent, terminal, 1, 5).status_code == 200
    assert agent.get(f"terminals/{terminal}/usage").status_code == 404, "it reports, and reads nothing"
    assert use(owner, terminal, 2, 5).status_code == 403, "nobody counts their own"
    assert use(stranger, terminal, 2, 5).status_code == 404
    assert use(agent, "trm_absent", 2, 5).status_code == 404
    assert use(stranger, "trm_absent", 2, 5).status_code == 403
    assert owner.get(f"terminals/{terminal}/usage").json()["down_bytes"] == 5
    assert owner.get(f"accounts/{account}/usage").json()["used_bytes"] == 5
    for path in (f"terminals/{terminal}/usage", f"accounts/{account}/usage"):
        there = stranger.get(path)
        absent = stranger.get(path.replace(terminal, "trm_absent").replace(account, "acc_absent"))
        assert (there.status_code, there.json()) == (404, absent.json())


def test_a_new_owner_does_not_see_what_it_was_used_for_before(
    town: Town, staff: dict[str, Person], terminal: str
) -> None:
    operator, approver = staff["operator"], staff["approver"]
    before = operator.get(f"terminals/{terminal}").json()["owner"]
    after = operator.made("accounts", holder="company", country="UA")["id"]
    use(operator, terminal, 1, 100)
    operator.made(f"terminals/{terminal}/hand-over", to=after)
    owner = town.person("subscriber", by=operator, approver=approver, account=after)
    owner.made(f"terminals/{terminal}/accept", cell=CELLS[0])
    use(operator, terminal, 2, 7)
    assert owner.get(f"terminals/{terminal}/usage").json()["down_bytes"] == 7
    assert operator.get(f"terminals/{terminal}/usage").json()["down_bytes"] == 107
    used = {id: operator.get(f"accounts/{id}/usage").json()["used_bytes"] for id in (before, after)}
    assert used == {before: 100, after: 7}


def test_days_can_be_chosen(staff: dict[str, Person], terminal: str) -> None:
    operator = staff["operator"]
    for number, day in enumerate(("2022-02-01", "2022-02-02", "2022-02-26")):
        use(operator, terminal, number, 10**number, at=f"{day}T00:00:00Z")
    path = f"terminals/{terminal}/usage"
    assert [day["day"] for day in operator.get(f"{path}?from=2022-02-02").json()["days"]] == [
        "2022-02-02", "2022-02-26",
    ]  # fmt: skip
    assert operator.get(f"{path}?from=2022-02-02&until=2022-02-02").json()["down_bytes"] == 10
    assert operator.get(f"{path}?from=yesterday").status_code == 400


def test_an_erased_account_has_no_days(staff: dict[str, Person], terminal: str) -> None:
    operator = staff["operator"]
    account = operator.get(f"terminals/{terminal}").json()["owner"]
    use(operator, terminal, 1, 100)
    assert operator.ask("DELETE", f"accounts/{account}/personal", {"ground": "asked"}).status_code == 200
    assert operator.get(f"terminals/{terminal}/usage").json()["days"] == []
    assert operator.get(f"accounts/{account}/usage").json()["used_bytes"] == 100
