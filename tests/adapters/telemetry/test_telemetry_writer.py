"""The writer of telemetry: whoever posts gets an answer, whatever breaks beside or beneath it."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Sequence

import pytest

from skylift.adapters.telemetry import writer as module
from skylift.adapters.telemetry.writer import TelemetryWriter
from skylift.base.errors import Unavailable
from skylift.ports.telemetry import Posted, Taken


class Store:
    """Counts groups, waits where it is told to, and fails for one terminal."""

    def __init__(self) -> None:
        self.groups: list[list[str]] = []
        self.may_go_on = threading.Event()
        self.may_go_on.set()

    def take(self, posted: Sequence[Posted]) -> Sequence[Taken]:
        self.may_go_on.wait()
        self.groups.append([one.terminal for one in posted])
        if "trm_bad" in self.groups[-1]:
            raise Unavailable("store.lost", "the store", "it is away", "try again")
        return [Taken(len(self.groups[-1]), 0) for _ in posted]


def post(terminal: str) -> Posted:
    return Posted(terminal, 0, ())


def broken() -> None:
    raise RuntimeError("upkeep")


def test_everybody_is_answered_in_groups_and_failures_reach_those_they_are_about(
    caplog: pytest.LogCaptureFixture,
) -> None:
    async def go() -> None:
        store = Store()
        writer = TelemetryWriter(store, asyncio.get_running_loop(), broken)
        first = writer.submit(post("trm_0"))
        assert (await first).new == 1
        store.may_go_on.clear()
        waiting = [writer.submit(post(f"trm_{n}")) for n in range(1, 40)]
        store.may_go_on.set()
        await asyncio.gather(*waiting)
        # Those that came while it wrote went together.
        assert len(store.groups) <= 4
        bad = writer.submit(post("trm_bad"))
        with pytest.raises(Unavailable, match="away"):
            await bad
        assert (await writer.submit(post("trm_9"))).new == 1
        last = writer.submit(post("trm_10"))
        await asyncio.to_thread(writer.close)
        assert (await last).new == 1
        with pytest.raises(Unavailable):
            writer.submit(post("trm_11"))

    asyncio.run(go())
    assert "upkeep broke" in caplog.text


def test_too_many_at_once_are_told_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "MOST_WAITING", 3)

    async def go() -> None:
        store = Store()
        store.may_go_on.clear()
        writer = TelemetryWriter(store, asyncio.get_running_loop(), lambda: None)
        waiting: list[asyncio.Future[Taken]] = []

        def fill() -> None:
            waiting.extend(writer.submit(post(f"trm_{n}")) for n in range(module.MOST_TOGETHER + 10))

        with pytest.raises(Unavailable, match="can be written"):
            fill()
        store.may_go_on.set()
        await asyncio.gather(*waiting)
        writer.close()

    asyncio.run(go())
