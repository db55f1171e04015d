"""The held-out images nearest to this one, layer by layer: by the means of q(z | x)."""

from __future__ import annotations

import numpy as np
import streamlit as st

from hvae_core.common.arrays import Floats
from hvae_core.common.errors import MissingImages
from hvae_core.common.words import listed, percent
from hvae_core.evaluation.evaluation import STORED_UNITS, Evaluation
from hvae_core.figures import StripRow, strip, strip_cells
from hvae_core.probes.neighbours import nearest, own_distances
from pages.image import code, scores
from pages.image.one_image import OneImage
from pages.image.subject import JudgedImage
from pages.shared import clickable, panel, saving, ui
from pages.shared.current import Spot
from pages.shared.kept import by_content
from pages.shared.remembered import remembered
from pages.shared.state import Context, colors

COUNT = 5
HEADS = ("this image", "nearest", "2nd", "3rd", "4th", "5th")
HELP = (
    "In each layer the image stands at the mean of its posterior. Shown are the held-out images "
    "that stand nearest there, with the Euclidean distance. An image may be near in one layer and "
    "far in another. A click makes one the current image."
)


def draw(ctx: Context, judged: JudgedImage, image: OneImage, letter: str) -> None:
    """A row a layer: the nearest held-out images with their distances, and how far that is."""
    handle, reference = judged.handle, judged.reference
    if reference is None:
        st.caption("There is no reference yet to look for neighbours in.")
        return
    shown = image.at(handle)
    _, means = scores.evaluated(handle, shown, reference.settings)
    try:
        pictures = ctx.images(reference.set_name, handle)
    except MissingImages as error:
        ui.not_here([str(error)], st.info)
        return
    rows: list[StripRow] = []
    spots: list[Spot] = []
    sentences: list[str] = []
    wide: list[str] = []
    for i, name in enumerate(handle.names):
        known = reference.latents[i]
        if not known.shape[1]:
            wide.append(name)
            continue
        index, distance = nearest(means[i], known, COUNT)
        cells = [shown.images[0], *pictures.images[index[0]]]
        rows.append(StripRow(name, cells, [None, *map(float, distance[0])], out=None))
        spots += [(reference.set_name, int(number)) for number in index[0]]
        beyond = float((_own(reference, i) < distance[0, 0]).mean())
        sentences.append(f"{percent(beyond)} of them in {name}")
    if rows:
        heads = HEADS[: len(rows[0].images)]
        scale = 2 if len(ctx.models) > 1 else 3
        picture = remembered(
            strip, rows, heads, scale=scale, unit="", underlined=False, colors=colors()
        )
        alt = "Nearest held-out images by layer"
        places = strip_cells(rows, heads, scale=scale, unit="")
        boxes = [box for row in places for box in row[1:]]
        clickable.picture(
            ctx, picture, alt, key=f"i_near_{letter}", spots=spots, boxes=boxes, scrolls=True,
            most=picture.width,
        )  # fmt: skip
        made = code.near(
            ctx, handle, image, reference=reference.set_name, heads=len(heads), scale=scale
        )
        saving.picture_button(picture, f"image-near-{letter}", alt=alt, code=made)
        panel.said(
            ui.plain(
                "Held-out images whose nearest other held-out image is closer than that of this "
                f"image: {listed(sentences)}."
            ),
            note=True,
        )
    if wide:
        st.caption(
            ui.plain(
                f"Not shown: {listed(wide)}, of more than {STORED_UNITS} units, whose means are "
                "not kept."
            )
        )


@by_content(64)
def _own(reference: Evaluation, layer: int) -> Floats:
    """Distances of the held-out images to their nearest other one in a layer."""
    return own_distances(np.asarray(reference.latents[layer], dtype=np.float64))
