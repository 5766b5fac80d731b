"""Doors of webhooks: the secret that is told once, the address that is checked, and what came of it all."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from starlette.responses import Response

from skylift.adapters.webhooks import Sender, new_secret
from skylift.api.office.delivering import SECRETS, URL, Attempt, progress_name, standing
from skylift.api.office.documents import readable
from skylift.api.office.door import Call, Door, answer
from skylift.api.office.problems import missing
from skylift.api.office.public_hooks import known_of
from skylift.api.office.public_hooks import progress_name as public_progress_name
from skylift.api.office.things import More, verb_door
from skylift.base.instants import InstantUs
from skylift.base.units import US_PER_S
from skylift.ports.counts import Progress
from skylift.ports.store import Reader, Stored, Transaction
from skylift.service.webhook.patience import MOST_ATTEMPTS
from skylift.service.webhook.state import ROOM
from skylift.twin.office.table import TABLE
from skylift.twin.office.webhooks import KINDS, NAMES, PUBLIC_OUTAGES

_ONE = {"$ref": "#/components/schemas/WebhookDocument"}
_WITH_SECRET = {
    "allOf": [
        _ONE,
        {
            "type": "object",
            "properties": {
                "secret": {
                    "type": "string",
                    "description": "whsec_ and base64: the key of webhook-signature. It is told this once.",
                }
            },
            "required": ["secret"],
        },
    ]
}


@dataclass(frozen=True, slots=True)
class WebhookDeliveries:
    """How far a webhook has come.

    sequence  of the last event that it took, or passed over;  head  the journal's last row
    failures  of the event that comes next, of at most `most_attempts`;  next_at  when it is tried again
    told      how many events it took;  attempts  the last ones, oldest first
    """

    status: str
    why: str
    sequence: int
    head: int
    told: int
    failures: int
    most_attempts: int
    next_at: int
    attempts: tuple[Attempt, ...]


@dataclass(frozen=True, slots=True)
class WebhookKinds:
    """What `kinds` may name: kinds of things, and events."""

    kinds: tuple[str, ...]
    events: tuple[str, ...]


def doors(sender: Sender, head: Any) -> list[Door]:
    """All of them; head: () -> (sequence, hash) of the journal's last row."""
    base = "/api/v1/webhooks"

    def created(
        transaction: Transaction, stored: Stored[Any], given: Any, at: InstantUs
    ) -> Mapping[str, Any]:
        sender.check_url(given.url)
        secret = new_secret()
        transaction.keep_personal(stored.id, {SECRETS: [{"secret": secret, "until": None}]})
        after = head()[0] if given.after is None else given.after
        transaction.keep_progress(progress_name(stored.id), Progress(after))
        return {"secret": secret}

    found = [
        _own("create", base, _WITH_SECRET, created),
        _own("rotate", base, _WITH_SECRET, _rotated),
        _own("remove", base, _ONE, _removed),
    ]
    return [
        *found,
        Door(
            "GET",
            f"{base}/{{id}}/deliveries",
            deliveries,
            "How far a webhook has come, and what came of the last attempts.",
            "webhook",
            {200: WebhookDeliveries},
            id_kind="webhook",
            revalidates=True,
        ),
        Door(
            "GET", "/api/v1/webhook-kinds", kinds, "What a webhook can tell.", "journal", {200: WebhookKinds}
        ),
    ]


def _own(action: str, base: str, one: dict[str, Any], more: More) -> Door:
    return verb_door(TABLE.verbs[f"webhook.{action}"], base, one, more)


def _rotated(transaction: Transaction, stored: Stored[Any], given: Any, at: InstantUs) -> Mapping[str, Any]:
    secret = new_secret()
    until = at + given.old_for_s * US_PER_S
    kept = transaction.personal(stored.id).get(SECRETS, ())
    old = [{"secret": one["secret"], "until": until} for one in kept if one["until"] is None]
    older = [one for one in kept if one["until"] is not None and at < one["until"]]
    # A header of three signatures is enough for anybody who rotates in haste.
    transaction.keep_personal(stored.id, {SECRETS: [{"secret": secret, "until": None}, *old, *older][:3]})
    return {"secret": secret}


def _removed(transaction: Transaction, stored: Stored[Any], given: Any, at: InstantUs) -> Mapping[str, Any]:
    transaction.keep_personal(stored.id, {URL: None, SECRETS: None})
    transaction.drop_progress(progress_name(stored.id))
    transaction.drop_progress(public_progress_name(stored.id))
    return {}


async def deliveries(call: Call) -> Response:
    desk = call.desk

    def work(reader: Reader) -> WebhookDeliveries:
        stored = reader.get(ROOM, call.id)
        if stored is None or not readable(desk.office, call.asker(), ROOM, stored.thing):
            raise missing(ROOM.kind)
        webhook = stored.thing
        sequence, kept = standing(reader, webhook)
        note = known_of(reader, webhook) if PUBLIC_OUTAGES in webhook.kinds else kept
        return WebhookDeliveries(
            webhook.state.value, webhook.why.value if webhook.why else "", sequence, desk.store.head()[0],
            note.told, note.failures, MOST_ATTEMPTS, note.next_at, note.attempts,
        )  # fmt: skip

    return answer(await desk.read(work))


async def kinds(call: Call) -> Response:
    return answer(WebhookKinds((*sorted(KINDS), PUBLIC_OUTAGES), tuple(sorted(NAMES))))
