"""The doors as OpenAPI 3.1: paths from the list of doors, shapes from the types themselves."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

import msgspec

from skylift.api.office.documents import thing_name
from skylift.api.office.door import Door, Parameter
from skylift.base.things import Room
from skylift.twin.office.verbs import VerbTable

_REF = "#/components/schemas/{name}"
PROBLEM = {
    "title": "Problem",
    "description": "A problem document (RFC 9457). now: what a thing is, where it was not as expected.",
    "type": "object",
    "properties": {
        "type": {"type": "string"},
        "title": {"type": "string"},
        "status": {"type": "integer"},
        "detail": {"type": "string"},
        "error": {"$ref": "#/components/schemas/ErrorParts"},
        "now": {
            "type": "object",
            "properties": {"version": {"type": "integer"}, "status": {"type": "string"}},
        },
    },
    "required": ["type", "title", "status", "detail", "error"],
}
_IF_NONE_MATCH = {
    "name": "If-None-Match",
    "in": "header",
    "required": False,
    "description": "ETags of answers that you have; 304 where this one is among them.",
    "schema": {"type": "string"},
}
_WHEN = {
    400: "The body, a header or a parameter cannot be read.",
    401: "The token is missing or does not work.",
    403: "None of your roles, or not this token, allows it.",
    404: "There is none, or none for you.",
    405: "The path takes other methods.",
    409: "It is not as you expected, or not in a state for this; `now` says what it is.",
    413: "The body is too large.",
    422: "It is readable, and against a rule.",
    429: "Too often; Retry-After says when to come again.",
    503: "The store or the service cannot do it now; nothing was written.",
}


def add_doors(document: dict[str, Any], doors: Sequence[Door], table: VerbTable) -> dict[str, Any]:
    """An OpenAPI document with the doors added to it."""
    types = _types(doors, table)
    shapes, components = msgspec.json.schema_components(list(types), ref_template=_REF)
    names = {kind: shape["$ref"].rpartition("/")[2] for kind, shape in zip(types, shapes, strict=True)}
    schemas = document.setdefault("components", {}).setdefault("schemas", {})
    for name, schema in components.items():
        schemas[name.rpartition("twin.office.")[2]] = _renamed(schema)
    for room in table.rooms():
        schemas[thing_name(room)] = _thing(room, names[room.state])
    schemas["Problem"] = PROBLEM
    _as_problems(document)
    document["components"]["securitySchemes"] = {
        "token": {
            "type": "http",
            "scheme": "bearer",
            "description": "From POST /api/v1/login or /api/v1/tokens.",
        }
    }
    for door in doors:
        operation = _operation(door, names, schemas)
        methods = document["paths"].setdefault(door.path, {})
        shared = methods.get(door.method.lower())
        methods[door.method.lower()] = operation if shared is None else _either(shared, operation)
    return document


def _as_problems(document: dict[str, Any]) -> None:
    """FastAPI has one media type for all that is JSON; errors have their own."""
    for methods in document["paths"].values():
        for operation in methods.values():
            for response in operation["responses"].values():
                content = response.get("content", {})
                schema = content.get("application/json", {}).get("schema", {})
                if schema.get("$ref") == "#/components/schemas/Error":
                    content["application/problem+json"] = content.pop("application/json")


def _types(doors: Sequence[Door], table: VerbTable) -> dict[type, None]:
    found: dict[type, None] = {}
    for door in doors:
        for kind in (door.body, *door.answers.values()):
            if isinstance(kind, type):
                found[kind] = None
    for room in table.rooms():
        found[room.state] = None
    return found


def _renamed(schema: Any) -> Any:
    """References by the shorter names; descriptions as paragraphs."""
    if isinstance(schema, list):
        return [_renamed(part) for part in schema]
    if not isinstance(schema, dict):
        return schema
    done = {key: _renamed(value) for key, value in schema.items()}
    if isinstance(done.get("$ref"), str):
        done["$ref"] = _ref(done["$ref"].rpartition("/")[2])["$ref"]
    if isinstance(done.get("description"), str):
        done["description"] = re.sub(r"\s+", " ", done["description"])
    return done


def _ref(name: str) -> dict[str, Any]:
    return {"$ref": _REF.format(name=name.rpartition("twin.office.")[2])}


def _thing(room: Room[Any], state: str) -> dict[str, Any]:
    return {
        "description": f"One {room.kind}: its state, its version (the ETag), and its status.",
        "allOf": [
            _ref(state),
            {
                "type": "object",
                "properties": {"version": {"type": "integer"}, "status": {"type": "string"}},
                "required": ["version"],
            },
        ],
    }


def _operation(door: Door, names: dict[type, str], schemas: dict[str, Any]) -> dict[str, Any]:
    operation: dict[str, Any] = {
        "tags": [door.tag],
        "summary": door.says,
        "operationId": _name(door),
        "responses": {str(status): _answer(kind, names) for status, kind in sorted(door.answers.items())},
    }
    for status in _statuses(door):
        operation["responses"][str(status)] = {
            "description": _WHEN[status],
            "content": {"application/problem+json": {"schema": {"$ref": "#/components/schemas/Problem"}}},
        }
    if not door.open_to_all:
        operation["security"] = [{"token": []}]
    parameters = [_parameter(parameter) for parameter in door.parameters]
    if door.revalidates:
        parameters.append(_IF_NONE_MATCH)
        operation["responses"]["304"] = {"description": "You have it already."}
    if "{id}" in door.path:
        said = {"type": "string", "pattern": "^[a-z]{2,4}_[A-Za-z0-9_-]{1,60}$"}
        parameters.insert(0, {"name": "id", "in": "path", "required": True, "schema": said})
    if "{key}" in door.path:
        said = {"type": "string", "pattern": "^[a-z]{2,4}_[A-Za-z0-9_-]{1,60}$"}
        parameters.append({"name": "key", "in": "path", "required": True, "schema": said})
    if parameters:
        operation["parameters"] = parameters
    if door.upload:
        file = {"schema": {"type": "string", "format": "binary"}}
        operation["requestBody"] = {"required": True, "content": dict.fromkeys(door.upload, file)}
    if door.body is not None:
        schema = _ref(names[door.body])
        if door.also:
            plain = schemas[schema["$ref"].rpartition("/")[2]]
            schema = {**plain, "properties": {**plain["properties"], **door.also}}
        required = bool(getattr(door.body, "__dataclass_fields__", {}))
        operation["requestBody"] = {"required": required, "content": {"application/json": {"schema": schema}}}
    return operation


def _name(door: Door) -> str:
    path = door.path.removeprefix("/api/v1")
    return re.sub(r"[^a-z0-9]+", "_", f"{door.method.lower()}{path}").strip("_")


def _statuses(door: Door) -> list[int]:
    reads = door.method == "GET"
    left_out = {409, 413} if reads else set()
    # A question can be readable, and against a rule: of weeks that were not counted whole.
    left_out |= {422} if reads and not door.parameters else set()
    if reads and "{id}" not in door.path:
        # What is sent may name a thing that there is none of.
        left_out |= {404}
    return [status for status in _WHEN if status not in left_out]


def _answer(kind: Any, names: dict[type, str]) -> dict[str, Any]:
    if isinstance(kind, type):
        content = {"application/json": {"schema": _ref(names[kind])}}
    elif any("/" in name for name in kind):
        content = {media_type: {"schema": schema} for media_type, schema in kind.items()}
    else:
        content = {"application/json": {"schema": kind}}
    return {"description": "Done.", "content": content}


def _parameter(parameter: Parameter) -> dict[str, Any]:
    return {
        "name": parameter.name,
        "in": parameter.where,
        "required": False,
        "description": parameter.says,
        "schema": dict(parameter.schema),
    }


def _either(sky: dict[str, Any], office: dict[str, Any]) -> dict[str, Any]:
    """One path with two meanings: with a token the office's, without one the sky's."""
    content, without = (one["responses"]["200"]["content"] for one in (office, sky))
    # The sky has one form; the office may have more, such as a list's CSV.
    [kind] = without
    schema = without[kind]["schema"]
    if content[kind]["schema"] != schema:
        content[kind]["schema"] = {"anyOf": [content[kind]["schema"], schema]}
    office["summary"] = f"With a token: {office['summary']} Without one: {sky['summary']}"
    office["responses"] = sky["responses"] | office["responses"]
    office["security"] = [{"token": []}, {}]
    office["tags"] = list(dict.fromkeys([*sky["tags"], *office["tags"]]))
    return office
