"""Fields of what a dish said, as far as they are there: firmware adds and drops them without notice.

A field that the message does not know, and a number that is none, come out as None and never as 0 or False.
Loads no NumPy: a small board beside a dish reads by it.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Protocol

from skylift.base.texts import printable

# Texts of a dish end in tables and journals.
_LONGEST = 200
_WHOLE = re.compile(r"-?\d{1,20}", re.ASCII)
_WORD = re.compile(r"_([a-z0-9])")


class Fields(Protocol):
    """One message, by the names of the .proto."""

    def raw(self, name: str) -> object:
        """The value as it came; None where it is not there."""

    def child(self, name: str) -> Fields | None:
        """A message within; None where it is not there, or not set."""

    def children(self, name: str) -> Iterator[Fields]:
        """Messages of a repeated field."""

    def names(self) -> Iterator[str]:
        """Of the fields that are there."""

    def word(self, name: str) -> str:
        """Name of an enumeration's value; a number that has none, as text; "" where there is nothing."""


def number(fields: Fields | None, name: str) -> float | None:
    """A finite number."""
    value = None if fields is None else fields.raw(name)
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    as_whole = whole(fields, name)
    return None if as_whole is None else float(as_whole)


def whole(fields: Fields | None, name: str) -> int | None:
    """A whole number of 64 bits, exact."""
    value = None if fields is None else fields.raw(name)
    if isinstance(value, str) and _WHOLE.fullmatch(value):
        # 64-bit integers are texts in JSON.
        value = int(value)
    if isinstance(value, bool) or not isinstance(value, int) or not -(2**63) <= value < 2**64:
        return None
    return value


def truth(fields: Fields | None, name: str) -> bool | None:
    value = None if fields is None else fields.raw(name)
    return value if isinstance(value, bool) else None


def text(fields: Fields | None, name: str) -> str:
    """A short text that can be printed; "" where there is none."""
    value = None if fields is None else fields.raw(name)
    return plain(value) if isinstance(value, str) else ""


def plain(value: str) -> str:
    """What a dish said, fit to be shown: no control characters, and not long."""
    return printable(value[:_LONGEST])


class MessageFields:
    """A protobuf message. What its firmware's descriptor does not have is not there."""

    def __init__(self, message: Any) -> None:
        self._message = message
        self._known = message.DESCRIPTOR.fields_by_name

    def raw(self, name: str) -> object:
        return getattr(self._message, name) if name in self._known else None

    def child(self, name: str) -> MessageFields | None:
        if name not in self._known or self._known[name].message_type is None:
            return None
        try:
            there = self._message.HasField(name)
        except ValueError:
            # Other firmware has many of it.
            return None
        return MessageFields(getattr(self._message, name)) if there else None

    def children(self, name: str) -> Iterator[MessageFields]:
        if name not in self._known or self._known[name].message_type is None:
            return
        value = getattr(self._message, name)
        # Other firmware may have but one of it, or name them.
        if isinstance(value, Sequence):
            yield from map(MessageFields, value)

    def names(self) -> Iterator[str]:
        return iter(self._known)

    def word(self, name: str) -> str:
        value = self.raw(name)
        if value is None:
            return ""
        return _word(self._known[name].enum_type, value)


class JsonFields:
    """The same message as JSON, with or without the names in camel case; enumerations as numbers or names.

    like  the descriptor of the message, for the names of enumerations' numbers
    """

    def __init__(self, document: Mapping[str, Any], like: Any) -> None:
        self._document = document
        self._like = like.fields_by_name if like is not None else {}

    def raw(self, name: str) -> object:
        for key in (name, camel(name)):
            if key in self._document:
                value: object = self._document[key]
                return value
        return None

    def child(self, name: str) -> JsonFields | None:
        value = self.raw(name)
        return JsonFields(value, self._message(name)) if isinstance(value, Mapping) else None

    def children(self, name: str) -> Iterator[JsonFields]:
        values = self.raw(name)
        for value in values if isinstance(values, list) else ():
            if isinstance(value, Mapping):
                yield JsonFields(value, self._message(name))

    def names(self) -> Iterator[str]:
        return (snake(key) for key in self._document if isinstance(key, str))

    def word(self, name: str) -> str:
        value = self.raw(name)
        if value is None or isinstance(value, bool):
            return ""
        field = self._like.get(name)
        return _word(field.enum_type if field is not None else None, value)

    def _message(self, name: str) -> Any:
        field = self._like.get(name)
        return field.message_type if field is not None else None


def _word(enumeration: Any, value: object) -> str:
    if isinstance(value, str):
        return plain(value).lower()
    if not isinstance(value, int):
        return ""
    found = enumeration.values_by_number.get(value) if enumeration is not None else None
    return str(value) if found is None else str(found.name).lower()


def camel(name: str) -> str:
    """ "pop_ping_latency_ms" as JSON has it."""
    return _WORD.sub(lambda found: found[1].upper(), name)


def snake(name: str) -> str:
    """The name in the .proto of a JSON name; digits stay with the letters before them."""
    return re.sub(r"(?<=[a-z0-9])([A-Z])", lambda found: "_" + found[1].lower(), name)
