"""The document of OpenAPI against what is answered: whatever Schemathesis makes up, nothing undescribed."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterator
from typing import Any

import pytest
import schemathesis
from hypothesis import HealthCheck, Phase, settings
from schemathesis.checks import not_a_server_error
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_schema_conformance,
    status_code_conformance,
)

from skylift.api.office.serving import chunks
from skylift.base.labels import plural
from skylift.twin.office.table import TABLE
from tests.api.office.conftest import Person, Town, make_town

CHECKS = [not_a_server_error, status_code_conformance, content_type_conformance, response_schema_conformance]
# Streams never end; without a login the sky of an empty town is tested elsewhere; the last two would end
# the token or the town's time.
LEFT_OUT = {
    "/api/v1/events",
    "/api/v1/live",
    "/api/v1/logout",
    "/api/v1/clock",
    "/api/v1/setup",
    "/api/v1/login",
}


@pytest.fixture(scope="module")
def town_of_all(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Town, Person]]:
    towns = make_town(tmp_path_factory.mktemp("openapi"))
    town = next(towns)
    operator = town.first()
    operator.made("requests", channel="phone", site_kind="hospital")
    yield town, operator
    for _ in towns:
        pass


def test_every_verb_is_described_with_its_arguments(town_of_all: tuple[Town, Person]) -> None:
    town, _ = town_of_all
    document = town.client.get("/openapi.json").json()
    assert document["openapi"].startswith("3.1")
    text = json.dumps(document)
    for name in {part.split('"')[0] for part in text.split("#/components/schemas/")[1:]}:
        assert name in document["components"]["schemas"], name
    for verb in TABLE.verbs.values():
        path = f"/api/v1/{plural(verb.kind)}" + ("" if verb.creates else f"/{{id}}/{verb.action}")
        operation = document["paths"][path]["post"]
        assert verb.says in operation["summary"]
        assert {"400", "401", "403", "409", "422", "429", "503"} <= set(operation["responses"])
    call = document["paths"]["/api/v1/requests"]["post"]["requestBody"]["content"]["application/json"][
        "schema"
    ]
    assert "hospital" in document["components"]["schemas"]["SiteKind"]["enum"]
    assert set(call["required"]) == {"channel", "site_kind"}
    ids = [o["operationId"] for methods in document["paths"].values() for o in methods.values()]
    assert len(set(ids)) == len(ids)
    docs = town.client.get("/docs").text
    assert "/api/v1/may-serve" in docs
    assert town.client.get("/setup?code=CANARY").status_code == 200
    assert "CANARY" not in town.client.get("/setup?code=CANARY").text


def test_whatever_is_sent_is_answered_as_described(town_of_all: tuple[Town, Person]) -> None:
    town, operator = town_of_all
    document = town.client.get("/openapi.json").json()
    schema = schemathesis.openapi.from_dict(document)
    known = [stored.id for stored in _things(town)]
    tried = 0
    for result in schema.get_all_operations():
        operation = result.ok()
        of_sky = operation.definition.raw.get("tags") in (["sky"], ["service"], ["health"])
        if operation.path in LEFT_OUT or of_sky:
            continue
        tried += 1
        _try(operation, town, operator, known)
    assert tried > 60


def _things(town: Town) -> Iterator[Any]:
    for room in TABLE.rooms():
        yield from town.desk.store.things(room)


def _try(operation: Any, town: Town, operator: Person, known: list[str]) -> None:
    @settings(
        max_examples=6,
        deadline=None,
        derandomize=True,
        database=None,
        phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
    )
    @schemathesis_given(operation)
    def one(case: Any) -> None:
        token = {"Authorization": f"Bearer {operator.token}"}
        if "id" in (case.path_parameters or {}):
            case.path_parameters["id"] = known[len(str(case.body)) % len(known)]
        arguments = case.as_transport_kwargs(base_url="http://127.0.0.1:8480", headers=token)
        arguments.pop("cookies", None)
        arguments["headers"] = {**dict(arguments.get("headers") or {}), **token}
        request = town.client.build_request(
            arguments["method"],
            arguments["url"],
            params=arguments.get("params"),
            json=arguments.get("json"),
            content=arguments.get("data"),
            headers={k: v for k, v in arguments["headers"].items() if k.lower() != "content-length"},
        )
        response = town.client.send(request)
        case.validate_response(
            schemathesis.Response.from_httpx(response, verify=True), checks=CHECKS, headers=token
        )

    one()


def schemathesis_given(operation: Any) -> Any:
    from hypothesis import given

    return given(case=operation.as_strategy())


# --- the journal as it grows


def test_the_journal_is_told_in_order_and_resumed(town: Town, staff: dict[str, Person]) -> None:
    operator = staff["operator"]
    auditor = town.person("auditor", by=operator, approver=staff["approver"])
    for _ in range(3):
        operator.made("requests", channel="phone", site_kind="hospital", asker="CANARY")
    told = heard(town, auditor, 0)
    assert [row["sequence"] for row in told] == list(range(1, town.desk.store.head()[0] + 1))
    assert [row["sequence"] for row in heard(town, auditor, 4)] == [
        r["sequence"] for r in told if r["sequence"] > 4
    ]
    assert {"person.added/1", "token.issued/1", "request.received/1"} <= {row["name"] for row in told}
    assert "CANARY" not in str(told)
    # Who is no auditor hears nothing of tokens; who may read nothing hears nothing.
    assert not [row for row in heard(town, operator, 0) if row["name"].startswith(("token.", "store."))]
    assert heard(town, town.person("", by=operator), 0) == []


def heard(town: Town, person: Person, after: int) -> list[dict[str, Any]]:
    """What the stream tells until it falls silent."""
    from skylift.adapters.passwords import token_hash
    from skylift.api.office.door import Call, Door

    call = Call(town.desk, None, Door("GET", "", None, "", "", {}), None, token_hash(person.token))  # type: ignore[arg-type]

    async def go() -> list[bytes]:
        found: list[bytes] = []
        # Events of the town's own loop can be waited for in that one alone.
        town.desk._changed = asyncio.Event()
        stream = chunks(call, after)
        while True:
            try:
                found.append(await asyncio.wait_for(anext(stream), 0.5))
            except TimeoutError:
                return found

    rows = [
        part for chunk in asyncio.run(go()) for part in chunk.decode().split("\n\n") if part.startswith("id:")
    ]
    return [json.loads(row.split("data: ", 1)[1]) for row in rows]
