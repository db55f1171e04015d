"""Buttons by which the browser saves a table, a JSON text, a picture or an archive of a page."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING

import streamlit as st

from hvae_core.common.spreadsheet import csv_bytes
from hvae_core.figures.grids import png_bytes
from pages.shared import panel
from pages.shared.program import Code

if TYPE_CHECKING:
    import pandas as pd
    from PIL.Image import Image


def csv_button(make: Callable[[], pd.DataFrame], name: str, label: str = "Data (CSV)") -> None:
    """Offer a pandas table as CSV, made only when asked for."""
    _download(lambda: csv_bytes(make()), f"{name}.csv", "text/csv", label=label)


def json_button(make: Callable[[], str], name: str, label: str = "Table (JSON)") -> None:
    """Offer a JSON text, made only when asked for."""
    _download(lambda: make().encode(), f"{name}.json", "application/json", label=label)


def picture_button(
    image: Image, name: str, label: str = "Picture (PNG)", *, alt: str, code: Code | None = None
) -> None:
    """Offer a picture as PNG, packed only when asked for, and the code that makes it."""
    panel.shown(name, alt, image, code)
    with st.container(horizontal=True, width="content", key=f"offered_{name}"):
        _download(partial(png_bytes, image), f"{name}.png", "image/png", label=label)
        panel.offer(name, code)


def zip_button(make: Callable[[], bytes], name: str, label: str) -> None:
    """Offer a ZIP archive, packed only when asked for."""
    _download(make, f"{name}.zip", "application/zip", label=label)


def _download(make: Callable[[], bytes], file_name: str, mime: str, *, label: str) -> None:
    name, _, kind = file_name.rpartition(".")
    st.download_button(
        label,
        data=make,
        file_name=file_name,
        mime=mime,
        key=f"{kind}-{name}",
        on_click="ignore",
        icon=":material/download:",
        type="tertiary",
    )
