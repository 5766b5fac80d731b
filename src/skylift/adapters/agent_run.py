"""The agent at work: its machine of states, a dish, a service and a clock, in one thread."""

from __future__ import annotations

import random
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Final

from skylift.adapters.agent_folder import BUFFER, AgentFolder, Enrolment
from skylift.adapters.agent_sharing import Http, Sharing
from skylift.adapters.agent_shelf import SqlShelf
from skylift.adapters.dish_client import DishClient
from skylift.adapters.dish_router import DEFAULT_ROUTER, wifi_off
from skylift.adapters.keys import is_signed, public_of
from skylift.base.errors import Refused, SkyliftError
from skylift.base.instants import format_instant
from skylift.base.units import US_PER_S
from skylift.wire.agent.agent import Agent, Now, Obey, Poll, Post, Self, Work
from skylift.wire.agent.orders import WIFI_OFF, Permits
from skylift.wire.agent.pace import Pace

_LONGEST_NAP_S: Final = 5.0
# What was wrong stands in a file for `doctor`; it is written when it changes.
_YEAR_9999_US: Final = 253_402_300_799 * US_PER_S


@dataclass(frozen=True, slots=True)
class BoardClock:
    """The board's clocks.

    For tests: a wall clock that showed `at_us` when the machine's monotonic clock was at `began_ns`, and runs
    `speed` times as fast.
    """

    at_us: int | None = None
    speed: float = 1.0
    began_ns: int = field(default_factory=time.monotonic_ns)

    def now(self) -> Now:
        mono_us = round((time.monotonic_ns() - self.began_ns) / 1_000 * self.speed)
        wall_us = time.time_ns() // 1_000 if self.at_us is None else self.at_us + mono_us
        return Now(min(wall_us, _YEAR_9999_US), mono_us)


@dataclass(slots=True)
class Running:
    """One agent until it is stopped. say: a line for the log; none of them holds a place."""

    folder: AgentFolder
    enrolment: Enrolment
    dish: DishClient
    http: Http
    clock: BoardClock = field(default_factory=BoardClock)
    say: Callable[[str], None] = lambda line: None
    router: str = DEFAULT_ROUTER
    stopping: threading.Event = field(default_factory=threading.Event)
    _said: dict[str, str] = field(default_factory=dict)

    def run(self) -> None:
        """Poll, keep, send and obey until `stopping` is set."""
        shelf = SqlShelf(
            self.folder.path / BUFFER, self.folder.buffer_key(), self.enrolment.reserved, self._reserve
        )
        try:
            self._work(shelf)
        finally:
            shelf.close()

    def _work(self, shelf: SqlShelf) -> None:
        now = self.clock.now()
        self._said["trouble"] = self.folder.trouble().get("code", "")
        public = public_of(self.enrolment.server_public_key)
        me = Self(self.enrolment.terminal, lambda document, signature: is_signed(public, document, signature))
        agent = Agent(me, shelf, Pace(now.mono_us, now.mono_us), self._permits(), now.mono_us)
        sharing = Sharing(self.folder, self.dish, self.http, self.enrolment.terminal, self.say)
        while not self.stopping.is_set():
            try:
                work = agent.next_work(self.clock.now())
                if work is not None:
                    self._do(agent, work)
                    self._remember(agent)
                    continue
                sharing.step(self.clock.now())
                left_s = (agent.wake_at_us() - self.clock.now().mono_us) / US_PER_S / self.clock.speed
            except SkyliftError as error:
                # The disk refuses: what cannot be kept is lost, and what comes later need not be.
                self._tell("disk", f"{error.thing}: {error.rule}; {error.way_out}")
                left_s = _LONGEST_NAP_S
            self.stopping.wait(max(0.0, min(left_s, _LONGEST_NAP_S)))
            # The owner may have changed the list meanwhile.
            agent.permits = self._permits()

    def _do(self, agent: Agent, work: Work) -> None:
        match work:
            case Poll():
                self._poll(agent, work)
            case Post():
                self._post(agent, work)
            case Obey():
                self._obey(agent, work)

    def _poll(self, agent: Agent, work: Poll) -> None:
        try:
            status = self.dish.status()
        except Exception as error:
            # Whatever other firmware answers, the agent lives on and says that it understood nothing.
            rule = error.rule if isinstance(error, SkyliftError) else "its answer cannot be read"
            self._tell("dish", f"the dish: {rule}")
            agent.dish_silent(self.clock.now())
            return
        try:
            history = self.dish.history(work.since)
        except Exception:
            history = None
        self._tell("dish", f"the dish answers: {status.state}")
        agent.dish_said(status, history, self.clock.now())

    def _post(self, agent: Agent, work: Post) -> None:
        answered = self.http.post(work.path, work.content_type, work.body, zipped=work.rows > 0)
        now = self.clock.now()
        if answered.status in (200, 201, 202):
            agent.taken(work, answered.body, now)
            self._tell("service", "the service takes what is sent")
            return
        jitter = random.random()  # when to come back; nothing that must be the same again
        agent.not_taken(work, now, jitter, answered.status, answered.wait_s, answered.code)
        self._tell("service", f"the service does not take it ({agent.trouble}); rows are kept here")

    def _obey(self, agent: Agent, work: Obey) -> None:
        try:
            if work.command == WIFI_OFF:
                done = wifi_off(self.router)
            else:
                done = self.dish.do(work.command, work.arguments)
        except Refused as error:
            agent.obeyed(self.clock.now(), error.rule, "dish_refused")
        except Exception as error:
            rule = error.rule if isinstance(error, SkyliftError) else "it did not answer as expected"
            agent.obeyed(self.clock.now(), rule, "dish_failed")
        else:
            agent.obeyed(self.clock.now(), done.said)
        self.say(f"the dish was told: {work.command}")

    # --- what is kept and said

    def _permits(self) -> Permits:
        try:
            return self.folder.permits()
        except SkyliftError as error:
            self._tell("allow", f"{error.thing}: {error.rule}; until then nothing is allowed")
            return Permits()

    def _reserve(self, upto: int) -> None:
        self.enrolment = replace(self.enrolment, reserved=upto)
        self.folder.keep_enrolment(self.enrolment)

    def _remember(self, agent: Agent) -> None:
        if self._said.get("trouble", "") != agent.trouble:
            self._said["trouble"] = agent.trouble
            self.folder.keep_trouble(agent.trouble, format_instant(self.clock.now().wall_us))

    def _tell(self, about: str, line: str) -> None:
        """A line where it is news: a board's log is small."""
        if self._said.get(about) != line:
            self._said[about] = line
            self.say(line)
