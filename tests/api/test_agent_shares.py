"""Dish, agent and service: nothing of a place leaves the board unasked, and what the owner says does."""

from __future__ import annotations

import threading
import zlib
from collections.abc import Callable, Iterator
from concurrent import futures
from dataclasses import dataclass, field
from pathlib import Path

import h3
import msgspec
import pytest
from typer.testing import CliRunner, Result

from skylift.adapters.agent_folder import AgentFolder, Enrolment
from skylift.adapters.agent_http import Answered
from skylift.adapters.agent_run import BoardClock, Running
from skylift.adapters.dish_client import DishClient
from skylift.adapters.dish_grpc import DishServer, Served
from skylift.adapters.dish_schema import dish_schema
from skylift.adapters.keys import text_of
from skylift.base.errors import Refused
from skylift.base.geodesy import Place
from skylift.cli.main import app
from skylift.wire.agent import orders
from skylift.wire.agent.orders import Command, Reply
from skylift.wire.dish.dish import Dish, Identity
from skylift.wire.telemetry.rows import SignedCommand
from skylift.wire.telemetry.sharing import PATH
from tests.api.office.conftest import CELLS, START_US, Person, Town, make_town
from tests.api.office.test_agent import SteadyDish, until
from tests.api.office.test_telemetry import Agent, agent_of, intake_of

S = 1_000_000
LATITUDE, LONGITUDE = 10.1234567, 20.7654321
CELL = h3.latlng_to_cell(LATITUDE, LONGITUDE, 5)
# The dish says it to whoever asks: its place, the satellite of the slot, where it points.
TRACES = (b"10.1234", b"20.7654", CELL.encode(), b"44713", b"boresight", b"obstructions")


@dataclass
class Wire:
    """What the agent sends goes to the service, and is looked at on the way."""

    agent: Agent
    up: bool = True
    sent: list[tuple[str, bytes]] = field(default_factory=list)

    def post(self, path: str, content_type: str, body: bytes, zipped: bool = False) -> Answered:
        self.sent.append((path, zlib.decompress(body, 47) if zipped else body))
        if not self.up:
            return Answered(0)
        more = {"content_encoding": "gzip"} if zipped else {}
        response = self.agent.send(path, body, kind=content_type, **more)
        code = response.json()["error"]["code"] if response.status_code >= 400 else ""
        return Answered(response.status_code, response.content, None, code)

    def shared(self) -> list[bytes]:
        return [body for path, body in self.sent if path == PATH]


@dataclass
class Around:
    town: Town
    operator: Person
    wire: Wire
    dish: Dish
    port: int
    folder: AgentFolder
    told: list[str] = field(default_factory=list)

    def run(self, until_: Callable[[], object], speed: float = 300.0) -> None:
        """One agent, until something came about."""
        enrolment = self.folder.enrolment()
        assert enrolment is not None
        with DishClient(f"127.0.0.1:{self.port}") as client:
            clock = BoardClock(START_US + len(self.wire.sent) * S, speed)
            running = Running(self.folder, enrolment, client, self.wire, clock, self.told.append)
            thread = threading.Thread(target=running.run)
            thread.start()
            try:
                until(until_, 20.0)
            finally:
                running.stopping.set()
                thread.join()

    def share(self, *words: str) -> Result:
        return CliRunner().invoke(app, ["agent", "share", *words, "--state-dir", str(self.folder.path)])

    def kinds(self) -> list[str]:
        shared = self.operator.get(f"terminals/{self.wire.agent.terminal}/sharing").json()["shared"]
        return [kind for one in shared for kind in one["kinds"]]


@pytest.fixture
def around(tmp_path: Path) -> Iterator[Around]:
    towns = make_town(tmp_path)
    town = next(towns)
    operator = town.first()
    account = operator.made("accounts", holder="company", country="UA")["id"]
    terminal = operator.made("terminals", hardware="STD-V2", serial="KIT-0001", origin="gift")["id"]
    operator.made(f"terminals/{terminal}/register", owner=account, cell=CELLS[0])
    agent = agent_of(operator, terminal)
    folder = AgentFolder(tmp_path / "agent").made()
    public = text_of(intake_of(town).service_key.public)
    folder.keep_enrolment(Enrolment("https://127.0.0.1:1", terminal, agent.key_id, public, "2022"))
    dish = SteadyDish(Identity("ut-test", Place(LATITUDE, LONGITUDE, 100.0)), START_US - 1_000 * S)
    dish.configure(location_local=True)
    pool = futures.ThreadPoolExecutor(4)
    now = BoardClock(START_US, 300.0)
    emulated = DishServer(Served(dish, threading.Lock()), dish_schema(), lambda: now.now().wall_us)
    running, port = emulated.serve("127.0.0.1:0", pool)
    yield Around(town, operator, Wire(agent), dish, port, folder)
    running.stop(0)
    pool.shutdown()
    for _ in towns:
        pass


def test_nothing_leaves_unasked_and_nobody_afar_can_ask(around: Around) -> None:
    wire, intake = around.wire, intake_of(around.town)
    asked = Command("cmd_1", wire.agent.terminal, 1, "share", {"kinds": ["location"]}, START_US, 10**17)
    document = msgspec.json.encode(asked)
    signed = SignedCommand(orders.as_text(document), orders.as_text(intake.service_key.sign(document)))
    intake.commands = lambda terminal: (signed,)
    replies: list[Reply] = []

    def answered() -> bool:
        found = [body for path, body in wire.sent if path == "/api/v1/agent/replies"]
        replies[:] = [msgspec.json.decode(body, type=Reply) for body in found]
        return bool(replies) and len(wire.sent) > 4

    around.run(answered)
    assert (replies[0].result, replies[0].code) == ("refused", "not_allowed")
    assert wire.shared() == []
    for _, body in wire.sent:
        assert not [trace for trace in TRACES if trace in body]
    # Nor may the owner's list of commands allow it.
    (around.folder.path / "allow.toml").write_text('allow = ["share"]')
    assert not (around.folder.path / "share.toml").exists()
    assert around.kinds() == []
    assert not any(trace in path.read_bytes() for trace in TRACES for path in files(around.folder.path))


def files(folder: Path) -> list[Path]:
    return [path for path in folder.rglob("*") if path.is_file() and path.suffix != ".pyc"]


def test_what_the_owner_says_is_told_and_taken_back(around: Around) -> None:
    wire = around.wire
    unsure = around.share("location", "on")
    assert isinstance(unsure.exception, Refused)
    assert not (around.folder.path / "share.toml").exists()
    told = around.share("location", "on", "--yes")
    assert told.exit_code == 0
    assert "To take it back" in told.stderr
    around.run(lambda: around.kinds())
    assert [CELL.encode() in body for body in wire.shared()] == [True]
    assert b"10.12" not in b"".join(wire.shared())
    (one,) = around.operator.get(f"terminals/{wire.agent.terminal}/place").json()["shared"]
    assert (one["location"]["cell"], one["home"]) == (CELL, "outside")
    assert one["obstructions"] is one["boresight"] is one["satellites"] is None

    for kind in ("obstruction-map", "boresight", "satellite-trace"):
        assert around.share(kind, "on", "--yes").exit_code == 0
    assert around.share("location", "on", "--exact", "--yes").exit_code == 0
    around.run(lambda: "location-exact" in around.kinds())
    (one,) = around.operator.get(f"terminals/{wire.agent.terminal}/place").json()["shared"]
    assert (one["location"]["latitude_deg"], one["location"]["cell"]) == (LATITUDE, "")
    assert len(one["obstructions"]["values"]) == 123 * 123
    assert max(one["obstructions"]["values"]) == 1.0
    assert one["boresight"]["azimuth_deg"] is not None
    assert [satellite for _, satellite in one["satellites"]] == [44713]
    # The board keeps none of it.
    assert not any(trace in path.read_bytes() for trace in TRACES[:4] for path in files(around.folder.path))

    # The dish tells its place no more: all else is told.
    around.dish.configure(location_local=False)
    around.share("satellite-trace", "off")
    around.run(lambda: "satellite-trace" not in around.kinds())
    (one,) = around.operator.get(f"terminals/{wire.agent.terminal}/place").json()["shared"]
    assert one["location"] is None
    assert one["boresight"] is not None
    assert "location (dish.refuses)" in around.folder.share_trouble()

    # Taken back while the link is down: told as soon as it is there again.
    assert around.share("all", "off").exit_code == 0
    wire.up, before = False, len(wire.shared())
    around.run(lambda: len(wire.shared()) > before)
    assert around.kinds() != []
    assert not around.folder.told().heard
    wire.up = True
    around.run(lambda: around.folder.told().heard)
    assert around.kinds() == []
    after = len(wire.sent)
    around.run(lambda: len(wire.sent) > after + 2)
    assert all(path != PATH for path, _ in wire.sent[after:])
    assert not any("10.12" in line or CELL in line for line in around.told)


def test_what_the_service_erased_is_told_again_on_a_new_word_alone(around: Around) -> None:
    wire = around.wire
    around.share("boresight", "on", "--yes")
    around.run(around.kinds)
    path = f"terminals/{wire.agent.terminal}/personal"
    assert around.operator.ask("DELETE", path, {}).status_code == 200
    around.run(lambda: around.folder.told().ended)
    assert around.kinds() == []
    # The same word again, by a change and back, is a later one.
    around.share("boresight", "off")
    around.run(lambda: around.folder.told().heard and not around.folder.told().shares.kinds)
    around.share("boresight", "on", "--yes")
    around.run(around.kinds)
    # A list that cannot be read shares nothing.
    (around.folder.path / "share.toml").write_text("boresight = maybe")
    around.run(lambda: not around.kinds())
