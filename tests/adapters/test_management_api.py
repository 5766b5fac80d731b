"""The operator's management API, as a local server plays it: pages, patience, changed columns, no secrets."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import httpx
import pytest
import typer
from hypothesis import given
from hypothesis import strategies as st
from typer.testing import CliRunner, Result

from skylift.adapters.management_api import EVERY_S, ManagementApi, _asked_wait_s
from skylift.base.errors import Refused, SkyliftError, Unavailable
from skylift.cli import management
from skylift.wire.telemetry.management import (
    ManagedLine,
    ManagedTerminal,
    lines_of_dishes,
    page_of,
    readings_of,
)

COLUMNS = [
    "DeviceType",
    "UtcTimestampNs",
    "DeviceId",
    "DownlinkThroughput",
    "PingLatencyMsAvg",
    "ActiveAlerts",
]
ROW: list[Any] = ["u", 1_790_000_000_000_000_000, "ut1", 12.5, 31.0, [50]]


LINE = {
    "serviceLineNumber": "AST-511274-31364-54", "productReferenceId": "business-subscription-100",
    "active": True, "startDate": "2025-01-05T00:00:00.1234567+00:00", "endDate": None, "nickname": "CANARY",
    "addressReferenceId": "CANARY-ADDRESS", "aviationMetadata": {"tailNumber": "CANARY-TAIL"},
}  # fmt: skip


def dish(number: int, line: str | None = None) -> dict[str, Any]:
    names = {"userTerminalId": f"ut0{number}", "kitSerialNumber": f"KIT{number}", "dishSerialNumber": None}
    return {**names, "serviceLineNumber": line, "nickname": "CANARY"}


class Operator(ThreadingHTTPServer):
    """Pages of dishes and lines, batches of telemetry; the first question is refused with 429.

    pages    of each path: things on one page after another
    refuses  what is answered before anything else, one after another: a status, and seconds to wait
    """

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.asked: list[str] = []
        self.refuses: list[tuple[int, str]] = [(429, "")]
        self.tokens, self.ends_after = 0, 10**9
        self.pages: dict[str, list[Any]] = {"user-terminals": [[dish(0)], [dish(1)]], "service-lines": [None]}
        self.count: int | None = 2
        self.says_last = True
        self.columns, self.rows = COLUMNS, [ROW, ["r", 1, "router"], ["u", None, "ut2"], ["u", 10**30, "ut3"]]
        self.batches: list[Any] = []

    def answer(
        self, method: str, path: str, query: dict[str, list[str]], body: bytes
    ) -> tuple[int, Any, dict[str, str]]:
        self.asked.append(f"{method} {path}")
        if path == "/api/auth/connect/token":
            self.tokens += 1
            known = parse_qs(body.decode()).get("client_secret") == ["s3cret"]
            return (200, {"access_token": "t0ken"}, {}) if known else (400, {"error": "invalid_client"}, {})
        if self.refuses:
            status, wait = self.refuses.pop(0)
            return status, {}, {"retry-after": wait} if wait else {}
        self.ends_after -= 1
        if self.ends_after < 0:
            self.ends_after = 10**9
            return 401, {}, {}
        pages = self.pages.get(path.rpartition("/")[2])
        if pages is not None:
            number = int(query["page"][0])
            content = {"pageIndex": number, "results": pages[number], "totalCount": self.count}
            if self.says_last:
                content["isLastPage"] = number == len(pages) - 1
            return 200, {"content": content, "errors": [], "isValid": True}, {}
        if path.endswith("/telemetry/stream"):
            rows, self.rows = self.rows, self.batches.pop(0) if self.batches else []
            enums = {"AlertsByDeviceType": {"u": {"50": "ethernet_slow_10mbps"}}}
            data = {"values": rows, "columnNamesByDeviceType": {"u": self.columns}}
            return 200, {"data": data, "metadata": {"enums": enums}}, {}
        errors = [{"memberNames": [], "errorMessage": "No such \x1b[31mthing"}]
        return 400, {"isValid": False, "errors": errors}, {}


class Handler(BaseHTTPRequestHandler):
    server: Operator

    def log_message(self, *_: Any) -> None: ...

    def _any(self) -> None:
        parts = urlsplit(self.path)
        body = self.rfile.read(int(self.headers.get("content-length") or 0))
        status, document, headers = self.server.answer(self.command, parts.path, parse_qs(parts.query), body)
        if status == 0:
            self.connection.close()
            return
        data = json.dumps(document).encode()
        self.send_response(status)
        for name, value in (*headers.items(), ("content-length", str(len(data)))):
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(data)

    do_GET = do_POST = _any


@pytest.fixture
def operator() -> Iterator[Operator]:
    server = Operator()
    thread = threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True)
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
    assert [(t.dish_id, t.kit, t.serial) for t in found] == [("ut00", "KIT0", ""), ("ut01", "KIT1", "")]
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
    operator.pages = {}
    with pytest.raises(Refused, match="No such") as refusal:
        list(one.service_lines())
    assert "\x1b" not in str(refusal.value)
    operator.refuses = [(429, "")] * 99
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


def test_pages_that_shift_while_they_are_read(operator: Operator) -> None:
    one, _ = api(operator)
    operator.pages["user-terminals"] = [[dish(0), dish(1)], [dish(1), dish(2)], [dish(0)]]
    operator.count = 4
    assert [t.dish_id for t in one.terminals()] == ["ut00", "ut01", "ut02"]
    assert one.notes == ["of 4 dishes, as the operator says, it gave 3: ask again"]
    # Without a word on which page is the last, there are more where things are missing; it ends all the same.
    operator.says_last, operator.count = False, 3
    assert len(list(one.terminals())) == 3
    operator.count = 9
    operator.pages["user-terminals"] = [[dish(0)], [dish(0)]]
    assert len(list(one.terminals())) == 1


def test_an_account_without_lines_is_no_failure(operator: Operator) -> None:
    one, _ = api(operator)
    operator.count = 0
    nothing: tuple[list[Any], ...] = ([None], [[]])
    for results in nothing:
        operator.pages["service-lines"] = results
        assert list(one.service_lines()) == []
    assert one.notes == []


def test_it_waits_as_long_as_it_is_asked_to(operator: Operator) -> None:
    one, slept = api(operator)
    operator.refuses = [(429, "37"), (503, "Wed, 21 Oct 2026 07:28:00 GMT")]
    assert len(list(one.terminals())) == 2
    assert 37.0 in slept
    operator.refuses = [(429, "3600")]
    with pytest.raises(Unavailable, match="60 minutes") as told:
        list(one.terminals())
    assert told.value.code == "management.busy"
    assert max(slept) < 300


def test_a_time_to_wait_until_is_read_by_the_answers_own_clock() -> None:
    def wait(until: str, date: str) -> float:
        return _asked_wait_s(httpx.Headers({"retry-after": until, "date": date}))

    assert wait("Wed, 21 Oct 2026 07:28:30 GMT", "Wed, 21 Oct 2026 07:28:00 GMT") == 30.0
    assert wait("Wed, 21 Oct 2026 07:28:00 GMT", "Wed, 21 Oct 2026 07:29:00 GMT") == 0.0
    for odd in ("soon", "-5", "", "1e9", "Wed, 21 Oct 2026"):
        assert wait(odd, "yesterday") == 0.0


def test_a_token_that_ends_in_between_is_made_anew_once(operator: Operator) -> None:
    one, _ = api(operator)
    operator.ends_after = 1
    assert len(list(one.terminals())) == 2
    assert operator.tokens == 2
    operator.refuses = [(401, ""), (401, "")]
    with pytest.raises(Refused, match="may not read"):
        list(one.terminals())
    assert operator.tokens == 3


def test_a_broken_connection_is_tried_again_once_it_has_spoken(operator: Operator) -> None:
    one, _ = api(operator)
    operator.refuses = []
    found = one.terminals()
    next(found)
    operator.refuses = [(0, ""), (500, "")]
    with pytest.raises(Unavailable, match="500"):
        next(found)
    operator.refuses = [(0, "")]
    # Of telemetry: what may have been lost is not passed by.
    with pytest.raises(Unavailable, match="does not answer"):
        list(one.readings(batches=1))


def test_lines_are_told_by_dish() -> None:
    terminals = [
        ManagedTerminal(f"ut0{n}", f"KIT{n}", "", line) for n, line in enumerate(("L-1", "", "L-9", "L-1"))
    ]
    lines = [
        ManagedLine("L-1", "business", True, "2025-01-05T00:00:00Z", ""),
        ManagedLine("L-2", "", None, "", ""),
    ]
    found = lines_of_dishes(terminals, lines)
    on_one = ("L-1", "business", "active", "2025-01-05T00:00:00Z", "none", "operators-api")
    assert found.rows == [
        ("ut00", "KIT0", "", *on_one),
        ("ut01", "KIT1", "", "none", "", "", "", "", "operators-api"),
        ("ut03", "KIT3", "", *on_one),
    ]
    assert (found.idle, found.unlisted) == (["L-2"], ["L-9"])


@pytest.fixture
def told(operator: Operator, monkeypatch: pytest.MonkeyPatch) -> Any:
    """skylift management ..., with a secret, at the local server."""
    operator.refuses = []
    monkeypatch.setattr("skylift.adapters.management_api.EVERY_S", 0.0)
    monkeypatch.setenv("SKYLIFT_MANAGEMENT_SECRET", "s3cret")
    app = typer.Typer()
    management.register(app)
    app.command("other")(lambda: None)

    def run(*words: str) -> Result:
        base = f"http://127.0.0.1:{operator.server_port}"
        return CliRunner().invoke(app, ["management", *words, "--id", "x", "--base", base])

    return run


def test_the_table_is_one_that_terminal_import_takes(told: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    lines = told("terminals", "--hardware", "STD-V2").stdout.splitlines()
    assert lines[0] == "dish_id,kit,serial,hardware,network,origin"
    assert lines[1:] == [f"ut0{n},KIT{n},,STD-V2,operator,other-records" for n in (0, 1)]
    monkeypatch.delenv("SKYLIFT_MANAGEMENT_SECRET")
    assert isinstance(told("terminals").exception, Refused)


def test_lines_are_a_table_without_what_people_typed(operator: Operator, told: Any, tmp_path: Path) -> None:
    operator.pages = {
        "user-terminals": [[dish(0, "AST-511274-31364-54"), dish(1)]],
        "service-lines": [[LINE, LINE | {"serviceLineNumber": "AST-2"}]],
    }
    out = tmp_path / "out.csv"
    done = told("lines", "--csv", str(out))
    assert done.exit_code == 0, done.output
    assert out.read_text().splitlines() == [
        "dish_id,kit,serial,line,line_product,line_standing,line_started,line_ended,line_source",
        "ut00,KIT0,,AST-511274-31364-54,business-subscription-100,active,"
        "2025-01-05T00:00:00.1234567+00:00,none,operators-api",
        "ut01,KIT1,,none,,,,,operators-api",
    ]
    assert "lines without a dish, left out: AST-2\n" in done.stderr
    assert "CANARY" not in out.read_text() + done.output
    ours = tmp_path / "ours.csv"
    ours.write_text("id,serial,kit,dish_id\ntrm_1,,kit1,\n")
    done = told("lines", "--only", str(ours))
    assert [line.split(",")[0] for line in done.stdout.splitlines()] == ["dish_id", "ut01"]
    assert "left out: ut00\n" in done.stderr
    ours.write_text("name\nut01\n")
    assert isinstance(told("lines", "--only", str(ours)).exception, Refused)
    operator.pages["service-lines"] = [[]]
    operator.count = 0
    assert "no service lines" in told("lines").stderr


@pytest.mark.parametrize("what", ["terminals", "lines"])
def test_a_table_that_fails_is_not_begun(operator: Operator, told: Any, tmp_path: Path, what: str) -> None:
    out = tmp_path / "out.csv"
    out.write_text("as it was")
    operator.pages = {"service-lines": [[LINE]], "user-terminals": [[dish(0)], "no page"]}
    for words in ((what,), (what, "--csv", str(out))):
        done = told(*words)
        assert isinstance(done.exception, Unavailable)
        assert done.stdout == ""
    assert out.read_text() == "as it was"
    assert list(tmp_path.iterdir()) == [out]


def test_telemetry_that_breaks_off_keeps_what_was_read(operator: Operator, told: Any, tmp_path: Path) -> None:
    out = tmp_path / "rows.csv"
    operator.batches = ["no rows"]
    done = told("telemetry", "--batches", "3", "--csv", str(out))
    assert isinstance(done.exception, Unavailable)
    assert "written" in done.stderr
    assert [line.split(",")[0] for line in out.read_text().splitlines()] == ["dish_id", "ut1"]
    # What nobody is given again is not written over.
    operator.asked.clear()
    assert isinstance(told("telemetry", "--csv", str(out)).exception, Refused)
    assert operator.asked == []
    # And where nothing was read, nothing is there.
    other, operator.rows = tmp_path / "other.csv", "no rows"  # type: ignore[assignment]
    assert isinstance(told("telemetry", "--csv", str(other)).exception, Unavailable)
    assert not other.exists()
