"""The register of authorities: every step and hole, what an entry must say, and whose word opens what."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from skylift.base.errors import Refused
from skylift.base.events import Event, EventTypes, Who, to_payload
from skylift.base.instants import InstantUs
from skylift.service.authority import decide
from skylift.service.authority.events import Kind, Matter, Terms
from skylift.service.authority.state import CYCLE, ROOM, Authority, AuthorityState, label

WHO = Who(InstantUs(1_000), "per_1")
MDT = Terms(
    "Ministry of Digital Transformation", Kind.MINISTRY, (Matter.ASKERS,), "thedigital.gov.ua", ("UA",)
)
NCEC = replace(MDT, title="The regulator", kind=Kind.REGULATOR, vouches_for=(Matter.LICENCES,))
HERE = (("UA", "rgn_ua"),)


def known(code: str, terms: Terms, id: str = "aut_1") -> Authority:
    (event,) = decide.recorded(Authority(id), WHO, code, terms)
    return ROOM.apply(Authority(id), event)


@pytest.mark.parametrize("event", CYCLE.events())
@pytest.mark.parametrize("state", AuthorityState)
def test_every_step_is_allowed_or_explained(state: AuthorityState, event: type[Event]) -> None:
    if (state, event) in CYCLE.steps:
        assert CYCLE.after("aut_1", state, event) is CYCLE.steps[state, event]
    else:
        with pytest.raises(Refused, match=r"from here it can be|begin a new one") as refusal:
            CYCLE.after("aut_1", state, event)
        assert refusal.value.code == "authority.wrong-state"


def test_every_state_can_come_about_and_has_words() -> None:
    assert CYCLE.reachable() == set(AuthorityState)
    assert len({label(state) for state in AuthorityState}) == len(AuthorityState)


@pytest.mark.parametrize(
    ("change", "code"),
    [
        ({"title": " "}, "authority.title"),
        ({"source": ""}, "authority.source"),
        ({"source": "x" * 201}, "authority.source"),
        ({"countries": ("XX",)}, "authority.countries"),
        ({"countries": ()}, "authority.territory"),
        ({"everywhere": True}, "authority.territory"),
        ({"countries": (), "regions": ("Kyiv",)}, "authority.regions"),
        ({"vouches_for": ()}, "authority.vouches-for"),
        ({"valid_until": InstantUs(1_000)}, "authority.validity"),
        ({"valid_from": InstantUs(9_000), "valid_until": InstantUs(8_000)}, "authority.validity"),
    ],
)
def test_entries_that_cannot_be(change: dict[str, object], code: str) -> None:
    terms = replace(MDT, **change)  # type: ignore[arg-type]
    for tried in (
        lambda: decide.recorded(Authority("aut_1"), WHO, "UA-MDT", terms),
        lambda: decide.amended(known("UA-MDT", MDT), WHO, terms),
    ):
        with pytest.raises(Refused) as refusal:
            tried()
        assert refusal.value.code == code


@pytest.mark.parametrize("text", ["Ministry of Truth", "а", "", "1234567890", "MDT\nX"])
def test_a_code_is_no_name(text: str) -> None:
    with pytest.raises(Refused) as refusal:
        decide.recorded(Authority("aut_1"), WHO, text, MDT)
    assert refusal.value.code == "authority.code"


def test_a_code_is_kept_in_capitals_and_the_same_again_changes_nothing() -> None:
    one = known(" ua-mdt ", MDT)
    assert one.code == "UA-MDT"
    assert ROOM.facets(one).keys == {"code": "UA-MDT"}
    assert decide.amended(one, WHO, MDT) == ()


def test_whose_word_opens_what() -> None:
    ministry, regulator = known("UA-MDT", MDT), known("UA-NCEC", NCEC, "aut_2")
    both = [ministry, regulator]

    def register() -> list[Authority]:
        return both

    def refused(
        named: str, found: Authority | None, matter: Matter, places: object = HERE, at: int = 0
    ) -> Refused:
        with pytest.raises(Refused) as refusal:
            decide.vouching((named, found), register, matter, places, at)  # type: ignore[arg-type]
        return refusal.value

    assert decide.vouching(("UA-MDT", ministry), register, Matter.ASKERS, HERE, 0) is ministry
    # Where is not known yet: whoever may vouch for askers anywhere.
    assert decide.vouching(("UA-MDT", ministry), register, Matter.ASKERS, (), 0) is ministry
    # Who gives licences gives the customs route too.
    assert decide.vouching(("UA-NCEC", regulator), register, Matter.CUSTOMS, HERE, 0) is regulator
    stranger = refused("MDT", None, Matter.ASKERS)
    assert stranger.code == "authority.not-known"
    assert "UA-MDT" in stranger.way_out
    assert "UA-NCEC" not in stranger.way_out
    assert "may not vouch for licences" in refused("UA-MDT", ministry, Matter.LICENCES).rule
    abroad = refused("UA-MDT", ministry, Matter.ASKERS, (("PL", "rgn_pl"),))
    assert "does not speak for PL" in abroad.rule
    assert "have it recorded first" in abroad.way_out


def test_a_word_counts_from_its_beginning_to_its_end_and_not_once_withdrawn() -> None:
    one = known("UA-MDT", replace(MDT, valid_from=InstantUs(2_000), valid_until=InstantUs(3_000)))
    assert [one.in_force(at) for at in (1_999, 2_000, 2_999, 3_000)] == [False, True, True, False]
    (event,) = decide.withdrawn(one, WHO, "dissolved")
    gone = ROOM.apply(one, event)
    assert not gone.in_force(2_500)
    (event,) = decide.restored(gone, WHO)
    assert ROOM.apply(gone, event).in_force(2_500)


def test_a_municipality_speaks_for_its_region_alone() -> None:
    town = known("KHARKIV-1", replace(MDT, countries=(), regions=("rgn_kh",), kind=Kind.MUNICIPALITY))
    assert town.speaks_for("UA", "rgn_kh")
    assert not town.speaks_for("UA", "rgn_ua")
    assert not town.speaks_for("UA", "")
    own = known("OPS", replace(MDT, countries=(), everywhere=True, kind=Kind.OPERATOR))
    assert own.speaks_for("PL", "rgn_pl")


STEPS = st.sampled_from(
    [
        (decide.recorded, "UA-MDT", MDT),
        (decide.amended, NCEC),
        (decide.amended, MDT, "apr_1"),
        (decide.withdrawn, "dissolved"),
        (decide.restored, "apr_2"),
    ]
)


@given(st.lists(STEPS, max_size=12))
def test_replay_gives_the_same(steps: list[tuple[object, ...]]) -> None:
    types = EventTypes(CYCLE.events())
    one, events = Authority("aut_1"), []
    for number, (function, *arguments) in enumerate(steps):
        try:
            new = function(one, Who(InstantUs(2_000 + number), "per_1"), *arguments)  # type: ignore[operator]
        except Refused:
            continue
        for event in new:
            one = ROOM.apply(one, event)
            columns = {
                "at": event.at,
                "by": event.by,
                "subject_id": event.subject_id,
                "cause_id": event.cause_id,
            }
            events.append(types.read(event.NAME, columns, to_payload(event)))
    assert ROOM.replayed("aut_1", tuple(events)) == one
    assert ROOM.from_plain(ROOM.to_plain(one)) == one
