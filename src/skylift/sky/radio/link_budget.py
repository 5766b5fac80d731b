"""The link budget: from EIRP to bits per second, over arrays."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from skylift.sky.radio.antenna_pattern import scan_loss_db
from skylift.sky.radio.interference import combined_db
from skylift.sky.radio.modcod import ModcodTable
from skylift.sky.radio.noise import carrier_to_noise_density_dbhz, noise_rise_db
from skylift.sky.radio.path_loss import free_space_loss_db
from skylift.sky.radio.power import Floats, eirp_limit_dbw
from skylift.sky.radio.systems import Link


@dataclass(frozen=True, slots=True)
class Surroundings:
    """What is beside the link itself, (K,) or one number for all.

    atmosphere_loss_db  beside the link's own: gas, cloud, rain, scintillation
    absorbed_db         what of it is absorbed, and so radiates noise (not scintillation); None for all
    j_over_s_db         jamming over signal at the receiver's input, inside its channel; -inf for none
    """

    atmosphere_loss_db: npt.ArrayLike = 0.0
    j_over_s_db: npt.ArrayLike = -np.inf
    absorbed_db: npt.ArrayLike | None = None


@dataclass(frozen=True, slots=True)
class LinkBudget:
    """K links, each field (K,) of one channel of one polarisation.

    eirp_dbw       radiated toward the receiver: the transmitter's, or what the mask allows
    eirp_limit_dbw what the mask allows; inf without a mask
    c_n_db         carrier to thermal noise in the channel's bandwidth
    c_ni_db        the same with interference and jamming
    es_n0_db       energy of a symbol to the density of both: what the MODCOD is chosen by, before margins
    modcod         row of the table, -1 for no link
    bits_per_symbol  0 for no link
    spectral_efficiency  bits per second per hertz of the channel, while sending
    rate_bps       mean rate of one channel: with the duty of a terminal
    signal_dbw     power at the receiver's input, after its antenna: what J of J/S is set against
    """

    range_m: Floats
    signal_dbw: Floats
    fspl_db: Floats
    eirp_dbw: Floats
    eirp_limit_dbw: Floats
    scan_loss_db: Floats
    atmosphere_loss_db: Floats
    noise_rise_db: Floats
    g_over_t_db_k: Floats
    c_n0_dbhz: Floats
    c_n_db: Floats
    c_i_db: Floats
    c_ni_db: Floats
    es_n0_db: Floats
    modcod: npt.NDArray[np.intp]
    bits_per_symbol: Floats
    spectral_efficiency: Floats
    rate_bps: Floats


def link_budget(
    link: Link,
    modcods: ModcodTable,
    elevation_rad: npt.ArrayLike,
    range_m: npt.ArrayLike,
    off_boresight_rad: npt.ArrayLike = 0.0,
    around: Surroundings = Surroundings(),
) -> LinkBudget:
    """The budget of K links of one kind.

    elevation_rad, range_m, off_boresight_rad  (K,) or one number each; the last of the ground antenna
    """
    shape = np.broadcast_shapes(np.shape(elevation_rad), np.shape(range_m), np.shape(off_boresight_rad))
    limit_dbw = np.full(shape, np.inf)
    if link.mask is not None:
        limit_dbw = eirp_limit_dbw(link.mask, elevation_rad, range_m, link.bandwidth_hz)
        limit_dbw = limit_dbw - 10.0 * np.log10(link.flux_polarisations)
    eirp_dbw = np.minimum(link.eirp_dbw, limit_dbw)
    fspl_db = free_space_loss_db(range_m, link.frequency_hz)
    scan_db = scan_loss_db(off_boresight_rad, link.scan_exponent)
    air_db = link.atmosphere_loss_db + np.asarray(around.atmosphere_loss_db, dtype=np.float64)
    # A satellite looks at the warm Earth in any weather; a dish sees the sky, which rain warms.
    warm_db = (
        air_db if around.absorbed_db is None else link.atmosphere_loss_db + np.asarray(around.absorbed_db)
    )
    rise_db = noise_rise_db(link.noise_temperature_k, warm_db) if link.ground_receives else np.zeros(())
    loss_db = fspl_db + scan_db + air_db + link.other_losses_db
    c_n0_dbhz = carrier_to_noise_density_dbhz(eirp_dbw, loss_db, link.g_over_t_db_k - rise_db)
    c_n_db = c_n0_dbhz - 10.0 * np.log10(link.bandwidth_hz)
    own = (link.c_aci_db, link.c_asi_db, link.c_xpi_db, link.c_3im_db, -link.j_over_s_db)
    c_i_db = combined_db(*own, -np.asarray(around.j_over_s_db, dtype=np.float64))
    c_ni_db = combined_db(c_n_db, c_i_db)
    es_n0_db = c_ni_db + 10.0 * np.log10(
        link.bandwidth_hz / link.waveform.symbols_on_air_per_s(link.bandwidth_hz)
    )
    row = modcods.best(es_n0_db - link.implementation_loss_db - link.margin_db)
    bits = modcods.bits_at(row)
    while_sending_bps = bits * link.waveform.symbols_per_s(link.bandwidth_hz)
    fields = np.broadcast_arrays(
        np.asarray(range_m, dtype=np.float64),
        eirp_dbw - loss_db + link.receive_gain_dbi,
        fspl_db,
        eirp_dbw,
        limit_dbw,
        scan_db,
        air_db,
        rise_db,
        link.g_over_t_db_k - rise_db,
        c_n0_dbhz,
        c_n_db,
        c_i_db,
        c_ni_db,
        es_n0_db,
        row,
        bits,
        while_sending_bps / link.bandwidth_hz,
        while_sending_bps * link.duty_fraction,
    )
    return LinkBudget(*fields)
