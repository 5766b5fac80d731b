"""A room for tests of the store: kits with a serial, that are made, moved and renamed."""

from __future__ import annotations

import enum
from dataclasses import dataclass, replace
from typing import ClassVar

from skylift.base.events import Event
from skylift.base.instants import InstantUs
from skylift.base.things import Facets, Room


@dataclass(frozen=True, slots=True)
class KitMade(Event):
    """A kit is there."""

    NAME: ClassVar[str] = "kit.made/1"

    serial: str
    words: tuple[str, ...] = ()
    owner: str = ""


@dataclass(frozen=True, slots=True)
class KitMoved(Event):
    """A kit is in another region."""

    NAME: ClassVar[str] = "kit.moved/1"

    region: str
    status: str = "moving"


@dataclass(frozen=True, slots=True)
class KitRenamed(Event):
    """A kit has another serial; "" takes it away."""

    NAME: ClassVar[str] = "kit.renamed/1"

    serial: str


class KitState(enum.Enum):
    NONE = "none"
    MADE = "made"


@dataclass(frozen=True, slots=True)
class Kit:
    id: str
    state: KitState = KitState.NONE
    status: str = "none"
    serial: str = ""
    region: str = ""
    owner: str = ""
    words: tuple[str, ...] = ()
    weight_kg: float = 0.0


def apply(kit: Kit, event: Event) -> Kit:
    match event:
        case KitMade():
            return replace(
                kit, state=KitState.MADE, status="made", serial=event.serial, words=event.words,
                owner=event.owner, weight_kg=0.1 + len(event.serial),
            )  # fmt: skip
        case KitMoved():
            return replace(kit, region=event.region, status=event.status)
        case KitRenamed():
            return replace(kit, serial=event.serial)
    raise AssertionError(event)


def facets(kit: Kit) -> Facets:
    keys = {"serial": kit.serial} if kit.serial else {}
    return Facets(kit.status, kit.region, kit.owner, keys, kit.words)


KITS: Room[Kit] = Room("kit", "kit", Kit, Kit, apply, facets, (KitMade, KitMoved, KitRenamed))


@dataclass(frozen=True, slots=True)
class BoxPacked(Event):
    """Something was put into a box."""

    NAME: ClassVar[str] = "box.packed/1"

    what: str


@dataclass(frozen=True, slots=True)
class Box:
    id: str
    holds: tuple[str, ...] = ()


def pack(box: Box, event: Event) -> Box:
    assert isinstance(event, BoxPacked)
    return replace(box, holds=(*box.holds, event.what))


BOXES: Room[Box] = Room(
    "box", "box", Box, Box, pack, lambda box: Facets("full" if box.holds else "empty"), (BoxPacked,)
)
ROOMS = (KITS, BOXES)


def made(id: str, serial: str = "", words: tuple[str, ...] = (), owner: str = "", at: int = 1) -> KitMade:
    return KitMade(InstantUs(at), "acc_tester", id, None, serial, words, owner)


def moved(id: str, region: str, status: str = "moving") -> KitMoved:
    return KitMoved(InstantUs(2), "acc_tester", id, "req_1", region, status)


def renamed(id: str, serial: str) -> KitRenamed:
    return KitRenamed(InstantUs(3), "acc_tester", id, None, serial)


def packed(id: str, what: str) -> BoxPacked:
    return BoxPacked(InstantUs(4), "acc_tester", id, None, what)
