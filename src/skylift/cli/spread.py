"""Options that several commands share, as the fields of one dataclass."""

from __future__ import annotations

import dataclasses
import functools
import inspect
from collections.abc import Callable, Iterator
from typing import Any, get_type_hints


def spread(*left_out: str) -> Callable[[Callable[..., None]], Callable[..., None]]:
    """A command whose parameters that are dataclasses become an option for each of their fields instead.

    left_out  fields that keep what they are by default
    """

    def around(command: Callable[..., None]) -> Callable[..., None]:
        options: list[inspect.Parameter] = []
        groups: dict[str, tuple[type[Any], list[str]]] = {}
        for name, kind in get_type_hints(command, include_extras=True).items():
            if isinstance(kind, type) and dataclasses.is_dataclass(kind):
                of_it = [one for one in _options(kind) if one.name not in left_out]
                groups[name] = (kind, [one.name for one in of_it])
                options += of_it
            elif name != "return":
                default = inspect.signature(command).parameters[name].default
                options.append(_option(name, default, kind))

        @functools.wraps(command)
        def called(**said: Any) -> None:
            for name, (kind, names) in groups.items():
                said[name] = kind(**{one: said.pop(one) for one in names})
            command(**said)

        called.__dict__["__signature__"] = inspect.Signature(options)
        called.__annotations__ = {one.name: one.annotation for one in options}
        return called

    return around


def _options(kind: type[Any]) -> Iterator[inspect.Parameter]:
    hints = get_type_hints(kind, include_extras=True)
    for one in dataclasses.fields(kind):
        factory = one.default_factory
        default = one.default if factory is dataclasses.MISSING else factory()
        yield _option(one.name, default, hints[one.name])


def _option(name: str, default: Any, kind: Any) -> inspect.Parameter:
    return inspect.Parameter(name, inspect.Parameter.KEYWORD_ONLY, default=default, annotation=kind)
