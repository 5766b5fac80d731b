"""The sky of a running service obeys its office: from the next slot on, after a kill, after a restart."""

from __future__ import annotations

import json
import os
import re
import signal
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx
import pytest

if not Path("/proc/self/task").exists():
    pytest.skip("needs /proc, to see which processes there are", allow_module_level=True)

RZESZOW, KYIV = "851e2a27fffffff", "851e6387fffffff"
SLOT_US = 15_000_000
PASSWORD = "a few words in a row"
ARGUMENTS = ("--at", "2023-04-05T06:02:00Z", "--speed", "10")


class Office:
    """Somebody who asks a running service."""

    def __init__(self, service: Any) -> None:
        self.service, self.token = service, ""

    def ask(self, method: str, path: str, **body: Any) -> dict[str, Any]:
        headers = {"Authorization": f"Bearer {self.token}"} if self.token else {}
        url = f"{self.service.url}/api/v1/{path}"
        answer = httpx.request(
            method, url, headers=headers, json=body if method == "POST" else None, timeout=30
        )
        assert answer.status_code < 300, answer.text
        document: dict[str, Any] = answer.json()
        return document

    def post(self, path: str, **body: Any) -> dict[str, Any]:
        return self.ask("POST", path, **body)

    def set_up(self, code: str, email: str) -> Office:
        self.token = self.post("setup", code=code, email=email, password=PASSWORD)["token"]
        return self

    def together(self, second: Office, path: str, **body: Any) -> None:
        approval = self.post(path, **body)["approval"]
        change = second.ask("GET", f"approvals/{approval}")["change"]
        second.post(f"approvals/{approval}/agree", change=change)
        self.post(path, **body, approval=approval)

    def link(self, terminal: str) -> tuple[int, dict[str, Any], list[str]]:
        """The present slot's start, the terminal's row in it, and the codes of what bars it."""
        document = self.ask("GET", f"links?terminal={terminal}")
        codes = [reason["code"] for reason in document["reasons"].get(terminal, [])]
        return document["at_us"], document["links"][0], codes

    def next_link(self, terminal: str) -> tuple[int, dict[str, Any], list[str]]:
        """The same in the first slot that must know what is decided by now: it begins 15 s on, or later.

        At ten times the wall's pace a slot is computed on what is known a whole slot before.
        """
        decided_us = self.ask("GET", "clock")["now_us"]
        seen: tuple[int, dict[str, Any], list[str]]
        seen = until(lambda: now if (now := self._seen(terminal))[0] >= decided_us + SLOT_US else None)
        return seen

    def _seen(self, terminal: str) -> tuple[int, dict[str, Any], list[str]]:
        try:
            return self.link(terminal)
        except AssertionError:
            return 0, {}, []


def until(look: Callable[[], Any], patience_s: float = 60.0) -> Any:
    end = time.monotonic() + patience_s
    while time.monotonic() < end:
        if found := look():
            return found
        time.sleep(0.05)
    raise AssertionError(f"not within {patience_s} s")


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("obeying")


@pytest.fixture(scope="module")
def town(start_for_file: Callable[..., Any], scenario: Path, data: Path) -> tuple[Any, Office, Office, str]:
    """A service with an operator, an approver, and a terminal in an active region, not switched on yet."""
    service = start_for_file("--scenario", str(scenario), *ARGUMENTS, SKYLIFT_DATA_DIR=str(data))
    service.wait_until_ready()
    code = re.search(r"^setup: \S+code=(\S+)$", "".join(service.output), re.MULTILINE)
    assert code
    operator = Office(service).set_up(code[1], "first@example.org")
    whose = {"source": "the tests", "countries": ["UA"], "vouches_for": ["askers", "licences", "terminals"]}
    for code, kind in (("MINISTRY", "ministry"), ("REGULATOR", "regulator")):
        operator.post("authorities", code=code, title=f"A {kind}", kind=kind, **whose)
    person = operator.post("persons", account="")["id"]
    operator.post(f"persons/{person}/grant", role="approver", regions=[])
    invited = operator.post(f"persons/{person}/invite")["code"]
    approver = Office(service).set_up(invited, "second@example.org")
    region = operator.post("regions", country="UA", title="Ukraine", cells=[KYIV])["id"]
    officer_id = operator.post("persons", account="")["id"]
    operator.together(approver, f"persons/{officer_id}/grant", role="authority", regions=[region])
    officer = Office(service).set_up(
        operator.post(f"persons/{officer_id}/invite")["code"], "third@example.org"
    )
    officer.post(
        f"regions/{region}/grant", paper="temporary-authorisation", authority="REGULATOR", document="1/23",
        valid_from="2023-04-01T00:00:00Z", valid_until="2023-05-01T00:00:00Z",
    )  # fmt: skip
    operator.together(approver, f"regions/{region}/cells", cells=[KYIV], mode="enabled")
    operator.together(approver, f"regions/{region}/activate")
    plan = operator.post("plans", title="Aid", service_class=1, down_bps=5e7, up_bps=1e7)["id"]
    account = operator.post("accounts", holder="authority", country="UA", region=region)["id"]
    operator.post(f"accounts/{account}/verify", authority="MINISTRY", reference="letter 5/23")
    operator.post(f"accounts/{account}/plan", plan=plan)
    dish = operator.post("terminals", hardware="ROUND-2021", serial="KIT-0001", origin="gift")["id"]
    operator.post(f"terminals/{dish}/register", owner=account, cell=KYIV, region=region)
    operator.post(
        f"terminals/{dish}/verify", basis="authority", authority="MINISTRY", reference="letter 5/23"
    )
    return service, operator, approver, dish


def test_a_terminal_is_served_from_the_next_slot_on_and_cut_off_by_the_next(
    town: tuple[Any, Office, Office, str],
) -> None:
    _, operator, _, dish = town
    _, link, codes = operator.next_link(dish)
    assert (link["why_down"], codes) == ("terminal_off", ["terminal.not-active"])
    operator.post(f"terminals/{dish}/activate")
    at_us, link, codes = operator.next_link(dish)
    assert (link["why_down"], codes) == (None, [])
    assert link["satellite"]
    # What the slot did is a fact now, on the sky's own word.
    thing = until(lambda: t if (t := operator.ask("GET", f"terminals/{dish}")).get("served_at") else None)
    assert thing["served_at"] <= at_us
    [command] = thing["commands"]["confirmed"]
    assert command["enforcer"] == "our-network"
    assert command["kind"] == "activate"
    assert command["evidence"].startswith("slot 2023-04-05T")
    assert command["asked_at"] < command["confirmed_at"]
    operator.post(f"terminals/{dish}/report-stolen", captured=True)
    _, link, codes = operator.next_link(dish)
    assert (link["why_down"], codes) == ("not_permitted", ["terminal.cut-off"])
    confirmed = until(
        lambda: (
            c
            if (c := operator.ask("GET", f"terminals/{dish}")["commands"]["confirmed"])[-1]["kind"] == "block"
            else None
        )
    )
    assert confirmed[-1]["asked_at"] < confirmed[-1]["confirmed_at"]


def test_without_a_token_nobody_sees_the_offices_terminals(town: tuple[Any, Office, Office, str]) -> None:
    service, operator, _, dish = town
    operator.next_link(dish)
    shown = service.get("/api/v1/links").text
    assert dish not in shown
    assert KYIV not in shown
    assert json.loads(shown)["links"][0]["terminal"] == "rzeszow"
    with_token = operator.ask("GET", "links")
    assert with_token["links"][-1]["terminal"] == dish
    assert with_token["next"] is None
    assert with_token["journal_sequence"] > 10
    none = operator.ask("GET", "links?limit=0")
    assert dish not in [link["terminal"] for link in none["links"]]
    assert dish not in none["reasons"]
    for query, status in (
        ("at=2001-01-01", 404),
        ("at=never", 400),
        ("limit=x", 400),
        ("terminal=trm_none", 404),
    ):
        answer = httpx.get(
            f"{service.url}/api/v1/links?{query}",
            headers={"Authorization": f"Bearer {operator.token}"},
            timeout=30,
        )
        assert answer.status_code == status, answer.text
    stream_url = f"{service.url}/api/v1/live"
    headers = {"Authorization": f"Bearer {operator.token}"}
    with httpx.stream("GET", stream_url, headers=headers, timeout=30) as stream:
        line = next(line for line in stream.iter_lines() if line.startswith("data: "))
    told = json.loads(line.removeprefix("data: "))
    assert told["links"][-1]["terminal"] == dish
    assert told["reasons"][dish][0]["code"] == "terminal.cut-off"


def test_a_sky_that_dies_bars_whom_the_office_bars_from_its_first_slot_on(
    town: tuple[Any, Office, Office, str],
) -> None:
    service, operator, _, dish = town
    before_us, link, _ = operator.next_link(dish)
    assert link["why_down"] == "not_permitted"
    [sky] = [
        pid for pid in service.descendants() if b"spawn_main" in Path(f"/proc/{pid}/cmdline").read_bytes()
    ]
    os.kill(sky, signal.SIGKILL)
    until(lambda: service.get("/readyz").status_code == 503)
    until(lambda: service.get("/readyz").status_code == 200)
    headers = {"Authorization": f"Bearer {operator.token}"}
    seen = []
    with httpx.stream(
        "GET", f"{service.url}/api/v1/live", headers=headers | {"Last-Event-ID": str(before_us)}, timeout=60
    ) as stream:
        for line in stream.iter_lines():
            if line.startswith("data: "):
                document = json.loads(line.removeprefix("data: "))
                mine = [link for link in document["links"] if link["terminal"] == dish]
                seen.append((document["at_us"], [link["why_down"] for link in mine]))
                if len(seen) == 8:
                    break
    assert all(why == ["not_permitted"] for _, why in seen), seen


def test_after_a_restart_it_is_barred_from_the_first_slot_on(
    town: tuple[Any, Office, Office, str], start_service: Callable[..., Any], scenario: Path, data: Path
) -> None:
    service, operator, _, dish = town
    service.process.send_signal(signal.SIGKILL)
    service.process.wait(10)
    again = start_service("--scenario", str(scenario), *ARGUMENTS, SKYLIFT_DATA_DIR=str(data))
    again.wait_until_ready()
    operator.service = again
    _, link, codes = operator.link(dish)
    assert (link["why_down"], codes) == ("not_permitted", ["terminal.cut-off"])


def test_a_scenario_alone_knows_no_office(start_service: Callable[..., Any], scenario: Path) -> None:
    service = start_service("--scenario", str(scenario), *ARGUMENTS, "--serve", "scenario")
    service.wait_until_ready()
    assert service.get("/api/v1/about").json()["serve"] == "scenario"
    links = service.get("/api/v1/links").json()
    assert links["journal_sequence"] is None
    assert any(link["why_down"] is None for link in links["links"])


def test_where_the_office_alone_is_served_the_scenarios_terminals_are_not(
    start_service: Callable[..., Any], scenario: Path
) -> None:
    service = start_service("--scenario", str(scenario), *ARGUMENTS, "--serve", "office")
    service.wait_until_ready()
    links = service.get("/api/v1/links").json()
    assert {link["why_down"] for link in links["links"]} == {"not_permitted"}
    assert {why[0]["code"] for why in links["reasons"].values()} == {"terminal.unknown"}
