"""What is printed on boxes and written on papers: serials, dish ids, codes of places, references of
documents.

Every reader gives the one canonical form, or raises Refused with the code KIND.FIELD; none repeats what it
was given, since people type names, addresses and identity numbers into any field. A code or a reference is
not proof against that, but what looks like a person's number, an e-mail address, a place or two capitalised
words is refused.
"""

from __future__ import annotations

import re
from functools import lru_cache
from typing import NoReturn

from skylift.base.countries import read_country
from skylift.base.errors import Refused

_MARK = re.compile(r"[A-Z0-9][A-Z0-9._/-]{2,38}[A-Z0-9]", re.ASCII)
_CODE = re.compile(r"[A-Z0-9][A-Z0-9.-]{0,30}[A-Z0-9]", re.ASCII)
_ID = re.compile(r"[a-z]{2,4}_[A-Za-z0-9_-]{1,60}", re.ASCII)
_REFERENCE = re.compile(r"[^\W_][\w№#:/.\- ]{0,78}[^\W_]|\d")
_DECIMALS = re.compile(r"\d\.\d{3}")
_CATALOGUE = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,78}[A-Za-z0-9]", re.ASCII)

# Nine digits: Ukraine's identity card and many tax numbers (US, Germany has 11); ten: RNOKPP, Russia's
# passport; eleven: PESEL; twelve: Russia's INN, a telephone number with +380; thirteen: UNZR without its
# dash.
_DIGITS = re.compile(r"\d{9,13}")
_REGISTER = re.compile(r"\d{8}-\d{5}|\d{3}-\d{2}-\d{4}")
_PASSPORT = re.compile(r"[^\W\d_]{2}(?:№|N|No)?\d{6,7}", re.IGNORECASE)

# A word that says whose number follows, in Ukrainian, Russian and English, and six digits or more.
_SAID = re.compile(
    r"\b(?:passport|паспорт\w*|tax(?:payer)? (?:id|number|no)|identity (?:card|number|no)|id card|national id"
    r"|ssn|pesel|рнокпп|іпн|инн|унзр|unzr|rnokpp)\W{0,4}(?:\w{1,3}\W{0,2})?\d{6}",
    re.IGNORECASE,
)


def personal_number(text: str) -> str:
    """What sort of person's number a text looks like, in words; "" for none."""
    dense = re.sub(r"[\s()+]", "", text)
    if _DIGITS.fullmatch(dense):
        return f"a tax, identity or telephone number ({len(dense)} digits)"
    if _REGISTER.fullmatch(dense):
        return "a number of a register of persons"
    if _PASSPORT.fullmatch(dense):
        return "a passport number (two letters and digits)"
    if _SAID.search(text):
        return "an identity number, with its name before it"
    return ""


# A table names few places and products, and each serial is read by its cell, its line and its consignment.
_as_read_just_now = lru_cache(maxsize=1024)


@_as_read_just_now
def serial(text: str, kind: str, field: str = "serial") -> str:
    """A serial or kit number as it is compared: capitals, no spaces. Digits alone of a person's number's
    length are refused, for a serial that has letters loses nothing by it."""
    return _mark(text, kind, field, "copy it from the box or the dish")


def tracking(text: str, kind: str, field: str = "reference") -> str:
    """A consignment's tracking number, written and compared as serials are."""
    return _mark(text, kind, field, "write the carrier's number, or one of your own such as AID-118")


def _mark(text: str, kind: str, field: str, way_out: str) -> str:
    mark = "".join(text.split()).upper()
    if not mark.isascii():
        _refused(
            kind, field, "it has Latin letters only", "type it in Latin letters: А, В, Е, К, М, Т look alike"
        )
    if _DIGITS.fullmatch(mark):
        _refused(
            kind, field, "it looks like a person's number", "give it with the letters that are printed before"
        )
    if not _MARK.fullmatch(mark):
        _refused(kind, field, "it is 4 to 40 letters, digits, dots and dashes", way_out)
    return mark


def dish_id(text: str, kind: str, field: str = "dish_id") -> str:
    """A dish's id as the network knows it, such as ut01000000-00000000-00001234; compared in small
    letters.
    """
    return serial(text, kind, field).lower()


@_as_read_just_now
def code(text: str, kind: str, field: str) -> str:
    """Short name in capitals of a depot, a carrier, a product or an office, or the id of a thing of ours."""
    plain = text.strip()
    if _ID.fullmatch(plain) or (_CODE.fullmatch(plain) and not _DIGITS.fullmatch(plain)):
        return plain
    _refused(
        kind, field, "it is an id or a code of 2 to 32 capitals, digits and dashes", "write for example WAW-1"
    )


def catalogue_id(text: str, kind: str, field: str) -> str:
    """What another's catalogue calls a product, such as "business-subscription-100"."""
    plain = text.strip()
    if not _CATALOGUE.fullmatch(plain) or personal_number(plain) or _DECIMALS.search(plain):
        _refused(
            kind,
            field,
            "it is 2 to 80 Latin letters, digits, dots and dashes, and no number of a person's",
            "give it as the operator's catalogue has it",
        )
    return plain


def own_id(text: str, kind: str, field: str, prefix: str) -> str:
    """The id of one of our things, such as acc_7Q."""
    if _ID.fullmatch(text) and text.startswith(f"{prefix}_"):
        return text
    _refused(kind, field, f"it is an id that begins with {prefix}_", "list them to find the id")


def plural(kind: str) -> str:
    """Many things of a kind, as paths and lists say it: requests, authorities."""
    return f"{kind[:-1]}ies" if kind.endswith("y") else f"{kind}s"


def is_id(text: str) -> bool:
    """Whether a code is the id of one of our things."""
    return _ID.fullmatch(text) is not None


def country(text: str, kind: str, field: str = "country") -> str:
    """A code of ISO 3166-1, two capitals."""
    return read_country(text, kind, field)


def reference(text: str, kind: str, field: str = "document") -> str:
    """A document's own reference, such as "decision 118/26" or "22UA118": it has a digit and names nobody."""
    plain = " ".join(text.split())
    if not _REFERENCE.fullmatch(plain) or not any(c.isdigit() for c in plain):
        _refused(
            kind,
            field,
            "it is a reference of at most 80 letters and digits, with a digit",
            "write its number",
        )
    if personal_number(plain):
        _refused(
            kind, field, f"it looks like {personal_number(plain)}", "give the authority's own case number"
        )
    words = [word for word in plain.split(" ")[1:] if word.isalpha() and word[:1].isupper() and len(word) > 1]
    if any(not word.isupper() for word in words) or _DECIMALS.search(plain):
        _refused(
            kind,
            field,
            "it looks like a person's name or a place",
            "give the document's number and nothing else",
        )
    return plain


def _refused(kind: str, field: str, rule: str, way_out: str) -> NoReturn:
    raise Refused(f"{kind}.{field.replace('_', '-')}", field, rule, way_out)
