"""Scored folders: a folder of scores by the million, held against a reference, from its summary."""

from __future__ import annotations

import shlex
from html import escape
from pathlib import PurePath
from typing import TYPE_CHECKING

import streamlit as st

from hvae_core.common.deployment import public
from hvae_core.common.errors import HVAEError
from hvae_core.common.places import COMMAND
from hvae_core.detection.many.sketch import Sketch, area, flags_from
from hvae_core.detection.metrics import roc_curve
from hvae_core.figures import Curve, densities, fmt, percent, roc, symbol_html, symbol_text
from hvae_core.scores import Score, get_score
from pages.many import code, folders, taken, unusual
from pages.many.folders import Measure, Opened
from pages.shared import command, panel, program, ui
from pages.shared.controls import among
from pages.shared.state import colors, context

if TYPE_CHECKING:
    from streamlit.delta_generator import DeltaGenerator

ctx = context()
ALARMS = [0.1, 0.2, 0.5, 1.0, 2.0, 5.0, 10.0, 20.0, 50.0]  # percent
LOOK_FOR = (
    "Look for orange to the right of the threshold: images that this score finds more unusual than "
    "nearly all images of the reference."
)
NO_MEASURE = "Below are the most unusual images. How unusual they are is told by a reference."


def fields() -> tuple[str, str]:
    """The folder of the scores, and that of the reference, if another is wanted."""
    left, right = st.columns(2)
    given = left.text_input(
        "Folder of scores", key="m_folder", bind="query-params",
        help=f"What `{COMMAND} score` wrote with --out: a path, or a URL as s3://bucket/run.",
    )  # fmt: skip
    other = right.text_input(
        "Compared with", key="m_reference", bind="query-params",
        placeholder="optional: another folder of scores",
        help="The reference: a folder of scores of in-distribution images. Without one, held-out "
        "images of the model are the reference, once they are scored.",
    )  # fmt: skip
    return given.strip(), other.strip()


def named(job_levels: int, key: str) -> tuple[str, str, str]:
    """Symbol in LaTeX, unit and name of a score; one of somebody's own is its key."""
    try:
        score: Score = get_score(key, job_levels)
    except HVAEError:
        return f"\\text{{{key}}}", "", key
    return score.symbol, score.unit, score.name


def choose(shown: Opened, measure: Measure | None) -> tuple[str, float]:
    """The score, and the rate of false alarms."""
    keys = [key for key, one in shown.summary.scores.items() if one.n]
    among("m_score", keys)
    first = next((key for key in keys if key == "llr_1"), keys[0])
    left, right = st.columns([2, 3], gap="large")
    levels = shown.job.levels
    key = left.selectbox(
        "Score", keys, keys.index(first), key="m_score", bind="query-params",
        format_func=lambda key: f"{symbol_text(named(levels, key)[0])} · {named(levels, key)[2]}",
        help="Higher means more out of distribution.",
    )  # fmt: skip
    alarm = 5.0
    if measure is not None:
        alarm = right.select_slider(
            "False alarms on the reference", ALARMS, alarm, lambda rate: f"{rate:g} %",
            key="m_alarm", bind="query-params",
        )  # fmt: skip
    return key, alarm / 100


def claim(shown: Opened, key: str, at: float | None, *, alpha: float) -> str:
    """The title."""
    outside = shown.summary.scores[key].sketch
    if at is None:
        return f"{outside.n:,.0f} images are scored by {ui.plain(shown.job.model)}"
    share = outside.at_least(at) / outside.n
    return (
        f"{percent(share)} of {outside.n:,.0f} images are flagged at {percent(alpha)} false alarms"
    )


def view_of(
    shown: Opened, measure: Measure | None, key: str, *, alpha: float, other: bool
) -> code.View:
    """What the programs say of the view; sources are named without the folders above them."""
    symbol, unit, _ = named(shown.job.levels, key)
    title, against = (
        escape(PurePath(source).name or source)
        for source in (shown.job.source, "" if measure is None else measure.title)
    )
    return code.View(key, alpha, symbol_html(symbol), unit, title, against=against, other=other)


def charts(shown: Opened, measure: Measure, view: code.View, *, at: float | None) -> None:
    """Densities of both, and the ROC curve with its area."""
    key = view.key
    outside, inside = shown.summary.scores[key].sketch, measure.sketches[key]
    draw_in, draw_out = inside.sample(), outside.sample()
    left, right = st.columns([3, 2], gap="large")
    with left, ui.in_place():
        figure = densities(
            draw_in, [(view.title, draw_out)], colors(), symbol=view.symbol, unit=view.unit,
            in_name=view.against, threshold=at, height=380,
        )  # fmt: skip
        made = code.density(ctx, view, threshold=at is not None, height=380)
        alt = "Densities of the score, reference and images"
        taking = taken.from_chart(ctx, "many-density", shown, key)
        ui.chart(figure, "many-density", alt, code=made, **taking)
        st.caption(
            f"A box takes images of the folder that score within, the first {taken.MOST} at most, "
            "as the current subset."
        )
    with right, ui.in_place():
        found = area(inside, outside)
        points = roc_curve(draw_in, draw_out)
        curve = Curve(view.title, points.x, points.y, found.value, low=found.low, high=found.high)
        made = code.curve(ctx, view)
        ui.chart(roc([curve], colors()), "many-roc", "ROC curve with its area", code=made)
        exact = "exact" if not found.error else f"within {found.error:.1g} of the exact area"
        st.caption(f"In the legend: AUROC with 95 % interval, {exact}.")


def rates(outside: Sketch, at: float, unit: str) -> None:
    """How many images are flagged, in words."""
    count = outside.at_least(at)
    about = f", to within {outside.error:,.0f}" if outside.error else ""
    panel.said(
        f"Flagged are images that score **{fmt(at, unit)}** or more: **{count:,.0f}** of "
        f"{outside.n:,.0f}{about}."
    )


def details(shown: Opened, view: code.View, reference: Sketch | None) -> None:
    """The most unusual images, the errors, and how to have every flagged row."""
    key = view.key
    symbol = symbol_text(named(shown.job.levels, key)[0])
    images = shown.summary.scores[key].unusual
    st.subheader("The most unusual images", anchor=False)
    with ui.in_place():
        unusual.pictures(ctx, shown.job, images, key)
    frame = unusual.table(images, symbol, reference)
    formats = {symbol: "%.4g", "p": "%.3g"}
    place = f"m_unusual_{key}"

    def ticked() -> None:
        rows = st.session_state[place].selection.rows
        if rows and rows[0] < len(images):
            unusual.take(ctx, shown.job, images[rows[0]])

    ui.table(
        frame, "unusual", "The most unusual images",
        code=code.unusual(ctx, view, against=reference is not None), height=320, key=place,
        on_select=ticked, selection_mode="single-row",
        column_config={
            name: st.column_config.NumberColumn(format=text) for name, text in formats.items()
        },
    )  # fmt: skip
    st.caption("Tick a row, and its image is the current one, which every page shows.")
    unusual.write_button(frame)
    if shown.summary.failed:
        with st.expander(f"{shown.summary.failed:,} images were not scored"):
            st.dataframe(unusual.errors(shown.summary), hide_index=True, alt="Errors")
    if shown.summary.repeated:
        with st.expander(f"{shown.summary.repeated:,} images repeat an earlier one"):
            st.dataframe(unusual.repeats(shown.summary), hide_index=True, alt="Repeated images")
    st.caption("All flagged images, by all levels at once, as a file:")
    words = f"{COMMAND} flag {shlex.quote(shown.folder.given)} --flagged flagged.csv"
    command.draw(words, "flag")


def none_open() -> None:
    """The head of the page without a folder."""
    ui.header(
        "No folder of scores is open",
        "Score images by the million on the command line, then name the folder here.",
    )


def draw(given: str, other: str, head: DeltaGenerator) -> None:
    """The page of a folder, its claim in the place above the fields."""
    try:
        shown = folders.opened(given)
    except HVAEError:
        with head:
            none_open()
        raise
    if shown is None:
        with head:
            ui.header(
                "The parts of this folder are not read yet", "Read them once; the summary is kept."
            )
        return
    if not any(one.n for one in shown.summary.scores.values()):
        with head:
            ui.header("No image of this folder has a score", "The errors are listed below.")
        st.dataframe(unusual.errors(shown.summary), hide_index=True, alt="Errors")
        return
    measure: Measure | None = None
    with ui.in_place():
        measure = folders.against_folder(shown, other) if other else folders.against_held_out(shown)
    key, alpha = choose(shown, measure)
    reference = None if measure is None else measure.sketches.get(key)
    view = view_of(shown, measure, key, alpha=alpha, other=bool(other))
    outside, at = shown.summary.scores[key].sketch, None
    if measure is not None and reference is None:
        st.caption("The reference lacks this score; choose another one.")
    if reference is not None:
        with ui.in_place():
            at = flags_from(reference, alpha)
    with head:
        ui.header(claim(shown, key, at, alpha=alpha), NO_MEASURE if at is None else LOOK_FOR)
        there, of = len(shown.summary.parts), shown.job.parts
        if of is not None and there < of:
            st.caption(f"{there:,} of {of:,} parts are read; the others are yet to be scored.")
    if measure is not None and reference is not None:
        charts(shown, measure, view, at=at)
    if at is not None:
        rates(outside, at, named(shown.job.levels, key)[1])
        taken.in_words(ctx, taken.scores(ctx, shown, key), at)
    details(shown, view, reference)


if public():
    st.error("Folders of this machine are not opened on a public server.")
else:
    top = st.container()
    folder, against = fields()
    if folder:
        draw(folder, against, top)
    else:
        with top:
            none_open()
        model = shlex.quote(program.name_of(ctx.a))
        command.draw(f"{COMMAND} score my-images --model {model} --out scored", "score")
