"""Serials, codes and references are read in one form; what looks like a person's is refused and never
repeated.
"""

from __future__ import annotations

import pytest

from skylift.base import labels
from skylift.base.errors import Refused


def test_a_serial_has_one_form() -> None:
    assert labels.serial(" kit 0001-2345 ", "terminal") == "KIT0001-2345"
    assert labels.dish_id("UT01000000-00000000-00001234", "terminal") == "ut01000000-00000000-00001234"


@pytest.mark.parametrize(
    ("text", "hint"),
    [
        ("КІТ00012345", "Latin"),  # Cyrillic letters that look like KIT
        ("3184710691", "person's number"),  # ten digits, as RNOKPP has them
        ("ab", "4 to 40"),
        ("KIT;DROP", "4 to 40"),
    ],
)
def test_what_is_no_serial_is_refused_without_being_repeated(text: str, hint: str) -> None:
    with pytest.raises(Refused, match=hint) as refusal:
        labels.serial(text, "terminal", "kit")
    assert refusal.value.code == "terminal.kit"
    assert text not in str(refusal.value)


def test_a_consignment_is_not_looked_for_on_a_box() -> None:
    assert labels.tracking(" aid 118 ", "shipment") == "AID118"
    with pytest.raises(Refused, match="the carrier's number") as refused:
        labels.tracking("7", "shipment")
    assert refused.value.code == "shipment.reference"


@pytest.mark.parametrize(
    "text", ["decision 118/26", "№ 118-р"[2:], "22UA118", "slot 2022-02-26", "1", "Наказ 12"]
)
def test_references_that_are_taken(text: str) -> None:
    assert labels.reference(text, "shipment") == text


@pytest.mark.parametrize(
    "text",
    [
        "",
        "no digits",
        "3184710691",
        "+380 44 123 45 67",
        "КВ123456",
        "19850412-01234",
        "letter of Petrenko 12",
        "Olena Petrenko 7",
        "50.4501 30.5234",
        "a@b.example 1",
        "12\n13;14",
        "x" * 80 + "1",
    ],
)
def test_references_that_may_name_somebody_are_refused(text: str) -> None:
    with pytest.raises(Refused) as refusal:
        labels.reference(text, "shipment", "proof")
    assert refusal.value.code == "shipment.proof"
    assert not text or text not in str(refusal.value)


@pytest.mark.parametrize("text", ["WAW-1", "DISH-GEN2", "acc_7Q", "UA"])
def test_codes_that_are_taken(text: str) -> None:
    assert labels.code(text, "shipment", "place") == text


@pytest.mark.parametrize("text", ["Khreshchatyk 22", "50.45, 30.52", "", "x", "3184710691", "Iван"])
def test_codes_that_are_not(text: str) -> None:
    with pytest.raises(Refused, match="WAW-1"):
        labels.code(text, "shipment", "place")


def test_ids_and_countries() -> None:
    assert labels.own_id("acc_1", "terminal", "owner", "acc") == "acc_1"
    for wrong in ("trm_1", "acc", "acc_ 1"):
        with pytest.raises(Refused, match="begins with acc_"):
            labels.own_id(wrong, "terminal", "owner", "acc")
    assert labels.country("UA", "terminal") == "UA"
    for wrong in ("ua", "UKR", "УА"):
        with pytest.raises(Refused, match="two capitals"):
            labels.country(wrong, "terminal")
    assert labels.is_id("acc_1")
    assert not labels.is_id("WAW-1")


@pytest.mark.parametrize(
    ("text", "is_one"),
    [
        ("3184710691", True),
        ("318 471 06 91", True),
        ("001234567", True),
        ("КВ 123456", True),
        ("FA1234567", True),
        ("078-05-1120", True),
        ("KIT123456", False),
        ("2026-02-17/118", False),
        ("118", False),
    ],
)
def test_numbers_of_persons(text: str, is_one: bool) -> None:
    assert bool(labels.personal_number(text)) is is_one
