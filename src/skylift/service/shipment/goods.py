"""A heap of goods: pieces by serial, and counts by product of what has none."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from skylift.base import labels
from skylift.base.errors import Refused
from skylift.service.shipment.events import Line

KIND = "shipment"
# Ukraine's whole fleet of 2025 was about 50,000 terminals; one line of more is a slip of the hand.
MOST_OF_A_LINE = 100_000


@dataclass(frozen=True, slots=True)
class Goods:
    """serials: product by serial.  counts: how many of a product without serials; none is 0."""

    serials: Mapping[str, str] = field(default_factory=dict)
    counts: Mapping[str, int] = field(default_factory=dict)

    def plus(self, lines: Iterable[Line]) -> Goods:
        """With these as well. Raises ValueError for a serial that is there already."""
        serials, counts = dict(self.serials), dict(self.counts)
        for line in lines:
            if not line.serial:
                counts[line.product] = counts.get(line.product, 0) + line.quantity
            elif line.serial in serials:
                raise ValueError("a serial is in one heap once")
            else:
                serials[line.serial] = line.product
        return Goods(serials, counts)

    def minus(self, lines: Iterable[Line]) -> Goods:
        """Without these. Raises ValueError for what is not there."""
        serials, counts = dict(self.serials), dict(self.counts)
        for line in lines:
            if line.serial:
                if serials.pop(line.serial, None) is None:
                    raise ValueError("this serial is not in the heap")
                continue
            counts[line.product] = counts.get(line.product, 0) - line.quantity
            if counts[line.product] < 0:
                raise ValueError("so many are not in the heap")
            if not counts[line.product]:
                del counts[line.product]
        return Goods(serials, counts)

    def has(self, line: Line) -> bool:
        if line.serial:
            return line.serial in self.serials
        return self.counts.get(line.product, 0) >= line.quantity

    def lines(self) -> tuple[Line, ...]:
        """All of it, serials first, in order."""
        by_serial = [Line(product, 1, serial) for serial, product in sorted(self.serials.items())]
        return (*by_serial, *(Line(product, n) for product, n in sorted(self.counts.items())))

    def __len__(self) -> int:
        return len(self.serials) + sum(self.counts.values())


def checked(lines: Iterable[Line]) -> tuple[Line, ...]:
    """Lines in canonical form: serials in order, counts of one product added up. Raises Refused."""
    read: list[Line] = []
    serials: set[str] = set()
    for given in lines:
        line = read_line(given.product, given.quantity, given.serial)
        if line.serial in serials:
            raise Refused("shipment.serial", f"serial {line.serial}", "it is there twice", "name it once")
        if line.serial:
            serials.add(line.serial)
        read.append(line)
    if not read:
        raise Refused("shipment.lines", "lines", "at least one is named", "name a serial or a quantity")
    return tuple(read) if len(read) == 1 else Goods().plus(read).lines()


def read_line(product: str, quantity: int, serial: str) -> Line:
    """One line. Raises Refused."""
    product = labels.code(product, KIND, "product")
    serial = labels.serial(serial, KIND) if serial else ""
    if not 1 <= quantity <= (1 if serial else MOST_OF_A_LINE):
        rule = "a serial is of one piece" if serial else f"it is 1 to {MOST_OF_A_LINE}"
        raise Refused("shipment.quantity", "quantity", rule, "correct the quantity")
    return Line(product, quantity, serial)
