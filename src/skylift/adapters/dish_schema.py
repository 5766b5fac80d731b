"""The packaged interface of a dish. Loads no NumPy: a small board beside a dish reads by it."""

from __future__ import annotations

from importlib import resources

from skylift.wire.dish.schema import Schema


def dish_schema() -> Schema:
    """The packaged interface."""
    return Schema(resources.files("skylift.data").joinpath("dish", "dish.protoset").read_bytes())
