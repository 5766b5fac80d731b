"""What Prometheus reads: counts of rows, requests and dishes by state. No id, name or place is a label."""

from __future__ import annotations

import asyncio
import time
from collections import Counter
from collections.abc import Iterator

from prometheus_client import CollectorRegistry
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.exposition import CONTENT_TYPE_LATEST, generate_latest
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response

from skylift.api.office.cookies import session_secret
from skylift.api.office.desk import Desk
from skylift.api.office.gate import secret_of
from skylift.api.office.problems import said
from skylift.api.telemetry.health import verdicts
from skylift.api.telemetry.intake import Intake, there
from skylift.base.errors import SkyliftError
from skylift.service.account.roles import Subject

# A small fleet is judged at each scrape, a large one this often.
FEW, JUDGED_EVERY_S = 2_000, 300.0


class _Told:
    """A collector of what is already known."""

    def __init__(self, metrics: list[Metric]) -> None:
        self._metrics = metrics

    def collect(self) -> Iterator[Metric]:
        yield from self._metrics


class _Judgements:
    """How many dishes are down by what. Judging a hundred thousand takes seconds: not at each scrape."""

    def __init__(self) -> None:
        self._counts: Counter[str] = Counter()
        self._judged_s = -JUDGED_EVERY_S
        self._one_at_a_time = asyncio.Lock()

    async def counts(self, intake: Intake) -> Counter[str]:
        async with self._one_at_a_time:
            few = len(intake.states) <= FEW
            if few or time.monotonic() >= self._judged_s + JUDGED_EVERY_S:
                self._counts = (await verdicts(intake)).by_why()
                self._judged_s = time.monotonic()
        return self._counts


def text_of(intake: Intake, by_why: Counter[str], by_state: Counter[str]) -> bytes:
    """Prometheus' text format."""
    counted = (
        ("skylift_telemetry_rows", "Rows that were stored.", intake.taken),
        ("skylift_telemetry_rows_again", "Rows that came again and were stored before.", intake.taken_again),
        ("skylift_telemetry_rows_aside", "Rows that were kept aside as they cannot be.", intake.put_aside),
        ("skylift_telemetry_refused", "Signed requests that were refused as a whole.", intake.refused),
    )
    metrics: list[Metric] = [CounterMetricFamily(name, says, value=value) for name, says, value in counted]
    metrics.append(GaugeMetricFamily("skylift_agent_keys", "Keys of agents in force.", len(intake.keys)))
    states = GaugeMetricFamily("skylift_terminals", "Terminals that report, by state.", labels=["state"])
    for state, number in sorted(by_state.items()):
        states.add_metric([state], number)
    whys = GaugeMetricFamily("skylift_terminals_judged", "The same, by what ails them.", labels=["why"])
    for why, number in sorted(by_why.items()):
        whys.add_metric([why], number)
    registry = CollectorRegistry(auto_describe=False)
    registry.register(_Told([*metrics, states, whys]))
    return generate_latest(registry)


def add_metrics(app: Starlette, desk: Desk, is_open: bool) -> None:
    """GET /metrics; is_open: without a token, as on loopback."""

    judgements = _Judgements()

    async def metrics(request: Request) -> Response:
        try:
            if not is_open:
                actor, _ = await desk.known(secret_of(request.headers) or session_secret(request))
                desk.office.refuse_strangers(actor, "terminal.read", Subject())
            intake = there(desk.intake)
            by_why = await judgements.counts(intake)
        except SkyliftError as error:
            return said(error)
        body = text_of(intake, by_why, +intake.states.counts)
        return Response(body, headers={"Content-Type": CONTENT_TYPE_LATEST})

    app.add_route("/metrics", metrics, include_in_schema=False)
