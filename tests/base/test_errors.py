from __future__ import annotations

import json
import pickle

import pytest

from skylift.base.errors import Refused, SkyliftError, Unavailable


@pytest.mark.parametrize(("kind", "exit_code"), [(Refused, 2), (Unavailable, 1), (SkyliftError, 1)])
def test_an_error_keeps_its_parts_across_processes(kind: type[SkyliftError], exit_code: int) -> None:
    error = kind("file.empty", "catalogue.tle", "it holds no record", "download it again")
    again = pickle.loads(pickle.dumps(error))
    assert type(again) is kind
    assert again.exit_code == exit_code
    assert again.as_dict() == error.as_dict()
    assert str(again) == "catalogue.tle: it holds no record; download it again"


def test_an_error_as_json_has_the_four_fields_of_the_contract() -> None:
    error = Refused("a.b", "thing", "rule", "way out")
    assert json.loads(json.dumps(error.as_dict())) == {
        "error": {"code": "a.b", "thing": "thing", "rule": "rule", "way_out": "way out"}
    }
