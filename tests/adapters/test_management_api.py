"""The operator's management API, as a local server plays it: pages, patience, changed columns, no secrets."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
import typer
from hypothesis import given
from hypothesis import strategies as st
from typer.testing import CliRunner

from skylift.adapters.management_api import EVERY_S, ManagementApi
from skylift.base.errors import Refused, SkyliftError, Unavailable
from skylift.cli import management
from skylift.wire.telemetry.management import page_of, readings_of

COLUMNS = [
    "DeviceType",
    "UtcTimestampNs",
    "DeviceId",
    "DownlinkThroughput",
    "PingLatencyMsAvg",
    "ActiveAlerts",
]
ROW: list[Any] = ["u", 1_790_000_000_000_000_000, "ut1", 12.5, 31.0, [50]]


class Operator(ThreadingHTTPServer):
    """Two pages of dishes, one batch of telemetry; the first question is refused with 429."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.asked: list[str] = []
        self.busy = 1
        self.columns, self.rows = COLUMNS, [ROW, ["r", 1, "router"], ["u", None, "ut2"], ["u", 10**30, "ut3"]]

    def answer(self, method: str, path: str, query: dict[str, list[str]], body: bytes) -> tuple[int, Any]:
        self.asked.append(f"{method} {path}")
        if path == "/api/auth/connect/token":
            known = parse_qs(body.decode()).get("client_secret") == ["s3cret"]
            return (200, {"access_token": "t0ken"}) if known else (400, {"error": "invalid_client"})
        if self.busy:
            self.busy -= 1
            return 429, {}
        if path.endswith("/user-terminals"):
            page = int(query["page"][0])
            things = [{"userTerminalId": f"ut{page}", "kitSerialNumber": f"KIT{page}", "nickname": "CANARY"}]
            content = {"pageIndex": page, "isLastPage": page == 1, "results": things, "totalCount": 2}
            return 200, {"content": content, "errors": [], "isValid": True}
        if path.endswith("/telemetry/stream"):
            rows, self.rows = self.rows, []
            enums = {"AlertsByDeviceType": {"u": {"50": "ethernet_slow_10mbps"}}}
            data = {"values": rows, "columnNamesByDeviceType": {"u": self.columns}}
            return 200, {"data": data, "metadata": {"enums": enums}}
        return 400, {
            "isValid": False,
            "errors": [{"memberNames": [], "errorMessage": "No such \x1b[31mthing"}],
        }


class Handler(BaseHTTPRequestHandler):
    server: Operator

    def log_message(self, *_: Any) -> None: ...

    def _any(self) -> None:
        parts = urlsplit(self.path)
        body = self.rfile.read(int(self.headers.get("content-length") or 0))
        status, document = self.server.answer(self.command, parts.path, parse_qs(parts.query), body)
        data = json.dumps(document).encode()
        self.send_response(status)
        self.send_header("content-length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    do_GET = do_POST = _any


@pytest.fixture
def operator() -> Iterator[Operator]:
    server = Operator()
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    yield server
    server.shutdown()
    server.server_close()


def api(operator: Operator, secret: str = "s3cret") -> tuple[ManagementApi, list[float]]:
    """Time passes by sleeping alone."""
    slept = [0.0]

    def sleep(seconds: float) -> None:
        slept.append(seconds)

    base = f"http://127.0.0.1:{operator.server_port}"
    return ManagementApi("id", secret, base, sleep, lambda: sum(slept)), slept


def test_all_pages_are_read_slowly_and_with_patience(operator: Operator) -> None:
    one, slept = api(operator)
    found = list(one.terminals())
    assert [(t.dish_id, t.kit, t.serial) for t in found] == [("ut0", "KIT0", ""), ("ut1", "KIT1", "")]
    assert "CANARY" not in repr(found)
    assert sum(slept) >= (len(operator.asked) - 1) * EVERY_S
    assert max(slept) >= 4.0  # after the 429
    # Nothing but reading, and the login.
    assert {asked.split()[0] for asked in operator.asked if "token" not in asked} == {"GET"}


def test_telemetry_is_read_by_the_names_of_each_answer(operator: Operator) -> None:
    one, _ = api(operator)
    (got,) = one.readings(batches=5)
    assert (got.dish_id, got.at_us, got.down_bps) == ("ut1", 1_790_000_000_000_000, 12.5e6)
    assert (got.latency_ms, got.up_bps, got.alerts) == (31.0, None, ("ethernet_slow_10mbps",))
    order = [2, 1, 5, 0, 4, 3]
    operator.columns, operator.rows = [COLUMNS[k] for k in order], [[ROW[k] for k in order]]
    assert list(one.readings(batches=5)) == [got]


def test_a_wrong_secret_and_a_refusal_are_said_without_either(operator: Operator) -> None:
    one, _ = api(operator, "wr0ng")
    with pytest.raises(Refused, match="does not know it") as refusal:
        list(one.terminals())
    assert "wr0ng" not in str(refusal.value)
    one, _ = api(operator)
    with pytest.raises(Refused, match="No such") as refusal:
        list(one.service_lines())
    assert "\x1b" not in str(refusal.value)
    operator.busy = 99
    with pytest.raises(Unavailable, match="patience"):
        list(one.terminals())
    with pytest.raises(Refused, match="https"):
        ManagementApi("id", "s", "http://starlink.com")


JSON = st.recursive(
    st.none() | st.booleans() | st.floats() | st.text(max_size=5) | st.sampled_from(["u", "results"]),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(["data", "values", "columnNamesByDeviceType", "u", "content"]), inner
        )
    ),
    max_leaves=12,
)


@given(JSON)
def test_no_answer_makes_it_fall(document: Any) -> None:
    for read in (page_of, lambda given_: list(readings_of(given_))):
        try:
            read(document)
        except SkyliftError:
            continue


def test_the_table_is_one_that_terminal_import_takes(
    operator: Operator, monkeypatch: pytest.MonkeyPatch
) -> None:
    operator.busy = 0
    monkeypatch.setattr("skylift.adapters.management_api.EVERY_S", 0.0)
    app = typer.Typer()
    management.register(app)
    app.command("other")(lambda: None)
    told = ["management", "terminals", "--id", "x", "--hardware", "STD-V2"]
    told += ["--base", f"http://127.0.0.1:{operator.server_port}"]
    monkeypatch.delenv("SKYLIFT_MANAGEMENT_SECRET", raising=False)
    assert isinstance(CliRunner().invoke(app, told).exception, Refused)
    monkeypatch.setenv("SKYLIFT_MANAGEMENT_SECRET", "s3cret")
    lines = CliRunner().invoke(app, told).stdout.splitlines()
    assert lines[0] == "dish_id,kit,serial,hardware,network,origin"
    assert lines[1:] == [f"ut{n},KIT{n},,STD-V2,operator,other-records" for n in (0, 1)]
