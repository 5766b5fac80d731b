"""Passwords, one-time codes and tokens; codes against the published vectors of RFC 6238."""

from __future__ import annotations

import base64

import pytest

from skylift.adapters.passwords import (
    LEAST_LETTERS,
    hash_password,
    new_token,
    password_fits,
    token_hash,
    totp_step,
)
from skylift.base.errors import Refused

SECRET = base64.b32encode(b"12345678901234567890").decode()


# RFC 6238, appendix B, SHA-1: the last six of its eight digits.
@pytest.mark.parametrize(
    ("at_s", "code"),
    [
        (59, "287082"),
        (1111111109, "081804"),
        (1111111111, "050471"),
        (1234567890, "005924"),
        (2000000000, "279037"),
    ],
)
def test_published_codes(at_s: int, code: str) -> None:
    step = at_s // 30
    assert totp_step(SECRET, code, at_s * 1_000_000) == step
    # A clock one step off is forgiven, two are not; and no code works twice.
    assert totp_step(SECRET, code, (at_s + 30) * 1_000_000) == step
    assert totp_step(SECRET, code, (at_s + 90) * 1_000_000) is None
    assert totp_step(SECRET, code, at_s * 1_000_000, last_step=step) is None


def test_passwords() -> None:
    kept = hash_password("correct horse battery")
    assert kept.startswith("$argon2id$v=19$m=65536,t=3,p=4$")
    assert password_fits(kept, "correct horse battery")
    assert not password_fits(kept, "correct horse batterz")
    assert not password_fits(None, "correct horse battery")
    assert not password_fits("not a hash", "correct horse battery")
    for bad in ("x" * (LEAST_LETTERS - 1), "x" * 257):
        with pytest.raises(Refused, match="12 to 256"):
            hash_password(bad)


def test_tokens_are_long_and_all_different() -> None:
    tokens = [new_token() for _ in range(1000)]
    assert len({token for token, _ in tokens}) == 1000
    assert all(len(token) >= 43 and token_hash(token) == kept for token, kept in tokens)
