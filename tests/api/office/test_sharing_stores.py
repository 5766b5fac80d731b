"""What owners share, on both stores: told, read by few, and in no file once it is taken back."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from skylift.adapters.sql.store import sqlite_url
from tests.adapters.sql.test_erasing import holds
from tests.api.office.conftest import Person, Town, make_town
from tests.api.office.test_sharing import LATITUDE, PIXELS, TRACES, agent_of_company, kinds, place, tell
from tests.api.office.test_telemetry import Agent, code_of, row


@pytest.fixture(params=["sqlite", "postgresql"])
def url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    if request.param == "sqlite":
        return sqlite_url(tmp_path)
    return str(request.getfixturevalue("postgresql_url"))


@pytest.fixture
def files(request: pytest.FixtureRequest, url: str, tmp_path: Path) -> Path:
    """Where the store's bytes are."""
    if url.startswith("sqlite"):
        return tmp_path
    data = request.getfixturevalue("postgresql_server").data
    assert isinstance(data, Path)
    return data


@pytest.fixture
def town(url: str) -> Iterator[Town]:
    # As `skylift run` keeps it: on a server both are in one database.
    yield from make_town(url, telemetry_url="" if url.startswith("sqlite") else url)


@pytest.fixture
def operator(town: Town) -> Person:
    return town.first()


@pytest.fixture
def agent(operator: Person) -> Agent:
    return agent_of_company(operator)


def test_what_is_shared_is_there_until_it_is_taken_back_and_then_in_no_file(
    town: Town, operator: Person, agent: Agent, files: Path
) -> None:
    assert tell(agent, 1, "location-exact", "obstruction-map", "boresight").status_code == 200
    assert agent.post(row(1)).status_code == 200
    (one,) = place(operator, agent)
    assert one["location"]["latitude_deg"] == LATITUDE
    assert one["obstructions"]["values"] == [-1.0, 0.0, 0.5, 1.0]
    assert holds(files, str(LATITUDE))
    viewer = town.person("viewer", by=operator, approver=town.person("approver", by=operator))
    assert set(kinds(viewer, agent)) == {"location-exact", "obstruction-map", "boresight"}
    assert viewer.get(f"terminals/{agent.terminal}/place").status_code == 403
    # Part of it, and then all of it.
    assert tell(agent, 2, "boresight").status_code == 200
    assert holds(files, str(LATITUDE), PIXELS) == []
    (one,) = place(operator, agent)
    assert (one["location"], one["obstructions"], one["boresight"]["azimuth_deg"]) == (None, None, 217.3)
    assert code_of(tell(agent, 1, "location-exact")) == (409, "sharing.over")
    assert tell(agent, 3).json() == {"kinds": []}
    assert (kinds(operator, agent), place(operator, agent)) == ([], [])
    assert holds(files, *TRACES, PIXELS) == []
    looks = [one.event for one in town.desk.store.journal(limit=10_000)]
    assert sum(event.NAME == "store.personal-read/1" for event in looks) == 2
    # Its rows are no place: they stay.
    assert operator.get(f"terminals/{agent.terminal}/state").json()["row"] is not None


def test_it_goes_with_what_is_personal_of_the_terminal(
    town: Town, operator: Person, agent: Agent, files: Path
) -> None:
    assert tell(agent, 1, "location-exact", "obstruction-map").status_code == 200
    assert holds(files, str(LATITUDE))
    assert operator.ask("DELETE", f"terminals/{agent.terminal}/personal", {}).status_code == 200
    assert (kinds(operator, agent), place(operator, agent)) == ([], [])
    assert holds(files, *TRACES, PIXELS) == []
