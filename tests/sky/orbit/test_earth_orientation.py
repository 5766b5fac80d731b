"""Tables of the Earth's orientation: both published forms, leap seconds, and what is refused."""

from __future__ import annotations

import numpy as np
import pytest

from skylift.base.errors import Refused
from skylift.base.instants import parse_instant
from skylift.sky.orbit.earth_orientation import RAD_PER_ARCSECOND, parse_earth_orientation

# Lines as the IERS and CelesTrak print them, around the leap second at the end of 2016.
FINALS = (
    "161230 57752.00 I  0.082400 0.000034  0.262700 0.000045  I-0.4066183 0.0000080  1.0720 0.0062  I\n"
    "161231 57753.00 I  0.080500 0.000034  0.263500 0.000045  I-0.4077000 0.0000080  1.0990 0.0062  I\n"
    "17 1 1 57754.00 I  0.078500 0.000034  0.264300 0.000045  I 0.5911800 0.0000080  1.1620 0.0062  I\n"
    "17 1 2 57755.00 P  0.076600 0.000034  0.265200 0.000045  P 0.5899600 0.0000080                 P\n"
    "17 1 3 57756.00\n"
)
CSV = (
    "DATE,MJD,X,Y,UT1-UTC,LOD,DPSI,DEPS,DX,DY,DAT,DATA_TYPE\n"
    "2016-12-30,57752,0.082400,0.262700,-0.4066183,0.0010720,0,0,0,0,36,O\n"
    "2016-12-31,57753,0.080500,0.263500,-0.4077000,0.0010990,0,0,0,0,36,O\n"
    "2017-01-01,57754,0.078500,0.264300,0.5911800,0.0011620,0,0,0,0,37,O\n"
    "2017-01-02,57755,0.076600,0.265200,0.5899600,0.0011620,0,0,0,0,37,P\n"
)


def instants(*texts: str) -> np.ndarray:
    return np.array([parse_instant(text) for text in texts])


@pytest.mark.parametrize("text", [FINALS, CSV, CSV.replace("\n", "\r\n")])
def test_both_forms_say_the_same(text: str) -> None:
    table = parse_earth_orientation(text)
    assert table.mjd.tolist() == [57752, 57753, 57754, 57755]
    ut1_s, x_rad, y_rad = table.at(instants("2016-12-30", "2016-12-30T12:00", "2017-01-02"))
    np.testing.assert_allclose(ut1_s, [-0.4066183, (-0.4066183 - 0.4077) / 2, 0.58996], atol=1e-12)
    np.testing.assert_allclose(x_rad / RAD_PER_ARCSECOND, [0.0824, 0.08145, 0.0766], atol=1e-12)
    np.testing.assert_allclose(y_rad / RAD_PER_ARCSECOND, [0.2627, 0.2631, 0.2652], atol=1e-12)


def test_a_leap_second_is_not_interpolated() -> None:
    table = parse_earth_orientation(CSV)
    ut1_s, _, _ = table.at(instants("2016-12-31T12:00", "2016-12-31T23:59:59.999999", "2017-01-01"))
    assert ut1_s[0] == pytest.approx((-0.4077 + 0.59118 - 1) / 2, abs=1e-9)
    assert ut1_s[1] == pytest.approx(0.59118 - 1, abs=1e-9)
    assert ut1_s[2] == pytest.approx(0.59118, abs=1e-9)


@pytest.mark.parametrize("at", ["2016-12-29T23:59:59", "2017-01-02T00:00:01", "2031-01-01"])
def test_outside_the_table_is_refused_with_its_span(at: str) -> None:
    with pytest.raises(Refused, match="2016-12-30 to 2017-01-02"):
        parse_earth_orientation(FINALS).at(instants("2016-12-31", at))


@pytest.mark.parametrize(
    ("text", "rule"),
    [
        ("", "fewer than two days"),
        (CSV.splitlines()[0] + "\n", "fewer than two days"),
        ("hello\nworld\n", "line 1"),
        (FINALS.replace("0.080500", "0.08x500"), "line 2"),
        (CSV.replace("0.080500", "nan"), "line 3"),
        (CSV.replace("-0.4077000", "4.0"), "line 3 holds a value that cannot be"),
        (CSV.replace("57753", "57751"), "do not ascend"),
        (FINALS.replace(" 57753.00", "57753.00 "), "line 2"),
        (CSV.replace(",UT1-UTC", ",UT1"), "UT1-UTC is missing"),
        (CSV[: CSV.index("2016-12-31") + 20], "fewer than two days"),
    ],
)
def test_what_is_not_a_table_is_refused(text: str, rule: str) -> None:
    with pytest.raises(Refused, match=rule) as refusal:
        parse_earth_orientation(text, "my.csv")
    assert refusal.value.thing == "my.csv"
    assert "finals2000A.all" in refusal.value.way_out
