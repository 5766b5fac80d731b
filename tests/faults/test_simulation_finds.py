"""That the simulation can fail: each rule is broken in turn, and some seed of the first few must find it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import replace
from itertools import count
from typing import Any
from unittest.mock import patch

import pytest

from skylift.adapters.sql import group, reading, writing
from skylift.adapters.sql import store as store_module
from skylift.api.office import desk as desk_module
from skylift.api.office import door, facts
from skylift.service.account import roles
from skylift.service.approval import state as approvals
from skylift.service.permission import decision
from skylift.twin.office import approvals as approval_verbs
from skylift.twin.office.office import Office
from skylift.twin.office.verbs import Verb
from tests.faults.sim_town import template
from tests.faults.simulation import FoundError, run

MOST_SEEDS = 400

Broken = Callable[[], AbstractContextManager[Any]]


def nothing(*_: Any, **__: Any) -> None:
    return


def same_person_counts_twice() -> AbstractContextManager[Any]:
    agreed = approvals.agreed
    return patch.object(
        approval_verbs, "agreed", lambda approval, *more: agreed(replace(approval, people=()), *more)
    )


def some_commits_are_dropped() -> AbstractContextManager[Any]:
    commit, number = store_module._commit, count()

    def drop(connection: Any) -> None:
        connection.rollback() if next(number) % 7 == 6 else commit(connection)

    return patch.object(store_module, "_commit", drop)


@contextmanager
def answered_before_it_is_written() -> Iterator[None]:
    run_it = group.Change.run

    def early(self: Any, transaction: Any, alone: bool) -> None:
        run_it(self, transaction, alone)
        group_answer(self)

    group_answer = group.Change.answer

    def late(future: Any, value: Any) -> None:
        if not future.done():
            original(future, value)

    original = group.Future.set_result
    failing = group.Future.set_exception

    def fail(future: Any, error: BaseException) -> None:
        if not future.done():
            failing(future, error)

    with (
        patch.object(group.Change, "run", early),
        patch.object(group.Future, "set_result", late),
        patch.object(group.Future, "set_exception", fail),
    ):
        yield


def a_row_is_left_out_of_the_journal() -> AbstractContextManager[Any]:
    finish, number = writing.SqlTransaction.finish, count()

    def forget(self: Any) -> None:
        if next(number) % 9 == 8:
            del self._journal[:1]
        finish(self)

    return patch.object(writing.SqlTransaction, "finish", forget)


def what_is_known_grows_stale() -> AbstractContextManager[Any]:
    catch_up = facts.Facts._catch_up

    def once(self: Any) -> None:
        if self._sequence is None:
            catch_up(self)

    return patch.object(facts.Facts, "_catch_up", once)


def who_is_locked_may_act() -> AbstractContextManager[Any]:
    def anyone(reader: Any, hashed: str, at: int) -> Any:
        stored = reader.find(desk_module.tokens.ROOM, "hash", hashed)
        person = reader.get(desk_module.persons.ROOM, stored.thing.person)
        actor = desk_module.Actor(person.id, person.thing.account, person.thing.grants, stored.thing.scopes)
        return desk_module.Holder(actor, stored.thing)

    return patch.object(desk_module, "holder_of", anyone)


def what_is_refused_is_not_undone() -> AbstractContextManager[Any]:
    def keep(self: Any, inner: Any) -> bool:
        inner.commit()
        return True

    return patch.object(writing.SqlTransaction, "_undone", keep)


def erasing_forgets_the_rows() -> AbstractContextManager[Any]:
    def only_say_so(self: Any, subject_id: str) -> bool:
        self.erased_subjects.append(subject_id)
        return True

    return patch.object(writing.SqlTransaction, "erase_personal", only_say_so)


def a_read_sees_an_older_state() -> AbstractContextManager[Any]:
    get, kept = reading.SqlReader.get, {}  # type: ignore[var-annotated]

    def old(self: Any, room: Any, id: str) -> Any:
        if isinstance(self, writing.SqlTransaction):
            return get(self, room, id)
        return kept.setdefault((room.kind, id), get(self, room, id))

    return patch.object(reading.SqlReader, "get", old)


MUTATIONS: dict[str, tuple[Broken, str]] = {
    "nobody needs a second person": (
        lambda: patch.object(Verb, "people_needed", lambda *_: 1),
        "one person",
    ),
    "one person counts twice": (same_person_counts_twice, "agrees twice"),
    "an agreement fits any change": (
        lambda: patch.object(approvals, "_the_same", nothing),
        "agreed to",
    ),
    "an agreement is good for ever": (
        lambda: patch.object(approvals, "_not_lapsed", nothing),
        "lapsed|too long ago",
    ),
    "an agreement is not used up": (
        lambda: patch.object(Office, "_use", nothing),
        "agreement|one person",
    ),
    "some commits are dropped": (
        some_commits_are_dropped,
        "is lost|missing|audit|no journal|not in the journal|skips|answered",
    ),
    "answered before it is written": (answered_before_it_is_written, "is lost|was answered"),
    "a row is left out of the journal": (a_row_is_left_out_of_the_journal, "missing|is lost|follow"),
    "answers are not kept": (
        lambda: patch.object(writing.SqlTransaction, "keep_reply", nothing),
        "was answered|written 2",
    ),
    "a suspended region is served": (
        lambda: patch.object(decision, "_of_region", lambda _: ()),
        "served True",
    ),
    "papers never run out": (
        lambda: patch.object(decision, "allowed_spans", lambda _: ((0, 10**17),)),
        "served True",
    ),
    "what is known grows stale": (what_is_known_grows_stale, "served"),
    "who is locked may act": (who_is_locked_may_act, "may not act"),
    "an authority acts anywhere": (
        lambda: patch.object(roles, "_reaches", lambda *_: True),
        "territory",
    ),
    "any role may do anything": (
        lambda: patch.object(Office, "refuse_strangers", nothing),
        "is no|territory",
    ),
    "what is refused is not undone": (
        what_is_refused_is_not_undone,
        "audit|missing|skips|lost|is no|ended with|served",
    ),
    "erasing forgets the rows": (erasing_forgets_the_rows, "still in a file"),
    "a stale edit is taken": (
        lambda: patch.object(door.Call, "expected_version", nothing),
        "stale edit",
    ),
    "a read sees an older state": (a_read_sees_an_older_state, "was shown version|served"),
}


@pytest.mark.parametrize("name", sorted(MUTATIONS))
def test_a_broken_rule_is_found(name: str) -> None:
    broken, said = MUTATIONS[name]
    # The town is made by rules that are whole.
    template()
    with broken():
        found = next((told for told in map(told_by, range(MOST_SEEDS)) if told), "")
    assert found, f"{name}: no seed of {MOST_SEEDS} has found it"
    print(f"{name}: {found.splitlines()[0][:200]}")
    assert "python -m tests.faults.simulation" in found
    assert any(word in found for word in said.split("|")), found


def told_by(seed: int) -> str:
    """What a seed finds wrong; "" where all holds."""
    try:
        run(seed)
    except FoundError as found:
        return str(found)
    return ""
