"""Noise: what a receiver adds, what a wet sky adds, and what a carrier keeps above it."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from skylift.sky.radio.power import Floats, decibels, power_ratio

# Exact by definition (SI, 2019): 1.380649e-23 J/K.
BOLTZMANN_DBW_PER_K_HZ = float(10.0 * np.log10(1.380649e-23))

# ITU-R P.618-13, section 3: mean radiating temperature of the atmosphere, and the cosmic background.
MEAN_RADIATING_TEMPERATURE_K = 275.0
COSMIC_BACKGROUND_K = 2.7


def g_over_t_db_k(gain_dbi: npt.ArrayLike, system_temperature_k: npt.ArrayLike) -> Floats:
    """Figure of merit of a receiver, dB/K; any shapes that broadcast."""
    return np.asarray(gain_dbi, dtype=np.float64) - decibels(system_temperature_k)


def sky_temperature_k(atmosphere_loss_db: npt.ArrayLike) -> Floats:
    """Noise temperature of the sky behind an atmosphere that takes `atmosphere_loss_db` (ITU-R P.618)."""
    passed = power_ratio(-np.asarray(atmosphere_loss_db, dtype=np.float64))
    return MEAN_RADIATING_TEMPERATURE_K * (1.0 - passed) + COSMIC_BACKGROUND_K * passed


def noise_rise_db(system_temperature_k: npt.ArrayLike, atmosphere_loss_db: npt.ArrayLike) -> Floats:
    """How much warmer a dish's noise is under `atmosphere_loss_db` than under none; any shapes.

    The system temperature is taken as measured under a clear, lossless sky.
    """
    added_k = sky_temperature_k(atmosphere_loss_db) - COSMIC_BACKGROUND_K
    return decibels(1.0 + added_k / np.asarray(system_temperature_k, dtype=np.float64))


def carrier_to_noise_density_dbhz(
    eirp_dbw: npt.ArrayLike, loss_db: npt.ArrayLike, figure_of_merit_db_k: npt.ArrayLike
) -> Floats:
    """C/N0 in dBHz from EIRP, all losses and G/T; any shapes that broadcast."""
    return np.asarray(
        np.asarray(eirp_dbw, dtype=np.float64)
        - np.asarray(loss_db)
        + np.asarray(figure_of_merit_db_k)
        - BOLTZMANN_DBW_PER_K_HZ,
        dtype=np.float64,
    )
