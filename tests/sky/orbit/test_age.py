from __future__ import annotations

import dataclasses
from typing import Any

import numpy as np
import pytest
from sgp4.api import WGS72, Satrec

from skylift.base.errors import Refused
from skylift.base.instants import parse_instant
from skylift.base.units import US_PER_DAY
from skylift.sky.orbit.age import refuse_stale, stale_elements
from skylift.sky.orbit.catalogue import Catalogue

AT = parse_instant("2026-03-01T00:00:00Z")


@pytest.fixture
def catalogue(catalogue_of: Any) -> Catalogue:
    """Three objects, their elements 40 days older, one day older, and 31 days younger than AT."""
    records = []
    for number in (11, 22, 33):
        record = Satrec()
        record.sgp4init(WGS72, "i", number, 27_000.0, 0.0, 0.0, 0.0, 1e-4, 0.0, 1.0, 0.0, 0.066, 0.0)
        records.append(record)
    epochs = AT - np.array([40, 1, -31]) * US_PER_DAY
    return dataclasses.replace(catalogue_of(records), epoch_us=epochs)


def test_the_worst_is_named_with_its_age(catalogue: Catalogue) -> None:
    stale = stale_elements(catalogue, [AT])
    assert stale is not None
    assert (stale.count, stale.objects, stale.norad, stale.at) == (2, 3, 11, AT)
    assert stale.worst_us == 40 * US_PER_DAY
    assert "2 of 3 objects" in str(stale)
    assert "11, are 40.0 days older than 2026-03-01T00:00:00Z" in str(stale)


def test_younger_elements_are_as_stale(catalogue: Catalogue) -> None:
    stale = stale_elements(catalogue.take([1, 2]), [AT])
    assert stale is not None
    assert (stale.count, stale.norad, stale.worst_us) == (1, 33, -31 * US_PER_DAY)
    assert "31.0 days younger" in str(stale)


def test_thirty_days_to_the_microsecond(catalogue: Catalogue) -> None:
    one = catalogue.take([1])
    limit = int(one.epoch_us[0]) + 30 * US_PER_DAY
    assert stale_elements(one, [limit]) is None
    assert stale_elements(one, [limit + 1]) is not None
    # An instant in the middle cannot hide one at the end.
    assert stale_elements(one, [limit - US_PER_DAY, limit + 1, limit]) is not None


def test_nothing_asked_nothing_stale(catalogue: Catalogue) -> None:
    assert stale_elements(catalogue, []) is None
    assert stale_elements(catalogue.take([]), [AT]) is None


def test_strict_refuses(catalogue: Catalogue) -> None:
    refuse_stale(stale_elements(catalogue.take([1]), [AT]))
    with pytest.raises(Refused, match="more than 30 days") as refusal:
        refuse_stale(stale_elements(catalogue, [AT]), "some.tle")
    assert refusal.value.exit_code == 2
    assert refusal.value.thing == "some.tle"
