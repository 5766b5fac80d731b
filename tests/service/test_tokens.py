"""Tokens and how often one may try."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from skylift.base.errors import Refused
from skylift.base.events import Event, Who
from skylift.base.instants import InstantUs
from skylift.service.account.attempts import US_PER_S, Attempts, TooMany
from skylift.service.account.token import (
    CYCLE,
    LONGEST_SESSION_US,
    ROOM,
    Issue,
    Token,
    TokenKind,
    TokenState,
    issued,
    label,
    revoked,
)

WHO = Who(InstantUs(1_000), "per_1")
HASH = "ab" * 32
SESSION = Issue(TokenKind.SESSION, "per_1", HASH, 10)


@pytest.mark.parametrize("event", CYCLE.events())
@pytest.mark.parametrize("state", TokenState)
def test_every_step_is_allowed_or_explained(state: TokenState, event: type[Event]) -> None:
    if (state, event) in CYCLE.steps:
        assert CYCLE.after("tok_1", state, event) is CYCLE.steps[state, event]
    else:
        with pytest.raises(Refused, match=r"from here it can be|begin a new one"):
            CYCLE.after("tok_1", state, event)


def test_every_state_can_come_about_and_has_words() -> None:
    assert CYCLE.reachable() == set(TokenState)
    assert len({label(state) for state in TokenState}) == len(TokenState)


def test_a_token_works_until_it_expires_or_is_revoked() -> None:
    events = issued(Token("tok_1"), WHO, SESSION)
    token = ROOM.replayed("tok_1", events)
    assert token.works_at(1_009)
    assert not token.works_at(1_010)
    gone = ROOM.apply(token, revoked(token, WHO, "left a laptop")[0])
    assert not gone.works_at(1_001)
    assert ROOM.from_plain(ROOM.to_plain(gone)) == gone
    assert ROOM.facets(gone).keys == {"hash": HASH}


@pytest.mark.parametrize("lasts_us", [0, -1, LONGEST_SESSION_US + 1])
def test_no_session_lasts_for_ever(lasts_us: int) -> None:
    with pytest.raises(Refused, match="at most 12 hours"):
        issued(Token("tok_1"), WHO, Issue(TokenKind.SESSION, "per_1", HASH, lasts_us))


def test_a_secret_itself_is_never_taken() -> None:
    with pytest.raises(ValueError, match="SHA-256"):
        issued(Token("tok_1"), WHO, Issue(TokenKind.SESSION, "per_1", "sky_secret", 10))


def test_five_tries_then_one_a_minute() -> None:
    attempts = Attempts("the login", burst=5, every_us=60 * US_PER_S)
    for _ in range(5):
        attempts.take("a", 0)
    with pytest.raises(TooMany, match="in 60 s") as refusal:
        attempts.take("a", 0)
    assert refusal.value.retry_after_s == 60
    attempts.take("b", 0)
    attempts.take("a", 60 * US_PER_S)
    with pytest.raises(TooMany):
        attempts.take("a", 60 * US_PER_S)
    attempts.forgive("a")
    attempts.take("a", 60 * US_PER_S)


@given(st.lists(st.integers(0, 10_000), max_size=60), st.integers(1, 5), st.integers(1, 500))
def test_no_window_ever_lets_more_through(times: list[int], burst: int, every_us: int) -> None:
    attempts, taken = Attempts("x", burst, every_us), []
    for at in sorted(times):
        try:
            attempts.take("a", at)
        except TooMany:
            continue
        taken.append(at)
    # In any stretch of time: the burst, and one for each whole step of it.
    for i, first in enumerate(taken):
        for j in range(i, len(taken)):
            assert j - i + 1 <= burst + (taken[j] - first) // every_us


def test_memory_is_bounded() -> None:
    attempts = Attempts("x", 1, US_PER_S, most_keys=10)
    for number in range(100):
        attempts.take(str(number), 0)
    assert len(attempts._full_at) == 10
