"""Passwords by argon2id, one-time codes by TOTP, and tokens: well-kept libraries behind small functions."""

from __future__ import annotations

import hashlib
import secrets

import pyotp
from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError

from skylift.base.errors import Refused

# RFC 9106, second recommendation: 64 MiB, 3 passes, 4 lanes; the library's own defaults say the same.
_HASHER = PasswordHasher(time_cost=3, memory_cost=65_536, parallelism=4)
# What is verified for a login that is not there, so that the time taken does not tell.
_NOBODY = _HASHER.hash(secrets.token_urlsafe(16))

LEAST_LETTERS, MOST_LETTERS = 12, 256
STEP_S = 30
TOKEN_MARK = "sky_"


def hash_password(password: str) -> str:
    """Raises Refused for one that is too short, or so long that hashing it would be an attack."""
    if not LEAST_LETTERS <= len(password) <= MOST_LETTERS:
        raise Refused(
            "password.length",
            "the password",
            f"it has {LEAST_LETTERS} to {MOST_LETTERS} characters",
            "take a few words in a row",
        )
    return _HASHER.hash(password)


def password_fits(kept: str | None, password: str) -> bool:
    """Whether it is the one; takes as long for a login that does not exist (None)."""
    try:
        fits = _HASHER.verify(kept or _NOBODY, password[: MOST_LETTERS + 1])
    except (VerificationError, InvalidHashError):
        return False
    return fits and kept is not None


def new_totp_secret() -> str:
    return pyotp.random_base32()


def totp_uri(secret: str, name: str) -> str:
    """What an authenticator app reads from a QR code."""
    return pyotp.TOTP(secret).provisioning_uri(name=name, issuer_name="skylift")


def totp_step(secret: str, code: str, at_us: int, last_step: int = 0) -> int | None:
    """The time step that a code belongs to, one step early or late allowed; None where it does not fit.

    last_step  of the last code that was accepted: no code works twice
    """
    present = at_us // 1_000_000 // STEP_S
    totp = pyotp.TOTP(secret)
    for step in (present - 1, present, present + 1):
        if step > last_step and secrets.compare_digest(totp.at(step * STEP_S), code.strip()):
            return step
    return None


def new_token() -> tuple[str, str]:
    """A token and the hash that is kept of it."""
    token = TOKEN_MARK + secrets.token_urlsafe(32)
    return token, token_hash(token)


def token_hash(token: str) -> str:
    return hashlib.sha256(token.encode()).hexdigest()
