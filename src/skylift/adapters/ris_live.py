"""RIPE's RIS Live as it streams: messages that matter, line by line into files that the monitor reads.

One connection for all networks, with our name in it, for the collector that is asked for. It comes back by
itself, ever more slowly; each time it notes that something may have been missed.
"""

from __future__ import annotations

import json
import random
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx

from skylift import __version__
from skylift.base.instants import format_instant
from skylift.base.units import US_PER_S

URL = "https://ris-live.ripe.net/v1/stream/"
# Of a collector something comes every second; so long without a word, and the line is dead.
SILENCE_S = 60.0
FIRST_WAIT_S, LONGEST_WAIT_S = 1.0, 300.0
LONGEST_LINE = 1 << 20
# How far the stream has come is noted so often, though nothing of interest came.
TICK_S = 10.0
KEPT_S = 36 * 3_600
# In the files, beside RIS Live's own kinds of messages.
BEGAN, TICK = "skylift_began", "skylift_tick"


@dataclass
class RisLive:
    """Follows the stream on a thread of its own.

    folder     where its files are: one an hour, those of the last 36 hours
    host       a collector, such as rrc00; "": all of them, which is very much
    wanted     which messages are kept, by their `data`
    wait       sleeps so many seconds; True: it is to end
    """

    folder: Path
    host: str
    wanted: Callable[[dict[str, Any]], bool]
    url: str = URL
    now_s: Callable[[], float] = time.time
    transport: httpx.BaseTransport | None = None
    wait: Callable[[float], bool] | None = None
    silence_s: float = SILENCE_S
    _ending: threading.Event = field(default_factory=threading.Event)
    _thread: threading.Thread | None = None

    @property
    def pattern(self) -> str:
        return str(self.folder / "ris-*.jsonl")

    def start(self) -> None:
        """Once; later calls change nothing."""
        if self._thread is None:
            self._thread = threading.Thread(target=self.follow, name="ris-live", daemon=True)
            self._thread.start()

    def stop(self) -> None:
        self._ending.set()
        if self._thread is not None:
            self._thread.join(2 * self.silence_s)

    def follow(self) -> None:
        """Until it is stopped: connect, keep what comes, and when the line breaks wait and connect again."""
        self.folder.mkdir(parents=True, exist_ok=True)
        sleep = self.wait or self._ending.wait
        pause_s = FIRST_WAIT_S
        while not self._ending.is_set():
            least_s, came = 0.0, False
            try:
                came = self._connected()
            except _Busy as busy:
                least_s = busy.wait_s
            except (httpx.HTTPError, OSError):
                # A full disk as well: what was not written is missed, and the next beginning says so.
                pass
            pause_s = FIRST_WAIT_S if came else min(2 * pause_s, LONGEST_WAIT_S)
            if sleep(max(least_s, pause_s * random.uniform(0.5, 1.0))):
                return

    def _connected(self) -> bool:
        """Follow one connection to its end; whether anything came."""
        headers = {"User-Agent": f"skylift/{__version__}", "Accept": "application/json"}
        if self.host:
            headers["X-RIS-Subscribe"] = json.dumps({"host": self.host})
        timeout = httpx.Timeout(30.0, read=self.silence_s)
        asked = {"format": "json", "client": f"skylift-{__version__}"}
        with (
            httpx.Client(timeout=timeout, headers=headers, transport=self.transport) as client,
            client.stream("GET", self.url, params=asked) as response,
        ):
            if response.status_code in (429, 503):
                raise _Busy(response.headers.get("Retry-After", ""))
            response.raise_for_status()
            return self._kept(response)

    def _kept(self, response: httpx.Response) -> bool:
        newest_s = told_s = 0.0
        for line in _lines(response.iter_bytes()):
            if self._ending.is_set():
                break
            data = _data_of(line)
            if data is None:
                continue
            at_s = float(data["timestamp"])
            if not newest_s:
                self._write(json.dumps({"type": BEGAN, "data": {"timestamp": at_s}}).encode())
                told_s = at_s
            newest_s = max(newest_s, at_s)
            if self._is_wanted(data):
                self._write(line)
            elif newest_s >= told_s + TICK_S:
                self._write(json.dumps({"type": TICK, "data": {"timestamp": newest_s}}).encode())
                told_s = newest_s
        return newest_s > 0

    def _is_wanted(self, data: dict[str, Any]) -> bool:
        try:
            return self.wanted(data)
        except (ValueError, KeyError, TypeError, AttributeError, IndexError):
            # Of another shape than is known: the reader says so, with the others that it leaves out.
            return True

    def _write(self, line: bytes) -> None:
        hour = format_instant(int(self.now_s()) // 3_600 * 3_600 * US_PER_S)[:13].replace(":", "")
        path = self.folder / f"ris-{hour}.jsonl"
        if not path.exists():
            self._forget()
        with path.open("ab") as file:
            file.write(line + b"\n")

    def _forget(self) -> None:
        for path in self.folder.glob("ris-*.jsonl"):
            if path.stat().st_mtime < self.now_s() - KEPT_S:
                path.unlink(missing_ok=True)


class _Busy(Exception):
    """The service wants to be left alone for a while."""

    def __init__(self, retry_after: str) -> None:
        super().__init__("busy")
        self.wait_s = float(retry_after) if retry_after.isdecimal() else LONGEST_WAIT_S


def _lines(chunks: Iterator[bytes]) -> Iterator[bytes]:
    """Whole lines; one that is longer than any message is passed over."""
    rest = b""
    for chunk in chunks:
        *whole, rest = (rest + chunk).split(b"\n")
        yield from whole
        if len(rest) > LONGEST_LINE:
            rest = b""


def _data_of(line: bytes) -> dict[str, Any] | None:
    """The `data` of a message of a peer; None for all else, and for what is no message."""
    try:
        document = json.loads(line)
        data = document["data"]
        float(data["timestamp"])
    except (ValueError, KeyError, TypeError):
        return None
    return data if document.get("type") == "ris_message" else None
