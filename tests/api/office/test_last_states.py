"""The newest states of a fleet: what is sent and what health is told, after posts and erasures."""

from __future__ import annotations

import json
from collections import Counter

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from skylift.api.telemetry import states as module
from skylift.api.telemetry.health import Judged
from skylift.api.telemetry.places import Placed
from skylift.api.telemetry.states import LastStates
from skylift.base.instants import InstantUs
from skylift.service.command.state import Command
from skylift.watch.fleet import LOSSY_FRACTION, WHYS, Verdicts, Why, number_of
from skylift.wire.telemetry.rows import Row
from skylift.wire.telemetry.states import encoded

STEPS = st.lists(
    st.tuples(
        st.integers(0, 9),
        st.sampled_from(["connected", "connected", "no-pings", "stowed"]),
        st.sampled_from([None, 0.0, 0.5]),
        st.booleans(),
    ),
    max_size=40,
)


@pytest.fixture(scope="module", autouse=True)
def _small_pieces() -> object:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(module, "IN_A_PIECE", 3)
        yield


@given(STEPS)
@settings(max_examples=60, deadline=None)
def test_what_is_sent_and_told_is_as_a_plain_dictionary_has_it(
    steps: list[tuple[int, str, float | None, bool]],
) -> None:
    states = LastStates()
    plain: dict[str, tuple[int, str, float | None]] = {}
    for at, (number, state, lost, is_erased) in enumerate(steps, 1):
        name = f"trm_{number}"
        if is_erased:
            states.forget(name)
            plain.pop(name, None)
        else:
            row = Row(at, at, state=state, ping_drop_fraction=lost)
            states.put(name, encoded(name, at, row), (row,))
            plain[name] = (at, state, lost)
        body = json.loads(b"".join(states.body(b"{")))
        sent = {one[0]: one[2] for one in body["terminals"]}
        assert sent == {one: at for one, (at, _, _) in plain.items()}
        assert len(body["terminals"]) == len(states) == len(plain)
    assert +states.counts == Counter(state for _, state, _ in plain.values())
    told = states.columns()
    rows = zip(
        told.names, told.at_us, told.received_us, told.since_us, told.says, told.lossy, told.weak, strict=True
    )
    since = {}
    for name, at_us, received_us, since_us, says, lossy, weak in rows:
        at, state, lost = plain[name]
        assert (at_us, received_us, says) == (at, at, number_of(state))
        assert (lossy, weak) == ((lost or 0.0) > LOSSY_FRACTION, False)
        since[name] = since_us
    assert since.keys() == plain.keys()
    runs = {name: states.run_of(name) for name in plain}
    assert since == {name: run.since_us for name, run in runs.items() if run}
    assert states.columns().only([]).names == []


@given(st.lists(st.tuples(st.integers(0, 5), st.integers(0, len(WHYS) - 1)), max_size=12), st.integers(1, 8))
@settings(max_examples=40, deadline=None)
def test_the_longest_down_are_shown_and_those_of_one_moment_by_name(
    each: list[tuple[int, int]], most: int
) -> None:
    names = [f"trm_{len(each) - number:02d}" for number in range(len(each))]
    since_us = np.array([since for since, _ in each], dtype=np.int64)
    why = np.array([code for _, code in each], dtype=np.int8)
    found = Judged(
        names,
        [Placed("", "", "")] * len(each),
        Verdicts(why, since_us, np.zeros(len(each), dtype=np.bool_)),
        InstantUs(9),
        dict.fromkeys(range(len(each)), Command("cmd_1")),
    )
    rows = zip(each, names, strict=True)
    down = sorted((at, name) for (at, code), name in rows if WHYS[code] not in (Why.UP, Why.CHOSEN))
    assert [one.terminal for one in found.down(most)] == [name for _, name in down[:most]]


def test_what_came_by_another_server_leaves_no_old_since() -> None:
    states = LastStates()
    rows = [Row(number, 10 * number, state="no-pings") for number in (1, 2)]
    states.put("trm_1", encoded("trm_1", 20, rows[-1]), rows)
    states.put("trm_1", encoded("trm_1", 30, Row(3, 30, state="no-pings")))
    run = states.run_of("trm_1")
    assert run is not None
    assert run.since_us == 10
    states.hear([("trm_1", encoded("trm_1", 40, Row(4, 40, state="connected")))])
    assert states.run_of("trm_1") is None
    assert list(states.columns().since_us) == [module.NOT_KNOWN]
    # What was read before something newer came here changes nothing.
    states.hear([("trm_1", encoded("trm_1", 35, Row(3, 35, state="stowed")))])
    found = states.get("trm_1")
    assert found is not None
    assert found.state == "connected"
