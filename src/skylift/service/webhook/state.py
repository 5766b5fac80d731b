"""A subscription: which events somebody is told by HTTP, in the order of the journal, each at least once.

Where to, and the secrets that it is signed with, are rows that can be erased: neither stands in an event.
How far it has come is counted beside the journal (ports/counts.Progress).
"""

from __future__ import annotations

import enum
from dataclasses import dataclass, replace
from typing import ClassVar, assert_never

from skylift.base.errors import Refused
from skylift.base.events import Event, Who
from skylift.base.life_cycle import LifeCycle
from skylift.base.things import Facets, Room

MOST_KINDS, MOST_REGIONS = 50, 100


class Ended(enum.Enum):
    """Why nobody is told any more."""

    GONE = "the other side says that it is gone (410)"
    GAVE_UP = "every attempt failed, up to the last"
    NOBODY = "its person may not act any more"
    NO_ADDRESS = "its address was erased"


class WebhookState(enum.Enum):
    """Whether somebody is told."""

    UNKNOWN = "unknown"
    ACTIVE = "active"
    PAUSED = "paused"
    DISABLED = "disabled"
    REMOVED = "removed"


@dataclass(frozen=True, slots=True)
class WebhookEvent(Event):
    """Something that happened to a subscription."""


@dataclass(frozen=True, slots=True)
class WebhookCreated(WebhookEvent):
    """person: whose rights decide what is told; scopes: of the token that it was made with, () for all.

    kinds    names of events, or of rooms for all of theirs; () for all that the person may read
    regions  only what belongs to these; () for all
    after    tells what follows this row of the journal; None: what follows this event
    """

    NAME: ClassVar[str] = "webhook.created/1"

    person: str
    account: str = ""
    scopes: tuple[str, ...] = ()
    kinds: tuple[str, ...] = ()
    regions: tuple[str, ...] = ()
    after: int | None = None


@dataclass(frozen=True, slots=True)
class WebhookSecretSet(WebhookEvent):
    """It has a new secret; the one before counts for a while."""

    NAME: ClassVar[str] = "webhook.secret-set/1"

    old_for_s: int = 0


@dataclass(frozen=True, slots=True)
class WebhookTested(WebhookEvent):
    """Tells itself, whatever it else tells: so that somebody sees whether it arrives."""

    NAME: ClassVar[str] = "webhook.tested/1"


@dataclass(frozen=True, slots=True)
class WebhookRewound(WebhookEvent):
    """All that follows this row of the journal is told again."""

    NAME: ClassVar[str] = "webhook.rewound/1"

    after: int


@dataclass(frozen=True, slots=True)
class WebhookPaused(WebhookEvent):
    NAME: ClassVar[str] = "webhook.paused/1"


@dataclass(frozen=True, slots=True)
class WebhookDisabled(WebhookEvent):
    """The service has given it up. sequence: of the event that was not taken; status: HTTP's, 0 for none."""

    NAME: ClassVar[str] = "webhook.disabled/1"

    why: Ended
    sequence: int = 0
    status: int = 0


@dataclass(frozen=True, slots=True)
class WebhookResumed(WebhookEvent):
    """It goes on where it stopped."""

    NAME: ClassVar[str] = "webhook.resumed/1"


@dataclass(frozen=True, slots=True)
class WebhookRemoved(WebhookEvent):
    NAME: ClassVar[str] = "webhook.removed/1"


@dataclass(frozen=True, slots=True)
class Webhook:
    """A subscription.

    after    tells what follows this row; None: what follows the row of its own creation
    rewound  how often `after` was set anew;  tried_anew  how often the count of failures began again
    """

    id: str
    state: WebhookState = WebhookState.UNKNOWN
    person: str = ""
    account: str = ""
    scopes: tuple[str, ...] = ()
    kinds: tuple[str, ...] = ()
    regions: tuple[str, ...] = ()
    after: int | None = None
    rewound: int = 0
    tried_anew: int = 0
    why: Ended | None = None
    failed_at: int = 0
    status_code: int = 0


def _steps() -> dict[tuple[WebhookState, type[Event]], WebhookState]:
    s = WebhookState
    steps: dict[tuple[WebhookState, type[Event]], WebhookState] = {
        (s.UNKNOWN, WebhookCreated): s.ACTIVE,
        (s.ACTIVE, WebhookTested): s.ACTIVE,
        (s.ACTIVE, WebhookPaused): s.PAUSED,
        (s.ACTIVE, WebhookDisabled): s.DISABLED,
        (s.PAUSED, WebhookResumed): s.ACTIVE,
        (s.DISABLED, WebhookResumed): s.ACTIVE,
    }
    for state in (s.ACTIVE, s.PAUSED, s.DISABLED):
        steps[state, WebhookSecretSet] = state
        steps[state, WebhookRewound] = state
        steps[state, WebhookRemoved] = s.REMOVED
    return steps


CYCLE = LifeCycle(thing="webhook", begins=WebhookState.UNKNOWN, steps=_steps())


def apply(webhook: Webhook, event: Event) -> Webhook:
    """The subscription after an event. Raises Refused where its life cycle has no such step."""
    after = replace(webhook, state=CYCLE.after(webhook.id, webhook.state, type(event)))
    match event:
        case WebhookCreated():
            return replace(
                after,
                person=event.person,
                account=event.account,
                scopes=event.scopes,
                kinds=event.kinds,
                regions=event.regions,
                after=event.after,
            )
        case WebhookRewound():
            return replace(
                after, after=event.after, rewound=webhook.rewound + 1, tried_anew=webhook.tried_anew + 1
            )
        case WebhookDisabled():
            return replace(after, why=event.why, failed_at=event.sequence, status_code=event.status)
        case WebhookResumed():
            return replace(after, tried_anew=webhook.tried_anew + 1, why=None, failed_at=0, status_code=0)
    return after


@dataclass(frozen=True, slots=True)
class Terms:
    """What a subscription tells, and on whose rights."""

    person: str
    account: str = ""
    scopes: tuple[str, ...] = ()
    kinds: tuple[str, ...] = ()
    regions: tuple[str, ...] = ()
    after: int | None = None


def created(webhook: Webhook, who: Who, terms: Terms) -> tuple[WebhookEvent, ...]:
    CYCLE.after(webhook.id, webhook.state, WebhookCreated)
    if len(terms.kinds) > MOST_KINDS or len(terms.regions) > MOST_REGIONS:
        raise Refused(
            "webhook.too-many",
            "kinds or regions",
            f"at most {MOST_KINDS} kinds and {MOST_REGIONS} regions are named",
            "name rooms instead of single events, or make two webhooks",
        )
    _refuse_negative(terms.after)
    return (
        WebhookCreated(
            who.at, who.by, webhook.id, who.cause_id, terms.person, terms.account, terms.scopes,
            tuple(sorted(set(terms.kinds))), tuple(sorted(set(terms.regions))), terms.after,
        ),
    )  # fmt: skip


def secret_set(webhook: Webhook, who: Who, old_for_s: int) -> tuple[WebhookEvent, ...]:
    CYCLE.after(webhook.id, webhook.state, WebhookSecretSet)
    if not 0 <= old_for_s <= 30 * 86_400:
        raise Refused(
            "webhook.old-for", "old_for_s", "the old secret counts for 0 to 30 days more", "correct it"
        )
    return (WebhookSecretSet(who.at, who.by, webhook.id, who.cause_id, old_for_s),)


def tested(webhook: Webhook, who: Who) -> tuple[WebhookEvent, ...]:
    CYCLE.after(webhook.id, webhook.state, WebhookTested)
    return (WebhookTested(who.at, who.by, webhook.id, who.cause_id),)


def rewound(webhook: Webhook, who: Who, after: int) -> tuple[WebhookEvent, ...]:
    CYCLE.after(webhook.id, webhook.state, WebhookRewound)
    _refuse_negative(after)
    return (WebhookRewound(who.at, who.by, webhook.id, who.cause_id, after),)


def paused(webhook: Webhook, who: Who) -> tuple[WebhookEvent, ...]:
    CYCLE.after(webhook.id, webhook.state, WebhookPaused)
    return (WebhookPaused(who.at, who.by, webhook.id, who.cause_id),)


def disabled(
    webhook: Webhook, who: Who, why: Ended, sequence: int = 0, status: int = 0
) -> tuple[WebhookEvent, ...]:
    CYCLE.after(webhook.id, webhook.state, WebhookDisabled)
    return (WebhookDisabled(who.at, who.by, webhook.id, who.cause_id, why, sequence, status),)


def resumed(webhook: Webhook, who: Who) -> tuple[WebhookEvent, ...]:
    CYCLE.after(webhook.id, webhook.state, WebhookResumed)
    return (WebhookResumed(who.at, who.by, webhook.id, who.cause_id),)


def removed(webhook: Webhook, who: Who) -> tuple[WebhookEvent, ...]:
    CYCLE.after(webhook.id, webhook.state, WebhookRemoved)
    return (WebhookRemoved(who.at, who.by, webhook.id, who.cause_id),)


def _refuse_negative(after: int | None) -> None:
    if after is not None and not 0 <= after < 2**63:
        raise Refused(
            "webhook.after",
            "after",
            "it is the number of a row of the journal, 0 for all from the beginning",
            "give a number as the events have it",
        )


def wants(webhook: Webhook, event: Event, kind: str, region: str) -> bool:
    """Whether it tells an event of a thing of this kind and region; its own test it always tells."""
    if isinstance(event, WebhookEvent) and event.subject_id == webhook.id:
        return isinstance(event, WebhookTested)
    if webhook.regions and region not in webhook.regions:
        return False
    name = event.NAME.partition("/")[0]
    return not webhook.kinds or name in webhook.kinds or kind in webhook.kinds


def label(state: WebhookState) -> str:
    """The words that an operator reads."""
    match state:
        case WebhookState.UNKNOWN:
            return "Not known"
        case WebhookState.ACTIVE:
            return "Told as things happen"
        case WebhookState.PAUSED:
            return "Paused"
        case WebhookState.DISABLED:
            return "Given up"
        case WebhookState.REMOVED:
            return "Removed"
    assert_never(state)


def facets(webhook: Webhook) -> Facets:
    """What lists of subscriptions are searched by; of several regions it belongs to none."""
    region = webhook.regions[0] if len(webhook.regions) == 1 else ""
    return Facets(
        status=webhook.state.value,
        region=region,
        owner=webhook.account,
        words=tuple(word for word in (webhook.person, *webhook.kinds) if word),
    )


ROOM: Room[Webhook] = Room(
    kind="webhook",
    prefix="whk",
    state=Webhook,
    empty=Webhook,
    apply=apply,
    facets=facets,
    events=CYCLE.events(),
)
