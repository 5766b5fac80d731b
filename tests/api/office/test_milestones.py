"""How fast help came, as each asker may know it."""

from __future__ import annotations

from tests.api.office.conftest import Person, Town
from tests.api.office.test_story import activated_region

HOUR_US = 3_600_000_000


def call(person: Person, **more: object) -> str:
    id: str = person.made("requests", channel="phone", site_kind="hospital", **more)["id"]
    return id


def leap(town: Town, hours: float) -> None:
    town.desk.advance(round(hours * HOUR_US))  # type: ignore[misc]


def test_the_times_of_a_call_beside_the_benchmark(town: Town, staff: dict[str, Person]) -> None:
    operator, approver = staff["operator"], staff["approver"]
    first = call(operator)
    leap(town, 1)
    operator.made(f"requests/{first}/acknowledge")
    leap(town, 8)
    region, _ = activated_region(town, operator, approver)
    late = call(operator, region=region, asked_at="2022-02-25T12:00:00Z")
    operator.made(f"requests/{first}/place", cell="851e5227fffffff", region=region)
    found = operator.get("milestones").json()
    assert found["benchmark_hours"] == 10.0
    by_id = {one["request"]: one for one in found["items"]}
    assert list(by_id) == [first, late]
    hours = by_id[first]["hours"]
    assert [round(hours[step], 2) for step in ("acknowledged", "authorised", "activated")] == [1.0, 9.0, 9.0]
    assert hours["first_online"] is None
    assert by_id[first]["beats_benchmark"] is True
    assert by_id[late]["beats_benchmark"] is False, "33 hours"
    whole, [of_region] = found["whole"], found["regions"]
    assert (whole["region"], whole["requests"], of_region["region"]) == ("*", 2, region)
    assert (whole["within_benchmark"], whole["beyond_benchmark"]) == (1, 1)
    assert round(whole["from_first_call"]["activated"]) == 33
    assert round(whole["middle"]["activated"]) == 21
    assert whole["reached"] == [1, 2, 2, 0]
    # What is written a moment later counts at once.
    operator.made(f"requests/{late}/acknowledge")
    assert operator.get("milestones").json()["whole"]["reached"] == [2, 2, 2, 0]


def test_pages_and_regions(town: Town, staff: dict[str, Person]) -> None:
    operator = staff["operator"]
    ids = [call(operator) for _ in range(5)]
    page = operator.get("milestones?limit=2").json()
    found = [one["request"] for one in page["items"]]
    while page["next"]:
        page = operator.get(f"milestones?limit=2&cursor={page['next']}").json()
        found += [one["request"] for one in page["items"]]
    assert found == ids
    assert operator.get("milestones?limit=0").json()["items"] == []
    assert operator.get("milestones?region=rgn_none").json()["whole"]["requests"] == 0
    for query in ("limit=-1", "limit=x", "cursor=x", "limit=2000", "since=1"):
        assert operator.get(f"milestones?{query}").status_code == 400
    first = operator.get("milestones?limit=1")
    assert operator.get("milestones?limit=1", If_None_Match=first.headers["etag"]).status_code == 304


def test_a_merged_call_counts_once(town: Town, staff: dict[str, Person]) -> None:
    operator = staff["operator"]
    one, two = call(operator), call(operator)
    operator.made(f"requests/{two}/merge", into=one)
    found = operator.get("milestones").json()
    assert found["whole"]["requests"] == 1
    assert [item["merged_into"] for item in found["items"]] == ["", one]


def test_nobody_counts_calls_that_they_may_not_read(town: Town, staff: dict[str, Person]) -> None:
    operator, approver = staff["operator"], staff["approver"]
    region, authority = activated_region(town, operator, approver)
    call(operator, region=region)
    call(operator)
    account = operator.made("accounts", holder="company", country="UA")["id"]
    subscriber = town.person("subscriber", by=operator, approver=approver, account=account)
    assert operator.get("milestones").json()["whole"]["requests"] == 2
    seen = authority.get("milestones").json()
    assert (seen["whole"]["requests"], [one["region"] for one in seen["regions"]]) == (1, [region])
    for person in (subscriber, town.person("", by=operator)):
        found = person.get("milestones").json()
        assert (found["whole"]["requests"], found["regions"], found["items"]) == (0, [], [])
    token = operator.made("tokens", scopes=["terminal.read"], title="program")["token"]
    assert Person(town, operator.id, token).get("milestones").status_code == 403
