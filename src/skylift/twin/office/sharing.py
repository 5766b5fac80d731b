"""What owners share of their dishes' places: taken in, looked up, and erased when they take it back.

The journal says that something is shared; the place itself is kept as its last value alone, in rows that can
be erased, and goes with the owner's word, with the key, with the owner, and with any erasure.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Final

from skylift.base.errors import Refused
from skylift.base.events import Who
from skylift.base.units import US_PER_DAY
from skylift.ports.store import Conflict, Reader, Stored, Transaction, Wanted
from skylift.service import erasure
from skylift.service.erasure import Ground
from skylift.service.terminal import sharing
from skylift.service.terminal import state as terminals
from skylift.service.terminal.sharing import SharedKind, Sharing, SharingEnd, SharingState
from skylift.twin.handle import begin, change, load

# By the agent's clock, and by ours. Where only they have changed, they are written once a day: what is
# replaced is written over in all files, which costs as much as all that is personal.
WHEN: Final = ("at_us", "received_us")
# A terminal has as many as agents had keys of it.
MOST: Final = 100


def of_terminal(reader: Reader, terminal: str, owner: str) -> list[Sharing]:
    """What is shared of a terminal now, by whoever owns it now."""
    return [one.thing for one in _all(reader, terminal) if counts(reader, one.thing, owner)]


def counts(reader: Reader, one: Sharing, owner: str) -> bool:
    """Whether a word counts: given by this owner, and nothing of it was erased since.

    A backup that was put back may hold words that were taken back after it was made.
    """
    gone = reader.get(erasure.ROOM, one.id)
    erased = gone is not None and gone.thing.last_at > one.since
    return one.state is SharingState.SHARED and one.owner == owner and not erased


def take(
    transaction: Transaction,
    who: Who,
    told: tuple[str, int, tuple[SharedKind, ...]],
    values: Mapping[str, Any],
    new_id: Callable[[], str],
) -> tuple[SharedKind, ...]:
    """Take what an agent tells; which kinds are shared now.

    who     by the agent's key
    told    the terminal that the key is of, the number of the owner's word, its kinds
    values  what is kept, by field; None where the dish did not say; and those of WHEN
    Raises Conflict where the word counts no more, and the owner has to give another.
    """
    terminal_id, word, kinds = told
    stored = transaction.find(sharing.ROOM, "key", who.by)
    if not kinds:
        if stored is not None and stored.thing.state is SharingState.SHARED:
            end(transaction, stored, who, (SharingEnd.TAKEN_BACK, Ground.ASKED))
        return ()
    terminal = load(terminals.ROOM, transaction, terminal_id).thing
    of = (terminal.id, terminal.region, terminal.owner)
    if stored is None:
        id = new_id()
        events = sharing.shared(Sharing(id), who, of, word, kinds)
        stored = begin(sharing.ROOM, transaction, id, events)
    elif word > stored.thing.word:
        if transaction.personal(stored.id):
            # It may be less than before, or coarser: what lies in the pages of the store goes too.
            _erase(transaction, stored.id, who, Ground.ASKED)
        stored = change(
            sharing.ROOM, transaction, stored.id, lambda one: sharing.shared(one, who, of, word, kinds)
        )
    else:
        same = (word, set(kinds)) == (stored.thing.word, set(stored.thing.kinds))
        if not same or not counts(transaction, stored.thing, terminal.owner):
            raise _over()
    kept = transaction.personal(stored.id)
    if any(kept.get(name) != values[name] for name in values if name not in WHEN) or _is_old(kept, values):
        transaction.keep_personal(stored.id, values)
    return stored.thing.kinds


def _is_old(kept: Mapping[str, Any], values: Mapping[str, Any]) -> bool:
    return bool(values["received_us"] - kept.get("received_us", 0) >= US_PER_DAY)


def end(transaction: Transaction, stored: Stored[Sharing], who: Who, why: tuple[SharingEnd, Ground]) -> None:
    """Nothing is shared any more, and what was is erased."""
    change(sharing.ROOM, transaction, stored.id, lambda one: sharing.ended(one, who, why[0]))
    _erase(transaction, stored.id, who, why[1])


def end_of_terminal(
    transaction: Transaction, terminal: str, who: Who, why: tuple[SharingEnd, Ground], key: str = ""
) -> int:
    """The same of all that is shared of a terminal, or by one key; of how many."""
    ones = [one for one in _all(transaction, terminal) if key in ("", one.thing.key)]
    for one in ones:
        end(transaction, one, who, why)
    return len(ones)


def end_of_owner(transaction: Transaction, account: str, who: Who, ground: Ground) -> None:
    """The same of every terminal of an account, whose data are being erased."""
    while found := transaction.list(
        sharing.ROOM, Wanted(owner=account, status=SharingState.SHARED.value, limit=MOST)
    ):
        for one in found:
            end(transaction, one, who, (SharingEnd.ERASED, ground))


def end_of_others(transaction: Transaction, terminal: str, who: Who) -> int:
    """What a former owner shared of a terminal; of how many agents."""
    owner = load(terminals.ROOM, transaction, terminal).thing.owner
    ones = [one for one in _all(transaction, terminal) if one.thing.owner != owner]
    for one in ones:
        end(transaction, one, who, (SharingEnd.NEW_OWNER, Ground.NO_LONGER_NEEDED))
    return len(ones)


def _all(reader: Reader, terminal: str) -> list[Stored[Sharing]]:
    """Those in force, by whomever."""
    found = reader.list(sharing.ROOM, Wanted(words=(terminal,), status=SharingState.SHARED.value, limit=MOST))
    return [one for one in found if one.thing.terminal == terminal]


def _erase(transaction: Transaction, id: str, who: Who, ground: Ground) -> None:
    kept = transaction.personal(id)
    transaction.erase_personal(id)
    before = transaction.get(erasure.ROOM, id) or Stored(id, erasure.ROOM.empty(id), 0)
    events = erasure.erased(id, who, ground, kept)
    after = erasure.ROOM.apply(before.thing, events[0])
    transaction.commit(erasure.ROOM, Stored(id, after, before.version), events)


def _over() -> Refused:
    return Conflict(
        "sharing.over",
        "what is shared",
        "the owner's word counts here no more: it was erased, or the dish has another owner",
        "say at the dish once more what is shared: skylift agent share",
    )
