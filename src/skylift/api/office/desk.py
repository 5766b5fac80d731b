"""What the doors share: the store, its one writer, who asks, and what permission knows."""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any, TypeVar

from skylift.adapters.allow_lists import packaged_rules
from skylift.adapters.clock import AnyClock
from skylift.adapters.ids import SecretIds
from skylift.adapters.passwords import token_hash
from skylift.adapters.sql.group import GroupWriter
from skylift.adapters.sql.store import SqlStore
from skylift.adapters.webhooks import Sender
from skylift.api.demo.guard import LoopbackSender
from skylift.api.office.facts import Facts
from skylift.api.office.following import Following
from skylift.api.office.problems import NotKnown
from skylift.base.errors import Unavailable
from skylift.ports.store import Reader, Transaction
from skylift.service.account import person as persons
from skylift.service.account import token as tokens
from skylift.service.account.attempts import Attempts
from skylift.service.account.token import Token, TokenKind
from skylift.twin.office.office import Office
from skylift.twin.office.table import TABLE
from skylift.twin.office.verbs import Actor

R = TypeVar("R")

READERS = 2
# Passwords are hashed with 64 MiB each: so many at a time, and no more.
HASHERS = 2
# Whoever asks whether the service is ready wants to know soon.
ANSWERS_WITHIN_S = 2.0
# Another process may have written: what is known of tokens and facts is looked at anew this often.
TRUSTED_S = 1.0
# Far above what a program that behaves will ask, and far below what would hurt.
PER_TOKEN_BURST, PER_TOKEN_EVERY_US = 4_000, 1_000
PER_ADDRESS_BURST, PER_ADDRESS_EVERY_US = 8_000, 500
MOST_KNOWN = 10_000


@dataclass(frozen=True, slots=True)
class Public:
    """What everybody is told of this service: where it is for them, and who speaks."""

    url: str = "http://127.0.0.1:8480"
    author: str = "skylift"


@dataclass(frozen=True, slots=True)
class Holder:
    """Whoever holds a token, as the store says now."""

    actor: Actor
    token: Token


class Desk:
    """Lives in the event loop; the store is used on threads of its own."""

    def __init__(
        self, store: SqlStore, clock: AnyClock, advance: Callable[[int], None] | None = None
    ) -> None:
        self.store = store
        self.clock = clock
        self.advance = advance
        self.ids = SecretIds()
        self.office = Office(TABLE, self.ids, packaged_rules())
        self.writer = GroupWriter(store)
        self.facts = Facts(store, clock.now)
        self.milestones = Following(store)
        self.sender = LoopbackSender() if store.is_demo else Sender()
        self.public = Public()
        # An api/telemetry/intake.Intake, which knows this desk; None where no telemetry is kept.
        self.intake: Any = None
        self.setup_code = ""
        self.closed = False
        self._readers = ThreadPoolExecutor(READERS, "store-reader")
        self._hashers = ThreadPoolExecutor(HASHERS, "password")
        # One alone: a store that hangs must not take more than this thread from us.
        self._pulse = ThreadPoolExecutor(1, "store-pulse")
        self._known: dict[str, tuple[float, Holder]] = {}
        self._writers: dict[str, tuple[float, Holder]] = {}
        self._epoch = 0
        self._per_token = Attempts("this token", PER_TOKEN_BURST, PER_TOKEN_EVERY_US)
        self._per_address = Attempts("this address", PER_ADDRESS_BURST, PER_ADDRESS_EVERY_US)
        self._changed = asyncio.Event()

    # --- the store

    async def read(self, work: Callable[[Reader], R]) -> R:
        """What `work` reads, as it stood at one instant."""

        def go() -> R:
            with self.store.reading() as reader:
                return work(reader)

        return await asyncio.get_running_loop().run_in_executor(self._readers, go)

    async def write(self, work: Callable[[Transaction], R]) -> R:
        """What `work` gives, once all that it wrote is on the disk."""
        try:
            return await asyncio.wrap_future(self.writer.submit(work))
        except Unavailable:
            # Who was known may rest on what was not written after all.
            self.forget()
            raise
        finally:
            self.facts.behind = True
            self._changed.set()
            self._changed = asyncio.Event()

    async def store_answers(self) -> None:
        """Raises Unavailable where the store does not answer in a moment, whatever it is that holds it up."""
        asking = asyncio.get_running_loop().run_in_executor(self._pulse, self.store.head)
        try:
            async with asyncio.timeout(ANSWERS_WITHIN_S):
                await asking
        except TimeoutError:
            raise Unavailable(
                "store.slow", "the store", f"it has not answered within {ANSWERS_WITHIN_S:g} s", "ask again"
            ) from None

    async def slowly(self, work: Callable[[], R]) -> R:
        """Hashing of passwords, which takes long and much memory."""
        return await asyncio.get_running_loop().run_in_executor(self._hashers, work)

    async def changed(self, patience_s: float) -> None:
        """Return after the next write, or when patience ends."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(patience_s):
                await self._changed.wait()

    # --- who asks

    async def known(self, secret: str) -> tuple[Actor, str]:
        """Who holds a token, and its hash. Raises NotKnown, TooMany."""
        hashed = token_hash(secret)
        found = self._known.get(hashed)
        if found is None or found[0] < time.monotonic() or not found[1].token.works_at(self.clock.now()):
            epoch = self._epoch
            holder = await self.read(lambda reader: holder_of(reader, hashed, self.clock.now()))
            found = (time.monotonic() + TRUSTED_S, holder)
            if len(self._known) >= MOST_KNOWN:
                self._known.clear()
            # What was read before a change must not be kept after it.
            if epoch == self._epoch:
                self._known[hashed] = found
        self._per_token.take(hashed, time.monotonic_ns() // 1000)
        return found[1].actor, hashed

    def holder(self, transaction: Transaction, hashed: str) -> Holder:
        """Who holds a token, as far as all that was written until now says. On the writer's thread alone.

        Only this thread changes people and tokens in this process, and then forgets; what another process
        changes is seen within TRUSTED_S.
        """
        found = self._writers.get(hashed)
        at = self.clock.now()
        if found is None or found[0] < time.monotonic() or not found[1].token.works_at(at):
            if len(self._writers) >= MOST_KNOWN:
                self._writers.clear()
            found = (time.monotonic() + TRUSTED_S, holder_of(transaction, hashed, at))
            self._writers[hashed] = found
        return found[1]

    def forget(self) -> None:
        """A person or a token has changed: ask the store anew."""
        self._epoch += 1
        self._known.clear()
        self._writers.clear()

    def count(self, address: str) -> None:
        """Count a request from an address. Raises TooMany."""
        self._per_address.take(address, time.monotonic_ns() // 1000)

    def end_streams(self) -> None:
        """Let nobody wait any more."""
        self.closed = True
        self._changed.set()

    def close(self) -> None:
        """Write what waits, and let go of the store."""
        self.closed = True
        if self.intake is not None:
            self.intake.close()
        self.writer.close()
        self._readers.shutdown()
        self._hashers.shutdown()
        self._pulse.shutdown()
        self.facts.close()
        self.store.close()


def holder_of(reader: Reader, hashed: str, at: int) -> Holder:
    """Who holds the token with this hash. Raises NotKnown, of which nobody learns why."""
    stored = reader.find(tokens.ROOM, "hash", hashed)
    if stored is None or not stored.thing.works_at(at) or stored.thing.kind is TokenKind.INVITATION:
        raise not_known()
    person = reader.get(persons.ROOM, stored.thing.person)
    if person is None or person.thing.state is not persons.PersonState.ACTIVE:
        raise not_known()
    actor = Actor(person.id, person.thing.account, person.thing.grants, stored.thing.scopes)
    return Holder(actor, stored.thing)


def not_known() -> NotKnown:
    return NotKnown(
        "token.not-known",
        "the token",
        "it is missing, has expired, was revoked, or its person may not act any more",
        "`skylift login`; or log in at POST /api/v1/login, and send Authorization: Bearer TOKEN",
    )
