"""Figures of studies as people read them."""

from __future__ import annotations

from decimal import Decimal

# Decimals do not read well beyond this; below, whole numbers do not.
_MANY = 100.0


def three_digits(value: float) -> str:
    """21.5, 0.0273 and 1,242: three digits, or all before the point, and never an exponent."""
    if abs(value) >= _MANY:
        return f"{value:,.0f}"
    return f"{Decimal(f'{value:#.3g}'):f}" if value else "0"


def gbps(bps: float) -> str:
    """A rate in Gbit/s, without its unit."""
    return three_digits(bps / 1e9)


def counted(number: int, thing: str) -> str:
    """1 cell, 2 cells."""
    return f"{number:,} {thing}{'s' * (number != 1)}"
