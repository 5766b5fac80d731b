"""The newest state of every terminal, held as it is sent: a hundred thousand are one join of bytes."""

from __future__ import annotations

from collections.abc import Collection, Iterable

import msgspec

from skylift.wire.telemetry.states import COLUMNS, LastState, decoded


class LastStates:
    """Lives in the event loop."""

    def __init__(self) -> None:
        self._texts: dict[str, bytes] = {}
        self._joined: bytes | None = None

    def put(self, terminal: str, text: bytes) -> None:
        self._texts[terminal] = text
        self._joined = None

    def put_all(self, states: Iterable[tuple[str, bytes]]) -> None:
        """Those of before the start; what has come since is newer."""
        for terminal, text in states:
            self._texts.setdefault(terminal, text)
        self._joined = None

    def forget(self, terminal: str) -> None:
        self._texts.pop(terminal, None)
        self._joined = None

    def __len__(self) -> int:
        return len(self._texts)

    def get(self, terminal: str) -> LastState | None:
        text = self._texts.get(terminal)
        return None if text is None else decoded(text)

    def all(self) -> list[bytes]:
        return list(self._texts.values())

    def body(self, head: bytes, only: Collection[str] | None = None) -> bytes:
        """A JSON object: `head` is its beginning with a trailing comma, then come columns and terminals."""
        if only is not None:
            joined = b",\n".join(self._texts[name] for name in only if name in self._texts)
        else:
            if self._joined is None:
                self._joined = b",\n".join(self._texts.values())
            joined = self._joined
        return b"".join((head, b'"columns":', _COLUMNS, b',"terminals":[', joined, b"]}"))


_COLUMNS = msgspec.json.encode(COLUMNS)
