"""With a page the browser hears where the server's addresses begin, and asks nowhere else.

Opened at ``/ood``, Streamlit's script does not know whether the app begins at ``/ood/`` or at
``/``. It asks below the page first, and the browser's console notes two addresses that are not
found. The page's own scripts lie beside the page, so the app begins there.
"""

from __future__ import annotations

import gzip
from pathlib import Path

import streamlit
from starlette.datastructures import Headers, MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

TOLD = b"<script>window.__streamlit={BACKEND_BASE_URL:new URL('.',location.href).href}</script>"
"""What Streamlit's script reads before it asks."""
PAGE = Path(streamlit.__file__).parent / "static" / "index.html"
"""What Streamlit serves at every page's address."""


class Address:
    """Adds to every page where the app begins; files of other kinds, reports too, stay as made."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app
        self._page = PAGE.read_bytes()
        self._told = self._page.replace(b"</head>", TOLD + b"</head>", 1)
        self._packed = gzip.compress(self._told, mtime=0)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Hand over everything; in place of Streamlit's page goes that with one line more."""
        asked = Headers(scope=scope) if scope["type"] == "http" else {}
        if "text/html" not in asked.get("accept", ""):
            await self._app(scope, receive, send)
            return
        held: Message | None = None
        body = b""

        async def told(message: Message) -> None:
            nonlocal held, body
            if message["type"] == "http.response.start" and self._may_be_page(message):
                held = message
            elif held is None or message["type"] != "http.response.body":
                await send(message)
            else:
                body += message.get("body", b"")
                if not message.get("more_body", False):
                    if body == self._page:
                        headers = MutableHeaders(raw=held["headers"])
                        body = self._instead(headers, asked.get("accept-encoding", ""))
                    await send(held)
                    await send({"type": "http.response.body", "body": body})

        # Unpacked, so that the page is known when it comes.
        plain = [pair for pair in scope["headers"] if pair[0] != b"accept-encoding"]
        await self._app({**scope, "headers": plain}, receive, told)

    def _may_be_page(self, message: Message) -> bool:
        length = Headers(raw=message["headers"]).get("content-length")
        return message["status"] == 200 and length == str(len(self._page))

    def _instead(self, headers: MutableHeaders, encodings: str) -> bytes:
        """The page with the line, packed for browsers that unpack, its headers set."""
        del headers["etag"]  # that of the page without the line
        body = self._told
        if "gzip" in encodings:
            body = self._packed
            headers["content-encoding"] = "gzip"
        headers["content-length"] = str(len(body))
        headers.add_vary_header("accept-encoding")
        return body
