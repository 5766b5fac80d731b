"""Ids that nobody can guess, from the system's source of randomness."""

from __future__ import annotations

import base64
import secrets

# 120 bits: a whole number of letters in base 32, and a guess of one among a million ids succeeds once in
# 10^30 tries.
RANDOM_BYTES = 15


class SecretIds:
    """The Ids port: "trm_" and 24 letters and digits, of one case, to be read out on a phone."""

    def new(self, prefix: str) -> str:
        return f"{prefix}_{base64.b32encode(secrets.token_bytes(RANDOM_BYTES)).decode().lower()}"
