"""A dish that falls silent after an order to its radio: what health says of it, by whom and since when."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import msgspec
import pytest

from skylift.base.instants import format_instant
from skylift.base.units import US_PER_S
from skylift.wire.agent.orders import Reply

from .conftest import Person, Town, make_town
from .test_telemetry import Agent, agent_of, made
from .test_telemetry import row as _row

MINUTE_US = 60 * US_PER_S


@pytest.fixture
def town(tmp_path: Path) -> Iterator[Town]:
    yield from make_town(tmp_path)


@pytest.fixture
def operator(town: Town) -> Person:
    return town.first()


@pytest.fixture
def agent(operator: Person) -> Agent:
    """Beside a dish whose owner consents to all of it, and which is well."""
    terminal = made(operator)
    kinds = ["rf-inhibit", "stow"]
    operator.made("consents", terminal=terminal, kinds=kinds, document="letter 8")
    found = agent_of(operator, terminal)
    heard(found, 1)
    return found


def heard(agent: Agent, number: int, state: str = "connected") -> None:
    """A row comes now, of now."""
    now = agent.town.desk.clock.now()
    one = msgspec.structs.replace(_row(number, state=state), at_us=int(now))
    assert agent.post(one).status_code == 200


def asked(operator: Person, agent: Agent, command: str = "rf-inhibit") -> str:
    return str(operator.made("commands", terminal=agent.terminal, command=command, expires_min=30)["id"])


def replied(agent: Agent, command: str, result: str) -> None:
    reply = Reply(command, result, "", "the radio is off", int(agent.town.desk.clock.now()))
    assert agent.send("/api/v1/agent/replies", msgspec.json.encode(reply)).json() == {"noted": True}


def later(town: Town, minutes: float) -> str:
    """That much later; the instant before, as health writes it."""
    before = format_instant(town.desk.clock.now())
    assert town.desk.advance is not None
    town.desk.advance(int(minutes * MINUTE_US))
    return before


def verdict(operator: Person) -> tuple[str, str]:
    [down] = operator.get("fleet/health").json()["down"]
    return down["why"], down["says"]


def test_an_order_that_may_have_reached_it_and_is_not_confirmed(
    town: Town, operator: Person, agent: Agent
) -> None:
    command = asked(operator, agent)
    issued = operator.get(f"commands/{command}").json()
    later(town, 1)
    heard(agent, 2)
    later(town, 20)
    why, says = verdict(operator)
    assert why == "may-transmit"
    assert command in says
    assert format_instant(issued["issued_at"]) in says
    assert "pull the power" in says
    assert "pull the power" in issued["means"]
    # Taking it back does not bring the dish back.
    operator.made(f"commands/{command}/withdraw", reason="it is silent")
    assert verdict(operator)[0] == "may-transmit"
    # Once its word comes after all, by another link, it is known.
    replied(agent, command, "done")
    why, says = verdict(operator)
    assert (why, "was switched off by order" in says) == ("radio-off", True)


@pytest.mark.parametrize("last", ["connected", "radio-off"])
def test_an_order_that_was_confirmed(town: Town, operator: Person, agent: Agent, last: str) -> None:
    command = asked(operator, agent, "stow")
    later(town, 1)
    heard(agent, 2, last)
    replied(agent, command, "done")
    issued = format_instant(operator.get(f"commands/{command}").json()["issued_at"])
    later(town, 20)
    assert verdict(operator) == (
        "radio-off",
        f"its radio was switched off by order {command} of {issued}, as the dish said",
    )


def test_orders_that_explain_nothing(town: Town, operator: Person, agent: Agent) -> None:
    # It was silent before: no row came by whose answer it could have heard of the order.
    later(town, 5)
    asked(operator, agent)
    later(town, 20)
    assert verdict(operator)[0] == "power"
    # It was heard for long after, and on.
    heard(agent, 2)
    later(town, 20)
    assert verdict(operator)[0] == "power"
    # The agent refused it.
    heard(agent, 3)
    command = asked(operator, agent, "stow")
    later(town, 1)
    heard(agent, 4)
    replied(agent, command, "refused")
    later(town, 20)
    assert verdict(operator)[0] == "power"


@pytest.mark.parametrize("how", ["ordered", "by hand"])
def test_a_radio_that_was_on_again_since(town: Town, operator: Person, agent: Agent, how: str) -> None:
    replied(agent, asked(operator, agent), "done")
    later(town, 1)
    if how == "ordered":
        replied(agent, asked(operator, agent, "rf-allow"), "done")
    else:
        heard(agent, 2)
    later(town, 20)
    assert verdict(operator)[0] == "power"
