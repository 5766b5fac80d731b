"""What the air keeps between slots is what it would find anew, also after it was given other sites."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from skylift.adapters.atmosphere_maps import packaged_atmosphere
from skylift.sky.radio.air_over import Air
from skylift.sky.radio.atmosphere import SlantPaths, clear_air_db, climate_at


def test_kept_losses_belong_to_the_sites_and_the_frequency() -> None:
    maps = packaged_atmosphere()
    wet, dry = (
        climate_at(maps, np.radians([lat]), np.radians([lon])) for lat, lon in ((1.3, 103.8), (68.0, 20.0))
    )
    air = Air(maps, wet)
    for climate, one in ((wet, air), (dry, replace(air, climate=dry)), (wet, air)):
        for frequency_hz in (11.7e9, 28.5e9, 11.7e9):
            anew = clear_air_db(maps.gases, climate, SlantPaths(frequency_hz, np.pi / 2.0))
            np.testing.assert_array_equal(one.zenith_db(frequency_hz), anew)
    assert air.zenith_db(28.5e9)[0] > 1.5 * replace(air, climate=dry).zenith_db(28.5e9)[0]
