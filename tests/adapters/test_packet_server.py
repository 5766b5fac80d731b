"""A service's live stream as one terminal's slots: found, refused, resumed, lost."""

from __future__ import annotations

import contextlib
import http.server
import json
import math
import multiprocessing
import threading
import time
from collections.abc import Callable, Iterator
from multiprocessing.connection import Connection
from typing import Any, ClassVar

import pytest

from skylift.adapters import packet_net_server, packet_server
from skylift.adapters.packet_server import ServerLink, clock_of, slot_of
from skylift.adapters.packet_sky import LinkSlot
from skylift.base.errors import Refused, Unavailable

SLOT_US = 15_000_000


def row(terminal: str, why_down: str | None = None) -> dict[str, Any]:
    numbers = {
        "one_way_delay_up_us": 22_000.0,
        "one_way_delay_up_end_us": 22_500.0,
        "one_way_delay_down_us": 18_000.0,
        "one_way_delay_down_end_us": 18_500.0,
        "satellite": 44_714,
        "down_bps": None,
        "up_bps": 8e6,
        "loss_fraction": None,
        "gateway": "kaunas",
        "pop": "frankfurt",
    }
    told = numbers if why_down is None else dict.fromkeys(numbers)
    path = [44_714] if why_down is None else []
    return {"terminal": terminal, **told, "path": path, "handover": False, "why_down": why_down}


def document(number: int, *rows: dict[str, Any]) -> dict[str, Any]:
    return {"at_us": number * SLOT_US, "slot_length_s": 15.0, "links": list(rows)}


class Service(http.server.BaseHTTPRequestHandler):
    """A service as the API's own page describes it; `streams` are sent one after the other, then nothing."""

    streams: ClassVar[list[list[dict[str, Any]]]] = []
    speed = 1.0
    now_us = 123
    against: ClassVar[list[str]] = []
    asked: ClassVar[list[tuple[str, str | None, str | None]]] = []

    def do_GET(self) -> None:
        headers = self.headers
        self.asked.append((self.path, headers.get("Last-Event-ID"), headers.get("Authorization")))
        if self.path.endswith("/about"):
            self._json(200, {"speed": self.speed, "now_us": self.now_us})
        elif self.path.endswith("/live") and self.streams:
            self.send_response(200)
            self.send_header("Content-Type", "text/event-stream")
            self.end_headers()
            self.wfile.write(b"retry: 2000\n\n: still here\n\n")
            for one in self.streams.pop(0):
                text = f"id: {one['at_us']}\nevent: slot\ndata: {json.dumps(one)}\n\n"
                self.wfile.write(text.encode())
        elif "terminal=trm_1" in self.path:
            self._json(200, document(1, row("trm_1")))
        elif self.path.endswith("/terminals/trm_1"):
            self._json(200, {"cell": "851e6387fffffff"})
        else:
            error = {"code": "x", "thing": "the thing", "rule": "a rule", "way_out": "a way"}
            self._json(404 if "terminal" in self.path else 503, {"error": error})

    def do_POST(self) -> None:
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        self.asked.append((self.path, None, self.headers.get("Authorization")))
        known = self.path.endswith("/may-serve") and body == {"terminal": "trm_1", "cell": "851e6387fffffff"}
        reasons = [{"code": code, "authority": "x", "would_change": "x"} for code in self.against]
        self._json(200 if known and "not asked" not in self.against else 404, {"reasons": reasons})

    def _json(self, status: int, said: dict[str, Any]) -> None:
        body = json.dumps(said).encode()
        self.send_response(status)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:
        pass


@pytest.fixture
def service(monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    monkeypatch.setattr(packet_server, "_PAUSE_S", 0.02)
    monkeypatch.setattr(Service, "asked", [])
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Service)
    thread = threading.Thread(target=server.serve_forever, args=(0.02,))
    thread.start()
    yield f"http://127.0.0.1:{server.server_address[1]}"
    server.shutdown()
    thread.join()
    server.server_close()


Told = Callable[..., Connection]


@pytest.fixture
def told(service: str) -> Iterator[Told]:
    """What is told of a terminal, from a thread that ends with the pipe."""
    threads: list[tuple[threading.Thread, Connection]] = []

    def begin(terminal: str, token: str = "") -> Connection:
        ours, theirs = multiprocessing.Pipe(duplex=False)

        def tell() -> None:
            try:
                packet_server._tell(theirs, ServerLink(service, token), terminal)
            except OSError:
                return
            except (Refused, Unavailable) as error:
                theirs.send(error)

        thread = threading.Thread(target=tell)
        thread.start()
        threads.append((thread, ours))
        return ours

    yield begin
    for thread, pipe in threads:
        pipe.close()
        # The next thing it says finds nobody: a lost service is said to be lost.
        packet_server.LOST_AFTER_S, kept = 0.0, packet_server.LOST_AFTER_S
        thread.join(5)
        packet_server.LOST_AFTER_S = kept


def heard(pipe: Connection, count: int) -> list[Any]:
    said = []
    until = time.monotonic() + 10
    while len(said) < count and time.monotonic() < until:
        if pipe.poll(0.1):
            said.append(pipe.recv())
    return said


def test_slots_come_as_the_stream_tells_them_and_it_is_resumed_where_it_broke(told: Told) -> None:
    Service.streams = [
        [document(1, row("kyiv"), row("lviv")), document(2, row("kyiv", "not_permitted"))],
        [document(3, row("kyiv"))],
    ]
    said = heard(told("kyiv"), 3)
    assert [slot.at_us for slot in said] == [SLOT_US, 2 * SLOT_US, 3 * SLOT_US]
    assert [slot.why_down for slot in said] == ["", "not_permitted", ""]
    assert said[0].up_us == (22_000.0, 22_500.0)
    assert said[0].down_us == (18_000.0, 18_500.0)
    assert said[0].up_bps == 8e6
    assert math.isnan(said[0].down_bps)
    assert math.isnan(said[0].loss_fraction)
    live = [last for path, last, _ in Service.asked if path.endswith("/live")]
    assert live[:2] == [None, str(2 * SLOT_US)]


def test_a_terminal_of_the_office_is_asked_for_by_its_id_with_the_token(told: Told) -> None:
    Service.streams = [[document(1, row("kyiv"))]]
    (slot,) = heard(told("trm_1", "secret"), 1)
    assert isinstance(slot, LinkSlot)
    assert slot.up
    asked = [(path, token) for path, _, token in Service.asked if "links" in path]
    assert asked == [(f"/api/v1/links?at={SLOT_US}&terminal=trm_1", "Bearer secret")]


@pytest.mark.parametrize(
    ("against", "why_down"),
    [
        ([], ""),
        (["terminal.cut-off"], "not_permitted"),
        (["region.not-active"], ""),
        (["not asked"], ""),
        (["region.not-active", "account.suspended"], "not_permitted"),
    ],
)
def test_what_was_ordered_since_the_slot_was_decided_holds_as_it_begins(
    told: Told, monkeypatch: pytest.MonkeyPatch, against: list[str], why_down: str
) -> None:
    monkeypatch.setattr(Service, "against", against)
    Service.streams = [[document(1, row("trm_1"))]]
    (slot,) = heard(told("trm_1", "secret"), 1)
    assert (slot.at_us, slot.length_us, slot.why_down) == (SLOT_US, SLOT_US, why_down)


@pytest.mark.parametrize("token", ["", "secret"])
def test_an_unknown_terminal_is_refused(told: Told, token: str) -> None:
    Service.streams = [[document(1, row("kyiv"))]]
    (error,) = heard(told("kiev", token), 1)
    assert isinstance(error, Refused)


def test_a_service_that_falls_silent_takes_the_link_down(told: Told, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(packet_server, "LOST_AFTER_S", 0.2)
    Service.streams = [[document(1, row("kyiv"))]]
    first, lost = heard(told("kyiv"), 2)
    assert first.up
    assert lost.why_down == "server_silent"
    assert lost.at_us > first.at_us


def test_a_clock_that_runs_fast_is_refused_and_nobody_is_named(
    service: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert clock_of(ServerLink(service))[0] == 123
    monkeypatch.setattr(Service, "speed", 60.0)
    with pytest.raises(Refused, match="clock"):
        clock_of(ServerLink(service))
    with pytest.raises(Unavailable):
        clock_of(ServerLink("http://127.0.0.1:1"))
    assert "secret" not in repr(ServerLink(service, "secret"))


def test_a_document_without_the_terminal_names_some_that_are_there() -> None:
    with pytest.raises(Refused) as error:
        slot_of(document(1, row("kyiv"), row("lviv")), "kiev", ServerLink("http://127.0.0.1:1"))
    assert "kyiv, lviv" in error.value.way_out


def test_many_terminals_are_told_of_together_and_one_that_goes_leaves_the_others_alone(service: str) -> None:
    Service.streams = [
        [document(1, row("kyiv"), row("lviv"))],
        [document(2, row("kyiv", "not_permitted"), row("lviv")), document(3, row("lviv"))],
    ]
    ours, theirs = multiprocessing.Pipe(duplex=False)

    def tell() -> None:
        with contextlib.suppress(OSError):
            packet_net_server.tell(theirs, ServerLink(service), ())

    thread = threading.Thread(target=tell)
    thread.start()
    ids, *slots = heard(ours, 4)
    ours.close()
    assert ids == ["kyiv", "lviv"]
    assert [[number for number, _ in told] for told in slots] == [[0, 1]] * 3
    whys = [[slot.why_down for _, slot in told] for told in slots]
    assert whys == [["", ""], ["not_permitted", ""], ["server_silent", ""]]
    packet_server.LOST_AFTER_S, kept = 0.0, packet_server.LOST_AFTER_S
    thread.join(5)
    packet_server.LOST_AFTER_S = kept


def test_of_many_terminals_an_unknown_one_is_refused(service: str) -> None:
    Service.streams = [[document(1, row("kyiv"))]]
    ours, theirs = multiprocessing.Pipe(duplex=False)
    with pytest.raises(Refused, match="kiev"):
        packet_net_server.tell(theirs, ServerLink(service), ("kyiv", "kiev"))
    assert not ours.poll()
