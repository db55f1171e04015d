"""Streamlit's and Plotly's own scripts travel packed, and each is packed once.

Streamlit serves them as they are, 8 MB on a first visit, because packing them anew for everyone
would hold up the pages. Here a script that was asked for is packed when the server has time, and
whoever asks from then on gets a third of it. Browsers keep them for a year.
"""

from __future__ import annotations

import gzip
import re
import threading

from starlette.datastructures import Headers, MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

SCRIPT = re.compile(r"/static/[\w./-]+\.(js|css)$")
LEAST = 20_000
"""Bytes from which it is worth it."""
MOST = 32 * 2**20
"""Bytes of packed scripts that are kept; all of Streamlit's take a tenth."""
_LATER = 20.0
"""Seconds after which a script is packed: the first page has the processor until then."""


class Packed:
    """Answers for scripts with their packed bytes, once there are some."""

    def __init__(self, app: ASGIApp, later: float = _LATER) -> None:
        self._app, self._later = app, later
        self._known: dict[str, bytes] = {}
        self._waiting: set[str] = set()
        self._lock = threading.Lock()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Hand over everything but whole scripts for browsers that unpack."""
        if not _wanted(scope):
            await self._app(scope, receive, send)
            return
        path = str(scope["path"])
        packed = self._known.get(path)
        answer = self._listening(path, send) if packed is None else _instead(packed, send)
        await self._app(scope, receive, answer)

    def _listening(self, path: str, send: Send) -> Send:
        """Send the script as it is, and have it packed for the next one who asks."""
        parts: list[bytes] = []
        whole = False

        async def heard(message: Message) -> None:
            nonlocal whole
            if message["type"] == "http.response.start":
                headers = Headers(raw=message["headers"])
                size = int(headers.get("content-length", 0))
                whole = message["status"] == 200 and LEAST <= size < MOST
                whole = whole and "content-encoding" not in headers and self._first(path)
            elif whole and message["type"] == "http.response.body":
                parts.append(message.get("body", b""))
                if not message.get("more_body", False):
                    timer = threading.Timer(self._later, self._pack, (path, b"".join(parts)))
                    timer.daemon = True
                    timer.start()
            await send(message)

        return heard

    def _first(self, path: str) -> bool:
        """Whether nobody has asked for a script before."""
        with self._lock:
            known = path in self._waiting
            self._waiting.add(path)
        return not known

    def _pack(self, path: str, script: bytes) -> None:
        with self._lock:  # one at a time
            packed = gzip.compress(script, 6, mtime=0)
            if len(packed) + sum(map(len, self._known.values())) <= MOST:
                self._known[path] = packed


def _wanted(scope: Scope) -> bool:
    if scope["type"] != "http" or scope["method"] != "GET" or not SCRIPT.search(scope["path"]):
        return False
    headers = Headers(scope=scope)
    return "gzip" in headers.get("accept-encoding", "") and "range" not in headers


def _instead(packed: bytes, send: Send) -> Send:
    """The answer with packed bytes in place of the script's; not modified stays not modified."""
    replaced = False

    async def sent(message: Message) -> None:
        nonlocal replaced
        if message["type"] == "http.response.start" and message["status"] == 200:
            replaced = True
            headers = MutableHeaders(raw=message["headers"])
            headers["content-length"] = str(len(packed))
            headers["content-encoding"] = "gzip"
            headers.add_vary_header("accept-encoding")
            if tag := headers.get("etag"):
                headers["etag"] = tag if tag.startswith("W/") else f"W/{tag}"
            await send(message)
            await send({"type": "http.response.body", "body": packed})
        elif not (replaced and message["type"] == "http.response.body"):
            await send(message)

    return sent
