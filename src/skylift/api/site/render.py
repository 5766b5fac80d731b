"""Templates to pages. Everything is escaped by itself; a page loads nothing but its own style sheet."""

from __future__ import annotations

from functools import lru_cache
from typing import Any
from urllib.parse import urlencode

from jinja2 import Environment, PackageLoader, StrictUndefined
from starlette.requests import Request
from starlette.responses import HTMLResponse, Response

from skylift.api.site.tongue import tongue_of, translated, ukrainian
from skylift.api.site.words import verb_label
from skylift.base.instants import format_instant

POLICY = {
    "Content-Security-Policy": (
        "default-src 'none'; style-src 'self'; img-src 'self'; "
        "base-uri 'none'; form-action 'self'; frame-ancestors 'none'"
    ),
    # With no referrer at all a browser sends forms with "Origin: null", which nothing could be told from.
    "Referrer-Policy": "same-origin",
}


@lru_cache(maxsize=1)
def environment() -> Environment:
    """Autoescape for every template, whatever its name; a name that is not given is a mistake."""
    made = Environment(
        loader=PackageLoader("skylift.api.site", "templates"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        auto_reload=False,
    )
    made.filters["instant"] = lambda at_us: f"{format_instant(at_us)[:16].replace('T', ' ')} UTC"
    made.filters["verb"] = verb_label
    made.filters["query_without_cursor"] = lambda told: urlencode(
        {name: value for name, value in told.items() if value and name != "cursor"}
    )
    return made


def page(request: Request, template: str, status: int = 200, **context: Any) -> Response:
    """A page. app.state.demo: whether all of this is a demonstration."""
    demo = bool(getattr(request.app.state, "demo", False))
    tongue = tongue_of(request)
    html = (
        environment()
        .get_template(template)
        .render(demo=demo, path=request.url.path, tongue=tongue, **context)
    )
    if tongue == "uk":
        html = translated(html, ukrainian())
    return HTMLResponse(html, status, headers={**POLICY, "Content-Language": tongue})
