"""Figures of others: every step and every hole, and tables of them."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from skylift.adapters.app_figures import read_figures
from skylift.base.errors import Refused
from skylift.base.events import Event, Who
from skylift.base.instants import InstantUs
from skylift.base.life_cycle import verb
from skylift.service.appstats import state as figures
from skylift.service.appstats.figures import Imported
from skylift.service.appstats.state import CYCLE, ROOM, Figure, FigureState, What

WHO = Who(InstantUs(5), "per_1")
GIVEN = Imported("UA", "2022-03-13", "rank", 1.0, "Sensor  Tower, in the WSJ")


def decided(figure: Figure, kind: type[Event]) -> tuple[Event, ...]:
    match verb(kind):
        case "imported":
            return figures.imported(figure, WHO, GIVEN)
        case "corrected":
            return figures.corrected(figure, WHO, 2.0)
    return figures.withdrawn(figure, WHO, "misread")


@pytest.mark.parametrize("state", FigureState)
@pytest.mark.parametrize("kind", CYCLE.events())
def test_every_step_is_allowed_or_explained(state: FigureState, kind: type[Event]) -> None:
    figure = Figure("fig_1", state)
    if (state, kind) in CYCLE.steps:
        (event,) = decided(figure, kind)
        assert ROOM.apply(figure, event).state is CYCLE.steps[state, kind]
    else:
        with pytest.raises(Refused, match=r"from here it can be|nothing follows"):
            decided(figure, kind)


@given(st.lists(st.sampled_from(CYCLE.events()), max_size=8))
def test_what_happened_makes_it_what_it_is(kinds: list[type[Event]]) -> None:
    figure, events = Figure("fig_1"), []
    for kind in kinds:
        if (figure.state, kind) in CYCLE.steps:
            (event,) = decided(figure, kind)
            figure = ROOM.apply(figure, event)
            events.append(event)
    assert ROOM.replayed("fig_1", tuple(events)) == figure
    assert ROOM.from_plain(ROOM.to_plain(figure)) == figure
    assert (figure.state is FigureState.IMPORTED) == bool(ROOM.facets(figure).keys)


def test_it_is_kept_as_it_was_published() -> None:
    (event,) = figures.imported(Figure("fig_1"), WHO, GIVEN)
    figure = ROOM.apply(Figure("fig_1"), event)
    assert (figure.what, figure.source) == (What.RANK, "Sensor Tower, in the WSJ")
    assert figure.as_imported() == Imported("UA", "2022-03-13", "rank", 1.0, "Sensor Tower, in the WSJ")


HEAD = "country,day,what,value,source\n"


def test_a_table_says_what_is_wrong_with_each_row() -> None:
    rows = read_figures(
        (
            "\ufeff" + HEAD + 'UA,2022-03-13,rank,1,"Sensor Tower, in the WSJ"\n'
            "UA,2022-03-13,stars,5,a paper\nUA,13.3.2022,rank,1,a paper\nUA,2022-03-13,rank,one,a paper\n"
            "UA,2022-03-13,rank,0,a paper\nUA,2022-03-13,rank,1,\nworld,2022-03-13,installs,21000,a paper\n"
            "UA,2022-03-13,rank,nan,a paper\nUA,2022-03-13,rank\nUA,2022-03-13,rank,1,a paper,more\n"
        ).encode()
    )
    assert [row.number for row in rows if not row.wrong] == [2, 8]
    assert rows[0].figure == {
        "country": "UA", "day": "2022-03-13", "what": "rank", "value": 1.0,
        "source": "Sensor Tower, in the WSJ",
    }  # fmt: skip
    assert ["what" in rows[1].wrong, "day" in rows[2].wrong, "number" in rows[3].wrong] == [True] * 3


@pytest.mark.parametrize("data", [b"", b"a,b\n1,2\n", b"\xff\xfe", HEAD.upper().encode(), b'country,"day\n'])
def test_what_is_no_such_table(data: bytes) -> None:
    with pytest.raises(Refused) as told:
        read_figures(data)
    assert told.value.code == "app-figure.table"
