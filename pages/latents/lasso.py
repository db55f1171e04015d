"""The lassoed images: kept for every page, named in words, shown, sent on and saved."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence

import numpy as np
import streamlit as st

from hvae_core.data.image_set import ImageSet
from hvae_core.data.readers.npz import npz_bytes
from hvae_core.evaluation.evaluation import Evaluation, class_of
from hvae_core.figures import tile, tile_boxes
from pages.latents import cloud, code
from pages.latents.points import Points
from pages.shared import clickable, current, image_names, panel, saving, selection, ui
from pages.shared.selection import Selection, spread
from pages.shared.state import Context, colors
from pages.shared.store import Handle

SHOWN = 60
"""Pictures in the strip; the words count all."""


def keep(points: Points, rows: Sequence[int], chart: str = "") -> None:
    """Make rows of the map, a chart of Plotly's, the selection of this session: (set, index)."""
    inside = sorted({row for row in rows if 0 <= row < len(points)})
    selection.keep(
        [(points.set_names[points.sets[row]], int(points.indices[row])) for row in inside],
        of=len(points),
        chart=chart,
    )


def taken(key: str, chart: str, points: Points) -> None:
    """Keep what the lasso took; a double click on the map clears it."""
    inside = st.session_state[key]["selection"]["points"]
    keep(points, [int(np.ravel(point["customdata"])[0]) for point in inside], chart)


def look_at(points: Points, row: int) -> None:
    """Make a row of the map the current image."""
    if 0 <= row < len(points):
        current.take((points.set_names[points.sets[row]], int(points.indices[row])))


def kept(ctx: Context, evaluations: Mapping[str, Evaluation]) -> Selection:
    """The session's selection, as far as these evaluations know its images."""
    return [
        (name, index)
        for name, index in selection.current(ctx)
        if name in evaluations and 0 <= index < len(evaluations[name])
    ]


def in_words(
    picks: Selection,
    total: int,
    titles: Mapping[str, str],
    evaluations: Mapping[str, Evaluation],
) -> list[str]:
    """How many were taken, then a line a set with its classes, the commonest first."""
    lines = [f"**{len(picks):,} of {total:,} selected**"]
    for name in dict.fromkeys(name for name, _ in picks):
        indices = [index for other, index in picks if other == name]
        classes = Counter(class_of(evaluations[name], index) for index in indices)
        common = [pair for pair in classes.most_common(5) if pair[0]]
        if len(classes) > 5:
            # Where every image has a class of its own, names of classes fill the page for nothing.
            common = [pair for pair in common if pair[1] > 1]
        parts = [f"{count}\u00a0×\u00a0{ui.plain(label)}" for label, count in common]
        rest = len(classes) - len(parts)
        if rest > 1:
            parts.append(f"{rest} {'more ' if parts else ''}classes")
        listed = f": {', '.join(parts)}" if parts else ""
        lines.append(f"{ui.plain(titles[name])} {len(indices)}{listed}")
    return lines


def beside(
    ctx: Context,
    total: int,
    evaluations: Mapping[str, Evaluation],
    pictures: Mapping[str, ImageSet],
    *,
    handle: Handle,
    outlined: bool = True,
) -> None:
    """Draw the selection beside the map: words, pictures, and where they can go.

    ``outlined`` is whether the map itself still shows what was taken: it forgets that when it is
    drawn anew, as on coming back from another page, and the selection stays.
    """
    picks = kept(ctx, evaluations)
    if not picks:
        st.markdown("**Nothing selected**")
        st.caption("Draw a lasso round points of the map: their images appear here.")
        return

    def class_in(name: str, index: int) -> str:
        return class_of(evaluations[name], index)

    titles = {name: ctx.title(name) for name in evaluations}
    said = "  \n".join(in_words(picks, total, titles, evaluations=evaluations))
    panel.said(said, "The current subset")
    if not outlined:
        st.caption("Selected elsewhere, on another map or by a link: this map shows no outline.")
    st.button(
        "Clear selection",
        on_click=_clear,
        icon=":material/close:",
        type="tertiary",
    )
    visible = [pick for pick in picks if pick[0] in pictures]
    if visible:
        _strip(ctx, visible, pictures, class_in, handle=handle)
    else:
        st.caption("Their images are not on this machine; see *Images* in the sidebar.")
    some = spread(picks, image_names.MOST, class_in)
    rows = [image_names.name_of(*pick) for pick in some]
    ui.link("reconstructions", "Send to Reconstructions", {f"r_rows_{ctx.world.key}": rows})
    first = {"i_from": "selection", "i_pick": "0"}
    ui.link("image", "Judge the first in One image", first)
    if visible:
        _save(visible, pictures)


def _clear() -> None:
    selection.keep([])
    cloud.clear()


def _save(visible: Selection, pictures: Mapping[str, ImageSet]) -> None:
    st.download_button(
        "Save subset (.npz)", data=lambda: as_file(visible, pictures), file_name="selection.npz",
        mime="application/octet-stream", on_click="ignore", icon=":material/download:",
        width="stretch", help="Images and labels; the sidebar opens such a file as a set of your "
        "own.",
    )  # fmt: skip


def _strip(
    ctx: Context,
    visible: Selection,
    pictures: Mapping[str, ImageSet],
    class_in: Callable[[str, int], str],
    *,
    handle: Handle,
) -> None:
    some = set(spread(visible, SHOWN, class_in))
    shown = [pick for pick in visible if pick in some]
    pixels = np.stack([pictures[name].images[index] for name, index in shown])
    size = pixels.shape[2:]
    laid = {"columns": 6, "scale": max(1, round(36 / size[0])) + 1, "gap": 3}
    picture, alt = tile(pixels, **laid, colors=colors()), f"{len(shown)} selected images"
    clickable.picture(
        ctx,
        picture,
        alt,
        key="l_strip",
        spots=shown,
        boxes=tile_boxes(len(shown), size, **laid),
    )
    if len(visible) > SHOWN:
        st.caption(f"{len(shown)} of {len(visible):,}, of every set and class.")
    made = code.pictures(ctx, handle, shown, **laid)
    saving.picture_button(picture, "latents-selection", alt=alt, code=made)


def as_file(visible: Selection, pictures: Mapping[str, ImageSet]) -> bytes:
    """The selected images as an .npz that the loader of sets reads back."""
    names: dict[str, int] = {}
    labels = []
    for name, index in visible:
        label = pictures[name].labels[index]
        title = f"{name}: {pictures[name].class_names[label]}" if label >= 0 else ""
        labels.append(names.setdefault(title, len(names)) if title else -1)
    pixels = np.stack([pictures[name].images[index] for name, index in visible])
    files = [pictures[name].file(index) or image_names.name_of(name, index)
             for name, index in visible]  # fmt: skip
    subset = ImageSet(
        "selection",
        "Selection",
        pixels,
        labels=np.array(labels),
        class_names=tuple(names),
        files=tuple(files),
    )
    return npz_bytes(
        subset,
        sets=np.array([name for name, _ in visible]),
        indices=np.array([index for _, index in visible]),
    )
