"""TLE: what is read equals what another library reads, and every mistake is named with its line."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import sgp4
from hypothesis import given
from hypothesis import strategies as st
from sgp4.alpha5 import from_alpha5, to_alpha5
from sgp4.api import Satrec

from skylift.base.errors import Refused
from skylift.base.instants import format_instant
from skylift.base.units import DEG_PER_RAD, S_PER_DAY
from skylift.sky.orbit.formats import parse_catalogue
from skylift.sky.orbit.tle import read_tle
from skylift.sky.orbit.tle_write import alpha5, checksum, write_tle

# Vanguard 1 in the element set of Spacetrack Report 3's verification cases (SGP4-VER.TLE), and a Starlink.
VANGUARD = """VANGUARD 1
1 00005U 58002B   00179.78495062  .00000023  00000-0  28098-4 0  4753
2 00005  34.2682 348.7242 1859667 331.7664  19.3264 10.82419157413667
"""
STARLINK = """STARLINK-1007
1 44713U 19074A   22336.47699629  .00001505  00000+0  11993-3 0  9994
2 44713  53.0561 143.1715 0001798  75.7035 284.4154 15.06402874169073
"""
VERIFICATION = Path(sgp4.__file__).with_name("SGP4-VER.TLE")


def with_checksum(line: str) -> str:
    return f"{line[:68]}{checksum(line[:68])}"


def changed(line: int, first: int, text: str) -> str:
    """STARLINK with columns from `first` (from 1) of line 1 or 2 replaced, its checksum made right."""
    lines = STARLINK.splitlines()
    at = first - 1
    lines[line] = with_checksum(lines[line][:at] + text + lines[line][at + len(text) :])
    return "\n".join(lines) + "\n"


def agrees_with_sgp4(text: str) -> int:
    """Compares every object with the library `sgp4`; returns how many there were."""
    lines = [line for line in text.splitlines() if line[:2] in ("1 ", "2 ")]
    read = read_tle(text, lenient=True)
    catalogue = read.catalogue
    skipped = {skipped.object for skipped in read.skipped}
    newest: dict[int, Satrec] = {}
    for one, two in zip(lines[::2], lines[1::2], strict=True):
        if one[2:7].strip() not in skipped:
            record = Satrec.twoline2rv(one, two)
            known = newest.get(record.satnum)
            if (
                known is None
                or record.jdsatepoch + record.jdsatepochF >= known.jdsatepoch + known.jdsatepochF
            ):
                newest[record.satnum] = record
    assert sorted(newest) == catalogue.norad.tolist()
    for index, record in enumerate(newest[int(number)] for number in catalogue.norad):
        ours = [
            catalogue.inclination_rad[index],
            catalogue.raan_rad[index],
            catalogue.eccentricity[index],
            catalogue.arg_perigee_rad[index],
            catalogue.mean_anomaly_rad[index],
            catalogue.mean_motion_rad_per_s[index] * 60.0,
            catalogue.bstar_per_earth_radius[index],
            catalogue.ndot_rev_per_day2[index],
            catalogue.nddot_rev_per_day3[index],
        ]
        per_day = 1440.0 / (2.0 * np.pi)
        theirs = [
            record.inclo,
            record.nodeo,
            record.ecco,
            record.argpo,
            record.mo,
            record.no_kozai,
            record.bstar,
            record.ndot * per_day * 1440.0,
            record.nddot * per_day * 1440.0**2,
        ]
        np.testing.assert_allclose(ours, theirs, rtol=1e-14, atol=0)
        days = record.jdsatepoch - 2_440_587.5
        # In integers, as a Julian date in one double is good to 40 us only.
        assert (
            catalogue.epoch_us[index] == round(days) * 86_400_000_000 + round(record.jdsatepochF * 1e8) * 864
        )
        assert catalogue.classification[index] == (record.classification.strip() or "U")
        assert catalogue.revolution[index] == record.revnum
        assert catalogue.element_set[index] == record.elnum
    return len(catalogue)


def test_the_verification_cases_agree_with_sgp4() -> None:
    assert agrees_with_sgp4(VERIFICATION.read_text()) == 29


@pytest.mark.parametrize(
    ("name", "count"),
    [
        ("catalogues/starlink_2026-05-30.tle", 10_395),
        ("catalogues/oneweb_2026-05-30.tle", 651),
        ("catalogues/starlink_2022-02_reconstructed.tle", 1_929),
    ],
)
def test_real_catalogues_agree_with_sgp4_and_are_written_back_to_the_letter(
    shared_file: Callable[[str], Path], name: str, count: int
) -> None:
    text = shared_file(name).read_text()
    assert agrees_with_sgp4(text) == count
    read = read_tle(text)
    assert (read.skipped, read.duplicates) == ((), 0)
    assert write_tle(read.catalogue).splitlines() == [line.rstrip() for line in text.splitlines()]


def test_names_epoch_and_designator() -> None:
    catalogue = read_tle(STARLINK + VANGUARD).catalogue
    assert catalogue.norad.tolist() == [5, 44713]
    assert catalogue.name == ("VANGUARD 1", "STARLINK-1007")
    assert catalogue.cospar == ("1958-002B", "2019-074A")
    # 2022, day 336 is 2 December; 0.47699629 d = 11 h 26 min 52.479456 s
    assert format_instant(int(catalogue.epoch_us[1])) == "2022-12-02T11:26:52.479456Z"
    assert catalogue.mean_motion_rad_per_s[1] * S_PER_DAY / (2 * np.pi) == pytest.approx(
        15.06402874, rel=1e-15
    )
    assert catalogue.inclination_rad[1] * DEG_PER_RAD == pytest.approx(53.0561, rel=1e-15)


@pytest.mark.parametrize(
    "text",
    [
        STARLINK,
        STARLINK.replace("STARLINK-1007", "0 STARLINK-1007"),
        STARLINK.replace("\n", "\r\n"),
        STARLINK.replace("\n", "\r"),
        "\ufeff# a comment\n\n" + STARLINK.replace("\n", "   \n") + "\n\n# end",
        STARLINK.removesuffix("\n"),
        STARLINK.replace("9994\n", "9994\n# between the lines\n"),
    ],
)
def test_the_ways_in_which_files_differ_do_not_matter(text: str) -> None:
    read = parse_catalogue(text)
    expected = parse_catalogue(STARLINK).catalogue
    assert read.format == "tle"
    assert read.catalogue.name == ("STARLINK-1007",)
    assert read.catalogue.epoch_us == expected.epoch_us
    assert read.catalogue.mean_anomaly_rad == expected.mean_anomaly_rad


def test_two_lines_need_no_name() -> None:
    two_lines = STARLINK.split("\n", 1)[1]
    assert read_tle(two_lines + VANGUARD).catalogue.name == ("VANGUARD 1", "")


@pytest.mark.parametrize(
    ("text", "line", "rule"),
    [
        (STARLINK.replace("9994\n", "9995\n"), 2, "checksum 4"),
        (STARLINK.replace("143.1715", "143.1716"), 3, "checksum"),
        (changed(2, 9, "181.0000"), 3, "inclination"),
        (changed(2, 9, " 53.05x1"), 3, "inclination in columns 9-16"),
        (changed(2, 18, "361.0000"), 3, "angle"),
        (changed(2, 27, "00 1798"), 3, "eccentricity"),
        (changed(2, 53, " 0.00000000"), 3, "mean motion"),
        (changed(2, 53, "18.00000001"), 3, "mean motion"),
        (changed(2, 53, "        nan"), 3, "mean motion"),
        (changed(2, 3, "44714"), 3, "another catalogue number"),
        (changed(1, 21, "366"), 2, "leap year"),
        (changed(1, 21, "000"), 2, "leap year"),
        (changed(1, 24, ","), 2, "epoch"),
        (changed(1, 54, " 1199x-3"), 2, "drag term"),
        (changed(1, 63, "4"), 2, "SGP4-XP"),
        (changed(1, 33, "1"), 2, "blank"),
        (STARLINK.replace(" 15.06402874169073", " 15.0640"), 3, "69 characters"),
        ("\n".join(STARLINK.splitlines()[:2]) + "\n", 2, "line 2"),
        ("\n".join(STARLINK.splitlines()[:2]) + "\n2 44", 3, "69 characters"),
        ("\n".join([*STARLINK.splitlines()[:2], *STARLINK.splitlines()]), 2, "line 2"),
        (STARLINK.splitlines()[2], 1, "line 1"),
        (STARLINK + "STARLINK-1008\n", 4, "elements"),
    ],
)
def test_a_bad_record_is_refused_with_its_line_and_skipped_when_lenient(
    text: str, line: int, rule: str
) -> None:
    with pytest.raises(Refused, match=rule) as caught:
        read_tle(text, "x.tle")
    assert caught.value.thing.startswith(f"x.tle, line {line}")
    assert "--lenient" in caught.value.way_out
    read = read_tle(VANGUARD + text, lenient=True)
    assert 5 in read.catalogue.norad
    assert [skipped.line for skipped in read.skipped] == [line + 3]
    assert rule in read.skipped[0].reason


def test_a_good_record_after_a_bad_one_is_kept_when_lenient() -> None:
    broken = STARLINK.replace("9994\n", "9995\n")
    read = read_tle(broken + VANGUARD + broken, lenient=True)
    assert read.catalogue.norad.tolist() == [5]
    assert [(skipped.line, skipped.object) for skipped in read.skipped] == [(2, "44713"), (8, "44713")]


def test_of_duplicates_the_newest_epoch_stays() -> None:
    newer = changed(1, 19, "22337.00000000")
    for text in (STARLINK + newer, newer + STARLINK, newer + STARLINK + newer):
        read = read_tle(text)
        assert format_instant(int(read.catalogue.epoch_us[0])) == "2022-12-03T00:00:00Z"
        assert read.duplicates == text.count("STARLINK") - 1


@pytest.mark.parametrize("text", ["", "\n\n", "# nothing\n"])
def test_an_empty_file_is_refused(text: str) -> None:
    with pytest.raises(Refused) as caught:
        parse_catalogue(text, "x.tle")
    assert caught.value.code == "catalogue.empty"


def test_a_lenient_reading_of_nothing_good_is_refused_and_says_how_many_were_bad() -> None:
    with pytest.raises(Refused, match="1 bad records"):
        read_tle(STARLINK.replace("9994\n", "9995\n"), lenient=True)


@pytest.mark.parametrize("number", [0, 5, 99_999, 100_000, 109_999, 180_000, 339_999])
def test_alpha5_is_that_of_sgp4(number: int) -> None:
    assert alpha5(number) == to_alpha5(number)
    assert from_alpha5(alpha5(number)) == number
    if number:
        lines = STARLINK.replace("44713", alpha5(number)).splitlines()
        text = "\n".join([lines[0], *map(with_checksum, lines[1:])])
        assert read_tle(text).catalogue.norad.tolist() == [number]


def test_a_number_beyond_alpha5_is_refused_with_the_way_out() -> None:
    with pytest.raises(Refused, match="omm-json"):
        alpha5(340_000)


@pytest.mark.parametrize("number", ["I0001", "O0001", "A 001", "00 01", "a0001"])
def test_a_bad_number_is_refused(number: str) -> None:
    lines = STARLINK.replace("44713", number).splitlines()
    with pytest.raises(Refused):
        read_tle("\n".join([lines[0], *map(with_checksum, lines[1:])]))


@given(
    # 1957-01-01 to just before 2057-01-01, in steps of 1e-8 day.
    st.integers(-410_227_200_000_000 // 864 + 1, 2_745_532_800_000_000 // 864 - 1),
    st.lists(st.integers(0, 3_599_999), min_size=3, max_size=3),
    st.integers(0, 9_999_999),
    st.integers(1, 1_800_000_000),
    st.integers(-99_999, 99_999),
    st.integers(-9, 9),
    st.integers(-99_999_999, 99_999_999),
    st.integers(1, 339_999),
)
def test_what_a_tle_can_hold_survives_it(
    epoch: int,
    angles: list[int],
    eccentricity: int,
    motion: int,
    drag: int,
    power: int,
    ndot: int,
    norad: int,
) -> None:
    """Whole units of every field's last place, from 1957 to 2056."""
    base = read_tle(STARLINK).catalogue
    degrees = [float(angle) / 1e4 for angle in angles]
    catalogue = dataclasses.replace(
        base,
        norad=np.array([norad], dtype=np.int32),
        epoch_us=np.array([epoch * 864], dtype=np.int64),
        inclination_rad=np.array([degrees[0] / 2.0]) * np.pi / 180.0,
        raan_rad=np.array([degrees[0]]) * np.pi / 180.0,
        arg_perigee_rad=np.array([degrees[1]]) * np.pi / 180.0,
        mean_anomaly_rad=np.array([degrees[2]]) * np.pi / 180.0,
        eccentricity=np.array([eccentricity / 1e7]),
        mean_motion_rad_per_s=np.array([motion / 1e8]) * (2.0 * np.pi / S_PER_DAY),
        bstar_per_earth_radius=np.array([drag * 10.0 ** (power - 5)]),
        ndot_rev_per_day2=np.array([ndot / 1e8]),
    )
    again = read_tle(write_tle(catalogue)).catalogue
    for field in dataclasses.fields(catalogue):
        before, after = getattr(catalogue, field.name), getattr(again, field.name)
        if field.name == "inclination_rad":
            np.testing.assert_allclose(after, before, rtol=0, atol=np.radians(0.51e-4))
        elif field.name == "bstar_per_earth_radius":
            # Below 1e-9 fewer than five digits fit.
            np.testing.assert_allclose(after, before, rtol=1e-14, atol=0.51e-14)
        elif isinstance(before, np.ndarray) and before.dtype == np.float64:
            np.testing.assert_allclose(after, before, rtol=1e-14, atol=0)
        elif isinstance(before, np.ndarray):
            np.testing.assert_array_equal(after, before)
        else:
            assert after == before


@given(st.data())
def test_no_change_of_a_file_raises_anything_but_a_refusal(data: st.DataObject) -> None:
    text = VANGUARD + STARLINK
    for _ in range(data.draw(st.integers(1, 4))):
        at = data.draw(st.integers(0, len(text)))
        drop = data.draw(st.integers(0, 90))
        put = data.draw(st.text(max_size=3) | st.sampled_from(["\n", "\x00", "1 ", "é", "-", ".", " " * 9]))
        text = text[:at] + put + text[at + drop :]
    for lenient in (False, True):
        try:
            catalogue = parse_catalogue(text, lenient=lenient).catalogue
        except Refused:
            continue
        assert set(catalogue.norad.tolist()) <= set(range(340_000))
        assert np.isfinite(catalogue.mean_motion_rad_per_s).all()
        assert ((catalogue.eccentricity >= 0) & (catalogue.eccentricity < 1)).all()


@given(st.text(alphabet=st.characters(blacklist_categories=["Cc", "Cs", "Zl", "Zp"]), max_size=24))
def test_any_name_survives(name: str) -> None:
    name = name.strip()
    catalogue = dataclasses.replace(read_tle(STARLINK).catalogue, name=(name,))
    assert read_tle(write_tle(catalogue)).catalogue.name == (name,)
