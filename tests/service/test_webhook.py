"""A subscription: every step and every hole, what it wants to hear, and how long is waited."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from skylift.base.errors import Refused
from skylift.base.events import Event, Who
from skylift.base.instants import InstantUs
from skylift.base.life_cycle import verb
from skylift.service.region.events import RegionActivated
from skylift.service.webhook import state as webhooks
from skylift.service.webhook.patience import LONGEST_WAIT_S, MOST_ATTEMPTS, is_enough, wait_us
from skylift.service.webhook.state import CYCLE, ROOM, Ended, Terms, Webhook, WebhookState, wants

WHO = Who(InstantUs(5), "per_1")
TERMS = Terms("per_1", "acc_1", ("region.read",), ("region",), ("rgn_1",), 7)
EVENTS = CYCLE.events()


def decided(webhook: Webhook, kind: type[Event]) -> tuple[Event, ...]:
    match verb(kind):
        case "created":
            return webhooks.created(webhook, WHO, TERMS)
        case "secret set":
            return webhooks.secret_set(webhook, WHO, 60)
        case "rewound":
            return webhooks.rewound(webhook, WHO, 3)
        case "disabled":
            return webhooks.disabled(webhook, WHO, Ended.GONE, 9, 410)
    return tuple(getattr(webhooks, verb(kind))(webhook, WHO))


@pytest.mark.parametrize("state", WebhookState)
@pytest.mark.parametrize("kind", EVENTS)
def test_every_step_is_allowed_or_explained(state: WebhookState, kind: type[Event]) -> None:
    webhook = Webhook("whk_1", state)
    if (state, kind) in CYCLE.steps:
        (event,) = decided(webhook, kind)
        assert ROOM.apply(webhook, event).state is CYCLE.steps[state, kind]
    else:
        with pytest.raises(Refused, match=r"from here it can be|nothing follows"):
            decided(webhook, kind)


@given(st.lists(st.sampled_from(EVENTS), max_size=15))
def test_what_happened_makes_it_what_it_is(kinds: list[type[Event]]) -> None:
    webhook, events = Webhook("whk_1"), []
    for kind in kinds:
        if (webhook.state, kind) in CYCLE.steps:
            (event,) = decided(webhook, kind)
            webhook = ROOM.apply(webhook, event)
            events.append(event)
    assert ROOM.replayed("whk_1", tuple(events)) == webhook
    assert ROOM.from_plain(ROOM.to_plain(webhook)) == webhook
    # Nobody is told anything after it was removed, and of one that is told nothing somebody knows why.
    assert (webhook.state is WebhookState.DISABLED) <= (webhook.why is Ended.GONE)
    assert webhook.rewound == sum(isinstance(event, webhooks.WebhookRewound) for event in events)


def test_what_it_is_told() -> None:
    (made,) = webhooks.created(Webhook("whk_1"), WHO, TERMS)
    webhook = ROOM.apply(Webhook("whk_1"), made)
    on = RegionActivated(InstantUs(1), "per_1", "rgn_1", None, "apr_1")
    assert wants(webhook, on, "region", "rgn_1")
    assert not wants(webhook, on, "region", "rgn_2")
    assert not wants(webhook, on, "terminal", "rgn_1")
    (everything,) = webhooks.created(Webhook("whk_2"), WHO, Terms("per_1"))
    assert wants(ROOM.apply(Webhook("whk_2"), everything), on, "region", "")
    (test,) = webhooks.tested(webhook, WHO)
    assert wants(webhook, test, "webhook", ""), "a test arrives, whatever else is wanted"
    assert not wants(webhook, made, "webhook", "rgn_1")


@pytest.mark.parametrize(
    "terms", [Terms("per_1", after=-1), Terms("per_1", kinds=("region",) * 51), Terms("per_1", after=2**63)]
)
def test_what_cannot_be_subscribed_to(terms: Terms) -> None:
    with pytest.raises(Refused):
        webhooks.created(Webhook("whk_1"), WHO, terms)


def test_waits_grow_over_two_days_and_then_end() -> None:
    waits_s = [wait_us(n, 1.0) / 1e6 for n in range(1, MOST_ATTEMPTS)]
    assert waits_s == [5, 20, 80, 320, 1280, 5120, 20480, 43200, 43200, 43200, 43200]
    assert 48 < sum(waits_s) / 3600 < 72
    assert not is_enough(MOST_ATTEMPTS - 1)
    assert is_enough(MOST_ATTEMPTS)
    with pytest.raises(ValueError, match="follows a failed attempt"):
        wait_us(0, 0.5)


@given(st.integers(1, 1000), st.floats(0, 1), st.integers(0, 10**9))
def test_a_wait_is_near_its_longest_and_heeds_what_is_asked(failures: int, jitter: float, asked: int) -> None:
    wait = wait_us(failures, jitter)
    assert 0.75 * wait_us(failures, 1.0) - 1 <= wait <= wait_us(failures, 1.0)
    assert wait_us(failures, jitter, asked) >= min(asked, LONGEST_WAIT_S) * 1_000_000
    assert wait_us(failures, jitter, asked) <= LONGEST_WAIT_S * 1_000_000
