"""Whose word opens something: verbs that name an authority are held against the register of authorities.

What opens (a verification, a paper, a lifted prohibition) takes an authority of the register that is in
force and may vouch for just that, there. What closes (a block, a sanction, a prohibition, a paper taken
back) does not: nobody is kept waiting by a register where service has to end.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

from skylift.base.errors import Refused
from skylift.base.events import Event
from skylift.ports.store import Reader
from skylift.service.account import account as accounts
from skylift.service.account.account import Account
from skylift.service.account.roles import Role
from skylift.service.authority.decide import code_of, vouching
from skylift.service.authority.events import Matter
from skylift.service.authority.state import ROOM, Authority
from skylift.service.region import state as regions
from skylift.service.region.events import Paper
from skylift.service.region.state import Region
from skylift.service.request.state import Request
from skylift.service.terminal.state import Terminal
from skylift.twin.office.pages import every
from skylift.twin.office.verbs import Decide, Moment

# (country, region) of each place that something is about; () where that is not known yet.
Places = Sequence[tuple[str, str]]


def vouched(
    decide: Decide, places_of: Callable[[Any, Reader], Places], matter_of: Callable[[Any], Matter]
) -> Decide:
    """A decision that takes the word of a known authority: `arguments.authority`, by its code.

    places_of  (thing, reader) -> what it is about;  matter_of: (arguments) -> what is vouched for
    """

    def decided(thing: Any, moment: Moment, given: Any) -> Sequence[Event]:
        places = places_of(thing, moment.reader)
        found = whose_word(moment, given.authority, matter_of(given), places)
        return decide(thing, moment, replace(given, authority=found.code))

    return decided


def whose_word(moment: Moment, authority: str, matter: Matter, places: Places) -> Authority:
    """The authority of this code, where the actor may name it and its word opens this. Raises Refused."""
    code = code_of(authority)
    refuse_others(moment, code)
    return known_word(moment, code, matter, places)


def known_word(moment: Moment, code: str, matter: Matter, places: Places) -> Authority:
    """The same whoever asks: whether the word counts, and not whether the actor may give it."""
    named = (code, _find(moment.reader, code))
    return vouching(named, lambda: known_to(moment.reader), matter, places, moment.at)


def own_word(decide: Decide) -> Decide:
    """A decision that an authority's officer takes: in their own authority's name, where one is given."""

    def decided(thing: Any, moment: Moment, given: Any) -> Sequence[Event]:
        code = code_of(given.authority)
        refuse_others(moment, code)
        known = _find(moment.reader, code)
        return decide(thing, moment, given if known is None else replace(given, authority=known.code))

    return decided


def refuse_others(moment: Moment, code: str) -> None:
    """Raises Refused where somebody who speaks for one authority names another."""
    own = {grant.authority for grant in moment.actor.grants if grant.role is Role.AUTHORITY}
    if own and "" not in own and code not in own:
        raise Refused(
            "authority.not-yours",
            "field 'authority'",
            f"you speak for {', '.join(sorted(own))} and for no other",
            "name that one, or ask somebody who speaks for the other",
        )


def known_to(reader: Reader) -> list[Authority]:
    """The whole register."""
    return [stored.thing for stored in every(reader, ROOM)]


def _find(reader: Reader, code: str) -> Authority | None:
    stored = reader.find(ROOM, "code", code)
    return None if stored is None else stored.thing


# --- what each kind of thing is about


def of_request(request: Request, reader: Reader) -> Places:
    """Its region; before one is named, the first that holds its cell."""
    if request.region:
        return _of_region(reader, request.region)
    if not request.cell:
        return ()
    held = (one.thing for one in every(reader, regions.ROOM) if request.cell in one.thing.cells)
    return [(one.country, one.id) for one in held][:1]


def of_region(region: Region, reader: Reader) -> Places:
    return ((region.country, region.id),)


def of_account(account: Account, reader: Reader) -> Places:
    return ((account.country, account.region),)


def of_terminal(terminal: Terminal, reader: Reader) -> Places:
    """Its region; without one, its owner's country."""
    if terminal.region:
        return _of_region(reader, terminal.region)
    owner = reader.get(accounts.ROOM, terminal.owner) if terminal.owner else None
    return () if owner is None else of_account(owner.thing, reader)


def _of_region(reader: Reader, id: str) -> Places:
    stored = reader.get(regions.ROOM, id)
    return () if stored is None else of_region(stored.thing, reader)


def of_paper(given: Any) -> Matter:
    """Customs may vouch for its own route alone."""
    return Matter.CUSTOMS if given.paper is Paper.CUSTOMS_ROUTE else Matter.LICENCES
