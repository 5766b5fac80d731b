"""IODA's API against envelopes of its published shape, answered by a local transport."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import httpx
import pytest

from skylift.adapters.ioda_api import IodaClient, as_rows, read_signals
from skylift.base.errors import Refused, Unavailable

NOW_S = 1_700_000_000


def envelope(**changes: Any) -> dict[str, Any]:
    series = {
        "entityType": "country",
        "entityCode": "UA",
        "entityName": "Ukraine",
        "datasource": "ping-slash24",
        "from": 1_645_833_600,
        "until": 1_645_835_400,
        "step": 600,
        "nativeStep": 600,
        "values": [8000, None, 7900.5],
    } | changes
    return {
        "type": "signals",
        "metadata": {},
        "requestParameters": {},
        "error": None,
        "perf": None,
        "data": [[series]],
        "copyright": "",
    }


class Server:
    def __init__(self, *answers: httpx.Response) -> None:
        self.answers = list(answers)
        self.asked: list[httpx.Request] = []

    def __call__(self, request: httpx.Request) -> httpx.Response:
        self.asked.append(request)
        return self.answers.pop(0)


def client(folder: Path, server: Server) -> IodaClient:
    return IodaClient(folder, lambda: NOW_S, pause_s=0.0, transport=httpx.MockTransport(server))


def test_signals_are_asked_for_once_and_read_as_samples(tmp_path: Path) -> None:
    server = Server(httpx.Response(200, json=envelope()))
    ioda = client(tmp_path, server)
    for _ in range(2):
        (series,) = ioda.signals("country/UA", "ping-slash24", 1_645_833_600, 1_645_835_400)
        assert [sample.value for sample in series.samples] == [8000, None, 7900.5]
    (request,) = server.asked
    assert request.url.path.endswith("/signals/raw/country/UA")
    assert request.url.params["datasource"] == "ping-slash24"
    assert "skylift/" in request.headers["User-Agent"]
    assert list(as_rows(series))[1] == {
        "time": "2022-02-26T00:20:00Z",
        "entity": "country/UA",
        "signal": "ping-slash24",
        "value": "7900.5",
    }


def test_what_is_not_over_yet_is_not_kept(tmp_path: Path) -> None:
    server = Server(*[httpx.Response(200, json=envelope())] * 2)
    ioda = client(tmp_path, server)
    for _ in range(2):
        ioda.signals("country/UA", "ping-slash24", NOW_S - 3_600, NOW_S - 60)
    assert len(server.asked) == 2
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    ("answer", "code"),
    [
        (httpx.Response(429, headers={"Retry-After": "60"}), "ioda.quota"),
        (httpx.Response(500), "ioda.answer"),
        (httpx.Response(200, text="<html>"), "ioda.answer"),
        (httpx.Response(200, json=envelope() | {"error": "no such entity"}), "ioda.error"),
        (httpx.Response(200, json=envelope() | {"data": {"not": "a list"}}), "ioda.shape"),
        (httpx.Response(200, json=envelope(step=0)), "ioda.shape"),
        (httpx.Response(200, json=[1]), "ioda.error"),
    ],
)
def test_whatever_is_wrong_is_said_and_nothing_is_kept(
    tmp_path: Path, answer: httpx.Response, code: str
) -> None:
    with pytest.raises(Unavailable) as refusal:
        client(tmp_path, Server(answer)).signals("country/UA", "ping-slash24", 0, 600)
    assert refusal.value.code == code
    assert not list(tmp_path.iterdir())


def test_a_step_coarser_than_the_signals_own_is_refused(tmp_path: Path) -> None:
    server = Server(httpx.Response(200, json=envelope(step=3600)))
    with pytest.raises(Refused) as refusal:
        client(tmp_path, server).signals("country/UA", "ping-slash24", 0, 600)
    assert refusal.value.code == "ioda.coarse"


@pytest.mark.parametrize(
    ("entity", "signal", "until_s"),
    [
        ("planet/earth", "bgp", 600),
        ("country/U A", "bgp", 600),
        ("country/", "bgp", 600),
        ("country/UA", "gtr", 600),
        ("country/UA", "bgp", 0),
        ("country/UA", "bgp", 91 * 86_400),
    ],
)
def test_what_cannot_be_asked_is_refused_before_it_is(
    tmp_path: Path, entity: str, signal: str, until_s: int
) -> None:
    server = Server()
    with pytest.raises(Refused):
        client(tmp_path, server).signals(entity, signal, 0, until_s)
    assert server.asked == []


def test_nested_aggregates_and_negative_values_count_as_missing() -> None:
    document = envelope(values=[[{"agg_values": {"loss": 1}}], -1, True, 5])
    (series,) = read_signals(document)
    assert [sample.value for sample in series.samples] == [None, None, None, 5]


def test_nobody_answering_is_the_worlds_fault(tmp_path: Path) -> None:
    def refuse(request: httpx.Request) -> httpx.Response:
        raise httpx.ConnectError("no route")

    ioda = IodaClient(tmp_path, lambda: NOW_S, pause_s=0.0, transport=httpx.MockTransport(refuse))
    with pytest.raises(Unavailable):
        ioda.signals("country/UA", "bgp", 0, 600)
