"""Element sets from CelesTrak, through a cache on disk that never asks more often than every two hours.

CelesTrak blocks addresses that ask more often than its data change:
https://celestrak.org/usage-policy.php. So the time of every attempt is written down before it is made, and a
failed one counts like a good one.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
from dataclasses import dataclass
from pathlib import Path

import httpx
import platformdirs

from skylift import __version__
from skylift.adapters.atomic import write_atomically
from skylift.base.errors import Refused, SkyliftError, Unavailable
from skylift.base.instants import format_instant
from skylift.base.units import US_PER_S
from skylift.sky.orbit.formats import parse_catalogue

GP_URL = "https://celestrak.org/NORAD/elements/gp.php"
LEAST_INTERVAL_US = 2 * 3600 * US_PER_S
TIMEOUT_S = 60.0
# All of CelesTrak's active objects take 8 MB as JSON.
MOST_BYTES = 200_000_000
QUERY_FORMATS = {"tle": "tle", "omm-json": "json", "omm-csv": "csv", "omm-xml": "xml", "omm-kvn": "kvn"}
_GROUP = re.compile(r"[A-Za-z0-9][A-Za-z0-9-]{0,39}")


@dataclass(frozen=True, slots=True)
class Fetched:
    """A catalogue in the cache.

    path        the cached file
    objects     how many it holds
    fetched_us  when it was fetched; age_s, how long ago that was
    fresh       whether this call fetched it
    note        why not, in words; "" if it did
    """

    path: Path
    objects: int
    fetched_us: int
    age_s: float
    fresh: bool
    note: str


@dataclass(frozen=True, slots=True)
class _State:
    """What is remembered of a cached query: microseconds of UTC, 0 for never."""

    attempted_us: int = 0
    fetched_us: int = 0
    objects: int = 0
    failure: str = ""


def default_cache_dir() -> Path:
    """SKYLIFT_DATA_DIR/celestrak where that is set, else the user's cache folder."""
    data_dir = os.environ.get("SKYLIFT_DATA_DIR")
    return (Path(data_dir) if data_dir else Path(platformdirs.user_cache_dir("skylift"))) / "celestrak"


def fetch_group(
    group: str, file_format: str, cache_dir: Path, now_us: int, url: str | None = None, offline: bool = False
) -> Fetched:
    """The newest element sets of a CelesTrak group (such as "starlink"), from the net or from the cache.

    Asks the net if the last attempt is two hours old, and otherwise, or if that fails, gives what the cache
    holds, with its age. What is fetched replaces the cache only if all of it can be read.
    Raises Refused for a bad group or format, Unavailable if there is nothing to give.
    """
    query = _query(group, file_format, url)
    folder = Path(cache_dir)
    file = folder / f"{_key(group, url)}.{QUERY_FORMATS[file_format]}"
    state_file = file.with_name(file.name + ".state.json")
    state = _read_state(state_file)
    if not file.is_file():
        state = _State(attempted_us=state.attempted_us, failure=state.failure)
    # An attempt in the future is a clock that was set back: it must not lock us out for years.
    waiting_us = state.attempted_us + LEAST_INTERVAL_US - now_us
    if offline:
        return _cached(file, state, now_us, "asked to stay offline")
    if 0 < waiting_us <= LEAST_INTERVAL_US:
        minutes = -(-waiting_us // (60 * US_PER_S))
        why = (
            f"the last attempt failed ({state.failure})"
            if state.failure
            else "the cache is younger than 2 hours"
        )
        return _cached(
            file, state, now_us, f"{why}; CelesTrak is asked again in {minutes} min at the earliest"
        )
    _make_folder(folder)
    _write_state(state_file, _State(now_us, state.fetched_us, state.objects, "it did not end"))
    try:
        text = _download(query)
        _hear_refusal(text)
        objects = len(parse_catalogue(text, f"CelesTrak's answer for {group}").catalogue)
    except SkyliftError as error:
        failed = _State(now_us, state.fetched_us, state.objects, f"{error.thing}: {error.rule}")
        _write_state(state_file, failed)
        return _cached(file, failed, now_us, f"fetching failed ({failed.failure})")
    write_atomically(file, text)
    _write_state(state_file, _State(now_us, now_us, objects, ""))
    return Fetched(file, objects, now_us, 0.0, True, "")


def _query(group: str, file_format: str, url: str | None) -> str:
    if _GROUP.fullmatch(group) is None:
        raise Refused(
            "celestrak.group",
            "the group's name",
            "a CelesTrak group is letters, digits and hyphens",
            "see https://celestrak.org/NORAD/elements/ for the groups, such as starlink or oneweb",
        )
    if file_format not in QUERY_FORMATS:
        raise Refused(
            "celestrak.format",
            file_format,
            f"a format is one of {', '.join(QUERY_FORMATS)}",
            "choose one with --format",
        )
    parameters = {"GROUP": group, "FORMAT": QUERY_FORMATS[file_format]}
    try:
        address = httpx.URL(url or GP_URL)
    except httpx.InvalidURL:
        address = httpx.URL("")
    if address.scheme not in ("http", "https") or not address.host:
        raise Refused(
            "celestrak.url", "--url", "it is a web address", "begin it with https:// and the server's name"
        )
    return str(address.copy_merge_params(parameters))


def _hear_refusal(text: str) -> None:
    # CelesTrak tells of a group that it does not have with status 200, in one line of words.
    words = text.strip()
    if words.startswith(("Invalid query", "No GP data found")) and "\n" not in words:
        raise _unavailable(f"it knows no such group, or has nothing in it (it says: {words[:120]})")


def _key(group: str, url: str | None) -> str:
    # Another source gets files of its own, so that neither is taken for the other.
    return (
        group.lower() if url is None else f"{group.lower()}-{hashlib.sha256(url.encode()).hexdigest()[:12]}"
    )


def _download(query: str) -> str:
    headers = {"User-Agent": f"skylift/{__version__}"}
    try:
        with (
            httpx.Client(timeout=TIMEOUT_S, follow_redirects=True, headers=headers) as client,
            client.stream("GET", query) as response,
        ):
            if response.status_code != httpx.codes.OK:
                raise _unavailable(f"it answered with status {response.status_code}")
            body = bytearray()
            for piece in response.iter_bytes():
                body += piece
                if len(body) > MOST_BYTES:
                    raise _unavailable(f"its answer is longer than {MOST_BYTES:,} bytes")
    except (httpx.HTTPError, httpx.InvalidURL) as error:
        raise _unavailable(f"it could not be reached ({type(error).__name__})") from None
    return body.decode("utf-8", "replace")


def _unavailable(rule: str) -> Unavailable:
    return Unavailable(
        "celestrak.unreachable", "CelesTrak", rule, "try again later; the cache is used meanwhile"
    )


def _cached(file: Path, state: _State, now_us: int, note: str) -> Fetched:
    if not state.fetched_us or not file.is_file():
        raise Unavailable(
            "celestrak.nothing",
            "element sets from CelesTrak",
            f"none are cached, and {note}",
            "try again later, or bring a catalogue file yourself and name it with --catalogue",
        )
    age_s = (now_us - state.fetched_us) / US_PER_S
    return Fetched(file, state.objects, state.fetched_us, age_s, False, note)


def _read_state(path: Path) -> _State:
    """What is remembered; nothing if it cannot be read."""
    try:
        fields = json.loads(path.read_text(encoding="utf-8"))
        return _State(
            int(fields["attempted_us"]),
            int(fields["fetched_us"]),
            int(fields["objects"]),
            str(fields["failure"]),
        )
    except (OSError, ValueError, KeyError, TypeError):
        return _State()


def _write_state(path: Path, state: _State) -> None:
    fields = {
        "attempted_us": state.attempted_us,
        "fetched_us": state.fetched_us,
        "objects": state.objects,
        "failure": state.failure,
        "attempted": format_instant(state.attempted_us),
    }
    write_atomically(path, json.dumps(fields) + "\n")


def _make_folder(folder: Path) -> None:
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise Unavailable(
            "celestrak.cache",
            str(folder),
            f"the cache folder cannot be made ({error.strerror})",
            "name another one with --cache-dir",
        ) from None
