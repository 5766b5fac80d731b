"""skylift plan: questions that a planner asks of a region."""

from __future__ import annotations

from importlib import import_module

import typer

# Each has `register(plan)`.
QUESTIONS = ("plan_capacity", "plan_compare", "plan_gateways", "plan_terminals")


def register(app: typer.Typer) -> None:
    plan = typer.Typer(help="What a region can bear, where gateways help, how many terminals it takes.")
    for module in QUESTIONS:
        import_module(f"skylift.cli.{module}").register(plan)
    app.add_typer(plan, name="plan", no_args_is_help=True)
