"""Answers that need not be sent again: If-None-Match and If-Modified-Since (RFC 9110, section 13)."""

from __future__ import annotations

import hashlib
import re
from datetime import UTC, datetime
from email.utils import format_datetime, parsedate_to_datetime

from starlette.datastructures import Headers
from starlette.responses import Response

from skylift.base.instants import InstantUs
from skylift.base.units import US_PER_S

_TAG = re.compile(r'(?:W/)?("[\x21\x23-\x7e\x80-\xff]*")')
# What a 304 keeps of the answer that it stands for (RFC 9110, section 15.4.5).
_KEPT = ("etag", "cache-control", "content-location", "expires", "vary", "last-modified")


def weak_etag(body: bytes) -> str:
    """A tag for what has no version of its own: the same text has the same."""
    return f'W/"{hashlib.sha256(body).hexdigest()[:32]}"'


def http_date(at: InstantUs) -> str:
    """An instant to the second, as headers have it."""
    return format_datetime(datetime.fromtimestamp(at // US_PER_S, UTC), usegmt=True)


def conditional(headers: Headers, response: Response) -> Response:
    """304 instead of an answer with an ETag, where the asker has it already."""
    if response.status_code != 200 or not _has_it(headers, response.headers):
        return response
    kept = {name: response.headers[name] for name in _KEPT if name in response.headers}
    return Response(status_code=304, headers=kept)


def _has_it(asked: Headers, answer: Headers) -> bool:
    tags = asked.getlist("if-none-match")
    if tags:
        etag = _TAG.fullmatch(answer.get("etag", ""))
        said = ", ".join(tags).strip()
        return etag is not None and (said == "*" or etag[1] in _TAG.findall(said))
    since, modified = asked.get("if-modified-since"), answer.get("last-modified")
    if since is None or modified is None:
        return False
    try:
        return parsedate_to_datetime(modified) <= parsedate_to_datetime(since)
    except (ValueError, TypeError):
        # One without a zone cannot be compared; a date that is none says nothing.
        return False
