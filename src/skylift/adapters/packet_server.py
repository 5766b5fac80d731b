"""The link of one terminal as a running service tells it, slot by slot, over its live stream."""

from __future__ import annotations

import json
import math
import os
import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from multiprocessing.connection import Connection
from typing import Any

import httpx

from skylift.adapters.packet_sky import Failure, LinkSlot
from skylift.base.errors import Refused, SkyliftError, Unavailable
from skylift.base.link import WhyDown
from skylift.service.terminal.state import ROOM

# The service sends a sign of life every 10 s (api/stream.py).
_SILENT_S = 25.0
_PAUSE_S = 2.0
# A service that has not been heard for so long may have withdrawn the terminal: its link is down until heard.
LOST_AFTER_S = 45.0
_PATIENCE_S = 30.0
# What ids of the office's terminals begin with, and codes of reasons that are about where a terminal is.
_OF_THE_OFFICE = f"{ROOM.prefix}_"
_OF_A_PLACE = ("region.", "cell.")
# Why a link is down of which the service says nothing.
SILENT = "server_silent"


@dataclass(frozen=True, slots=True)
class ServerLink:
    """A running service, and the token it is asked with; "" for none."""

    url: str
    token: str = ""

    def __repr__(self) -> str:
        return "ServerLink(hidden)"

    @property
    def headers(self) -> dict[str, str]:
        return {"Authorization": f"Bearer {self.token}"} if self.token else {}

    def get(self, path: str) -> dict[str, Any]:
        """A document. Raises Refused or Unavailable with what the service says is wrong."""
        return self._ask("GET", path)

    def post(self, path: str, body: dict[str, Any]) -> dict[str, Any]:
        """What it answers to a question. Raises as `get`."""
        return self._ask("POST", path, body)

    def _ask(self, method: str, path: str, body: dict[str, Any] | None = None) -> dict[str, Any]:
        url = f"{self.url}/api/v1/{path}"
        try:
            response = httpx.request(method, url, headers=self.headers, json=body, timeout=_PATIENCE_S)
            document = response.json()
        except (httpx.HTTPError, httpx.InvalidURL, ValueError):
            raise silent() from None
        if response.status_code < 400:
            return dict(document)
        raise said_wrong(response.status_code, document)


def silent() -> Unavailable:
    """Nobody answers."""
    return Unavailable(
        "server.silent",
        "the skylift service",
        "it does not answer, or is none",
        "start it with skylift run, or name it with --server",
    )


def said_wrong(status: int, document: Any) -> SkyliftError:
    """What the service answers instead, as an error."""
    error = document.get("error", {}) if isinstance(document, dict) else {}
    parts = [str(error.get(name, "")) for name in ("code", "thing", "rule", "way_out")]
    return (Unavailable if status >= 500 else Refused)(*parts)


def clock_of(link: ServerLink) -> tuple[int, int]:
    """(its time in microseconds, the monotonic nanosecond of that). Raises Refused where it runs fast."""
    before_ns = time.monotonic_ns()
    about = link.get("about")
    middle_ns = (before_ns + time.monotonic_ns()) // 2
    if about.get("speed") != 1.0:
        raise Refused(
            "server.speed",
            "the service's clock",
            f"it runs {about.get('speed')} times as fast as the wall's, and packets cannot",
            "start it with --speed 1, or take a scenario with --at",
        )
    return int(about["now_us"]), middle_ns


def server_main(pipe: Connection, link: ServerLink, terminal: str, _at_us: int) -> None:
    """The life of the process: the slot under way, then each as the service tells it."""
    try:
        _tell(pipe, link, terminal)
    except SkyliftError as error:
        pipe.send(Failure(error.as_dict()["error"], isinstance(error, Refused)))
    except (BrokenPipeError, EOFError, ConnectionResetError):
        os._exit(0)


def _tell(pipe: Connection, link: ServerLink, terminal: str) -> None:
    def told(document: dict[str, Any]) -> list[LinkSlot]:
        slot = slot_of(document, terminal, link)
        of_office = bool(link.token) and terminal.startswith(_OF_THE_OFFICE)
        if slot.up and of_office and barred_by_now(terminal, link):
            slot = LinkSlot(slot.at_us, slot.length_us, WhyDown.NOT_PERMITTED.label)
        return [slot]

    follow(pipe, link, told, lambda slot: [slot])


def barred_by_now(terminal: str, link: ServerLink) -> bool:
    """Whether the office bars one of its terminals, as it begins a slot that was decided 3 s before.

    Reasons of its place are left to the sky, which may take it to be elsewhere than at home; so is all where
    the token may not ask.
    """
    try:
        cell = link.get(f"terminals/{terminal}").get("cell")
        reasons = link.post("may-serve", {"terminal": terminal, "cell": cell})["reasons"] if cell else ()
    except Refused:
        return False
    return any(not str(reason["code"]).startswith(_OF_A_PLACE) for reason in reasons)


def follow(
    pipe: Connection,
    link: ServerLink,
    told: Callable[[dict[str, Any]], Iterable[object]],
    lost: Callable[[LinkSlot], Iterable[object]],
    query: str = "",
) -> None:
    """Send what `told` makes of each Links document, for ever, and what `lost` does of slots nobody tells of.

    query  of the live stream. Raises Refused or Unavailable where it never says anything
    """
    last_us: int | None = None
    heard_s = time.monotonic()
    while True:
        try:
            for document in _events(link, last_us, query):
                for message in told(document):
                    pipe.send(message)
                last_us, heard_s = int(document["at_us"]), time.monotonic()
        except Refused:
            if last_us is None:
                raise
        except (Unavailable, httpx.HTTPError, ValueError, KeyError):
            if last_us is None:
                raise silent() from None
        if last_us is not None and time.monotonic() - heard_s > LOST_AFTER_S:
            # Each as long as the pause, so that none stands in the way of what is heard next.
            at_us = last_us + int((time.monotonic() - heard_s) * 1e6)
            for message in lost(LinkSlot(at_us, int(_PAUSE_S * 1e6), SILENT)):
                pipe.send(message)
        time.sleep(_PAUSE_S)


def _events(link: ServerLink, last_us: int | None, query: str) -> Iterator[dict[str, Any]]:
    """Documents of the live stream until it breaks off."""
    headers = {**link.headers, "Accept": "text/event-stream"}
    if last_us is not None:
        headers["Last-Event-ID"] = str(last_us)
    timeout = httpx.Timeout(_PATIENCE_S, read=_SILENT_S)
    address = f"{link.url}/api/v1/live{query}"
    with httpx.stream("GET", address, headers=headers, timeout=timeout) as response:
        if response.status_code >= 400:
            response.read()
            raise said_wrong(response.status_code, response.json())
        data: list[str] = []
        for line in response.iter_lines():
            if line.startswith("data:"):
                data.append(line[5:].lstrip())
            elif not line and data:
                yield json.loads("\n".join(data))
                data = []


def slot_of(document: dict[str, Any], terminal: str, link: ServerLink) -> LinkSlot:
    """One terminal's slot of a Links document; one of the office's is asked for by itself."""
    rows = [row for row in document["links"] if row["terminal"] == terminal]
    if not rows:
        # Not among the first that the stream gives: asked for by its id, or refused with the service's words.
        rows = link.get(f"links?at={document['at_us']}&terminal={terminal}")["links"] if link.token else []
    if not rows:
        near = ", ".join(str(row["terminal"]) for row in document["links"][:3])
        raise Refused(
            "packets.terminal",
            f"terminal {terminal[:40]!r}",
            "the service shows none of this id" + ("" if link.token else " without a login"),
            f"it shows, for example, {near}; of the office's own: skylift login first",
        )
    row = rows[0]
    at_us, length_us = int(document["at_us"]), round(float(document["slot_length_s"]) * 1e6)
    if row["why_down"]:
        return LinkSlot(at_us, length_us, str(row["why_down"]))
    return LinkSlot(
        at_us,
        length_us,
        "",
        up_us=(float(row["one_way_delay_up_us"]), float(row["one_way_delay_up_end_us"])),
        down_us=(float(row["one_way_delay_down_us"]), float(row["one_way_delay_down_end_us"])),
        up_bps=_number(row["up_bps"]),
        down_bps=_number(row["down_bps"]),
        loss_fraction=_number(row["loss_fraction"]),
        satellite=int(row["satellite"]),
        satellites=len(row["path"] or ()),
        gateway=str(row["gateway"]),
        pop=str(row["pop"]),
        handover=bool(row["handover"]),
    )


def _number(value: float | None) -> float:
    return math.nan if value is None else float(value)
