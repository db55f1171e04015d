"""Many images judged at once, each as one is: a table by p with pictures, the flagged to keep."""

from __future__ import annotations

import base64
import io
import zipfile
from collections.abc import Mapping
from pathlib import PurePosixPath
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
import streamlit as st
from numpy.typing import NDArray

from hvae_core.common.errors import MissingImages
from hvae_core.common.spreadsheet import csv_bytes
from hvae_core.common.words import listed, percent
from hvae_core.data.image_set import ImageSet, to_picture
from hvae_core.detection.combine import Correction, tied
from hvae_core.detection.judged_many import JudgedMany, judge_many
from hvae_core.detection.standard import PATH
from hvae_core.detection.verdict_words import scores_in_words
from hvae_core.evaluation.evaluation import Evaluation
from hvae_core.figures import png_bytes, symbol_text
from hvae_core.scores import get_score
from pages.image import subject
from pages.shared import bring, current, jobs, panel, saving, ui
from pages.shared.controls import among, select, set_titles
from pages.shared.state import Context

if TYPE_CHECKING:
    from streamlit.delta_generator import DeltaGenerator

KEY, NEXT = "i_batch", "i_batch_next"
MOST = 300
"""Rows of the table; the CSV file has all."""
LOOK_FOR = (
    "Each image is judged alone, as under *one image*, and the most unusual stand first. Of "
    "in-distribution images about as many are flagged as the rate of false alarms says. Tick a "
    "row, and its image becomes the current image, which every page shows."
)
SEVERAL = (
    "Each image is judged alone under each model, as under *one image*; its smallest p says where "
    "it stands. Flagged is what at least one model flags. Each model keeps its own rate of false "
    "alarms, so together they flag more in-distribution images than that. Tick a row, and its "
    "image becomes the current image, which every page shows."
)
TIES = (
    "Images of the same p are ordered by how far their most unusual score is from the median "
    "held-out image. That distance is counted in widths of the middle half of the held-out images."
)
Judged = Mapping[str, JudgedMany]
"""The images under each model, by its letter, which is "" where one model alone is chosen."""


def draw(ctx: Context, head: DeltaGenerator) -> None:
    """The choice of a set, its images judged under each model, and files of what is flagged."""
    titles = set_titles(ctx)
    chosen = st.session_state.pop(NEXT, None)
    if chosen in titles:
        st.session_state[KEY] = chosen
    among(KEY, titles)
    left, right = st.columns([1, 3], gap="large")
    with left:
        name = select("Images", titles, key=KEY, first=(*ctx.out_names, ctx.in_name)[0])
        with st.expander("Open files, a folder or a zip"):
            bring.field(ctx.data_root or "", key="i_own", then=_choose)
        alpha, correction = subject.rate()
    with right:
        shown, judged = _judged(ctx, name, alpha, correction=correction)
        if shown is not None:
            with head:
                look_for = SEVERAL if len(judged) > 1 else LOOK_FOR
                ui.header(claim(judged, ui.plain(ctx.title(name)), alpha), look_for)
            _draw(ctx, shown, judged, alpha)
            for note in dict.fromkeys(one.note for one in judged.values() if one.note):
                st.caption(note)
            if (seen := _seen(judged)).any():
                st.caption(
                    f"Not counted: {int(seen.sum()):,} images that the density of the path "
                    "is fitted to, which finds them more usual than new ones. They stand in the "
                    "table, not ticked under Counted, and not in the files of the flagged."
                )
            return
    with head:
        ui.header("Which images?", LOOK_FOR, "Choose a set at the left, or open files.")


def _judged(
    ctx: Context, name: str, alpha: float, *, correction: Correction
) -> tuple[Evaluation | None, dict[str, JudgedMany]]:
    """The set's images under each model that has evaluated it, and the first such evaluation."""
    first: Evaluation | None = None
    judged: dict[str, JudgedMany] = {}
    names = list(dict.fromkeys([ctx.reference_name, name]))
    for letter, handle in ctx.lettered:
        with ui.in_place():
            found = jobs.evaluations(ctx, handle, names, name_missing=handle is ctx.a)
            reference, shown = found.get(ctx.reference_name), found.get(name)
            if reference is None or shown is None:
                continue
            if first is not None and len(shown) != len(first):
                st.caption(
                    f"{letter} is left out: it has judged {len(shown):,} images of this set, and "
                    f"the models before it {len(first):,}."
                )
                continue
            under = judge_many(shown.table, reference.table, alpha, correction=correction)
            judged[ctx.letter(handle)] = under
            first = first or shown
    return first, judged


def claim(judged: Judged, title: str, alpha: float) -> str:
    """How many of the images that count are flagged, under each model and by at least one."""
    new = ~_seen(judged)
    by = {letter: one.flagged(alpha) & new for letter, one in judged.items()}
    of, rate = int(new.sum()), f"{percent(alpha)} false alarms"
    any_of = int(np.any([*by.values()], axis=0).sum())
    if len(judged) == 1:
        letter = next(iter(judged))
        said = f"{any_of:,} of {of:,} images of {title} are flagged at {rate}"
        return f"{letter}: {said}" if letter else said
    each = listed([f"{letter} flags {int(flags.sum()):,}" for letter, flags in by.items()])
    return f"{each} of {of:,} images of {title} at {rate}; together they flag {any_of:,}"


def _seen(judged: Judged) -> NDArray[np.bool_]:
    """Which images the density of some model's path is fitted to (N,)."""
    seen: NDArray[np.bool_] = np.any([one.seen for one in judged.values()], axis=0)
    return seen


def _choose(names: list[str]) -> None:
    """What was just opened is judged next."""
    if names:
        st.session_state[NEXT] = names[-1]


def _draw(ctx: Context, shown: Evaluation, judged: Judged, alpha: float) -> None:
    """The table and its files; pictures as far as they are on this machine."""
    try:
        images: ImageSet | None = ctx.images(shown.set_name)
    except MissingImages as error:
        ui.not_here([str(error)], st.info)
        images = None
    frame = table(shown, judged, alpha)
    some = frame.head(MOST)
    if images is not None:
        some = some.assign(Picture=[_as_url(images, int(i)) for i in some["Number"]])
        some = some[["Picture", *frame.columns]]
    if not any(shown.files):
        some = some.drop(columns="File")
    if not _seen(judged).any():
        some = some.drop(columns="Counted")
    columns: dict[str, Any] = {
        name: st.column_config.NumberColumn(format="%.4g")
        for name in frame.columns[list(frame.columns).index("Counted") + 1 :]
    }
    for name in (_named("p", letter) for letter in judged):
        columns[name] = st.column_config.ProgressColumn(
            min_value=0.0, max_value=1.0, format="%.3g", color="#8A929C"
        )
    columns["Picture"] = st.column_config.ImageColumn("", width=56)
    panel.shown("image-many", "Judged images, the most unusual first", frame, columns=columns)
    key, numbers = f"i_table_{shown.set_name}", some["Number"].tolist()

    def ticked() -> None:
        """The image of a row that is ticked is the current one, on every page."""
        for row in st.session_state[key].selection.rows:
            if row < len(numbers):
                current.take((shown.set_name, int(numbers[row])))

    picked = st.dataframe(
        some, hide_index=True, height=560, row_height=44, key=key,
        on_select=ticked, selection_mode="single-row", alt="Judged images by p",
        column_config=columns,
    )  # fmt: skip
    rows = picked.selection.rows
    if rows and rows[0] < len(some):
        number = int(some["Number"].iloc[rows[0]])
        st.button(
            f"Open number {number}", key="i_open", on_click=_open,
            args=((shown.set_name, number),),
            icon=":material/arrow_forward:",
        )  # fmt: skip
    some_of = f"The {MOST} most unusual of {len(frame):,} images; the file has all. "
    st.caption((some_of if len(frame) > MOST else "") + TIES)
    with st.container(horizontal=True):
        saving.csv_button(lambda: frame, f"judged-{shown.set_name}", "All, with p (CSV)")
        out = called_out(frame)
        if len(out):
            saving.csv_button(lambda: out, f"flagged-{shown.set_name}", "Flagged (CSV)")
            if images is not None:
                here = images
                saving.zip_button(
                    lambda: archive(here, out), f"flagged-{shown.set_name}", "Flagged (ZIP)"
                )


def _open(spot: current.Spot) -> None:
    """That image as the current one, and as the one image of the page."""
    st.session_state.update({"i_view": subject.VIEWS[0], "i_from": "set"})
    current.take(spot)


def table(shown: Evaluation, judged: Judged, alpha: float) -> pd.DataFrame:
    """A row an image, by its smallest p: number, file, and under each model its p and verdict.

    Of images of one p that stands first which lies farther from the held-out images. With p stands
    what differs the most. Of several models "Flagged" is what at least one flags. No image counts
    that the density of the path is fitted to. The scores of the verdicts follow.
    """
    every = np.stack([np.where(np.isnan(one.p), np.inf, one.p) for one in judged.values()])
    apart = np.stack([np.nan_to_num(one.apart) for one in judged.values()])
    smallest = every.min(axis=0)
    order = np.lexsort((-np.where(every == smallest, apart, 0.0).max(axis=0), smallest))
    files = shown.files or ("",) * len(shown)
    columns: dict[str, object] = {"Number": order, "File": [files[i] for i in order]}
    why: dict[str, object] = {}
    scores: dict[str, object] = {}
    for letter, one in judged.items():
        known = ~np.isnan(one.p)
        columns[_named("p", letter)] = one.p[order]
        why[_named("Most unusual", letter)] = [
            _most(one, i) if known[i] else "not finite" for i in order
        ]
        if len(judged) > 1:
            columns[_named("Flagged", letter)] = one.flagged(alpha)[order]
        for column, key in enumerate(one.keys):
            symbol = symbol_text(get_score(key, sum(key != PATH for key in one.keys)).symbol)
            scores[_named(symbol, letter)] = one.scores[order, column]
    why["Flagged"] = np.any([one.flagged(alpha) for one in judged.values()], axis=0)[order]
    why["Counted"] = ~_seen(judged)[order]
    return pd.DataFrame(columns | why | scores)


def _named(what: str, letter: str) -> str:
    return f"{what} {letter}".rstrip()


def called_out(frame: pd.DataFrame) -> pd.DataFrame:
    """The rows of ``table`` that the title counts as flagged: what its files hold."""
    return frame[frame["Flagged"] & frame["Counted"]]


def _most(judged: JudgedMany, number: int) -> str:
    """What is the most unusual of an image: several where they tie."""
    return listed(scores_in_words(judged.keys, tied(judged.p_values[number]), short=True))


def archive(images: ImageSet, rows: pd.DataFrame) -> bytes:
    """A ZIP of the pictures of these rows as PNG, by p, under their files' names, and the table."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_STORED) as file:
        file.writestr("flagged.csv", csv_bytes(rows))
        for rank, (number, name) in enumerate(zip(rows["Number"], rows["File"], strict=True), 1):
            stem = PurePosixPath(str(name).replace("\\", "/")).stem or f"{images.name}-{number}"
            safe = "".join(sign if sign.isalnum() or sign in "-_ ." else "_" for sign in stem)
            picture = png_bytes(to_picture(images.images[int(number)]))
            file.writestr(f"{rank:04d}-{safe[:80]}.png", picture)
    return buffer.getvalue()


def _as_url(images: ImageSet, number: int) -> str:
    """A picture as a data URL, as the table shows it."""
    data = png_bytes(to_picture(images.images[number]))
    return "data:image/png;base64," + base64.b64encode(data).decode()
