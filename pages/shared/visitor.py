"""Who looks at the page: a random name that the server gives each browser in a cookie.

The cookie comes with the page itself, so that the first run of the script knows it already. It
stands in no link. What is kept for a visitor is kept under a digest of it, which is no key to
anything.
"""

from __future__ import annotations

import re
import secrets
import threading
import time
from http.cookies import CookieError, SimpleCookie

import streamlit as st
from starlette.datastructures import Headers, MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send
from streamlit import runtime
from streamlit.runtime.scriptrunner import get_script_run_ctx

from hvae_core.common import fingerprint

COOKIE = "strata_visitor"
DAYS = 7
"""How long a browser keeps its name after it last opened a page."""
_FORGOTTEN = 3600.0
"""Seconds after which a session that is not connected will not be again."""
_NAME = re.compile(r"[A-Za-z0-9_-]{32,64}")


def visitor() -> str:
    """The visitor's name: the same in all tabs and after a reload; the session's where no cookie.

    32 signs of 0-9 and a-f, fit for the name of a folder.
    """
    name: object = st.context.cookies.get(COOKIE)
    if isinstance(name, str) and _NAME.fullmatch(name):
        return fingerprint.digest("visitor", name)[:32]
    return fingerprint.digest("session", session())[:32]


def session() -> str:
    """The name of this tab's session."""
    running = get_script_run_ctx(suppress_warning=True)
    return running.session_id if running else "none"


class Presence:
    """Which visitors have a tab open now."""

    def __init__(self) -> None:
        self._sessions: dict[str, dict[str, float]] = {}  # by visitor: session, when last noted
        self._lock = threading.Lock()

    def note(self, owner: str, of: str) -> None:
        """Take note of a visitor's session; the sessions of long ago are forgotten."""
        now = time.monotonic()
        with self._lock:
            self._sessions.setdefault(owner, {})[of] = now
            for name, noted in [*self._sessions.items()]:
                fresh = {
                    one: at for one, at in noted.items() if now - at < _FORGOTTEN or connected(one)
                }
                if fresh:
                    self._sessions[name] = fresh
                else:
                    del self._sessions[name]

    def here(self, owner: str) -> bool:
        """Whether a session of the visitor's is connected."""
        with self._lock:
            noted = [*self._sessions.get(owner, ())]
        return any(map(connected, noted))


def connected(of: str) -> bool:
    """Whether a session's tab is open and in touch with the server."""
    return runtime.exists() and runtime.get_instance().is_active_session(of)


class Cookies:
    """The server's part: every page that goes out brings a cookie, or keeps what is there.

    A middleware of ASGI; requests that are no pages pass through it unchanged.
    """

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Hand over the request, and name the visitor in the answer if that is a page."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        name = _sent(scope) or secrets.token_urlsafe(32)
        # A page that the browser has already is answered without its kind.
        asked = "text/html" in Headers(scope=scope).get("accept", "")

        async def named(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                if asked or headers.get("content-type", "").startswith("text/html"):
                    headers.append("set-cookie", _cookie(name, secure=scope["scheme"] == "https"))
            await send(message)

        await self._app(scope, receive, named)


def _sent(scope: Scope) -> str:
    """The name in the request's cookies, or "" where there is none that we could have given."""
    try:
        cookie = SimpleCookie(Headers(scope=scope).get("cookie", "")).get(COOKIE)
    except CookieError:
        return ""
    return cookie.value if cookie is not None and _NAME.fullmatch(cookie.value) else ""


def _cookie(name: str, secure: bool) -> str:
    words = [f"{COOKIE}={name}", "Path=/", f"Max-Age={DAYS * 86400}", "HttpOnly", "SameSite=Lax"]
    return "; ".join([*words, "Secure"] if secure else words)
