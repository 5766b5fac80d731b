"""Forms from the arguments of verbs: which fields, how each is asked for, what was typed as JSON."""

from __future__ import annotations

import enum
import re
import types
import typing
from collections.abc import Callable, Mapping
from dataclasses import MISSING, dataclass, fields, is_dataclass
from typing import Any, get_args, get_origin, get_type_hints

from skylift.api.site.words import choice_label, field_help, field_label
from skylift.base.errors import Refused
from skylift.base.instants import InstantUs, format_instant, parse_instant
from skylift.service.outage.events import Claim
from skylift.service.shipment.events import Line
from skylift.twin.office.verbs import Verb

# Longer texts get an area of several lines.
LONG = frozenset({"words", "codes", "damaged_codes", "csv", "address"})

# What was read, and is sent back as it stood: nobody types a hash.
FIXED = frozenset({"change"})

Form = Mapping[str, list[str]]
Options = tuple[tuple[str, str], ...]


@dataclass(frozen=True, slots=True)
class FieldError:
    """A refusal at its field."""

    thing: str
    rule: str
    way_out: str


@dataclass(frozen=True, slots=True)
class Field:
    """One input. widget: text, number, decimal, area, check, select, time, or fixed: sent as it stands.

    known    things that fit, by id: a choice to pick from where `closed`, else suggestions beside free text
    """

    name: str
    label: str
    help: str
    widget: str
    required: bool
    value: str
    personal: bool = False
    options: Options = ()
    known: Options = ()
    closed: bool = False
    group: str = ""
    error: FieldError | None = None


@dataclass(frozen=True, slots=True)
class Spec:
    """A field as the type says it. read: what was typed -> JSON value; raises ValueError with a rule."""

    name: str
    hint: Any
    required: bool
    default: Any
    group: str = ""


_EMPTY = object()


class YesNo(enum.Enum):
    """What may be said, or left out; a box can only be ticked or not."""

    YES = "yes"
    NO = "no"


def specs_of(arguments: type, prefix: str = "", optional: bool = False) -> list[Spec]:
    """The inputs that a dataclass of arguments takes; one that is nested gives its own."""
    hints = get_type_hints(arguments)
    found: list[Spec] = []
    for one in fields(arguments):
        hint, may_lack = without_none(hints[one.name])
        hint = YesNo if hint is bool and may_lack else hint
        name = f"{prefix}{one.name}"
        if isinstance(hint, type) and is_dataclass(hint):
            found += specs_of(hint, f"{name}.", optional or may_lack)
            continue
        default = one.default if one.default is not MISSING else _EMPTY
        required = default is _EMPTY and not may_lack and not optional and _needs(hint)
        found.append(Spec(name, hint, required, None if default is _EMPTY else default, prefix.rstrip(".")))
    return found


def _needs(hint: Any) -> bool:
    return hint is not bool


def without_none(hint: Any) -> tuple[Any, bool]:
    """A type without None, and whether None was in it."""
    if get_origin(hint) in (typing.Union, types.UnionType):
        others = [part for part in get_args(hint) if part is not types.NoneType]
        return others[0], len(others) < len(get_args(hint))
    return hint, False


# --- to show


def fields_of(
    verb: Verb,
    given: Mapping[str, str] | None = None,
    known: Mapping[str, Options] | None = None,
    errors: Mapping[str, FieldError] | None = None,
) -> list[Field]:
    """The inputs of a verb's form; given: what was typed or is to stand there; known: ids by field."""
    found = []
    for spec in specs_of(verb.arguments):
        suggestions = (known or {}).get(spec.name, ())
        closed = bool(suggestions) and spec.name in CLOSED
        value = _shown(spec, given)
        found.append(
            Field(
                spec.name,
                field_label(verb.name, spec.name),
                field_help(verb.name, spec.name),
                "select" if closed else _widget(spec),
                spec.required,
                value,
                spec.name in verb.personal,
                _options(spec),
                suggestions,
                closed,
                spec.group,
                (errors or {}).get(spec.name),
            )
        )
    return found


# What has few enough to be picked from a list.
CLOSED = frozenset({"region", "plan", "about", "command", "number", "role"})


def _shown(spec: Spec, given: Mapping[str, str] | None) -> str:
    if given is not None and spec.name in given:
        value = given[spec.name]
        return YesNo.YES.value if spec.hint is YesNo and value == typed(True) else value
    if given is not None and given.get("sent"):
        return ""
    return typed(spec.default)


def typed(value: Any) -> str:
    """A value as somebody would type it."""
    if value is None or value == ():
        return ""
    if isinstance(value, bool):
        return "on" if value else ""
    if isinstance(value, enum.Enum):
        return str(value.value)
    if isinstance(value, tuple | list):
        return "\n".join(typed(part) for part in value)
    return str(value)


def _widget(spec: Spec) -> str:
    hint = spec.hint
    if spec.name in FIXED:
        return "fixed"
    if hint is InstantUs:
        return "time"
    if hint is bool:
        return "check"
    if isinstance(hint, type) and issubclass(hint, enum.Enum):
        return "select"
    if hint is int:
        return "number"
    if hint is float:
        return "decimal"
    if get_origin(hint) is tuple or spec.name in LONG:
        return "area"
    return "text"


def _options(spec: Spec) -> Options:
    if not (isinstance(spec.hint, type) and issubclass(spec.hint, enum.Enum)):
        return ()
    return tuple((str(one.value), choice_label(one)) for one in spec.hint)


# --- to read


def read_form(verb: Verb, form: Form) -> tuple[dict[str, Any], dict[str, FieldError]]:
    """What was typed as the JSON that the verb's door takes, and what cannot be read, by field."""
    found: dict[str, Any] = {}
    errors: dict[str, FieldError] = {}
    for spec in specs_of(verb.arguments):
        text = form.get(spec.name, [""])[-1].strip()
        try:
            value = _read(spec, text)
        except ValueError as error:
            errors[spec.name] = FieldError(field_label(verb.name, spec.name), str(error), "correct it")
            continue
        if value is None and spec.required:
            label = field_label(verb.name, spec.name)
            errors[spec.name] = FieldError(label, "it is needed", "fill it in")
        elif value is not None:
            _put(found, spec.name, value)
    return _without_untouched(verb, found), errors


def _put(found: dict[str, Any], name: str, value: Any) -> None:
    outer, _, inner = name.rpartition(".")
    into = found.setdefault(outer, {}) if outer else found
    into[inner or name] = value


def _without_untouched(verb: Verb, found: dict[str, Any]) -> dict[str, Any]:
    """Without a nested part that may be missing and was left as it stood there."""
    hints = get_type_hints(verb.arguments)
    for name, value in list(found.items()):
        hint, may_lack = without_none(hints[name])
        if may_lack and isinstance(value, dict) and is_dataclass(hint):
            defaults = {one.name: one.default for one in fields(hint)}
            if all(value.get(key, default) in (default, [], None) for key, default in defaults.items()):
                del found[name]
    return found


def _read(spec: Spec, text: str) -> Any:
    """A JSON value; None for nothing."""
    if spec.hint is bool:
        return bool(text)
    if not text:
        return [] if get_origin(spec.hint) is tuple and spec.default == () else None
    if spec.hint is YesNo:
        return text != YesNo.NO.value
    if spec.hint is InstantUs:
        return read_time(text)
    if isinstance(spec.hint, type) and issubclass(spec.hint, enum.IntEnum):
        return _whole(text)
    if get_origin(spec.hint) is tuple:
        return _tuple(get_args(spec.hint)[0], text)
    return _SIMPLE.get(spec.hint, str)(text)


def _whole(text: str) -> int:
    digits = text.replace(" ", "").replace("_", "").replace(",", "")
    if not (digits.lstrip("-").isdecimal() and digits.isascii() and len(digits) < 19):
        raise ValueError("it is a whole number")
    return int(digits)


def _number(text: str) -> float:
    try:
        number = float(text.replace(" ", "").replace(",", ".", 1))
    except ValueError:
        raise ValueError("it is a number") from None
    if number != number or abs(number) == float("inf"):
        raise ValueError("it is a number")
    return number


_SIMPLE: Mapping[Any, Callable[[str], Any]] = {int: _whole, float: _number, str: str}


def read_time(text: str) -> str:
    """What a browser's input of an instant sends, which is of UTC here; a zone that is typed is kept."""
    if len(text) == len("2022-02-26T12:00"):
        text += ":00"
    return text if text[-1:] in "Zz" or "+" in text or text.count("-") > 2 else f"{text}Z"


def time_input(at_us: int) -> str:
    """An instant as a browser's input takes it, in UTC and whole minutes."""
    return format_instant(at_us)[:16]


def _tuple(of: Any, text: str) -> list[Any]:
    if of is Line:
        return [_line(row, number) for number, row in enumerate(text.splitlines(), 1) if row.strip()]
    if of is Claim:
        return [_claim(row, number) for number, row in enumerate(text.splitlines(), 1) if row.strip()]
    words = text.replace(",", " ").replace(";", " ").split()
    return [_whole(word) for word in words] if of is int else words


_CLAIM = re.compile(r"\s*(.+?)[,;\s]+(https://\S+?)[,;\s]+(\d{4}-\S+?)\s*", re.ASCII)


def _claim(row: str, number: int) -> dict[str, Any]:
    """ "publisher, https address, time"."""
    found = _CLAIM.fullmatch(row)
    try:
        if found is None:
            raise ValueError
        at_us = int(parse_instant(found[3]))
    except (Refused, ValueError):
        raise ValueError(f"row {number} is not “publisher, https address, time”") from None
    return {"publisher": found[1], "url": found[2], "published_at": at_us}


def claim_line(claim: Claim) -> str:
    """A source as it is typed."""
    return f"{claim.publisher}, {claim.url}, {format_instant(claim.published_at)}"


def _line(row: str, number: int) -> dict[str, Any]:
    """ "product, serial", "product, number" or all three."""
    parts = [part.strip() for part in row.replace(";", ",").replace("\t", ",").split(",")]
    match parts:
        case [product, quantity] if quantity.isdecimal():
            return {"product": product, "quantity": int(quantity)}
        case [product, serial]:
            return {"product": product, "serial": serial}
        case [product, quantity, serial] if quantity.isdecimal() or not quantity:
            return {"product": product, "quantity": int(quantity or 1), "serial": serial}
        case [product] if product:
            return {"product": product, "quantity": 1}
    raise ValueError(f"row {number} is not “product, serial” or “product, number”")
