"""With a page the browser hears at once that it will need Plotly's script, half of all it fetches.

Streamlit's page asks for it when the first chart has arrived, and then every chart waits for it to
be fetched and read: seconds. Told in the page's headers, the browser does that while the server
still draws.
"""

from __future__ import annotations

from functools import cache
from pathlib import Path

import streamlit
from starlette.datastructures import MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send


class Early:
    """Adds to every page which scripts it will need."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Hand over everything; a page that is sent says more in its headers."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return

        async def told(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(raw=message["headers"])
                if headers.get("content-type", "").startswith("text/html") and (link := _link()):
                    headers["link"] = link
            await send(message)

        await self._app(scope, receive, told)


@cache
def _link() -> str:
    """The header that names the script; "" where this version of Streamlit has none so called."""
    scripts = Path(streamlit.__file__).parent / "static" / "static" / "js"
    found = sorted(scripts.glob("PlotlyChart.*.js"))
    return ", ".join(
        f"<./static/js/{script.name}>; rel=modulepreload; crossorigin" for script in found
    )
