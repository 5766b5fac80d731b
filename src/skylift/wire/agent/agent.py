"""The agent as a machine of states: told the time and what came back, it says what is to be done next.

The caller owns the clock, the sockets and the disk:

    while (work := agent.next_work(now)) is not None:
        do it, and tell the agent: dish_said, dish_silent, taken, not_taken, obeyed
    sleep until agent.wake_at_us()

Rows have numbers that are never used again, and leave the shelf only once the service has them, or has kept
them aside for good: sent twice, they are stored once. What was sent is never thinned, for the same reason.
"""

from __future__ import annotations

import re
import zlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any, Final, Protocol

import msgspec

from skylift.base.units import US_PER_S
from skylift.wire.agent import orders
from skylift.wire.agent.noting import rows_of, silent_row
from skylift.wire.agent.orders import Command, Docket, Kind, Off, Permits, Reply
from skylift.wire.agent.pace import BATCH_ROWS, LEAST_ROWS, SHUT_OUT_WAIT_US, Pace
from skylift.wire.dish.reading import DishHistory, DishStatus
from skylift.wire.telemetry.rows import Answer, Batch, Row

TELEMETRY_PATH: Final = "/api/v1/telemetry"
REPLIES_PATH: Final = "/api/v1/agent/replies"
# A board without a clock of its own wakes up at the time of its last shutdown, and is set once there is a
# link: a leap ahead as far as this is that. Clocks that are set back are nobody's first guess.
LEAP_US: Final = 600 * US_PER_S
# While it is awaited that a dish does what it was told, it is asked this often.
_LOOK_EVERY_US: Final = 5 * US_PER_S
_LONGEST_SAID: Final = 200
_CODE = re.compile(r"[a-z0-9._-]{1,60}", re.ASCII)


@dataclass(frozen=True, slots=True)
class Now:
    """wall_us: as the board believes, and may be set; mono_us: never set."""

    wall_us: int
    mono_us: int


class Mark(msgspec.Struct, frozen=True):
    """How far the dish's seconds were read, of which of its boots."""

    count: int
    boots: int | None = None


class Shelf(Protocol):
    """What outlives the agent: rows until they are taken, and notes. Each call is one transaction."""

    def keep(self, rows: Sequence[Row], mark: Mark | None) -> None:
        """Number these rows and keep them; what is too much is thinned."""

    def next_number(self) -> int:
        """The number of the next row."""

    def date_anew(self, first: int, by_us: int) -> None:
        """Rows from this number on are later by so much."""

    def oldest(self, most: int) -> list[Row]:
        """Those to be sent next, which are not thinned from now on."""

    def settle(self, ranges: Sequence[tuple[int, int]]) -> None:
        """These need not be sent again."""

    def waiting(self) -> int:
        """How many rows there are."""

    def mark(self) -> Mark | None:
        """As it was kept with the last rows."""

    def docket(self) -> Docket:
        """As it was kept last; a new one at first."""

    def keep_docket(self, docket: Docket) -> None:
        """Keep it before anything is done."""


@dataclass(frozen=True, slots=True)
class Poll:
    """Ask the dish: status, and its seconds since `since` (None: it is not known which it had)."""

    since: int | None


@dataclass(frozen=True, slots=True)
class Post:
    """Send a body, signed; rows: how many are in it, 0 for a reply."""

    path: str
    content_type: str
    body: bytes
    rows: int = 0


@dataclass(frozen=True, slots=True)
class Obey:
    """Tell the dish; command: its own word."""

    command: str
    arguments: dict[str, Any]


Work = Poll | Post | Obey


@dataclass(frozen=True, slots=True)
class Self:
    """Who the agent is, and how the service's signature is checked: (document, signature) -> bool."""

    terminal: str
    is_signed: Callable[[bytes, bytes], bool]


@dataclass(slots=True)
class _Doing:
    """A command at work. before: the dish as it was; told: whether it was told; said: what it said to it."""

    command: Command
    before: DishStatus | None
    until_us: int
    told: bool = False
    said: str = ""


@dataclass(slots=True)
class Agent:
    """One agent for one dish."""

    me: Self
    shelf: Shelf
    pace: Pace
    permits: Permits
    polled_us: int
    docket: Docket = field(init=False)
    last_status: DishStatus | None = None
    trouble: str = ""
    most_rows: int = BATCH_ROWS
    _doing: _Doing | None = None
    _look_at_us: int | None = None
    _looked_us: int | None = None
    _own: Kind | None = None
    _first_number: int = field(init=False)
    _furthest_us: int | None = None

    def __post_init__(self) -> None:
        self._first_number = self.shelf.next_number()
        self.docket = self.shelf.docket()
        interrupted = self.docket.doing
        if interrupted is not None:
            # It may have been done or not. Doing it again is the one thing that must not happen.
            off = Kind(interrupted.kind) in orders.RADIO_OFF
            said = orders.MAY_TRANSMIT if off else "the agent was restarted meanwhile: look at the dish"
            self.docket.doing = None
            self.docket.say(Reply(interrupted.id, "failed", "interrupted", said, self.docket.latest_us))
            self.shelf.keep_docket(self.docket)

    # --- what is to be done

    def wake_at_us(self) -> int:
        """When there is something to do again, by the clock that is never set."""
        at_us = self.pace.next_at_us(self._has_enough())
        return at_us if self._look_at_us is None else min(at_us, self._look_at_us)

    def next_work(self, now: Now) -> Work | None:
        """One thing to do now; None where there is none."""
        telling = self._telling(now)
        if telling is not None:
            return telling
        looking = self._look_at_us is not None and now.mono_us >= self._look_at_us
        if looking or now.mono_us >= self.pace.poll_at_us:
            mark = self.shelf.mark()
            return Poll(None if mark is None else mark.count)
        if now.mono_us < self.pace.send_at_us:
            return None
        if self.docket.outbox:
            return Post(REPLIES_PATH, "application/json", msgspec.json.encode(self.docket.outbox[0]))
        if self._has_enough():
            return self._batch(now)
        return None

    def _has_enough(self) -> bool:
        return bool(self.docket.outbox) or self.shelf.waiting() >= LEAST_ROWS

    def _batch(self, now: Now) -> Post | None:
        rows = self.shelf.oldest(self.most_rows)
        if not rows:
            return None
        body = msgspec.msgpack.encode(Batch(self.me.terminal, now.wall_us, rows))
        return Post(TELEMETRY_PATH, "application/msgpack", zipped(body), len(rows))

    # --- what the dish said

    def dish_said(self, status: DishStatus, history: DishHistory | None, now: Now) -> None:
        """Its answers to a Poll; history None where it has none."""
        self._mind_the_clock(now)
        elapsed_s = self._elapsed_s(now)
        looked_s = self._looked_s(now)
        self.last_status = status
        if now.mono_us >= self.pace.poll_at_us:
            self._note(status, history, now, elapsed_s)
        self._follow_up(status, now, looked_s)

    def dish_silent(self, now: Now) -> None:
        """It did not answer."""
        self._mind_the_clock(now)
        elapsed_s = self._elapsed_s(now)
        self._looked_s(now)
        if now.mono_us >= self.pace.poll_at_us:
            self.shelf.keep([silent_row(now.wall_us, elapsed_s)], self.shelf.mark())
            self.polled_us = now.mono_us
            self.pace.polled(now.mono_us)
        self._follow_up(None, now, 0.0)

    def _mind_the_clock(self, now: Now) -> None:
        """Where the wall clock leapt ahead, what was noted since the start is dated by what it shows now.

        Ahead of all that it showed: one that was set back by mistake, and right again, dates nothing anew. A
        row that the service has already stays there as it was.
        """
        offset_us, furthest_us = now.wall_us - now.mono_us, self._furthest_us
        if furthest_us is not None and offset_us - furthest_us >= LEAP_US:
            self.shelf.date_anew(self._first_number, offset_us - furthest_us)
        self._furthest_us = offset_us if furthest_us is None else max(offset_us, furthest_us)

    def _looked_s(self, now: Now) -> float:
        """Since the dish was looked at before; a time in which it was silent counts for nothing."""
        before_us, self._looked_us = self._looked_us, now.mono_us
        return 0.0 if before_us is None else (now.mono_us - before_us) / US_PER_S

    def _elapsed_s(self, now: Now) -> float:
        return max(0.001, (now.mono_us - self.polled_us) / US_PER_S)

    def _note(self, status: DishStatus, history: DishHistory | None, now: Now, elapsed_s: float) -> None:
        mark, before = None, self.shelf.mark()
        if history is not None:
            mark = Mark(history.count, status.device.boots)
            if before is None:
                # What was before the agent came is not its to tell.
                history = _newest(history, round(self.pace.interval_us / US_PER_S))
        self.shelf.keep(rows_of(status, history, now.wall_us, elapsed_s), mark)
        self.polled_us = now.mono_us
        self.pace.polled(now.mono_us)

    # --- what the service said

    def taken(self, post: Post, body: bytes, now: Now) -> None:
        """It answered 200. A body that cannot be read is as no answer."""
        if post.path == REPLIES_PATH:
            self.docket.outbox.pop(0)
            self.shelf.keep_docket(self.docket)
            self.pace.sent(now.mono_us, self.shelf.waiting(), 0.0)
            return
        try:
            answer = msgspec.json.decode(body, type=Answer)
        except (msgspec.DecodeError, RecursionError):
            self.trouble = "agent.answer-unreadable"
            self.pace.failed(now.mono_us, 0.5)
            return
        before = self.shelf.waiting()
        aside = [(one.sequence, one.sequence) for one in answer.quarantined]
        self.shelf.settle([*answer.acknowledged, *aside])
        left = self.shelf.waiting()
        if left == before:
            # Nothing was acknowledged: sending the same again at once would go on for ever.
            self.trouble = "agent.nothing-acknowledged"
            self.pace.failed(now.mono_us, 0.5)
            return
        self.trouble, self.most_rows = "", BATCH_ROWS
        self.pace.sent(now.mono_us, left, answer.interval_s)
        self._take_commands(answer, now)

    def not_taken(
        self,
        post: Post,
        now: Now,
        jitter: float,
        status: int = 0,
        wait_s: float | None = None,
        code: str = "",
    ) -> None:
        """It answered with another status, or not at all (0). jitter: 0 to 1."""
        self.trouble = (
            code if _CODE.fullmatch(code) else f"agent.http-{status}" if status else "agent.no-answer"
        )
        if status in (401, 403):
            self.pace.failed(now.mono_us, jitter, SHUT_OUT_WAIT_US / US_PER_S)
            return
        if post.rows and status in (400, 413, 415, 422):
            # Something in it cannot be taken: halves find the row, which must not hold up all others.
            if post.rows == 1:
                (row,) = self.shelf.oldest(1)
                self.shelf.settle([(row.sequence, row.sequence)])
            self.most_rows = max(1, post.rows // 2)
        elif not post.rows and 400 <= status < 500 and status != 429:
            # A reply that the service will never take.
            self.docket.outbox.pop(0)
            self.shelf.keep_docket(self.docket)
        self.pace.failed(now.mono_us, jitter, wait_s)

    # --- commands

    def _take_commands(self, answer: Answer, now: Now) -> None:
        if not answer.commands:
            return
        for signed in answer.commands:
            orders.take(self.docket, signed, self.me.terminal, self.me.is_signed, (now.wall_us, self.permits))
        self.shelf.keep_docket(self.docket)

    def _telling(self, now: Now) -> Obey | None:
        """The next command that the dish is told."""
        if self._own is not None:
            word, arguments = orders.DO[self._own]
            return Obey(word, dict(arguments))
        if self._doing is None:
            self._begin(now)
        doing = self._doing
        if doing is None or doing.told:
            return None
        word, arguments = orders.DO[Kind(doing.command.kind)]
        return Obey(word, {**doing.command.arguments, **arguments})

    def _begin(self, now: Now) -> None:
        if not self.docket.todo:
            return
        command = self.docket.todo.pop(0)
        refused = self._refused_late(command, now)
        if refused is not None:
            self.docket.say(refused)
        else:
            self.docket.doing = command
            within_s = orders.CONFIRM_WITHIN_S.get(Kind(command.kind), orders.USUAL_CONFIRM_S)
            until_us = now.mono_us + round(within_s * US_PER_S)
            self._doing = _Doing(command, self.last_status, until_us)
        # On the disk before the dish is told: whatever happens then, it is not done twice.
        self.shelf.keep_docket(self.docket)

    def _refused_late(self, command: Command, now: Now) -> Reply | None:
        """Why it is not begun after all."""
        if max(now.wall_us, self.docket.latest_us) >= command.expires_at:
            return Reply(command.id, "expired", "expired", "it waited too long at the dish", now.wall_us)
        off = self.docket.off is not None or self.last_status is None or orders.is_off(self.last_status)
        if orders.needs_radio_off_leave(command, off, self.permits):
            said = "its radio is off, and a reboot may switch it on"
            return Reply(command.id, "refused", "radio_off", said, now.wall_us)
        return None

    def obeyed(self, now: Now, said: str, failed: str = "") -> None:
        """The dish was told. said: its words; failed: a code where it could not be told, or refused."""
        said = said[:_LONGEST_SAID]
        if self._own is not None:
            self._own = None
            if not failed:
                self.docket.off = None
                self.shelf.keep_docket(self.docket)
            return
        doing = self._doing
        assert doing is not None, "only what is being done can have been done"
        if failed:
            off = Kind(doing.command.kind) in orders.RADIO_OFF
            words = f"{orders.MAY_TRANSMIT} ({said})" if off else said
            self._end(Reply(doing.command.id, "failed", failed, words, now.wall_us))
            return
        doing.told, doing.said = True, said
        self._look_at_us = now.mono_us

    def _follow_up(self, status: DishStatus | None, now: Now, elapsed_s: float) -> None:
        """Has the dish done what it was told? Is it time that a radio comes back, as the owner chose?"""
        doing = self._doing
        if doing is not None and doing.told:
            so = status is not None and orders.confirmed(doing.command, status, doing.before)
            if so or now.mono_us >= doing.until_us:
                self._settle(doing, so, now)
            else:
                self._look_at_us = now.mono_us + _LOOK_EVERY_US
        if status is not None:
            self._mind_the_radio(status, elapsed_s)

    def _settle(self, doing: _Doing, so: bool, now: Now) -> None:
        kind = Kind(doing.command.kind)
        if so and kind in orders.RADIO_OFF:
            self.docket.off = Off(kind)
        elif so and kind in orders.RADIO_ON:
            self.docket.off = None
        self._end(orders.outcome(doing.command, so, doing.said, now.wall_us))

    def _end(self, reply: Reply) -> None:
        self._doing, self._look_at_us = None, None
        self.docket.doing = None
        self.docket.say(reply)
        self.shelf.keep_docket(self.docket)

    def _mind_the_radio(self, status: DishStatus, elapsed_s: float) -> None:
        off = self.docket.off
        if off is None or self._own is not None:
            return
        if not orders.is_off(status):
            # Somebody beside it has switched it on.
            self.docket.off = None
            self.shelf.keep_docket(self.docket)
            return
        passed_s = off.passed_s + elapsed_s
        self.docket.off = Off(off.kind, passed_s)
        self.shelf.keep_docket(self.docket)
        after_min = self.permits.radio_on_again_after_min
        if after_min > 0 and passed_s >= after_min * 60:
            self._own = Kind.UNSTOW if off.kind is Kind.STOW else Kind.RF_ALLOW


def _newest(history: DishHistory, seconds: int) -> DishHistory:
    """The last so many seconds of it."""
    have = max(map(len, (history.drop_fraction, history.latency_ms, history.down_bps, history.up_bps)))
    cut = max(0, have - seconds)
    return DishHistory(
        history.count,
        history.first + cut,
        0,
        history.rebooted,
        history.drop_fraction[cut:],
        history.latency_ms[cut:],
        history.down_bps[cut:],
        history.up_bps[cut:],
        history.power_w[cut:],
        history.outages,
        history.events,
    )


def zipped(body: bytes) -> bytes:
    """gzip (RFC 1952) without a time or a name: the same rows are the same bytes."""
    packer = zlib.compressobj(6, zlib.DEFLATED, 31)
    return packer.compress(body) + packer.flush()
