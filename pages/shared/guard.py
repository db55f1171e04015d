"""What the server answers before Streamlit does: closed addresses, full sessions, no strangers.

A middleware of ASGI. The browser is told to ask no other host for anything, so that no text of a
visitor's can make another visitor's browser do so.
"""

from __future__ import annotations

import re
from collections.abc import Mapping

from starlette.datastructures import Headers, MutableHeaders
from starlette.responses import PlainTextResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from hvae_core.common.deployment import public, upload_limit

CLOSED = re.compile(r"/_stcore/(metrics|agent|script-health-check)\b")
"""Addresses of Streamlit's own that tell of other sessions, or run the app for programs."""
UPLOAD = re.compile(r"/_stcore/upload_file/(?P<session>[^/]+)/[^/]+$")
POLICY = (
    "default-src 'self'; script-src 'self' 'unsafe-inline' 'unsafe-eval' blob:; "
    "style-src 'self' 'unsafe-inline'; img-src 'self' data: blob:; font-src 'self' data:; "
    "media-src 'self' data: blob:; worker-src 'self' blob:; connect-src 'self' data: blob:; "
    "object-src 'none'; base-uri 'self'; form-action 'self'"
)
"""What a page may load: everything from here, nothing from elsewhere."""


class Guard:
    """Closed addresses are not found, a full session takes no more files, pages stay at home."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer what must not go further; hand over the rest."""
        if scope["type"] == "websocket":
            await _until_closed(self._app, scope, receive, send=send)
        elif scope["type"] != "http":
            await self._app(scope, receive, send)
        elif CLOSED.search(scope["path"]):
            await PlainTextResponse("Not found.", 404)(scope, receive, send)
        elif public() and scope["method"] == "PUT" and not _room(scope):
            words = "Your session holds too many uploaded files; reload the page to empty it."
            await PlainTextResponse(words, 413)(scope, receive, send)
        else:
            await self._app(scope, receive, _at_home(send))


async def _until_closed(app: ASGIApp, scope: Scope, receive: Receive, *, send: Send) -> None:
    """Serve a tab; when it was closed under way, what is said to it is no error for the log."""
    closed = False

    async def heard() -> Message:
        nonlocal closed
        message = await receive()
        closed = closed or message["type"] == "websocket.disconnect"
        return message

    async def told(message: Message) -> None:
        nonlocal closed
        try:
            await send(message)
        except OSError:
            closed = True
            raise

    try:
        await app(scope, heard, told)
    except RuntimeError:
        if not closed:
            raise


def _at_home(send: Send) -> Send:
    async def told(message: Message) -> None:
        if message["type"] == "http.response.start":
            headers = MutableHeaders(scope=message)
            headers["content-security-policy"] = POLICY
            headers["x-content-type-options"] = "nosniff"
            headers["referrer-policy"] = "same-origin"
        await send(message)

    return told


def _room(scope: Scope) -> bool:
    """Whether a file that is being sent fits beside what its session holds already."""
    to = UPLOAD.search(scope["path"])
    if to is None:
        return True
    size = Headers(scope=scope).get("content-length", "")
    # Without a length nobody knows how much will come.
    return size.isdigit() and int(size) + held(to["session"]) <= upload_limit()


def held(session: str) -> int:
    """Bytes of the uploaded files that a session holds in memory."""
    from streamlit import runtime

    manager = runtime.get_instance().uploaded_file_mgr
    storage: Mapping[str, Mapping[str, object]] = getattr(manager, "file_storage", {})
    return sum(len(getattr(file, "data", b"")) for file in [*storage.get(session, {}).values()])
