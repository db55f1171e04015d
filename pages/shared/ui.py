"""The furniture of a page: claim and caption, charts, exports, errors and notes shown in place.

Streamlit draws in the order of the calls, and a title is a claim about what is computed below: so a
page takes the places of its parts first (``st.container``) and fills them as their figures come.
"""

from __future__ import annotations

import logging
import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, nullcontext, suppress
from functools import wraps
from html import escape
from typing import TYPE_CHECKING, Any, ParamSpec

import streamlit as st

from hvae_core.common.deployment import public
from hvae_core.common.errors import HVAEError
from hvae_core.common.words import capital, unbroken
from hvae_core.figures.grids import png_bytes
from hvae_core.figures.theme import figure_config, larger
from pages.shared import panel, words
from pages.shared.program import Code
from pages.shared.room import HALF
from pages.shared.sent import Sent
from pages.shared.state import Context
from pages.shared.store import Handle

if TYPE_CHECKING:
    import pandas as pd
    import plotly.graph_objects as go
    from PIL.Image import Image
    from streamlit.delta_generator import DeltaGenerator

P = ParamSpec("P")
_WHOLE = "redraw_all"
_JOINER = "\N{WORD JOINER}"
_log = logging.getLogger(__name__)
GO = "go"
"""In the address of a link that sets controls, until it is followed."""
VEILED = "veiled"
"""In the session's state: whether a question is open that the page's title would answer."""
FIRST = "first"
"""In the session's state: the part of its page that an open step of the tour puts first, or ""."""
TOURING = "touring"
"""In the session's state: whether a step of the tour is open here, and charts leave it room."""
PRESENT = "present"
"""In links, and in the session's state: whether the view is presented, in larger type."""


def presented() -> bool:
    """Whether this session presents its pages."""
    return bool(st.session_state.get(PRESENT))


def touring() -> bool:
    """Whether a step of the tour is open on this page."""
    return bool(st.session_state.get(TOURING))


def settings(*, horizontal: bool = False, place: DeltaGenerator | None = None) -> DeltaGenerator:
    """The place of a page's controls; on a narrow screen one sheet that a tap unfolds.

    A page has one. ``place`` is where it stands on a wide screen.
    """
    sheet = (st if place is None else place).container(
        key="settings", horizontal=horizontal, vertical_alignment="bottom" if horizontal else "top"
    )
    sheet.html('<label class="sheet"><input type="checkbox"> Settings</label>')
    return sheet


def columns_of_numbers(key: str, columns: int) -> DeltaGenerator:
    """A place for a chart of so many columns of numbers; on a narrow screen it scrolls sideways."""
    name, width = f"scroll_{key}", panel.rem_of_numbers(columns)
    st.html(f"<style>.st-key-{name} > div {{min-width: {width}rem}}</style>")
    return st.container(key=name)


def header(claim: str, look_for: str, why: str = "", spelled: Sequence[str] = ()) -> None:
    """The page's title, a claim computed from the data, why, and what to look for.

    A line below spells out what these abbreviate, and what charts and controls do (``spelled``).
    While a question of the tour is open, a title that answers it waits until it is answered.
    """
    claim, why = capital(claim), capital(why)
    veiled = st.session_state.get(VEILED)
    st.title("What do you see?" if veiled else claim, anchor=False)
    if veiled:
        st.markdown("The page says here what its figures show, once the question is answered.")
    elif why:
        st.markdown(why)
    st.markdown(f":gray[{look_for}]")
    panel.claimed(claim, why, look_for)
    written = " ".join((claim, why, look_for)).replace("\\", "").replace(_JOINER, "")
    words.draw(written, spelled)


def plain(text: str) -> str:
    """Text from anywhere, such as a file's name, for Markdown: every sign stands for itself.

    No line ends within "A-J". A control whose choice stands in the address takes ``as_label``.
    """
    return unbroken(as_label(text))


def as_label(text: str) -> str:
    """The same, as the name of a choice: a link holds it, and has no sign that cannot be seen.

    Addresses in it are no links: an invisible sign that joins words breaks them for machines.
    """
    line = re.sub(r"([\\`*_{}\[\]()#+!|<>~$:^&])", r"\\\1", " ".join(text.split("\n")))
    line = re.sub(
        r"(https?|ftp|mailto|xmpp)(?=\\:)|\bwww(?=\.)", rf"\g<0>{_JOINER}", line, flags=re.I
    )
    line = line.replace("@", f"{_JOINER}@")
    return re.sub(r"^(\s*\d*)([-=.])", r"\1\\\2", line)  # neither a list nor a heading


class PageEnd(Exception):
    """Raised where a page has nothing more to draw; what stands below every page follows.

    After ``st.stop`` nothing could be drawn.
    """


@contextmanager
def in_place() -> Iterator[None]:
    """Show an error of this part of the page where the part would be; the rest lives on."""
    try:
        yield
    except PageEnd:
        raise
    except HVAEError as error:
        st.error(plain(str(error)), icon=":material/error:")
    except Exception:
        _log.exception("a part of a page failed")
        st.error(
            "This part could not be drawn. Reload the page; if it stays, the server's log has the "
            "details.",
            icon=":material/error:",
        )


@contextmanager
def busy(slot: DeltaGenerator, doing: str, keys: Sequence[str]) -> Iterator[None]:
    """Grey the containers of these keys, with a mark in ``slot``, until their new contents stand.

    What is in them meanwhile is of an earlier choice.
    """
    grey = ", ".join(f".st-key-{key}" for key in keys)
    with slot.container():
        st.html(
            f'<div role="status" aria-live="polite"><b>{escape(doing)} …</b></div>'
            f"<style>{grey} {{opacity: 0.3; filter: grayscale(1); pointer-events: none}}</style>"
        )
    try:
        yield
    finally:
        slot.empty()


@contextmanager
def whole_page() -> Iterator[None]:
    """As ``in_place``, and a page that has nothing more to draw ends here."""
    with suppress(PageEnd), in_place():
        yield


def fragment(part: Callable[P, None], *, every: float | None = None) -> Callable[P, None]:
    """Make a function a part of the page that its own controls redraw alone, errors in place.

    With ``every`` it is also drawn anew after so many seconds, again and again.
    When a fragment runs alone, app.py does not run around it: what it raises would leave Streamlit
    with a traceback on the page. Its name stays, since Streamlit knows a fragment by it.
    """

    @st.fragment(run_every=every)
    @wraps(part)
    def guarded(*args: P.args, **kwargs: P.kwargs) -> None:
        if st.session_state.get(_WHOLE):
            st.rerun()
        now = panel.view()
        with in_place(), now.redrawn(f"{part.__module__}.{part.__qualname__}"):
            part(*args, **kwargs)
        now.locate()

    return guarded


def redraw_all() -> None:
    """Draw the whole app, the sidebar too, where a control of a part of a page changed it."""
    st.session_state[_WHOLE] = True


def drawn_whole() -> None:
    """Note that the whole app is being drawn."""
    st.session_state.pop(_WHOLE, None)
    panel.begin()


def each_model(ctx: Context) -> Iterator[tuple[str, Handle]]:
    """Letter and handle of each model; where there are two, its title stands above its part."""
    for letter, handle in ctx.lettered:
        with of_model(ctx, handle):
            yield letter, handle


@contextmanager
def of_model(ctx: Context, handle: Handle) -> Iterator[None]:
    """A part of one model: where there are two, its title stands above, in a report its letter."""
    letter = ctx.letter(handle)
    if letter:
        st.markdown(f"**{letter}** {plain(handle.title)}")
    with panel.view().under(letter):
        yield


def link(page: str, label: str, query: Mapping[str, str | list[str]] | None = None) -> None:
    """A way to another page, whose controls then stand as ``query`` says (``links.follow``)."""
    st.page_link(
        f"pages/{page}/page.py", label=label, icon=":material/arrow_forward:",
        query_params={**query, GO: "1"} if query else None,
    )  # fmt: skip


def missing_images(sentence: str) -> None:
    """A line on sets whose images are not on this machine, and what to do about it."""
    if not public():
        sentence += " Under *Images* in the sidebar you can download them or choose a folder."
    st.caption(f":material/image_not_supported: {sentence}")


def notes(sentences: Iterable[str]) -> None:
    """What was done to the images of a set, a line each."""
    lines = [plain(capital(sentence)) for sentence in sentences]
    if lines:
        st.caption("  \n".join(lines))


def not_here(problems: Iterable[str], show: Callable[..., Any] = st.warning) -> None:
    """Sentences on images that cannot be had, each in a box of its own."""
    for problem in problems:
        show(plain(problem), icon=":material/image_not_supported:")


def chart(
    figure: go.Figure,
    name: str,
    alt: str,
    *,
    key: str | None = None,
    lasso: bool = False,
    box: bool = False,
    code: Code | None = None,
    follows: bool = False,
    width: int = HALF,
    **kwargs: Any,
) -> Any:
    """Draw a figure; its mode bar saves it as SVG under ``name``, and below it is what makes it.

    One that ``follows`` shows what the finding above says. ``width``: pixels in a window of 1280.
    """
    panel.shown(name, alt, figure, code, follows=follows)
    seen = larger(figure, taller=not touring()) if presented() else figure
    drawn = st.plotly_chart(
        Sent(seen, box=box and not lasso, width=width),
        theme=None,
        key=key or name,
        config=figure_config(name, lasso=lasso, box=box),
        height=seen.layout.height or "content",
        alt=alt,
        **kwargs,
    )
    panel.offer(name, code, figure)
    return drawn


def picture(image: Image, alt: str, *, scroll: str = "") -> None:
    """Draw a PIL picture pixel by pixel, as a PNG of the project's own quick compression.

    ``scroll`` is the key of a container in which a wide picture scrolls on narrow screens.
    """
    with st.container(key=f"scroll_{scroll}") if scroll else nullcontext():
        st.image(png_bytes(image), width=image.width, output_format="PNG", alt=alt)


def table(
    frame: pd.DataFrame, name: str, alt: str, *, code: Code | None = None, **kwargs: Any
) -> Any:
    """Draw a table, which the browser saves as CSV, and below it what makes it.

    A cell without a value is empty.
    """
    panel.shown(name, alt, frame, code, columns=kwargs.get("column_config"))
    drawn = st.dataframe(frame, hide_index=True, alt=alt, placeholder="", **kwargs)
    panel.offer(name, code)
    return drawn
