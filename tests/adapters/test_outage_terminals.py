"""Own terminals straight from the service: shares of crowds, asked for in pieces."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest

from skylift.adapters.outage_monitor import Monitor
from skylift.adapters.outage_sources import read_sources
from skylift.adapters.outage_store import OutageStore
from skylift.adapters.outage_terminals import LATE_US, FleetProbes
from skylift.base.errors import Refused, Unavailable
from skylift.base.instants import parse_instant
from skylift.ports.probes import Signal

STEP_US = 3_600_000_000
SIGNAL = Signal("own-terminals", "fleet", STEP_US, 1.0)
NOW_US = 1_600_000_000_000_000 // STEP_US * STEP_US + LATE_US
END = NOW_US // STEP_US - 1
DOWN = range(END - 2, END + 1)


class Service:
    """Answers as GET /api/v1/fleet/online does: two countries, and a crowd that is too small."""

    def __init__(self) -> None:
        self.asked: list[tuple[int, int]] = []

    def __call__(self, path: str) -> Mapping[str, Any]:
        query = {name: values[0] for name, values in parse_qs(urlsplit(path).query).items()}
        begin_us, end_us = (parse_instant(query[name]) for name in ("from", "until"))
        self.asked.append((begin_us, end_us))
        items = []
        for bin in range(begin_us // STEP_US, end_us // STEP_US):
            online = 4 if bin in DOWN else 38
            items += [[bin * STEP_US, "UA", online, 40], [bin * STEP_US, "PL", 24, 25]]
            items.append([bin * STEP_US, "LT", 0, 19])
        return {"by": query["by"], "step_s": 3600, "least": 20, "items": items}


def test_shares_of_crowds_are_told_and_no_small_one_even_if_the_service_did() -> None:
    service = Service()
    gathered = FleetProbes(SIGNAL, service).gather(NOW_US - 5 * STEP_US, NOW_US)
    assert {one.of.code for one in gathered.samples} == {"UA", "PL"}
    newest = max(gathered.samples, key=lambda one: (one.at_us, one.of.code))
    assert (newest.value, newest.targets, newest.of.kind) == (0.1, 40.0, "own-terminals")
    # Reports come ten minutes late: what may still change is not complete.
    assert gathered.complete_until_us == NOW_US - LATE_US


def test_a_first_asking_goes_back_eight_days_a_day_at_a_time() -> None:
    service = Service()
    FleetProbes(SIGNAL, service).gather(0, NOW_US)
    assert len(service.asked) == 8
    assert all(end - begin == 24 * STEP_US for begin, end in service.asked)
    assert all(a[1] == b[0] for a, b in zip(service.asked, service.asked[1:], strict=False))


def test_an_outage_of_own_terminals_says_of_how_many(tmp_path: Path) -> None:
    store = OutageStore(tmp_path / "s.sqlite")
    try:
        monitor = Monitor(store, "tod:7d")
        monitor.gather(FleetProbes(SIGNAL, Service()), NOW_US)
        monitor.judge()
        [event] = monitor.events()
    finally:
        store.close()
    assert (event["entity"], event["kind"], event["targets"]) == ("UA", "own-terminals", 40)
    assert event["closed_at"] is None


@pytest.mark.parametrize(
    "answer", [{}, {"items": [[1, "UA"]]}, {"items": [[1, "UA", "x", 30]]}, {"items": 3}]
)
def test_another_answer_is_the_services_trouble(answer: Mapping[str, Any]) -> None:
    with pytest.raises(Unavailable, match="how many terminals are online"):
        FleetProbes(SIGNAL, lambda path: answer).gather(NOW_US - 3 * STEP_US, NOW_US)


def test_a_source_of_the_file_asks_the_service_that_is_named(tmp_path: Path) -> None:
    file = tmp_path / "sources.toml"
    file.write_text('[[source]]\nkind = "fleet"\nby = "region"\ncountry = "UA"\n')
    [probes] = read_sources(file, Service())
    assert (probes.signal.name, probes.signal.step_us) == ("own-terminals", 600_000_000)
    assert {one.of.country for one in probes.gather(NOW_US - 3 * STEP_US, NOW_US).samples} == {"UA"}
    with pytest.raises(Refused, match="not named here"):
        read_sources(file)
    for wrong in ('by = "street"', "step_s = 60"):
        file.write_text(f'[[source]]\nkind = "fleet"\n{wrong}\n')
        with pytest.raises(Refused):
            read_sources(file, Service())
