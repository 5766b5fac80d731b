"""skylift dish serve: what it refuses before it begins, and what --happen takes."""

from __future__ import annotations

import os
import subprocess
import sys
from types import SimpleNamespace

import pytest
from typer.testing import CliRunner

from skylift.base.errors import Refused, SkyliftError
from skylift.base.instants import parse_instant
from skylift.cli.dish import _warn
from skylift.cli.dish_happen import read_happenings
from skylift.cli.main import app
from skylift.wire.dish.conditions import Kind

S = 1_000_000
NOW = parse_instant("2022-02-27T03:00:00Z")


@pytest.mark.parametrize(
    ("text", "kind", "start_s", "lasts_s", "version"),
    [
        ("snow@+60s/10min", Kind.SNOW, 60, 600, ""),
        ("power-cut@+2h/1d", Kind.POWER_CUT, 7_200, 86_400, ""),
        ("thermal-shutdown@2022-02-27T03:01:00Z/30s", Kind.HOT, 60, 30, ""),
        ("update@+5s=2026.06.12.mr81164", Kind.UPDATE, 5, None, "2026.06.12.mr81164"),
        ("no-gps@+0s", Kind.NO_GPS, 0, None, ""),
    ],
)
def test_what_befalls_a_dish(text: str, kind: Kind, start_s: int, lasts_s: int | None, version: str) -> None:
    (one,) = read_happenings([text], NOW)
    assert (one.kind, one.start_us, one.version) == (kind, NOW + start_s * S, version)
    if lasts_s is None:
        assert one.holds(NOW + 10**15)
    else:
        assert one.end_us == one.start_us + lasts_s * S


@pytest.mark.parametrize(
    "text",
    ["", "snow", "snow@", "hail@+5s", "snow@+5", "snow@+5s/soon", "snow@tomorrow", "snow@+5s=1.2",
     "update@+5s", "snow@+5s/10min/3s", "snow@+99999999999s"],
)  # fmt: skip
def test_what_cannot_be_read_is_refused(text: str) -> None:
    with pytest.raises(Refused):
        read_happenings([text], NOW)


@pytest.mark.parametrize(
    ("arguments", "code"),
    [
        (["--listen", "here"], "dish.address"),
        (["--listen", "127.0.0.1:70000"], "dish.address"),
        (["--happen", "hail@+5s"], "dish.happen"),
        (["--server", "http://127.0.0.1:1", "--at", "2022-02-27T03:00:00Z"], "dish.server"),
        (["--server", "http://127.0.0.1:1", "--speed", "2"], "dish.server"),
        (["--server", "http://127.0.0.1:1"], "server.silent"),
        (["--speed", "1e9"], "clock.speed"),
    ],
)
def test_it_refuses_at_once(arguments: list[str], code: str) -> None:
    done = CliRunner().invoke(app, ["dish", "serve", *arguments])
    assert isinstance(done.exception, SkyliftError)
    assert done.exception.code == code


# What stands around it takes seconds to load; an address is all that it is about.
_ALONE = """
import socket, sys
from skylift.cli import dish
def listens(server, *_):
    from concurrent.futures import ThreadPoolExecutor
    from skylift.adapters.dish_grpc import DishServer, dish_schema
    DishServer(None, dish_schema(), None).serve(server, ThreadPoolExecutor(1))
dish._serve_live = listens
with socket.create_server(("127.0.0.1", 0)) as taken:
    server = "127.0.0.1:%d" % taken.getsockname()[1]
    dish.serve(None, server, "", None, None, None, None, "127.0.0.1:0", 1, [], False)
"""


def test_an_address_that_is_taken_is_said_in_our_words_alone() -> None:
    environment = {name: text for name, text in os.environ.items() if name != "GRPC_VERBOSITY"}
    done = subprocess.run([sys.executable, "-c", _ALONE], capture_output=True, text=True, env=environment)
    assert "something does already" in done.stderr
    assert "add_port" not in done.stderr


def test_it_says_so_where_the_scenario_tells_nothing_of_its_time(
    capsys: pytest.CaptureFixture[str],
) -> None:
    day_us = int(parse_instant("2022-02-27"))
    told = SimpleNamespace(start_us=day_us, end_us=day_us + 86_400 * S)
    loaded = SimpleNamespace(scenario=told, warnings=("orbits are old",))
    _warn(loaded, day_us + S, day_us)  # type: ignore[arg-type]
    _warn(loaded, day_us + S, day_us - 86_400 * S)  # type: ignore[arg-type]
    within = capsys.readouterr().err
    assert within.count("orbits are old") == 2
    assert "own time" not in within
    _warn(loaded, day_us + 10 * 86_400 * S, day_us + 10 * 86_400 * S)  # type: ignore[arg-type]
    assert "outside the scenario's own time" in capsys.readouterr().err
