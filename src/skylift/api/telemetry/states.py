"""The newest state of every terminal, held as it is sent: a hundred thousand are some dozen pieces."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterable, Sequence

import msgspec
from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from skylift.wire.telemetry.rows import Row
from skylift.wire.telemetry.states import COLUMNS, LastState, Run, decoded, run_after

# So many go into one piece of about 200 kB: what changes makes one piece anew, not all of them.
IN_A_PIECE = 2048
_COLUMNS = msgspec.json.encode(COLUMNS)


class LastStates:
    """Lives in the event loop."""

    def __init__(self) -> None:
        self._texts: dict[str, bytes] = {}
        self._piece_of: dict[str, int] = {}
        self._members: list[dict[str, None]] = []
        # A piece as it is sent; None where something in it has changed.
        self._pieces: list[bytes | None] = []
        self._runs: dict[str, Run] = {}
        self._words: dict[str, str] = {}
        # How many are in each state.
        self.counts: Counter[str] = Counter()

    def put(self, terminal: str, text: bytes, rows: Sequence[Row] = ()) -> None:
        if terminal not in self._texts:
            self._seat(terminal)
        self._texts[terminal] = text
        self._pieces[self._piece_of[terminal]] = None
        run = run_after(self._runs.get(terminal), rows)
        if run is not None:
            self._runs[terminal] = run
        self._count(terminal, decoded(text).state if run is None else run.state)

    def put_all(self, states: Iterable[tuple[str, bytes]]) -> None:
        """Those of before the start; what has come since is newer."""
        for terminal, text in states:
            if terminal not in self._texts:
                self.put(terminal, text)

    def run_of(self, terminal: str) -> Run | None:
        """What holds and since when, where rows have come since the start."""
        return self._runs.get(terminal)

    def learn(self, terminal: str, run: Run) -> None:
        """What history says of before the start."""
        self._runs.setdefault(terminal, run)

    def forget(self, terminal: str) -> None:
        self._runs.pop(terminal, None)
        if self._texts.pop(terminal, None) is not None:
            piece = self._piece_of.pop(terminal)
            del self._members[piece][terminal]
            self._pieces[piece] = None
            self.counts[self._words.pop(terminal)] -= 1

    def __len__(self) -> int:
        return len(self._texts)

    def get(self, terminal: str) -> LastState | None:
        text = self._texts.get(terminal)
        return None if text is None else decoded(text)

    def all(self) -> list[LastState]:
        """Each as it was decoded: half a second for a hundred thousand, so not in the event loop."""
        return [decoded(text) for text in list(self._texts.values())]

    def body(self, head: bytes, only: Collection[str] | None = None) -> list[bytes]:
        """A JSON object in pieces; `head` is its beginning, with a trailing comma."""
        begins = b"".join((head, b'"columns":', _COLUMNS, b',"terminals":['))
        if only is not None:
            some = [b",\n".join(self._texts[name] for name in only if name in self._texts)]
        else:
            some = [self._made(piece) for piece in range(len(self._pieces))]
        filled = [piece for piece in some if piece]
        separated = [piece for text in filled for piece in (b",\n", text)][1:]
        return [begins, *separated, b"]}"]

    def _count(self, terminal: str, word: str) -> None:
        before = self._words.get(terminal)
        if before != word:
            self._words[terminal] = word
            self.counts[word] += 1
            if before is not None:
                self.counts[before] -= 1

    def _seat(self, terminal: str) -> None:
        if not self._members or len(self._members[-1]) >= IN_A_PIECE:
            self._members.append({})
            self._pieces.append(None)
        self._members[-1][terminal] = None
        self._piece_of[terminal] = len(self._members) - 1

    def _made(self, number: int) -> bytes:
        piece = self._pieces[number]
        if piece is None:
            texts = self._texts
            piece = self._pieces[number] = b",\n".join([texts[name] for name in self._members[number]])
        return piece


class Pieces(Response):
    """An answer in pieces, each sent when the one before has left: at once, a socket's buffer would be moved
    about for longer than it takes to fill it.
    """

    def __init__(self, pieces: Sequence[bytes]) -> None:
        super().__init__(media_type="application/json")
        self._pieces = pieces
        self.headers["content-length"] = str(sum(map(len, pieces)))

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        await send({"type": "http.response.start", "status": self.status_code, "headers": self.raw_headers})
        for piece in self._pieces:
            await send({"type": "http.response.body", "body": piece, "more_body": True})
        await send({"type": "http.response.body", "body": b""})
