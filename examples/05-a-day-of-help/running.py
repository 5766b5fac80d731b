"""A `skylift run` of its own, and people who ask it over HTTP; what run.py needs of machinery."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx

from skylift.base.errors import Refused, Unavailable
from skylift.base.instants import SlotClock, parse_instant
from skylift.client.http import Client

BEGINS = "2022-02-26T12:00:00Z"
PASSWORD = "a few words in a row"
SKYLIFT = (sys.executable, "-m", "skylift")


@contextmanager
def service(data: Path) -> Iterator[str]:
    """The URL with which it is set up; it is ended by its own process id whatever happens."""
    process = subprocess.Popen(
        [*SKYLIFT, "run", "--port", "0", "--clock", "simulated", "--at", BEGINS],
        env={**os.environ, "SKYLIFT_DATA_DIR": str(data), "PYTHONUNBUFFERED": "1"},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
    )
    said: list[str] = []
    # Read to its end, or the service would wait for its reader one day.
    threading.Thread(target=lambda: said.extend(process.stderr or ()), daemon=True).start()
    try:
        yield _setup_url(process, said)
    finally:
        process.terminate()
        try:
            process.wait(10)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def _setup_url(process: subprocess.Popen[str], said: list[str]) -> str:
    until = time.monotonic() + 40
    while time.monotonic() < until and process.poll() is None:
        if found := re.search(r"^setup: (\S+)$", "".join(said), re.MULTILINE):
            return found[1]
        time.sleep(0.05)
    raise SystemExit("skylift run did not start:\n" + "".join(said))


@dataclass
class Person:
    """Somebody with a token of their own."""

    server: str
    id: str
    token: str

    def post(self, path: str, **body: Any) -> dict[str, Any]:
        """What the service answers. Raises Refused with its code and its reason."""
        return Client(self.server, self.token).ask("POST", path, body)

    def get(self, path: str) -> dict[str, Any]:
        return Client(self.server, self.token).ask("GET", path)

    def refused(self, code: str, path: str, **body: Any) -> str:
        """The rule by which it is refused, which must be this one."""
        try:
            self.post(path, **body)
        except Refused as refusal:
            hold(refusal.code == code, f"{path}: refused by {refusal.code} and not by {code}")
            return refusal.rule
        raise SystemExit(f"this did not hold: {path} is refused by {code}")

    def together(self, second: Person, path: str, **body: Any) -> dict[str, Any]:
        """What takes two people: asked for, read and agreed to by the second, asked for again."""
        waiting = self.post(path, **body)
        shown = second.get(f"approvals/{waiting['approval']}")
        second.post(f"approvals/{waiting['approval']}/agree", change=shown["change"])
        return self.post(path, **body, approval=waiting["approval"])

    def tell(self, text: str) -> None:
        """A line for people, with the service's own time."""
        print(f"{self.get('clock')['now'][5:16].replace('T', ' ')}  {text}", flush=True)

    def until(self, instant: str) -> None:
        """Let the simulated clock leap to this instant."""
        left_us = parse_instant(instant) - self.get("clock")["now_us"]
        hold(left_us > 0, f"it is not {instant} yet")
        self.post("clock", advance_s=left_us / 1e6)

    def next_slot(self) -> int:
        """Let the clock leap into the next slot, and wait until the sky has computed it; its start."""
        # What is decided now counts for every slot that begins 3 s from now, or later.
        slots, decided_us = SlotClock(), self.get("clock")["now_us"] + 3_000_000
        begins_us = slots.start(decided_us) + slots.length_us
        self.post("clock", advance_s=(begins_us + 1_000_000 - self.get("clock")["now_us"]) / 1e6)
        return int(waited(lambda: self._slot_from(begins_us)))

    def _slot_from(self, begins_us: int) -> int | None:
        try:
            at_us = int(self.get("links?limit=0")["at_us"])
        except Unavailable:
            # The very first takes a few seconds.
            return None
        return at_us if at_us >= begins_us else None

    def link(self, terminal: str) -> tuple[dict[str, Any], str]:
        """A terminal's link in the present slot, and the codes of what speaks against it."""
        document = self.get(f"links?terminal={terminal}")
        codes = [reason["code"] for reason in document["reasons"].get(terminal, ())]
        return document["links"][0], ", ".join(codes)

    def next_link(self, terminal: str) -> tuple[dict[str, Any], str]:
        """The same in the next slot."""
        self.next_slot()
        return self.link(terminal)

    def fact(self, terminal: str, *names: str) -> Any:
        """What is recorded of a terminal, once there is anything: the sky writes after the slot has begun."""

        def look() -> Any:
            found = self.get(f"terminals/{terminal}")
            for name in names:
                found = found[name]
            return found

        return waited(look)

    def may(self, terminal: str, cell: str, at: str = "") -> tuple[bool, str]:
        """Whether a terminal may be served there, and the codes of what speaks against it."""
        answer = self.post("may-serve", terminal=terminal, cell=cell, **({"at": at} if at else {}))
        return answer["allowed"], ", ".join(reason["code"] for reason in answer["reasons"])


def waited(look: Callable[[], Any], patience_s: float = 90.0) -> Any:
    """What `look` finds, as soon as it finds anything."""
    until = time.monotonic() + patience_s
    while time.monotonic() < until:
        if found := look():
            return found
        time.sleep(0.1)
    raise SystemExit("this did not hold: the sky keeps up")


def first_operator(setup_url: str) -> Person:
    """Whoever has the code that the service printed."""
    server, code = setup_url.split("/setup?code=")
    return _set_up(server, code, "first@example.org")


def invited(by: Person, role: str, second: Person | None, account: str = "", region: str = "") -> Person:
    """A new person with this role, and a login of their own. All but the first approver takes two people."""
    id = by.post("persons", account=account)["id"]
    grant = {"role": role, "regions": [region] if region else []}
    if second is None:
        by.post(f"persons/{id}/grant", **grant)
    else:
        by.together(second, f"persons/{id}/grant", **grant)
    return _set_up(by.server, by.post(f"persons/{id}/invite")["code"], f"{id.lower()}@example.org")


def _set_up(server: str, code: str, email: str) -> Person:
    body = {"code": code, "email": email, "password": PASSWORD}
    answer = Client(server).ask("POST", "setup", body)
    return Person(server, answer["person"], answer["token"])


def journal(person: Person, subject: str, name: str) -> list[dict[str, Any]]:
    """Every row that the person may hear of, up to the one of this name about this subject."""
    rows: list[dict[str, Any]] = []
    with httpx.stream(
        "GET",
        f"{person.server}/api/v1/events?after=0",
        headers={"Authorization": f"Bearer {person.token}"},
        timeout=20,
    ) as stream:
        for line in stream.iter_lines():
            if line.startswith("data: "):
                rows.append(json.loads(line.removeprefix("data: ")))
                if (rows[-1]["subject"], rows[-1]["name"]) == (subject, name):
                    return rows
    raise SystemExit(f"the journal ended before {name}")


def verified(data: Path, head: str) -> dict[str, Any]:
    """What `skylift audit verify` says; `head` was read over HTTP, and must be in the chain."""
    command = [*SKYLIFT, "audit", "verify", "--data-dir", str(data), "--head", head, "--json"]
    done = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=False)
    hold(done.returncode == 0, "the journal is as it was written")
    return dict(json.loads(done.stdout))


def hold(so: bool, what: str) -> None:
    if not so:
        raise SystemExit(f"this did not hold: {what}")
