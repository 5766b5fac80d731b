"""Options that commands share, as the fields of a dataclass."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Annotated

import typer
from typer.testing import CliRunner

from skylift.cli.spread import spread


@dataclass(frozen=True)
class Words:
    """Options of several commands."""

    rate: Annotated[float, typer.Option(min=1.0)] = 5.0
    names: Annotated[list[str], typer.Option("--name")] = field(default_factory=list)
    hidden: Annotated[str, typer.Option()] = "kept"


@spread("hidden")
def command(place: Annotated[str, typer.Argument()], words: Words, last: bool = False) -> None:
    """What it does."""
    typer.echo(f"{place} {words} {last}")


def said(*arguments: str) -> tuple[int, str]:
    app = typer.Typer()
    app.command()(command)
    done = CliRunner().invoke(app, list(arguments))
    return done.exit_code, done.output


def test_each_field_is_an_option_and_they_come_back_together() -> None:
    assert said("here") == (0, "here Words(rate=5.0, names=[], hidden='kept') False\n")
    words = ("here", "--rate", "2", "--name", "a", "--name", "b", "--last")
    assert said(*words) == (0, "here Words(rate=2.0, names=['a', 'b'], hidden='kept') True\n")


def test_bounds_hold_and_what_is_left_out_is_no_option() -> None:
    assert said("here", "--rate", "0")[0] == 2
    assert said("here", "--hidden", "x")[0] == 2
    code, text = said("--help")
    assert code == 0
    assert "What it does." in text
