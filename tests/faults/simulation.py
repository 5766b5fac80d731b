"""A service, its clients and its faults, all from one seed; every invariant is looked at after each step.

    python -m tests.faults.simulation SEED [--trace]

runs one seed again and says what happened. The same seed gives the same journal, to the byte.
"""

from __future__ import annotations

import argparse
import asyncio
import gc
import random
import shutil
import sqlite3
import sys
from collections import Counter, defaultdict
from dataclasses import dataclass, field
from typing import Any

from tests.faults.sim_checker import BrokenError, holds, stands_in
from tests.faults.sim_clients import Clients, Command
from tests.faults.sim_service import (
    DATABASE,
    START_US,
    Answer,
    Clock,
    CrashedError,
    Ids,
    Service,
    settle,
    simulated,
)
from tests.faults.sim_town import home, seen, template
from tests.faults.sim_wants import CELLS

STEPS = 90
MOST_UNDER_WAY = 6
FAULTS = ("crash", "crash", "torn", "torn", "slow", "locked", "full", "disk", "unsure")


class FoundError(AssertionError):
    """An invariant that does not hold, with how to see it again."""


# --- one seed


@dataclass
class Tally:
    """What happened over seeds: which verbs were asked for, done, and refused why, which faults struck."""

    asked: Counter[str] = field(default_factory=Counter)
    done: Counter[str] = field(default_factory=Counter)
    refused: dict[str, Counter[str]] = field(default_factory=lambda: defaultdict(Counter))
    faults: Counter[str] = field(default_factory=Counter)
    statuses: Counter[int] = field(default_factory=Counter)
    served: Counter[bool] = field(default_factory=Counter)
    again: int = 0


@dataclass
class Acknowledged:
    """Something that the service has said is so."""

    command: Command
    id: str
    version: int
    body: bytes


class Simulation:
    """One seed."""

    def __init__(self, seed: int, tally: Tally, trace: bool = False) -> None:
        town = template()
        self.seed, self.tally, self.trace = seed, tally, trace
        self.draw = random.Random(f"{seed} schedule")
        self.folder = home() / "life"
        shutil.rmtree(self.folder, ignore_errors=True)
        self.folder.mkdir()
        shutil.copy(town.folder / DATABASE, self.folder / DATABASE)
        self.clock, self.ids = Clock(), Ids("s")
        self.known = town.known.copy()
        self.clients = Clients(town.personas, self.known, random.Random(f"{seed} clients"))
        self.ledger = town.ledger()
        self.network: list[Command] = []
        self.under_way: list[tuple[Command, asyncio.Task[Answer]]] = []
        self.acknowledged: list[Acknowledged] = []
        self.replies: dict[tuple[str, str], Answer] = {}
        self.erased: set[str] = set()
        self.imported: set[str] = set()
        self.canary_of = dict(town.canaries)
        # Calls for help that came with a key, by a number that no other has.
        self.numbered: set[int] = set()
        self.lives = 0
        self.checked = (0, 0, 0)

    def run(self, steps: int = STEPS) -> str:
        """The journal's last hash. Raises FoundError."""
        with simulated(self.clock, self.ids):
            # A seed is over before its garbage is worth looking for.
            gc.disable()
            try:
                return asyncio.run(self._run(steps))
            except BrokenError as error:
                raise FoundError(
                    f"seed {self.seed}: {error}\n"
                    f"to see it again: python -m tests.faults.simulation {self.seed} --trace"
                ) from error
            finally:
                gc.enable()
                shutil.rmtree(self.folder, ignore_errors=True)

    async def _run(self, steps: int) -> str:
        self._live()
        try:
            self._look()
            for _ in range(steps):
                await self._step()
                if self.under_way:
                    await settle()
                    self._finish()
                if self.service.faults.dead:
                    await self._die()
                self._look()
                await self._check_served()
            await self._end()
        finally:
            for _, task in self.under_way:
                task.cancel()
            self.journal.close()
            self.service.close()
        return self.ledger.head

    def _live(self) -> None:
        self.service = Service(self.folder, self.seed * 1000 + self.lives, self.clock, self.ids)
        self.lives += 1
        self.journal = sqlite3.connect(f"file:{self.folder / DATABASE}?mode=ro", uri=True)

    async def _die(self) -> None:
        """Whatever was in memory is gone; clients do not know what became of what they had asked."""
        for command, task in self.under_way:
            task.cancel()
            self._say("   unanswered", command)
            if command.key and self.draw.random() < 0.7:
                self.network.append(command)
        await asyncio.gather(*(task for _, task in self.under_way), return_exceptions=True)
        self.under_way.clear()
        self._note_faults()
        self.journal.close()
        self.service.close()
        after = self.folder.with_name(f"{self.folder.name}+")
        shutil.rmtree(self.folder)
        self.folder = after.rename(self.folder)
        self._live()
        self._say("-- crashed, and began again", None)
        self._look()
        self._check_kept()

    def _note_faults(self) -> None:
        for fault in self.service.faults.happened:
            self.tally.faults[fault.split()[0]] += 1
            self._say(f"** {fault}", None)
        self.service.faults.happened.clear()

    async def _step(self) -> None:
        """What comes next is drawn: somebody wants something, it arrives, it is written, time passes."""
        draw = self.draw.random()
        if draw < 0.30:
            command = self.clients.command(self.clock.us)
            self.network.append(command)
            if self.draw.random() < 0.15:
                self.network.append(command)
        elif draw < 0.62 and self.network and len(self.under_way) < MOST_UNDER_WAY:
            # Any of them: nothing keeps their order.
            self._deliver(self.network.pop(self.draw.randrange(len(self.network))))
        elif draw < 0.88:
            self.service.writer.step(self.draw.randrange(1, 5))
        elif draw < 0.94:
            self.clock.us += self.draw.choice((1, 20, 20, 1_000, 40_000, 700_000)) * 1_000_000
        elif draw < 0.99:
            if self.service.faults.left is None:
                self.service.faults.arm(self.draw.choice(FAULTS), self.draw.randrange(1, 30))
        else:
            with_suppressed_crash(self.service.faults.crash)

    def _deliver(self, command: Command) -> None:
        self._say(">>", command)
        self.tally.asked[command.verb] += 1
        if command.key and command.verb == "request.create" and command.body and "people" in command.body:
            self.numbered.add(command.body["people"])
        text = command.text()
        task = asyncio.ensure_future(self.service.ask(command.method, command.path, text, command.headers))
        self.under_way.append((command, task))

    def _finish(self) -> None:
        for command, task in [one for one in self.under_way if one[1].done()]:
            if self.service.faults.dead and task.exception() is not None:
                continue
            self.under_way.remove((command, task))
            error = task.exception()
            holds(error is None, f"{command} ended with {error!r}")
            self._answered(command, task.result())

    # --- what was answered

    def _answered(self, command: Command, answer: Answer) -> None:
        self._say(f"<< {answer.status} {answer.body[:160]!r}", command)
        self.tally.statuses[answer.status] += 1
        holds(answer.status < 500 or answer.status == 503, f"{command} was answered {answer}")
        if answer.status == 503:
            if self.draw.random() < 0.6:
                self.network.append(command)
            return
        if answer.status == 409 and "if-match" in dict(command.headers):
            self._refresh(command, answer)
        if answer.status >= 400 and command.verb:
            self.tally.refused[command.verb][answer.document["error"]["code"]] += 1
        if answer.status not in (200, 201, 202) or not command.writes:
            if answer.status == 200:
                self._read(command, answer)
            return
        if command.key:
            self._check_same(command, answer)
        expected = dict(command.headers).get("if-match")
        if expected is not None and answer.status != 202:
            seen = int(expected.strip('"'))
            one_on = answer.document["version"] in (seen, seen + 1)
            holds(one_on, f"{command}: a stale edit was taken, {answer}")
        self._acknowledge(command, answer)

    def _refresh(self, command: Command, answer: Answer) -> None:
        now = answer.document.get("now")
        if now and command.about in self.known.shown:
            self.known.shown[command.about] |= now

    def _check_same(self, command: Command, answer: Answer) -> None:
        """With the same key, the same answer, whatever has happened since."""
        before = self.replies.setdefault((command.by.person, command.key), answer)
        if before is not answer:
            self.tally.again += 1
        holds(before == answer, f"{command} was answered {before}, and now {answer}")

    def _acknowledge(self, command: Command, answer: Answer) -> None:
        document = answer.document
        self.tally.done[command.verb] += 1
        if command.verb == "erase":
            self.erased.add(command.about)
            return
        if command.verb == "import":
            self.imported.add(document.get("import_id", ""))
            return
        if not command.verb:
            return
        kind = command.verb.partition(".")[0]
        if answer.status == 202:
            approval = document["approval"]
            self.known.waiting[approval] = command
            self.known.changes[approval] = document["change"]
            self.known.learn("approval", document)
            self.acknowledged.append(Acknowledged(command, document["id"], document["version"], answer.body))
            return
        self.known.learn(kind, document)
        self.acknowledged.append(Acknowledged(command, document["id"], document["version"], answer.body))
        if command.canary:
            self.canary_of[document["id"]] = command.canary
        if command.body and "approval" in command.body:
            self.known.waiting.pop(command.body["approval"], None)

    def _read(self, command: Command, answer: Answer) -> None:
        document = answer.document
        if command.table:
            self.known.plans.append((f"{command.path}?apply={document['hash']}", command.table))
        elif command.path.endswith("/look"):
            self.known.looks[command.about] = seen(document)
        elif command.method == "GET" and command.about and "version" in document:
            least = max((a.version for a in self.acknowledged if a.id == command.about), default=0)
            holds(
                document["version"] >= least,
                f"{command} was shown version {document['version']} after {least} was acknowledged",
            )
            self.known.learn(command.path.split("/")[0].removesuffix("s"), document)

    # --- what must hold

    def _look(self) -> None:
        """After each step: the rows that are new; what was acknowledged is among them; may it be served."""
        self.ledger.read(self.journal)
        self._check_kept(self.acknowledged[-8:])
        self._note_faults()

    def _check_kept(self, some: list[Acknowledged] | None = None) -> None:
        for one in self.acknowledged if some is None else some:
            if not self.ledger.hash_of.get((one.id, one.version)):
                raise BrokenError(
                    f"version {one.version} of {one.id} was acknowledged and is lost: {one.command}"
                )
        for number in self.numbered:
            times = self.ledger.numbers.get(number, 0)
            holds(times <= 1, f"the request of {number} people has a key, and was written {times} times")

    async def _check_served(self) -> None:
        """What the twin is told of every terminal, against what the journal says."""
        now = (self.ledger.rows, self.clock.us, self.lives)
        if now == self.checked:
            return
        self.checked = now
        faults = self.service.faults
        # This is not one of the service's own steps: nothing strikes in it.
        armed, faults.left = faults.left, None
        permissions = await self.service.desk.facts.permissions()
        faults.left = armed
        at = self.clock.us
        for terminal in list(self.ledger.terminals):
            for cell in {self.ledger.terminals[terminal].cell, self.draw_cell()} - {""}:
                decision = permissions.may_serve(terminal, cell, at)
                expected = self.ledger.may_serve(terminal, cell, at)
                self.tally.served[decision.allowed] += 1
                if decision.allowed != expected:
                    raise BrokenError(
                        f"{terminal} in {cell}: served {decision.allowed}, by what was decided {expected}; "
                        f"{[why.code.value for why in decision.reasons]}"
                    )

    def draw_cell(self) -> str:
        return CELLS[self.ledger.rows % len(CELLS)]

    async def _end(self) -> None:
        """No more faults: everything under way comes to an end, and all of it is looked at."""
        self.service.faults.left = None
        while self.under_way:
            self.service.writer.step(100)
            await settle()
            self._finish()
        self._look()
        self._check_kept()
        await self._check_served()
        found = self.service.store.verify()
        holds(found.valid, f"the audit says: {found.why} {found.differing}")
        holds(found.head == self.ledger.head, "the audit and the ledger have read different journals")
        gone = {self.canary_of[id] for id in self.erased if id in self.canary_of}
        lost = self.imported - self.ledger.imported - {""}
        holds(not lost, f"imports that were acknowledged are not in the journal: {lost}")
        holds(self.erased <= self.ledger.erased, "an erasure that was acknowledged is not in the journal")
        self.service.store.scrub()
        left = stands_in(self.folder, (DATABASE, f"{DATABASE}-wal"), sorted(gone))
        holds(not left, f"erased, and still in a file: {left}")

    def _say(self, what: str, command: Command | None) -> None:
        if self.trace:
            print(f"{(self.clock.us - START_US) / 1e6:10.0f} s  {what} {command or ''}")


def with_suppressed_crash(crash: Any) -> None:
    try:
        crash()
    except CrashedError:
        return


def run(seed: int, tally: Tally | None = None, trace: bool = False, steps: int = STEPS) -> str:
    """One seed; the hash of the journal's last row. Raises FoundError."""
    return Simulation(seed, tally or Tally(), trace).run(steps)


def main() -> None:
    parser = argparse.ArgumentParser(description="Run seeds of the fault simulation.")
    parser.add_argument("seed", type=int)
    parser.add_argument("--many", type=int, default=1, help="how many seeds from this one on")
    parser.add_argument("--trace", action="store_true", help="say everything that happens")
    parser.add_argument("--steps", type=int, default=STEPS)
    given = parser.parse_args()
    tally, failed = Tally(), 0
    for seed in range(given.seed, given.seed + given.many):
        try:
            head = run(seed, tally, given.trace, given.steps)
        except FoundError as error:
            failed += 1
            print(error)
        else:
            if given.many == 1:
                print(f"seed {seed}: all holds; journal's head {head}")
    print(tally)
    sys.exit(1 if failed else 0)


if __name__ == "__main__":
    main()
