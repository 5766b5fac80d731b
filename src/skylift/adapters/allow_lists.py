"""The packaged rules of authorities' allow-lists."""

from __future__ import annotations

from functools import cache

from skylift.adapters.packaged import packaged_names, packaged_text
from skylift.service.terminal.allow_list.rules import Rules, rules_from_toml

_FOLDER = "allow-lists"


@cache
def packaged_rules() -> tuple[Rules, ...]:
    """Every version of every authority's rules that is packaged with skylift."""
    names = (name for name in packaged_names(_FOLDER, ".toml") if name != "SOURCE")
    return tuple(rules_from_toml(packaged_text(f"{_FOLDER}/{name}.toml"), f"{name}.toml") for name in names)
