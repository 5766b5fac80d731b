"""What is read from firmware that has other fields than ours, or the same of another kind."""

from __future__ import annotations

from typing import Any

import pytest
from google.protobuf import descriptor_pb2
from hypothesis import given, settings
from hypothesis import strategies as st

from skylift.adapters.dish_schema import dish_schema
from skylift.wire.dish.fields import MessageFields, camel, snake
from skylift.wire.dish.reading import history_of, status_of
from skylift.wire.dish.schema import Schema

FIELD = descriptor_pb2.FieldDescriptorProto
STATUS, HISTORY = "DishGetStatusResponse", "DishGetHistoryResponse"
PLAIN = (FIELD.TYPE_STRING, FIELD.TYPE_BOOL, FIELD.TYPE_DOUBLE, FIELD.TYPE_INT64, FIELD.TYPE_BYTES)


def changed(of: str, name: str, kind: int | None, repeated: bool) -> Any:
    """A message of firmware in which one field is of another kind; None: it is as it is, or many of it."""
    files = descriptor_pb2.FileDescriptorSet()
    for raw in dish_schema().files.values():
        files.file.add().ParseFromString(raw)
    for file in files.file:
        for message in file.message_type:
            for field in message.field if message.name == of else ():
                if field.name == name:
                    field.label = FIELD.LABEL_REPEATED if repeated else FIELD.LABEL_OPTIONAL
                    if kind is not None:
                        field.type = kind  # type: ignore[assignment]
                        field.ClearField("type_name")
    return Schema(files.SerializeToString()).message(of)()


def names(of: str) -> list[str]:
    return [field.name for field in dish_schema().message(of).DESCRIPTOR.fields]


@settings(max_examples=60)
@given(st.sampled_from(names(STATUS)), st.sampled_from([None, *PLAIN]), st.booleans())
def test_a_status_with_any_field_of_another_kind_is_read(name: str, kind: int | None, repeated: bool) -> None:
    message = changed(STATUS, name, kind, repeated)
    field = message.DESCRIPTOR.fields_by_name[name]
    if kind is None and repeated and field.message_type is not None:
        getattr(message, name).add()
    assert status_of(MessageFields(message)).state in ("connected", "unknown")


@settings(max_examples=40)
@given(st.sampled_from(names(HISTORY)), st.sampled_from([None, *PLAIN]), st.booleans())
def test_a_history_with_any_field_of_another_kind_is_read(
    name: str, kind: int | None, repeated: bool
) -> None:
    history = history_of(MessageFields(changed(HISTORY, name, kind, repeated)), None)
    assert (history.count, history.outages) == (0, ())


def test_rings_of_another_length_and_of_no_length() -> None:
    message = dish_schema().message(HISTORY)(current=43_205)
    message.pop_ping_drop_rate.extend(k / 43_200 for k in range(43_200))
    history = history_of(MessageFields(message), 43_200)
    # As firmware of 2021 had them: twelve hours.
    assert list(history.drop_fraction) == pytest.approx([k / 43_200 for k in range(5)], abs=1e-6)
    assert history.latency_ms == ()
    lost = history_of(MessageFields(dish_schema().message(HISTORY)(current=7)), 3)
    assert (lost.first, lost.missed, lost.drop_fraction) == (7, 4, ())


def test_unknown_words_and_alerts_of_firmware_to_come() -> None:
    schema = dish_schema()
    message = schema.message(STATUS)(pop_ping_drop_rate=1, disablement_code=99)
    message.outage.cause = 77
    status = status_of(MessageFields(message))
    assert status.outage is not None
    assert (status.outage.cause, status.state, status.disablement) == ("77", "unknown", "99")


@pytest.mark.parametrize(
    "name", [name for name in names(STATUS) if not any(letter.isdigit() for letter in name)]
)
def test_names_in_json_and_back(name: str) -> None:
    assert snake(camel(name)) == name
