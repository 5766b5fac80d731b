"""The newest states of a fleet: what is sent, and who needs a look, after posts and erasures in any order."""

from __future__ import annotations

import json
from collections import Counter

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from skylift.api.telemetry import states as module
from skylift.api.telemetry.states import LastStates
from skylift.watch.fleet import is_well
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
def test_what_is_sent_and_who_is_well_are_as_a_plain_dictionary_has_them(
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
    heard_us = len(steps) // 2
    well, others = states.parted(heard_us)
    wanted = {one for one, (at, state, lost) in plain.items() if at >= heard_us and is_well(state, lost)}
    assert (set(well), set(others)) == (wanted, plain.keys() - wanted)
    assert len(well) + len(others) == len(plain)


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
    # What was read before something newer came here changes nothing.
    states.hear([("trm_1", encoded("trm_1", 35, Row(3, 35, state="stowed")))])
    found = states.get("trm_1")
    assert found is not None
    assert found.state == "connected"
