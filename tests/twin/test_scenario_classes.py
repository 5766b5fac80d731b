"""[capacity] classes and effort of a scenario: read, defaulted, refused with the file's line."""

from __future__ import annotations

import pytest

from skylift.base.errors import Refused
from skylift.base.strict import read_toml
from skylift.twin.scenario_capacity import CapacityScenario, read_capacity


def read(lines: str) -> CapacityScenario:
    found = read_capacity(read_toml("[capacity]\n" + lines, "case.toml").table(known=("capacity",)))
    assert found is not None
    return found


def test_weights_and_tiers_reach_the_rules() -> None:
    assert read("").rules(8).tiers() == (1, 2, 3, 4)
    assert read("class_weights = [8, 4, 2, 1]").rules(8).tiers() == (1, 1, 1, 1)
    both = read("class_weights = [1, 4, 2, 1]\nclass_tiers = [1, 2, 2, 2]").rules(8)
    assert both.class_weights == (1.0, 4.0, 2.0, 1.0)
    assert both.tiers() == (1, 2, 2, 2)


@pytest.mark.parametrize(
    ("lines", "word"),
    [
        ("class_weights = [1, 2]", "4 numbers"),
        ("class_weights = [1, 0, 1, 1]", "0.001"),
        ("class_tiers = [1, 3, 3, 4]", "begin at 1"),
        ("class_tiers = [1, 2, 3, 5]", "4"),
        ('effort = "hard"', "'live', 'study'"),
    ],
)
def test_impossible_ones_are_refused_with_their_line(lines: str, word: str) -> None:
    with pytest.raises(Refused) as refusal:
        read(lines)
    assert word in refusal.value.rule
    assert "case.toml" in refusal.value.thing
    assert lines.split(" ")[0] in refusal.value.thing
