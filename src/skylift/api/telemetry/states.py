"""The newest state of every terminal, held as it is sent: a hundred thousand are one join of bytes."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence

import msgspec

from skylift.wire.telemetry.rows import Row
from skylift.wire.telemetry.states import COLUMNS, LastState, Run, decoded, run_after


class LastStates:
    """Lives in the event loop."""

    def __init__(self) -> None:
        self._texts: dict[str, bytes] = {}
        self._joined: bytes | None = None
        self._runs: dict[str, Run] = {}

    def put(self, terminal: str, text: bytes, rows: Sequence[Row] = ()) -> None:
        self._texts[terminal] = text
        self._joined = None
        run = run_after(self._runs.get(terminal), rows)
        if run is not None:
            self._runs[terminal] = run

    def run_of(self, terminal: str) -> Run | None:
        """What holds and since when, where rows have come since the start."""
        return self._runs.get(terminal)

    def learn(self, terminal: str, run: Run) -> None:
        """What history says of before the start."""
        self._runs.setdefault(terminal, run)

    def put_all(self, states: Iterable[tuple[str, bytes]]) -> None:
        """Those of before the start; what has come since is newer."""
        for terminal, text in states:
            self._texts.setdefault(terminal, text)
        self._joined = None

    def forget(self, terminal: str) -> None:
        self._texts.pop(terminal, None)
        self._runs.pop(terminal, None)
        self._joined = None

    def __len__(self) -> int:
        return len(self._texts)

    def get(self, terminal: str) -> LastState | None:
        text = self._texts.get(terminal)
        return None if text is None else decoded(text)

    def all(self) -> list[LastState]:
        """Each as it was decoded: half a second for a hundred thousand, so not in the event loop."""
        return [decoded(text) for text in list(self._texts.values())]

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
