"""Charts are drawn when the reader comes near them, or when the page rests, one by one, and once.

Each takes the browser 25 ms and more: a page of seven shows two at first, one after the other.
Streamlit draws a chart before it knows how wide that will be, unseen, and once more when it knows;
also where the chart's place has no width because it is not shown. The script that does this is
served with one sign more, which lets it wait for a width. Then a place that is hidden has no chart:
style.py hides those that in_sight.js has not marked.
"""

from __future__ import annotations

import re
from pathlib import Path

from starlette.datastructures import MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send
from streamlit.components.v2 import component

from pages.shared.anew import anew

KEY = "in_sight"
_SCRIPT = re.compile(r"/static/js/PlotlyChart\.[\w-]+\.js$")
_WIDE = re.compile(rb"(\{width:(\w+)\}=\w+\(\w+\);return )\2\?")
"""Where the script asks whether there is a width; it takes -1, for one not known yet, as one."""
_TEXT = Path(__file__).with_suffix(".js").read_text("utf-8")
_mount = component("strata_in_sight", js=anew(_TEXT))


def draw() -> None:
    """Let the browser look which charts are near."""
    _mount(key=KEY)


def patient(script: bytes) -> bytes:
    """Plotly's script of Streamlit, waiting for a width; the same where it is another version's."""
    changed, count = _WIDE.subn(rb"\1\2>0?", script)
    return changed if count == 1 else script


class Patient:
    """Answers with the script that waits."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Hand over everything; that script, once it is whole, with its one change."""
        whole = scope["type"] == "http" and scope["method"] == "GET"
        if not (whole and _SCRIPT.search(scope["path"])):
            await self._app(scope, receive, send)
            return
        asked = [(name, value) for name, value in scope["headers"] if name != b"range"]
        parts: list[bytes] = []
        start: Message = {}

        async def heard(message: Message) -> None:
            nonlocal start
            if message["type"] == "http.response.start":
                start = message
                return
            parts.append(message.get("body", b""))
            if message.get("more_body", False):
                return
            script = patient(b"".join(parts))
            if start["status"] == 200:
                MutableHeaders(raw=start["headers"])["content-length"] = str(len(script))
            await send(start)
            await send({"type": "http.response.body", "body": script})

        await self._app({**scope, "headers": asked}, receive, heard)
