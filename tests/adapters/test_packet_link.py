"""What is said before packets go through."""

from __future__ import annotations

import math
from multiprocessing import Pipe

import pytest

from skylift.adapters import packet_link
from skylift.adapters.packet_link import first_slot
from skylift.adapters.packet_processes import unrunnable
from skylift.adapters.packet_sky import LinkSlot, outside_its_time


def test_a_link_that_is_down_and_what_the_sky_notes_are_said() -> None:
    ours, theirs = Pipe(duplex=False)
    said: list[str] = []
    theirs.send(LinkSlot(0, 15_000_000, "region_not_active", notes=("old elements",)))
    assert math.isnan(first_slot(ours, said.append).up_us[0])
    assert said == ["note: old elements", "note: it begins without a link: region not active"]


def test_a_link_that_is_up_is_begun_without_a_word() -> None:
    ours, theirs = Pipe(duplex=False)
    said: list[str] = []
    theirs.send(LinkSlot(0, 15_000_000, "", (1.0, 1.0), (1.0, 1.0)))
    assert first_slot(ours, said.append).up
    assert said == []


def test_a_sky_that_takes_its_time_is_not_a_silence(monkeypatch: pytest.MonkeyPatch) -> None:
    ours, theirs = Pipe(duplex=False)
    said: list[str] = []

    def say(line: str) -> None:
        said.append(line)
        theirs.send(LinkSlot(0, 15_000_000, "", (1.0, 1.0), (1.0, 1.0)))

    monkeypatch.setattr(packet_link, "_SILENCE_S", 0.01)
    assert first_slot(ours, say).up
    assert len(said) == 1


def test_a_scenarios_own_time_is_named() -> None:
    assert "1970-01-01T00:00:00Z to 1970-01-02T00:00:00Z" in outside_its_time(0, 86_400_000_000)


def test_what_is_there_and_what_is_not_end_as_shells_have_it() -> None:
    assert unrunnable(FileNotFoundError(2, "")) == 127
    assert unrunnable(PermissionError(13, "")) == 126
