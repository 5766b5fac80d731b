"""People who use the pages by hand: they open them, fill in the forms that stand there, and send them."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from html.parser import HTMLParser
from pathlib import Path
from typing import Any
from urllib.parse import urlencode, urljoin

import pytest
from starlette.testclient import TestClient

from tests.api.office.conftest import PASSWORD, Person, Town, _quick_hashes, make_town

__all__ = ["PASSWORD", "Browser", "House", "Page", "Person", "Town", "_quick_hashes", "log_in", "make_town"]

INLINE = {"a", "span", "strong", "code", "time"}
VOID = {"input", "meta", "link", "img", "br"}


@dataclass
class Form:
    """A form as it stands in a page, with what is typed in it by now."""

    action: str
    method: str
    fields: dict[str, list[str]] = field(default_factory=dict)
    names: set[str] = field(default_factory=set)
    text: str = ""


class Reader(HTMLParser):
    """What a person reads and can fill in: forms, headings, all text, all links."""

    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.forms: list[Form] = []
        self.links: list[tuple[str, str]] = []
        self.headings: list[tuple[int, str]] = []
        self.texts: list[str] = []
        self.ids: list[str] = []
        self.labels: set[str] = set()
        self.unlabelled: list[str] = []
        self.tags: list[str] = []
        self.open: list[str] = []
        self.problems: list[str] = []
        self._form: Form | None = None
        self._select = self._area = ""
        self._chosen = False
        self._href: str | None = None

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        a = {name: value or "" for name, value in attrs}
        self.tags.append(tag)
        if tag not in INLINE:
            self.texts.append(" ")
        if tag not in VOID and tag != "path":
            self.open.append(tag)
        if "id" in a:
            self.ids.append(a["id"])
        if any(name.startswith("on") for name in a) or "style" in a:
            self.problems.append(f"<{tag}> has a script or a style of its own")
        if tag == "form":
            self._form = Form(a.get("action", ""), a.get("method", "get").lower())
            self.forms.append(self._form)
        elif tag == "option":
            self._choice(a)
        elif tag in ("input", "select", "textarea") and self._form is not None:
            self._control(tag, a)
        else:
            self._rest(tag, a)

    def _rest(self, tag: str, a: dict[str, str]) -> None:
        if tag == "label":
            self.labels.add(a.get("for", ""))
        elif tag == "a":
            self._href = a.get("href")
        elif tag in ("h1", "h2", "h3"):
            self.headings.append((int(tag[1]), ""))

    def _choice(self, a: dict[str, str]) -> None:
        if self._form is not None and self._select and ("selected" in a or not self._chosen):
            self._form.fields[self._select] = [a.get("value", "")]
            self._chosen = True

    def _control(self, tag: str, a: dict[str, str]) -> None:
        assert self._form is not None
        name, kind = a.get("name", ""), a.get("type", "text")
        self._form.names.add(name)
        if kind != "hidden" and a.get("id", "") == "" and "aria-label" not in a:
            self.unlabelled.append(name)
        elif kind != "hidden" and "aria-label" not in a:
            self.unlabelled.append(f"#{a['id']}")
        if tag == "select":
            self._select, self._chosen = name, False
        elif tag == "textarea":
            self._area = name
            self._form.fields[name] = [""]
        elif kind in ("checkbox", "radio"):
            if "checked" in a:
                self._form.fields[name] = [a.get("value", "on")]
        else:
            self._form.fields[name] = [a.get("value", "")]

    def handle_endtag(self, tag: str) -> None:
        if tag in VOID or tag == "path":
            return
        if not self.open or self.open.pop() != tag:
            self.problems.append(f"</{tag}> closes what is not open")
        if tag not in INLINE:
            self.texts.append(" ")
        if tag == "form":
            self._form = None
        elif tag == "select":
            self._select = ""
        elif tag == "textarea" and self._form is not None:
            text = self._form.fields[self._area][0]
            self._form.fields[self._area] = [text[1:] if text.startswith("\n") else text]
            self._area = ""
        elif tag == "a":
            self._href = None

    def handle_data(self, data: str) -> None:
        if self._area and self._form is not None:
            self._form.fields[self._area][0] += data
        if self._form is not None:
            self._form.text += data
        if self._href is not None:
            self.links.append((self._href, data.strip()))
        if self.open and self.open[-1] in ("h1", "h2", "h3"):
            level, text = self.headings[-1]
            self.headings[-1] = (level, text + data)
        self.texts.append(data)

    @property
    def text(self) -> str:
        return " ".join("".join(self.texts).split())


@dataclass
class Page:
    """An answer as a person sees it."""

    status: int
    url: str
    html: str
    read: Reader
    headers: Any

    @property
    def text(self) -> str:
        return self.read.text

    @property
    def title(self) -> str:
        return next(text.strip() for level, text in self.read.headings if level == 1)

    def form(self, action: str) -> Form:
        """The form that is sent to a path, or to one that ends so."""
        paths = [(one, one.action.partition("?")[0]) for one in self.read.forms]
        found = [one for one, path in paths if (path.endswith(action) if action else not path)]
        assert found, f"no form to {action} on {self.url}: {[one.action for one in self.read.forms]}"
        return found[0]

    def has_form(self, action: str) -> bool:
        return any(one.action.endswith(action) for one in self.read.forms)


class Browser:
    """A client that keeps cookies and sends forms as they stand."""

    def __init__(self, town: Town, base: str = "http://127.0.0.1:8480") -> None:
        self.client = TestClient(town.client.app, base_url=base, raise_server_exceptions=True)
        # As Chromium sends them with a form of the page's own.
        self.own = {"Origin": base, "Sec-Fetch-Site": "same-origin"}

    def open(self, path: str, follow: bool = True, **headers: str) -> Page:
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        return self._page(self.client.get(path, follow_redirects=follow, headers=named))

    def post(self, path: str, fields: dict[str, Any], follow: bool = True, **headers: str) -> Page:
        named = {**self.own, **{name.replace("_", "-"): value for name, value in headers.items()}}
        named["Content-Type"] = "application/x-www-form-urlencoded"
        body = urlencode(fields, doseq=True)
        return self._page(self.client.post(path, content=body, headers=named, follow_redirects=follow))

    def send(self, page: Page, action: str, follow: bool = True, **typed: Any) -> Page:
        """Fill in a form of a page and send it; __ in a name stands for a dot, None leaves a field out."""
        form = page.form(action)
        fields: dict[str, Any] = {name: list(values) for name, values in form.fields.items()}
        for name, value in typed.items():
            name = name.replace("__", ".")
            assert name in form.names, f"{action} has no field {name}: {sorted(form.names)}"
            if value is None:
                fields.pop(name, None)
            else:
                fields[name] = [str(value)]
        if form.method == "get":
            return self.open(f"{form.action or page.url.partition('?')[0]}?{urlencode(fields, doseq=True)}")
        return self.post(urljoin(page.url, form.action) if form.action else page.url, fields, follow)

    def _page(self, response: Any) -> Page:
        read = Reader()
        read.feed(response.text)
        return Page(response.status_code, str(response.url), response.text, read, response.headers)


def log_in(town: Town, email: str) -> Browser:
    browser = Browser(town)
    page = browser.send(browser.open("/login"), "/login", email=email, password=PASSWORD)
    assert page.url.endswith("/start"), page.text
    return browser


@dataclass
class House:
    """A town whose people use the pages."""

    town: Town
    operator: Browser
    approver: Browser
    people: dict[str, Person]


@pytest.fixture
def town(tmp_path: Path) -> Iterator[Town]:
    yield from make_town(tmp_path)


@pytest.fixture
def house(town: Town) -> House:
    operator = town.first()
    approver = town.person("approver", by=operator)
    people = {"operator": operator, "approver": approver}
    return House(town, log_in(town, "first@example.org"), log_in(town, f"{approver.id}@example.org"), people)
