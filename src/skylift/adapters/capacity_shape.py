"""What `skylift plan compare` reads of a result on disk: a file that lacks any of it is damaged."""

from __future__ import annotations

from typing import Annotated, Literal

import h3
import msgspec

_Rate = Annotated[float, msgspec.Meta(ge=0.0)]


class _Hour(msgspec.Struct):
    at: str
    served_bps: _Rate
    satellites_in_reach: int
    satellites_tracked: int


class _Class(msgspec.Struct):
    demand_bps: _Rate
    served_bps: _Rate


class _Gateways(msgspec.Struct):
    known: int


class _Rules(msgspec.Struct):
    beams_per_polarisation: list[int]
    ka_fraction: float


class _Summary(msgspec.Struct):
    at: str
    region: str
    cells: int
    demand_mbps_per_km2: _Rate | None
    demand_bps: _Rate
    barred_bps: _Rate
    served_bps: _Rate
    least_served_bps: _Rate
    mbps_per_km2: _Rate
    classes: dict[str, _Class]
    terminals_at: dict[str, int]
    limited_by: dict[Literal["beams", "antennas", "ka", "gso", "nco"], float]
    limited_by_hours: list[Annotated[int, msgspec.Meta(ge=0)]]
    hours: Annotated[list[_Hour], msgspec.Meta(min_length=1)]
    gateways: _Gateways
    rules: _Rules


class _Cells(msgspec.Struct):
    cell: Annotated[list[str], msgspec.Meta(min_length=1)]
    area_km2: list[Annotated[float, msgspec.Meta(gt=0.0)]]
    served_bps: list[_Rate]
    allowed: list[bool]


class _Duration(msgspec.Struct):
    share_fraction: Annotated[list[float], msgspec.Meta(min_length=1)]
    mbps_per_km2: list[_Rate]


class _Site(msgspec.Struct):
    name: str
    latitude_deg: float
    longitude_deg: float


class _Detail(msgspec.Struct):
    cells: _Cells
    duration: _Duration
    sites: list[_Site] = []


class ResultShape(msgspec.Struct):
    """What a comparison reads of a result, in words and in pictures."""

    summary: _Summary
    detail: _Detail

    def is_whole(self) -> bool:
        cells, duration, summary = self.detail.cells, self.detail.duration, self.summary
        count = len(cells.cell)
        return (
            {len(cells.area_km2), len(cells.served_bps), len(cells.allowed)} == {count}
            and len(duration.share_fraction) == len(duration.mbps_per_km2)
            and all(hour < len(summary.hours) for hour in summary.limited_by_hours)
            and all(map(h3.is_valid_cell, cells.cell))
        )
