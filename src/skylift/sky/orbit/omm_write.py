"""Writes a catalogue as Orbit Mean-Elements Messages: JSON, CSV, XML or KVN, with CelesTrak's keywords.

Degrees and revolutions per day are printed with up to 12 decimals: enough that reading them again gives the
same double, and few enough that what was published as 53.0561 is printed as 53.0561.
"""

from __future__ import annotations

import csv
import io
import json
from xml.sax.saxutils import escape

import numpy as np

from skylift.base.instants import format_instant
from skylift.base.units import DEG_PER_RAD, S_PER_DAY
from skylift.sky.orbit.catalogue import Catalogue

_DECIMALS = 12
_HEADER = ("OBJECT_NAME", "OBJECT_ID")
_METADATA = {"CENTER_NAME": "EARTH", "REF_FRAME": "TEME", "TIME_SYSTEM": "UTC", "MEAN_ELEMENT_THEORY": "SGP4"}
_ELEMENTS = (
    "EPOCH",
    "MEAN_MOTION",
    "ECCENTRICITY",
    "INCLINATION",
    "RA_OF_ASC_NODE",
    "ARG_OF_PERICENTER",
    "MEAN_ANOMALY",
)
_TLE_PARAMETERS = (
    "EPHEMERIS_TYPE",
    "CLASSIFICATION_TYPE",
    "NORAD_CAT_ID",
    "ELEMENT_SET_NO",
    "REV_AT_EPOCH",
    "BSTAR",
    "MEAN_MOTION_DOT",
    "MEAN_MOTION_DDOT",
)
# The standard wants both in a header. They say when and by whom a message was made: the newest epoch, and us.
_ORIGINATOR = "SKYLIFT"

Fields = dict[str, str | int | float]


def write_json(catalogue: Catalogue) -> str:
    """A JSON array, one message a line."""
    rows = ",\n".join(json.dumps(fields, ensure_ascii=False) for fields in _messages(catalogue))
    return f"[\n{rows}\n]\n"


def write_csv(catalogue: Catalogue) -> str:
    out = io.StringIO()
    writer = csv.DictWriter(out, (*_HEADER, *_ELEMENTS, *_TLE_PARAMETERS), lineterminator="\n")
    writer.writeheader()
    writer.writerows(_messages(catalogue))
    return out.getvalue()


def write_kvn(catalogue: Catalogue) -> str:
    """One message after the other, each beginning with its version."""
    created = _created(catalogue)
    blocks = []
    for fields in _messages(catalogue):
        rows = {"CCSDS_OMM_VERS": "3.0", "CREATION_DATE": created, "ORIGINATOR": _ORIGINATOR}
        rows |= {key: str(fields[key]) for key in _HEADER} | _METADATA
        rows |= {key: str(fields[key]) for key in (*_ELEMENTS, *_TLE_PARAMETERS)}
        blocks.append("".join(f"{key} = {value}\n" for key, value in rows.items()))
    return "\n".join(blocks)


def write_xml(catalogue: Catalogue) -> str:
    """An <ndm> of <omm>s, nested as the standard asks."""
    created = _created(catalogue)
    blocks = [
        '<?xml version="1.0" encoding="UTF-8"?>\n'
        '<ndm xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance" '
        'xsi:noNamespaceSchemaLocation="https://sanaregistry.org/r/ndmxml_unqualified/ndmxml-3.0.0-master-3.0.xsd">\n'
    ]
    for fields in _messages(catalogue):
        header = _xml({"CREATION_DATE": created, "ORIGINATOR": _ORIGINATOR})
        metadata = _xml({**{key: fields[key] for key in _HEADER}, **_METADATA})
        elements = _xml({key: fields[key] for key in _ELEMENTS})
        parameters = _xml({key: fields[key] for key in _TLE_PARAMETERS})
        blocks.append(
            f'<omm id="CCSDS_OMM_VERS" version="3.0"><header>{header}</header><body><segment>'
            f"<metadata>{metadata}</metadata><data><meanElements>{elements}</meanElements>"
            f"<tleParameters>{parameters}</tleParameters></data></segment></body></omm>\n"
        )
    return "".join([*blocks, "</ndm>\n"])


def _xml(fields: Fields | dict[str, str]) -> str:
    return "".join(f"<{key}>{escape(str(value))}</{key}>" for key, value in fields.items())


def _created(catalogue: Catalogue) -> str:
    newest = int(catalogue.epoch_us.max()) if len(catalogue) else 0
    return format_instant(newest).removesuffix("Z")


def _messages(catalogue: Catalogue) -> list[Fields]:
    degrees = {
        "INCLINATION": catalogue.inclination_rad * DEG_PER_RAD,
        "RA_OF_ASC_NODE": catalogue.raan_rad * DEG_PER_RAD,
        "ARG_OF_PERICENTER": catalogue.arg_perigee_rad * DEG_PER_RAD,
        "MEAN_ANOMALY": catalogue.mean_anomaly_rad * DEG_PER_RAD,
        "MEAN_MOTION": catalogue.mean_motion_rad_per_s * (S_PER_DAY / (2.0 * np.pi)),
    }
    # Python's round, not NumPy's: the one is right to the last digit, the other multiplies and divides.
    rounded = {key: [round(value, _DECIMALS) for value in column.tolist()] for key, column in degrees.items()}
    epochs = np.datetime_as_string(catalogue.epoch_us.astype("datetime64[us]"))
    return [
        {
            "OBJECT_NAME": catalogue.name[i],
            "OBJECT_ID": catalogue.cospar[i],
            "EPOCH": str(epochs[i]),
            "MEAN_MOTION": rounded["MEAN_MOTION"][i],
            "ECCENTRICITY": float(catalogue.eccentricity[i]),
            "INCLINATION": rounded["INCLINATION"][i],
            "RA_OF_ASC_NODE": rounded["RA_OF_ASC_NODE"][i],
            "ARG_OF_PERICENTER": rounded["ARG_OF_PERICENTER"][i],
            "MEAN_ANOMALY": rounded["MEAN_ANOMALY"][i],
            "EPHEMERIS_TYPE": 0,
            "CLASSIFICATION_TYPE": catalogue.classification[i],
            "NORAD_CAT_ID": int(catalogue.norad[i]),
            "ELEMENT_SET_NO": int(catalogue.element_set[i]),
            "REV_AT_EPOCH": int(catalogue.revolution[i]),
            "BSTAR": float(catalogue.bstar_per_earth_radius[i]),
            "MEAN_MOTION_DOT": float(catalogue.ndot_rev_per_day2[i]),
            "MEAN_MOTION_DDOT": float(catalogue.nddot_rev_per_day3[i]),
        }
        for i in range(len(catalogue))
    ]
