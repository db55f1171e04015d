"""A browser is known by a random cookie, which no link and no folder shows."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest
from streamlit.runtime import context

from pages.shared import visitor as module
from pages.shared.visitor import COOKIE, Cookies, Presence, visitor
from tests.coroutines import run

HTML, SCRIPT = "text/html; charset=utf-8", "text/javascript"


def answered(kind: str, cookie: str = "", scheme: str = "http") -> list[str]:
    """The cookies that come with an answer of a kind to a request that brings a cookie."""
    sent: list[Any] = []

    async def app(scope: Any, receive: Any, send: Any) -> None:
        kinds = [(b"content-type", kind.encode())] if kind else []
        await send({"type": "http.response.start", "status": 200, "headers": kinds})

    async def send(message: Any) -> None:
        sent.append(message)

    accept = HTML if kind == "" else "*/*"
    headers = [(b"cookie", cookie.encode()), (b"accept", accept.encode())]
    scope = {"type": "http", "scheme": scheme, "headers": headers}
    run(Cookies(app)(scope, None, send))  # type: ignore[arg-type]
    return [value.decode() for name, value in sent[0]["headers"] if name == b"set-cookie"]


def test_a_page_brings_a_name_that_the_browser_keeps() -> None:
    (first,), (other,) = answered(HTML), answered(HTML)
    assert first.split(";")[0] != other.split(";")[0]
    assert all(word in first for word in ("HttpOnly", "SameSite=Lax", "Max-Age="))
    assert "Secure" not in first
    assert "Secure" in answered(HTML, scheme="https")[0]
    pair = first.split(";")[0]
    assert answered(HTML, f"other=1; {pair}")[0].startswith(pair + ";")
    assert answered("", pair)[0].startswith(pair + ";")  # the browser has the page already


@pytest.mark.parametrize("cookie", ["short", "../" * 14, "a" * 65, "a b" * 14])
def test_a_name_that_we_did_not_give_is_replaced(cookie: str) -> None:
    assert not answered(HTML, f"{COOKIE}={cookie}")[0].startswith(f"{COOKIE}={cookie};")


def test_what_is_no_page_brings_no_cookie() -> None:
    assert answered(SCRIPT) == []


def test_a_visitor_is_the_cookie_else_the_session(monkeypatch: pytest.MonkeyPatch) -> None:
    def seen(session: str, **cookies: str) -> str:
        client = SimpleNamespace(cookies=cookies)
        monkeypatch.setattr(context, "_get_client_context", lambda: client)
        monkeypatch.setattr(module, "session", lambda: session)
        return visitor()

    name, other = "a" * 43, "b" * 43
    assert seen("one", **{COOKIE: name}) == seen("two", **{COOKIE: name})
    assert seen("one", **{COOKIE: name}) != seen("one", **{COOKIE: other})
    assert seen("one") == seen("one", **{COOKIE: "no name of ours"}) != seen("two")
    assert name not in seen("one", **{COOKIE: name}) and len(seen("one")) == 32


def test_a_visitor_is_here_while_one_of_the_tabs_is(monkeypatch: pytest.MonkeyPatch) -> None:
    connected = {"one", "two"}
    monkeypatch.setattr(module, "connected", connected.__contains__)
    presence = Presence()
    presence.note("ann", "one")
    presence.note("ann", "two")
    assert presence.here("ann") and not presence.here("bob")
    connected.clear()
    assert not presence.here("ann")
    connected.add("two")  # the line was cut for a while
    assert presence.here("ann")
    monkeypatch.setattr(module, "_FORGOTTEN", -1.0)
    presence.note("bob", "three")
    assert presence.here("ann") and presence._sessions.keys() == {"ann"}
