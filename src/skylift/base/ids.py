"""Names of things, as types of their own, so that a terminal is never taken for a gateway."""

from __future__ import annotations

from typing import NewType

TerminalId = NewType("TerminalId", str)
RegionId = NewType("RegionId", str)
GatewayId = NewType("GatewayId", str)
PopId = NewType("PopId", str)
