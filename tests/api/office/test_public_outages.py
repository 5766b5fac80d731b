"""The public status of outages: what everybody reads, what nobody may, and the same in IODA's shape."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import feedparser
import httpx
import numpy as np
import pytest

from skylift.api.office import feeds
from skylift.base.instants import parse_instant
from skylift.watch.ioda import severity_score
from tests.api.office.conftest import CELLS, Person, Town

MINUTE_US = 60_000_000
# The town's clock begins at noon.
BEGAN, SURE = "2022-02-26T03:10:00Z", "2022-02-26T03:20:00Z"
NETWORK = {
    "kind": "as",
    "code": "AS64500",
    "title": "Example Telecom",
    "title_uk": "Приклад",
    "country": "UA",
}
LEVEL = {"fraction": 0.18, "low": 0.15, "high": 0.21, "signals": ["ping-slash24"], "targets": 400}
EVENTS, ALERTS = "/api/v1/ioda/v2/outages/events", "/api/v1/ioda/v2/outages/alerts"
PATHS = (
    "/public/outages", "/public/outages/en", "/public/outages/uk", "/feeds/outages.en.atom",
    "/feeds/outages.uk.atom", "/feeds/outages.en.json", "/feeds/outages.uk.json", EVENTS, ALERTS,
    f"{EVENTS}?format=ioda&includeAlerts=true",
)  # fmt: skip


@pytest.fixture(autouse=True)
def _always_anew(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(feeds, "ANEW_AFTER_S", -1.0)


def get(town: Town, path: str, **headers: str) -> httpx.Response:
    """As anybody: without a token."""
    return town.client.get(path, headers={k.replace("_", "-"): v for k, v in headers.items()})


def record(operator: Person, **other: Any) -> str:
    body = {"entity": NETWORK, "began_at": BEGAN, "confirmed_at": SURE, "level": LEVEL, **other}
    return str(operator.made("outages", **body)["id"])


def wait(town: Town) -> None:
    """Until what is recorded by now is told, to the minute: half past twelve."""
    town.desk.advance(30 * MINUTE_US)  # type: ignore[misc]


def named(code: str, kind: str, title: str = "") -> dict[str, str]:
    return {"kind": kind, "code": code, "title": title or code, "country": "UA"}


def test_everybody_reads_the_sentence_in_both_languages(town: Town, staff: dict[str, Person]) -> None:
    id = record(staff["operator"])
    # The detector was sure nine hours ago; nobody could have held it before now.
    assert get(town, f"/public/outages/{id}").status_code == 404
    wait(town)
    english = "Connectivity of Example Telecom (AS64500) fell to 18 % (15-21) of ordinary levels at 03:10 UTC"
    ukrainian = "Приклад (AS64500): зв&#x27;язність впала до 18 % (15-21) звичайного рівня о 03:10 UTC"
    assert english in get(town, "/public/outages").text
    assert ukrainian in get(town, "/public/outages/uk").text
    one = get(town, f"/public/outages/{id}").text
    assert english in one
    assert ukrainian in one
    assert "Still down" in one
    read = feedparser.parse(get(town, "/feeds/outages.en.atom").content)
    assert not read.bozo
    [entry] = read.entries
    assert (entry.id, english in entry.content[0].value) == (f"urn:skylift:outage:{id}", True)
    # The public learns half an hour after it was recorded, at noon.
    assert entry.published_parsed[:5] == (2022, 2, 26, 12, 30)
    [item] = get(town, "/feeds/outages.uk.json").json()["items"]
    assert "впала до 18 %" in item["content_text"]
    assert item["tags"] == ["as", "open", "critical"]
    assert get(town, item["url"].removeprefix(town.desk.public.url)).status_code == 200


def test_it_is_told_when_it_is_over_and_why_as_sources_say(town: Town, staff: dict[str, Person]) -> None:
    operator = staff["operator"]
    id = record(operator)
    operator.made(f"outages/{id}/close", ended_at="2022-02-26T05:00:00Z")
    claim = {
        "publisher": "News <b>",
        "url": "https://example.org/x?a=1&b=2",
        "published_at": SURE,
    }
    operator.made(f"outages/{id}/explain", cause="cyber-attack", claims=[claim])
    operator.made(f"outages/{id}/confirm")
    wait(town)
    text = get(town, "/public/outages").text
    assert "recovered at 05:00 UTC" in text
    assert "Sources attribute it to a cyber-attack (News &lt;b&gt;)" in text
    assert 'href="https://example.org/x?a=1&amp;b=2"' in text
    assert "<b>" not in text
    assert "Confirmed by a person" in text
    assert operator.id not in text
    assert "https://example.org/x" in get(town, "/feeds/outages.en.json").json()["items"][0]["content_text"]


def test_what_nobody_may_know_appears_nowhere(town: Town, staff: dict[str, Person]) -> None:
    operator = staff["operator"]
    shown = record(operator, entity=named("UA", "country", "Ukraine"))
    hidden = [
        record(operator, entity=named(CELLS[0], "cell", "CANARY")),
        record(operator, entity=named("CANARY-polygon", "polygon")),
        record(operator, entity=named("CANARY-city", "city")),
        # A region that is called by its cell.
        record(operator, entity=named(CELLS[1], "region")),
        record(operator, entity=named("CANARY-r", "region", f"around {CELLS[1].upper()}")),
        record(operator, entity=named("CANARY-19", "own-terminals"), level={**LEVEL, "targets": 19}),
    ]
    held = record(operator, entity=named("CANARY-held", "as"))
    operator.made(f"outages/{held}/hold", reason="CANARY people are leaving")
    dismissed = record(operator, entity=named("CANARY-none", "as"))
    operator.made(f"outages/{dismissed}/dismiss", reason="CANARY our own prober")
    merged = record(operator, entity=named("CANARY-part", "as"))
    operator.made(f"outages/{merged}/merge", into=shown)
    # A crowd that has shrunk is none any more.
    shrunk = record(operator, entity=named("CANARY-shrunk", "own-terminals"), level={**LEVEL, "targets": 20})
    less = {**LEVEL, "targets": 19, "fraction": 0.2}
    operator.made(f"outages/{shrunk}/update", measured_at="2022-02-26T04:00:00Z", level=less)
    wait(town)
    # Recorded now, however old it is.
    hidden.append(record(operator, entity=named("CANARY-young", "as")))
    for path in (*PATHS, f"/public/outages/{shown}"):
        response = get(town, path)
        assert response.status_code == 200
        assert "Ukraine" in response.text or "Україн" in response.text, path
        assert "CANARY" not in response.text, path
        for secret in (*CELLS, *hidden, held, dismissed, merged, shrunk):
            assert secret.upper() not in response.text.upper(), (path, secret)
    for id in (*hidden, held, dismissed, merged, shrunk, "out_absent", "x" * 300):
        assert get(town, f"/public/outages/{id}").status_code == 404


def test_time_alone_tells_of_it_and_a_hold_takes_it_back(town: Town, staff: dict[str, Person]) -> None:
    operator = staff["operator"]
    id = record(operator, confirmed_at="2022-02-26T11:31:00Z", began_at="2022-02-26T11:20:00Z")
    before = get(town, "/feeds/outages.en.json")
    assert before.json()["items"] == []
    town.desk.advance(29 * MINUTE_US)  # type: ignore[misc]
    assert get(town, "/feeds/outages.en.json").json()["items"] == []
    town.desk.advance(MINUTE_US)  # type: ignore[misc]
    after = get(town, "/feeds/outages.en.json", If_None_Match=before.headers["etag"])
    assert [item["id"] for item in after.json()["items"]] == [f"urn:skylift:outage:{id}"]
    assert after.headers["last-modified"] > before.headers["last-modified"]
    town.desk.advance(MINUTE_US)  # type: ignore[misc]
    operator.made(f"outages/{id}/hold", reason="people are still leaving")
    # What has gone is a change as well: it must not be answered with "you have it".
    held = get(town, "/feeds/outages.en.json", If_Modified_Since=after.headers["last-modified"])
    assert (held.status_code, held.json()["items"]) == (200, [])
    assert get(town, f"/public/outages/{id}").status_code == 404


@pytest.mark.parametrize("path", ["/public/outages", "/feeds/outages.uk.atom", "/feeds/outages.en.json"])
def test_what_somebody_has_is_not_sent_again(town: Town, staff: dict[str, Person], path: str) -> None:
    operator = staff["operator"]
    id = record(operator)
    wait(town)
    first = get(town, path)
    etag, modified = first.headers["etag"], first.headers["last-modified"]
    for headers in ({"If_None_Match": etag}, {"If_Modified_Since": modified}):
        again = get(town, path, **headers)
        assert (again.status_code, again.content, again.headers["etag"]) == (304, b"", etag)
    # Nothing about what is not told may be read off a tag or a date.
    town.desk.advance(MINUTE_US)  # type: ignore[misc]
    record(operator, entity=named(CELLS[0], "cell"))
    same = get(town, path)
    assert (same.headers["etag"], same.headers["last-modified"]) == (etag, modified)
    level = {**LEVEL, "fraction": 0.5, "low": 0.4, "high": 0.6}
    operator.made(f"outages/{id}/update", measured_at="2022-02-26T12:30:30Z", level=level)
    after = get(town, path, If_None_Match=etag)
    assert after.status_code == 200
    assert after.headers["last-modified"] > modified


def test_made_up_data_say_so_everywhere(town: Town, staff: dict[str, Person]) -> None:
    id = record(staff["operator"], synthetic=True)
    wait(town)
    for path in (*PATHS, f"/public/outages/{id}"):
        text = get(town, path).text.lower()
        assert "synthetic" in text or "вигадані" in text, path
    assert feedparser.parse(get(town, "/feeds/outages.en.atom").content).entries[0].title.startswith("[synth")


def test_an_empty_status_says_so(town: Town, staff: dict[str, Person]) -> None:
    assert "No outage is known" in get(town, "/public/outages").text
    first, second = (get(town, "/feeds/outages.en.atom") for _ in range(2))
    assert not feedparser.parse(first.content).bozo
    assert first.content == second.content
    assert get(town, EVENTS).json()["data"] == []


# --- IODA's shape, as its published answers have it: every key, and the type of each value

ENVELOPE: Mapping[str, Any] = {
    "type": str, "metadata": dict, "requestParameters": dict, "error": type(None), "perf": type(None),
    "data": list, "copyright": str,
}  # fmt: skip
CODF = {
    "location": str, "start": int, "duration": int, "uncertainty": type(None), "status": int,
    "fraction": type(None), "score": float, "location_name": str, "overlaps_window": bool, "datasource": str,
    "method": str,
}  # fmt: skip
IODA = {"from": int, "until": int, "entity": dict, "score": float, "datasource": str}
ALERT = {
    "datasource": str, "entity": dict, "time": int, "level": str, "condition": str, "value": float,
    "historyValue": float, "method": str,
}  # fmt: skip
ENTITY = {"code": str, "name": str, "type": str, "subnames": dict, "attrs": dict}


def shaped(document: dict[str, Any], shape: Mapping[str, Any]) -> None:
    assert {name: type(value) for name, value in document.items()} == shape


def test_a_program_for_ioda_reads_our_events_field_by_field(town: Town, staff: dict[str, Person]) -> None:
    operator = staff["operator"]
    id = record(operator, began_at="2022-02-26T03:10:00Z")
    operator.made(f"outages/{id}/close", ended_at="2022-02-26T05:00:00Z")
    record(operator, entity=named("UA", "country", "Ukraine"), level={**LEVEL, "fraction": 0.6, "high": 0.7})
    wait(town)
    noon = int(parse_instant("2022-02-26T12:00:00Z")) // 1_000_000
    answer = get(town, f"{EVENTS}?from={noon - 86_400}&until={noon}&limit=10").json()
    shaped(answer, ENVELOPE)
    assert answer["type"] == "outages.events"
    assert answer["requestParameters"] == {
        "from": str(noon - 86_400), "until": str(noon), "limit": "10"
    }  # fmt: skip
    for event in answer["data"]:
        shaped(event, CODF)
    network = next(event for event in answer["data"] if event["location"] == "asn/64500")
    began = int(parse_instant(BEGAN)) // 1_000_000
    assert (network["start"], network["duration"], network["overlaps_window"]) == (began, 6600, False)
    assert network["location_name"] == "Example Telecom"
    assert network["score"] == pytest.approx(float(severity_score(np.array(0.82), np.array(110.0))))
    country = next(event for event in answer["data"] if event["location"] == "country/UA")
    assert (country["duration"], country["overlaps_window"]) == (noon - began, True)
    other = get(town, f"{EVENTS}?from={noon - 86_400}&until={noon}&format=ioda").json()
    for event in other["data"]:
        shaped(event, IODA)
        shaped(event["entity"], ENTITY)
        assert set(event["entity"]["attrs"]) == {"fqid", "country_code"}
    pairs = zip(answer["data"], other["data"], strict=True)
    for codf, ioda in pairs:
        assert ioda["until"] - ioda["from"] == codf["duration"]
        assert codf["location"] == f"{ioda['entity']['type']}/{ioda['entity']['code']}"
    with_alerts = get(town, f"{EVENTS}?format=ioda&includeAlerts=true&entityType=asn&entityCode=64500").json()
    [event] = with_alerts["data"]
    assert [alert["level"] for alert in event["alerts"]] == ["critical", "normal"]


def test_alerts_begin_and_end_what_events_span(town: Town, staff: dict[str, Person]) -> None:
    operator = staff["operator"]
    id = record(operator)
    operator.made(f"outages/{id}/close", ended_at="2022-02-26T05:00:00Z")
    wait(town)
    answer = get(town, ALERTS).json()
    assert answer["type"] == "outages.alerts"
    first, last = answer["data"]
    shaped(first, ALERT)
    shaped(first["entity"], ENTITY)
    assert (first["level"], first["condition"], first["value"], first["historyValue"]) == (
        "critical", "< 0.8", 0.18, 1.0,
    )  # fmt: skip
    # How far above 0.9 it closed is not recorded, and is not made up.
    shaped(last, {**ALERT, "value": type(None)})
    assert (last["level"], last["condition"]) == ("normal", "> 0.9")
    [event] = get(town, EVENTS).json()["data"]
    assert (first["time"], last["time"] - first["time"]) == (event["start"], event["duration"])


def test_choosing_among_events(town: Town, staff: dict[str, Person]) -> None:
    level = {**LEVEL, "signals": ["ping-slash24", "bgp"]}
    record(staff["operator"], level=level)
    wait(town)
    noon = int(parse_instant("2022-02-26T12:00:00Z")) // 1_000_000
    assert [e["datasource"] for e in get(town, EVENTS).json()["data"]] == ["ping-slash24", "bgp"]
    [bgp] = get(town, f"{EVENTS}?datasource=bgp").json()["data"]
    [overall] = get(town, f"{EVENTS}?overall=true").json()["data"]
    assert overall["score"] == pytest.approx(bgp["score"] ** 2)
    assert len(get(town, f"{EVENTS}?limit=1&page=1").json()["data"]) == 1
    assert get(town, f"{EVENTS}?limit=1&page=2").json()["data"] == []
    assert get(town, f"{EVENTS}?entityType=country").json()["data"] == []
    assert get(town, f"{EVENTS}?from={noon - 9 * 86_400}&until={noon - 86_400}").json()["data"] == []
    # An outage lasts until now and not until a time that has not come.
    [ahead] = get(town, f"{EVENTS}?datasource=bgp&until={noon + 86_400}&from={noon - 86_400}").json()["data"]
    assert ahead["start"] + ahead["duration"] == noon + 1800
    for bad in ("from=5&until=4", "format=xml", "until=-1", "until=x", "limit=99999", "overall=maybe", "x=1"):
        response = get(town, f"{EVENTS}?{bad}")
        assert response.status_code in (400, 422), bad


def test_entities_are_chosen_by_the_longer_path_as_well(town: Town, staff: dict[str, Person]) -> None:
    record(staff["operator"])
    record(staff["operator"], entity=named("UA", "country", "Ukraine"))
    wait(town)
    for what in (EVENTS, ALERTS):
        everything = get(town, what).json()["data"]
        assert len(everything) == 2
        for kind, code in (("asn", "64500"), ("country", "UA")):
            by_path, by_query = (
                get(town, path).json()
                for path in (f"{what}/{kind}/{code}", f"{what}?entityType={kind}&entityCode={code}")
            )
            assert by_path["data"] == by_query["data"] != []
            assert get(town, f"{what}/{kind}").json()["data"] == by_query["data"]
        assert get(town, f"{what}/country/PL?limit=5").json()["data"] == []
        assert get(town, f"{what}/continent/EU").status_code in (400, 422)
        assert get(town, f"{what}/country/UA%26limit%3D0").json()["data"] == []
        assert get(town, f"{what}/country/UA/more").status_code == 404


def test_they_stand_in_openapi(town: Town) -> None:
    paths: dict[str, Any] = town.client.get("/openapi.json").json()["paths"]
    for path in ("/feeds/outages.en.atom", "/feeds/outages.uk.json", EVENTS, ALERTS):
        assert "security" not in paths[path]["get"]
        assert "304" in paths[path]["get"]["responses"]
