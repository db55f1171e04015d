"""The app in a real browser: deep links first, a slider, a lasso, a checkpoint dropped."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from hvae_core.checkpoint import save_checkpoint
from hvae_core.config import HVAEConfig, LatentConfig, ModelCard
from tests.small import tiny_model

pytestmark = pytest.mark.browser

PAGES = (
    "", "reconstructions", "collapse", "two", "generate", "compression", "latents", "ood", "image",
)  # fmt: skip
CONFIG = HVAEConfig(
    image_shape=(1, 28, 28),
    latents=(LatentConfig(2, "conv", stride=2), LatentConfig(4, "dense")),
    channels=4,
    blocks=1,
    stem=2,
)


def settled(tab: Any) -> None:
    """Wait until the script has run: a title is there and nothing is stale or loading."""
    tab.locator("h1").first.wait_for()
    tab.locator("[data-testid=stApp][data-test-script-state=notRunning]").wait_for()


def assert_well(tab: Any) -> None:
    """No traceback, no part that could not be drawn."""
    assert tab.locator("[data-testid=stException]").count() == 0
    assert tab.get_by_text("could not be drawn").count() == 0
    assert tab.get_by_text("Traceback").count() == 0
    assert tab.get_by_role("dialog").count() == 0


def assert_drawn(tab: Any, name: str) -> None:
    """The page has its pictures."""
    if name != "two":  # it has pictures once a second model is chosen
        tab.locator(".js-plotly-plot, [data-testid=stImageContainer] img").first.wait_for()


FADES = """() => [...document.querySelectorAll('.dvn-scroller')].map((table) => {
    const fade = getComputedStyle(table.querySelector('.dvn-scroll-inner'), '::after');
    const seen = fade.content === 'none' ? 0 : Number(fade.opacity);
    return [table.scrollWidth > table.clientWidth + 1, seen];
})"""
"""Of each table, whether it goes on to the right, and how much of the fade at its edge is seen."""


def assert_narrow(tab: Any, name: str) -> None:
    """Nothing of the page stands beyond the right edge of the screen; tables that go on fade."""
    wide = tab.evaluate(
        "document.querySelector('[data-testid=stMain]').scrollWidth - window.innerWidth"
    )
    assert wide <= 1, name
    if name == "ood":
        tab.locator(".dvn-scroll-inner").first.wait_for(state="attached")
    fades = tab.evaluate(FADES)
    assert all(goes_on == (seen > 0.5) for goes_on, seen in fades), name
    assert fades or name != "ood"


# First of all here: what a fresh server is asked for first decides how it finds the rest. That of
# ``test_public`` is asked for the start; this page has a component of its own. The others are
# opened by their addresses there.
def test_a_deep_link_is_the_first_thing_a_fresh_server_sees(server: str, tab: Any) -> None:
    problems: list[str] = []
    tab.on("pageerror", lambda error: problems.append(str(error)))
    tab.goto(f"{server}/latents")
    settled(tab)
    # The sidebar is drawn by app.py: without it the page script ran alone.
    tab.locator("[data-testid=stSidebar]").get_by_text("World").wait_for()
    assert_drawn(tab, "latents")
    assert_well(tab)
    assert len(tab.locator("h1").first.inner_text()) > 10
    assert problems == []


def test_the_slider_of_k_redraws_the_pictures(server: str, tab: Any) -> None:
    tab.goto(f"{server}/reconstructions")
    settled(tab)
    claim, source = tab.locator("h1").first.inner_text(), "img[alt^='Images and their']"
    before = tab.locator(source).first.get_attribute("src")
    slider = tab.locator("[data-testid=stMain]").get_by_role("slider").first
    slider.focus()
    slider.press("ArrowRight")
    tab.wait_for_function(
        "([query, old]) => document.querySelector(query)?.getAttribute('src') !== old",
        arg=[source, before],
    )
    # The picture was kept ready; the title follows with the redraw.
    tab.wait_for_function("old => document.querySelector('h1')?.innerText !== old", arg=claim)
    settled(tab)
    assert "r_k=" in tab.url
    assert_well(tab)


def test_a_lasso_shows_its_images_and_feeds_reconstructions(server: str, tab: Any) -> None:
    # over 3,000 points are on the WebGL canvas
    tab.goto(f"{server}/latents?world=Glyphs&l_count=400")
    settled(tab)
    tab.locator(".map[data-points='3200']").wait_for()
    box = tab.locator(".stage").bounding_box()
    assert box is not None
    corners = [(0.2, 0.2), (0.8, 0.2), (0.8, 0.8), (0.2, 0.8), (0.2, 0.2)]
    path = [(box["x"] + a * box["width"], box["y"] + b * box["height"]) for a, b in corners]
    tab.mouse.move(*path[0])
    tab.mouse.down()
    for x, y in path[1:]:
        tab.mouse.move(x, y, steps=8)
    tab.mouse.up()
    send = tab.get_by_role("link", name="Send to Reconstructions")
    send.wait_for()
    assert_well(tab)
    tab.locator(".stage").focus()
    for _ in range(8):  # so near that the pictures stand in the points' places
        tab.keyboard.press("+")
    tab.wait_for_function(
        """() => [...document.querySelectorAll("*")].some((one) =>
            +one.shadowRoot?.querySelector(".map")?.dataset.pictures > 0)"""
    )
    share, link = tab.get_by_role("button", name="Share", exact=True), tab.locator(".box.link")
    share.click()
    link.wait_for()
    tab.keyboard.press("Escape")
    link.wait_for(state="hidden")
    share.click()
    link.wait_for()
    send.evaluate("way => way.click()")  # without the pointer, which closes the box too
    tab.wait_for_url("**/reconstructions*")
    link.wait_for(state="hidden")  # the link in it is of the page before
    settled(tab)
    share.click()
    assert link.locator("input").input_value() == tab.url
    tab.keyboard.press("Escape")
    tab.locator("img[alt^='Images and their']").first.wait_for()
    assert_well(tab)
    # A chart has one ring, that of the image of now.
    tab.goto(f"{server}/latents?world=Glyphs&l_count=50")
    ring = tab.locator(".strata-ring")
    ring.wait_for(state="attached")
    stood = ring.get_attribute("style")
    tab.keyboard.press("n")
    tab.wait_for_function(
        """stood => [...document.querySelectorAll(".strata-ring")]
            .some((one) => one.style.cssText !== stood)""",
        arg=stood,
    )
    settled(tab)
    assert ring.count() == 1
    assert_well(tab)


def test_a_dropped_checkpoint_is_there_and_a_bad_file_gets_a_sentence(
    server: str, tab: Any, tmp_path: Path
) -> None:
    good = tmp_path / "dropped.safetensors"
    save_checkpoint(good, tiny_model(CONFIG, 0), card=ModelCard("Dropped model"), history={})
    bad = tmp_path / "bad.safetensors"
    bad.write_bytes(good.read_bytes()[:200])
    tab.goto(f"{server}/collapse")
    settled(tab)
    tab.get_by_text("Open a checkpoint").click()
    upload = tab.locator("[data-testid=stSidebar] input[type=file]").last
    upload.set_input_files(str(bad))
    tab.locator("[data-testid=stAlert]").get_by_text("bad").first.wait_for()
    assert_well(tab)
    upload.set_input_files(str(good))
    tab.get_by_text("Dropped model is now in the list of models").wait_for()
    tab.locator("[data-testid=stSidebar]").get_by_role("combobox").nth(1).click()
    tab.get_by_role("option", name="Dropped model").wait_for()


def test_what_is_drawn_is_judged_and_found_by_its_link(server: str, tab: Any) -> None:
    tab.goto(f"{server}/image?i_from=draw")
    settled(tab)
    title = tab.locator("h1").first
    assert title.inner_text() == "Draw an image"
    canvas = tab.locator(".easel canvas")
    box = canvas.bounding_box()
    tab.mouse.move(box["x"] + 60, box["y"] + 40)
    tab.mouse.down()
    tab.mouse.move(box["x"] + 60, box["y"] + 200, steps=4)
    tab.mouse.up()
    tab.wait_for_function("document.querySelector('h1').innerText != 'Draw an image'")
    settled(tab)
    assert_well(tab)
    for _ in range(50):  # what is drawn above may still be finding its place
        if canvas.bounding_box() == box:
            break
        tab.wait_for_timeout(100)
    assert canvas.bounding_box() == box  # it stays under the hand
    assert "i_drawn=" in tab.url
    verdict = title.inner_text()
    tab.reload()
    settled(tab)
    assert title.inner_text() == verdict
    # The list of parts leads to one, and the keyboard goes along.
    tab.get_by_role("button", name="Parts", exact=True).click()
    way = tab.locator("nav.box button").last
    words = way.inner_text()
    way.press("Enter")
    assert tab.evaluate("document.activeElement.textContent").startswith(words)
    assert tab.evaluate("document.activeElement.getBoundingClientRect().top") < 900


def test_a_run_of_the_lab_is_turned_left_found_again_and_kept(server: str, tab: Any) -> None:
    problems: list[str] = []
    tab.on("pageerror", lambda error: problems.append(str(error)))
    tab.on("console", lambda said: problems.append(said.text) if said.type == "error" else None)
    tab.goto(f"{server}/lab")
    tab.locator(".stage").get_by_text("An image that is no letter").wait_for()
    tab.get_by_role("button", name="Play").click()
    step = "parseInt(document.querySelector('h1').innerText.slice(8))"
    tab.wait_for_function(f"{step} >= 2")  # what is turned before the first step is no turn
    bits = tab.get_by_role("slider", name="Free bits (nats a layer)")
    bits.press("ArrowRight")
    # Where it was turned.
    tab.locator(".stage text", has_text="free bits 0.25").wait_for()
    tab.wait_for_function(f"{step} >= 50")  # a whole stretch of 25 steps is kept on disk
    tab.get_by_role("button", name="Pause").click()
    rests = tab.get_by_text("Run A is paused at step")
    rests.wait_for()
    before = int(rests.inner_text().split()[-1].rstrip("."))
    for reloads in (False, True):
        if reloads:
            tab.reload()
        else:
            tab.get_by_role("link", name="Scored folders").click()
            tab.get_by_role("heading", name="No folder of scores is open").wait_for()
            tab.get_by_role("link", name="Lab", exact=True).click()
        rests.wait_for()
        assert before <= int(rests.inner_text().split()[-1].rstrip(".")) <= before + 100
        assert bits.input_value() == "0.25"
    tab.get_by_role("button", name="Keep").click()
    tab.get_by_text("Kept as of step").wait_for()
    assert_well(tab)
    assert problems == []


def test_a_chart_far_below_is_drawn_when_the_reader_comes_near(server: str, tab: Any) -> None:
    # Of the rest after which all are drawn, nothing comes here.
    tab.add_init_script(
        "const real = setTimeout;"
        "window.setTimeout = (act, time, ...more) => time === 2500 ? 0 : real(act, time, ...more);"
    )
    tab.goto(f"{server}/?world=Glyphs")
    settled(tab)
    # The first page may be drawn before the script is there.
    tab.locator("html[data-in-sight]").wait_for(state="attached")
    tab.locator("[data-testid=stSidebarNavLink]", has_text="Collapse").first.click()
    tab.locator(".st-key-collapse-kl .main-svg").first.wait_for()
    settled(tab)
    # Plotly draws a chart again where its labels or legend need more than the margins that it got.
    assert (
        tab.evaluate(
            """() => [...document.querySelectorAll(".js-plotly-plot")].flatMap((one) => {
          const {_size, margin} = one._fullLayout;
          return [..."lrtb"].filter((side) => _size[side] > margin[side] + 0.01)
            .map((side) => [one.closest("[class*=st-key]").className, side, _size[side]]); })"""
        )
        == []
    )
    last = tab.locator(".stPrintGraphic").last
    assert last.locator(".main-svg").count() == 0
    height = last.bounding_box()["height"]
    assert height > 200
    last.scroll_into_view_if_needed()
    last.locator(".main-svg").first.wait_for()
    assert last.bounding_box()["height"] == height
    assert_well(tab)
