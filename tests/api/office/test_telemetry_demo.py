"""A demo takes in no real agent, and how long telemetry is kept is read strictly."""

from __future__ import annotations

from pathlib import Path

import pytest
from starlette.testclient import TestClient

from skylift.adapters.clock import SimulatedClock
from skylift.adapters.demo import demo_file_in
from skylift.adapters.sql.store import open_store
from skylift.api.app import create_app
from skylift.api.office.desk import Desk
from skylift.api.state import LiveState
from skylift.base.errors import Refused
from skylift.base.units import US_PER_DAY
from skylift.ports.telemetry import DAY, FIVE_MINUTES, Keep
from skylift.service.rooms import ROOMS

from .conftest import START_US


@pytest.mark.parametrize("path", ["/api/v1/telemetry", "/api/v1/agent/enrol"])
def test_a_demo_refuses_real_agents(tmp_path: Path, path: str) -> None:
    store = open_store(f"sqlite:///{demo_file_in(tmp_path)}", ROOMS, demo=True)
    desk = Desk(store, SimulatedClock(START_US))
    with TestClient(create_app(LiveState(desk.clock), desk), base_url="http://127.0.0.1:8480") as client:
        response = client.post(path, json={})
    assert (response.status_code, response.json()["error"]["code"]) == (409, "demo.refused")
    assert "skylift-demo" in response.headers
    desk.close()


def test_rules_of_how_long_it_is_kept() -> None:
    keep = Keep.read("15s=14, 5min=90")
    assert (keep.days_of(FIVE_MINUTES), keep.days_of(DAY), keep.oldest_us) == (90, 3660, 13 * US_PER_DAY)
    assert Keep.read("") == Keep()
    assert Keep().oldest_us == 40 * US_PER_DAY
    for text in ("15s", "15s=x", "2min=5", "15s=-1", "15s=1", "15s=99999", "1h=20", "15s=400"):
        with pytest.raises(Refused, match="kept"):
            Keep.read(text)
