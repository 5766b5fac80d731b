"""Webhooks through the doors and on the wire: in order, at least once, signed, and given up in the end."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable, Iterator
from typing import Any

import pytest
from standardwebhooks.webhooks import Webhook as Verifier

from skylift.adapters.webhooks import Sender
from skylift.api.office import delivering
from skylift.api.office.delivering import Deliveries
from skylift.service.webhook.patience import MOST_ATTEMPTS
from tests.adapters.test_webhooks import HERE, Receiver
from tests.api.office.conftest import CELLS, Person, Town

CALL = {"channel": "phone", "site_kind": "hospital", "asker": "CANARY-NAME", "words": "CANARY-WORDS"}


@pytest.fixture(autouse=True)
def _look_often(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(delivering, "LOOK_EVERY_S", 0.03)


@pytest.fixture
def receiver(town: Town) -> Iterator[Receiver]:
    one = Receiver()
    # Without this the doors would refuse an address on this machine; the fixture's doors share one sender.
    town.desk.sender._allowed = HERE
    yield one
    one.close()


def told(receiver: Receiver) -> list[dict[str, Any]]:
    return [json.loads(body) for _, body in receiver.got]


def sequences(receiver: Receiver) -> list[int]:
    return [one["data"]["sequence"] for one in told(receiver)]


def deliver(town: Town, *steps: Callable[[], Any], until: Callable[[], bool]) -> None:
    """Let deliveries run, each step after the other on a thread, until something is so (or 10 s are over)."""

    async def go() -> None:
        # Events of the town's own loop can be waited for in that one alone.
        town.desk._changed = asyncio.Event()
        running = asyncio.create_task(Deliveries(town.desk, Sender(HERE), jitter=lambda: 1.0).run())
        for step in steps:
            found = await asyncio.to_thread(step)
            if isinstance(found, Awaitable):
                await found
        async with asyncio.timeout(10):
            while not until():
                await asyncio.sleep(0.02)
        running.cancel()
        stopped, _ = await asyncio.wait([running], timeout=10)
        assert stopped, "deliveries go on after they were told to stop"

    asyncio.run(go())


def leap(town: Town, seconds: float) -> None:
    assert town.desk.advance is not None
    town.desk.advance(int(seconds * 1_000_000))


def standing(person: Person, id: str) -> dict[str, Any]:
    document: dict[str, Any] = person.get(f"webhooks/{id}/deliveries").json()
    return document


def test_what_happens_is_told_signed_in_order_and_without_anything_personal(
    town: Town, staff: dict[str, Person], receiver: Receiver
) -> None:
    operator = staff["operator"]
    made = operator.made("webhooks", url=receiver.url())
    assert made["secret"].startswith("whsec_")
    id = made["id"]
    for path in (f"webhooks/{id}", "webhooks", f"webhooks/{id}/personal", f"webhooks/{id}/deliveries"):
        assert made["secret"] not in operator.get(path).text, "it is told once"
    assert operator.get(f"webhooks/{id}/personal").json() == {"url": receiver.url()}

    def day() -> None:
        request = operator.made("requests", **CALL)["id"]
        operator.made(f"requests/{request}/acknowledge")
        operator.made("accounts", holder="company", country="UA", name="CANARY", address="CANARY")

    deliver(town, day, until=lambda: standing(operator, id)["told"] >= 3)
    assert [one["type"] for one in told(receiver)] == [
        "request.received", "request.acknowledged", "account.opened",
    ]  # fmt: skip
    assert sequences(receiver) == sorted(set(sequences(receiver)))
    for headers, body in receiver.got:
        document = json.loads(body)
        assert Verifier(made["secret"]).verify(body, headers) == document
        assert headers["webhook-id"] == f"{id}_{document['data']['sequence']}"
        assert b"CANARY" not in body
        assert not {"by", "told", "payload"} & set(document["data"])
    received = told(receiver)[0]
    assert set(received) == {"type", "timestamp", "data"}
    assert received["timestamp"].startswith("2022-02-26T12:00")
    assert set(received["data"]) == {"sequence", "event", "kind", "id", "version", "region", "cause"}
    assert "CANARY" not in repr(receiver.got)
    shown = standing(operator, id)
    assert (shown["told"], shown["failures"], shown["sequence"]) == (3, 0, sequences(receiver)[-1])
    assert [one["status"] for one in shown["attempts"]] == [200, 200, 200]


def test_nothing_is_lost_when_the_service_stops_and_starts_again(
    town: Town, staff: dict[str, Person], receiver: Receiver
) -> None:
    operator = staff["operator"]
    operator.made("webhooks", url=receiver.url(), kinds=["request"])
    ids = [operator.made("requests", **CALL)["id"] for _ in range(12)]
    receiver.slow_s = 0.05
    # It is stopped at any moment, also while one is on its way.
    for stop_at in (2, 5, 9, 12):
        deliver(town, until=lambda: len(set(sequences(receiver))) >= stop_at)  # noqa: B023
    got = [one["data"]["id"] for one in told(receiver)]
    assert list(dict.fromkeys(got)) == ids, "each in order"
    assert len(got) - len(ids) <= 3, "what was on its way is told again, and nothing else"
    by_id: dict[str, set[bytes]] = {}
    for headers, body in receiver.got:
        by_id.setdefault(headers["webhook-id"], set()).add(body)
    assert all(len(bodies) == 1 for bodies in by_id.values()), "told again, it is the same"


def test_one_that_fails_is_tried_again_and_given_up_and_goes_on_where_it_stopped(
    town: Town, staff: dict[str, Person], receiver: Receiver
) -> None:
    operator = staff["operator"]
    id = operator.made("webhooks", url=receiver.url(), kinds=["request.received"])["id"]
    receiver.answers = [(500, {}), (302, {"Location": "http://127.0.0.1:9/"}), (429, {"Retry-After": "3600"})]
    receiver.answers += [(503, {})] * (MOST_ATTEMPTS - 3)
    first, second = (operator.made("requests", **CALL)["id"] for _ in range(2))
    deliver(town, until=lambda: standing(operator, id)["failures"] == 1)
    assert len(receiver.got) == 1
    began = town.desk.clock.now()
    assert 4e6 < standing(operator, id)["next_at"] - began < 6e6, "five seconds after the first"
    leap(town, 6)
    deliver(town, until=lambda: standing(operator, id)["failures"] == 2)
    leap(town, 21)
    deliver(town, until=lambda: standing(operator, id)["failures"] == 3)
    assert standing(operator, id)["next_at"] - town.desk.clock.now() > 3500e6, "as long as it asked for"
    for tried in range(4, MOST_ATTEMPTS + 1):
        leap(town, 13 * 3600)
        deliver(town, until=lambda: standing(operator, id)["failures"] >= tried)  # noqa: B023
    deliver(town, until=lambda: operator.get(f"webhooks/{id}").json()["status"] == "disabled")
    shown = standing(operator, id)
    assert shown["why"] == "every attempt failed, up to the last"
    assert [one["status"] for one in shown["attempts"]] == [500, 302, 429, *[503] * (MOST_ATTEMPTS - 3)]
    assert {one["data"]["id"] for one in told(receiver)} == {first}, "the second waits behind the first"
    assert len({headers["webhook-id"] for headers, _ in receiver.got}) == 1
    stamps = {headers["webhook-timestamp"] for headers, _ in receiver.got}
    assert all(abs(int(stamp) - int(min(stamps))) < 60 for stamp in stamps), "stamps are of the wall's clock"
    # The other side is well again, and somebody says so.
    operator.made(f"webhooks/{id}/resume")
    deliver(town, until=lambda: len(receiver.got) == MOST_ATTEMPTS + 2)
    assert [one["data"]["id"] for one in told(receiver)][-2:] == [first, second]
    assert standing(operator, id)["failures"] == 0


def test_one_that_says_it_is_gone_is_given_up_at_once(
    town: Town, staff: dict[str, Person], receiver: Receiver
) -> None:
    operator = staff["operator"]
    id = operator.made("webhooks", url=receiver.url(), kinds=["request"])["id"]
    receiver.answers = [(410, {})]
    operator.made("requests", **CALL)
    deliver(town, until=lambda: operator.get(f"webhooks/{id}").json()["status"] == "disabled")
    shown = operator.get(f"webhooks/{id}").json()
    assert (shown["status_code"], len(receiver.got)) == (410, 1)
    assert "gone" in standing(operator, id)["why"]


def test_a_new_secret_and_the_old_one_for_a_while(
    town: Town, staff: dict[str, Person], receiver: Receiver
) -> None:
    operator = staff["operator"]
    made = operator.made("webhooks", url=receiver.url(), kinds=["request"])
    id, old = made["id"], made["secret"]
    rotated = operator.made(f"webhooks/{id}/rotate", old_for_s=3600)
    assert rotated["secret"] != old
    operator.made(f"webhooks/{id}/test")
    deliver(town, until=lambda: len(receiver.got) == 1)
    headers, body = receiver.got[0]
    assert json.loads(body)["type"] == "webhook.tested"
    for secret in (rotated["secret"], old):
        Verifier(secret).verify(body, headers)
    leap(town, 3601)
    operator.made(f"webhooks/{id}/test")
    deliver(town, until=lambda: len(receiver.got) == 2)
    headers, body = receiver.got[1]
    assert len(headers["webhook-signature"].split()) == 1
    Verifier(rotated["secret"]).verify(body, headers)
    # A secret stands in no event and in no thing, and no answer with one is kept.
    for row in town.desk.store.journal(limit=10_000):
        assert old[6:] not in repr(row.event)
        assert receiver.url() not in repr(row.event)
    headers = {"Idempotency-Key": "once"}
    first = operator.ask("POST", f"webhooks/{id}/rotate", {}, **headers).json()["secret"]
    assert operator.ask("POST", f"webhooks/{id}/rotate", {}, **headers).json()["secret"] != first
    operator.made(f"webhooks/{id}/remove")
    with town.desk.store.reading() as reader:
        assert reader.personal(id) == {}
        assert reader.progress(f"webhook/{id}") is None


def test_what_was_told_is_told_again_on_demand(
    town: Town, staff: dict[str, Person], receiver: Receiver
) -> None:
    operator = staff["operator"]
    id = operator.made("webhooks", url=receiver.url(), kinds=["request"])["id"]
    for _ in range(3):
        operator.made("requests", **CALL)
    deliver(town, until=lambda: standing(operator, id)["told"] == 3)
    before = sequences(receiver)
    operator.made(f"webhooks/{id}/pause")
    operator.made(f"webhooks/{id}/redeliver", after=before[0])
    deliver(town, until=lambda: True)
    assert len(receiver.got) == 3, "paused"
    operator.made(f"webhooks/{id}/resume")
    deliver(town, until=lambda: standing(operator, id)["told"] == 5)
    assert sequences(receiver) == [*before, *before[1:]]
    assert [headers["webhook-id"] for headers, _ in receiver.got[3:]] == [
        headers["webhook-id"] for headers, _ in receiver.got[1:3]
    ]
    # All of the past, for one that is made later.
    late = operator.made("webhooks", url=receiver.url(), kinds=["request.received"], after=0)["id"]
    deliver(town, until=lambda: standing(operator, late)["told"] == 3)
    assert sequences(receiver)[5:] == before


def test_nobody_hears_what_they_may_not_read(
    town: Town, staff: dict[str, Person], receiver: Receiver
) -> None:
    operator, approver = staff["operator"], staff["approver"]
    region = operator.made("regions", country="UA", title="Ukraine", cells=CELLS)["id"]
    mine = operator.made("accounts", holder="company", country="UA")["id"]
    yours = operator.made("accounts", holder="company", country="UA")["id"]
    subscriber = town.person("subscriber", by=operator, approver=approver, account=mine)
    stranger = town.person("subscriber", by=operator, approver=approver, account=yours)
    id = subscriber.made("webhooks", url=receiver.url())["id"]
    limited = operator.made("tokens", scopes=["webhook.create", "region.read"], title="program")
    narrow = Person(town, operator.id, limited["token"]).made("webhooks", url=receiver.url("127.0.0.1"))["id"]
    for path in (f"webhooks/{id}", f"webhooks/{id}/deliveries", f"webhooks/{id}/personal"):
        assert stranger.get(path).status_code == 404
    assert stranger.post(f"webhooks/{id}/rotate").status_code == 404
    assert approver.post("webhooks", url=receiver.url()).status_code == 403
    assert staff["operator"].get(f"webhooks/{id}").status_code == 200

    def day() -> None:
        operator.made(f"accounts/{yours}/verify", authority="ministry", reference="letter 5")
        operator.made(f"accounts/{mine}/verify", authority="ministry", reference="letter 6")
        operator.made(f"regions/{region}/request")

    deliver(town, day, until=lambda: len(receiver.got) >= 2)
    by_hook: dict[str, list[str]] = {}
    for headers, body in receiver.got:
        by_hook.setdefault(headers["webhook-id"].rpartition("_")[0], []).append(
            json.loads(body)["data"]["id"]
        )
    assert by_hook == {id: [mine], narrow: [region]}
    # Whoever may not act any more hears nothing any more.
    operator.made(f"persons/{subscriber.id}/lock", reason="phone lost")
    operator.made(f"accounts/{mine}/suspend", reason="unpaid")
    deliver(town, until=lambda: operator.get(f"webhooks/{id}").json()["status"] == "disabled")
    assert "may not act" in standing(operator, id)["why"]
    assert len(receiver.got) == 2


def test_only_the_regions_that_were_named(town: Town, staff: dict[str, Person], receiver: Receiver) -> None:
    operator = staff["operator"]
    one = operator.made("regions", country="UA", title="West", cells=CELLS[:1])["id"]
    two = operator.made("regions", country="UA", title="East", cells=CELLS[1:])["id"]
    operator.made("webhooks", url=receiver.url(), regions=[two])
    for region in (one, two):
        operator.made(f"regions/{region}/request")
        operator.made("requests", region=region, **CALL)
    deliver(town, until=lambda: len(receiver.got) == 2)
    assert [one["data"]["region"] for one in told(receiver)] == [two, two]
    assert [one["data"]["kind"] for one in told(receiver)] == ["region", "request"]


def test_an_erased_address_is_told_nothing(town: Town, staff: dict[str, Person], receiver: Receiver) -> None:
    operator = staff["operator"]
    id = operator.made("webhooks", url=receiver.url(), kinds=["request"])["id"]
    assert operator.ask("DELETE", f"webhooks/{id}/personal", {"ground": "asked"}).status_code == 200
    operator.made("requests", **CALL)
    deliver(town, until=lambda: operator.get(f"webhooks/{id}").json()["status"] == "disabled")
    assert receiver.got == []
    assert "erased" in standing(operator, id)["why"]


def test_what_the_doors_refuse(town: Town, staff: dict[str, Person]) -> None:
    operator = staff["operator"]
    for url in (
        "http://example.org/",
        "https://127.0.0.1/",
        "https://192.0.2.1/x",
        "https://localhost/",
        "x",
    ):
        response = operator.post("webhooks", url=url)
        assert (response.status_code, response.json()["error"]["code"]) == (422, "webhook.url")
    assert operator.get("webhooks").json()["items"] == [], "a refused one is not there"
    response = operator.post("webhooks", url="https://example.org/", kinds=["region", "weather"])
    assert response.json()["error"]["code"] == "webhook.kinds"
    known = operator.get("webhook-kinds").json()
    assert "region" in known["kinds"]
    assert "region.activated" in known["events"]
    assert not [name for name in known["events"] if name.startswith(("token.", "store."))]
    for _ in range(20):
        operator.made("webhooks", url="https://example.org/")
    assert operator.post("webhooks", url="https://example.org/").json()["error"]["code"] == "webhook.most"


def test_the_store_may_be_away_for_a_while(
    town: Town, staff: dict[str, Person], receiver: Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    from skylift.adapters.sql.faults import locked

    operator = staff["operator"]
    operator.made("webhooks", url=receiver.url(), kinds=["request"])
    operator.made("requests", **CALL)
    failed: list[int] = []
    store = type(town.desk.store)
    real = store.writing

    def fail(*args: Any, **more: Any) -> Any:
        failed.append(1)
        if len(failed) < 3:
            raise locked()
        return real(*args, **more)

    monkeypatch.setattr(store, "writing", fail)
    deliver(town, until=lambda: len(failed) >= 3 and len(receiver.got) >= 3)
    # What could not be written down is told again.
    assert len(set(sequences(receiver))) == 1
