"""Find a Chromium that starts; run as a script it prints the path or, failing, the reason."""

from __future__ import annotations

import shutil
import subprocess
import sys
from collections.abc import Iterator

NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
FLAGS = ["--no-sandbox", "--disable-gpu", "--disable-background-networking"]


def find() -> tuple[str | None, str]:
    """(path, "") of a Chromium that starts, or (None, the reason why there is none)."""
    reason = "no Chromium on this machine: install the package chromium, or run make test online"
    for path in _candidates():
        try:
            done = subprocess.run([path, "--version"], capture_output=True, timeout=60, check=False)
        except FileNotFoundError:  # where Playwright would have put its own
            continue
        except (OSError, subprocess.TimeoutExpired) as problem:
            reason = f"{path} does not start: {problem}"
            continue
        if done.returncode == 0:
            return path, ""
        words = done.stderr.decode(errors="replace").strip().splitlines()
        reason = f"{path} does not start: {words[-1] if words else 'no message'}"
    return None, reason


def _candidates() -> Iterator[str]:
    yield from filter(None, map(shutil.which, NAMES))
    from playwright.sync_api import sync_playwright  # starts a process, seldom needed

    with sync_playwright() as playwright:
        yield playwright.chromium.executable_path


if __name__ == "__main__":
    found, why = find()
    print(found or f"The browser tests will be skipped: {why}")
    sys.exit(0 if found else 1)
