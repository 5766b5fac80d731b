"""Sites: places on the ground with what their antenna can see."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from skylift.base.geodesy import Place, geodetic_to_ecef_m, geodetic_up, local_east, local_north
from skylift.base.units import RAD_PER_DEG

Floats = npt.NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class AntennaModel:
    """What one model of antenna can see. Angles in degrees: this is a door.

    boresight_tilt_deg  from the zenith; boresight_azimuth_deg  from north over east, of the tilt
    field_of_view_deg   half angle about the boresight; 90 with tilt 0 is the whole sky
    arc_separation_deg  least topocentric angle to the geostationary arc above the horizon; 0 for none
    tilt_toward_pole    the azimuth is that of the nearer pole: north from the equator on, else south
    """

    name: str
    source: str
    minimum_elevation_deg: float = 25.0
    boresight_tilt_deg: float = 0.0
    boresight_azimuth_deg: float = 0.0
    field_of_view_deg: float = 90.0
    arc_separation_deg: float = 0.0
    # (azimuth_deg, elevation_deg) corners, azimuth ascending from 0; between them linear, wrapping at 360.
    horizon_mask: tuple[tuple[float, float], ...] = ()
    tilt_toward_pole: bool = False


@dataclass(frozen=True, slots=True)
class Sites:
    """M sites as arrays. Vectors are Earth-fixed.

    position_ecef_m, up, east, north, boresight  (3, M)
    latitude_rad, longitude_rad, altitude_m      (M,) geodetic, WGS84
    min_elevation_rad, cos_field_of_view, arc_separation_rad  (M,)
    mask_elevation_rad  float32 (M, 360): horizon mask per whole degree of azimuth, its highest there;
                        -pi/2 where there is none
    """

    position_ecef_m: Floats
    up: Floats
    east: Floats
    north: Floats
    boresight: Floats
    latitude_rad: Floats
    longitude_rad: Floats
    altitude_m: Floats
    min_elevation_rad: Floats
    cos_field_of_view: Floats
    arc_separation_rad: Floats
    mask_elevation_rad: npt.NDArray[np.float32]

    def __len__(self) -> int:
        return len(self.latitude_rad)


def sites_of(places: Sequence[Place], models: Sequence[AntennaModel]) -> Sites:
    """Sites from places and one antenna model for each."""
    latitude = np.array([p.latitude_deg for p in places], dtype=np.float64) * RAD_PER_DEG
    longitude = np.array([p.longitude_deg for p in places], dtype=np.float64) * RAD_PER_DEG
    altitude_m = np.array([p.altitude_m for p in places], dtype=np.float64)
    up = geodetic_up(latitude, longitude)
    east = local_east(longitude)
    north = local_north(latitude, longitude)
    tilt = np.array([m.boresight_tilt_deg for m in models]) * RAD_PER_DEG
    azimuth = (
        np.array(
            [
                (0.0 if p.latitude_deg >= 0.0 else 180.0) if m.tilt_toward_pole else m.boresight_azimuth_deg
                for p, m in zip(places, models, strict=True)
            ],
            dtype=np.float64,
        )
        * RAD_PER_DEG
    )
    sideways = north * np.cos(azimuth) + east * np.sin(azimuth)
    return Sites(
        position_ecef_m=np.ascontiguousarray(geodetic_to_ecef_m(latitude, longitude, altitude_m)),
        up=up,
        east=east,
        north=north,
        boresight=up * np.cos(tilt) + sideways * np.sin(tilt),
        latitude_rad=latitude,
        longitude_rad=longitude,
        altitude_m=altitude_m,
        min_elevation_rad=np.array([m.minimum_elevation_deg for m in models]) * RAD_PER_DEG,
        # 90 degrees about a tilted boresight would still cut the sky; -1 cuts nothing.
        cos_field_of_view=np.array(
            [
                np.cos(m.field_of_view_deg * RAD_PER_DEG) if m.field_of_view_deg < 90.0 else -1.0
                for m in models
            ]
        ),
        arc_separation_rad=np.array([m.arc_separation_deg for m in models]) * RAD_PER_DEG,
        mask_elevation_rad=np.stack([_mask_table(m.horizon_mask) for m in models])
        if models
        else np.zeros((0, 360), dtype=np.float32),
    )


def _mask_table(corners: tuple[tuple[float, float], ...]) -> npt.NDArray[np.float32]:
    if not corners:
        return np.full(360, -np.pi / 2.0, dtype=np.float32)
    azimuth, elevation = np.array(corners, dtype=np.float64).T
    edges = np.interp(np.arange(361), azimuth, elevation, period=360.0)
    # The highest of a bin's two edges and the corners in it, so that a mask is never seen through.
    highest = np.maximum(edges[:-1], edges[1:])
    np.maximum.at(highest, (azimuth % 360.0).astype(np.intp), elevation)
    return np.asarray(highest * RAD_PER_DEG, dtype=np.float32)
