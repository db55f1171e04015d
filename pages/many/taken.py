"""The current subset on the page of many images: made by a box on the densities, and shown there.

Images of a folder are in no set. Those that a box takes become one of the visitor's own.
"""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from dataclasses import asdict
from pathlib import PurePath
from typing import Any

import numpy as np
import streamlit as st

from hvae_core.common.errors import HVAEError
from hvae_core.common.far import Folder
from hvae_core.data.image_set import ImageSet
from hvae_core.detection.many.columns import figures, part_columns
from hvae_core.detection.many.layout import parts_there
from hvae_core.detection.many.summary import Unusual
from hvae_core.scores import get_score, richest
from pages.many import unusual
from pages.many.folders import Opened
from pages.shared import materials, panel, selection, store, ui
from pages.shared.state import Context

MOST = 100
"""Images that a box takes: each is read from its file."""
_SET, _SCORES = "m_taken", "m_taken_scores"
"""In the session's state: the name of the set that the last box made, and by what it scored."""


def from_chart(ctx: Context, chart: str, shown: Opened, key: str) -> dict[str, Any]:
    """Options of the chart of densities in which a box takes the images that score within it."""
    place = selection.chart_key(chart)

    def told() -> None:
        boxes = st.session_state[place]["selection"]["box"]
        spans = [sorted(box["x"]) for box in boxes]
        try:
            take(ctx, shown, within(shown.folder, key, spans), key=key, chart=chart)
        except HVAEError as error:  # nothing around a callback shows it
            st.toast(ui.plain(str(error)))

    return {"key": place, "box": True, "on_select": told, "selection_mode": "box"}


def within(
    folder: Folder, key: str, spans: Sequence[Sequence[float]], most: int = MOST
) -> list[Unusual]:
    """The first images of a folder, at most so many, that score within one of the spans.

    Parts are read in their order, and none after there are enough. Raises ``DataError``.
    """
    found: list[Unusual] = []
    for number in parts_there(folder) if spans else ():
        table = part_columns(folder, number, ["row", "file", "label", key])
        values = figures(table, [key])[:, 0]
        inside = np.any([(values >= low) & (values <= high) for low, high in spans], axis=0)
        picks = np.flatnonzero(inside)[: most - len(found)]
        rows = table.take(picks).to_pylist()
        found += [Unusual(row[key], row["row"], row["file"] or "", row["label"]) for row in rows]
        if len(found) >= most:
            break
    return found


def take(ctx: Context, shown: Opened, images: Sequence[Unusual], *, key: str, chart: str) -> None:
    """Make images of the folder a set of the visitor's own, in place of the last one taken.

    That set is then the current subset; none are an empty one. At the shape of model A. ``key`` is
    the score that the images have here.
    """
    read = unusual.pixels(shown.job, images, ctx.a.image_shape)
    if images and not read:
        st.toast("These pictures cannot be read on this machine.")
        return
    store.own_sets().pop(st.session_state.pop(_SET, ""), None)
    if not read:
        selection.keep([], chart=chart)
        return
    source = PurePath(shown.job.source).name or shown.job.source
    labels = sorted({image.label for image, _ in read if image.label})
    own = ImageSet(
        "taken",
        f"{source}, {len(read)} taken",
        np.stack([pixels for _, pixels in read]),
        np.array([labels.index(one.label) if one.label else -1 for one, _ in read]),
        class_names=tuple(labels),
        files=tuple(one.file or f"{source} {one.row}" for one, _ in read),
    )
    name = st.session_state[_SET] = store.add_own_set(own, "out", own.title)
    values = np.array([image.score for image, _ in read])
    st.session_state[_SCORES] = (name, shown.folder.root, key, values)
    selection.keep([(name, number) for number in range(len(read))], len(images), chart)


def scores(ctx: Context, shown: Opened, key: str) -> np.ndarray:
    """A score of the current subset's images, as far as the folder's model and settings have it."""
    handle = next((one for one in ctx.models if one.digest == shown.job.digest), None)
    picks = selection.current(ctx)
    found: list[np.ndarray] = []
    taken = st.session_state.get(_SCORES, ("",) * 4)
    for name in dict.fromkeys(name for name, _ in picks):
        if taken[:3] == (name, shown.folder.root, key):
            found.append(taken[3][[number for other, number in picks if other == name]])
            continue
        if handle is None:
            continue
        evaluation = ctx.evaluation(handle, name)
        if evaluation is None or asdict(evaluation.settings) != dict(shown.job.settings):
            continue
        numbers = [number for other, number in picks if other == name and number < len(evaluation)]
        with suppress(HVAEError):  # a score of one's own, or one that lacks its material
            score = get_score(key, handle.n_levels)
            read = materials.materials(ctx, handle, {name: evaluation})[name]
            values = score(richest(score, read))
            found.append(values[[number for number in numbers if number < len(values)]])
    return np.concatenate(found) if found else np.zeros(0)


def in_words(ctx: Context, values: np.ndarray, at: float) -> None:
    """How many of the current subset are flagged, or why that cannot be said."""
    of = len(selection.current(ctx))
    if not of:
        return
    if not len(values):
        panel.said(
            "The current subset has no scores here: its images are not evaluated by the model and "
            "under the settings of this folder.",
            note=True,
        )
    else:
        count = int((values >= at).sum())
        rest = "" if len(values) == of else f", of {of:,} in all"
        panel.said(
            f"Of the **current subset**, {count:,} of {len(values):,} images are flagged{rest}."
        )
