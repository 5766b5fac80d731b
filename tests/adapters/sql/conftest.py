"""What tests of the store know of the server that they are run on; the fixtures are in tests/stores.py."""

from __future__ import annotations

from tests.stores import Server, unprivileged

__all__ = ["Server", "unprivileged"]
