"""An identity number is one with its name before it, too; a document's number is none."""

from __future__ import annotations

import pytest

from skylift.base.errors import Refused
from skylift.base.labels import personal_number, reference


@pytest.mark.parametrize(
    "text",
    [
        "passport 1234567890",
        "паспорт АА 123456",
        "Паспорта № 123456789",
        "ІПН 1234567890",
        "РНОКПП: 1234567890",
        "letter 7, tax number 123456789",
        "id card 123456789",
    ],
)
def test_an_identity_number_is_known_by_the_word_before_it(text: str) -> None:
    assert personal_number(text)
    with pytest.raises(Refused):
        reference(text, "account")


@pytest.mark.parametrize(
    "text", ["decision 118/26", "letter 2022022601", "passport office 7", "CMR 123456789", "tax 1/22"]
)
def test_a_documents_number_is_none(text: str) -> None:
    assert not personal_number(text)
    assert reference(text, "account") == text
