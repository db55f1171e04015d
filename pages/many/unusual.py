"""The most unusual images of a folder: a table, and their pictures where the files are here."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

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
from hvae_core.figures import tile
from pages.shared import current, shown, ui
from pages.shared.state import Context, colors

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


def pictures(job: Job, images: Sequence[Unusual]) -> None:
    """The first pictures, from the source where that is on this machine."""
    read = _read(job, tuple(images[:PICTURES]))
    if not read:
        st.caption(
            ":material/image_not_supported: The pictures are not shown: the source is not on this "
            "machine."
        )
        return
    st.image(
        np.asarray(tile(np.stack(read), columns=12, scale=1, gap=4, colors=colors())),
        alt=f"The {len(read)} most unusual pictures",
    )
    st.caption(f"The {len(read)} most unusual pictures, the most unusual first, row by row.")


@st.cache_resource(max_entries=32, show_spinner=False, hash_funcs={Job: repr, Unusual: repr})
def _read(job: Job, images: tuple[Unusual, ...]) -> list[np.ndarray]:
    """Pictures (3, 64, 64) that can be read, by their files in a folder or their rows in a file."""
    return _pixels(job, images, SIZE)


def _pixels(job: Job, images: Sequence[Unusual], shape: tuple[int, int, int]) -> list[np.ndarray]:
    """Those that can be read, at a shape (C, H, W)."""
    steps = parse_steps(",".join(job.prepare))
    stream = None
    if not is_far(job.source) and Path(job.source).is_file():
        stream = Stream(Source(job.source, shape, prepare=steps))  # rows are places in all of it
    found: list[np.ndarray] = []
    for image in images:
        with suppress(HVAEError):  # a file may have changed since
            if stream is not None:
                found.extend(stream.read(image.row, image.row + 1).images.images[:1])
            elif path := _path(job.source, image.file):
                found.append(load_source(str(path), prepare=steps).fit(shape).images[0])
    return found


def take(ctx: Context, job: Job, image: Unusual) -> None:
    """Make an image of the folder the current one, at the shape of model A, if it can be read."""
    found: list[np.ndarray] = []
    with suppress(HVAEError):  # the source may be gone, and nothing around a callback shows why
        found = _pixels(job, [image], ctx.a.image_shape)
    if found:
        name = image.file or f"{Path(job.source).name} {image.row}"
        current.take(shown.add(found[0], name))
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
    ui.csv_button(lambda: frame, "unusual", "Most unusual (CSV)")
