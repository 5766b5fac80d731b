"""Commands through the office: who may, with whose consent, and how a rollout is held back."""

from __future__ import annotations

from typing import Any

import pytest

from skylift.base.errors import Refused
from skylift.base.events import Who
from skylift.base.instants import InstantUs
from skylift.service.account.roles import Grant, Role
from skylift.service.command import consent, rollout
from skylift.service.command import state as commands
from skylift.service.command.rollout import RolloutState
from skylift.service.command.state import CommandState
from skylift.twin.office.commands import Answer, answer, brake, open_commands, to_brake
from skylift.twin.office.office import Forbidden
from skylift.twin.office.verbs import Actor


def dishes(bureau: Any, count: int) -> list[str]:
    """Terminals of one company, of which nothing more is known."""
    bureau.account("acc_a")
    ids = []
    for n in range(count):
        made = bureau.do(
            bureau.logistics, "terminal.create", hardware="ROUND-2021", serial=f"KIT{n:07}", origin="gift"
        )
        bureau.do(bureau.operator, "terminal.register", made.id, owner="acc_a", cell=bureau.cell)
        ids.append(made.id)
    return ids


def replied(bureau: Any, command: str, result: str, terminal: str = "") -> bool:
    with bureau.store.transaction() as transaction:
        of = terminal or transaction.get(commands.ROOM, command).thing.terminal
        bureau.at += 1_000_000
        who = Who(InstantUs(bureau.at), "key_1")
        return answer(transaction, of, who, Answer(command, result, "not_allowed", "no", bureau.at))


def looked_at(bureau: Any, after_us: int) -> list[str]:
    """The rollouts that end by themselves when the service looks at them."""
    bureau.at += after_us
    with bureau.store.transaction() as transaction:
        who = Who(InstantUs(bureau.at), "sys_brakes")
        return [id for id in to_brake(transaction, bureau.at) if brake(transaction, id, who)]


def test_numbers_rise_without_a_hole_and_each_terminal_has_its_own(bureau: Any) -> None:
    first, second = dishes(bureau, 2)
    for n in range(1, 8):
        made = bureau.do(bureau.operator, "command.create", terminal=first, command="reboot")
        assert made.number == n
        assert (made.owner, made.rollout) == ("acc_a", "")
    other = bureau.do(bureau.operator, "command.create", terminal=second, command="gps-inhibit")
    assert other.number == 1
    with bureau.store.reading() as reader:
        assert [one.number for one in open_commands(reader)[first]] == list(range(1, 8))


def test_switching_off_takes_the_owners_consent_as_long_as_they_own_it(bureau: Any) -> None:
    (dish,) = dishes(bureau, 1)
    owner = Actor("per_of_acc_a", "acc_a", (Grant(Role.SUBSCRIBER),))
    ask = {"terminal": dish, "command": "stow"}
    with pytest.raises(Refused, match="has not consented") as refusal:
        bureau.do(bureau.operator, "command.create", **ask)
    assert refusal.value.code == "command.no-consent"
    said = {"terminal": dish, "kinds": ["stow"], "document": "letter 7"}
    given = bureau.do(owner, "consent.create", **said)
    assert bureau.do(bureau.operator, "command.create", **ask).kind.value == "stow"
    with pytest.raises(Refused, match="rf-inhibit from afar"):
        bureau.do(bureau.operator, "command.create", terminal=dish, command="rf-inhibit")
    with pytest.raises(Refused, match="in force"):
        bureau.do(bureau.operator, "consent.create", **said)
    bureau.do(owner, "consent.take-back", given.id)
    with pytest.raises(Refused, match="has not consented"):
        bureau.do(owner, "command.create", **ask)
    again = bureau.do(bureau.operator, "consent.create", **said)
    assert bureau.get(consent.ROOM, again.id).owner == "acc_a"
    # Another owner has said nothing yet.
    bureau.account("acc_b")
    bureau.do(bureau.operator, "terminal.unregister", dish)
    bureau.do(bureau.operator, "terminal.register", dish, owner="acc_b", cell=bureau.cell)
    with pytest.raises(Refused, match="has not consented"):
        bureau.do(bureau.operator, "command.create", **ask)


def test_who_may_command(bureau: Any) -> None:
    (dish,) = dishes(bureau, 1)
    ask = {"terminal": dish, "command": "reboot"}
    abroad = Actor("per_pl", grants=(Grant(Role.OPERATOR, ("rgn_pl",)),))
    stranger = bureau.account("acc_z")
    for actor in (bureau.field, bureau.logistics, bureau.authority, bureau.approver, abroad):
        with pytest.raises(Forbidden):
            bureau.do(actor, "command.create", **ask)
    with pytest.raises(Refused) as refusal:
        bureau.do(stranger, "command.create", **ask)
    assert refusal.value.code == "terminal.unknown"
    with pytest.raises(Refused) as refusal:
        bureau.do(abroad, "command.create", **ask, region="rgn_pl")
    assert refusal.value.code == "terminal.unknown"
    owner = Actor("per_of_acc_a", "acc_a", (Grant(Role.SUBSCRIBER),))
    assert bureau.do(owner, "command.create", **ask).number == 1


def test_an_agent_answers_for_its_own_terminal_alone(bureau: Any) -> None:
    first, second = dishes(bureau, 2)
    made = bureau.do(bureau.operator, "command.create", terminal=first, command="reboot")
    assert not replied(bureau, made.id, "done", terminal=second)
    assert not replied(bureau, "cmd_unknown", "done", terminal=first)
    assert bureau.get(commands.ROOM, made.id).state is CommandState.ISSUED
    assert replied(bureau, made.id, "done")
    assert replied(bureau, made.id, "failed")
    assert bureau.get(commands.ROOM, made.id).state is CommandState.DONE


def test_a_rollout_takes_two_people_and_goes_stage_by_stage(bureau: Any) -> None:
    ids = dishes(bureau, 13)
    ask = {"terminals": ids, "command": "reboot", "reason": "firmware hangs", "expires_min": 30}
    waiting = bureau.ask(bureau.operator, "rollout.create", **ask)
    assert waiting.approval is not None
    with bureau.store.reading() as reader:
        assert open_commands(reader) == {}
    made = bureau.do(bureau.operator, "rollout.create", **ask)
    assert [len(stage) for stage in made.stages] == [1]
    with pytest.raises(Refused, match="the gate is shut"):
        bureau.do(bureau.operator, "rollout.proceed", made.id)
    for stage in (1, 10, 2):
        now = bureau.get(rollout.ROOM, made.id)
        assert len(now.stages[-1]) == stage
        for command in now.stages[-1].values():
            replied(bureau, command, "done")
        now = bureau.do(bureau.operator, "rollout.proceed", made.id)
    assert now.state is RolloutState.ENDED
    with pytest.raises(Refused, match="nothing follows"):
        bureau.do(bureau.operator, "rollout.proceed", made.id)
    one = bureau.get(commands.ROOM, now.stages[1][ids[3]])
    assert (one.terminal, one.rollout, one.state) == (ids[3], made.id, CommandState.DONE)


@pytest.mark.parametrize("how", ["fails", "silent", "proceeds late", "asked"])
def test_a_rollout_ends_by_itself_and_takes_back_what_waits(bureau: Any, how: str) -> None:
    ids = dishes(bureau, 12)
    ask = {"terminals": ids, "command": "reboot", "reason": "firmware hangs", "expires_min": 30}
    made = bureau.do(bureau.operator, "rollout.create", **ask)
    (first,) = made.stages[0].values()
    replied(bureau, first, "done")
    now = bureau.do(bureau.operator, "rollout.proceed", made.id)
    second = list(now.stages[1].values())
    if how == "fails":
        replied(bureau, second[0], "refused")
    elif how == "asked":
        bureau.do(bureau.operator, "rollout.stop", made.id)
    elif how == "proceeds late":
        bureau.at += 31 * 60_000_000
        bureau.do(bureau.operator, "rollout.proceed", made.id)
    else:
        assert looked_at(bureau, 29 * 60_000_000) == []
        assert looked_at(bureau, 2 * 60_000_000) == [made.id]
        assert looked_at(bureau, 0) == []
    now = bureau.get(rollout.ROOM, made.id)
    assert now.state is RolloutState.STOPPED
    assert now.why == ("asked" if how == "asked" else "wrong")
    left = {bureau.get(commands.ROOM, id).state for id in second}
    assert CommandState.ISSUED not in left
    assert CommandState.WITHDRAWN in left
    with bureau.store.reading() as reader:
        assert open_commands(reader) == {}


def test_a_rollout_that_switches_off_needs_every_owners_consent(bureau: Any) -> None:
    ids = dishes(bureau, 3)
    ask = {"terminals": ids, "command": "rf-inhibit", "reason": "quiet hours"}
    for dish in ids[:2]:
        bureau.do(bureau.operator, "consent.create", terminal=dish, kinds=["rf-inhibit"], document="letter 8")
    with pytest.raises(Refused, match="has not consented"):
        bureau.do(bureau.operator, "rollout.create", **ask)
    bureau.do(bureau.operator, "consent.create", terminal=ids[2], kinds=["rf-inhibit"], document="letter 8")
    assert bureau.do(bureau.operator, "rollout.create", **ask).reached() == 1
    with pytest.raises(Refused, match="says why"):
        bureau.do(bureau.operator, "rollout.create", **{**ask, "reason": " "})
