"""Reads of a dish what its owner shares of its place, and tells it: nothing of it is kept on the board."""

from __future__ import annotations

import random
from collections import deque
from collections.abc import Callable, Iterable
from typing import Final, Protocol, TypeVar

import msgspec

from skylift.adapters.agent_folder import AgentFolder
from skylift.adapters.agent_http import Answered
from skylift.adapters.dish_client import DishClient
from skylift.base.errors import SkyliftError
from skylift.wire.agent.agent import Now
from skylift.wire.agent.sharing import Sharer, Shares
from skylift.wire.telemetry import sharing as wire
from skylift.wire.telemetry.sharing import BORESIGHT, EXACT, LOCATION, OBSTRUCTIONS, PATH, Shared

T = TypeVar("T")
P = TypeVar("P", bound=msgspec.Struct)
# Of a degree; about a metre: less is the dish's own noise.
_STIRRED_DEG: Final = 1e-5
_FRAMES: Final[dict[str, wire.Frame]] = {"earth": "earth", "ut": "ut"}


class Http(Protocol):
    """What sends signed requests."""

    def post(self, path: str, content_type: str, body: bytes, zipped: bool = False) -> Answered: ...


class Sharing:
    """One agent's. say: a line for the log; none of them holds a place."""

    def __init__(
        self, folder: AgentFolder, dish: DishClient, http: Http, terminal: str, say: Callable[[str], None]
    ) -> None:
        self._folder, self._dish, self._http = folder, dish, http
        self._terminal, self._say = terminal, say
        self._sharer = Sharer(folder.told(), folder.keep_told)
        self._satellites: deque[tuple[int, int]] = deque(maxlen=wire.MOST_SATELLITES)
        self._cell: tuple[float, float, str] | None = None
        self._refused: list[str] = []
        self._last_trouble = ""

    def step(self, now: Now) -> bool:
        """Do what is due now; whether anything was told."""
        sharer = self._sharer
        if sharer.heed(self._folder.shares_or_none(), now.mono_us):
            self._satellites.clear()
            self._cell = None
            kinds = sharer.told.shares.kinds
            self._say(f"its owner shares of its place: {', '.join(kinds) or 'nothing'}")
        if sharer.looks(now.mono_us):
            satellite = self._read(self._dish.satellite)
            if satellite is not None and satellite < 2**60:
                self._satellites.append((now.wall_us, satellite))
        if not sharer.is_due(now.mono_us):
            return False
        answered = self._http.post(PATH, "application/json", msgspec.json.encode(self._document(now)))
        if answered.status == 200:
            sharer.taken(now.mono_us, not self._refused)
        else:
            sharer.not_taken(now.mono_us, answered.status, answered.code, random.random())
        self._remember()
        return True

    def _document(self, now: Now) -> Shared:
        told = self._sharer.told
        kinds, self._refused = told.shares.kinds, []

        def part(wanted: Iterable[str], ask: Callable[[], P], what: str) -> P | None:
            return self._read(lambda: wire.sound(ask()), what) if {*wanted} & {*kinds} else None

        return Shared(
            self._terminal,
            told.word,
            kinds,  # type: ignore[arg-type]
            now.wall_us,
            part((LOCATION, EXACT), lambda: self._location(told.shares), "location"),
            part((OBSTRUCTIONS,), self._obstructions, "obstruction map"),
            part((BORESIGHT,), self._boresight, "boresight"),
            tuple(self._satellites) if wire.SATELLITES in kinds else None,
        )

    def _location(self, shares: Shares) -> wire.Located:
        place = self._dish.location()
        at = (place.latitude_deg, place.longitude_deg)
        exact = wire.sound(wire.Located("", *at))
        if EXACT in shares.kinds:
            return exact
        before = self._cell
        if before is None or max(abs(at[0] - before[0]), abs(at[1] - before[1])) > _STIRRED_DEG:
            from skylift.adapters.agent_cell import cell_of

            before = self._cell = (*at, cell_of(*at, shares.resolution))
        return wire.Located(before[2])

    def _obstructions(self) -> wire.Obstructions:
        seen = self._dish.obstruction_map()
        frame = _FRAMES.get(seen.frame, "unknown")
        return wire.Obstructions(seen.rows, seen.columns, frame, wire.packed(seen.values))

    def _boresight(self) -> wire.Boresight:
        pointing = self._dish.status().pointing
        said = () if pointing is None else (pointing.azimuth_deg, pointing.elevation_deg, pointing.tilt_deg)
        # The same tenth of a degree is the same.
        return wire.Boresight(*(None if one is None else round(one, 1) for one in said))

    def _read(self, ask: Callable[[], T], what: str = "") -> T | None:
        """None where the dish does not say: the rest is told all the same."""
        try:
            return ask()
        except Exception as error:
            # Whatever other firmware answers. What it says could hold the place: a rule of ours does not.
            if what:
                self._refused.append(f"{what} ({error.code})" if isinstance(error, SkyliftError) else what)
            return None

    def _remember(self) -> None:
        trouble = self._sharer.trouble
        if not trouble and self._refused:
            trouble = f"the dish does not tell: {', '.join(self._refused)}"
        if trouble != self._last_trouble:
            self._last_trouble = trouble
            self._say(f"what is shared of its place: {trouble or 'the service has it'}")
            self._folder.keep_share_trouble(trouble)
