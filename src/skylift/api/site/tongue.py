"""The pages in Ukrainian: what stands in them is looked up, text by text, in `uk.toml`, and why something is
refused in `refusals_uk.toml`.

Pages are made in English, and one layer puts them into the reader's language at the end, so that no page can
forget it. What the table does not know stays English, so nothing is lost by it. Texts are looked up whole:
what people wrote is in none of its lines, or is marked with translate="no".
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from html import escape, unescape
from importlib.resources import files

from starlette.requests import Request
from starlette.responses import Response

from skylift.api.office.cookies import is_secure

COOKIE = "skylift_tongue"
TONGUES = ("en", "uk")
_YEAR_S = 365 * 86_400

_TAG = re.compile(r"(<[^>]*>)")
_SAID = re.compile(r'\b(alt|aria-label|placeholder|title|data-label)="([^"]*)"')
_KEPT = re.compile(r'<(textarea|code|style)\b|<(\w+)\b[^>]*\btranslate="no"')
_COUNT = re.compile(r"([\d,]+\+?) ([a-z]+)")


@dataclass(frozen=True)
class Tongue:
    """texts: whole ones;  nouns: by the English word, with 1, 2 to 4, and 5;  patterns: {} for each group."""

    texts: Mapping[str, str]
    nouns: Mapping[str, tuple[str, str, str]]
    patterns: tuple[tuple[re.Pattern[str], str], ...]

    def say(self, text: str) -> str:
        """A text without blanks around it; as it is where nobody knows it."""
        if text in self.texts:
            return self.texts[text]
        if text.endswith((".", ":")) and text[:-1] in self.texts:
            return self.texts[text[:-1]] + text[-1]
        counted = _COUNT.fullmatch(text)
        if counted and counted[2] in self.nouns:
            return f"{counted[1]} {_form(counted[1], self.nouns[counted[2]])}"
        for pattern, said in self.patterns:
            if found := pattern.fullmatch(text):
                return said.format(*(self._within(part) for part in found.groups()))
        return text

    def _within(self, part: str) -> str:
        """In the midst of a text a state or a deed stands in small letters: its label is known."""
        if part.endswith("."):
            return f"{self._within(part[:-1])}."
        label = part.replace("-", " ").capitalize()
        if part.islower() and part not in self.texts and label in self.texts:
            return self.texts[label].lower()
        return self.say(part)


def _form(number: str, forms: tuple[str, str, str]) -> str:
    """1 термінал, 2 термінали, 5 терміналів; 11 терміналів, 21 термінал."""
    n = int(number.replace(",", "").rstrip("+"))
    if n % 10 == 1 and n % 100 != 11:
        return forms[0]
    return forms[1] if n % 10 in (2, 3, 4) and n % 100 not in (12, 13, 14) else forms[2]


@lru_cache(maxsize=1)
def ukrainian() -> Tongue:
    """The packaged tables as one."""
    told, refusals = (
        tomllib.loads((files("skylift.api.site") / name).read_text(encoding="utf-8"))
        for name in ("uk.toml", "refusals_uk.toml")
    )
    nouns = {name: (forms[0], forms[1], forms[2]) for name, forms in told["nouns"].items()}
    patterns = {**told["patterns"], **refusals["patterns"]}
    compiled = tuple((re.compile(english), said) for english, said in patterns.items())
    return Tongue({**refusals["texts"], **told["texts"]}, nouns, compiled)


def translated(html: str, tongue: Tongue) -> str:
    """A page of ours with what it says in that language, and what people wrote as they wrote it."""
    parts: list[str] = []
    kept = ""
    for part in _TAG.split(html):
        if part.startswith("<"):
            if kept and part.startswith(f"</{kept}"):
                kept = ""
            elif not kept and (found := _KEPT.match(part)):
                kept = found[1] or found[2]
            parts.append(_SAID.sub(lambda said: f'{said[1]}="{_put(said[2], tongue)}"', part))
        else:
            parts.append(part if kept else _put(part, tongue))
    return "".join(parts).replace('<html lang="en">', '<html lang="uk">', 1)


def _put(part: str, tongue: Tongue) -> str:
    text = " ".join(unescape(part).split())
    if not text:
        return part
    said = tongue.say(text)
    if said == text:
        return part
    before = part[: len(part) - len(part.lstrip())]
    after = part[len(part.rstrip()) :]
    return f"{before}{escape(said)}{after}"


# --- which one


def tongue_of(request: Request) -> str:
    """What the reader chose; before that, what their browser asks for first."""
    chosen = request.cookies.get(COOKIE, "")
    if chosen in TONGUES:
        return chosen
    asked = request.headers.get("accept-language", "").strip().lower()
    return "uk" if re.match(r"uk\b", asked) else "en"


def keep_tongue(response: Response, request: Request, tongue: str) -> None:
    """Remember the choice for a year; one that is no language of ours changes nothing."""
    if tongue in TONGUES:
        secure = is_secure(request)
        response.set_cookie(
            COOKIE, tongue, max_age=_YEAR_S, path="/", httponly=True, samesite="lax", secure=secure
        )
