"""The shapes of what the API hands out, for OpenAPI and for tests; the bytes themselves come ready-made."""

from __future__ import annotations

from typing import Literal

from pydantic import BaseModel, ConfigDict, Field


class Shape(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True)


class ErrorParts(Shape):
    code: str = Field(description="For programs; never changes.")
    thing: str = Field(description="What it is about.")
    rule: str = Field(description="Which rule was broken.")
    way_out: str = Field(description="What to do about it.")


class Error(Shape):
    """A problem document (RFC 9457); `error` says the same in parts."""

    type: str = Field(description="urn:skylift:problem: and the code.")
    title: str = Field(description="What the status means.")
    status: int
    detail: str = Field(description="The whole of it, as one text.")
    error: ErrorParts


class Health(Shape):
    status: Literal["ok"]


class Readiness(Shape):
    status: Literal["ready"]
    slot_at_us: int = Field(description="Start of the slot under way, UTC microseconds since 1970.")


WhyDownName = Literal[
    "no_satellite",
    "obstructed",
    "geo_arc",
    "no_gateway",
    "region_not_active",
    "terminal_off",
    "no_ephemeris",
    "no_capacity",
    "not_permitted",
]


class Link(Shape):
    """One terminal in one slot: the same names, units and digits as a row of links.parquet."""

    at_us: int = Field(description="Start of the slot, UTC microseconds since 1970.")
    terminal: str
    satellite: int | None = Field(
        description="NORAD number; null when down, as all that follows from a link."
    )
    gateway: str | None
    pop: str | None
    path: list[int] = Field(
        description="NORAD numbers from the first satellite to the one above the gateway."
    )
    elevation_deg: float | None
    azimuth_deg: float | None = Field(description="From north over east.")
    one_way_delay_up_us: float | None = Field(description="At slot start, terminal to PoP.")
    one_way_delay_down_us: float | None = Field(description="At slot start, PoP to terminal.")
    one_way_delay_up_end_us: float | None = Field(description="At slot end, over the same path.")
    one_way_delay_down_end_us: float | None
    propagation_us: float | None = Field(description="Path length / c, one way.")
    fibre_us: float | None = Field(description="Gateway to PoP, one way.")
    down_bps: float | None = Field(description="null when down, or where the scenario has no [capacity].")
    up_bps: float | None = Field(description="null as down_bps.")
    loss_fraction: float | None = Field(description="null as down_bps.")
    handover: bool = Field(description="Another satellite than in the slot before.")
    why_down: WhyDownName | None = Field(description="null when up.")
    satellites_in_view: int
    satellites_usable: int


class Reason(Shape):
    """Why a terminal may not be served; codes are those of POST /api/v1/may-serve."""

    code: str
    authority: str = Field(description="Whose decision it is.")
    would_change: str = Field(description="What has to happen.")


class Links(Shape):
    at: str = Field(description="Start of the slot, ISO 8601, UTC.")
    at_us: int = Field(description="Start of the slot, UTC microseconds since 1970.")
    slot_length_s: float
    late: bool = Field(description="Computed only after the slot had begun.")
    time_shift_s: float = Field(description="By how much the catalogue's epochs were shifted, all alike.")
    links: list[Link]
    reasons: dict[str, list[Reason]] = Field(
        default_factory=dict,
        description="By terminal: why the office bars it. Without a token, of somebody's terminal only what "
        "concerns its place.",
    )
    journal_sequence: int | None = Field(
        default=None, description="Number of the journal's row up to which all that was decided counts."
    )
    next: str | None = Field(
        default=None, description="With a token: ask for the terminals `after` this id; null for no more."
    )


class Satellite(Shape):
    norad: int
    name: str
    latitude_deg: float = Field(description="Geodetic, WGS84, at slot start.")
    longitude_deg: float
    altitude_km: float = Field(description="Above the WGS84 ellipsoid.")
    elevation_deg: float | None = Field(default=None, description="From the terminal asked for.")
    azimuth_deg: float | None = Field(default=None, description="From the terminal asked for.")
    usable: bool | None = Field(
        default=None, description="By the dish of the terminal asked for, during the whole slot."
    )


class Satellites(Shape):
    at: str
    at_us: int
    time_shift_s: float
    terminal: str | None = None
    satellites: list[Satellite]


class Terminal(Shape):
    """A terminal, its place coarsened to an H3 cell of resolution 5: exact places are not handed out."""

    terminal: str
    cell: str = Field(description="H3 index, resolution 5 (about 250 km2).")
    cell_latitude_deg: float = Field(description="Centre of the cell, not of the terminal.")
    cell_longitude_deg: float
    pop: str
    antenna: str
    minimum_elevation_deg: float
    boresight_tilt_deg: float
    boresight_azimuth_deg: float
    field_of_view_deg: float = Field(description="Half angle about the boresight.")


class Terminals(Shape):
    terminals: list[Terminal]


class Gateway(Shape):
    gateway: str
    name: str
    latitude_deg: float
    longitude_deg: float
    source: str
    accuracy_m: float = Field(description="How far the true place may lie from the one given.")
    antennas: int
    minimum_elevation_deg: float
    pop: str | None


class Pop(Shape):
    pop: str
    name: str
    latitude_deg: float
    longitude_deg: float
    source: str
    accuracy_m: float


class Gateways(Shape):
    gateways: list[Gateway]
    pops: list[Pop]


class Map(Shape):
    """Drawing is all it is for: coarse, and cut to a box of whole degrees."""

    west: float
    south: float
    east: float
    north: float
    rings: list[list[float]] = Field(description="Longitude and latitude in turn, degrees.")


class About(Shape):
    version: str
    scenario: str
    scenario_start_us: int = Field(
        description="Where the scenario begins; without a start of its own, at the day's first second."
    )
    satellites: int
    terminals: int
    gateways: int
    serve: Literal["office", "scenario", "both"] = Field(description="Whose terminals are served.")
    policy: str
    lasers: bool
    slot_length_s: float
    time_shift_s: float
    inputs: dict[str, dict[str, str]] = Field(description="Name and SHA-256 of each file or table read.")
    warnings: list[str]
    not_modelled: list[str]
    clock: Literal["wall", "simulated"]
    speed: float
    now_us: int
    oldest_slot_us: int | None = Field(description="The oldest slot that ?at= can still be asked for.")
    present_slot_us: int | None
    ready: bool
