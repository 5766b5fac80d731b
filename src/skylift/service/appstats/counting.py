"""Counting who uses the app today, without knowing who it is.

The app sends its own random number with each day's first use. What is kept of it is a keyed hash, and the key
is made anew for every country and day and thrown away at the day's end: then only two counts are left, and
nobody, we included, can say whether the same telephone was there on another day.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field

# 64 bits: among 20 million uses of a day the chance of any two colliding is about 1 in 100,000.
_DIGEST_BYTES = 8
KEY_BYTES = 32


@dataclass(slots=True)
class DayOfUse:
    """One country on one day, while the day lasts. key: KEY_BYTES random bytes, never stored."""

    country: str
    day: str
    key: bytes = field(repr=False)
    _seen: set[bytes] = field(default_factory=set, repr=False)
    _installed: set[bytes] = field(default_factory=set, repr=False)

    def __post_init__(self) -> None:
        if len(self.key) != KEY_BYTES:
            raise ValueError(f"the key of a day has {KEY_BYTES} random bytes")

    def used(self, token: bytes, first_ever: bool = False) -> tuple[int, int]:
        """The app with this number was used; first_ever: it says that it is new.

        returns  by how much that raises installs and active use: 0 or 1 each
        """
        digest = self._digest(token)
        before = (self.installs, self.active)
        self._seen.add(digest)
        if first_ever:
            self._installed.add(digest)
        return self.installs - before[0], self.active - before[1]

    def take_back(self, token: bytes, raised: tuple[int, int]) -> None:
        """What `used` raised could not be kept: the same use is new when it comes again."""
        installs, active = raised
        digest = self._digest(token)
        if installs:
            self._installed.discard(digest)
        if active:
            self._seen.discard(digest)

    def _digest(self, token: bytes) -> bytes:
        return hashlib.blake2b(token, digest_size=_DIGEST_BYTES, key=self.key).digest()

    @property
    def active(self) -> int:
        return len(self._seen)

    @property
    def installs(self) -> int:
        return len(self._installed)
