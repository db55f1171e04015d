"""The most unusual images of a folder: a table, and their pictures where the files are here."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pandas as pd
import streamlit as st

from hvae_core.common.errors import HVAEError
from hvae_core.common.far import is_far
from hvae_core.data.load import load_source
from hvae_core.detection.many.layout import Job
from hvae_core.detection.many.sketch import Sketch, p_values
from hvae_core.detection.many.summary import FolderSummary, Unusual
from hvae_core.figures import tile
from pages.shared import ui
from pages.shared.state import colors

PICTURES = 24


def table(images: Sequence[Unusual], symbol: str, reference: Sketch | None) -> pd.DataFrame:
    """A row an image, the most unusual first, with its p-value where there is a measure."""
    columns: dict[str, list[object]] = {
        "File": [image.file for image in images],
        "Place": [image.row for image in images],
        "Label": [image.label or "" for image in images],
        symbol: [image.score for image in images],
    }
    if reference is not None:
        columns["p"] = list(p_values(reference, [image.score for image in images]))
    return pd.DataFrame(columns)


def errors(summary: FolderSummary) -> pd.DataFrame:
    """The images that were not scored, and why; the first thousand."""
    return pd.DataFrame(summary.errors, columns=["Place", "File", "Why"])


def pictures(job: Job, images: Sequence[Unusual]) -> None:
    """The first pictures, from the files of the source where these are on this machine."""
    found = [
        (image, path) for image in images[:PICTURES] if (path := _path(job.source, image.file))
    ]
    if not found:
        st.caption(
            ":material/image_not_supported: The pictures are not shown: the source is not a folder "
            "of pictures on this machine."
        )
        return
    read: list[np.ndarray] = []
    for _, path in found:
        try:
            one = load_source(str(path), prepare=job.prepare)  # type: ignore[arg-type]
            read.append(one.fit((3, 64, 64)).images[0])
        except HVAEError:
            continue  # its file has changed since
    if read:
        st.image(
            np.asarray(tile(np.stack(read), columns=12, scale=1, gap=4, colors=colors())),
            alt=f"The {len(read)} most unusual pictures",
        )
        st.caption(f"The {len(read)} most unusual pictures, the most unusual first, row by row.")


def _path(source: str, file: str) -> Path | None:
    """The file of a picture below a source that is a folder; never one outside of it."""
    if is_far(source) or not file:
        return None
    folder = Path(source).expanduser()
    try:
        path = (folder / file).resolve()
        inside = path.is_relative_to(folder.resolve())
        return path if inside and path.is_file() else None
    except (OSError, ValueError):
        return None


def write_button(frame: pd.DataFrame) -> None:
    """Offer the table as CSV."""
    ui.csv_button(lambda: frame, "unusual", "Most unusual (CSV)")
