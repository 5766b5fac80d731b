"""An authority's entry, its life cycle, and what every event makes of it."""

from __future__ import annotations

import enum
from dataclasses import dataclass, replace
from typing import assert_never

from skylift.base.events import Event
from skylift.base.life_cycle import LifeCycle
from skylift.base.things import Facets, Room
from skylift.service.authority.events import (
    AuthorityAmended,
    AuthorityRecorded,
    AuthorityRestored,
    AuthorityWithdrawn,
    Kind,
    Matter,
    Terms,
)

_NOTHING = Terms("", Kind.OPERATOR, (), "")


class AuthorityState(enum.Enum):
    """Where an entry stands."""

    UNKNOWN = "unknown"
    KNOWN = "known"
    WITHDRAWN = "withdrawn"


@dataclass(frozen=True, slots=True)
class Authority:
    """A body whose word may count.

    code         by which it is named everywhere: "UA-MDT"
    recorded_by  the person who asked for the entry, as it stands
    """

    id: str
    state: AuthorityState = AuthorityState.UNKNOWN
    code: str = ""
    terms: Terms = _NOTHING
    recorded_by: str = ""
    reason: str = ""

    def in_force(self, at: int) -> bool:
        """Whether its word counts at an instant."""
        until = self.terms.valid_until
        begun = self.terms.valid_from <= at and (until is None or at < until)
        return self.state is AuthorityState.KNOWN and begun

    def speaks_for(self, country: str, region: str = "") -> bool:
        """Whether a place is in its territory; "" for what is not known of the place."""
        terms = self.terms
        return terms.everywhere or country in terms.countries or bool(region and region in terms.regions)

    def may_vouch(self, matter: Matter) -> bool:
        """Whether its word may open that. Who may give every licence may give the customs route as well."""
        wanted = {matter, Matter.LICENCES} if matter is Matter.CUSTOMS else {matter}
        return bool(wanted.intersection(self.terms.vouches_for))


_S = AuthorityState
CYCLE = LifeCycle(
    thing="authority",
    begins=_S.UNKNOWN,
    steps={
        (_S.UNKNOWN, AuthorityRecorded): _S.KNOWN,
        (_S.KNOWN, AuthorityAmended): _S.KNOWN,
        (_S.KNOWN, AuthorityWithdrawn): _S.WITHDRAWN,
        (_S.WITHDRAWN, AuthorityRestored): _S.KNOWN,
    },
)


def apply(authority: Authority, event: Event) -> Authority:
    """The entry after an event. Raises Refused where its life cycle has no such step."""
    after = replace(authority, state=CYCLE.after(authority.id, authority.state, type(event)))
    match event:
        case AuthorityRecorded():
            return replace(after, code=event.code, terms=event.terms, recorded_by=event.by)
        case AuthorityAmended():
            return replace(after, terms=event.terms, recorded_by=event.by)
        case AuthorityWithdrawn():
            return replace(after, reason=event.reason)
        case AuthorityRestored():
            return replace(after, reason="", recorded_by=event.by)
    return after


def label(state: AuthorityState) -> str:
    """The words that an operator reads on the entry's card."""
    match state:
        case AuthorityState.UNKNOWN:
            return "Not known"
        case AuthorityState.KNOWN:
            return "Known"
        case AuthorityState.WITHDRAWN:
            return "Withdrawn"
    assert_never(state)


def facets(authority: Authority) -> Facets:
    """What lists of authorities are searched by."""
    terms = authority.terms
    places = tuple(country.lower() for country in terms.countries)
    matters = tuple(matter.value for matter in terms.vouches_for)
    return Facets(
        status=authority.state.value,
        region=terms.regions[0] if len(terms.regions) == 1 and not terms.countries else "",
        keys={"code": authority.code} if authority.code else {},
        words=(terms.title.lower(), terms.kind.value, *places, *matters),
    )


ROOM: Room[Authority] = Room(
    kind="authority",
    prefix="aut",
    state=Authority,
    empty=Authority,
    apply=apply,
    facets=facets,
    events=CYCLE.events(),
)
