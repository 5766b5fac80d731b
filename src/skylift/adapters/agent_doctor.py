"""What is wrong with an agent, and what to do about it: looked at from outside, whether it runs or not."""

from __future__ import annotations

import sqlite3
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from email.utils import parsedate_to_datetime
from pathlib import Path
from typing import Final

from skylift.adapters.agent_folder import AGENT_KEY, ALLOW, BUFFER, BUFFER_KEY, AgentFolder, Enrolment
from skylift.adapters.agent_http import SignedHttp
from skylift.adapters.agent_shelf import MOST_ROWS
from skylift.adapters.dish_client import DishClient
from skylift.adapters.keys import KeyPair, read_secret
from skylift.base.errors import SkyliftError
from skylift.base.instants import format_instant, parse_instant
from skylift.wire.agent.sharing import Shares
from skylift.wire.telemetry.sharing import EXACT, LOCATION

# Commands expire by this board's clock, and rows are dated by it.
MOST_OFF_S: Final = 120.0
_EARLIEST_US: Final = int(parse_instant("2026-01-01"))

TAKE_BACK: Final = "To take it back: skylift agent share all off"
_TELLS_NOT: Final = "see `sending`; where the dish does not tell, switch it on in the owner's app"

WORDS: Final = {
    "agent.no-answer": ("the service has not answered", "check the link; rows are kept meanwhile"),
    "agent.certificate": (
        "the service's certificate is not trusted",
        "set this board's clock, or name the service's own authority with --ca FILE",
    ),
    "agent.authority": (
        "the file that --ca named cannot be read, or holds no certificate",
        "put it back, or start the agent once with --ca FILE",
    ),
    "key.not-known": (
        "the service does not know this agent's key any more",
        "ask an operator whether it was revoked; then wipe, and enrol with a new code",
    ),
    "agent.http-401": (
        "the service does not know this agent's key",
        "ask an operator whether it was revoked; then wipe, and enrol with a new code",
    ),
    "agent.http-403": ("the service does not let this agent in", "ask an operator"),
    "agent.http-429": ("the service asks for patience", "wait; rows are kept meanwhile"),
    "agent.http-503": ("the service's store is away", "wait; rows are kept meanwhile"),
}


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that was looked at. way_out: "" where it is well."""

    check: str
    ok: bool
    says: str
    way_out: str = ""


def examine(folder: AgentFolder, dish: DishClient | None, ca: Path | None = None) -> Iterator[Finding]:
    """Each thing in turn; the first that is not well often explains those after it.

    dish  None: neither it nor the service is asked
    """
    yield from _folder(folder)
    enrolment: Enrolment | None = None
    try:
        enrolment = folder.enrolment()
    except SkyliftError as error:
        yield _wrong("enrolment", error)
    else:
        yield _enrolled(enrolment)
    yield _looked("owner's list", lambda: _permits(folder))
    yield _looked("shared", lambda: _shared(folder))
    if dish is not None:
        yield _looked("dish", lambda: _dish(dish))
    if enrolment is not None:
        if dish is not None:
            yield from _service(enrolment, ca)
        yield _looked("buffer", lambda: _buffer(folder.path / BUFFER))
        yield _trouble(folder)


def _looked(check: str, look: Callable[[], Finding]) -> Finding:
    try:
        return look()
    except SkyliftError as error:
        return _wrong(check, error)


def _wrong(check: str, error: SkyliftError) -> Finding:
    return Finding(check, False, f"{error.thing}: {error.rule}", error.way_out)


def _folder(folder: AgentFolder) -> Iterator[Finding]:
    if not folder.path.exists():
        yield Finding("folder", True, "there is none yet: no agent has run here")
        return
    mode = folder.path.stat().st_mode & 0o077
    yield Finding(
        "folder",
        not mode,
        "it is for this user alone" if not mode else "others on this machine may look into it",
        "" if not mode else f"run chmod 700 on {folder.path}",
    )
    for name in (AGENT_KEY, BUFFER_KEY):
        path = folder.path / name
        if path.exists():
            yield _looked(name, lambda path=path: _key(path))  # type: ignore[misc]


def _key(path: Path) -> Finding:
    read_secret(path)
    return Finding(path.name, True, "it is whole, and its owner's alone")


def _enrolled(enrolment: Enrolment | None) -> Finding:
    if enrolment is None:
        return Finding(
            "enrolment",
            False,
            "this agent is enrolled with no service",
            "ask an operator for a one-time code, and run skylift agent --server URL --code CODE",
        )
    return Finding("enrolment", True, f"it is {enrolment.terminal} since {enrolment.enrolled_at}")


def _permits(folder: AgentFolder) -> Finding:
    if not (folder.path / ALLOW).exists():
        return Finding("owner's list", True, "there is none yet: nothing is allowed from afar")
    allowed = sorted(kind.value for kind in folder.permits().allow)
    return Finding("owner's list", True, f"allowed from afar: {', '.join(allowed) or 'nothing'}")


def _shared(folder: AgentFolder) -> Finding:
    shares, told, trouble = folder.shares(), folder.told(), folder.share_trouble()
    says = f"its owner shares of its place: {words_of(shares)}"
    if not shares.kinds and (told.word == 0 or (told.heard and told.shares == shares)):
        return Finding("shared", True, says)
    again = "say it again: skylift agent share KIND on"
    if told.shares != shares or not told.heard:
        way_out = "see that the agent runs, and that the link is up"
        if not shares.kinds:
            way_out += "; or ask an operator to erase it"
        return Finding("shared", False, f"{says}; the service has not heard that yet", way_out)
    if told.ended:
        return Finding("shared", False, f"{says}; the service erased it, and takes no more", again)
    if trouble:
        return Finding("shared", False, f"{says}; {trouble}", _TELLS_NOT)
    return Finding("shared", True, f"{says}; the service has it. {TAKE_BACK}")


def words_of(shares: Shares) -> str:
    """What an owner lets the agent tell, for people."""
    if not shares.kinds:
        return "nothing"
    words = {LOCATION: f"location (H3 cell of resolution {shares.resolution})", EXACT: "location (exactly)"}
    return ", ".join(words.get(kind, kind) for kind in shares.kinds)


def _dish(dish: DishClient) -> Finding:
    status = dish.status()
    says = f"{status.state}, software {status.device.software_version or 'unknown'}"
    off = "; its radio is off" if status.radio_off else ""
    disabled = status.disablement not in ("", "okay")
    return Finding(
        "dish",
        not disabled,
        f"it answers: {says}{off}" + (f"; the network does not serve it: {status.disablement}" * disabled),
        "ask whoever runs its account" if disabled else "",
    )


def _service(enrolment: Enrolment, ca: Path | None) -> Iterator[Finding]:
    try:
        answered = SignedHttp(enrolment.server, KeyPair.made(), ca=ca).get("/healthz")
    except SkyliftError as error:
        yield _wrong("service", error)
        return
    if answered.status != 200:
        says, way_out = WORDS.get(answered.code, ("it does not answer", "check the link, and its address"))
        yield Finding("service", False, says, way_out)
        if time.time_ns() // 1_000 < _EARLIEST_US:
            yield Finding(
                "clock", False, "this board's clock stands years ago", "set it, or run an NTP client"
            )
        return
    yield Finding("service", True, "it answers")
    yield _clock(answered.date)


def _clock(date: str) -> Finding:
    try:
        off_s = time.time() - parsedate_to_datetime(date).timestamp()
    except (ValueError, TypeError):
        return Finding("clock", True, "the service did not say what time it is")
    if abs(off_s) <= MOST_OFF_S:
        return Finding("clock", True, "it agrees with the service's")
    way = "ahead of" if off_s > 0 else "behind"
    return Finding(
        "clock",
        False,
        f"it is {abs(off_s):.0f} s {way} the service's: rows are dated wrongly, and commands seem expired",
        "set it, or run an NTP client such as systemd-timesyncd",
    )


def _buffer(path: Path) -> Finding:
    if not path.exists():
        return Finding("buffer", True, "it is empty")
    try:
        with sqlite3.connect(f"file:{path}?mode=ro", uri=True, timeout=5.0) as db:
            (waiting,) = db.execute("SELECT COUNT(*) FROM rows").fetchone()
            lost = db.execute("SELECT value FROM numbers WHERE name = 'dropped'").fetchone()
    except sqlite3.Error:
        return Finding(
            "buffer",
            False,
            "it cannot be read",
            "stop the agent and start it: it begins a new one, and goes on",
        )
    says = f"{waiting} rows wait" + (f"; {lost[0]} were lost for want of room" if lost and lost[0] else "")
    full = waiting > MOST_ROWS // 2
    return Finding("buffer", not full, says, "old rows are being thinned: mend the link" if full else "")


def _trouble(folder: AgentFolder) -> Finding:
    trouble = folder.trouble()
    if not trouble:
        return Finding("sending", True, "nothing was refused when it was tried last")
    code, since = trouble.get("code", ""), trouble.get("since", "")
    says, way_out = WORDS.get(code, (f"the service answers {code}", "ask an operator what that means there"))
    return Finding("sending", False, f"{says}, since {since or format_instant(0)}", way_out)
