"""Every kind of thing that tables are taken of."""

from __future__ import annotations

from collections.abc import Mapping

from skylift.twin.office.imports import ImportKind
from skylift.twin.office.imports_accounts import ACCOUNTS, PLANS
from skylift.twin.office.imports_requests import REQUESTS
from skylift.twin.office.imports_shipments import SHIPMENTS
from skylift.twin.office.imports_terminals import TERMINALS

KINDS: Mapping[str, ImportKind] = {
    kind.kind: kind for kind in (TERMINALS, REQUESTS, ACCOUNTS, PLANS, SHIPMENTS)
}
