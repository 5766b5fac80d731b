"""How often somebody may try: guessing passwords must be slow, and so must flooding the service."""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import dataclass, field

from skylift.base.errors import Refused

US_PER_S = 1_000_000
# Beyond this the longest-unused key is forgotten: memory stays bounded whoever knocks.
MOST_KEYS = 100_000


class TooMany(Refused):
    """429; `retry_after_s` says when to come again."""

    def __init__(self, what: str, retry_after_s: int) -> None:
        super().__init__(
            "rate.too-many",
            what,
            "it was tried too often in a short time",
            f"try again in {retry_after_s} s",
        )
        self.retry_after_s = retry_after_s


@dataclass(slots=True)
class Attempts:
    """A bucket per key: `burst` tries at once, then one each `every_us`.

    Keys are what is tried at: a login's hash, a token, an address; they are kept in memory alone.
    """

    what: str
    burst: int
    every_us: int
    most_keys: int = MOST_KEYS
    # Key -> the instant at which its bucket would be full again.
    _full_at: OrderedDict[str, int] = field(default_factory=OrderedDict)

    def take(self, key: str, at: int) -> None:
        """Count one try. Raises TooMany where there is none left."""
        full_at = max(self._full_at.get(key, at), at)
        if full_at - at > (self.burst - 1) * self.every_us:
            wait_us = full_at - at - (self.burst - 1) * self.every_us
            raise TooMany(self.what, max(1, -(-wait_us // US_PER_S)))
        self._full_at[key] = full_at + self.every_us
        self._full_at.move_to_end(key)
        while len(self._full_at) > self.most_keys:
            self._full_at.popitem(last=False)

    def forgive(self, key: str) -> None:
        """Forget the tries: it was the right one after all."""
        self._full_at.pop(key, None)
