"""What may be done to the register of authorities, and who of it may vouch for something."""

from __future__ import annotations

import difflib
from collections.abc import Callable, Iterable, Sequence

from skylift.base import labels
from skylift.base.countries import read_country
from skylift.base.errors import Refused
from skylift.base.events import Who
from skylift.service.authority.events import (
    AuthorityAmended,
    AuthorityEvent,
    AuthorityRecorded,
    AuthorityRestored,
    AuthorityWithdrawn,
    Matter,
    Terms,
)
from skylift.service.authority.state import CYCLE, Authority

KIND = "authority"
LONGEST_TEXT = 200
MOST_NEAR = 8


def code_of(text: str) -> str:
    """A code as it is compared: capitals."""
    return text.strip().upper()


def recorded(
    authority: Authority, who: Who, code: str, terms: Terms, approval: str = ""
) -> tuple[AuthorityEvent, ...]:
    CYCLE.after(authority.id, authority.state, AuthorityRecorded)
    code = labels.code(code_of(code), KIND, "code")
    _terms(terms, who)
    return (AuthorityRecorded(who.at, who.by, authority.id, who.cause_id, code, terms, approval),)


def amended(authority: Authority, who: Who, terms: Terms, approval: str = "") -> tuple[AuthorityEvent, ...]:
    CYCLE.after(authority.id, authority.state, AuthorityAmended)
    _terms(terms, who)
    if terms == authority.terms:
        return ()
    return (AuthorityAmended(who.at, who.by, authority.id, who.cause_id, terms, approval),)


def withdrawn(authority: Authority, who: Who, reason: str) -> tuple[AuthorityEvent, ...]:
    CYCLE.after(authority.id, authority.state, AuthorityWithdrawn)
    return (AuthorityWithdrawn(who.at, who.by, authority.id, who.cause_id, reason),)


def restored(authority: Authority, who: Who, approval: str = "") -> tuple[AuthorityEvent, ...]:
    CYCLE.after(authority.id, authority.state, AuthorityRestored)
    return (AuthorityRestored(who.at, who.by, authority.id, who.cause_id, approval),)


def _terms(terms: Terms, who: Who) -> None:
    for field, text in (("title", terms.title), ("source", terms.source)):
        if not 3 <= len(text.strip()) <= LONGEST_TEXT:
            raise Refused(
                f"authority.{field}",
                field,
                f"it has 3 to {LONGEST_TEXT} characters",
                "give the body's own name"
                if field == "title"
                else "say where it is known from: a law, a page",
            )
    for country in terms.countries:
        read_country(country, KIND, "countries")
    for region in terms.regions:
        labels.own_id(region, KIND, "regions", "rgn")
    if bool(terms.countries or terms.regions) is terms.everywhere:
        raise Refused(
            "authority.territory",
            "territory",
            "it names countries or regions, or it is everywhere",
            "give countries=UA, or everywhere=true for the service's own operator",
        )
    if not terms.vouches_for:
        raise Refused(
            "authority.vouches-for",
            "vouches_for",
            "an authority's word opens something",
            f"say what of: {', '.join(matter.value for matter in Matter)}",
        )
    if terms.valid_until is not None and terms.valid_until <= max(terms.valid_from, who.at):
        raise Refused(
            "authority.validity", "valid_until", "it is after its beginning and after now", "give a later end"
        )


def vouching(
    named: tuple[str, Authority | None],
    known: Callable[[], Iterable[Authority]],
    matter: Matter,
    places: Sequence[tuple[str, str]],
    at: int,
) -> Authority:
    """The authority whose word opens this. Raises Refused, with those whose word would.

    named   the code that was given, and what is known under it
    known   gives the whole register: those that would do are named, the likest first
    places  (country, region) of each place that it is about; () where that is not known yet
    """
    text, found = named
    why = _why_not(found, matter, places, at)
    if found is not None and not why:
        return found
    able = [one for one in known() if not _why_not(one, matter, places, at)]
    near = ", ".join(_likest(text, [one.code for one in able])[:MOST_NEAR])
    if found is None:
        raise unknown_authority(near)
    raise Refused("authority.may-not", f"authority {found.code}", why, _way_out(near))


def unknown_authority(near: str = "") -> Refused:
    """near: codes of those that would do."""
    why = "no authority of that code is on the register"
    return Refused("authority.not-known", "field 'authority'", why, _way_out(near))


def _way_out(near: str) -> str:
    record = "have it recorded first: skylift authority create code=... (`skylift authority verbs` says how)"
    return f"for this there are: {near}; or {record}" if near else record


def _why_not(authority: Authority | None, matter: Matter, places: Sequence[tuple[str, str]], at: int) -> str:
    if authority is None:
        return "no authority of that code is on the register"
    if not authority.in_force(at):
        return "its entry is withdrawn, has ended, or has not begun"
    if not authority.may_vouch(matter):
        return f"it may not vouch for {matter.value}"
    strange = next((country for country, region in places if not authority.speaks_for(country, region)), None)
    return "" if strange is None else f"it does not speak for {strange}"


def _likest(text: str, codes: Sequence[str]) -> list[str]:
    wanted = code_of(text[:60])
    return sorted(codes, key=lambda code: (-difflib.SequenceMatcher(None, wanted, code).ratio(), code))
