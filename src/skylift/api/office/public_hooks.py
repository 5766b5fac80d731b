"""Tells strangers by webhook what the public may know of outages: what the feeds hold, and when it changes.

A subscription to "public-outages" alone is one that somebody here made for them. It is signed and tried again
as all webhooks are, but tells what a feed tells, after its delay, never what is held; and nothing of the
journal.
"""

from __future__ import annotations

import asyncio
import hashlib
import logging
import random
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import msgspec

from skylift.adapters.clock import WallClock
from skylift.adapters.webhooks import Message, Sender
from skylift.api.office.delivering import Attempt, Note, actor_of, address_of, ended
from skylift.api.office.desk import Desk
from skylift.api.office.feeds import MOST_ENTRIES
from skylift.api.office.public_outages import PublicOutages
from skylift.base.errors import SkyliftError
from skylift.base.feed import Entry
from skylift.base.instants import format_instant
from skylift.base.units import US_PER_S
from skylift.ports.counts import Progress
from skylift.ports.store import Reader, Stored, Transaction, Wanted
from skylift.service.outage.public import Told, entries
from skylift.service.outage.words import LANGUAGES
from skylift.service.webhook import state as webhooks
from skylift.service.webhook.patience import is_enough, wait_us
from skylift.service.webhook.state import Ended, Webhook, WebhookState
from skylift.twin.office.pages import every
from skylift.twin.office.webhooks import PUBLIC_OUTAGES

LOOK_EVERY_S = 2.0
_LOG = logging.getLogger("skylift.webhooks")


@dataclass(frozen=True, slots=True)
class Known(Note):
    """Beside how its attempts went, what a subscription was told: of each outage a digest of it."""

    digests: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class News:
    """What is to be told next of one outage; digest: "" where the public is told of it no more."""

    outage: str
    digest: str
    body: bytes


def progress_name(webhook_id: str) -> str:
    return f"public-outages/{webhook_id}"


def known_of(reader: Reader, webhook: Webhook) -> Known:
    """Rewound, it is told everything again; resumed, its failures are forgotten."""
    kept = reader.progress(progress_name(webhook.id))
    known = Known() if kept is None else msgspec.json.decode(kept.note, type=Known)
    if known.rewound != webhook.rewound:
        known = replace(known, digests={})
    if known.tried_anew != webhook.tried_anew:
        known = replace(known, failures=0, next_at=0)
    return replace(known, rewound=webhook.rewound, tried_anew=webhook.tried_anew)


class PublicHooks:
    """One task for all of them. It lives in the server's event loop. jitter: 0 to 1 at random."""

    def __init__(self, desk: Desk, sender: Sender, jitter: Callable[[], float] = random.random) -> None:
        self._desk, self._sender, self._jitter = desk, sender, jitter
        self._outages = PublicOutages(desk)

    async def run(self) -> None:
        """Until it is cancelled, or the desk is closed."""
        while not self._desk.closed:
            try:
                await self._round()
            except SkyliftError:
                # The store is away: those who ask are told; here it is tried again.
                pass
            except Exception as error:
                # Nothing of it is repeated: it may hold the address.
                _LOG.error("public webhooks: %s", type(error).__name__)
            await asyncio.sleep(LOOK_EVERY_S)

    async def _round(self) -> None:
        if not await asyncio.to_thread(self._desk.store.lead.holds):
            return
        active = await self._desk.read(
            lambda reader: [
                one
                for one in every(reader, webhooks.ROOM, Wanted(status="active", words=(PUBLIC_OUTAGES,)))
                if PUBLIC_OUTAGES in one.thing.kinds
            ]
        )
        if active:
            everything = await self._outages.everything()
            told, ids = self._told(everything[:MOST_ENTRIES]), frozenset(one.outage.id for one in everything)
            await asyncio.gather(*(self._tell(one, told, ids) for one in active))

    def _told(self, shown: Sequence[Told]) -> dict[str, tuple[str, bytes]]:
        """What the feeds hold, the oldest first: by outage a digest, and the body."""
        said = {
            language: {one.id: one for one in entries(self._outages.feed(language, "json"), shown)}
            for language in LANGUAGES
        }
        found = {}
        for one in sorted(shown, key=lambda one: (one.updated_at, one.outage.id)):
            body = _body(one.outage.id, {language: said[language][one.outage.id] for language in LANGUAGES})
            found[one.outage.id] = (_digest(body), body)
        return found

    async def _tell(
        self, stored: Stored[Webhook], told: Mapping[str, tuple[str, bytes]], everything: frozenset[str]
    ) -> None:
        id = stored.id

        def look(reader: Reader) -> tuple[Known, str, tuple[str, ...], Ended | None]:
            url, secrets = address_of(reader, id, self._desk.clock.now())
            ends = Ended.NOBODY if actor_of(reader, stored.thing) is None else None
            return known_of(reader, stored.thing), url, secrets, ends or (None if url else Ended.NO_ADDRESS)

        known, url, secrets, ends = await self._desk.read(look)
        if ends is not None:
            await ended(self._desk, id, ends)
            return
        # What is too old for the feeds is not taken back by that: it is only told no further.
        digests = {id: digest for id, digest in known.digests.items() if id in told or id not in everything}
        known = replace(known, digests=digests)
        for news in _news(known, told, self._desk.clock.now()):
            if self._desk.clock.now() < known.next_at:
                return
            after = await self._attempt(stored, known, news, (url, secrets))
            if after is None or after.failures:
                return
            known = after

    async def _attempt(
        self, stored: Stored[Webhook], known: Known, news: News, where: tuple[str, tuple[str, ...]]
    ) -> Known | None:
        """What is known after an attempt; None where the subscription was changed meanwhile."""
        url, secrets = where
        name = f"{stored.id}_{news.outage}_{news.digest or _digest(news.body)}"
        message = Message(name, WallClock().now() // US_PER_S, news.body, secrets)
        came = await self._sender.send(url, message)
        at = self._desk.clock.now()
        attempt = Attempt(0, at, came.status, came.error, came.took_ms)
        if came.is_taken:
            digests = {outage: digest for outage, digest in known.digests.items() if outage != news.outage}
            if news.digest:
                digests[news.outage] = news.digest
            return await self._keep(stored, replace(known.taken(attempt), digests=digests))
        after = known.failed(attempt, at + wait_us(known.failures + 1, self._jitter(), came.retry_after_s))
        kept = await self._keep(stored, after)
        if came.status == 410 or is_enough(after.failures):
            why = Ended.GONE if came.status == 410 else Ended.GAVE_UP
            await ended(self._desk, stored.id, why, 0, came.status)
        return kept

    async def _keep(self, stored: Stored[Webhook], known: Known) -> Known | None:
        def work(transaction: Transaction) -> Known | None:
            now = transaction.get(webhooks.ROOM, stored.id)
            if now is None or now.version != stored.version or now.thing.state is not WebhookState.ACTIVE:
                return None
            text = msgspec.json.encode(known).decode()
            transaction.keep_progress(progress_name(stored.id), Progress(0, text))
            return known

        # Past the desk's own way of writing: this tells nobody that there is something new.
        return await asyncio.wrap_future(self._desk.writer.submit(work))


def _news(known: Known, told: Mapping[str, tuple[str, bytes]], at: int) -> Sequence[News]:
    """What is new or has changed, then what is told no more."""
    found = [
        News(outage, digest, body)
        for outage, (digest, body) in told.items()
        if known.digests.get(outage) != digest
    ]
    for outage in sorted(known.digests.keys() - told.keys()):
        gone = {"type": "outage.untold", "timestamp": format_instant(at), "data": {"id": outage}}
        found.append(News(outage, "", msgspec.json.encode(gone)))
    return found


def _body(id: str, said: Mapping[str, Entry]) -> bytes:
    one = said[LANGUAGES[0]]
    data: dict[str, Any] = {
        "id": id,
        "url": one.url,
        "tags": list(one.tags),
        "published": format_instant(one.published_at),
        "updated": format_instant(one.updated_at),
        "title": {language: entry.title for language, entry in said.items()},
        "text": {language: entry.text for language, entry in said.items()},
    }
    return msgspec.json.encode({"type": "outage.told", "timestamp": data["updated"], "data": data})


def _digest(body: bytes) -> str:
    return hashlib.sha256(body).hexdigest()[:16]
