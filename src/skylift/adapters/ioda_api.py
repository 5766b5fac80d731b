"""IODA's public API, version 2: signals as samples; polite, cached, and checked before they are believed."""

from __future__ import annotations

import hashlib
import json
import math
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx

from skylift import __version__
from skylift.adapters.atomic import write_atomically
from skylift.base.errors import Refused, Unavailable
from skylift.base.instants import format_instant
from skylift.base.texts import printable
from skylift.base.units import US_PER_S

URL = "https://api.ioda.inetintel.cc.gatech.edu/v2"
SIGNALS = ("bgp", "ping-slash24", "merit-nt")
ENTITY_KINDS = ("country", "region", "asn")
# IODA's own pages ask for no longer spans of signals.
LONGEST_S = 90 * 86_400
# Between two requests: nobody has published a limit, so one a second at most, and nothing twice.
PAUSE_S = 1.0
TIMEOUT_S = 60.0
MOST_BYTES = 50_000_000


@dataclass(frozen=True, slots=True)
class Sample:
    """One value of one signal of one entity; None where IODA has none."""

    at_us: int
    entity: str
    signal: str
    value: float | None


@dataclass(frozen=True, slots=True)
class Series:
    """One signal of one entity; native_step_s is what it is measured at, step_s what was given."""

    entity: str
    title: str
    signal: str
    step_s: int
    native_step_s: int
    samples: tuple[Sample, ...]


@dataclass
class IodaClient:
    """Asks IODA, at most once a second and never twice for what is over and cached.

    cache_dir  where answers are kept; those that reach to less than a day ago are not
    now_s      Unix seconds
    """

    cache_dir: Path
    now_s: Callable[[], float] = time.time
    url: str = URL
    pause_s: float = PAUSE_S
    transport: httpx.BaseTransport | None = None
    _asked_at: float = field(default=-math.inf, init=False)

    def signals(self, entity: str, signal: str, from_s: int, until_s: int) -> list[Series]:
        """Raw signals of "country/UA", "asn/15895" or "region/4416" within [from, until).

        Raises Refused for what cannot be asked, and where IODA's step is coarser than the signal's own: a
        day in bins of an hour hides an outage of ten minutes. Raises Unavailable where it does not answer.
        """
        kind, _, code = entity.partition("/")
        _check(kind, code, signal, from_s, until_s)
        query = {"from": str(from_s), "until": str(until_s), "datasource": signal}
        document = self._ask(f"signals/raw/{kind}/{code}", query, until_s)
        series = list(read_signals(document))
        for one in series:
            if one.step_s > one.native_step_s:
                raise Refused(
                    "ioda.coarse",
                    f"{signal} of {entity}",
                    f"IODA gives it every {one.step_s} s, and measures it every {one.native_step_s} s",
                    "ask for a shorter span",
                )
        return series

    def _ask(self, path: str, query: Mapping[str, str], until_s: int) -> Any:
        key = hashlib.sha256(f"{path}?{sorted(query.items())}".encode()).hexdigest()[:24]
        kept = self.cache_dir / f"{key}.json"
        if kept.is_file():
            return json.loads(kept.read_text(encoding="utf-8"))
        wait_s = self._asked_at + self.pause_s - time.monotonic()
        if wait_s > 0:
            time.sleep(wait_s)
        self._asked_at = time.monotonic()
        document = self._answer(path, query)
        # What cannot be read is not kept: it would fail again for ever.
        list(read_signals(document))
        if until_s < self.now_s() - 86_400:
            self.cache_dir.mkdir(parents=True, exist_ok=True)
            write_atomically(kept, json.dumps(document))
        return document

    def _answer(self, path: str, query: Mapping[str, str]) -> Any:
        headers = {"User-Agent": f"skylift/{__version__}", "Accept": "application/json"}
        try:
            with httpx.Client(timeout=TIMEOUT_S, headers=headers, transport=self.transport) as client:
                response = client.get(f"{self.url}/{path}", params=dict(query))
        except httpx.HTTPError as error:
            raise Unavailable(
                "ioda.unreachable",
                "IODA",
                f"it could not be asked ({type(error).__name__})",
                "try again later",
            ) from None
        if response.status_code == 429:
            raise Unavailable(
                "ioda.quota",
                "IODA",
                "it has had enough of our questions for now",
                f"wait {response.headers.get('Retry-After', 'some minutes')}, and ask for less",
            )
        if response.status_code != 200 or len(response.content) > MOST_BYTES:
            raise Unavailable(
                "ioda.answer", "IODA", f"it answered with status {response.status_code}", "try again later"
            )
        try:
            return _without_error(response.json())
        except ValueError:
            raise Unavailable("ioda.answer", "IODA", "its answer is no JSON", "try again later") from None


def read_signals(document: Any) -> Iterator[Series]:
    """Series of a `signals` envelope: a list of lists, values beginning at `from`, `step` seconds apart.

    Values that are no numbers (null, or IODA's nested aggregates) count as missing.
    Raises Unavailable where the envelope is not of the known shape.
    """
    try:
        for group in document["data"]:
            for one in group:
                step_s = int(one["step"])
                if step_s <= 0:
                    raise ValueError
                entity = printable(f"{one['entityType']}/{one['entityCode']}")
                signal = printable(str(one["datasource"]))
                samples = tuple(
                    Sample((int(one["from"]) + k * step_s) * US_PER_S, entity, signal, _value(value))
                    for k, value in enumerate(one["values"])
                )
                native_s = int(one.get("nativeStep") or step_s)
                yield Series(
                    entity, printable(str(one.get("entityName") or entity)), signal, step_s, native_s, samples
                )
    except (KeyError, TypeError, ValueError):
        raise Unavailable(
            "ioda.shape",
            "IODA's answer",
            "it is not of the shape that is known",
            "IODA may have changed; report it to skylift",
        ) from None


def _value(value: Any) -> float | None:
    # A bool is an int to Python, and a list of aggregates is one of IODA's other signals.
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        return None
    return float(value) if math.isfinite(value) and value >= 0 else None


def _without_error(document: Any) -> Any:
    error = document.get("error") if isinstance(document, dict) else "no object"
    if error:
        text = printable(str(error)[:120])
        raise Unavailable("ioda.error", "IODA", f"it refused ({text})", "check the entity and the times")
    return document


def _check(kind: str, code: str, signal: str, from_s: int, until_s: int) -> None:
    if kind not in ENTITY_KINDS or not code.isascii() or not code.isalnum():
        raise Refused(
            "ioda.entity",
            f"entity {f'{kind}/{code}'[:40]!r}",
            "it is country/CODE, region/NUMBER or asn/NUMBER",
            "write for example country/UA or asn/15895",
        )
    if signal not in SIGNALS:
        raise Refused(
            "ioda.signal", f"signal {signal[:40]!r}", f"IODA's are {', '.join(SIGNALS)}", "choose one of them"
        )
    if not 0 < until_s - from_s <= LONGEST_S:
        raise Refused(
            "ioda.span", "the span of time", "it is longer than nothing and at most 90 days", "ask in pieces"
        )


def as_rows(series: Series) -> Iterator[dict[str, str]]:
    """Rows for a file that `skylift outages detect` reads; missing values are left out."""
    for sample in series.samples:
        if sample.value is not None:
            yield {
                "time": format_instant(sample.at_us),
                "entity": sample.entity,
                "signal": sample.signal,
                "value": f"{sample.value:g}",
            }
