"""Whoever waits with patience can be told to stop at any moment, also at that in which the wait ends."""

from __future__ import annotations

import asyncio
from types import SimpleNamespace
from typing import Any

import pytest

from skylift.api.office.desk import Desk
from skylift.api.state import LiveState


@pytest.mark.parametrize("changed", [Desk.changed, LiveState.changed])
@pytest.mark.parametrize("turns", range(6))
def test_a_wait_that_ends_as_it_is_cancelled_stays_cancelled(changed: Any, turns: int) -> None:
    """asyncio.wait_for of Python 3.11 swallows that cancellation: a loop around it goes on for ever."""

    async def go() -> None:
        waited_for = SimpleNamespace(_changed=asyncio.Event())

        async def loop() -> None:
            while True:
                await changed(waited_for, 60.0)
                waited_for._changed.clear()

        running = asyncio.create_task(loop())
        await asyncio.sleep(0.001)
        waited_for._changed.set()
        for _ in range(turns):
            await asyncio.sleep(0)
        running.cancel()
        done, _ = await asyncio.wait([running], timeout=0.5)
        assert done, "it goes on"
        assert running.cancelled()

    asyncio.run(go())
