"""Every scenario is a golden run: two hours around each thing that happens in it, against stored figures;
twenty minutes where beams are scheduled.

Satellites, gateways and counts must be equal, delays to a billionth: another CPU may round otherwise. After a
change that is meant to change results, write the figures anew and read the difference as you would read code:

    SKYLIFT_WRITE_GOLDEN=1 make test ARGS=tests/study/test_simulation_golden.py
"""

from __future__ import annotations

import json
import os
from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from skylift.adapters.scenario_files import Loaded, Sources, load_world
from skylift.base.instants import format_instant, parse_instant
from skylift.base.link import LinkTable, WhyDown
from skylift.twin.scenario_capacity import CLASS_NAMES
from skylift.twin.tick import Twin
from skylift.twin.world import needs_of

ROOT = Path(__file__).resolve().parents[2]
STORED = ROOT / "tests" / "vectors" / "golden"
SCENARIOS = sorted(path.stem for path in (ROOT / "scenarios").glob("*.toml"))
DEFAULT_START_US = int(parse_instant("2026-06-01T00:00:00Z"))
HOUR_US = 3_600_000_000


def loaded(name: str) -> Loaded:
    if name == "default":
        return load_world(Sources(), DEFAULT_START_US)
    return load_world(Sources(ROOT / "scenarios" / f"{name}.toml"))


def instants(case: Loaded) -> list[int]:
    """When something happens: the start, and where service or a failure begins or ends within the run."""
    timeline, scenario = case.world.timeline, case.scenario
    periods = [s.period for s in timeline.service] + [f.period for f in timeline.failures]
    times = {scenario.start_us, *(p.from_us for p in periods), *(p.until_us for p in periods)}
    return sorted(t for t in times if scenario.start_us <= t < scenario.end_us)


def figures(case: Loaded, middle_us: int) -> dict[str, Any]:
    """What an hour (with rates ten minutes) before and after an instant adds up to."""
    world = case.world
    half_us = HOUR_US if world.capacity is None else HOUR_US // 6
    slots = [
        links
        for _, links in Twin(world).links(
            max(case.scenario.start_us, middle_us - half_us), min(case.scenario.end_us, middle_us + half_us)
        )
    ]
    norad, gateways = world.catalogue.norad, [str(g.id) for g in world.ground.gateways]
    terminals = {}
    for m, terminal in enumerate(world.terminals):
        up = [links for links in slots if links.why_down[m] == WhyDown.UP]
        rtt_us = [float(links.delay_up_us[m] + links.delay_down_us[m]) for links in up]
        terminals[str(terminal.id)] = {
            "why": {
                WhyDown(code).label: n
                for code, n in sorted(Counter(int(links.why_down[m]) for links in slots).items())
            },
            "gateways": dict(sorted(Counter(gateways[links.gateway[m]] for links in up).items())),
            "handovers": sum(int(links.handover[m]) for links in slots),
            "satellites": len({int(links.satellite[m]) for links in up}),
            "last_path": norad[up[-1].path_of(m)].tolist() if up else [],
            "rtt_us": [float(f"{v:.12g}") for v in np.quantile(rtt_us, [0.0, 0.5, 1.0])] if up else [],
        }
    if world.capacity is not None:
        # Many terminals, drawn at random: what their classes get says more than any one of them.
        return {"slots": len(slots), "classes": by_class(case, slots)}
    return {"slots": len(slots), "terminals": terminals}


def by_class(case: Loaded, slots: list[LinkTable]) -> dict[str, Any]:
    """Reasons, handovers, least, median and greatest rates (bit/s) of each class, and its beams' time."""
    priority = needs_of(case.world.terminals).priority
    why = np.array([links.why_down for links in slots])
    found = {}
    for k, name in enumerate(CLASS_NAMES, 1):
        who = np.flatnonzero(priority == k)
        counts = Counter(WhyDown(int(code)).label for code in why[:, who].flat)
        rates = [
            np.array([getattr(links, column)[who] for links in slots]) for column in ("down_bps", "up_bps")
        ]
        found[name] = {
            "why": dict(sorted(counts.items())),
            "handovers": sum(int(links.handover[who].sum()) for links in slots),
            **{
                column: [float(f"{v:.9g}") for v in np.quantile(r[np.isfinite(r)], [0.0, 0.5, 1.0])]
                if np.isfinite(r).any()
                else []
                for column, r in zip(("down_bps", "up_bps"), rates, strict=True)
            },
        }
    return found


def compare(got: Any, stored: Any, where: str) -> None:
    if isinstance(stored, dict):
        assert got.keys() == stored.keys(), where
        for key in stored:
            compare(got[key], stored[key], f"{where}/{key}")
    elif isinstance(stored, list) and stored and isinstance(stored[0], float):
        assert got == pytest.approx(stored, rel=1e-9), where
    else:
        assert got == stored, where


@pytest.mark.slow
@pytest.mark.parametrize("name", [*SCENARIOS, "default"])
def test_golden(name: str) -> None:
    case = loaded(name)
    got = {format_instant(at_us): figures(case, at_us) for at_us in instants(case)}
    path = STORED / f"{name}.json"
    if os.environ.get("SKYLIFT_WRITE_GOLDEN"):
        path.write_text(json.dumps(got, indent=1) + "\n")
    assert path.exists(), "no golden figures are stored for this scenario; see the top of this file"
    compare(got, json.loads(path.read_text()), name)


def test_every_stored_run_has_its_scenario() -> None:
    assert {path.stem for path in STORED.glob("*.json")} == {*SCENARIOS, "default"}


def test_ukraine_2022_tells_what_happened() -> None:
    """From the stored figures, which test_golden holds to the code: who was served when, and over what."""
    stored = json.loads((STORED / "ukraine-2022.json").read_text())
    served = {"kyiv", "lviv", "kharkiv", "odesa", "mariupol"}
    on, lost, back = (stored[f"2022-02-{t}:00Z"] for t in ("26T22:33", "27T02:00", "27T06:00"))
    for moment in stored.values():
        assert set(moment["terminals"]) == {*served, "donetsk", "sevastopol"}
        for name in ("donetsk", "sevastopol"):
            assert set(moment["terminals"][name]["why"]) == {"region_not_active"}
    assert on["slots"] == 480
    for name in served:
        # The first slot that begins after 22:33:00 is 22:33:12: 239 or 240 slots lie on either side.
        assert on["terminals"][name]["why"]["region_not_active"] == 240
        assert set(on["terminals"][name]["gateways"]) <= {"wola-krobowska", "kaunas"}
        # The other gateway takes over for the hour, and the first one is used again.
        for moment in (lost, back):
            assert moment["terminals"][name]["gateways"]["kaunas"] >= 200
    assert any("wola-krobowska" in lost["terminals"][name]["gateways"] for name in served)
    assert any("wola-krobowska" in back["terminals"][name]["gateways"] for name in served)
