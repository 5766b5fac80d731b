"""The decoder takes any bytes and any values: an answer, or a gRPC status, and never anything else."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from skylift.adapters.dish_schema import dish_schema
from skylift.base.geodesy import Place
from skylift.wire.dish.answers import Answers, DishRefuses
from skylift.wire.dish.dish import Dish, Identity

S = 1_000_000
T0 = 1_645_963_200 * S
SCHEMA = dish_schema()
ANSWERS = Answers(SCHEMA)
REQUEST = SCHEMA.message("Request")
KINDS = [field.name for field in REQUEST.DESCRIPTOR.fields if field.message_type is not None]
# As the codes of grpc.StatusCode count.
INVALID, DENIED, UNIMPLEMENTED, INTERNAL = 3, 7, 12, 13


def dish() -> Dish:
    return Dish(Identity("ut-test", Place(10.0, 20.0)), T0)


def answer(one: Dish, frame: bytes, now_us: int = T0 + S) -> int:
    """0, or the status that it was refused with."""
    try:
        response = ANSWERS.handle(one, ANSWERS.request(frame), now_us)
    except DishRefuses as refusal:
        return refusal.code
    assert SCHEMA.message("Response").FromString(response.SerializeToString()) is not None
    return 0


@settings(max_examples=300)
@given(st.binary(max_size=64))
def test_any_bytes(frame: bytes) -> None:
    assert answer(dish(), frame) in (0, INVALID, DENIED, UNIMPLEMENTED, INTERNAL)


@settings(max_examples=200)
@given(st.sampled_from(KINDS), st.integers(0, 60), st.integers(1, 255), st.binary(max_size=12))
def test_true_requests_with_a_flipped_byte_and_a_tail(kind: str, at: int, flip: int, tail: bytes) -> None:
    request = REQUEST(id=2**64 - 1, target_id="ut-test")
    getattr(request, kind).SetInParent()
    frame = bytearray(request.SerializeToString())
    frame[at % len(frame)] ^= flip
    answer(dish(), bytes(frame) + tail)


def value(field: Any) -> st.SearchStrategy[Any]:
    """Anything that the wire can carry in a field, sense or not."""
    kinds = {
        field.CPPTYPE_INT32: st.integers(-(2**31), 2**31 - 1),
        field.CPPTYPE_INT64: st.integers(-(2**63), 2**63 - 1),
        field.CPPTYPE_UINT32: st.integers(0, 2**32 - 1),
        field.CPPTYPE_UINT64: st.integers(0, 2**64 - 1),
        field.CPPTYPE_ENUM: st.integers(-(2**31), 2**31 - 1),
        field.CPPTYPE_BOOL: st.booleans(),
        field.CPPTYPE_FLOAT: st.floats(width=32),
        field.CPPTYPE_DOUBLE: st.floats(),
        field.CPPTYPE_STRING: st.text(max_size=5),
    }
    return kinds[field.cpp_type]


def fill(data: st.DataObject, message: Any) -> None:
    message.SetInParent()
    for field in message.DESCRIPTOR.fields:
        if field.message_type is not None:
            fill(data, getattr(message, field.name))
        elif data.draw(st.booleans()):
            setattr(message, field.name, data.draw(value(field)))


@settings(max_examples=200)
@given(st.data(), st.lists(st.sampled_from(KINDS), min_size=1, max_size=4))
def test_absurd_values_are_taken_or_refused_and_the_dish_goes_on(
    data: st.DataObject, kinds: list[str]
) -> None:
    one = dish()
    for number, kind in enumerate(kinds):
        request = REQUEST()
        fill(data, getattr(request, kind))
        answer(one, request.SerializeToString(), T0 + number * 7 * S)
    for kind in ("get_status", "get_history", "dish_get_config", "get_diagnostics"):
        request = REQUEST()
        getattr(request, kind).SetInParent()
        assert answer(one, request.SerializeToString(), T0 + 60 * S) == 0
    assert 1 <= one.config.sleep_duration_minutes <= 1_440
    assert one.config.snow_melt_mode in (0, 1, 2)


@pytest.mark.parametrize(
    ("frame", "code"),
    [
        (b"", UNIMPLEMENTED),
        (b"\xff", INTERNAL),
        (b"\xe2\x3e\xff\xff\xff\xff\x0f", INTERNAL),  # get_status of 4 GB
        (b"\xe2\x3e\x00" * 1_000, 0),  # get_status a thousand times
        (b"\xfa\xff\xff\xff\x0f\x02hi" + b"\xe2\x3e\x00", 0),  # a field of firmware to come
    ],
)
def test_frames_with_a_trap(frame: bytes, code: int) -> None:
    assert answer(dish(), frame) == code


def test_a_clock_that_jumps_does_no_harm() -> None:
    one = dish()
    frame = REQUEST(get_history={}).SerializeToString()
    for now_us in (T0 + S, T0 - 10**15, T0 + 10**15, T0, T0 + 10**15 + S):
        assert answer(one, frame, now_us) == 0
