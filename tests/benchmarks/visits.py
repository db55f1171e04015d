"""What a visit of the app fetches over HTTP, on the wire and unpacked."""

from __future__ import annotations

from collections import Counter
from typing import Any

from playwright.sync_api import Browser


class Visits:
    """What visits fetch, on the wire and unpacked, by whose it is."""

    def __init__(self, browser: Browser, address: str) -> None:
        self._page, self._address = browser.new_page(), address
        self.found: dict[str, Any] = {}
        self._sizes: dict[str, Counter[str]] = {"wire": Counter(), "unpacked": Counter()}
        self._packed: set[str] = set()
        self._owner: dict[str, str] = {}
        self._client = self._page.context.new_cdp_session(self._page)
        self._client.send("Network.enable")
        self._client.on("Network.responseReceived", self._answered)
        self._client.on("Network.dataReceived", self._received)
        self._client.on("Network.loadingFinished", self._finished)

    def visit(self, name: str) -> None:
        """Open the app, and take note of what that fetched."""
        for counter in self._sizes.values():
            counter.clear()
        self._packed.clear()
        self._page.goto(f"{self._address}/?world=Glyphs")
        self._page.locator(".js-plotly-plot").first.wait_for(timeout=90_000)
        self._page.wait_for_timeout(3000)
        sizes = {way: dict(counter) for way, counter in self._sizes.items()}
        self.found[name] = sizes | {"packed": sorted(self._packed)}
        print(name, self.found[name], flush=True)

    def forget(self) -> None:
        """Let the next visit be that of a browser which was never here."""
        self._client.send("Network.clearBrowserCache")

    def _answered(self, event: dict[str, Any]) -> None:
        url = event["response"]["url"]
        headers = {key.lower(): text for key, text in event["response"]["headers"].items()}
        name = url.rsplit("/", 1)[-1]
        kind = "Plotly" if "lotly" in name else "Streamlit" if "/static/" in url else "the app"
        self._owner[event["requestId"]] = kind
        if "content-encoding" in headers:
            self._packed.add(kind)

    def _received(self, event: dict[str, Any]) -> None:
        if kind := self._owner.get(event["requestId"]):
            self._sizes["unpacked"][kind] += event["dataLength"]

    def _finished(self, event: dict[str, Any]) -> None:
        if kind := self._owner.get(event["requestId"]):
            self._sizes["wire"][kind] += int(event["encodedDataLength"])
