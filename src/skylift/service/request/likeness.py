"""Which calls may be the same? Candidates with reasons; a person merges them, or does not.

Names, contacts and words are personal: they are handed in for the comparison and stand in no result.
"""

from __future__ import annotations

import difflib
import re
import unicodedata
from collections.abc import Iterable
from dataclasses import dataclass

from skylift.service.request.state import Request

# Below this two calls have too little in common to show.
LEAST_LIKENESS = 0.5
_TOO_SHORT = 4


@dataclass(frozen=True, slots=True)
class Told:
    """A call with what its asker told: contact (any: telephone, e-mail, link), name of the site, words."""

    request: Request
    contact: str = ""
    site: str = ""
    words: str = ""


@dataclass(frozen=True, slots=True)
class Likeness:
    """Another call that may be the same one; likeness from 0 to 1, reasons without anything personal."""

    request_id: str
    likeness: float
    reasons: tuple[str, ...]


def alike(call: Told, others: Iterable[Told]) -> list[Likeness]:
    """Likely duplicates among other calls, the likeliest first."""
    found = [_compared(call, other) for other in others if other.request.id != call.request.id]
    return sorted(
        (like for like in found if like.likeness >= LEAST_LIKENESS),
        key=lambda like: (-like.likeness, like.request_id),
    )


def _compared(a: Told, b: Told) -> Likeness:
    # Weights of independent signs; together they cannot exceed 1.
    unlike, reasons = 1.0, []
    for weight, holds, reason in (
        (0.6, _same(digits_and_letters(a.contact), digits_and_letters(b.contact)), "the same contact"),
        (0.5, _close(a.site, b.site, 0.85), "the site has nearly the same name"),
        (0.4, _close(a.words, b.words, 0.8), "nearly the same words"),
        (0.3, _same(a.request.cell, b.request.cell), "the same cell"),
        (0.1, a.request.site_kind is b.request.site_kind, "the same kind of site"),
    ):
        if holds:
            unlike *= 1.0 - weight
            reasons.append(reason)
    return Likeness(b.request.id, round(1.0 - unlike, 3), tuple(reasons))


def _same(a: str, b: str) -> bool:
    return bool(a) and a == b


def _close(a: str, b: str, least: float) -> bool:
    a, b = plain(a), plain(b)
    if min(len(a), len(b)) < _TOO_SHORT:
        return False
    matcher = difflib.SequenceMatcher(None, a, b, autojunk=False)
    return matcher.quick_ratio() >= least and matcher.ratio() >= least


def plain(text: str) -> str:
    """Letters and digits in lower case, single spaces between: what is left when typing differs."""
    folded = unicodedata.normalize("NFKC", text).casefold()
    return " ".join(re.findall(r"\w+", folded))


def digits_and_letters(contact: str) -> str:
    """A contact without spaces, brackets and dashes, so that +380 (44) 1 and 380441 are the same."""
    return re.sub(r"[\W_]+", "", unicodedata.normalize("NFKC", contact).casefold())
