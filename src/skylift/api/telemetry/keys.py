"""Which key speaks for which terminal, in memory and renewed from the journal."""

from __future__ import annotations

import time
from typing import NamedTuple

from skylift.adapters.keys import public_of
from skylift.adapters.sql.store import SqlStore
from skylift.service.terminal import agent_key
from skylift.service.terminal.agent_key import AgentKey, KeyState

ROWS_AT_ONCE = 5000
# A key that another process has enrolled or revoked is known of after this.
LOOK_AGAIN_S = 1.0
NAMES = tuple(event.NAME for event in agent_key.ROOM.events)


class Known(NamedTuple):
    terminal: str
    public: bytes


class AgentKeys:
    """Keys in force. `catch_up` and `load` run on a thread; `take` and `find` in the event loop."""

    def __init__(self, store: SqlStore) -> None:
        self._store = store
        self._keys: dict[str, Known] = {}
        self._sequence: int | None = None
        self._looked_s = -LOOK_AGAIN_S

    def find(self, key_id: str) -> Known | None:
        return self._keys.get(key_id)

    def __len__(self) -> int:
        return len(self._keys)

    @property
    def behind(self) -> bool:
        """Whether the journal should be looked at again."""
        return time.monotonic() >= self._looked_s + LOOK_AGAIN_S

    def take(self, key: AgentKey) -> None:
        """What has become of a key."""
        if key.state is KeyState.IN_FORCE:
            self._keys[key.id] = Known(key.terminal, public_of(key.public_key))
        else:
            self._keys.pop(key.id, None)

    def catch_up(self) -> None:
        """Read what the journal tells of keys. Raises Unavailable."""
        head, _ = self._store.head()
        if self._sequence is None:
            for stored in self._store.things(agent_key.ROOM):
                self.take(stored.thing)
        else:
            while rows := self._store.journal(self._sequence, ROWS_AT_ONCE, NAMES):
                with self._store.reading() as reader:
                    found = reader.get_all(agent_key.ROOM, {row.event.subject_id for row in rows})
                for stored in found.values():
                    self.take(stored.thing)
                self._sequence = rows[-1].sequence
        self._sequence = max(self._sequence or 0, head)
        self._looked_s = time.monotonic()
