"""Why something is refused, in Ukrainian: every text of the rooms whose verbs the pages offer."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

import skylift
from skylift.api.site.tongue import ukrainian

ROOT = Path(skylift.__file__).parent
# Where a refusal that a page shows can come from.
SHOWN = (
    "service", "twin/office", "twin/handle.py", "api/site", "api/office/desk.py", "api/office/logins.py",
    "api/office/things.py", "api/office/tokens.py", "base/labels.py", "base/countries.py",
    "base/life_cycle.py", "base/cells.py", "base/instants.py",
)  # fmt: skip
# Of these there are no pages: programs, the command line and tables hear them, in English.
NOT_SHOWN = (
    "service/webhook", "service/appstats", "service/importing", "service/account/usage.py",
    "service/account/token.py", "service/terminal/agent_key.py", "service/terminal/sharing.py",
    "service/terminal/commands.py", "service/erasure.py", "twin/office/webhooks.py",
    "twin/office/appstats.py", "twin/office/usage.py", "twin/office/sharing.py", "twin/office/imports",
)  # fmt: skip
_RAISED = {"Refused", "Unavailable", "Conflict", "Forbidden", "Strange", "FieldError", "_refused", "fails"}
# In place of what stands between braces.
SOMETHING = "draft"


def _texts(node: ast.expr) -> Iterator[str]:
    if isinstance(node, ast.Constant) and isinstance(node.value, str):
        yield node.value
    elif isinstance(node, ast.JoinedStr):
        yield "".join(str(p.value) if isinstance(p, ast.Constant) else SOMETHING for p in node.values)
    elif isinstance(node, ast.IfExp):
        yield from (*_texts(node.body), *_texts(node.orelse))


def _said() -> Iterator[str]:
    """Rule and way out of every refusal in these modules: its last two arguments."""
    for place in SHOWN:
        of_it = [ROOT / place] if place.endswith(".py") else sorted((ROOT / place).rglob("*.py"))
        for path in of_it:
            if path.relative_to(ROOT).as_posix().startswith(NOT_SHOWN):
                continue
            for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
                if not isinstance(node, ast.Call):
                    continue
                name = getattr(node.func, "id", getattr(node.func, "attr", ""))
                if name in _RAISED:
                    for argument in node.args[-2:]:
                        yield from _texts(argument)


def test_every_refusal_that_a_page_can_show_has_a_ukrainian_text() -> None:
    said = {text for text in _said() if re.search("[a-z]{2}", text)}
    assert len(said) > 350
    tongue = ukrainian()
    english = sorted(text for text in said if not re.search("[А-Яа-яІіЇїЄєҐґ]", tongue.say(text)))
    assert not english, f"api/site/refusals_uk.toml lacks {len(english)}: {english}"


@pytest.mark.parametrize(
    ("english", "said"),
    [
        ("it is active and cannot be activated.", "стан – діє, тому неможливо: увімкнено."),
        ("1 more person has to agree", "бракує згоди ще людей: 1"),
        ("region rgn_1", "регіон rgn_1"),
        (
            "it is above 0. What to do: give both or none.",
            "має бути більше 0. Що робити: вкажіть обидва або жодного.",
        ),
    ],
)
def test_a_refusal_is_said_in_ukrainian(english: str, said: str) -> None:
    assert ukrainian().say(english) == said
