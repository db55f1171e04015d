"""The furniture of a page: claim and caption, charts, exports, and errors shown in place."""

from __future__ import annotations

import logging
import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import streamlit as st

from hvae_core.common.errors import HVAEError
from hvae_core.figures.grids import png_bytes
from hvae_core.figures.theme import figure_config

_log = logging.getLogger(__name__)


def style() -> None:
    """Quiet the chrome: less air above the title, wide pictures scroll on narrow screens."""
    st.html(
        """<style>
        .stMainBlockContainer {padding-top: 3rem; padding-bottom: 3rem; max-width: 96rem}
        h1 {text-wrap: balance}
        [class*="st-key-scroll_"] {overflow-x: auto}
        [class*="st-key-scroll_wide"] > div {min-width: 36rem}
        [class*="st-key-scroll_"] img {max-width: none !important; border-radius: 0;
            image-rendering: pixelated}
        /* the primary colour carries white text; as text on the dark ground it is too faint */
        [data-testid="stButtonGroup"] button[data-selected="true"],
        [data-testid="stSliderThumbValue"] {color: inherit !important}
        [data-testid="stButtonGroup"] button[data-selected="true"] {font-weight: 600}
        </style>"""
    )


def header(claim: str, look_for: str, why: str = "") -> None:
    """The page's title, a claim computed from the data, why, and what to look for."""
    st.title(claim, anchor=False)
    if why:
        st.markdown(why)
    st.markdown(f":gray[{look_for}]")


def plain(text: str) -> str:
    """Text from anywhere, such as a file's name, for Markdown: every sign stands for itself."""
    return re.sub(r"([\\`*_{}\[\]()#+!|<>~$:^])", r"\\\1", text.replace("\n", " "))


@contextmanager
def in_place() -> Iterator[None]:
    """Show an error of this part of the page where the part would be; the rest lives on."""
    try:
        yield
    except HVAEError as error:
        st.error(str(error), icon=":material/error:")
    except Exception:
        _log.exception("a part of a page failed")
        st.error(
            "This part could not be drawn. Reload the page; if it stays, the server's log has the "
            "details.",
            icon=":material/error:",
        )


def chart(
    figure: Any, name: str, alt: str, *, key: str | None = None, lasso: bool = False, **kwargs: Any
) -> Any:
    """Draw a figure; its mode bar saves it as SVG under ``name``."""
    return st.plotly_chart(
        figure,
        theme=None,
        key=key or name,
        config=figure_config(name, lasso=lasso),
        alt=alt,
        **kwargs,
    )


def picture(image: Any, alt: str) -> None:
    """Draw a PIL picture pixel by pixel, as a PNG of the project's own quick compression."""
    st.image(png_bytes(image), width=image.width, output_format="PNG", alt=alt)


def csv_button(make: Callable[[], Any], name: str, label: str = "Data (CSV)") -> None:
    """Offer a pandas table as CSV, made only when asked for."""
    st.download_button(
        label,
        data=lambda: make().to_csv(index=False).encode(),
        file_name=f"{name}.csv",
        mime="text/csv",
        key=f"csv-{name}",
        on_click="ignore",
        icon=":material/download:",
        type="tertiary",
    )


def picture_button(make: Callable[[], bytes], name: str, label: str = "Picture (PNG)") -> None:
    """Offer a picture as PNG, made only when asked for."""
    st.download_button(
        label,
        data=make,
        file_name=f"{name}.png",
        mime="image/png",
        key=f"png-{name}",
        on_click="ignore",
        icon=":material/download:",
        type="tertiary",
    )
