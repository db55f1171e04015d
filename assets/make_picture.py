"""Make the picture that opens the README: the start page in the Glyphs world.

    python assets/make_picture.py

Starts the app on a free port, opens it in a headless Chromium (``tests/chromium.py`` says where it
is found), and writes ``assets/start.png``. Takes about half a minute.
"""

from __future__ import annotations

import socket
import subprocess
import sys
import time
import urllib.request
from pathlib import Path

from playwright.sync_api import sync_playwright

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from tests.chromium import find  # noqa: E402


def main() -> None:
    """Write the picture."""
    chromium, reason = find()
    if chromium is None:
        sys.exit(reason)
    port = _free_port()
    server = subprocess.Popen(
        [sys.executable, "-m", "streamlit", "run", "app.py", "--server.headless", "true",
         "--server.port", str(port)],
        cwd=ROOT,
    )  # fmt: skip
    try:
        _wait(f"http://127.0.0.1:{port}/_stcore/health")
        with sync_playwright() as playwright:
            browser = playwright.chromium.launch(
                executable_path=chromium, args=["--no-sandbox", "--disable-gpu"]
            )
            page = browser.new_page(
                viewport={"width": 1440, "height": 760}, color_scheme="light"
            )
            page.goto(f"http://127.0.0.1:{port}/")
            page.get_by_text("3 The remedy").wait_for(timeout=60_000)
            page.locator(".js-plotly-plot").nth(1).wait_for(timeout=60_000)
            page.wait_for_timeout(3000)  # the charts' fonts and the picture
            page.screenshot(path=ROOT / "assets" / "start.png")
            browser.close()
    finally:
        server.terminate()
        server.wait()


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def _wait(url: str, seconds: float = 60) -> None:
    end = time.monotonic() + seconds
    while True:
        try:
            urllib.request.urlopen(url, timeout=2).close()
            return
        except OSError:
            if time.monotonic() > end:
                raise
            time.sleep(0.3)


if __name__ == "__main__":
    main()
