"""A public server: nothing is asked of any other host, by the browser or by the server."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import cycle
from pathlib import Path
from typing import Any
from urllib.error import HTTPError
from urllib.parse import urlsplit
from urllib.request import urlopen

import pytest

from tests.browser.test_app import PAGES, assert_drawn, assert_narrow, assert_well, settled
from tests.server import serve

pytestmark = pytest.mark.browser

GROUND = "getComputedStyle(document.querySelector('[data-testid=stApp]')).backgroundColor"


@contextmanager
def listener() -> Iterator[tuple[str, list[bytes]]]:
    """A proxy that only writes down what it is asked for: its address, and the list."""
    asked: list[bytes] = []
    with socket.create_server(("127.0.0.1", 0)) as door:

        def listen() -> None:
            while True:
                try:
                    with door.accept()[0] as caller:
                        asked.append(caller.recv(200))
                except OSError:
                    return

        threading.Thread(target=listen, daemon=True).start()
        yield f"http://127.0.0.1:{door.getsockname()[1]}", asked


def knocked(address: str) -> bytes:
    """How the server greets a page of another host that wants to talk to it."""
    to = urlsplit(address)
    with socket.create_connection((str(to.hostname), to.port or 80), 20) as line:
        words = [
            "GET /_stcore/stream HTTP/1.1", f"Host: {to.netloc}", "Connection: Upgrade",
            "Upgrade: websocket", "Sec-WebSocket-Version: 13", "Origin: http://elsewhere.example",
            "Sec-WebSocket-Key: c3RyYXRhLXN0cmF0YS0xMg==", "", "",
        ]  # fmt: skip
        line.sendall("\r\n".join(words).encode())
        return line.recv(200)


def test_no_other_host_is_asked_for_anything(browser: Any, tmp_path: Path) -> None:
    with listener() as (proxy, asked):
        names = ("http_proxy", "https_proxy", "HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY")
        bare = {"STRATA_CACHE": str(tmp_path), "STRATA_DATA": "", "no_proxy": "", "NO_PROXY": ""}
        proxies = dict.fromkeys(names, proxy)
        with serve(STRATA_PUBLIC="1", **bare, **proxies) as address:
            context = browser.new_context(viewport={"width": 400, "height": 800})
            tab = context.new_page()
            tab.set_default_timeout(60_000)
            hosts: set[str] = set()
            context.on("request", lambda one: hosts.add(urlsplit(one.url).netloc))
            tab.on("websocket", lambda one: hosts.add(urlsplit(one.url).netloc))
            refused: list[str] = []
            tab.on("console", lambda one: refused.append(one.text) if "Policy" in one.text else 0)
            grounds = set()
            for name, themes in zip(PAGES, cycle((("light", "dark"), ("dark", "light")))):
                tab.emulate_media(color_scheme=themes[0])
                tab.goto(f"{address}/{name}")
                for theme in themes:
                    tab.emulate_media(color_scheme=theme)
                    settled(tab)
                    assert_well(tab)
                    assert_drawn(tab, name)
                    assert_narrow(tab, name)
                    grounds.add((theme, tab.evaluate(GROUND)))
            assert len(grounds) == len(dict(grounds)) == 2  # a colour each
            tab.wait_for_timeout(500)
            (cookie,) = [one for one in context.cookies() if one["name"] == "strata_visitor"]
            assert cookie["httpOnly"] and cookie["sameSite"] == "Lax"
            assert cookie["value"] not in tab.url
            # The sidebar has no way to the machine's folders and none to the hub.
            tab.set_viewport_size({"width": 1440, "height": 800})
            tab.locator("[data-testid=stSidebar]").get_by_text("Images", exact=True).click()
            tab.get_by_text("Your own set").wait_for()
            assert tab.get_by_text("Data folder").count() == 0
            assert tab.get_by_text("downloads a set").count() == 0
            context.close()
            assert b" 403 " in knocked(address)
            for path in ("metrics", "agent/openapi.json"):
                with pytest.raises(HTTPError, match="404"):
                    urlopen(f"{address}/_stcore/{path}", timeout=20)
        assert hosts - {urlsplit(address).netloc, ""} == set()
        assert refused == []
        assert asked == []
