"""The packaged maps decode to what SOURCE.toml says of them, and other files are refused."""

from __future__ import annotations

import io
import tomllib
from pathlib import Path

import numpy as np
import pytest

from skylift.adapters.atmosphere_maps import packaged_atmosphere, read_atmosphere
from skylift.adapters.packaged import packaged_bytes, packaged_text
from skylift.base.errors import Refused


def test_the_maps_have_the_grids_and_units_that_their_source_tells() -> None:
    source = tomllib.loads(packaged_text("atmosphere/SOURCE.toml"))
    maps = packaged_atmosphere()
    names = {"ln_rain_rate": "rain_rate_mm_per_h"}
    for entry in source["map"]:
        for name in entry["name"].split(", "):
            grid = getattr(maps, names.get(name, name))
            assert grid.step_deg == entry["grid_deg"], name
            rows, columns = grid.values.shape[-2:]
            assert ((rows - 1) * grid.step_deg, columns * grid.step_deg) == (180.0, 360.0)
            assert np.all(np.isfinite(grid.values)), name
    # Plausible everywhere: the limits are those of the published maps (mm/h, m, m, K, N-units).
    for name, low, high in (
        ("rain_rate_mm_per_h", 0.0, 165.0),
        ("rain_height_m", 350.0, 6_700.0),
        ("altitude_m", -450.0, 6_600.0),
        ("temperature_k", 218.0, 306.0),
        ("wet_refractivity", 0.0, 140.0),
    ):
        values = getattr(maps, name).values
        assert low <= values.min(), name
        assert values.max() <= high, name
    assert list(maps.levels) == sorted(maps.levels)


def test_a_map_of_ones_own_is_read_and_anything_else_is_refused(tmp_path: Path) -> None:
    content = packaged_bytes("atmosphere/atmosphere.npz")
    mine = tmp_path / "mine.npz"
    mine.write_bytes(content)
    np.testing.assert_array_equal(
        read_atmosphere(mine).temperature_k.values, packaged_atmosphere().temperature_k.values
    )
    other = io.BytesIO()
    np.savez(other, a=np.zeros(3))
    for wrong in (b"", b"no maps", content[:1000], other.getvalue()):
        mine.write_bytes(wrong)
        with pytest.raises(Refused) as refused:
            read_atmosphere(mine)
        assert refused.value.code == "atmosphere.unreadable"
    with pytest.raises(Refused, match="make_atmosphere_maps"):
        read_atmosphere(tmp_path / "none.npz")
