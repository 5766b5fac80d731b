"""What the office's doors do, once more on PostgreSQL: the tests themselves are those of the other files.

Left out are those that look into the file of SQLite, and what has no part in how a store behaves.
"""

from __future__ import annotations

from types import ModuleType

import pytest

from tests.api.office import test_facts_lists, test_lines, test_login, test_story, test_usage, test_writes

LEFT_OUT = {
    # They open the file of SQLite beside the service.
    "test_a_write_with_a_key_is_done_once_also_after_a_restart",
    "test_names_given_as_what_is_personal_stand_in_no_row_but_theirs",
    "test_the_journal_is_whole_after_all_that",
    # The store has no part in these, and they take long.
    "test_bodies_that_are_none",
    "test_places_and_numbers_sent_through_every_door_stand_nowhere",
    "test_guessing_runs_out_of_tries",
}


@pytest.fixture
def town_url(postgresql_url: str) -> str:
    return postgresql_url


def _taken(module: ModuleType) -> dict[str, object]:
    """Tests and fixtures of a file, by their names there."""
    return {
        name: value
        for name, value in vars(module).items()
        if name not in LEFT_OUT
        and (name.startswith("test_") or type(value).__name__ == "FixtureFunctionDefinition")
    }


for _module in (test_facts_lists, test_lines, test_login, test_story, test_usage, test_writes):
    globals().update(_taken(_module))


def test_they_are_run_on_postgresql(town_url: str) -> None:
    assert town_url.startswith("postgresql:")
