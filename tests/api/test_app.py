"""The API over what a sky process might tell it; no process runs here."""

from __future__ import annotations

import asyncio
import json
import math
import re
from array import array
from collections.abc import AsyncIterator
from typing import Any

import httpx
import pytest

from skylift.adapters.sky_messages import Failed, Hello, MapReady, SlotReport
from skylift.api import models
from skylift.api.app import create_app
from skylift.api.state import MOST_SLOTS, SLOTS_WITH_POSITIONS, LiveState
from skylift.api.stream import LiveStream, events
from skylift.base.instants import InstantUs, format_instant

SLOT_US = 15_000_000
FIRST = 1_700_000_007_000_000


class FakeClock:
    """Shows what it is told."""

    speed = 1.0
    paused = False

    def __init__(self, at: int) -> None:
        self.at = at

    def now(self) -> InstantUs:
        return InstantUs(self.at)


HELLO = Hello(
    norad=array("i", [11, 22, 100_033]).tobytes(),
    names=("ONE", "TWO", ""),
    terminals=("a", "b"),
    slot_length_us=SLOT_US,
    terminals_document=b'{"terminals":[]}',
    gateways_document=b'{"gateways":[],"pops":[]}',
    about={"time_shift_s": 0.0, "warnings": []},
)


def slot(index: int, late: bool = False, padding: int = 0) -> SlotReport:
    at_us = FIRST + index * SLOT_US
    links = {"at_us": at_us, "late": late, "links": [], "padding": "x" * padding}
    return SlotReport(
        at_us=at_us,
        late=late,
        links=json.dumps(links).encode(),
        latitude_deg=array("d", [1.0, 2.0, math.nan]).tobytes(),
        longitude_deg=array("d", [3.0, 4.0, math.nan]).tobytes(),
        altitude_km=array("d", [550.0, 560.0, math.nan]).tobytes(),
        pair_offset=array("q", [0, 1, 1]).tobytes(),
        pair_satellite=array("i", [1]).tobytes(),
        pair_elevation_deg=array("d", [33.5]).tobytes(),
        pair_azimuth_deg=array("d", [270.0]).tobytes(),
        pair_usable=b"\x01",
    )


def begun(slots: int, into_last_us: int = 5_000_000) -> LiveState:
    """A state that has been told of so many slots, its clock within the last of them."""
    state = LiveState(FakeClock(FIRST + (slots - 1) * SLOT_US + into_last_us))  # type: ignore[arg-type]
    state.take(HELLO)
    for index in range(slots):
        state.take(slot(index))
    return state


def ask(state: LiveState, path: str, method: str = "GET", **headers: str) -> httpx.Response:
    async def go() -> httpx.Response:
        transport = httpx.ASGITransport(create_app(state))
        async with httpx.AsyncClient(transport=transport, base_url="http://127.0.0.1:8480") as client:
            return await client.request(method, path, headers=headers)

    return asyncio.run(go())


def error_of(response: httpx.Response) -> dict[str, str]:
    return models.Error.model_validate_json(response.text).error.model_dump()


def test_alive_from_the_start_and_ready_with_the_first_slot() -> None:
    state = LiveState(FakeClock(FIRST))  # type: ignore[arg-type]
    assert ask(state, "/healthz").json() == {"status": "ok"}
    for told, reason in ((None, "being loaded"), (HELLO, "being computed")):
        if told:
            state.take(told)
        response = ask(state, "/readyz")
        assert (response.status_code, "retry-after" in response.headers) == (503, True)
        assert reason in error_of(response)["rule"]
    assert ask(state, "/api/v1/links").status_code == 503
    state.take(slot(0))
    assert ask(state, "/readyz").json() == {"status": "ready", "slot_at_us": FIRST}


def test_not_ready_while_the_sky_is_down_or_behind() -> None:
    state = begun(3)
    state.sky_is_down("the sky process ended")
    assert "ended" in error_of(ask(state, "/readyz"))["rule"]
    assert ask(state, "/api/v1/links").status_code == 200, (
        "the last known slot is still told, with its instant"
    )
    state.clock.at += SLOT_US  # type: ignore[union-attr, misc]
    state.take(slot(3))
    assert ask(state, "/readyz").status_code == 200
    state.clock.at += 60_000_000  # type: ignore[union-attr, misc]
    assert "does not keep up" in error_of(ask(state, "/readyz"))["rule"]


def test_a_slot_becomes_the_present_one_when_it_begins() -> None:
    async def go() -> None:
        state = begun(2)
        state.take(slot(2))
        assert state.present().at_us == FIRST + SLOT_US  # type: ignore[union-attr]
        assert state.slot_at(FIRST + 2 * SLOT_US) is not None, "known already to those who ask for it"
        state.clock.at = FIRST + 2 * SLOT_US  # type: ignore[union-attr, misc]
        assert state.present().at_us == FIRST + 2 * SLOT_US  # type: ignore[union-attr]

    asyncio.run(go())


@pytest.mark.parametrize("within_us", [0, 1, SLOT_US - 1])
@pytest.mark.parametrize("as_text", [str, format_instant])
def test_any_instant_of_a_slot_finds_it(within_us: int, as_text: Any) -> None:
    response = ask(begun(5), f"/api/v1/links?at={as_text(FIRST + 2 * SLOT_US + within_us)}")
    assert response.json()["at_us"] == FIRST + 2 * SLOT_US


def test_satellites_all_in_view_or_of_a_terminal() -> None:
    state = begun(1)
    every = ask(state, "/api/v1/satellites")
    assert [s.norad for s in models.Satellites.model_validate_json(every.text).satellites] == [11, 22]
    in_view = ask(state, "/api/v1/satellites?in_view=true").json()
    assert [s["norad"] for s in in_view["satellites"]] == [22]
    [seen] = ask(state, "/api/v1/satellites?terminal=a").json()["satellites"]
    assert (seen["name"], seen["elevation_deg"], seen["azimuth_deg"], seen["usable"]) == (
        "TWO",
        33.5,
        270.0,
        True,
    )
    assert ask(state, "/api/v1/satellites?terminal=b").json()["satellites"] == []


@pytest.mark.parametrize(
    ("path", "method", "status", "code"),
    [
        ("/nothing", "GET", 404, "path.unknown"),
        ("/api/v1/links?att=2024-01-01", "GET", 400, "parameter.unknown"),
        ("/api/v1/links?at=yesterday", "GET", 400, "instant.unreadable"),
        ("/api/v1/links?at=2024-01-01", "GET", 404, "slot.not_kept"),
        ("/api/v1/links?at=" + "9" * 400, "GET", 404, "slot.not_kept"),
        ("/api/v1/satellites?terminal=nobody", "GET", 404, "terminal.unknown"),
        ("/api/v1/satellites?in_view=perhaps", "GET", 400, "parameter.wrong"),
        ("/api/v1/links", "POST", 405, "method.not_allowed"),
        ("/api/v1/links", "DELETE", 405, "method.not_allowed"),
        ("/api/v1/map", "GET", 503, "service.not_ready"),
    ],
)
def test_every_error_has_one_shape(path: str, method: str, status: int, code: str) -> None:
    response = ask(begun(1), path, method)
    assert (response.status_code, error_of(response)["code"]) == (status, code)


def test_what_breaks_inside_is_said_without_its_inside() -> None:
    state = begun(1)
    state.take(MapReady(None))  # type: ignore[arg-type]
    state.about = lambda: 1 / 0  # type: ignore[method-assign, assignment, return-value]

    async def go() -> httpx.Response:
        transport = httpx.ASGITransport(create_app(state), raise_app_exceptions=False)
        async with httpx.AsyncClient(transport=transport, base_url="http://localhost") as client:
            return await client.get("/api/v1/about")

    response = asyncio.run(go())
    assert response.status_code == 500
    assert error_of(response)["code"] == "service.broken"
    assert "division" not in response.text


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({"host": "example.org"}, 421),
        ({"host": "localhost:8480"}, 200),
        ({"origin": "http://example.org"}, 403),
        ({"origin": "null"}, 403),
        ({"origin": "http://localhost:8480"}, 200),
    ],
)
def test_other_sites_are_kept_out(headers: dict[str, str], status: int) -> None:
    response = ask(begun(1), "/api/v1/links", **headers)
    assert response.status_code == status
    assert "access-control-allow-origin" not in response.headers
    assert "default-src 'none'" in response.headers["content-security-policy"]
    if status != 200:
        assert error_of(response)["way_out"]


def test_the_ring_is_bounded_in_slots_and_in_bytes() -> None:
    state = begun(MOST_SLOTS + 10)
    assert state.oldest_us == FIRST + 10 * SLOT_US
    large = LiveState(FakeClock(FIRST + 99 * SLOT_US))  # type: ignore[arg-type]
    large.take(HELLO)
    for index in range(20):
        large.take(slot(index, padding=8 << 20))
    assert large.oldest_us is not None
    assert 2 <= (large.newest_us - large.oldest_us) // SLOT_US + 1 <= 4  # type: ignore[operator]
    assert ask(state, f"/api/v1/satellites?at={state.oldest_us}").status_code == 404
    kept = FIRST + (MOST_SLOTS + 10 - SLOTS_WITH_POSITIONS) * SLOT_US
    assert ask(state, f"/api/v1/satellites?at={kept}").status_code == 200


def test_a_slot_computed_again_after_a_restart_is_not_told_twice() -> None:
    state = begun(3)
    state.take(slot(2))
    assert [kept.at_us for kept in state.after(0)] == [FIRST + i * SLOT_US for i in range(3)]


def test_what_could_never_be_loaded_ends_the_service_and_what_broke_later_does_not() -> None:
    failed = Failed({"code": "a.b", "thing": "the catalogue", "rule": "is empty", "way_out": "w"}, True)
    fresh, running = LiveState(FakeClock(FIRST)), begun(1)  # type: ignore[arg-type]
    fresh.take(failed)
    running.take(failed)
    assert (fresh.fatal, fresh.closed) == (failed, True)
    assert (running.fatal, running.closed) == (None, False)
    assert running.why_not_ready() == "the catalogue: is empty"


# --- the live stream


async def take(stream: AsyncIterator[bytes], count: int) -> list[bytes]:
    return [await asyncio.wait_for(anext(stream), 2.0) for _ in range(count)]


def ids(chunks: list[bytes]) -> list[int]:
    return [int(found) for chunk in chunks for found in re.findall(rb"^id: (\d+)$", chunk, re.M)]


def test_a_new_stream_begins_with_the_present_slot_and_goes_on() -> None:
    async def go() -> None:
        state = begun(3)
        stream = events(state, None)
        first = await take(stream, 2)
        assert first[0].startswith(b"retry: ")
        assert ids(first) == [FIRST + 2 * SLOT_US]
        waiting = asyncio.ensure_future(anext(stream))
        await asyncio.sleep(0)
        state.clock.at += SLOT_US  # type: ignore[union-attr, misc]
        state.take(slot(3))
        assert ids([await asyncio.wait_for(waiting, 2.0)]) == [FIRST + 3 * SLOT_US]

    asyncio.run(go())


def test_a_slot_that_is_known_early_is_told_when_it_begins() -> None:
    async def go() -> None:
        state = begun(1)
        stream = events(state, FIRST, heartbeat_s=0.01)
        await take(stream, 1)
        state.take(slot(1))
        assert await take(stream, 2) == [b": still here\n\n"] * 2
        state.clock.at = FIRST + SLOT_US  # type: ignore[union-attr, misc]
        while not (found := ids(await take(stream, 1))):
            pass
        assert found == [FIRST + SLOT_US]

    asyncio.run(go())


def test_a_stream_resumes_after_the_last_event() -> None:
    async def go() -> None:
        chunks = await take(events(begun(6), FIRST + 2 * SLOT_US), 4)
        assert ids(chunks) == [FIRST + i * SLOT_US for i in (3, 4, 5)]
        for chunk in chunks[1:]:
            kind, data = re.fullmatch(rb"id: \d+\nevent: (\w+)\ndata: (.*)\n\n", chunk).groups()  # type: ignore[union-attr]
            assert kind == b"slot"
            json.loads(data)

    asyncio.run(go())


def test_streams_end_when_the_service_closes() -> None:
    async def go() -> None:
        state = begun(1)
        stream = events(state, FIRST)
        await take(stream, 1)
        waiting = asyncio.ensure_future(anext(stream, None))
        await asyncio.sleep(0)
        state.close()
        assert await asyncio.wait_for(waiting, 2.0) is None

    asyncio.run(go())


def test_a_reader_that_does_not_read_is_cut_off(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("skylift.api.stream.SEND_WITHIN_S", 0.02)

    async def go() -> None:
        streams: set[LiveStream] = set()
        sent = []

        async def send(message: Any) -> None:
            sent.append(message)
            if len(sent) > 2:
                await asyncio.sleep(3600)

        async def receive() -> Any:
            await asyncio.sleep(3600)

        stream = LiveStream(begun(5), FIRST, streams)
        await asyncio.wait_for(stream({"type": "http"}, receive, send), 2.0)
        assert len(sent) == 3, "no more than one event waits for a reader"
        assert not streams

    asyncio.run(go())


@pytest.mark.parametrize("event_id", ["abc", "-1", "1.5", "9" * 30])
def test_a_strange_event_id_is_refused(event_id: str) -> None:
    response = ask(begun(1), "/api/v1/live", **{"last-event-id": event_id})
    assert (response.status_code, error_of(response)["code"]) == (400, "stream.event_id")


# --- what is handed out with it


def test_the_page_asks_nothing_of_other_hosts_and_needs_no_inline_code() -> None:
    state = begun(1)
    html = ask(state, "/").text
    for name in re.findall(r'(?:src|href)="(/static/[^"]+)"', html):
        assert ask(state, name).status_code == 200
    for text in (
        html,
        *(ask(state, f"/static/{name}").text for name in ("page.js", "map.js", "page.css", "icon.svg")),
    ):
        hosts = set(re.findall(r"https?://([^/\"' )]+)", text))
        assert hosts <= {"www.w3.org"}, "only the name of SVG, which is never fetched"
        assert "@import" not in text
    assert not re.search(r"<script(?![^>]*src=)|<style|\sstyle=|\son\w+=", html)


def test_openapi_describes_every_path_and_the_docs_page_shows_it() -> None:
    state = begun(1)
    document = ask(state, "/openapi.json").json()
    wanted = {"satellites", "links", "terminals", "gateways", "live", "map", "about"}
    wanted |= {"sky/terminals"}
    assert {f"/api/v1/{name}" for name in wanted} | {"/healthz", "/readyz"} == set(document["paths"])
    docs = ask(state, "/docs")
    assert docs.headers["content-type"].startswith("text/html")
    for path in document["paths"]:
        assert path in docs.text
    assert not re.search(r"https?://", docs.text)


def test_links_are_described_field_by_field_as_in_the_file() -> None:
    from skylift.adapters.links_file import _FIELDS

    assert [field.name for field in _FIELDS] == list(models.Link.model_fields)


def test_the_model_knows_every_reason_for_being_down() -> None:
    from typing import get_args

    from skylift.base.link import WhyDown

    labels = {why.label for why in WhyDown if why is not WhyDown.UP}
    assert set(get_args(models.WhyDownName)) == labels
    script = ask(begun(1), "/static/page.js").text
    for label in labels:
        assert f"  {label}: " in script, "the page has words for it"
