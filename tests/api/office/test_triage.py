"""Calls by a score that explains itself, and which of them may be the same."""

from __future__ import annotations

from typing import Any

import pytest

from tests.api.office.conftest import CELLS, Person, Town


@pytest.fixture
def calls(staff: dict[str, Person]) -> list[str]:
    told: list[dict[str, Any]] = [
        {"site_kind": "hospital", "people": 300, "cell": CELLS[0], "contact": "CANARY@example.org"},
        {"site_kind": "school", "people": 20, "cell": CELLS[1], "words": "other words altogether"},
        {"site_kind": "hospital", "people": 280, "cell": CELLS[0], "contact": "canary@example.org"},
    ]
    return [staff["operator"].made("requests", channel="phone", **one)["id"] for one in told]


def test_a_score_says_what_it_is_made_of(staff: dict[str, Person], calls: list[str]) -> None:
    found = staff["operator"].get("triage").json()
    assert (found["looked_at"], found["cut"]) == (3, False)
    assert found["items"][-1]["request"] == calls[1], "twenty people at a school wait last"
    for one in found["items"]:
        assert one["points"] == pytest.approx(sum(part["points"] for part in one["parts"]))
        assert one["points"] <= one["most"]
        # The last one is for waiting, and a moment has passed.
        again = staff["operator"].get(f"requests/{one['request']}/score").json()
        assert again["parts"][:-1] == one["parts"][:-1]


def test_calls_that_may_be_the_same_are_told_with_reasons_and_merged_by_nobody(
    staff: dict[str, Person], calls: list[str]
) -> None:
    answer = staff["operator"].get(f"requests/{calls[0]}/duplicates")
    found = answer.json()
    assert [one["request"] for one in found["items"]] == [calls[2]]
    assert found["compared"] == 2
    assert "the same contact" in found["items"][0]["reasons"]
    assert "canary" not in answer.text.lower()
    assert staff["operator"].get(f"requests/{calls[2]}").json()["status"] == "received"


def test_who_may_not_read_personal_rows_is_not_told_that_two_are_the_same(
    town: Town, staff: dict[str, Person], calls: list[str]
) -> None:
    viewer = town.person("viewer", by=staff["operator"], approver=staff["approver"])
    assert "the same contact" not in viewer.get(f"requests/{calls[0]}/duplicates").text


def test_of_a_call_that_is_not_there_nothing_is_told(staff: dict[str, Person]) -> None:
    for what in ("score", "duplicates"):
        assert staff["operator"].get(f"requests/req_absent/{what}").status_code == 404
