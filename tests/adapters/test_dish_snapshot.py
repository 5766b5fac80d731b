"""One look at a dish or at its app's debug data: what is in it, and above all what is not."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from google.protobuf.json_format import MessageToDict
from hypothesis import given, settings
from hypothesis import strategies as st
from typer.testing import CliRunner

from skylift.adapters.dish_grpc import DishServer, Served
from skylift.adapters.dish_schema import dish_schema
from skylift.adapters.dish_snapshot import from_debug_data
from skylift.base.errors import Refused
from skylift.base.geodesy import Place
from skylift.base.link import WhyDown
from skylift.cli.main import app
from skylift.wire.dish.answers import Answers
from skylift.wire.dish.dish import Dish, Identity
from skylift.wire.dish.view import SlotView

S = 1_000_000
T0 = 1_780_142_400 * S
# Numbers that stand nowhere else in an answer.
SECRET = Place(12.34567, 76.54321, 987.65)
TELLTALES = ("12.345", "76.543", "987.6", "101.01", "55.5")


def dish() -> Dish:
    one = Dish(Identity("ut-1", SECRET, boresight=(1.7630, 0.9690), country_code="XQ"), T0 - 1_000 * S)
    one.configure(location_local=True)
    one.tell(SlotView(T0, 15 * S, WhyDown.UP, rtt_start_ms=30.0, rtt_end_ms=30.0, track=((0.1, 1.0),)))
    return one


@pytest.fixture(scope="module")
def address() -> Iterator[str]:
    with ThreadPoolExecutor(2) as pool:
        served = DishServer(Served(dish(), threading.Lock()), dish_schema(), lambda: T0 + 2 * S)
        server, port = served.serve("127.0.0.1:0", pool)
        yield f"127.0.0.1:{port}"
        server.stop(0).wait(5)


def run(*arguments: str) -> Any:
    return CliRunner().invoke(app, ["dish", "snapshot", *arguments])


def test_it_reads_a_dish_and_leaves_out_its_place(address: str) -> None:
    done = run("--dish", address, "--json")
    assert done.exit_code == 0, done.output
    said = json.loads(done.stdout)
    assert (said["dish"]["state"], said["dish"]["latency_ms"]) == ("connected", 30.0)
    assert said["history"]["seconds"] == 900
    assert "place" not in said
    for telltale in (*TELLTALES, "XQ", "101.0", "55.51"):
        assert telltale not in done.stdout
    assert "its place is left out" in run("--dish", address).stdout


def test_whoever_asks_for_the_place_gets_it(address: str) -> None:
    said = json.loads(run("--dish", address, "--json", "--with-place").stdout)
    assert said["place"]["location"]["latitude_deg"] == SECRET.latitude_deg
    assert said["place"]["pointing"]["azimuth_deg"] == pytest.approx(101.01, abs=0.01)
    assert said["dish"]["device"]["country_code"] == "XQ"


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("--dish", "127.0.0.1:1"), "nothing answers there"),
        (("--dish", "here"), "it is a host and a port"),
        (("--debug-data", "/nowhere/at/all.json"), "cannot be read"),
    ],
)
def test_where_there_is_none_it_says_so(arguments: tuple[str, ...], words: str) -> None:
    done = run(*arguments)
    assert words in str(done.exception)


def status_as_json(**options: Any) -> dict[str, Any]:
    """What an app has of the emulated dish: every field, enumerations as numbers."""
    schema = dish_schema()
    request = schema.message("Request")(get_status={})
    response = Answers(schema).handle(dish(), request, T0 + 2 * S)
    document: dict[str, Any] = MessageToDict(
        response.dish_get_status,
        always_print_fields_with_no_presence=True,
        use_integers_for_enums=True,
        **options,
    )
    document["obstructionStats"]["avgProlongedObstructionIntervalS"] = None
    return document


@pytest.mark.parametrize("shape", ["2024", "2023", "star-debug", "grpcurl"])
def test_debug_data_of_any_year_reads_alike_without_place_and_people(shape: str) -> None:
    status = status_as_json()
    place = {"latitude": 12.34567, "longitude": 76.54321}
    beside = {
        "router": {"networks": [{"ssid": "SECRETNET"}]},
        "device": {"location": place},
        "location": place,
    }
    files: dict[str, dict[str, Any]] = {
        "2024": {"dish": {"rawStatus": status, "timestamp": T0 // 1_000, "location": place}, **beside},
        "2023": {"dish": {"status": {**status, "timestamp": T0 // S, **beside}}, **beside},
        "star-debug": {"dish": {**status, "timestamp": T0 // S, "_proto": "SECRETPROTO", **beside}, **beside},
        "grpcurl": {"apiVersion": "42", "dishGetStatus": status},
    }
    data = json.dumps(files[shape]).encode()
    said = from_debug_data(data)
    assert said["source"] == "debug-data"
    assert said["at"] == (None if shape == "grpcurl" else "2026-05-30T12:00:00Z")
    read = said["dish"]
    assert (read["state"], read["latency_ms"], read["disablement"]) == ("connected", 30.0, "okay")
    assert read["uptime_s"] == 1_002
    assert read["config"]["location_request_mode"] == "local"
    text = json.dumps(said, allow_nan=False)
    for telltale in (*TELLTALES, "SECRET", "XQ", "101.0"):
        assert telltale not in text
    assert from_debug_data(data, with_place=True)["place"]["pointing"]["azimuth_deg"] == pytest.approx(
        101.01, abs=0.01
    )


def test_a_status_that_leaves_out_what_is_zero_is_understood() -> None:
    """As grpcurl prints it."""
    schema = dish_schema()
    response = Answers(schema).handle(dish(), schema.message("Request")(get_status={}), T0 + 2 * S)
    status = MessageToDict(response.dish_get_status)
    assert "popPingDropRate" not in status
    read = from_debug_data(json.dumps({"dishGetStatus": status}).encode())["dish"]
    assert (read["state"], read["drop_fraction"]) == ("connected", None)
    silent = {key: value for key, value in status.items() if key != "popPingLatencyMs"}
    assert from_debug_data(json.dumps({"dishGetStatus": silent}).encode())["dish"]["state"] == "unknown"


def test_a_booting_dish_of_debug_data() -> None:
    """As an app of 2023 had it: seen in public debug data, reduced to what matters."""
    status = {
        "deviceInfo": {"id": "ut01", "softwareVersion": "2ce8c16a"},
        "outage": {"cause": 1, "startTimestampNs": -1, "durationNs": 0, "didSwitch": False},
        "secondsToFirstNonemptySlot": -1, "popPingDropRate": 1, "popPingLatencyMs": -1, "disablementCode": 0,
        "alerts": {"thermalThrottle": True, "movingFastWhileNotAviation": False},
    }  # fmt: skip
    read = from_debug_data(json.dumps({"dish": {"status": status}}).encode())["dish"]
    assert (read["state"], read["latency_ms"], read["disablement"]) == ("booting", None, "")
    assert read["outage"] == {"cause": "booting", "start": None, "duration_s": 0.0}
    assert read["alerts"] == ("thermal_throttle",)
    assert (read["snr_above_noise"], read["gps_valid"]) == (None, None)


@pytest.mark.parametrize("data", [b"", b"[]", b"{}", b'{"dish":{}}', b"[" * 100_000, b"\xff", b'{"dish":1}'])
def test_what_is_no_debug_data_is_refused(data: bytes) -> None:
    with pytest.raises(Refused) as refused:
        from_debug_data(data)
    assert refused.value.code == "dish.debug_data"


JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(max_size=4),
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(st.text(max_size=4), inner, max_size=2),
    max_leaves=4,
)


OUTAGE = st.fixed_dictionaries(
    {
        "startTimestampNs": st.integers() | st.just(10**400) | st.just("9" * 20),
        "durationNs": st.just(2**64 - 1),
    }
)


@settings(max_examples=100)
@given(st.dictionaries(st.sampled_from(sorted(status_as_json())), JSON | OUTAGE))
def test_strange_values_never_crash_it(fields: dict[str, Any]) -> None:
    data = json.dumps({"dish": {"rawStatus": {"deviceInfo": {}, **fields}}}).encode()
    said = from_debug_data(data, with_place=True)
    json.dumps(said, allow_nan=False)


def test_brackets_of_a_dish_are_shown_as_they_are(tmp_path: Path) -> None:
    info = {"id": "[/bold]", "softwareVersion": "[red]7"}
    file = tmp_path / "debug.json"
    file.write_text(json.dumps({"dishGetStatus": {"deviceInfo": info, "alerts": {"[/x]": True}}}))
    shown = CliRunner().invoke(app, ["dish", "snapshot", "--debug-data", str(file)])
    assert shown.exit_code == 0
    assert "[/bold]" in shown.stdout
    assert "[red]7" in shown.stdout
    # It says nothing of a link.
    assert "there is a link" not in shown.stdout
