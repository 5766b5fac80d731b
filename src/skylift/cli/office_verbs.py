"""What can be done with a kind of thing, and what a verb is told: from the one table of verbs."""

from __future__ import annotations

import enum
import json
from dataclasses import MISSING, fields, is_dataclass
from typing import TYPE_CHECKING, Any, get_args, get_type_hints

import typer

from skylift.cli.office_tables import table

if TYPE_CHECKING:
    from skylift.twin.office.verbs import Verb


def show_verbs(kind: str, as_json: bool) -> None:
    """Each verb of a kind, with the names of what it is told."""
    from skylift.twin.office.table import TABLE

    rows = [
        {
            "verb": verb.action,
            "needs": [f.name for f in fields(verb.arguments) if f.default is MISSING],
            "may_have": [f.name for f in fields(verb.arguments) if f.default is not MISSING],
            "does": verb.says,
        }
        for verb in TABLE.of_kind(kind)
    ]
    _print(rows, ("verb", "needs", "may_have", "does"), as_json)


def show_verb(verb: Verb, as_json: bool) -> None:
    """Each field of one verb: whether it must be said, and the words that it may be."""
    hints = get_type_hints(verb.arguments)
    rows = [
        {
            "field": field.name,
            "needed": field.default is MISSING,
            "is": _said(hints[field.name]),
            "personal": field.name in verb.personal,
        }
        for field in fields(verb.arguments)
    ]
    _print(rows, ("field", "needed", "is", "personal"), as_json)


def _print(rows: list[dict[str, Any]], columns: tuple[str, ...], as_json: bool) -> None:
    if as_json:
        typer.echo(json.dumps(rows))
    else:
        table(rows, columns)


def _said(hint: Any) -> str:
    from skylift.base.instants import InstantUs

    if isinstance(hint, type) and issubclass(hint, enum.Enum):
        return " | ".join(str(one.value) for one in hint)
    if isinstance(hint, type) and is_dataclass(hint):
        return ", ".join(f"{name}: {_said(part)}" for name, part in get_type_hints(hint).items())
    if parts := [part for part in get_args(hint) if part not in (type(None), ...)]:
        several = "several: " if getattr(hint, "__origin__", None) is tuple else ""
        return several + " | ".join(_said(part) for part in parts)
    return {
        InstantUs: "instant",
        str: "text",
        bool: "true | false",
        int: "whole number",
        float: "number",
    }.get(hint, "value")
