"""What can be done with an import: give it up. It is begun, and written, by handing in a table."""

from __future__ import annotations

from skylift.service.importing.state import ROOM, abandoned
from skylift.twin.office.verbs import Nothing, Verb

VERBS = (
    Verb(
        "import.abandon",
        ROOM,
        Nothing,
        lambda run, moment, given: abandoned(run, moment.who),
        "Leave one that was broken off as it is: what is not written yet will not be.",
    ),
)
