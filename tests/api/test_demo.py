"""A demonstration in this process: its story played through the API, DEMO on all of it, what is refused."""

from __future__ import annotations

import asyncio
import json
import re
import time
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import msgspec
import pytest
import schemathesis
from fastapi import FastAPI
from hypothesis import given, settings
from hypothesis import strategies as st
from starlette.routing import Route

from skylift.adapters.clock import SimulatedClock
from skylift.adapters.demo import demo_file_in, last_instant_us, packaged_story
from skylift.adapters.sql.store import open_store, sqlite_url
from skylift.api.app import create_app, office_doors
from skylift.api.demo.guard import LoopbackSender, brings_in, refuse_far
from skylift.api.demo.mark import HEADER, marked_events, marked_json, marked_name, marked_page
from skylift.api.demo.play import Play, says_line
from skylift.api.demo.stage import Stage
from skylift.api.office.desk import Desk
from skylift.api.office.door import Door
from skylift.api.state import LiveState
from skylift.base.labels import plural
from skylift.ports.store import Conflict
from skylift.service.rooms import ROOMS
from skylift.twin.office.table import TABLE
from skylift.twin.story import Story

BASE = "http://127.0.0.1:8480"


def morning() -> Story:
    """The packaged story up to the region's activation: what comes after takes a sky. Patience of seconds."""
    story = packaged_story()
    return msgspec.structs.replace(story, chapter=story.chapter[:3], patience_s=20.0)


def opening() -> Story:
    """What is there before the day, and all who take part."""
    return msgspec.structs.replace(packaged_story(), chapter=())


@dataclass
class Theatre:
    """A demonstration, its story not begun."""

    desk: Desk
    app: FastAPI
    stage: Stage
    client: httpx.AsyncClient

    async def played(self) -> None:
        await Play(self.app, self.stage).run()

    async def be(self, persona: str) -> dict[str, str]:
        """Headers of somebody who takes a persona's part."""
        response = await self.client.post("/api/v1/demo/login", json={"persona": persona})
        assert response.status_code == 201, response.text
        return {"Authorization": f"Bearer {response.json()['token']}"}

    async def get(self, path: str, headers: dict[str, str] | None = None) -> Any:
        response = await self.client.get(f"/api/v1/{path}", headers=headers)
        assert response.status_code == 200, response.text
        return response.json()

    async def until(self, holds: Callable[[], Any]) -> Any:
        end = time.monotonic() + 30.0
        while time.monotonic() < end:
            if found := holds():
                return found
            await asyncio.sleep(0.01)
        raise AssertionError("not within 30 s")


@asynccontextmanager
async def theatre(
    folder: Path, story: Story | None = None, speed: float = 10_000.0, demo: bool = True, url: str = ""
) -> AsyncIterator[Theatre]:
    url = url or (f"sqlite:///{demo_file_in(folder)}" if demo else sqlite_url(folder))
    store = open_store(url, ROOMS, demo=demo)
    # Where a clock goes on after a restart, as `skylift run --demo` has it.
    start_us = max(int(packaged_story().begins_us), last_instant_us(store) + 1)
    clock, leap = SimulatedClock(start_us, speed).leaping()
    desk = Desk(store, clock, leap)
    app = create_app(LiveState(clock), desk)
    stage = getattr(app.state, "stage", None)
    if stage is not None:
        stage.story = story or morning()
    transport = httpx.ASGITransport(app, client=("127.0.0.1", 0))
    async with httpx.AsyncClient(transport=transport, base_url=BASE) as client:
        yield Theatre(desk, app, stage, client)
    assert store.verify().valid
    await asyncio.to_thread(desk.close)


def play(work: Callable[[], Coroutine[Any, Any, None]]) -> None:
    asyncio.run(work())


# --- the story


def test_it_goes_through_the_api_and_all_of_it_comes_out_as_told(tmp_path: Path) -> None:
    async def work() -> None:
        async with theatre(tmp_path) as house:
            await house.played()
            shown = await house.get("demo")
            assert (shown["ended"], shown["failed"], shown["waiting_for"]) == (True, 0, None)
            assert shown["steps_done"] == shown["steps"] == len(list(morning().steps()))
            refused = [told["code"] for told in shown["told"] if told["how"] == "refused"]
            assert refused == ["request.not-verified", "actor.not-allowed"]
            names, auditor = shown["names"], await house.be("auditor")
            region = await house.get(f"regions/{names['region']}", auditor)
            assert region["status"] == "active"
            enabled = {cell for cell, one in region["cells"].items() if one["mode"] == "enabled"}
            assert enabled == {names[n] for n in ("kyiv", "lviv", "kharkiv", "odesa", "mariupol")}
            # Each approval has two people, and no personas share one.
            people = {one["persona"]: one["person"] for one in shown["personas"]}
            assert len(set(people.values())) == 9
            rows = house.desk.store.journal(0, 5000)
            by = {row.event.NAME: row.event.by for row in rows}
            assert by["region.paper-granted/1"] == people["officer"]
            agreed = [row.event.by for row in rows if row.event.NAME == "approval.agreed/1"]
            assert agreed[-2:] == [people["approver-one"], people["approver-two"]]
            activated = next(row.event.at for row in rows if row.event.NAME == "region.activated/1")
            # 22:33 on 26 February 2022, and its clock never ran ahead of the story by much.
            assert 0 <= activated - 1_645_914_780_000_000 < 3_600_000_000

    play(work)


def test_an_approver_whose_word_does_not_count_yet_is_waited_for(tmp_path: Path) -> None:
    async def work() -> None:
        async with theatre(tmp_path, opening()) as house:
            await house.stage.open_the_house()
            first = house.stage.story.persona[0].id
            days = {"advance_s": 3 * 86_400}
            moved = await house.client.post("/api/v1/clock", json=days, headers=await house.be(first))
            assert moved.status_code == 200, moved.text
            await house.played()
            assert len(house.stage.kept.people) == 9
            assert house.stage.kept.told == []

    play(work)


def test_nobody_has_a_password_and_no_setup_code_is_made(tmp_path: Path) -> None:
    async def work() -> None:
        async with theatre(tmp_path, opening()) as house:
            await house.played()
            assert house.desk.setup_code == ""
            with house.desk.store.reading() as reader:
                kept = [reader.personal(person) for person in house.stage.kept.people.values()]
            assert [set(one) for one in kept] == [{"name"}] * 9
            assert all(one["name"].endswith("(DEMO)") for one in kept)
            login = {"email": "coordinator", "password": "correct horse battery"}
            assert (await house.client.post("/api/v1/login", json=login)).status_code == 401

    play(work)


def test_killed_at_any_step_it_goes_on_and_does_nothing_twice(tmp_path: Path) -> None:
    async def half(steps: int) -> None:
        async with theatre(tmp_path) as house:
            playing = asyncio.create_task(house.played())
            await house.until(lambda: house.stage.kept.steps_done >= steps)
            playing.cancel()
            await asyncio.gather(playing, return_exceptions=True)

    async def to_the_end() -> None:
        async with theatre(tmp_path) as house:
            # As if it had been killed before it could note its last steps.
            house.stage.kept.steps_done -= 3
            await house.played()
            shown = await house.get("demo")
            assert (shown["ended"], shown["failed"]) == (True, 0)
            viewer = await house.be("viewer")
            for kind, count in (
                ("regions", 1),
                ("requests", 4),
                ("outages", 1),
                ("accounts", 2),
                ("persons", 9),
            ):
                assert len((await house.get(kind, viewer))["items"]) == count, kind

    for steps in (1, 6, 9, 15, 20):
        asyncio.run(half(steps))
    play(to_the_end)


def test_a_store_that_holds_somebody_else_is_left_alone(tmp_path: Path) -> None:
    async def work() -> None:
        async with theatre(tmp_path, opening()) as house:
            await house.played()
        async with theatre(tmp_path, opening()) as house:
            rows = house.desk.store.head()[0]
            house.stage.kept.people.clear()
            house.stage.kept.steps_done = 0
            await house.played()
            assert house.stage.kept.told[-1].how == "failed"
            assert "whom no story brought in" in house.stage.kept.told[-1].says
            assert house.desk.store.head()[0] == rows

    play(work)


# --- taking somebody's part


async def _waits_for(house: Theatre, persona: str) -> dict[str, Any]:
    found: dict[str, Any] = {}

    def look() -> bool:
        waiting = house.stage.as_document()["waiting_for"]
        found.update(waiting or {})
        return bool(waiting) and waiting["persona"] == persona and bool(waiting["approval"])

    await house.until(look)
    return found


@pytest.mark.parametrize("says", ["agree", "decline"])
def test_a_visitor_may_be_the_second_approver(tmp_path: Path, says: str) -> None:
    async def work() -> None:
        async with theatre(tmp_path) as house:
            playing = asyncio.create_task(house.played())
            await house.until(lambda: "approver-two" in house.stage.kept.people)
            me = await house.be("approver-two")
            waiting = await _waits_for(house, "approver-two")
            assert "switched on" in waiting["what"]
            assert 0 < waiting["left_s"] <= 20.0
            approval = await house.get(f"approvals/{waiting['approval']}", me)
            body = {"change": approval["change"]} if says == "agree" else {}
            path = f"/api/v1/approvals/{waiting['approval']}/{says}"
            assert (await house.client.post(path, json=body, headers=me)).status_code == 200
            began_s = time.monotonic()
            await playing
            assert time.monotonic() - began_s < 10.0, "it goes on at once"
            shown = await house.get("demo")
            assert (shown["ended"], shown["failed"]) == (True, 0)
            people = house.stage.kept.people
            rows = house.desk.store.journal(0, 5000)
            last = [row.event for row in rows if row.event.NAME == "approval.agreed/1"][-1]
            # Who declined is not made to agree: the other approver is asked.
            assert last.by == people["approver-two" if says == "agree" else "approver-one"]
            region = await house.get(f"regions/{shown['names']['region']}", me)
            assert region["status"] == "active"

    play(work)


def test_a_visitor_who_does_nothing_holds_it_up_as_long_as_it_says(tmp_path: Path) -> None:
    async def work() -> None:
        story = msgspec.structs.replace(morning(), patience_s=0.4)
        async with theatre(tmp_path, story) as house:
            playing = asyncio.create_task(house.played())
            await house.until(lambda: "approver-two" in house.stage.kept.people)
            await house.be("approver-two")
            await _waits_for(house, "approver-two")
            began_s = time.monotonic()
            await playing
            assert time.monotonic() - began_s > 0.2
            shown = await house.get("demo")
            assert (shown["ended"], shown["failed"]) == (True, 0)

    play(work)


def test_what_a_visitor_has_done_already_is_left_out(tmp_path: Path) -> None:
    async def work() -> None:
        async with theatre(tmp_path) as house:
            playing = asyncio.create_task(house.played())
            await house.until(lambda: "officer" in house.stage.kept.people)
            me = await house.be("officer")
            await house.until(lambda: (house.stage.waiting or Waiting).persona == "officer")
            paper = {
                "paper": "temporary-authorisation", "authority": "REGULATOR-DEMO", "document": "DEMO 7/22",
                "valid_from": "2022-02-26T17:00:00Z", "valid_until": "2022-04-26T18:00:00Z",
            }  # fmt: skip
            region = house.stage.kept.names["region"]
            response = await house.client.post(f"/api/v1/regions/{region}/grant", json=paper, headers=me)
            assert response.status_code == 200, response.text
            await playing
            shown = await house.get("demo")
            assert (shown["ended"], shown["failed"]) == (True, 0)
            assert [told["how"] for told in shown["told"] if told["by"] == "officer"] == ["left-out"]
            granted = await house.get(f"regions/{region}", me)
            assert granted["papers"]["temporary-authorisation"]["document"] == "DEMO 7/22"

    class Waiting:
        persona = ""

    play(work)


def test_it_stands_still_with_the_clock_and_goes_on_with_it(tmp_path: Path) -> None:
    story = msgspec.structs.replace(morning(), patience_s=0.3)

    async def work() -> None:
        async with theatre(tmp_path, story, 2_000.0) as house:
            playing = asyncio.create_task(house.played())
            await house.until(lambda: house.stage.kept.steps_done >= 7)
            me = await house.be("coordinator")
            stands = (await house.client.post("/api/v1/clock", json={"paused": True}, headers=me)).json()
            assert stands["paused"] is True
            # What was due by then is done, and no more.
            done = -1
            while done != house.stage.kept.steps_done:
                done = house.stage.kept.steps_done
                await asyncio.sleep(1.0)
            assert done < house.stage.steps
            assert (await house.get("clock", me))["now_us"] == stands["now_us"]
            # A leap takes it to the next steps, paused or not.
            await house.client.post("/api/v1/clock", json={"advance_s": 90_000}, headers=me)
            await house.until(lambda: house.stage.has_ended)
            runs = (await house.client.post("/api/v1/clock", json={"paused": False}, headers=me)).json()
            assert runs["paused"] is False
            assert runs["now_us"] >= stands["now_us"] + 90_000_000_000
            await playing

    play(work)


def test_only_its_own_people_are_played(tmp_path: Path) -> None:
    async def work() -> None:
        async with theatre(tmp_path, opening()) as house:
            login = "/api/v1/demo/login"
            early = await house.client.post(login, json={"persona": "viewer"})
            assert (early.status_code, early.json()["error"]["code"]) == (409, "demo.not-yet")
            await house.played()
            strange = await house.client.post(login, json={"persona": "minister"})
            assert (strange.status_code, strange.json()["error"]["code"]) == (422, "demo.persona")
            assert "approver-two" in strange.json()["error"]["way_out"]
            foreign = {"Origin": "https://example.org"}
            answer = await house.client.post(login, json={"persona": "viewer"}, headers=foreign)
            assert answer.status_code == 403
            # What a role may not do, it may not do here.
            viewer = await house.be("viewer")
            region = house.stage.kept.names["region"]
            said = await house.client.post(
                f"/api/v1/regions/{region}/suspend", json={"reason": "x"}, headers=viewer
            )
            assert said.status_code == 403
            person = house.stage.kept.people["viewer"]
            coordinator = await house.be("coordinator")
            locked = await house.client.post(
                f"/api/v1/persons/{person}/lock", json={"reason": "left"}, headers=coordinator
            )
            assert locked.status_code == 200
            again = await house.client.post(login, json={"persona": "viewer"})
            assert (again.status_code, again.json()["error"]["code"]) == (409, "person.not-active")

    play(work)


def test_a_real_service_has_none_of_it(tmp_path: Path) -> None:
    async def work() -> None:
        async with theatre(tmp_path, demo=False) as house:
            assert house.stage is None
            for path in ("/healthz", "/", "/api/v1/demo", "/demo", "/openapi.json"):
                response = await house.client.get(path)
                assert HEADER not in response.headers
                assert "demo" not in response.text.lower().replace("/demo", "")
            assert (await house.client.get("/api/v1/demo")).status_code == 404
            login = await house.client.post("/api/v1/demo/login", json={"persona": "coordinator"})
            assert login.status_code == 404

    play(work)


def test_one_click_makes_a_visitor_somebody(tmp_path: Path) -> None:
    async def work() -> None:
        async with theatre(tmp_path, opening()) as house:
            early = await house.client.get("/demo")
            assert "not here yet" in early.text
            assert early.headers["refresh"].startswith("3;")
            await house.played()
            page = await house.client.get("/demo")
            assert all(persona.name in page.text for persona in house.stage.story.persona)
            assert "refresh" not in page.headers, "it has ended"
            token = re.search(r'name="form_token" value="([^"]+)"', page.text)
            assert token
            form = {"form_token": token[1], "persona": "approver-two"}
            clock = {"form_token": token[1], "clock": "stop"}
            assert (await house.client.post("/demo", data=clock)).status_code == 303
            assert house.desk.clock.paused
            assert (await house.client.post("/demo", data={**clock, "clock": "run"})).status_code == 303
            assert not house.desk.clock.paused
            foreign = await house.client.post("/demo", data={**form, "form_token": "x"})
            assert foreign.status_code in (403, 422)
            assert not [name for name in foreign.cookies if "session" in name]
            strange = await house.client.post("/demo", data={**form, "persona": "<b>minister"})
            assert strange.status_code == 422
            assert "<b>" not in strange.text
            done = await house.client.post("/demo", data=form)
            assert (done.status_code, done.headers["location"]) == (303, "/start")
            assert "HttpOnly" in done.headers["set-cookie"]
            assert house.stage.is_taken("approver-two")
            for path in ("/start", "/approvals", "/regions", "/me"):
                shown = await house.client.get(path)
                assert shown.status_code == 200, path
                _says_demo(shown)
            assert "That is you" in (await house.client.get("/demo")).text

    play(work)


# --- DEMO on every page and answer


@pytest.mark.slow
def test_everything_that_leaves_says_demo_and_openapi_says_so(tmp_path: Path) -> None:
    async def work() -> None:
        async with theatre(tmp_path) as house:
            await house.played()
            document = (await house.client.get("/openapi.json")).json()
            assert document["info"]["title"].startswith("DEMO")
            assert "demo" not in document, "it would be no OpenAPI document"
            auditor, coordinator = await house.be("auditor"), await house.be("coordinator")
            schema = schemathesis.openapi.from_dict(document)
            names = house.stage.kept.names
            seen: set[int] = set()
            for path, methods in document["paths"].items():
                for method in methods:
                    if path in ("/api/v1/events", "/api/v1/live") or method not in ("get", "post"):
                        continue
                    who = {"get": auditor, "post": coordinator}[method]
                    body = {"json": {}} if method == "post" else {}
                    url = path.replace("{id}", names["region"])
                    response = await house.client.request(method, url, headers=who, **body)
                    seen.add(response.status_code)
                    _says_demo(response)
                    wanted = schemathesis.Response.from_httpx(response, verify=True)
                    schema[path][method].validate_response(wanted)
            assert {200, 201, 400, 404, 409, 503} <= seen
            for path in ("/", "/docs", "/demo", "/login", "/static/page.js", "/static/demo.css", "/none"):
                _says_demo(await house.client.get(path))
            _says_demo(await house.client.get("/api/v1/none"))
            _says_demo(await house.client.get("/api/v1/regions"))
            _says_demo(await house.client.get("/", headers={"Host": "example.org"}))

            async def broken(request: object) -> None:
                raise RuntimeError("CANARY")

            house.app.router.routes.insert(0, Route("/broken", broken))
            transport = httpx.ASGITransport(house.app, raise_app_exceptions=False)
            async with httpx.AsyncClient(transport=transport, base_url=BASE) as client:
                response = await client.get("/broken")
            assert response.status_code == 500
            _says_demo(response)

    play(work)


def _says_demo(response: httpx.Response) -> None:
    said = (response.status_code, response.url.path)
    assert response.headers[HEADER] == "1", said
    kind = response.headers.get("content-type", "").partition(";")[0]
    if kind == "application/feed+json":
        feed = response.json()
        assert all(one["title"].startswith("DEMO: ") for one in (feed, *feed["items"]))
        assert all(one["_demo"] == {"demo": True} for one in (feed, *feed["items"]))
    elif "json" in kind and response.url.path != "/openapi.json":
        assert response.json().get("demo") is True, (said, response.text[:200])
    if kind == "text/html":
        assert "<title>DEMO" in response.text, said
        assert response.text.count("data-demo") == 1, said
        assert ">DEMO</strong>" in response.text
    if "atom" in kind:
        assert "<title>DEMO" in response.text, said
    if "content-disposition" in response.headers:
        assert "DEMO-" in response.headers["content-disposition"], said
    assert int(response.headers.get("content-length", len(response.content))) == len(response.content)


def test_streams_say_it_with_every_event(tmp_path: Path) -> None:
    async def work() -> None:
        async with theatre(tmp_path, opening()) as house:
            await house.played()
            token = (await house.be("auditor"))["Authorization"]
            rows = await asyncio.wait_for(_first_events(house, "/api/v1/events", b"after=0", token), 10)
            assert len(rows) > 20
            assert all(row["demo"] is True for row in rows)
            assert [row["sequence"] for row in rows] == list(range(1, len(rows) + 1))

    play(work)


async def _first_events(house: Theatre, path: str, query: bytes, token: str) -> list[dict[str, Any]]:
    """What a stream tells first. The client of tests would wait for its end."""
    first: asyncio.Future[bytes] = asyncio.get_running_loop().create_future()
    headers = [(b"authorization", token.encode()), (b"host", b"127.0.0.1")]
    scope = {
        "type": "http", "http_version": "1.1", "method": "GET", "path": path, "raw_path": path.encode(),
        "query_string": query, "headers": headers, "scheme": "http", "client": ("127.0.0.1", 1),
        "server": ("127.0.0.1", 1), "root_path": "", "state": {}, "asgi": {"version": "3.0"},
    }  # fmt: skip

    async def receive() -> dict[str, Any]:
        await asyncio.sleep(60)
        return {"type": "http.disconnect"}

    async def send(message: Any) -> None:
        if message["type"] == "http.response.start":
            assert (b"skylift-demo", b"1") in message["headers"]
        elif b"data: " in message.get("body", b"") and not first.done():
            first.set_result(message["body"])

    streaming = asyncio.create_task(house.app(scope, receive, send))
    chunk = await first
    house.desk.end_streams()
    await streaming
    return [json.loads(line[6:]) for line in chunk.decode().splitlines() if line.startswith("data: ")]


_JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text().filter(lambda name: name != "demo"), inner),
)


@settings(max_examples=50, deadline=None)
@given(_JSON, st.sampled_from([None, 2]))
def test_a_marked_object_is_the_object_and_the_mark(value: Any, indent: int | None) -> None:
    body = json.dumps(value, indent=indent).encode()
    marked = json.loads(marked_json(body))
    assert marked == ({**value, "demo": True} if isinstance(value, dict) else value)


@settings(max_examples=50, deadline=None)
@given(st.lists(st.dictionaries(st.text().filter(lambda n: n != "demo"), st.text(), min_size=1)))
def test_marked_events_are_the_events_and_the_mark(rows: list[dict[str, str]]) -> None:
    chunk = b"".join(
        b"id: %d\nevent: x\ndata: %s\n\n" % (n, json.dumps(r).encode()) for n, r in enumerate(rows)
    )
    lines = marked_events(chunk).decode().split("\n")
    assert [json.loads(line[6:]) for line in lines if line.startswith("data: ")] == [
        {**row, "demo": True} for row in rows
    ]
    assert marked_events(b": still here\n\n") == b": still here\n\n"
    assert marked_events(b"data: {}\n\n") == b"data: {}\n\n"


def test_a_page_is_marked_once() -> None:
    page = b"<!doctype html><html><head><title>x</title></head><body class='y'><p>z</p></body></html>"
    once = marked_page(page)
    assert once.count(b"data-demo") == 1
    assert b"<title>DEMO: x</title>" in once
    assert once.index(b"<body class='y'>") < once.index(b"data-demo") < once.index(b"<p>z</p>")
    assert marked_page(once) == once


@pytest.mark.parametrize(
    ("name", "marked"),
    [
        ('attachment; filename="a.csv"', 'attachment; filename="DEMO-a.csv"'),
        ("attachment; filename=a.csv", "attachment; filename=DEMO-a.csv"),
        ("attachment; filename*=UTF-8''a.csv", "attachment; filename*=UTF-8''DEMO-a.csv"),
        ("inline", "inline"),
    ],
)
def test_a_file_is_named_as_a_demos(name: str, marked: str) -> None:
    assert marked_name(name) == marked
    assert marked_name(marked) == marked


# --- nothing real


def test_no_door_lets_in_what_is_real(tmp_path: Path) -> None:
    async def work() -> None:
        async with theatre(tmp_path, opening()) as house:
            await house.played()
            me = await house.be("coordinator")
            doors = [door for door in office_doors(house.desk) if brings_in(door)]
            paths = {door.path for door in doors}
            assert {"/api/v1/shipments/{id}/import-lines", "/api/v1/allow-lists"} <= paths
            assert "/api/v1/terminals/imports" in paths
            rows = house.desk.store.head()[0]
            for door in doors:
                path = door.path.replace("{id}", "shp_none")
                response = await house.client.request(door.method, path, headers=me, json={})
                error = response.json()["error"]
                assert (response.status_code, error["code"]) == (409, "demo.refused"), door.path
                assert "without --demo" in error["way_out"]
            assert house.desk.store.head()[0] == rows
            # Lists of them may be read, as far as there are any.
            assert (await house.client.get("/api/v1/allow-lists", headers=me)).status_code == 200

    play(work)


# Doors beside the verbs that bring nothing in: who somebody is, questions, the clock, taking away.
HARMLESS = re.compile(
    r"/(setup|login|logout|totp|totp/confirm|tokens|invite|may-serve|clock|check-scans|emulated-dishes)$"
    r"|/(tokens/\{id\}|personal|keys/\{key\}|demo/login|demo/clock|demo)$"
)


def test_every_door_beside_the_verbs_is_known_to_be_harmless_or_refused(tmp_path: Path) -> None:
    async def work() -> None:
        async with theatre(tmp_path, opening()) as house:
            verbs = {
                f"/api/v1/{plural(verb.kind)}" + ("" if verb.creates else f"/{{id}}/{verb.action}")
                for verb in TABLE.verbs.values()
            }
            for path, methods in house.app.openapi()["paths"].items():
                for method in {name.upper() for name in methods} - {"GET"}:
                    door = Door(method, path, _not_called, "", "", {})
                    named = path in verbs or HARMLESS.search(path) or brings_in(door)
                    assert named, f"{method} {path}: may a demo take it in? See api/demo/guard.py"

    play(work)


async def _not_called(call: Any) -> Any:
    raise AssertionError("not called")


@pytest.mark.parametrize(
    ("method", "path", "what"),
    [
        ("POST", "/api/v1/agents", "an agent"),
        ("POST", "/api/v1/agents/{id}/heartbeat", "an agent"),
        ("POST", "/api/v1/telemetry", "an agent"),
        ("POST", "/api/v1/imports", "an import"),
        ("POST", "/api/v1/requests/imports", "an import"),
        ("PUT", "/api/v1/requests/import-csv", "an import"),
        ("POST", "/api/v1/appstats/bulk-import", "an import"),
        ("GET", "/api/v1/imports", ""),
        ("POST", "/api/v1/requests", ""),
        ("POST", "/api/v1/importance", ""),
        ("POST", "/api/v1/appstats/uses", "an agent"),
        ("POST", "/api/v1/terminals/{id}/usage", "an agent"),
        ("GET", "/api/v1/terminals/{id}/usage", ""),
        ("POST", "/api/v1/terminals/{id}/enrolment-codes", "an agent"),
        ("POST", "/api/v1/app-figures", "an import"),
    ],
)
def test_a_door_says_by_its_path_what_it_lets_in(method: str, path: str, what: str) -> None:
    async def handle(call: Any) -> Any:
        raise AssertionError("not called")

    assert brings_in(Door(method, path, handle, "", "", {})) == what


@pytest.mark.parametrize(
    "url",
    ["https://example.org/hook", "http://198.51.100.7/", "http://[::ffff:8.8.8.8]/", "nonsense", "http://["],
)
def test_webhooks_go_nowhere_but_here(tmp_path: Path, url: str) -> None:
    async def work() -> None:
        async with theatre(tmp_path, opening()) as house:
            await house.played()
            assert isinstance(house.desk.sender, LoopbackSender)
            me = await house.be("coordinator")
            response = await house.client.post("/api/v1/webhooks", json={"url": url, "kinds": []}, headers=me)
            assert (response.status_code, response.json()["error"]["code"]) == (409, "demo.refused"), (
                response.text
            )
            assert url not in response.text

    play(work)


def test_an_address_of_this_machine_will_do() -> None:
    for url in ("http://127.0.0.1:9000/hook", "http://localhost/x", "http://[::1]:80/"):
        refuse_far(url)
    with pytest.raises(Conflict):
        refuse_far("https://127.0.0.1.example.org/")


def test_what_is_told_on_a_terminal_names_who_and_how() -> None:
    from skylift.api.demo.stage import Told

    told = Told(
        at_us=1_645_876_800_000_000, chapter="", by="field-worker", says="Up.", how="failed", code="x.y"
    )
    line = says_line(told, packaged_story().persona)
    assert line == "DEMO 02-26 12:00  Field Worker: Up. [did not work: x.y]"
