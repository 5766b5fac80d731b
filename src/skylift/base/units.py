"""Physical constants and conversion factors, each with its source; SI and radians inside skylift."""

from __future__ import annotations

import math

# Exact by definition (SI, 2019).
LIGHT_SPEED_M_PER_S = 299_792_458.0

# WGS84 (NIMA TR8350.2, third edition, table 3.1): the ellipsoid of sites and of geodetic altitudes.
WGS84_A_M = 6_378_137.0
WGS84_F = 1.0 / 298.257223563
WGS84_E2 = WGS84_F * (2.0 - WGS84_F)
WGS84_B_M = WGS84_A_M * (1.0 - WGS84_F)

# IUGG mean radius R1 = (2a + b) / 3 of WGS84: for great circles, where an ellipsoid is not worth its cost.
EARTH_MEAN_RADIUS_M = (2.0 * WGS84_A_M + WGS84_B_M) / 3.0

# WGS72, the constants that published mean elements are fitted with (Spacetrack Report 3; Vallado 2006).
WGS72_A_M = 6_378_135.0
WGS72_MU_M3_PER_S2 = 3.986008e14

# Geostationary radius: (mu T_sidereal^2 / 4 pi^2)^(1/3), rounded as in ITU-R S.1503.
GEOSTATIONARY_RADIUS_M = 42_164_000.0

# Group index of standard single-mode fibre at 1550 nm (ITU-T G.652 data sheets: 1.4679 to 1.4682).
FIBRE_GROUP_INDEX = 1.468

US_PER_S = 1_000_000
S_PER_DAY = 86_400
US_PER_DAY = S_PER_DAY * US_PER_S

RAD_PER_DEG = math.pi / 180.0
DEG_PER_RAD = 180.0 / math.pi
