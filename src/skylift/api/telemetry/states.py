"""The newest state of every terminal, held as it is sent: a hundred thousand are some dozen pieces."""

from __future__ import annotations

from array import array
from collections import Counter
from collections.abc import Collection, Iterable, Sequence
from typing import NamedTuple

import msgspec
import numpy as np
from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from skylift.watch.fleet import LOSSY_FRACTION, OBSTRUCTED_FRACTION, Codes, Flags, Numbers, number_of
from skylift.wire.telemetry.management import NOT_SIGNED
from skylift.wire.telemetry.rows import Row
from skylift.wire.telemetry.states import COLUMNS, LastState, Run, decoded, run_after

# So many go into one piece of about 200 kB: what changes makes one piece anew, not all of them.
IN_A_PIECE = 2048
_COLUMNS = msgspec.json.encode(COLUMNS)
_LOSSY, _OBSTRUCTED, _WEAK = 1, 2, 4
# In place of since when a state holds, where that was before the start.
NOT_KNOWN = -1


class StateColumns(NamedTuple):
    """What health asks of N terminals, (N,) each.

    received_us  when its newest row came; of the operator's rows, when it was theirs, if that was before
    since_us     NOT_KNOWN where it was before the start
    """

    names: list[str]
    at_us: Numbers
    received_us: Numbers
    since_us: Numbers
    says: Codes
    lossy: Flags
    obstructed: Flags
    weak: Flags

    def only(self, places: Sequence[int]) -> StateColumns:
        """Those at some places."""
        some = np.asarray(places, dtype=np.int64)
        return StateColumns(
            [self.names[place] for place in places],
            self.at_us[some], self.received_us[some], self.since_us[some],
            self.says[some], self.lossy[some], self.obstructed[some], self.weak[some],
        )  # fmt: skip


class LastStates:
    """Lives in the event loop. Terminals have seats; the texts of IN_A_PIECE seats in a row are a piece."""

    def __init__(self) -> None:
        self._seats: dict[str, int] = {}
        self._free: list[int] = []
        # By seat; b"" and "" where nobody sits.
        self._texts: list[bytes] = []
        self._names: list[str] = []
        self._at_us, self._received_us, self._since_us = array("q"), array("q"), array("q")
        self._says, self._flags = bytearray(), bytearray()
        # A piece as it is sent; None where something in it has changed.
        self._pieces: list[bytes | None] = []
        self._runs: dict[str, Run] = {}
        self._words: dict[str, str] = {}
        # How many are in each state.
        self.counts: Counter[str] = Counter()

    def put(self, terminal: str, text: bytes, rows: Sequence[Row] = ()) -> None:
        """A terminal's newest row as it stands now, and those that have just come."""
        seat = self._seats.get(terminal)
        if seat is None:
            seat = self._seated(terminal)
        newest = decoded(text)
        self._texts[seat] = text
        self._pieces[seat // IN_A_PIECE] = None
        self._at_us[seat], self._received_us[seat] = newest.at_us, _heard_us(newest)
        self._says[seat], self._flags[seat] = number_of(newest.state), _flags_of(newest)
        run = run_after(self._runs.get(terminal), rows)
        if run is not None and (rows or run.state == newest.state):
            self._runs[terminal] = run
            self._since_us[seat] = run.since_us
        else:
            # It came by another server, with whatever was before it.
            self._runs.pop(terminal, None)
            self._since_us[seat] = NOT_KNOWN
        self._count(terminal, newest.state)

    def put_all(self, states: Iterable[tuple[str, bytes]]) -> None:
        """Those of before the start; what has come since is newer."""
        for terminal, text in states:
            if terminal not in self._seats:
                self.put(terminal, text)

    def hear(self, states: Iterable[tuple[str, bytes]]) -> None:
        """Those that another service on the same database took; what has come here since may be newer."""
        for terminal, text in states:
            before = self.get(terminal)
            if before is None or before.at_us < decoded(text).at_us:
                self.put(terminal, text)

    def run_of(self, terminal: str) -> Run | None:
        """What holds and since when, where rows have come since the start."""
        return self._runs.get(terminal)

    def learn(self, terminal: str, run: Run) -> None:
        """What history says of before the start."""
        seat = self._seats.get(terminal)
        if seat is not None:
            self._since_us[seat] = self._runs.setdefault(terminal, run).since_us

    def forget(self, terminal: str) -> None:
        self._runs.pop(terminal, None)
        seat = self._seats.pop(terminal, None)
        if seat is not None:
            self._texts[seat], self._names[seat] = b"", ""
            self._free.append(seat)
            self._pieces[seat // IN_A_PIECE] = None
            self.counts[self._words.pop(terminal)] -= 1

    def __len__(self) -> int:
        return len(self._seats)

    def get(self, terminal: str) -> LastState | None:
        seat = self._seats.get(terminal)
        return None if seat is None else decoded(self._texts[seat])

    def columns(self) -> StateColumns:
        """Of all terminals, as they are now: a copy, which may go to another thread."""
        at_us, received_us, since_us = map(_numbers, (self._at_us, self._received_us, self._since_us))
        flags = np.array(self._flags, dtype=np.uint8)
        lossy, obstructed, weak = ((flags & flag) != 0 for flag in (_LOSSY, _OBSTRUCTED, _WEAK))
        says = np.array(self._says, dtype=np.int8)
        whole = StateColumns(list(self._names), at_us, received_us, since_us, says, lossy, obstructed, weak)
        return whole.only([at for at, name in enumerate(whole.names) if name]) if self._free else whole

    def body(self, head: bytes, only: Collection[str] | None = None) -> list[bytes]:
        """A JSON object in pieces; `head` is its beginning, with a trailing comma."""
        begins = b"".join((head, b'"columns":', _COLUMNS, b',"terminals":['))
        if only is not None:
            some = [b",\n".join(self._texts[self._seats[name]] for name in only if name in self._seats)]
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

    def _seated(self, terminal: str) -> int:
        if not self._free:
            if len(self._texts) % IN_A_PIECE == 0:
                self._pieces.append(None)
            self._free.append(len(self._texts))
            self._texts.append(b"")
            self._names.append("")
            for column in (self._at_us, self._received_us, self._since_us, self._says, self._flags):
                column.append(0)
        seat = self._seats[terminal] = self._free.pop()
        self._names[seat] = terminal
        return seat

    def _made(self, number: int) -> bytes:
        piece = self._pieces[number]
        if piece is None:
            texts = self._texts[number * IN_A_PIECE : (number + 1) * IN_A_PIECE]
            piece = self._pieces[number] = b",\n".join(filter(None, texts))
        return piece


def _numbers(column: array[int]) -> Numbers:
    return np.array(column, dtype=np.int64)


def _heard_us(state: LastState) -> int:
    """Of an operator's table that is imported hours later, nobody was heard just now."""
    is_operators = NOT_SIGNED in state.alerts[:1]
    return min(state.at_us, state.received_us) if is_operators else state.received_us


def _flags_of(state: LastState) -> int:
    lossy = _LOSSY * ((state.ping_drop_fraction or 0.0) > LOSSY_FRACTION)
    obstructed = _OBSTRUCTED * ((state.obstructed_fraction or 0.0) > OBSTRUCTED_FRACTION)
    return lossy | obstructed | _WEAK * bool(state.snr_low)


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
