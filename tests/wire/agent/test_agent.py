"""The agent as a machine: a dish, a service and a link that fail in every order, on simulated time."""

from __future__ import annotations

import zlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from skylift.adapters.agent_shelf import SqlShelf
from skylift.adapters.keys import KeyPair, is_signed
from skylift.wire.agent.agent import REPLIES_PATH, TELEMETRY_PATH, Agent, Now, Obey, Poll, Post, Self
from skylift.wire.agent.orders import MAY_TRANSMIT, Command, Kind, Off, Permits, Reply, as_text
from skylift.wire.agent.pace import Pace
from skylift.wire.agent.permits import BLANK, permits_of
from skylift.wire.dish.reading import DeviceInfo, DishHistory, DishStatus, Outage
from skylift.wire.telemetry.rows import Answer, Batch, Quarantined, Row, SignedCommand, as_ranges

S = 1_000_000
T0 = 1_700_000_000 * S
SERVICE = KeyPair.of(bytes(range(32)))
STRANGER = KeyPair.of(bytes(range(1, 33)))
ALL = Permits(frozenset(Kind))


def status(**changes: Any) -> DishStatus:
    fields: dict[str, Any] = {
        "device": DeviceInfo("ut", "hw", "fw1", "", 1),
        "state": "connected",
        "outage": None,
        "uptime_s": 1_000,
        "drop_fraction": 0.0,
        "latency_ms": 40.0,
        "down_bps": 8e6,
        "up_bps": 8e5,
        "obstructed_fraction": 0.01,
        "obstructed_now": False,
        "snr_above_noise": True,
        "snr_low": False,
        "alerts": (),
        "disablement": "okay",
        "stowed": False,
        "radio_off": False,
        "gps_valid": True,
        "gps_satellites": 9,
        "gps_inhibited": False,
        "ethernet_mbps": 1000,
        "next_slot_s": None,
        "software_update": "",
        "reboot_ready": None,
        "config": {},
    }
    return DishStatus(**(fields | changes))


@dataclass
class FakeDish:
    """Counts seconds; does what it is told, unless it is stubborn."""

    mono_us: int = 0
    booted_us: int = -1_000 * S
    boots: int = 1
    firmware: str = "fw1"
    has_history: bool = True
    stubborn: bool = False
    state: str = "connected"
    radio_off: bool = False
    told: list[tuple[str, dict[str, Any]]] = field(default_factory=list)

    def status(self) -> DishStatus:
        uptime_s = (self.mono_us - self.booted_us) // S
        return status(
            device=DeviceInfo("ut", "hw", self.firmware, "", self.boots),
            uptime_s=uptime_s,
            state="unknown" if self.radio_off else self.state,
            outage=Outage("inhibit_rf", None, 0) if self.radio_off else None,
            radio_off=self.radio_off,
            stowed=self.state == "stowed",
        )

    def history(self, since: int | None) -> DishHistory | None:
        if not self.has_history:
            return None
        count = (self.mono_us - self.booted_us) // S
        rebooted = since is not None and count < since
        first = max(count - 900, 0 if since is None or rebooted else since)
        n = count - first
        ring = (0.0,) * n, (40.0,) * n, (8e6,) * n, (8e5,) * n, (50.0,) * n
        return DishHistory(count, first, 0, rebooted, *ring, (), ())

    def reboot(self) -> None:
        self.booted_us, self.boots = self.mono_us, self.boots + 1

    def do(self, command: str, arguments: dict[str, Any]) -> None:
        self.told.append((command, arguments))
        if self.stubborn:
            return
        if command == "rf-inhibit":
            self.radio_off = arguments["on"]
        elif command in ("stow", "unstow"):
            self.state = "stowed" if command == "stow" else "connected"
        elif command == "reboot":
            self.reboot()


@dataclass
class FakeService:
    """Stores each (terminal, sequence) once, and says so; offers commands until they are answered."""

    stored: dict[int, Row] = field(default_factory=dict)
    twice: int = 0
    bad: set[int] = field(default_factory=set)
    poison: set[int] = field(default_factory=set)
    offered: list[SignedCommand] = field(default_factory=list)
    replies: list[Reply] = field(default_factory=list)

    def post(self, post: Post) -> tuple[int, bytes]:
        if post.path == REPLIES_PATH:
            self.replies.append(msgspec.json.decode(post.body, type=Reply))
            return 200, b"{}"
        assert post.path == TELEMETRY_PATH
        batch = msgspec.msgpack.decode(zlib.decompress(post.body, 31), type=Batch)
        assert 1 <= len(batch.rows) <= 20
        if any(row.sequence in self.poison for row in batch.rows):
            return 400, b"{}"
        for row in batch.rows:
            self.twice += row.sequence in self.stored
            first = self.stored.setdefault(row.sequence, row)
            # A row may be dated anew before it is sent again; nothing else of it may differ.
            same = msgspec.structs.replace(first, at_us=row.at_us) == row
            assert same, "a number was used for two rows"
        numbers = [row.sequence for row in batch.rows]
        quarantined = [Quarantined(n, "absurd", "") for n in numbers if n in self.bad]
        good = [n for n in numbers if n not in self.bad]
        offered, self.offered = self.offered, []
        return 200, msgspec.json.encode(Answer(as_ranges(good), quarantined, offered, 15.0))


@dataclass
class World:
    """One agent with its board, which can be killed; a link that can be cut before or behind the service."""

    folder: Path
    permits: Permits = field(default_factory=Permits)
    most_rows: int = 40_000
    dish: FakeDish = field(default_factory=FakeDish)
    service: FakeService = field(default_factory=FakeService)
    wall_offset_us: int = T0
    mono_us: int = 0
    link: str = "up"
    dish_answers: bool = True
    reserved: int = 0

    def __post_init__(self) -> None:
        self.start()

    def start(self) -> None:
        def reserve(upto: int) -> None:
            self.reserved = upto

        key = bytes(32)
        self.shelf = SqlShelf(self.folder / "b.sqlite", key, self.reserved, reserve, self.most_rows, False)
        me = Self("trm_1", lambda document, signature: is_signed(SERVICE.public, document, signature))
        pace = Pace(self.mono_us, self.mono_us)
        self.agent = Agent(me, self.shelf, pace, self.permits, self.mono_us)

    def kill(self) -> None:
        self.shelf.close()
        self.start()

    def now(self) -> Now:
        return Now(self.wall_offset_us + self.mono_us, self.mono_us)

    def run(self, seconds: float) -> None:
        until_us = self.mono_us + round(seconds * S)
        while True:
            self.dish.mono_us = self.mono_us
            for _ in range(1_000):
                work = self.agent.next_work(self.now())
                if work is None:
                    break
                self.do(work)
            else:
                raise AssertionError("it never rests")
            wake_us = self.agent.wake_at_us()
            assert wake_us > self.mono_us, "it would spin"
            if wake_us > until_us:
                self.mono_us = until_us
                return
            self.mono_us = wake_us

    def do(self, work: Any) -> None:
        if isinstance(work, Obey):
            self.dish.do(work.command, work.arguments)
            self.agent.obeyed(self.now(), "it did")
        elif isinstance(work, Poll):
            if self.dish_answers:
                self.agent.dish_said(self.dish.status(), self.dish.history(work.since), self.now())
            else:
                self.agent.dish_silent(self.now())
        else:
            self.post(work)

    def post(self, post: Post) -> None:
        if self.link == "cut":
            self.agent.not_taken(post, self.now(), 0.5)
            return
        code, body = self.service.post(post)
        if self.link == "answers lost":
            self.agent.not_taken(post, self.now(), 0.5)
        elif code == 200:
            self.agent.taken(post, body, self.now())
        else:
            self.agent.not_taken(post, self.now(), 0.5, code)

    def order(self, number: int, kind: Kind, by: KeyPair = SERVICE, **changes: Any) -> None:
        at_us = self.wall_offset_us + self.mono_us
        fields: dict[str, Any] = {
            "id": f"cmd_{number}",
            "terminal": "trm_1",
            "sequence": number,
            "kind": kind.value,
            "arguments": {},
            "issued_at": at_us,
            "expires_at": at_us + 3_600 * S,
            "returns": "somebody unstows it",
        }
        document = msgspec.json.encode(Command(**(fields | changes)))
        self.service.offered.append(SignedCommand(as_text(document), as_text(by.sign(document))))

    def answers(self) -> list[tuple[str, str, str]]:
        return [(reply.command, reply.result, reply.code) for reply in self.service.replies]


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    made = World(tmp_path, ALL)
    yield made
    made.shelf.close()


def spans(rows: Sequence[Row]) -> float:
    return sum(row.span_s for row in rows)


def test_an_ordinary_hour_is_240_rows_of_15_s_in_batches(world: World) -> None:
    world.run(3_600)
    rows = [world.service.stored[n] for n in sorted(world.service.stored)]
    assert list(world.service.stored) == list(range(1, len(rows) + 1))
    assert len(rows) in range(236, 242)
    assert {row.span_s for row in rows[1:]} == {15.0}
    assert rows[5].down_bytes == 15 * 1_000_000
    assert rows[5].ping_latency_ms == pytest.approx(40.0)
    assert world.service.twice == 0


EVENTS = st.sampled_from(
    ["cut", "up", "answers lost", "kill", "reboot", "clock forward", "clock back", "dish off", "dish on",
     "new firmware", "no history", "history"]
)  # fmt: skip


@settings(max_examples=10, deadline=None)
@given(st.lists(st.tuples(EVENTS, st.integers(5, 900)), max_size=12))
def test_whatever_happens_every_row_arrives_once(
    tmp_path_factory: pytest.TempPathFactory, events: list[tuple[str, int]]
) -> None:
    world = World(tmp_path_factory.mktemp("agent"))
    world.run(60)
    for event, seconds in events:
        happen(world, event)
        world.run(seconds)
    world.link, world.dish_answers = "up", True
    world.run(3_600)
    kept = world.shelf.waiting()
    assert kept < 4
    numbers = sorted(world.service.stored)
    assert numbers == list(range(1, len(numbers) + 1))
    assert world.shelf._next - 1 - kept == len(numbers)
    world.shelf.close()


def happen(world: World, event: str) -> None:
    if event in ("cut", "up", "answers lost"):
        world.link = event
    elif event == "kill":
        world.kill()
    elif event == "reboot":
        world.dish.mono_us = world.mono_us
        world.dish.reboot()
    elif event.startswith("clock"):
        world.wall_offset_us += 86_400 * 400 * S * (1 if event == "clock forward" else -1)
    elif event.startswith("dish"):
        world.dish_answers = event == "dish on"
    elif event == "new firmware":
        world.dish.firmware += "x"
    else:
        world.dish.has_history = event == "history"


def test_a_killed_agent_reads_what_the_dish_still_has_and_counts_no_second_twice(world: World) -> None:
    world.run(600)
    world.shelf.close()
    world.mono_us += 600 * S  # the board was off for ten minutes
    world.start()
    world.run(120)
    rows = [world.service.stored[n] for n in sorted(world.service.stored)]
    # From the first row's 15 s before the start until the last one: no hole, nothing twice.
    assert spans(rows) == pytest.approx((rows[-1].at_us - T0) / S + 15, abs=1.5)
    assert max(row.span_s for row in rows) <= 23


def test_a_board_that_woke_up_in_the_past_dates_its_rows_anew_once_its_clock_is_set(tmp_path: Path) -> None:
    world = World(tmp_path)
    world.run(300)
    world.kill()  # what was noted before the start was dated by another clock
    earlier = world.shelf.next_number() - 1
    world.link = "cut"
    wrong_us, world.wall_offset_us = world.wall_offset_us, T0 - 30 * 86_400 * S
    world.agent._furthest_us = None
    world.run(600)
    world.wall_offset_us = wrong_us
    world.run(60)
    world.wall_offset_us -= 3_600 * S  # set back, and right again: nothing is touched
    world.run(60)
    world.wall_offset_us += 3_600 * S
    world.link = "up"
    world.run(900)
    times = [world.service.stored[n].at_us for n in sorted(world.service.stored)]
    assert len(times) > earlier + 60
    # But for the minute in which it was set back.
    assert sum(at < T0 for at in times) == 4
    assert min(times) > T0 - 3_600 * S
    assert max(times) <= T0 + world.mono_us
    assert times[:earlier] == sorted(times[:earlier])
    world.shelf.close()


def test_a_silent_dish_is_told_of_and_a_board_without_rings_says_what_it_can(world: World) -> None:
    world.dish_answers = False
    world.run(120)
    assert {row.alerts for row in world.service.stored.values()} == {("dish_silent",)}
    world.dish_answers, world.dish.has_history = True, False
    world.run(120)
    last = world.service.stored[max(world.service.stored)]
    assert (last.down_bps, last.down_bytes, last.state) == (8e6, None, "connected")


def test_days_without_a_link_keep_the_newest_detail_and_lose_no_byte(tmp_path: Path) -> None:
    world = World(tmp_path, most_rows=200)
    world.run(120)
    world.link = "cut"
    world.run(9 * 3_600)
    counts = world.shelf.counts()
    assert counts.fine + counts.middle + counts.coarse <= 200
    assert counts.fine >= 90
    assert counts.coarse > 0
    assert world.shelf.dropped() == 0
    world.link = "up"
    world.run(600)
    rows = [world.service.stored[n] for n in sorted(world.service.stored)]
    assert [row.at_us for row in rows] == sorted(row.at_us for row in rows)
    assert spans(rows) == pytest.approx((rows[-1].at_us - T0) / S, abs=20)
    assert sum(row.down_bytes or 0 for row in rows) == pytest.approx(spans(rows) * 1e6, rel=1e-3)
    assert {round(row.span_s) for row in rows} >= {15, 300, 3600}
    world.shelf.close()


def test_lost_answers_double_nothing_even_where_the_buffer_is_thinned_meanwhile(tmp_path: Path) -> None:
    world = World(tmp_path, most_rows=60)
    world.link = "answers lost"
    world.run(3 * 3_600)
    world.link = "up"
    world.run(600)
    rows = [world.service.stored[n] for n in sorted(world.service.stored)]
    assert world.service.twice > 0
    assert spans(rows) == pytest.approx((rows[-1].at_us - T0) / S, abs=20)
    world.shelf.close()


def test_a_row_that_cannot_be_taken_holds_up_no_other(world: World) -> None:
    world.service.poison, world.service.bad = {7}, {9}
    world.run(3 * 3_600)
    assert 7 not in world.service.stored
    assert len(world.service.stored) >= 700
    assert world.shelf.waiting() < 4


def test_an_answer_cannot_make_it_forget_what_was_never_sent(world: World) -> None:
    world.link = "cut"
    world.run(600)
    waiting = world.shelf.waiting()
    post = Post(TELEMETRY_PATH, "application/msgpack", b"", 20)
    body = msgspec.json.encode(Answer([(1, 10**30), (-5, 2**62)]))
    world.agent.taken(post, body, world.now())
    assert world.shelf.waiting() >= waiting - 20
    for bad in (b"", b"[]", b'{"acknowledged": 7}', b"\xff" * 100, b"[" * 100_000):
        world.agent.taken(post, bad, world.now())
    assert world.agent.trouble


# --- commands


def test_nothing_is_allowed_unless_the_owner_wrote_it(tmp_path: Path) -> None:
    world = World(tmp_path, permits_of(BLANK))
    for number, kind in enumerate(Kind, 1):
        world.order(number, kind)
    world.run(900)
    assert world.dish.told == []
    assert {(result, code) for _, result, code in world.answers()} == {("refused", "not_allowed")}
    assert len(world.answers()) == len(Kind)
    world.shelf.close()


def test_each_way_in_which_a_command_is_refused(world: World) -> None:
    world.order(5, Kind.GPS_ALLOW)
    world.run(120)
    assert world.answers() == [("cmd_5", "done", "")]
    world.order(5, Kind.GPS_ALLOW)  # the very same again
    world.order(4, Kind.STOW)
    world.order(6, Kind.STOW, by=STRANGER)
    world.order(7, Kind.STOW, terminal="trm_2")
    world.order(8, Kind.STOW, expires_at=world.now().wall_us)
    world.service.offered.append(SignedCommand("?", "?"))
    world.run(600)
    assert world.answers()[1:] == [
        ("cmd_5", "refused", "replayed"),
        ("cmd_4", "refused", "out_of_order"),
        ("", "refused", "forged"),
        ("cmd_7", "refused", "forged"),
        ("cmd_8", "expired", "expired"),
    ]
    assert len(world.dish.told) == 1


def test_a_command_that_is_offered_again_meanwhile_is_answered_once(world: World) -> None:
    world.dish.stubborn = True
    for _ in range(3):
        world.order(1, Kind.STOW, issued_at=T0, expires_at=T0 + 3_600 * S)
        world.run(60)
    world.run(120)
    assert world.answers() == [("cmd_1", "failed", "unconfirmed")]
    assert len(world.dish.told) == 1


def test_a_clock_that_is_set_back_makes_no_old_command_new(world: World) -> None:
    world.order(1, Kind.GPS_ALLOW)
    world.run(120)
    world.order(2, Kind.STOW, issued_at=T0 - 900 * S, expires_at=T0 - 1)
    world.wall_offset_us -= 86_400 * S
    world.run(120)
    assert world.answers()[-1] == ("cmd_2", "expired", "expired")


@pytest.mark.parametrize(("kind", "word"), [(Kind.RF_INHIBIT, "rf-inhibit"), (Kind.STOW, "stow")])
def test_radio_off_is_said_only_once_the_dish_says_so(world: World, kind: Kind, word: str) -> None:
    world.dish.stubborn = True
    world.order(1, kind)
    world.run(400)
    (reply,) = world.service.replies
    assert (reply.result, reply.code) == ("failed", "unconfirmed")
    assert MAY_TRANSMIT in reply.said
    world.dish.stubborn = False
    world.order(2, kind)
    world.run(400)
    reply = world.service.replies[-1]
    assert reply.result == "done"
    assert reply.said == "the radio is off; somebody unstows it"
    assert [told for told, _ in world.dish.told] == [word, word]


def test_a_reboot_is_done_once_the_dish_came_back_and_is_refused_while_the_radio_is_off(world: World) -> None:
    world.order(1, Kind.REBOOT)
    world.run(300)
    assert world.answers() == [("cmd_1", "done", "")]
    world.order(2, Kind.RF_INHIBIT)
    world.run(120)
    world.order(3, Kind.REBOOT)
    world.run(120)
    assert world.answers()[1:] == [("cmd_2", "done", ""), ("cmd_3", "refused", "radio_off")]


def test_killed_while_obeying_it_does_nothing_twice_and_says_that_it_does_not_know(world: World) -> None:
    world.order(1, Kind.STOW)
    world.dish.stubborn = True
    world.run(70)
    assert len(world.dish.told) == 1
    world.kill()
    world.run(120)
    (reply,) = world.service.replies
    assert (reply.command, reply.result, reply.code) == ("cmd_1", "failed", "interrupted")
    assert MAY_TRANSMIT in reply.said
    assert len(world.dish.told) == 1


def test_replies_outlive_cuts_and_kills(world: World) -> None:
    world.order(1, Kind.GPS_ALLOW)
    world.run(60)
    world.service.replies.clear()
    world.order(2, Kind.GPS_ALLOW)
    world.link = "up"
    while not world.agent.docket.known[1:]:
        world.run(1)
    world.link = "cut"
    world.run(300)
    world.kill()
    world.link = "up"
    world.run(60)
    assert [reply.command for reply in world.service.replies][-1] == "cmd_2"


@pytest.mark.parametrize("minutes", [0, 30])
def test_no_radio_comes_back_by_itself_unless_the_owner_chose_so(tmp_path: Path, minutes: int) -> None:
    world = World(tmp_path, Permits(frozenset(Kind), radio_on_again_after_min=minutes))
    world.order(1, Kind.RF_INHIBIT)
    world.run(120)
    assert world.agent.docket.off == Off(Kind.RF_INHIBIT, world.agent.docket.off.passed_s)  # type: ignore[union-attr]
    for event in ("cut", "kill", "clock forward", "dish off"):
        happen(world, event)
        world.run(300)
    assert world.dish.radio_off
    world.dish_answers = True
    world.run(2 * 3_600)
    assert world.dish.radio_off is (minutes == 0)
    world.shelf.close()


def test_a_damaged_allow_list_is_refused_with_its_line() -> None:
    assert permits_of('allow = ["stow"]\nradio_on_again_after_min = 5') == Permits(frozenset({Kind.STOW}), 5)
    for text in ('allow = ["explode"]', "allow = 7", "allowed = []", "radio_on_again_after_min = -1", "["):
        with pytest.raises(Exception, match=r"allow\.toml"):
            permits_of(text)
