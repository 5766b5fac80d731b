"""What the agent makes of a dish that talks nonsense: the rest is told, and nothing that would be refused."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from skylift.adapters.agent_cell import cell_of
from skylift.adapters.agent_folder import AgentFolder
from skylift.adapters.agent_http import Answered
from skylift.adapters.agent_sharing import Sharing
from skylift.adapters.dish_client import ObstructionMap
from skylift.base.errors import Refused, Unavailable
from skylift.wire.agent.agent import Now
from skylift.wire.agent.sharing import Shares, Told
from skylift.wire.dish.reading import Location, Pointing
from skylift.wire.telemetry.sharing import KINDS, UNSEEN, Shared, read, unpacked

EVERYTHING = Shares(tuple(kind for kind in KINDS if kind != "location"))


class Talks:
    """A dish of whatever firmware: what it says, or raises."""

    def __init__(self, **said: Any) -> None:
        self.said = said

    def __getattr__(self, name: str) -> Any:
        def ask() -> Any:
            if isinstance(self.said[name], Exception):
                raise self.said[name]
            return self.said[name]

        return ask


class Service:
    """Takes what is a document, and refuses as the service does."""

    def __init__(self) -> None:
        self.told: list[Shared] = []

    def post(self, path: str, content_type: str, body: bytes, zipped: bool = False) -> Answered:
        self.told.append(read(body))
        return Answered(200)


def told(folder: Path, dish: Talks, shares: Shares = EVERYTHING) -> tuple[Shared, str]:
    """The document, and what is noted for the doctor."""
    made = AgentFolder(folder / "agent").made()
    made.keep_shares(shares)
    service = Service()
    sharing = Sharing(made, dish, service, "trm_1", lambda line: None)  # type: ignore[arg-type]
    # A board without a clock begins before 1970.
    assert sharing.step(Now(-5, 0))
    assert made.told() == Told(1, shares, heard=True)
    return service.told[0], made.share_trouble()


def dish(**otherwise: Any) -> Talks:
    said = {
        "location": Location(10.0, 20.0, 5.0),
        "obstruction_map": ObstructionMap(1, 3, [-1.0, float("nan"), 2.0], "earth"),
        "status": SimpleNamespace(pointing=Pointing(10.04, 70.0, None)),
        "satellite": 44713,
    }
    return Talks(**{**said, **otherwise})


def test_what_a_dish_says_is_told(tmp_path: Path) -> None:
    document, trouble = told(tmp_path, dish())
    assert trouble == ""
    assert document.location is not None
    assert document.location.latitude_deg == 10.0
    assert document.boresight is not None
    assert document.boresight.azimuth_deg == 10.0
    assert document.obstructions is not None
    assert unpacked(document.obstructions) == [UNSEEN, UNSEEN, 1.0]
    assert document.satellites == ((-5, 44713),)


@pytest.mark.parametrize(
    ("name", "said", "field"),
    [
        ("location", Location(1e30, 20.0, None), "location"),
        ("location", Refused("dish.refuses", "the dish", "not enabled", ""), "location"),
        ("location", SimpleNamespace(), "location"),
        ("obstruction_map", ObstructionMap(0, 0, [], ""), "obstructions"),
        ("obstruction_map", ObstructionMap(500, 1, [1.0] * 500, "ut"), "obstructions"),
        ("obstruction_map", ObstructionMap(1, 1, ["high"], "ut"), "obstructions"),  # type: ignore[list-item]
        ("status", SimpleNamespace(pointing=Pointing(1e9, None, None)), "boresight"),
        ("status", Unavailable("dish.silent", "the dish", "", ""), "boresight"),
    ],
)
def test_nonsense_is_left_out_and_the_rest_told(tmp_path: Path, name: str, said: Any, field: str) -> None:
    document, trouble = told(tmp_path, dish(**{name: said}))
    left = {one for one in ("location", "obstructions", "boresight") if getattr(document, one) is None}
    assert left == {field}
    assert "the dish does not tell" in trouble
    assert "1e+30" not in trouble


def test_a_place_that_is_none_has_no_cell(tmp_path: Path) -> None:
    nowhere = dish(location=Location(1e30, 20.0, None))
    assert told(tmp_path, nowhere, Shares(("location",)))[0].location is None


@pytest.mark.parametrize("said", [2**63, None, ValueError()])
def test_no_satellite_is_none(tmp_path: Path, said: Any) -> None:
    assert told(tmp_path, dish(satellite=said))[0].satellites == ()


def test_a_cell_is_reckoned_elsewhere_and_never_named_in_an_error() -> None:
    assert cell_of(50.45, 30.52, 5) == "851e6387fffffff"
    with pytest.raises(Unavailable) as refused:
        cell_of(50.45, 77.77, 99)
    assert "77.77" not in str(refused.value)
