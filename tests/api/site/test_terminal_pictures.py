"""Pictures on a terminal's page: there for whoever may see them, and where there is something to see."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from skylift.adapters.sql.store import sqlite_url
from tests.api.office.conftest import CELLS, Person, Town, make_town
from tests.api.office.test_sharing import tell
from tests.api.office.test_telemetry import Agent, agent_of, code_of, row
from tests.api.site.conftest import Browser, log_in

PNG = b"\x89PNG\r\n\x1a\n"


@pytest.fixture(scope="module")
def town(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Town]:
    yield from make_town(sqlite_url(tmp_path_factory.mktemp("pictures")))


@pytest.fixture(scope="module")
def operator(town: Town) -> Person:
    return town.first()


@pytest.fixture(scope="module")
def account(operator: Person) -> str:
    return str(operator.made("accounts", holder="company", country="UA")["id"])


def dish(operator: Person, account: str, serial: str) -> Agent:
    made = operator.made("terminals", hardware="STD-V2", serial=serial, origin="gift")["id"]
    operator.made(f"terminals/{made}/register", owner=account, cell=CELLS[0])
    return agent_of(operator, made)


def shown(browser: Browser, agent: Agent, name: str) -> bool:
    """Whether the page has the picture; and then the picture is there, and otherwise not."""
    path = f"/terminals/{agent.terminal}"
    has = bool(f'src="{path}/{name}.png" loading="lazy"' in browser.open(path).html)
    given = browser.client.get(f"{path}/{name}.png")
    assert given.status_code == (200 if has else 404), given.text
    assert given.content.startswith(PNG) is has
    assert given.headers["cache-control"] == "no-store"
    return has


def test_a_year_is_shown_where_something_was_reported(town: Town, operator: Person, account: str) -> None:
    agent = dish(operator, account, "KIT-YEAR")
    browser = log_in(town, "first@example.org")
    assert not shown(browser, agent, "year")
    agent.post(*[row(number, ping_latency_ms=30.0 + number) for number in range(1, 9)])
    assert shown(browser, agent, "year")
    browser.client.cookies.clear()
    away = browser.client.get(f"/terminals/{agent.terminal}/year.png", follow_redirects=False)
    assert (away.status_code, away.headers["location"].startswith("/login")) == (303, True)
    stranger = town.person("", by=operator)
    path = f"/terminals/{agent.terminal}/year.png"
    assert log_in(town, f"{stranger.id}@example.org").client.get(path).status_code == 404


def test_a_map_is_shown_to_few_while_its_owner_shares_it(town: Town, operator: Person, account: str) -> None:
    agent = dish(operator, account, "KIT-MAP")
    browser = log_in(town, "first@example.org")
    viewer = town.person("viewer", by=operator, approver=town.person("approver", by=operator))
    looker = log_in(town, f"{viewer.id}@example.org")
    asked = f"terminals/{agent.terminal}/place?format=png"

    def looks() -> int:
        return sum(one.event.NAME == "store.personal-read/1" for one in town.desk.store.journal(limit=10_000))

    assert tell(agent, 1, "boresight").status_code == 200
    assert not shown(browser, agent, "obstructions")
    assert code_of(operator.get(asked)) == (422, "place.no-map")
    assert looks() == 0
    assert tell(agent, 2, "boresight", "obstruction-map").status_code == 200
    assert shown(browser, agent, "obstructions")
    assert looks() == 1
    assert operator.get(asked).content.startswith(PNG)
    # Who may not see where it stands sees that it is shared, and not what.
    assert "Obstruction map" in looker.open(f"/terminals/{agent.terminal}").text
    assert not shown(looker, agent, "obstructions")
    assert viewer.get(asked).status_code == 403
    assert code_of(operator.get(f"{asked[:-3]}svg")) == (400, "parameter.format")
    assert looks() == 2
    assert tell(agent, 3).json() == {"kinds": []}
    assert not shown(browser, agent, "obstructions")
