"""Several people at once: how long each waits, with browsers on the same machine and without.

Part of ``tests.benchmarks.waits``.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import AsyncExitStack
from typing import Any

from playwright.sync_api import Browser

from tests.benchmarks.watched import CURVES, PAGES, PICTURE, Watched, drawn, summary
from tests.load import Seen, Visitor

PEOPLE, ROUND, THINKING, LOOKING = 5, 10, 500, 40
"""How many, how often each acts, and milliseconds between two acts and between two looks."""
BEGIN = (0, 3, 6, 7, 8)
"""The act with which each begins: another page."""
WORLD = {"world": "Glyphs"}
Act = tuple[str, Callable[[], None]]
"""What to look at, and what to do."""


def acts(tab: Watched) -> list[Act]:
    """What one of several people does, one thing after another."""
    page = tab.page

    def go(path: str) -> Act:
        link = page.locator("[data-testid=stSidebarNavLink]", has_text=PAGES[path]).first
        return drawn(path), link.click

    def turn() -> None:
        slider = page.locator(".st-key-r_k").get_by_role("slider")
        slider.press("ArrowRight" if slider.input_value() == "0" else "ArrowLeft")

    def choose(number: int) -> Act:
        def act() -> None:
            page.locator(".st-key-o_score input").click()
            page.get_by_role("option").nth(number).click()

        return CURVES, act

    return [
        go("reconstructions"), (PICTURE, turn), (PICTURE, turn), go("ood"), choose(1), choose(2),
        go("collapse"), go("image"), go("latents"), go(""),
    ]  # fmt: skip


def crowd(browser: Browser, address: str, spent: Callable[[], float]) -> dict[str, Any]:
    """Five people at once, who turn pages, k and the score: every round all of them act together.

    Each is a browser of its own and stands at another place of the same round of acts. ``spent``
    gives the processor's seconds of the server, which are shared out among all acts alike.
    """
    contexts = [browser.new_context() for _ in range(PEOPLE)]
    tabs = [Watched(context.new_page(), every=LOOKING) for context in contexts]
    for tab in tabs:
        tab.page.goto(f"{address}/?world=Glyphs")
    for tab in tabs:
        tab.page.locator(".js-plotly-plot .main-svg").first.wait_for()
        tab.page.wait_for_timeout(1000)
    found, before = [], spent()
    for step in range(ROUND):
        for number, tab in enumerate(tabs):
            every = acts(tab)
            tab.begin(*every[(BEGIN[number] + step) % len(every)])
        found += [tab.end() for tab in tabs]
        tabs[0].page.wait_for_timeout(THINKING)
    share = 1000 * (spent() - before) / len(found)
    for context in contexts:
        context.close()
    return summary("five people at once", [one | {"processor": share} for one in found])


def answers(address: str, spent: Callable[[], float]) -> dict[str, Any]:
    """Five people at once who turn pages, without browsers: how long the server's answer takes.

    Their five browsers share the machine with the server and keep it waiting. Here each is a
    program that speaks Streamlit's language, asks for a page, and draws nothing.
    """
    before = spent()
    with ThreadPoolExecutor(1) as apart:  # Playwright's loop runs in this thread
        found = apart.submit(asyncio.run, _asked(address)).result()
    share = 1000 * (spent() - before) / len(found)
    waits = [
        {"wait": 1000 * one, "asking": 0.0, "server": 1000 * one, "browser": 0.0,
         "processor": share, "bytes": 0}
        for one in found
    ]  # fmt: skip
    return summary("five people without browsers", waits)


async def _asked(address: str) -> list[float]:
    """Seconds until each page was there, of all people."""
    seen = Seen()
    people = [Visitor(address, number, seen) for number in range(PEOPLE)]
    pages = ["reconstructions", "ood", "collapse", "image", "latents", ""]
    async with AsyncExitStack() as lines:
        open_lines = []
        for one in people:
            open_lines.append(await lines.enter_async_context(await one.session()))
            await one.look(open_lines[-1], "", WORLD)
        seen.seconds.clear()
        for step in range(ROUND):
            turns = (
                one.look(line, pages[(number + step) % len(pages)], WORLD)
                for number, (one, line) in enumerate(zip(people, open_lines, strict=True))
            )
            await asyncio.gather(*turns)
            await asyncio.sleep(THINKING / 1000)
    if seen.lost:
        raise SystemExit(f"A page was lost: {seen.lost[0]}")
    return seen.seconds
