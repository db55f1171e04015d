"""The current subset on the page Scored folders: made by a box on the densities, and shown there.

Images of a folder are in no set. Those that a box takes become one of the visitor's own.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass
from pathlib import PurePath
from typing import Any

import numpy as np
import streamlit as st
from numpy.typing import NDArray

from hvae_core.common.arrays import Floats
from hvae_core.common.errors import HVAEError
from hvae_core.data.image_set import ImageSet
from hvae_core.detection.many.columns import figures, part_columns
from hvae_core.detection.many.fitted import kept_fitted, unmeasured
from hvae_core.detection.many.layout import parts_there
from hvae_core.detection.many.summary import Unusual, identity
from hvae_core.scores import get_score, richest
from hvae_core.scores.assemble import validation_set
from hvae_core.scores.material import fitted_half
from pages.many import unusual
from pages.many.folders import Opened
from pages.shared import boxed, materials, panel, selection, ui
from pages.shared.state import Context
from pages.shared.store import Handle

MOST = 100
"""Images that a box takes: each is read from its file."""
_SCORES = "m_taken_scores"
"""In the session's state: by name of a set that a box made, whence it is and its scores."""


@dataclass(frozen=True, eq=False)
class Taken:
    """An image of a folder that a box takes, with every score that the folder has of it.

    NaN where it has none, and where the score's density is fitted to the image.
    """

    image: Unusual
    scores: Mapping[str, float]


def from_chart(ctx: Context, chart: str, shown: Opened, key: str) -> dict[str, Any]:
    """Options of the chart of densities in which a box takes the images that score within it."""
    place = selection.chart_key(chart)

    def told() -> None:
        boxes = st.session_state[place]["selection"]["box"]
        spans = [sorted(box["x"]) for box in boxes]
        try:
            take(ctx, shown, within(shown, key, spans), chart=chart)
        except HVAEError as error:  # nothing around a callback shows it
            st.toast(ui.plain(str(error)))

    return {"key": place, "box": True, "on_select": told, "selection_mode": "box"}


def within(
    shown: Opened, key: str, spans: Sequence[Sequence[float]], most: int = MOST
) -> list[Taken]:
    """The first images of a folder, at most so many, that score within one of the spans.

    Images that the score's density is fitted to stay out, as they do in the summary. Parts are read
    in their order, and none after there are enough. Raises ``DataError``.
    """
    folder, keys = shown.folder, shown.job.scores
    fitted = kept_fitted(folder)
    found: list[Taken] = []
    for number in parts_there(folder) if spans else ():
        values = figures(part_columns(folder, number, [key]), [key])[:, 0]
        if not _inside(values, spans).any():
            continue
        table = part_columns(folder, number, ["row", "file", "label", "digest", *keys])
        every = figures(table, keys)
        unmeasured(every, keys, fitted, digests=table["digest"].to_pylist())
        inside = _inside(every[:, keys.index(key)], spans)
        picks = np.flatnonzero(inside)[: most - len(found)]
        rows = table.select(["row", "file", "label"]).take(picks).to_pylist()
        for row, line in zip(rows, every[picks], strict=True):
            scores = dict(zip(keys, line.tolist(), strict=True))
            image = Unusual(scores[key], row["row"], row["file"] or "", row["label"])
            found.append(Taken(image, scores))
        if len(found) >= most:
            break
    return found


def _inside(values: Floats, spans: Sequence[Sequence[float]]) -> NDArray[np.bool_]:
    inside: NDArray[np.bool_] = np.any([(values >= a) & (values <= b) for a, b in spans], axis=0)
    return inside


def take(ctx: Context, shown: Opened, images: Sequence[Taken], *, chart: str) -> None:
    """Make images of the folder a set of the visitor's own, which is then the current subset.

    None are an empty subset. The set is at the shape of model A.
    """
    scores_of = {one.image.row: one.scores for one in images}
    read = unusual.pixels(shown.job, [one.image for one in images], ctx.a.image_shape)
    if images and not read:
        st.toast("These pictures cannot be read on this machine.")
        return
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
    name = boxed.add(own)
    known = st.session_state.get(_SCORES, {})
    values = {
        key: np.array([scores_of[image.row][key] for image, _ in read]) for key in shown.job.scores
    }
    st.session_state[_SCORES] = {
        **{other: each for other, each in known.items() if other in boxed.held()},
        name: (_whence(shown), values),
    }
    selection.keep([(name, number) for number in range(len(read))], len(images), chart)


def _whence(shown: Opened) -> tuple[str, str]:
    return shown.folder.root, identity(shown.job)


def scores(ctx: Context, shown: Opened, key: str) -> Floats:
    """A score of the current subset's images, as far as the folder's model and settings have it.

    NaN for an image that its density is fitted to.
    """
    handle = next((one for one in ctx.models if one.digest == shown.job.digest), None)
    picks = selection.current(ctx)
    found: list[Floats] = []
    taken = st.session_state.get(_SCORES, {})
    for name in dict.fromkeys(name for name, _ in picks):
        whence, known = taken.get(name, (None, {}))
        if whence == _whence(shown) and key in known:
            found.append(known[key][[number for other, number in picks if other == name]])
            continue
        if handle is None:
            continue
        evaluation = ctx.evaluation(handle, name)
        if evaluation is None or asdict(evaluation.settings) != dict(shown.job.settings):
            continue
        numbers = [number for other, number in picks if other == name and number < len(evaluation)]
        with suppress(HVAEError):  # a score of one's own, or one that lacks its material
            score = get_score(key, handle.n_levels)
            if "held_out" in score.needs and not _fitted_alike(ctx, handle, shown):
                continue
            material = richest(score, materials.materials(ctx, handle, {name: evaluation})[name])
            values = np.where(score.counted(material), score(material), np.nan)
            found.append(values[[number for number in numbers if number < len(values)]])
    return np.concatenate(found) if found else np.zeros(0)


def _fitted_alike(ctx: Context, handle: Handle, shown: Opened) -> bool:
    """Whether the pages fit a model's densities to the held-out images that the folder's are.

    Else their values are no scores beside the folder's. Raises ``MissingImages``.
    """
    name, fitted = validation_set(ctx.world), kept_fitted(shown.folder)
    if name is None or fitted is None:
        return False
    images, known = ctx.images(name, handle), ctx.evaluation(handle, name)
    if known is None or known.set_digest != images.digest:
        return False
    half = fitted_half(known.table)
    return fitted.digests == frozenset(np.array(images.image_digests(), np.uint64)[half].tolist())


def in_words(ctx: Context, values: Floats, at: float) -> None:
    """How many of the current subset are flagged, or why that cannot be said."""
    of = len(selection.current(ctx))
    if not of:
        return
    counted = int(np.isfinite(values).sum())
    if not len(values):
        panel.said(
            "The current subset has no scores here. Either the model of this folder has not "
            "evaluated these images under the same settings, or the score lacks what it reads. A "
            "score's density may also be fitted to other held-out images than in this folder.",
            note=True,
        )
    elif not counted:
        panel.said(
            "No image of the current subset counts: the density of this score is fitted to them, "
            "or they have no such score.",
            note=True,
        )
    else:
        count = int((values >= at).sum())
        rest = "" if counted == of else f", of {of:,} in all"
        panel.said(f"Of the **current subset**, {count:,} of {counted:,} images are flagged{rest}.")
