"""Uses of the app through the doors: each once a day, of nobody in particular, and what the counts say."""

from __future__ import annotations

import asyncio
import logging
import secrets
import sqlite3
from pathlib import Path
from typing import Any

import pytest

from skylift.api.office import appstats
from skylift.api.office.appstats import AppStats
from skylift.ports.counts import AppDay
from tests.api.office.conftest import Person, Town

DAY_US = 86_400_000_000


def use(town: Town, country: str, number: str, first_ever: bool = False) -> int:
    """As the app does it, without a login."""
    body = {"country": country, "number": number, "first_ever": first_ever}
    return town.client.post("/api/v1/appstats/uses", json=body).status_code


def counts(person: Person, query: str = "") -> list[tuple[str, str, int, int]]:
    found = person.get(f"appstats{query}").json()["items"]
    return [(one["country"], one["day"], one["installs"], one["active"]) for one in found]


def kept(town: Town, *days: tuple[str, str, int, int]) -> None:
    """Counts of days that are over, as they would have come to be."""
    with town.desk.store.transaction() as transaction:
        for country, day, installs, active in days:
            transaction.add_app_use(AppDay(country, day, installs, active))


def test_a_use_counts_once_a_day_and_again_on_the_next(town: Town, staff: dict[str, Person]) -> None:
    operator = staff["operator"]
    one, two = (secrets.token_urlsafe(16) for _ in range(2))
    assert use(town, "UA", one, True) == 202
    for _ in range(3):
        assert use(town, "UA", one, True) == 202
    assert use(town, "UA", two) == 202
    assert use(town, "PL", two, True) == 202
    assert counts(operator) == [
        ("PL", "2022-02-26", 1, 1), ("UA", "2022-02-26", 1, 2), ("world", "2022-02-26", 2, 3),
    ]  # fmt: skip
    town.desk.advance(DAY_US)  # type: ignore[misc]
    assert use(town, "UA", one) == 202
    assert counts(operator, "?country=UA") == [("UA", "2022-02-26", 1, 2), ("UA", "2022-02-27", 0, 1)]
    assert counts(operator, "?country=PL&from=2022-02-27") == [("PL", "2022-02-27", 0, 0)]


@pytest.mark.parametrize(
    "body",
    [
        {}, {"country": "UA"}, {"country": "UKR", "number": "n" * 16}, {"country": "ua", "number": "n" * 16},
        {"country": "world", "number": "n" * 16}, {"country": "UA", "number": "short"},
        {"country": "UA", "number": "n" * 65}, {"country": "UA", "number": "+380 44 123 45 67 89"},
        {"country": "UA", "number": "n" * 16, "first_ever": "yes"},
    ],
)  # fmt: skip
def test_what_is_no_use(town: Town, staff: dict[str, Person], body: dict[str, Any]) -> None:
    response = town.client.post("/api/v1/appstats/uses", json=body)
    assert response.status_code in (400, 422)
    assert all(str(value) not in response.text for value in body.values() if len(str(value)) > 5)
    assert counts(staff["operator"]) == []


def test_nothing_is_kept_of_whoever_used_it(
    town: Town, staff: dict[str, Person], tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """No file, log or row has a number or a hash of one; nothing in memory outlives the day."""
    caplog.set_level(logging.DEBUG)
    stats = _stats(town)
    numbers = ["CANARY" + secrets.token_urlsafe(16) for _ in range(5)]
    for number in numbers:
        assert use(town, "UA", number, True) == 202
    [(_, day)] = stats._days.items()
    digests = list(day._seen)
    key = day.key
    assert len(digests) == 5
    head = town.desk.store.head()
    with sqlite3.connect(tmp_path / "skylift.sqlite") as database:
        assert database.execute("SELECT * FROM app_days").fetchall() == [("UA", "2022-02-26", 5, 5)]
        assert database.execute("SELECT count(*) FROM replies").fetchone() == (0,)
    for secret in (
        *(number.encode() for number in numbers),
        *digests,
        key,
        *(d.hex().encode() for d in digests),
    ):
        for path in tmp_path.rglob("*"):
            assert not path.is_file() or secret not in path.read_bytes()
    assert "CANARY" not in caplog.text
    assert town.desk.store.head() == head, "uses are not journalled"
    assert key.hex() not in repr(day)
    # The next day has another key, and nobody has the old one any more.
    town.desk.advance(DAY_US)  # type: ignore[misc]
    assert use(town, "UA", numbers[0]) == 202
    [(_, after)] = stats._days.items()
    assert after.key != key
    assert not after._seen & set(digests)


def _stats(town: Town) -> AppStats:
    """The object behind the town's door."""
    gate = town.client.app.middleware_stack  # type: ignore[attr-defined]
    while not hasattr(gate, "_doors"):
        gate = gate._app if hasattr(gate, "_app") else gate.app
    door = gate._doors["appstats", "uses"]["POST"]
    stats = door.handler.__self__
    assert isinstance(stats, AppStats)
    return stats


def test_a_day_that_is_over_is_thrown_away_without_any_further_use(
    town: Town, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(appstats, "SWEEP_EVERY_S", 0.02)
    stats = AppStats(town.desk)

    async def go() -> None:
        stats._day_of_use("UA").used(b"n" * 16)
        await asyncio.sleep(0.1)
        assert len(stats._days) == 1
        town.desk.advance(DAY_US)  # type: ignore[misc]
        await asyncio.sleep(0.1)
        assert stats._days == {}
        assert stats._sweeping is None, "nothing is left to wait for"

    asyncio.run(go())


def test_a_use_that_could_not_be_written_is_new_when_it_comes_again(
    town: Town, staff: dict[str, Person], monkeypatch: pytest.MonkeyPatch
) -> None:
    from skylift.adapters.sql.faults import locked

    def fail(*_: object, **__: object) -> None:
        raise locked()

    with monkeypatch.context() as patch:
        patch.setattr(type(town.desk.store), "writing", fail)
        assert use(town, "UA", "n" * 16, True) == 503
    assert use(town, "UA", "n" * 16, True) == 202
    assert counts(staff["operator"])[0] == ("UA", "2022-02-26", 1, 1)


def test_many_uses_from_one_address_are_slowed_down(town: Town) -> None:
    stats = _stats(town)
    stats._per_address.burst = 3
    found = [use(town, "UA", secrets.token_urlsafe(16)) for _ in range(6)]
    assert found[:3] == [202, 202, 202]
    assert 429 in found


def week(first: int, *installs: int) -> list[tuple[str, int]]:
    return [(f"2022-02-{first + n:02}", number) for n, number in enumerate(installs)]


def test_record_share_and_growth(town: Town, staff: dict[str, Person]) -> None:
    """Two weeks of February: the world's installs grow by half, most of them in one country."""
    operator = staff["operator"]
    ukraine = [*week(12, *[100] * 7), *week(19, *[200] * 6, 900)]
    poland = [*week(12, *[100] * 7)]
    kept(town, *(("UA", day, n, 2 * n) for day, n in ukraine), *(("PL", day, n, n) for day, n in poland))
    chosen = "from=2022-02-19&until=2022-02-25"
    compared = "week=2022-02-19&against=2022-02-12"
    found = operator.get(f"appstats/summary?country=UA&{chosen}&{compared}").json()
    assert (found["installs"], found["active"], found["share"]) == (2100, 4200, 1.0)
    assert found["record"] == {"day": "2022-02-25", "installs": 900}
    assert found["growth"] == {
        "week_from": "2022-02-19", "against_from": "2022-02-12", "installs": 2100, "installs_against": 700,
        "ratio": 3.0,
    }  # fmt: skip
    world = operator.get(f"appstats/summary?{compared}").json()
    assert world["growth"]["ratio"] == 1.5
    assert world["installs"] == 3500
    # A country where nobody installed anything in the second week has none, and no error.
    gone = operator.get(f"appstats/summary?country=PL&{compared}").json()["growth"]
    assert (gone["installs"], gone["ratio"]) == (0, 0.0)
    nobody = operator.get(f"appstats/summary?country=FR&{compared}").json()
    assert (nobody["growth"]["ratio"], nobody["record"], nobody["share"]) == (None, None, 0.0)
    half = operator.get("appstats/summary?week=2022-02-22&against=2022-02-08")
    assert (half.status_code, half.json()["error"]["code"]) == (422, "appstats.incomplete-week")
    for query in ("week=2022-02-19", "from=yesterday", "week=2022-02-30&against=2022-02-01"):
        assert operator.get(f"appstats/summary?{query}").status_code == 400


def test_figures_of_others_have_a_source_and_are_never_mixed_in(town: Town, staff: dict[str, Person]) -> None:
    operator = staff["operator"]
    source = "Sensor Tower, in the Wall Street Journal of 2022-03-15"
    rank = {"country": "UA", "day": "2022-03-13", "what": "rank", "value": 1, "source": source}
    record = {"country": "world", "day": "2022-03-13", "what": "installs", "value": 21_000, "source": source}
    made = operator.made("app-figures", **rank)
    operator.made("app-figures", **record)
    assert operator.get("appstats/summary?country=UA").json()["figures"] == [
        {"day": "2022-03-13", "what": "rank", "value": 1.0, "source": source}
    ]
    world = operator.get("appstats/summary").json()
    assert ([one["value"] for one in world["figures"]], world["installs"]) == ([21_000.0], 0)
    assert operator.post("app-figures", **rank).status_code == 409, "one source says it once"
    for wrong in (
        {"source": ""}, {"source": "me"}, {"value": 0}, {"value": 1.5}, {"day": "13.03.2022"},
        {"country": "Ukraine"}, {"source": "x" * 201},
    ):  # fmt: skip
        response = operator.post("app-figures", **(rank | {"day": "2022-03-14"} | wrong))
        assert response.status_code == 422, wrong
    operator.made(f"app-figures/{made['id']}/correct", value=2)
    assert operator.get("appstats/summary?country=UA").json()["figures"][0]["value"] == 2
    operator.made(f"app-figures/{made['id']}/withdraw", reason="misread")
    assert operator.get("appstats/summary?country=UA").json()["figures"] == []
    assert operator.post("app-figures", **rank).status_code == 201, "it may be told anew"


def test_who_may_look(town: Town, staff: dict[str, Person]) -> None:
    operator, approver = staff["operator"], staff["approver"]
    account = operator.made("accounts", holder="company", country="UA")["id"]
    subscriber = town.person("subscriber", by=operator, approver=approver, account=account)
    for path in ("appstats", "appstats/summary"):
        assert approver.get(path).status_code == 200
        assert subscriber.get(path).status_code == 403
        assert town.client.get(f"/api/v1/{path}").status_code == 401
    figure = {"country": "UA", "day": "2022-03-13", "what": "rank", "value": 1, "source": "a paper"}
    assert approver.post("app-figures", **figure).status_code == 403
