"""Ids that nobody can guess, in the order in which things were begun."""

from __future__ import annotations

import base64
import secrets
import threading
from typing import ClassVar

from skylift.adapters.clock import WallClock

# 80 bits: a guess of one among a million ids succeeds once in 10^18 tries.
RANDOM_BYTES = 10
# Of base 32 in the order of the characters, so that what is later stands later in any list by id.
_LETTERS = "234567abcdefghijklmnopqrstuvwxyz"
# Ten letters are 50 bits of microseconds: to August 2055.
_TIME_LETTERS = 10
_SINCE_US = 1_577_836_800_000_000
"""2020-01-01."""


def secret_letters(size: int) -> str:
    """So many random bytes (a multiple of five) as letters and digits of one case, all of it by chance."""
    return base64.b32encode(secrets.token_bytes(size)).decode().lower()


class SecretIds:
    """The Ids port: "trm_" and 26 letters and digits, of one case, to be read out on a phone.

    The first ten say when it was given, by the wall's clock and never twice in a process; what is listed by
    id is so in the order in which it was begun. Nobody learns more from that than from the journal.
    """

    _turn: ClassVar[threading.Lock] = threading.Lock()
    _last: ClassVar[int] = 0

    def new(self, prefix: str) -> str:
        return f"{prefix}_{self._time()}{secret_letters(RANDOM_BYTES)}"

    @classmethod
    def _time(cls) -> str:
        with cls._turn:
            # A clock that is set back, or two in one microsecond: one after the other all the same.
            cls._last = count = max(cls._last + 1, int(WallClock().now()) - _SINCE_US)
        return "".join(_LETTERS[count >> 5 * place & 31] for place in reversed(range(_TIME_LETTERS)))
