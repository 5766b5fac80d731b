"""What an owner shares of their dish's place: nothing unasked, what they said, and nothing any more."""

from __future__ import annotations

import shutil
import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Any

import h3
import httpx
import msgspec
import pytest

from skylift.adapters.sql.store import open_store, sqlite_url
from skylift.api.telemetry.enrolment import POST
from skylift.api.telemetry.sharing import at_home
from skylift.service import erasure
from skylift.service.rooms import ROOMS
from skylift.service.terminal import sharing
from skylift.wire.telemetry.rows import Batch
from skylift.wire.telemetry.sharing import KINDS, PATH, Located, Obstructions, packed
from tests.adapters.sql.test_erasing import holds
from tests.api.office.conftest import CELLS, Person, Town
from tests.api.office.test_telemetry import Agent, agent_of, code_of, intake_of, row
from tests.api.site.conftest import log_in

# Numbers that stand nowhere else.
LATITUDE, LONGITUDE = 50.4567891, 30.5432198
CELL = h3.latlng_to_cell(LATITUDE, LONGITUDE, 7)
TRACES = (str(LATITUDE), str(LONGITUDE), CELL, "4471344713", "217.3")
PIXELS = packed([-1.0, 0.0, 0.5, 1.0])
AT_US = 1_645_900_000_000_000
# All of a kind's values.
VALUES: dict[str, dict[str, Any]] = {
    "location": {"location": {"cell": CELL}},
    "location-exact": {"location": {"latitude_deg": LATITUDE, "longitude_deg": LONGITUDE}},
    "obstruction-map": {"obstructions": {"rows": 2, "columns": 2, "frame": "earth", "pixels": PIXELS}},
    "boresight": {"boresight": {"azimuth_deg": 217.3, "elevation_deg": 70.0, "tilt_deg": None}},
    "satellite-trace": {"satellites": [[AT_US, 4471344713]]},
}


def tell(agent: Agent, word: int, *kinds: str, terminal: str = "", **values: Any) -> httpx.Response:
    told = {
        "terminal": terminal or agent.terminal,
        "word": word,
        "kinds": kinds,
        "at_us": 1_645_900_000_000_000,
    }
    if not values:
        values = {name: value for kind in kinds for name, value in VALUES[kind].items()}
    return agent.send(PATH, msgspec.json.encode({**told, **values}))


@pytest.fixture
def operator(town: Town) -> Person:
    return town.first()


@pytest.fixture
def agent(operator: Person) -> Agent:
    return agent_of_company(operator)


def agent_of_company(operator: Person) -> Agent:
    """Of a terminal that was just registered for a company."""
    account = operator.made("accounts", holder="company", country="UA")["id"]
    dish = operator.made("terminals", hardware="STD-V2", serial="KIT-0001", origin="gift")["id"]
    operator.made(f"terminals/{dish}/register", owner=account, cell=CELLS[0])
    return agent_of(operator, dish)


def place(operator: Person, agent: Agent) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = operator.get(f"terminals/{agent.terminal}/place").json()["shared"]
    return found


def kinds(operator: Person, agent: Agent) -> list[str]:
    shared = operator.get(f"terminals/{agent.terminal}/sharing").json()["shared"]
    return [kind for one in shared for kind in one["kinds"]]


def test_what_was_not_opted_into_is_refused_and_nothing_of_it_kept(
    town: Town, operator: Person, agent: Agent, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(0)
    for kind, value in VALUES.items():
        others = [one for one in KINDS if "location" not in one and one != kind]
        for said in (others, []):
            refused = tell(agent, 1, *said, **value)
            assert code_of(refused) == (422, "sharing.not-opted-in")
            assert not any(trace in refused.text for trace in (*TRACES, PIXELS))
        # Nor with rows, nor within one.
        now = int(town.desk.clock.now())
        batch = Batch(agent.terminal, now, [row(1)], msgspec.Raw(msgspec.json.encode(value)))
        assert code_of(agent.send(POST, msgspec.json.encode(batch))) == (422, "telemetry.place")
        within = msgspec.to_builtins(row(1)) | {"at_us": now, **value}
        rows = {"terminal": agent.terminal, "sent_at": now, "rows": [within]}
        assert agent.send(POST, msgspec.json.encode(rows)).status_code == 200
    assert not holds(tmp_path, *TRACES, PIXELS)
    assert not any(trace in caplog.text for trace in TRACES)
    assert (kinds(operator, agent), place(operator, agent)) == ([], [])


def test_no_document_that_is_none_is_taken_and_no_finer_cell(
    town: Town, operator: Person, agent: Agent
) -> None:
    fine = h3.latlng_to_cell(LATITUDE, LONGITUDE, 8)
    bad = [
        ("sharing.cell", {"location": {"cell": fine}}),
        ("sharing.cell", {"location": {"cell": "123456"}}),
        ("sharing.not-opted-in", VALUES["location-exact"]),
        ("body.json", {"location": {"cell": CELL, "street": "10"}}),
        ("body.json", {"latitude_deg": LATITUDE}),
        ("body.json", {"location": {"latitude_deg": 91.0, "longitude_deg": 1.0}}),
        ("body.json", {"location": [CELL]}),
    ]
    for code, values in bad:
        refused = tell(agent, 1, "location", **values)
        assert refused.json()["error"]["code"] == code
        assert not any(trace in refused.text for trace in (*TRACES, fine))
    for pixels in ("!", packed([1.0]), packed([0.0] * 100_000), "eJwDAAAAAAE="):
        map_ = {"rows": 2, "columns": 2, "frame": "earth", "pixels": pixels}
        assert tell(agent, 1, "obstruction-map", obstructions=map_).json()["error"]["code"] == "sharing.map"
    other = operator.made("terminals", hardware="STD-V2", serial="KIT-0002", origin="gift")["id"]
    assert code_of(tell(agent, 1, "location", terminal=other)) == (422, "sharing.other-terminal")
    stranger = Agent(town, agent.terminal, key_id=agent.key_id)
    assert code_of(tell(stranger, 1, "location")) == (401, "key.not-known")
    assert kinds(operator, agent) == []
    # An operator sees why.
    seen = operator.get(f"terminals/{agent.terminal}/quarantine").json()
    assert not any(trace in str(seen) for trace in TRACES)


def test_what_is_shared_is_shown_to_few_and_stands_in_one_table(
    town: Town, operator: Person, agent: Agent, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(0)
    assert place(operator, agent) == []
    shared = [kind for kind in KINDS if kind != "location-exact"]
    assert tell(agent, 1, *shared).json() == {"kinds": sorted(shared)}
    (one,) = place(operator, agent)
    assert one["location"]["cell"] == CELL
    assert one["obstructions"]["values"] == [-1.0, 0.0, 0.5, 1.0]
    assert one["boresight"]["azimuth_deg"] == 217.3
    assert one["satellites"] == [[AT_US, 4471344713]]
    assert one["home"] == at_home(CELLS[0], {"cell": CELL})
    # The last value alone.
    elsewhere = h3.latlng_to_cell(48.9, 38.4, 5)
    assert tell(agent, 1, *shared, location={"cell": elsewhere}).status_code == 200
    (one,) = place(operator, agent)
    assert (one["location"]["cell"], one["home"], one["boresight"]) == (elsewhere, "outside", None)
    assert tell(agent, 1, *shared).status_code == 200

    viewer = town.person("viewer", by=operator, approver=town.person("approver", by=operator))
    assert set(kinds(viewer, agent)) == set(shared)
    assert viewer.get(f"terminals/{agent.terminal}/place").status_code == 403
    stranger = town.person("", by=operator)
    for path in ("place", "sharing"):
        assert stranger.get(f"terminals/{agent.terminal}/{path}").status_code in (403, 404)
    # Each look is in the journal, by the names of fields; nothing of the place is.
    journal = town.desk.store.journal(limit=10_000)
    assert sum(one.event.NAME == "store.personal-read/1" for one in journal) == 2
    page = log_in(town, "first@example.org").open(f"/terminals/{agent.terminal}").text
    assert "Location: an H3 cell" in page
    told = repr([one.event for one in journal]) + caplog.text + page
    for path in ("terminals", f"terminals/{agent.terminal}", f"terminals/{agent.terminal}/state"):
        told += operator.get(path).text
    told += operator.get("terminals", Accept="text/csv").text
    assert not any(trace in told for trace in TRACES)
    assert PIXELS not in told
    with closing(sqlite3.connect(tmp_path / "skylift.sqlite")) as database:
        names = [name for (name,) in database.execute("SELECT name FROM sqlite_master WHERE type = 'table'")]
        for name in set(names) - {"personal"}:
            rows = str(database.execute(f'SELECT * FROM "{name}"').fetchall())
            assert not any(trace in rows for trace in TRACES), name
        assert CELL in str(database.execute("SELECT * FROM personal").fetchall())
    assert not holds(tmp_path, *TRACES, but=("skylift.sqlite", "skylift.sqlite-wal"))


def test_taking_back_erases_and_an_older_word_brings_nothing_back(
    town: Town, operator: Person, agent: Agent, tmp_path: Path
) -> None:
    everything = [kind for kind in KINDS if kind != "location"]
    assert tell(agent, 1, *everything).status_code == 200
    assert holds(tmp_path, str(LATITUDE))
    backup = tmp_path / "backup"
    backup.mkdir()
    with (
        closing(sqlite3.connect(tmp_path / "skylift.sqlite")) as from_,
        closing(sqlite3.connect(backup / "skylift.sqlite")) as to,
    ):
        from_.backup(to)
    # Less than before: what is left out goes, at once.
    assert tell(agent, 2, "boresight").status_code == 200
    assert not holds(tmp_path, str(LATITUDE), "4471344713", PIXELS, but=("backup",))
    assert code_of(tell(agent, 1, *everything)) == (409, "sharing.over")
    assert code_of(tell(agent, 2, *everything)) == (409, "sharing.over")
    assert kinds(operator, agent) == ["boresight"]
    # All of it, by whatever word.
    assert tell(agent, 1).json() == {"kinds": []}
    assert tell(agent, 1).json() == {"kinds": []}
    assert (kinds(operator, agent), place(operator, agent)) == ([], [])
    assert not holds(tmp_path, *TRACES, PIXELS, but=("backup",))
    assert code_of(tell(agent, 2, "boresight")) == (409, "sharing.over")
    # A backup that is put back is told by the list beside the store.
    shutil.copy(tmp_path / "skylift.sqlite.erased", backup)
    restored = open_store(sqlite_url(backup), ROOMS)
    try:
        with restored.reading() as reader:
            found = reader.find(sharing.ROOM, "key", agent.key_id)
            assert found is not None
            assert not reader.personal(found.id)
            assert reader.get(erasure.ROOM, found.id) is not None
    finally:
        restored.close()
    assert not holds(backup, *TRACES, PIXELS)
    assert tell(agent, 3, "boresight").status_code == 200
    assert kinds(operator, agent) == ["boresight"]


@pytest.mark.parametrize("how", ["terminal", "account", "key", "owner"])
def test_it_goes_with_the_terminal_its_owner_and_its_key(
    town: Town, operator: Person, agent: Agent, tmp_path: Path, how: str
) -> None:
    assert tell(agent, 1, "location-exact", "boresight").status_code == 200
    account = operator.get(f"terminals/{agent.terminal}").json()["owner"]
    if how == "terminal":
        assert operator.ask("DELETE", f"terminals/{agent.terminal}/personal", {}).status_code == 200
    elif how == "account":
        assert operator.ask("DELETE", f"accounts/{account}/personal", {}).status_code == 200
    elif how == "key":
        assert operator.ask("DELETE", f"terminals/{agent.terminal}/keys/{agent.key_id}").status_code == 200
    else:
        new = operator.made("accounts", holder="company", country="UA")["id"]
        operator.made(f"terminals/{agent.terminal}/unregister")
        operator.made(f"terminals/{agent.terminal}/register", owner=new, cell=CELLS[0])
        # At once for readers, and in the files a moment later.
        assert place(operator, agent) == []
        assert code_of(tell(agent, 1, "location-exact", "boresight")) == (409, "sharing.over")
        assert town.client.portal is not None
        town.client.portal.call(intake_of(town).following.erase)
    assert (kinds(operator, agent), place(operator, agent)) == ([], [])
    assert not holds(tmp_path, *TRACES)
    if how != "key":
        # The owner of now may say so at the dish.
        assert code_of(tell(agent, 1, "location-exact", "boresight")) == (409, "sharing.over")
        assert tell(agent, 2, "boresight").status_code == 200
        assert kinds(operator, agent) == ["boresight"]


def test_home_is_told_as_far_as_the_cell_tells_it() -> None:
    home = CELLS[0]
    inside = h3.cell_to_center_child(home, 7)
    lat, lng = h3.cell_to_latlng(home)
    away = h3.grid_ring(home, 2)[0]
    assert at_home(home, {"cell": inside}) == "inside"
    assert at_home(home, {"cell": "", "latitude_deg": lat, "longitude_deg": lng}) == "inside"
    assert at_home(home, {"cell": away}) == "outside"
    assert at_home(home, {"cell": h3.cell_to_parent(home, 3)}) == "unknown"
    assert at_home(home, {"cell": h3.latlng_to_cell(-30.0, 10.0, 3)}) == "outside"
    assert at_home("", {"cell": inside}) == at_home(home, None) == "unknown"


def test_a_map_is_hidden_in_texts() -> None:
    assert str(LATITUDE) not in repr(Located("", LATITUDE, LONGITUDE))
    assert PIXELS not in repr(Obstructions(2, 2, "earth", PIXELS))
