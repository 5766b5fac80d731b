"""The API's reference as one page without a script: the usual ones load theirs from another host."""

from __future__ import annotations

from html import escape
from typing import Any

_HEAD = """<!doctype html>
<html lang="en"><head><meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>skylift: the HTTP API</title><link rel="stylesheet" href="/static/page.css">
<link rel="icon" href="/static/icon.svg"></head><body class="docs"><main>
<p><a href="/">Back to the links</a></p><h1>The HTTP API</h1>
<p>Machine-readable: <a href="/openapi.json">/openapi.json</a></p>
"""


def docs_page(openapi: dict[str, Any]) -> bytes:
    """HTML of all paths and shapes of an OpenAPI document."""
    parts = [
        _HEAD,
        *(f"<p>{escape(line)}</p>" for line in openapi["info"]["description"].strip().splitlines()),
    ]
    for path, methods in openapi["paths"].items():
        for method, operation in methods.items():
            parts.append(_operation(path, method, operation))
    parts.append("<h1>Shapes</h1>")
    for name, schema in openapi["components"]["schemas"].items():
        if schema.get("properties") and name not in {"HTTPValidationError", "ValidationError"}:
            parts.append(_schema(name, schema))
    return "".join([*parts, "</main></body></html>"]).encode()


def _operation(path: str, method: str, operation: dict[str, Any]) -> str:
    parameters = "".join(
        f"<tr><th scope=row><code>{escape(p['name'])}</code></th><td>{escape(p['in'])}</td>"
        f"<td>{escape(p.get('description', ''))}</td></tr>"
        for p in operation.get("parameters", ())
    )
    body = operation.get("requestBody", {}).get("content", {}).get("application/json", {}).get("schema", {})
    if "$ref" in body:
        parameters += f"<tr><th scope=row>body</th><td></td><td>{_kind(body)}</td></tr>"
    for name, value in body.get("properties", {}).items():
        parameters += (
            f"<tr><th scope=row><code>{escape(name)}</code></th><td>{_kind(value)}</td><td></td></tr>"
        )
    answers = "".join(
        f"<li>{status}: {_reference(answer)}</li>"
        for status, answer in operation["responses"].items()
        if status != "422"
    )
    table = f"<table><tbody>{parameters}</tbody></table>" if parameters else ""
    return (
        f"<section><h2><code>{method.upper()} {escape(path)}</code></h2>"
        f"<p>{escape(operation['summary'])}</p>{table}<ul>{answers}</ul></section>"
    )


def _reference(answer: dict[str, Any]) -> str:
    for content in answer.get("content", {}).values():
        name = content.get("schema", {}).get("$ref", "").rpartition("/")[2]
        if name:
            return f'<a href="#{escape(name)}">{escape(name)}</a>'
    return escape(answer.get("description", ""))


def _schema(name: str, schema: dict[str, Any]) -> str:
    rows = "".join(
        f"<tr><th scope=row><code>{escape(field)}</code></th><td>{_kind(value)}</td>"
        f"<td>{escape(value.get('description', ''))}</td></tr>"
        for field, value in schema["properties"].items()
    )
    text = escape(schema.get("description", ""))
    return (
        f'<section id="{escape(name)}"><h2>{escape(name)}</h2><p>{text}</p>'
        f"<table><tbody>{rows}</tbody></table></section>"
    )


def _kind(value: dict[str, Any]) -> str:
    if "$ref" in value:
        name = escape(value["$ref"].rpartition("/")[2])
        return f'<a href="#{name}">{name}</a>'
    if "anyOf" in value:
        return " or ".join(_kind(option) for option in value["anyOf"])
    if "prefixItems" in value:
        return ", ".join(_kind(option) for option in value["prefixItems"])
    if isinstance(value.get("type"), list):
        return " or ".join(escape(str(option)) for option in value["type"])
    if value.get("type") == "array":
        return f"list of {_kind(value.get('items', {}))}"
    if "enum" in value:
        return ", ".join(escape(str(option)) for option in value["enum"])
    return escape(str(value.get("const", value.get("type", "any"))))
