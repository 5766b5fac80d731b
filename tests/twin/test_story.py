"""The story that a demonstration plays: what is refused before it is played, and how names are filled in."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from skylift.adapters.demo import packaged_story, scenario_of
from skylift.base.errors import Refused
from skylift.service.account.roles import Role
from skylift.twin.story import filled, read_story

STORY = """
title = "Two steps"
scenario = "none"
begins = 2022-02-26T12:00:00Z
longest_wait_s = 60
patience_s = 5
[names]
kyiv = "851e6387fffffff"
[[persona]]
id = "coordinator"
role = "operator"
does = "all"
[[persona]]
id = "approver-one"
role = "approver"
does = "agrees"
[[before]]
by = "coordinator"
post = "regions"
keep = "region"
body = { cells = ["{kyiv}"] }
[[chapter]]
title = "One"
[[chapter.step]]
at = 2022-02-26T12:10:00Z
by = "coordinator"
post = "regions/{region}/activate"
agree = ["approver-one"]
[[chapter.step]]
at = 2022-02-26T12:20:00Z
by = "coordinator"
post = "regions/{it}/suspend"
each = ["region"]
"""


def test_a_story_is_read() -> None:
    story = read_story(STORY, "s.toml")
    assert [(chapter, step.post) for chapter, step in story.steps()] == [
        ("", "regions"), ("One", "regions/{region}/activate"), ("One", "regions/{it}/suspend"),
    ]  # fmt: skip
    assert story.persona[1].name == "Approver One (DEMO)"
    assert story.begins_us == 1_645_876_800_000_000


@pytest.mark.parametrize(
    ("before", "after", "says"),
    [
        ('by = "coordinator"\npost = "regions"', 'by = "minister"\npost = "regions"', "name personas"),
        ('agree = ["approver-one"]', 'agree = ["coordinator"]', "approvers agree"),
        ("{region}", "{country}", "country"),
        ('each = ["region"]', 'each = ["regions"]', "regions"),
        ("12:20:00Z", "12:05:00Z", "one after the other"),
        ("at = 2022-02-26T12:20:00Z\n", "", "say when"),
        ('post = "regions/{it}/suspend"\n', "", "posts something"),
        ('role = "operator"', 'role = "viewer"', "first persona is an operator"),
        ('keep = "region"', 'keeps = "region"', "keeps"),
        ('role = "approver"', 'role = "king"', "king|enum"),
        ("[[before]]", "[[before", "line|expected"),
    ],
)
def test_what_could_not_be_played_is_refused(before: str, after: str, says: str) -> None:
    assert before in STORY
    with pytest.raises(Refused) as told:
        read_story(STORY.replace(before, after, 1), "s.toml")
    assert (told.value.code, told.value.thing) == ("story.wrong", "s.toml")
    assert re.search(says, told.value.rule, re.IGNORECASE), told.value.rule


def test_names_are_filled_in_at_every_depth_and_unknown_ones_are_not_passed_over() -> None:
    body = {"cells": ["{kyiv}", "x"], "more": {"region": "{region}"}, "count": 3}
    assert filled(body, {"kyiv": "85", "region": "rgn_1"}) == {
        "cells": ["85", "x"], "more": {"region": "rgn_1"}, "count": 3,
    }  # fmt: skip
    with pytest.raises(KeyError):
        filled(body, {"kyiv": "85"})


def test_the_packaged_story_has_who_the_issue_asks_for_and_says_demo_everywhere() -> None:
    story = packaged_story()
    roles = [persona.role for persona in story.persona]
    assert set(roles) == set(Role)
    assert roles.count(Role.APPROVER) == 2
    assert all(persona.name.endswith("(DEMO)") for persona in story.persona)
    for _, step in story.steps():
        for field in (
            "kit",
            "serial",
            "reference",
            "document",
            "evidence",
            "name",
            "author",
            "words",
            "asker",
        ):
            if step.body.get(field):
                assert "DEMO" in step.body[field], (step.post, field)


def test_it_plays_under_the_scenario_of_that_name() -> None:
    here = Path(__file__).resolve().parents[2] / "scenarios" / "ukraine-2022.toml"
    assert scenario_of(packaged_story()).read_text() == here.read_text()
