"""`python -m bench.rollout`: one command to many dishes with its brakes, each part a process of its own.

    --agents 100 --speed 4     how many agents, each 55 MB; how much faster than the wall their time goes

`skylift run`, `skylift dish serve` for as many dishes of its scenario, and an agent beside each. Then, by the
command line: a second person's agreement, stages of 1, 10 and 100 with their gates, agents that fall silent,
owners' consent to a radio off, and what a day allows to one person and in one region. What is asked and
answered goes to stdout; exit code 1 where a brake did not hold. Nothing of it is left.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from itertools import count
from pathlib import Path
from typing import Any

import httpx

from bench.agent import PASSWORD, Clock, enrolled, free_port, start_agent, start_dishes
from bench.telemetry_services import Service
from skylift.adapters.agent_folder import ALLOW
from skylift.service.command.rollout import MOST_BY_PERSON

BEGINS = "2026-05-30T11:30:00Z"
CELLS = ("851e5227fffffff", "851e5237fffffff")
_SCENARIO = """title = "A rollout"
start = 2026-05-30T11:00:00Z
duration_h = 24
memory_min = 3
[[region]]
id = "UA"
country = "UA"
[[service]]
region = "UA"
"""
_TERMINAL = """[[terminal]]
id = "d{k}"
latitude_deg = {latitude:.3f}
longitude_deg = {longitude:.3f}
region = "UA"
antenna = "starlink-mini"
pop = "frankfurt"
"""
PATIENCE_S = 240.0
# Of the simulated clock; an agent asks every minute or so.
EXPIRES_MIN = 8


class Missed(Exception):
    """A brake did not hold, or something did not come about."""


@dataclass
class Person:
    """Somebody with a token, at the command line."""

    name: str
    url: str
    token: str

    def ask(self, method: str, path: str, **body: Any) -> dict[str, Any]:
        headers = {"Authorization": f"Bearer {self.token}"}
        answer = httpx.request(
            method, f"{self.url}/api/v1/{path}", headers=headers, json=body or None, timeout=60
        )
        if answer.status_code >= 300:
            raise Missed(f"{method} {path}: {answer.text}")
        document: dict[str, Any] = answer.json()
        return document

    def says(self, *words: str, code: int = 0) -> dict[str, Any]:
        """What `skylift WORDS` answers, shown with its exit code, which must be this one."""
        command = [str(Path(sys.executable).with_name("skylift")), *words, "--json"]
        known = {"SKYLIFT_SERVER": self.url, "SKYLIFT_TOKEN": self.token}
        done = subprocess.run(command, capture_output=True, text=True, env=os.environ | known, check=False)
        try:
            document: dict[str, Any] = json.loads(done.stdout or done.stderr)
        except ValueError:
            raise Missed(f"no document: {done.stdout}{done.stderr}") from None
        asked = " ".join(
            word if len(word) < 100 else f"{word[:45]}... ({word.count(',') + 1})" for word in words
        )
        print(
            f"{self.name}$ skylift {asked}\n    {_short(document)}\n    exit {done.returncode}\n", flush=True
        )
        if done.returncode != code:
            raise Missed(f"exit {done.returncode} instead of {code}")
        return document

    def agreed(self, *words: str, by: Person) -> str:
        """The id of what is made by words that take a second person: asked, agreed to, asked again."""
        waiting = self.says(*words)
        if waiting.get("needed") != 2:
            raise Missed("nobody else had to agree")
        by.says("approval", "agree", waiting["id"], f"change={waiting['change']}")
        return str(self.says(*words, "--approval", waiting["id"])["id"])


_TOLD = (
    "state", "stands", "verb", "needed", "kind", "regions", "by", "stages", "went", "why", "issued_at",
    "means", "code", "said", "answered_at", "error",
)  # fmt: skip


def _short(document: dict[str, Any]) -> str:
    """What matters of it; of stages, how many terminals each has."""
    shown = {name: document[name] for name in _TOLD if document.get(name) not in (None, "", {}, [])}
    if "stages" in shown:
        shown["stages"] = [len(stage) for stage in shown["stages"]]
    return json.dumps(shown)


@dataclass
class Field:
    """All that runs. agents: by terminal."""

    folder: Path
    url: str
    operator: Person
    approver: Person
    clock: Clock
    agents: dict[str, subprocess.Popen[bytes]] = field(default_factory=dict)
    serials: Iterator[int] = field(default_factory=count)

    def start(self, terminal: str, dish: str, number: int, allow: Sequence[str]) -> None:
        """An agent's process, enrolled by a code of its own."""
        code = self.operator.ask("POST", f"terminals/{terminal}/enrolment-codes")["code"]
        folder = enrolled(self.folder / f"agent-{number}", self.url, code)
        list_ = folder.path / ALLOW
        list_.write_text(f"allow = {json.dumps(list(allow))}\n")
        list_.chmod(0o600)
        self.agents[terminal] = start_agent(folder, dish, self.clock)

    def shown(self, rollout: str) -> dict[str, Any]:
        return self.operator.ask("GET", f"rollouts/{rollout}")

    def answered(self, rollout: str) -> Counter[str]:
        """How many of its last stage's commands are in which state, once none waits any more."""
        began_s = time.monotonic()
        ids = self.shown(rollout)["stages"][-1].values()
        while True:
            found = Counter(self.operator.ask("GET", f"commands/{id}")["state"] for id in ids)
            waited_s = time.monotonic() - began_s
            if not found["issued"]:
                print(f"    after {waited_s:.0f} s: {dict(found)}\n", flush=True)
                return found
            if waited_s > PATIENCE_S:
                raise Missed(f"{dict(found)} after {waited_s:.0f} s")
            time.sleep(1.0)

    def person(self, name: str, role: str) -> Person:
        """Somebody new, named by the first operator; what that takes another for, the approver agrees to."""
        id = self.operator.ask("POST", "persons", name=name)["id"]
        grant = {"role": role, "regions": []}
        waiting = self.operator.ask("POST", f"persons/{id}/grant", **grant)
        if "change" in waiting:
            self.approver.ask("POST", f"approvals/{waiting['id']}/agree", change=waiting["change"])
            self.operator.ask("POST", f"persons/{id}/grant", approval=waiting["id"], **grant)
        return self._invited(id, name)

    def _invited(self, id: str, name: str) -> Person:
        code = self.operator.ask("POST", f"persons/{id}/invite")["code"]
        return Person(name, self.url, _login(self.url, code, name))


def set_up(stack: ExitStack, folder: Path, dishes: int, speed: float) -> tuple[Field, list[str]]:
    """The service with two people, and its emulated dishes' addresses."""
    scenario = folder / "rollout.toml"
    scenario.write_text(
        _SCENARIO
        + "".join(
            _TERMINAL.format(k=k, latitude=48.5 + k % 40 * 0.03, longitude=27 + k // 40 * 0.3)
            for k in range(dishes)
        )
    )
    service = Service(
        folder, free_port(), None, ("--scenario", str(scenario), "--at", BEGINS, "--speed", str(speed))
    )
    stack.callback(service.end)
    service.start()
    url = service.url
    operator = Person("operator", url, _login(url, service.setup_code, "operator"))
    operator.ask("POST", "accounts", holder="company", country="UA")
    for cell in CELLS:
        operator.ask("POST", "regions", country="UA", title="A region", cells=[cell])
    before_ns = time.monotonic_ns()
    now_us = operator.ask("GET", "clock")["now_us"]
    clock = Clock(now_us, speed, (before_ns + time.monotonic_ns()) // 2)
    field_ = Field(folder, url, operator, operator, clock)
    field_.approver = field_.person("approver", "approver")
    stack.callback(_end, field_)
    return field_, start_dishes(stack, url, operator.token, dishes, {})


def _login(url: str, code: str, name: str) -> str:
    body = {"code": code, "email": f"{name}@example.org", "password": PASSWORD}
    return str(httpx.post(f"{url}/api/v1/setup", json=body).json()["token"])


def _end(field_: Field) -> None:
    for process in field_.agents.values():
        process.kill()
        process.wait()


def register(field_: Field, count: int, region: int) -> list[str]:
    """Terminals of the one account, at home in one of the two regions."""
    ask = field_.operator.ask
    account = ask("GET", "accounts")["items"]
    made = []
    for _ in range(count):
        serial = f"KIT{next(field_.serials):07}"
        id = ask("POST", "terminals", hardware="MINI", serial=serial, origin="gift")["id"]
        ask("POST", f"terminals/{id}/register", owner=account[0]["id"], cell=CELLS[region])
        made.append(id)
    return made


def everybody(field_: Field, dishes: Sequence[str]) -> list[str]:
    """An agent beside each dish, begun one after the other."""
    ids = register(field_, len(dishes), 0)
    for number, (id, dish) in enumerate(zip(ids, dishes, strict=True)):
        field_.start(id, dish, number, ("reboot", "rf-inhibit", "rf-allow"))
        time.sleep(0.3)
    print(f"    {len(ids)} agents run\n")
    return ids


def all_goes_well(field_: Field, ids: Sequence[str]) -> None:
    """Stage by stage, once all of the one before are done, until it has ended."""
    operator = field_.operator
    # It does not answer before somebody has tried the gate.
    os.kill(field_.agents[ids[0]].pid, signal.SIGSTOP)
    rollout = operator.agreed(*_ask("reboot", ids), by=field_.approver)
    operator.says("rollout", "proceed", rollout, code=2)
    os.kill(field_.agents[ids[0]].pid, signal.SIGCONT)
    while True:
        stage = field_.answered(rollout)
        if set(stage) != {"done"}:
            raise Missed(f"not all are done: {dict(stage)}")
        if operator.says("rollout", "proceed", rollout)["state"] == "ended":
            return


def some_fail(field_: Field, ids: Sequence[str]) -> None:
    """One agent of the second stage was killed: by its silence all of it stops, and cannot go on."""
    operator = field_.operator
    victim = ids[5]
    field_.agents[victim].kill()
    rollout = operator.agreed(*_ask("reboot", ids), by=field_.approver)
    field_.answered(rollout)
    operator.says("rollout", "proceed", rollout)
    stage = field_.answered(rollout)
    shown = operator.says("rollout", "show", rollout)
    if shown["why"] != "wrong" or stage["withdrawn"] != 1:
        raise Missed(f"it did not stop by itself: {dict(stage)}")
    operator.says("command", "show", shown["stages"][-1][victim])
    operator.says("rollout", "proceed", rollout, code=2)


def radio_off(field_: Field, ids: Sequence[str]) -> None:
    """Only with every owner's consent; of one that does not answer: it may still transmit."""
    operator = field_.operator
    ask = _ask("rf-inhibit", ids)
    operator.says(*ask, code=2)
    for id in ids:
        operator.ask("POST", "consents", terminal=id, kinds=["rf-inhibit"], document="letter 8")
    rollout = operator.agreed(*ask, by=field_.approver)
    field_.answered(rollout)
    done = operator.says("command", "show", field_.shown(rollout)["stages"][0][ids[0]])
    # Its board is there, and answers no more.
    os.kill(field_.agents[ids[3]].pid, signal.SIGSTOP)
    operator.says("rollout", "proceed", rollout)
    stage = field_.answered(rollout)
    lost = operator.says("command", "show", field_.shown(rollout)["stages"][-1][ids[3]])
    if "transmit" in done["means"] or "pull the power" not in lost["means"]:
        raise Missed("what is said of a radio")
    print("   ", dict(stage), operator.says("rollout", "show", rollout)["why"])


def limits(field_: Field) -> None:
    """500 in a day for one person, 1,000 in one region for all; other regions are not touched."""
    approver = field_.approver
    second, third = (field_.person(name, "operator") for name in ("second", "third"))
    here, there = register(field_, MOST_BY_PERSON, 1), register(field_, 2, 0)
    more = register(field_, 2, 1)
    second.agreed(*_ask("reboot", here), by=approver)
    second.says(*_ask("reboot", there), code=2)
    third.agreed(*_ask("reboot", here), by=approver)
    fourth = field_.person("fourth", "operator")
    fourth.says(*_ask("reboot", more), code=2)
    fourth.agreed(*_ask("reboot", there), by=approver)


def _ask(kind: str, ids: Sequence[str]) -> tuple[str, ...]:
    return (
        "rollout", "create", f"terminals={','.join(ids)}", f"command={kind}", "reason=firmware hangs",
        f"expires_min={EXPIRES_MIN}",
    )  # fmt: skip


def main() -> int:
    options = argparse.ArgumentParser(prog="python -m bench.rollout")
    options.add_argument("--agents", type=int, default=100)
    options.add_argument("--speed", type=float, default=4.0)
    told = options.parse_args()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(130))
    with ExitStack() as stack:
        folder = Path(tempfile.mkdtemp(prefix="skylift-rollout-"))
        stack.callback(shutil.rmtree, folder, True)
        # Compiled once for all of them.
        os.environ["PYTHONPYCACHEPREFIX"] = str(folder / "compiled")
        field_, dishes = set_up(stack, folder, told.agents, told.speed)
        ids = everybody(field_, dishes)
        try:
            all_goes_well(field_, ids)
            some_fail(field_, ids[:11])
            radio_off(field_, [id for id in ids if id != ids[5]][:12])
            limits(field_)
        except Missed as missed:
            print(f"MISSED: {missed}")
            return 1
    print("every brake held")
    return 0


if __name__ == "__main__":
    sys.exit(main())
