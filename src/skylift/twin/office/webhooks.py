"""Webhooks: who may subscribe to what. Where to, and the secret, are kept by the doors, apart."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from skylift.base.errors import Refused
from skylift.base.events import Event
from skylift.ports.store import Wanted
from skylift.service.account.roles import Subject
from skylift.service.rooms import ROOMS
from skylift.service.webhook import state as decide
from skylift.service.webhook.state import ROOM, Terms, Webhook, WebhookState
from skylift.twin.office.pages import every
from skylift.twin.office.verbs import Actor, Moment, Nothing, Verb

MOST_EACH = 20
# What speaks of people's logins and of what was read about them is told to nobody.
UNTOLD = frozenset({"access", "erasure", "token"})
KINDS = frozenset(room.kind for room in ROOMS if room.kind not in UNTOLD)
NAMES = frozenset(
    event.NAME.partition("/")[0] for room in ROOMS if room.kind not in UNTOLD for event in room.events
)
# What the public feeds of outages tell: of another source than the journal, and for strangers.
PUBLIC_OUTAGES = "public-outages"


@dataclass(frozen=True, slots=True)
class Subscribe:
    """url: of yours, where each event is sent by POST; https.

    kinds    events ("region.activated") or all of one kind of thing ("region"); none: all that you may read;
             "public-outages": what the public feeds of outages tell
    regions  only what belongs to these
    after    from this row of the journal on, 0 for all that was; without it, from now on
    """

    url: str
    kinds: tuple[str, ...] = ()
    regions: tuple[str, ...] = ()
    after: int | None = None


@dataclass(frozen=True, slots=True)
class Rotate:
    """old_for_s: how long the secret before is used beside the new one."""

    old_for_s: int = 86_400


@dataclass(frozen=True, slots=True)
class Redeliver:
    """after: all that follows this row of the journal is told again."""

    after: int


def _created(webhook: Webhook, moment: Moment, given: Subscribe) -> Sequence[Event]:
    if set(given.kinds) - KINDS - NAMES - {PUBLIC_OUTAGES}:
        raise Refused(
            "webhook.kinds",
            "kinds",
            "one of them is no kind of thing and no event",
            "name for example region, or region.activated; GET /api/v1/webhook-kinds lists them",
        )
    actor = moment.actor
    words = Wanted(owner=actor.account, words=(actor.person,))
    own = [one.thing for one in every(moment.reader, ROOM, words) if one.thing.person == actor.person]
    if sum(one.state is not WebhookState.REMOVED for one in own) >= MOST_EACH:
        raise Refused(
            "webhook.most", "your webhooks", f"each person has at most {MOST_EACH}", "remove one that is idle"
        )
    terms = Terms(actor.person, actor.account, actor.scopes, given.kinds, given.regions, given.after)
    return decide.created(webhook, moment.who, terms)


def _whose(given: Subscribe, actor: Actor) -> Subject:
    return Subject(given.regions[0] if len(given.regions) == 1 else "", actor.account)


VERBS = (
    Verb(
        "webhook.create",
        ROOM,
        Subscribe,
        _created,
        "Be told of events by HTTP. The secret that they are signed with is told once, in the answer.",
        creates=True,
        subject_of=_whose,
        personal=("url",),
        own_door=True,
    ),
    Verb(
        "webhook.rotate",
        ROOM,
        Rotate,
        lambda t, m, a: decide.secret_set(t, m.who, a.old_for_s),
        "Get a new secret, told once; the old one counts for a while.",
        own_door=True,
    ),
    Verb("webhook.test", ROOM, Nothing, lambda t, m, a: decide.tested(t, m.who), "Send a test event."),
    Verb(
        "webhook.redeliver",
        ROOM,
        Redeliver,
        lambda t, m, a: decide.rewound(t, m.who, a.after),
        "Tell again all that followed a row of the journal.",
    ),
    Verb("webhook.pause", ROOM, Nothing, lambda t, m, a: decide.paused(t, m.who), "Tell nothing for now."),
    Verb(
        "webhook.resume",
        ROOM,
        Nothing,
        lambda t, m, a: decide.resumed(t, m.who),
        "Go on where it stopped.",
    ),
    Verb(
        "webhook.remove",
        ROOM,
        Nothing,
        lambda t, m, a: decide.removed(t, m.who),
        "End it for good; its address and secrets are erased.",
        own_door=True,
    ),
)
