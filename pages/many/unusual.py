"""The most unusual images of a folder: a table, and their pictures where the files are here."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import TypeAlias

import numpy as np
import pandas as pd
import streamlit as st

from hvae_core.common.errors import HVAEError
from hvae_core.common.far import is_far
from hvae_core.data.load import load_source
from hvae_core.data.prepare import parse_steps
from hvae_core.data.stream import Source, Stream
from hvae_core.detection.many.layout import Job
from hvae_core.detection.many.sketch import Sketch, p_values
from hvae_core.detection.many.summary import FolderSummary, Unusual
from hvae_core.figures import fmt, tile
from hvae_core.figures.grids import tile_boxes
from pages.shared import clickable, current, saving, shown
from pages.shared.state import Context, colors

Picture: TypeAlias = tuple[Unusual, np.ndarray]
"""An image of a folder and its pixels (C, H, W)."""
PICTURES = 24
SIZE = (3, 64, 64)
"""Of a picture here, whatever the model reads."""


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


def repeats(summary: FolderSummary) -> pd.DataFrame:
    """The images whose pixels an earlier one has, and which; the first thousand."""
    rows = [(one.row, one.file, one.first_row, one.first_file) for one in summary.repeats]
    return pd.DataFrame(rows, columns=["Place", "File", "Repeats place", "Repeats file"])


def pictures(ctx: Context, job: Job, images: Sequence[Unusual], key: str) -> None:
    """The first pictures, from the source where that is here; one that is clicked is current."""
    read = _read(job, tuple(images[:PICTURES]))
    if not read:
        st.caption(
            ":material/image_not_supported: The pictures are not shown: the source is not on this "
            "machine."
        )
        return
    called = [
        f"{one.file or f'Place {one.row}'}{f', {one.label}' if one.label else ''}, {fmt(one.score)}"
        for one, _ in read
    ]
    clickable.pictures(
        tile(np.stack([pixels for _, pixels in read]), columns=12, gap=4, scale=1, colors=colors()),
        f"The {len(read)} most unusual pictures",
        key=f"m_pictures_{key}",
        called=called,
        boxes=tile_boxes(len(read), SIZE[1:], columns=12, scale=1, gap=4),
        on_pick=lambda number, role: take(ctx, job, read[number][0], role),
    )
    st.caption(
        f"The {len(read)} most unusual pictures, the most unusual first, row by row. A click makes "
        "one the current image, with Shift the pinned one."
    )


@st.cache_resource(max_entries=32, show_spinner=False, hash_funcs={Job: repr, Unusual: repr})
def _read(job: Job, images: tuple[Unusual, ...]) -> list[Picture]:
    """Pictures (3, 64, 64) that can be read, by their files in a folder or their rows in a file."""
    return pixels(job, images, SIZE)


def pixels(job: Job, images: Sequence[Unusual], shape: tuple[int, int, int]) -> list[Picture]:
    """Those that can be read, each with its pixels at a shape (C, H, W)."""
    steps = parse_steps(",".join(job.prepare))
    stream = None
    if not is_far(job.source) and Path(job.source).is_file():
        stream = Stream(Source(job.source, shape, prepare=steps))  # rows are places in all of it
    found: list[Picture] = []
    for image in images:
        with suppress(HVAEError):  # a file may have changed since
            if stream is not None:
                read = stream.read(image.row, image.row + 1).images.images[:1]
                found += [(image, one) for one in read]
            elif path := _path(job.source, image.file):
                found.append((image, load_source(str(path), prepare=steps).fit(shape).images[0]))
    return found


def take(ctx: Context, job: Job, image: Unusual, role: str = current.IMAGE) -> None:
    """Make an image of the folder the current or the pinned one, at the shape of model A.

    Where it cannot be read a line says so.
    """
    found: list[Picture] = []
    with suppress(HVAEError):  # the source may be gone, and nothing around a callback shows why
        found = pixels(job, [image], ctx.a.image_shape)
    if found:
        name = image.file or f"{Path(job.source).name} {image.row}"
        current.take(shown.add(found[0][1], name), role)
    else:
        st.toast("This picture cannot be read on this machine.")


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
    saving.csv_button(lambda: frame, "unusual", "Most unusual (CSV)")
