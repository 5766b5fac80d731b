"""OMM in four syntaxes: as published, round and round, and broken."""

from __future__ import annotations

import csv
import dataclasses
import io
import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sgp4 import omm as sgp4_omm
from sgp4.api import Satrec

from skylift.base.errors import Refused
from skylift.base.instants import format_instant
from skylift.sky.orbit.catalogue import Catalogue
from skylift.sky.orbit.formats import FORMATS, detect_format, parse_catalogue, write_catalogue

SYNTAXES = tuple(name for name in FORMATS if name != "tle")

# The keywords and values as CelesTrak prints them, number and text as there.
CELESTRAK = {
    "OBJECT_NAME": "ISS (ZARYA)",
    "OBJECT_ID": "1998-067A",
    "EPOCH": "2020-07-12T21:16:01.000416",
    "MEAN_MOTION": 15.49507896,
    "ECCENTRICITY": 0.0001413,
    "INCLINATION": 51.6461,
    "RA_OF_ASC_NODE": 221.2784,
    "ARG_OF_PERICENTER": 89.1723,
    "MEAN_ANOMALY": 280.4612,
    "EPHEMERIS_TYPE": 0,
    "CLASSIFICATION_TYPE": "U",
    "NORAD_CAT_ID": 25544,
    "ELEMENT_SET_NO": 999,
    "REV_AT_EPOCH": 23587,
    "BSTAR": -3.1515e-5,
    "MEAN_MOTION_DOT": -2.218e-5,
    "MEAN_MOTION_DDOT": 0,
}
# Space-Track quotes every number, adds its own fields, and has null for what it does not know.
SPACE_TRACK = {
    "CCSDS_OMM_VERS": "3.0",
    "COMMENT": "GENERATED VIA SPACE-TRACK.ORG API",
    "CREATION_DATE": "2020-07-13T02:36:05",
    "ORIGINATOR": "18 SPCS",
    "CENTER_NAME": "EARTH",
    "REF_FRAME": "TEME",
    "TIME_SYSTEM": "UTC",
    "MEAN_ELEMENT_THEORY": "SGP4",
    **{key: str(value) for key, value in CELESTRAK.items()},
    "SEMIMAJOR_AXIS": "6797.257",
    "DECAY_DATE": None,
    "TLE_LINE0": "0 ISS (ZARYA)",
}
KVN = """CCSDS_OMM_VERS = 2.0
COMMENT GENERATED VIA SPACE-TRACK.ORG API
CREATION_DATE = 2020-07-13T02:36:05
ORIGINATOR = 18 SPCS
OBJECT_NAME = ISS (ZARYA)
OBJECT_ID = 1998-067A
CENTER_NAME = EARTH
REF_FRAME = TEME
TIME_SYSTEM = UTC
MEAN_ELEMENT_THEORY = SGP4
EPOCH = 2020-07-12T21:16:01.000416
MEAN_MOTION = 15.49507896 [rev/day]
ECCENTRICITY = 0.0001413
INCLINATION = 51.6461 [deg]
RA_OF_ASC_NODE = 221.2784 [deg]
ARG_OF_PERICENTER = 89.1723 [deg]
MEAN_ANOMALY = 280.4612 [deg]
EPHEMERIS_TYPE = 0
CLASSIFICATION_TYPE = U
NORAD_CAT_ID = 25544
ELEMENT_SET_NO = 999
REV_AT_EPOCH = 23587
BSTAR = -.000031515 [1/ER]
MEAN_MOTION_DOT = -.00002218 [rev/day**2]
MEAN_MOTION_DDOT = 0.0 [rev/day**3]
USER_DEFINED_TLE_LINE0 = 0 ISS (ZARYA)
"""


def as_csv(*rows: dict[str, object]) -> str:
    out = io.StringIO()
    writer = csv.DictWriter(out, list(rows[0]), quoting=csv.QUOTE_ALL)
    writer.writeheader()
    writer.writerows(rows)
    return out.getvalue()


def as_xml(*rows: dict[str, object], namespace: str = "") -> str:
    bodies = []
    for row in rows:
        leaves = {key: value for key, value in row.items() if key in CELESTRAK}
        names = ("OBJECT_NAME", "OBJECT_ID")
        metadata = "".join(f"<{key}>{leaves[key]}</{key}>" for key in names)
        elements = "".join(f"<{key}>{value}</{key}>" for key, value in leaves.items() if key not in names)
        bodies.append(
            '<omm id="CCSDS_OMM_VERS" version="2.0">\n<header><COMMENT>x</COMMENT></header><body><segment>'
            f"<metadata>{metadata}<REF_FRAME>TEME</REF_FRAME></metadata><data><meanElements>\n{elements}\n"
            '</meanElements><userDefinedParameters><USER_DEFINED parameter="DECAY_DATE"></USER_DEFINED>'
            "</userDefinedParameters></data></segment></body></omm>\n"
        )
    return f'<?xml version="1.0" encoding="UTF-8"?>\n<ndm{namespace}>\n{"".join(bodies)}</ndm>\n'


PUBLISHED = {
    "celestrak json": json.dumps([CELESTRAK]),
    "celestrak json, one object": json.dumps(CELESTRAK, indent=1),
    "space-track json": json.dumps([SPACE_TRACK], indent=2),
    "celestrak csv": as_csv(CELESTRAK),
    "space-track csv": as_csv({key: value or "" for key, value in SPACE_TRACK.items()}),
    "celestrak xml": as_xml(CELESTRAK),
    "namespaced xml": as_xml(CELESTRAK, namespace=' xmlns="urn:ccsds:schema:ndmxml"'),
    "kvn": KVN,
    "kvn, crlf and bom": "\ufeff" + KVN.replace("\n", "\r\n"),
}


@pytest.mark.parametrize("name", PUBLISHED)
def test_every_published_spelling_gives_what_sgp4_reads(name: str) -> None:
    read = parse_catalogue(PUBLISHED[name])
    catalogue = read.catalogue
    satellite = Satrec()
    sgp4_omm.initialize(satellite, {key: str(value) for key, value in CELESTRAK.items()})
    assert catalogue.norad.tolist() == [25544]
    assert catalogue.name == ("ISS (ZARYA)",)
    assert catalogue.cospar == ("1998-067A",)
    assert format_instant(int(catalogue.epoch_us[0])) == "2020-07-12T21:16:01.000416Z"
    ours = [
        catalogue.inclination_rad[0],
        catalogue.raan_rad[0],
        catalogue.eccentricity[0],
        catalogue.arg_perigee_rad[0],
        catalogue.mean_anomaly_rad[0],
        catalogue.mean_motion_rad_per_s[0] * 60,
        catalogue.bstar_per_earth_radius[0],
    ]
    theirs = [
        satellite.inclo,
        satellite.nodeo,
        satellite.ecco,
        satellite.argpo,
        satellite.mo,
        satellite.no_kozai,
        satellite.bstar,
    ]
    np.testing.assert_allclose(ours, theirs, rtol=1e-14)
    assert (catalogue.element_set[0], catalogue.revolution[0]) == (999, 23587)
    assert catalogue.ndot_rev_per_day2[0] == -2.218e-5


def test_several_messages_in_one_kvn_file_are_told_apart() -> None:
    second = KVN.replace("25544", "25545").replace("ISS (ZARYA)", "NAME [DTC]")
    for text in (KVN + second, KVN + "\n\n" + second, KVN + second.split("\n", 1)[1]):
        catalogue = parse_catalogue(text).catalogue
        assert catalogue.norad.tolist() == [25544, 25545]
        assert catalogue.name == ("ISS (ZARYA)", "NAME [DTC]")


def test_numbers_above_five_digits_and_other_epochs() -> None:
    rows = [
        {**CELESTRAK, "NORAD_CAT_ID": 799_500_123, "EPOCH": "2020-194T21:16:01.000416Z"},
        {**CELESTRAK, "NORAD_CAT_ID": "100000", "EPOCH": "2020-07-12T21:16:01"},
    ]
    catalogue = parse_catalogue(json.dumps(rows)).catalogue
    assert catalogue.norad.tolist() == [100_000, 799_500_123]
    assert format_instant(int(catalogue.epoch_us[1])) == "2020-07-12T21:16:01.000416Z"


def same(one: Catalogue, other: Catalogue) -> None:
    for field in dataclasses.fields(one):
        before, after = getattr(one, field.name), getattr(other, field.name)
        if isinstance(before, np.ndarray):
            np.testing.assert_array_equal(after, before, err_msg=field.name)
            assert after.dtype == before.dtype
        else:
            assert after == before, field.name


@pytest.mark.parametrize("name", ["oneweb_2026-05-30.tle", "starlink_2022-02_reconstructed.tle"])
@pytest.mark.parametrize("syntax", FORMATS)
def test_real_catalogues_go_round_bit_for_bit(
    shared_file: Callable[[str], Path], name: str, syntax: str
) -> None:
    catalogue = parse_catalogue(shared_file(f"catalogues/{name}").read_text()).catalogue
    read = parse_catalogue(write_catalogue(catalogue, syntax))
    assert (read.format, read.skipped, read.duplicates) == (syntax, (), 0)
    same(catalogue, read.catalogue)


texts = st.text(alphabet=st.characters(blacklist_categories=["Cc", "Cs", "Zl", "Zp"]), max_size=20)


@pytest.mark.parametrize("syntax", SYNTAXES)
@settings(max_examples=50)
@given(
    name=texts.map(str.strip),
    decimals=st.lists(st.integers(0, 360 * 10**12 - 1), min_size=4, max_size=4),
    epoch_us=st.integers(-400_000_000_000_000, 250_000_000_000_000_000),
    eccentricity=st.floats(0, 1, exclude_max=True),
    drag=st.floats(-1e8, 1e8),
    norad=st.integers(1, 999_999_999),
)
def test_omm_loses_nothing(
    syntax: str,
    name: str,
    decimals: list[int],
    epoch_us: int,
    eccentricity: float,
    drag: float,
    norad: int,
) -> None:
    """Any name, any microsecond from 1957 to 9892, twelve decimals of a degree, every bit of drag."""
    degrees = [value / 1e12 for value in decimals]
    base = parse_catalogue(KVN).catalogue
    catalogue = dataclasses.replace(
        base,
        name=(name,),
        norad=np.array([norad], dtype=np.int32),
        epoch_us=np.array([epoch_us], dtype=np.int64),
        inclination_rad=np.array([degrees[0] / 2.0]) * (np.pi / 180),
        raan_rad=np.array([degrees[1]]) * (np.pi / 180),
        arg_perigee_rad=np.array([degrees[2]]) * (np.pi / 180),
        mean_anomaly_rad=np.array([degrees[3]]) * (np.pi / 180),
        eccentricity=np.array([eccentricity]),
        bstar_per_earth_radius=np.array([drag]),
        nddot_rev_per_day3=np.array([drag / 3.0]),
    )
    text = write_catalogue(catalogue, syntax)
    once = parse_catalogue(text).catalogue
    assert once.name == (name,)
    assert once.epoch_us == epoch_us
    assert (once.eccentricity, once.bstar_per_earth_radius) == (eccentricity, drag)
    for field in ("inclination_rad", "raan_rad", "arg_perigee_rad", "mean_anomaly_rad"):
        np.testing.assert_allclose(getattr(once, field), getattr(catalogue, field), rtol=0, atol=1e-14)
    assert write_catalogue(once, syntax) == text


BAD: list[tuple[str, object, str]] = [
    ("ECCENTRICITY", 1.0, "eccentricity"),
    ("ECCENTRICITY", -1e-9, "eccentricity"),
    ("ECCENTRICITY", "nan", "ECCENTRICITY is a finite number"),
    ("INCLINATION", 180.1, "INCLINATION is 0 to 180"),
    ("INCLINATION", -0.1, "INCLINATION is 0 to 180"),
    ("INCLINATION", "", "INCLINATION"),
    ("MEAN_MOTION", 0, "mean motion"),
    ("MEAN_MOTION", 18.1, "mean motion"),
    ("MEAN_MOTION", "inf", "MEAN_MOTION is a finite number"),
    ("MEAN_MOTION", "1e400", "MEAN_MOTION is a finite number"),
    ("MEAN_ANOMALY", 361, "MEAN_ANOMALY"),
    ("MEAN_ANOMALY", "east", "MEAN_ANOMALY"),
    ("BSTAR", "", "BSTAR"),
    ("NORAD_CAT_ID", 0, "NORAD_CAT_ID"),
    ("NORAD_CAT_ID", -5, "NORAD_CAT_ID"),
    ("NORAD_CAT_ID", 2**31, "NORAD_CAT_ID"),
    ("NORAD_CAT_ID", "25544.5", "NORAD_CAT_ID"),
    ("EPOCH", "2020-02-30T00:00:00", "EPOCH"),
    ("EPOCH", "2019-366T00:00:00", "EPOCH"),
    ("EPOCH", "2020-07-12 21:16:01", "EPOCH"),
    ("EPOCH", "", "EPOCH"),
    ("EPHEMERIS_TYPE", 4, "SGP4-XP"),
    ("REV_AT_EPOCH", -1, "REV_AT_EPOCH"),
]


@pytest.mark.parametrize(("key", "value", "rule"), BAD)
def test_a_bad_value_is_refused_in_every_syntax_and_skipped_when_lenient(
    key: str, value: object, rule: str
) -> None:
    bad = {**CELESTRAK, "OBJECT_NAME": "BAD", key: value}
    good = {**CELESTRAK, "NORAD_CAT_ID": 7}
    kvn = "".join(f"{name} = {text}\n" for name, text in bad.items())
    good_kvn = "".join(f"{name} = {text}\n" for name, text in good.items())
    for text in (
        json.dumps([good, bad]),
        as_csv(good, bad),
        as_xml(good, bad),
        good_kvn + kvn,
    ):
        with pytest.raises(Refused, match=rule) as caught:
            parse_catalogue(text)
        assert caught.value.exit_code == 2
        read = parse_catalogue(text, lenient=True)
        assert read.catalogue.norad.tolist() == [7]
        assert len(read.skipped) == 1


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("REF_FRAME", "ICRF"),
        ("TIME_SYSTEM", "TAI"),
        ("MEAN_ELEMENT_THEORY", "SGP4-XP"),
        ("CENTER_NAME", "MARS"),
    ],
)
def test_elements_of_another_theory_or_frame_are_refused(key: str, value: str) -> None:
    with pytest.raises(Refused, match=key):
        parse_catalogue(json.dumps([{**SPACE_TRACK, key: value}]))


def test_lines_are_those_of_the_file() -> None:
    good = {**CELESTRAK, "NORAD_CAT_ID": 7}
    bad = {**CELESTRAK, "ECCENTRICITY": 2}
    for text, line in (
        (json.dumps([good, bad], indent=1), json.dumps([good], indent=1).count("\n") + 1),
        (as_csv(good, bad), 3),
        (KVN + KVN.replace("0.0001413", "1.5"), KVN.count("\n") + 13),
        (
            as_xml(good, bad),
            as_xml(good, bad).count("\n", 0, as_xml(good, bad).index("<ECCENTRICITY>2<")) + 1,
        ),
    ):
        assert parse_catalogue(text, lenient=True).skipped[0].line == line


@pytest.mark.parametrize("name", PUBLISHED)
def test_a_cut_file_is_refused_and_keeps_what_is_whole_when_lenient(name: str) -> None:
    text = PUBLISHED[name]
    if name in ("celestrak json, one object", "kvn, crlf and bom"):
        return
    # Twice the same record under two numbers, cut in the middle of the second.
    if "kvn" in name:
        double = text + text.replace("25544", "25545")
    elif "json" in name:
        double = (
            text.rstrip().removesuffix("]") + "," + text.replace("25544", "25545").lstrip().removeprefix("[")
        )
    elif "csv" in name:
        double = text + text.replace("25544", "25545").split("\n", 1)[1]
    else:
        double = text.replace("</ndm>", "") + text[text.index("<omm") :].replace("25544", "25545")
    assert parse_catalogue(double).catalogue.norad.tolist() == [25544, 25545]
    cut = double[: double.index("25545") + 3]
    with pytest.raises(Refused):
        parse_catalogue(cut)
    read = parse_catalogue(cut, lenient=True)
    assert read.catalogue.norad.tolist() == [25544]
    assert len(read.skipped) == 1


@pytest.mark.parametrize(
    "text",
    [
        "[]",
        "[1, 2]",
        "{}",
        "null",
        '[{"a": 1}',
        "<html><body>403 Forbidden</body></html>",
        "<!DOCTYPE html><html></html>",
        "<ndm></ndm>",
        "<omm>",
        '<!DOCTYPE x [<!ENTITY a "b">]><ndm><omm><BSTAR>&a;</BSTAR></omm></ndm>',
        "OBJECT_NAME,NORAD_CAT_ID\n",
        "OBJECT_NAME,NORAD_CAT_ID\nA\n",
        "CCSDS_OMM_VERS = 2.0\n",
        "No GP data found",
        "[" * 100_000,
        "\x00",
    ],
)
def test_what_is_no_catalogue_is_refused(text: str) -> None:
    for lenient in (False, True):
        with pytest.raises(Refused) as caught:
            parse_catalogue(text, "x", lenient)
        assert caught.value.way_out


@pytest.mark.parametrize("name", PUBLISHED)
@settings(max_examples=40)
@given(data=st.data())
def test_no_change_of_a_message_raises_anything_but_a_refusal(name: str, data: st.DataObject) -> None:
    text = PUBLISHED[name]
    for _ in range(data.draw(st.integers(1, 4))):
        at = data.draw(st.integers(0, len(text)))
        drop = data.draw(st.integers(0, 60))
        put = data.draw(
            st.text(max_size=3) | st.sampled_from(["\n", "\x00", "é", "1e999", '"', "<", "[", "=", "٣"])
        )
        text = text[:at] + put + text[at + drop :]
    for lenient in (False, True):
        try:
            catalogue = parse_catalogue(text, lenient=lenient).catalogue
        except Refused:
            continue
        assert np.isfinite(catalogue.bstar_per_earth_radius).all()
        assert (catalogue.norad > 0).all()


def test_formats_are_told_by_content() -> None:
    expected = ("omm-json",) * 3 + ("omm-csv",) * 2 + ("omm-xml",) * 2 + ("omm-kvn",) * 2
    assert tuple(detect_format(text.removeprefix("\ufeff")) for text in PUBLISHED.values()) == expected
