"""Satellites of a slot, from the sky process's columns to rows."""

from __future__ import annotations

import math
from typing import Any

from skylift.adapters.sky_messages import Hello, SlotReport
from skylift.base.errors import Refused
from skylift.base.instants import format_instant


def satellites_document(
    hello: Hello, report: SlotReport, terminal: str | None, in_view: bool
) -> dict[str, Any]:
    """All satellites with a valid position at slot start, or those that a terminal (any terminal) can see.

    Seen: above the least elevation of the terminal's dish.
    """
    columns = _Columns(hello, report)
    if terminal is not None:
        rows = _seen_from(columns, report, _index(hello, terminal))
    elif in_view:
        rows = [columns.row(i) for i in sorted(set(memoryview(report.pair_satellite).cast("i")))]
    else:
        rows = [columns.row(i) for i in range(len(hello.names)) if not math.isnan(columns.latitude[i])]
    document = {
        "at": format_instant(report.at_us),
        "at_us": report.at_us,
        "time_shift_s": hello.about["time_shift_s"],
    }
    if terminal is not None:
        document["terminal"] = terminal
    return {**document, "satellites": rows}


class _Columns:
    def __init__(self, hello: Hello, report: SlotReport) -> None:
        self.norad = memoryview(hello.norad).cast("i")
        self.names = hello.names
        self.latitude = memoryview(report.latitude_deg).cast("d")
        self.longitude = memoryview(report.longitude_deg).cast("d")
        self.altitude = memoryview(report.altitude_km).cast("d")

    def row(self, i: int) -> dict[str, Any]:
        return {
            "norad": self.norad[i],
            "name": self.names[i],
            "latitude_deg": self.latitude[i],
            "longitude_deg": self.longitude[i],
            "altitude_km": self.altitude[i],
        }


def _index(hello: Hello, terminal: str) -> int:
    if terminal not in hello.terminals:
        raise Refused(
            "terminal.unknown",
            f"terminal {terminal[:40]!r}",
            "the scenario has no terminal of this name",
            "take one of /api/v1/terminals",
        )
    return hello.terminals.index(terminal)


def _seen_from(columns: _Columns, report: SlotReport, index: int) -> list[dict[str, Any]]:
    offset = memoryview(report.pair_offset).cast("q")
    satellite = memoryview(report.pair_satellite).cast("i")
    elevation = memoryview(report.pair_elevation_deg).cast("d")
    azimuth = memoryview(report.pair_azimuth_deg).cast("d")
    usable = memoryview(report.pair_usable).cast("B")
    return [
        {
            **columns.row(satellite[k]),
            "elevation_deg": elevation[k],
            "azimuth_deg": azimuth[k],
            "usable": bool(usable[k]),
        }
        for k in range(offset[index], offset[index + 1])
    ]
