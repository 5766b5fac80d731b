"""An authority's rules: how many terminals for whom, from when, with which grace."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from skylift.base import labels
from skylift.base.instants import InstantUs
from skylift.base.strict import StrictTable, read_toml
from skylift.base.units import US_PER_S

_TOP = ("name", "version", "title", "country", "authority", "in_force_from", "grace_h", "watched")
_OWNER = ("at_most", "at_most_unseen", "elsewhere", "words")
_SOURCE = ("url", "dated", "says")


@dataclass(frozen=True, slots=True)
class Limit:
    """What one kind of owner may have; None for no limit.

    at_most_unseen  of these, how many without having shown the device
    elsewhere       these go by another channel: their rows are refused, their terminals left alone
    words           other words for the kind that a list may hold, in small letters
    """

    at_most: int | None = None
    at_most_unseen: int | None = None
    elsewhere: bool = False
    words: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Rules:
    """One version of one authority's rules. watched: kinds of site whose cut-off takes an agreement."""

    name: str
    version: int
    title: str
    country: str
    authority: str
    in_force_from: InstantUs
    grace_us: int
    watched: tuple[str, ...]
    limits: Mapping[str, Limit]
    sources: tuple[str, ...]

    def kind_of_owner(self, text: str) -> str:
        """The kind that a word stands for; "" for none."""
        word = " ".join(text.casefold().split())
        for kind, limit in self.limits.items():
            if word in (kind, kind.replace("-", " "), *limit.words):
                return kind
        return ""


def rules_from_toml(text: str, source: str) -> Rules:
    """Rules from the text of a TOML file that `source` names. Raises Refused, with the line."""
    top = read_toml(text, source).table((*_TOP, "owner", "source"))
    limits = {kind: _limit(table) for kind, table in top.subtables("owner", _OWNER).items()}
    if not limits:
        raise top.refused(None, "rules name a kind of owner", "write [owner.person]")
    sources = tuple(_source(table) for table in top.tables("source", _SOURCE))
    if not sources:
        raise top.refused(None, "rules name their source", "write [[source]] with url, dated and says")
    return Rules(
        name=top.text("name"),
        version=top.whole("version", minimum=1),
        title=top.text("title"),
        country=labels.country(top.text("country"), "allow-list"),
        authority=labels.code(top.text("authority"), "allow-list", "authority"),
        in_force_from=top.instant("in_force_from"),
        grace_us=round(top.number("grace_h", minimum=0) * 3600) * US_PER_S,
        watched=top.texts("watched"),
        limits=limits,
        sources=sources,
    )


def _limit(table: StrictTable) -> Limit:
    at_most = table.whole("at_most", minimum=1) if table.has("at_most") else None
    unseen = table.whole("at_most_unseen", minimum=0) if table.has("at_most_unseen") else None
    if unseen is not None and at_most is not None and unseen > at_most:
        raise table.refused("at_most_unseen", "it is part of at_most", "give no more than at_most")
    words = tuple(" ".join(word.casefold().split()) for word in table.texts("words", ()))
    return Limit(at_most, unseen, table.flag("elsewhere", False), words)


def _source(table: StrictTable) -> str:
    table.text("says")
    return f"{table.text('url')} ({table.text('dated')})"
