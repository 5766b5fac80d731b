"""What a caller says, read as the type that was asked for, down to its innermost part.

convert(SetCells, {"cells": ["851e6387fffffff"], "mode": "restricted", "limits": {"speed": 1}})
raises Strange: field 'limits.speed' is not known.

Nothing that was given is repeated, save a name that can be no more than a field's: it may be anything, a
person's name too.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, fields, is_dataclass
from typing import Any, TypeVar

import msgspec
from msgspec import inspect

T = TypeVar("T")

_FIELD = re.compile(r"[a-z][a-z_]{0,39}", re.ASCII)
_GIVEN = re.compile(r"'.*'", re.DOTALL)
_LACKING = re.compile(r"missing required field `([a-z_]+)`$")
_PATH = re.compile(r"at `\$((?:\.[a-z_]+|\[\.\.\.\])+)`")


@dataclass
class Strange(Exception):
    """It cannot be read. rule: what is wrong, and where; way_out: what could be said."""

    rule: str
    way_out: str


def convert(kind: type[T], given: Mapping[str, Any], way_out: str) -> T:
    """`given`, of JSON's types, as `kind`. Raises Strange, with `way_out` if none better is known."""
    try:
        found = msgspec.convert(given, kind, strict=True)
    except msgspec.ValidationError as error:
        said = str(error)
        path = _PATH.search(said)
        words = _words(kind, path[1]) if path and said.startswith("Invalid enum") else ()
        if path and words:
            raise Strange(f"{path[1].lstrip('.')} is none of a few words", f"say {_listed(words)}") from None
        if lacking := _LACKING.search(said):
            raise Strange(f"field '{lacking[1]}' is missing", way_out) from None
        # What was given in place of something else is not repeated.
        raise Strange(_GIVEN.sub("that was given", said), way_out) from None
    for name, known in _strange(given, found, ""):
        raise Strange(f"{name} is not known", f"it takes: {', '.join(known)}")
    return found


def _strange(given: Any, found: Any, path: str) -> Iterator[tuple[str, Sequence[str]]]:
    """Names in what was given of which nothing was made, each with those that are known there."""
    if is_dataclass(found) and isinstance(given, Mapping):
        known = [field.name for field in fields(found)]
        for name, part in given.items():
            here = f"{path}.{name}" if path else str(name)
            if name in known:
                yield from _strange(part, getattr(found, name), here)
            else:
                plain = f"field '{here}'" if _FIELD.fullmatch(name) else f"a field of {path or 'it'}"
                yield plain, known
    elif isinstance(given, list) and isinstance(found, list | tuple):
        for part, made in zip(given, found, strict=False):
            yield from _strange(part, made, f"{path}[...]")


def _words(kind: type[Any], path: str) -> tuple[str, ...]:
    """The words that may stand at a path such as ".lines[...].kind"; () where it leads elsewhere."""
    here = [inspect.type_info(kind)]
    for step in re.findall(r"\.[a-z_]+|\[\.\.\.\]", path):
        here = [part for one in here for part in _step(one, step)]
    return tuple(str(value) for one in _flat(here) if isinstance(one, inspect.EnumType) for value in _of(one))


def _of(kind: inspect.EnumType) -> Iterator[object]:
    for member in kind.cls:
        yield member.value


def _step(kind: inspect.Type, step: str) -> Iterator[inspect.Type]:
    for one in _flat([kind]):
        if step == "[...]":
            inner = getattr(one, "item_type", None) or getattr(one, "value_type", None)
            if inner is not None:
                yield inner
        elif isinstance(one, inspect.DataclassType | inspect.StructType):
            yield from (field.type for field in one.fields if field.name == step[1:])


def _flat(kinds: Sequence[inspect.Type]) -> Iterator[inspect.Type]:
    for kind in kinds:
        if isinstance(kind, inspect.UnionType):
            yield from kind.types
        else:
            yield kind


def _listed(words: Sequence[str]) -> str:
    return words[0] if len(words) == 1 else f"{', '.join(words[:-1])} or {words[-1]}"
