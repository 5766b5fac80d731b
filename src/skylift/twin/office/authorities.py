"""What can be done to the register of authorities. Whoever widens it opens service to others: two people.

Before there is an approver one person records them alone: whoever has the set-up code is trusted with all
of it, and a first day does not wait for a second person.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

from skylift.base.events import Event
from skylift.base.instants import InstantUs
from skylift.ports.store import Reader
from skylift.service.authority import decide
from skylift.service.authority.events import Kind, Matter, Terms
from skylift.service.authority.state import ROOM, Authority
from skylift.service.region import state as regions
from skylift.twin.handle import load
from skylift.twin.office.accounts import have_approvers
from skylift.twin.office.verbs import Because, Moment, Nothing, Verb


@dataclass(frozen=True, slots=True)
class Record:
    """code: by which it is named everywhere, such as UA-MDT; title: the body's own name.

    vouches_for  askers, licences, customs, terminals
    source       where it is known from, as who calls it back wants to know
    countries    codes of ISO 3166-1; regions: their ids; everywhere: for the service's own operator
    valid_from   now, where it is not given
    """

    code: str
    title: str
    kind: Kind
    vouches_for: tuple[Matter, ...]
    source: str
    countries: tuple[str, ...] = ()
    regions: tuple[str, ...] = ()
    everywhere: bool = False
    valid_from: InstantUs | None = None
    valid_until: InstantUs | None = None


@dataclass(frozen=True, slots=True)
class Amend:
    """What is not given stays. no_end: it is valid without an end from now on."""

    title: str | None = None
    kind: Kind | None = None
    vouches_for: tuple[Matter, ...] | None = None
    source: str | None = None
    countries: tuple[str, ...] | None = None
    regions: tuple[str, ...] | None = None
    everywhere: bool | None = None
    valid_until: InstantUs | None = None
    no_end: bool = False


def _recorded(authority: Authority, moment: Moment, given: Record) -> Sequence[Event]:
    terms = Terms(
        given.title.strip(),
        given.kind,
        tuple(dict.fromkeys(given.vouches_for)),
        given.source.strip(),
        tuple(sorted(set(given.countries))),
        tuple(sorted(set(given.regions))),
        given.everywhere,
        moment.at if given.valid_from is None else given.valid_from,
        given.valid_until,
    )
    _regions_there(moment.reader, terms)
    return decide.recorded(authority, moment.who, given.code, terms, moment.approval)


def _amended(authority: Authority, moment: Moment, given: Amend) -> Sequence[Event]:
    names = ("title", "kind", "vouches_for", "source", "countries", "regions", "everywhere", "valid_until")
    told = {name: getattr(given, name) for name in names if getattr(given, name) is not None}
    if given.no_end:
        told["valid_until"] = None
    terms = replace(authority.terms, **told)
    _regions_there(moment.reader, terms)
    return decide.amended(authority, moment.who, terms, moment.approval)


def _regions_there(reader: Reader, terms: Terms) -> None:
    for region in terms.regions:
        load(regions.ROOM, reader, region)


def _people(thing: Any, given: Any, reader: Reader) -> int:
    return 2 if have_approvers(reader) else 1


VERBS = (
    Verb(
        "authority.create",
        ROOM,
        Record,
        _recorded,
        "Record a body whose word counts: where, and for what.",
        creates=True,
        people_for=_people,
    ),
    Verb(
        "authority.amend",
        ROOM,
        Amend,
        _amended,
        "Change what its entry says.",
        people_for=_people,
    ),
    Verb(
        "authority.withdraw",
        ROOM,
        Because,
        lambda a, m, given: decide.withdrawn(a, m.who, given.reason),
        "Its word opens nothing any more.",
    ),
    Verb(
        "authority.restore",
        ROOM,
        Nothing,
        lambda a, m, given: decide.restored(a, m.who, m.approval),
        "Its word counts again.",
        people_for=_people,
    ),
)
