"""Strangers by webhook: what the public may know of outages, after its delay, signed, and nothing else."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from standardwebhooks.webhooks import Webhook as Verifier

from skylift.adapters.webhooks import Sender
from skylift.api.office import feeds, public_hooks
from skylift.api.office.public_hooks import PublicHooks
from skylift.base.instants import InstantUs
from skylift.service.outage.events import OutageHeld
from skylift.service.webhook.state import Webhook, wants
from tests.adapters.test_webhooks import HERE, Receiver
from tests.api.office.conftest import Person, Town
from tests.api.office.test_public_outages import named, record, wait


@pytest.fixture(autouse=True)
def _look_often(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(public_hooks, "LOOK_EVERY_S", 0.02)
    monkeypatch.setattr(feeds, "ANEW_AFTER_S", -1.0)


@pytest.fixture
def receiver(town: Town) -> Iterator[Receiver]:
    one = Receiver()
    town.desk.sender._allowed = HERE
    yield one
    one.close()


def told(receiver: Receiver) -> list[dict[str, Any]]:
    return [json.loads(body) for _, body in receiver.got]


def rounds(town: Town, until: Callable[[], bool] = lambda: True) -> None:
    """A few rounds, and on until something is so (or 10 s are over)."""

    async def go() -> None:
        running = asyncio.create_task(PublicHooks(town.desk, Sender(HERE), jitter=lambda: 1.0).run())
        await asyncio.sleep(0.15)
        async with asyncio.timeout(10):
            while not until():
                await asyncio.sleep(0.02)
        running.cancel()
        stopped, _ = await asyncio.wait([running], timeout=10)
        assert stopped, "it goes on after it was told to stop"

    asyncio.run(go())


def test_an_outage_is_told_after_its_delay_when_it_changes_and_when_it_is_held(
    town: Town, staff: dict[str, Person], receiver: Receiver
) -> None:
    operator = staff["operator"]
    made = operator.made("webhooks", url=receiver.url(), kinds=["public-outages"])
    outage = record(operator)
    record(operator, entity=named("851e5227fffffff", "cell"))
    rounds(town)
    assert receiver.got == []
    wait(town)
    rounds(town, lambda: len(receiver.got) == 1)
    headers, body = receiver.got[0]
    [first] = told(receiver)
    assert Verifier(made["secret"]).verify(body, headers) == first
    assert (first["type"], first["data"]["id"]) == ("outage.told", outage)
    assert "fell to 18 % (15-21)" in first["data"]["text"]["en"]
    assert "впала до 18 % (15-21)" in first["data"]["text"]["uk"]
    # Whoever asked and how many were asked is no more in it than in the feed.
    assert set(first["data"]) == {"id", "url", "tags", "published", "updated", "title", "text"}
    rounds(town)
    assert len(receiver.got) == 1
    operator.made(f"outages/{outage}/close", ended_at="2022-02-26T06:20:00Z")
    rounds(town, lambda: len(receiver.got) == 2)
    assert "over" in told(receiver)[1]["data"]["tags"]
    operator.made(f"outages/{outage}/hold", reason="an operation under way")
    rounds(town, lambda: len(receiver.got) == 3)
    last = told(receiver)[2]
    assert (last["type"], last["data"]) == ("outage.untold", {"id": outage})
    operator.made(f"outages/{outage}/release")
    rounds(town, lambda: len(receiver.got) == 4)
    shown = operator.get(f"webhooks/{made['id']}/deliveries").json()
    assert (shown["told"], shown["failures"], len(shown["attempts"])) == (4, 0, 4)


def test_one_that_fails_is_tried_again_later_with_the_same_id_and_given_up_when_gone(
    town: Town, staff: dict[str, Person], receiver: Receiver
) -> None:
    operator = staff["operator"]
    id = operator.made("webhooks", url=receiver.url(), kinds=["public-outages"])["id"]
    record(operator)
    wait(town)
    receiver.answers = [(500, {}), (500, {}), (410, {})]
    rounds(town, lambda: len(receiver.got) == 1)
    rounds(town)
    assert len(receiver.got) == 1
    town.desk.advance(6_000_000)  # type: ignore[misc]
    rounds(town, lambda: len(receiver.got) == 2)
    assert receiver.got[0][0]["webhook-id"] == receiver.got[1][0]["webhook-id"]
    town.desk.advance(30_000_000)  # type: ignore[misc]
    rounds(town, lambda: operator.get(f"webhooks/{id}").json()["status"] == "disabled")
    assert len(receiver.got) == 3
    # Taken up again, it is told what it missed.
    operator.made(f"webhooks/{id}/resume")
    rounds(town, lambda: len(receiver.got) == 4)
    assert operator.get(f"webhooks/{id}/deliveries").json()["told"] == 1


def test_it_hears_nothing_of_the_journal(town: Town, staff: dict[str, Person], receiver: Receiver) -> None:
    kinds = staff["operator"].get("webhook-kinds").json()["kinds"]
    assert kinds[-1] == "public-outages"

    event = OutageHeld(InstantUs(1), "per_1", "out_1", None, "why")
    assert not wants(Webhook("whk_1", kinds=("public-outages",)), event, "outage", "")
