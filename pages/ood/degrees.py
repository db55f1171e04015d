"""Shift by degrees on the detection page: which level sees which change, from stored curves."""

from __future__ import annotations

from collections.abc import Sequence

import streamlit as st
from streamlit.delta_generator import DeltaGenerator

from hvae_core.common.ladders import LADDERS
from hvae_core.common.places import COMMAND
from hvae_core.common.words import listed
from hvae_core.detection.by_degree import ByDegree, Change, first_seen, shipped
from hvae_core.detection.standard import PATH
from hvae_core.figures.by_degree import AREA, SHARE, degree_curves
from pages.ood import code
from pages.ood.models import ModelDetection
from pages.shared import panel, ui
from pages.shared.beside import grid
from pages.shared.controls import one_of
from pages.shared.state import Context, colors

SEEN = 0.75
"""AUROC from which on a change counts as seen."""
HELP = (
    "Images of the model's own set are changed by degrees and held against what they were. AUROC "
    "tells the two apart: 0.5 where nothing is changed. Flagged is the share of changed images "
    "above the threshold that 5 % of held-out images pass: of a change that a person would not "
    "mind, these are false alarms. Path and verdict are those of the page One image: the path is "
    "how usual the terms of all bounds are together."
)


@ui.fragment
def draw(ctx: Context, detected: Sequence[ModelDetection]) -> None:
    """A chart of areas and one of shares for the chosen change, and in words who sees it."""
    known = [(model, shipped(model.handle.name, model.handle.digest)) for model in detected]
    st.subheader("Shift by degrees", anchor=False, help=HELP)
    names = {ladder.title: name for name, ladder in LADDERS.items()}
    if any(found for _, found in known):
        chosen = names[one_of("Change", list(names), "Rotation", key="o_change")]
    shown = [(model, found) for model, found in known if found is not None]
    for model, found in known:
        if found is None:
            st.caption(
                f"`{COMMAND} shift {model.handle.name} --chart shift.html` computes these "
                f"curves for {ui.plain(model.handle.title)}."
            )
    alone = len(shown) < 2
    rows = [(st.container(), *st.columns(2, gap="large"), st.container())] if alone else []
    for (model, found), places in zip(shown, rows or grid(len(shown), 4), strict=False):
        change = next((c for c in found.changes if c.name == chosen), None)
        if change is not None:
            _change(ctx, found, change, model=model, places=places)


def _change(
    ctx: Context,
    found: ByDegree,
    change: Change,
    *,
    model: ModelDetection,
    places: tuple[DeltaGenerator, ...],
) -> None:
    """Both charts of one change, and who sees it."""
    ladder = LADDERS[change.name]
    head, *charts, foot = places
    with head, ui.of_model(ctx, model.handle):
        panel.said(in_words(change), f"By degrees: {ladder.axis}")
    halves = ((AREA, change.areas, 0.5), (SHARE, change.shares, 100 * found.alpha))
    for place, (title, values, chance) in zip(charts, halves, strict=True):
        figure = degree_curves(
            change.degrees, values, colors(), x_title=ladder.axis, y_title=title, chance=chance
        )
        with place, panel.view().under(model.letter), ui.in_place():
            kind = "auroc" if title == AREA else "flagged"
            alt = f"{title} of every level against {ladder.axis}"
            key = f"o_degree_{kind}{model.index}"
            made = code.by_degree(
                ctx, model, change, found.command, areas=title == AREA, alpha=found.alpha
            )
            ui.chart(figure, f"shift-{change.name}-{kind}", alt, key=key, code=made)
    foot.caption(
        f"{found.images:,} images, threshold by {found.references:,} held-out ones, S = "
        f"{found.samples}, {found.date}: `{found.command}`."
    )


def in_words(change: Change) -> str:
    """Which scores see a change, and from what degree on; the first to see it first."""
    unit = LADDERS[change.name].axis.partition("(")[2].rstrip(")")
    seen = first_seen(change, SEEN)
    by_degree: dict[float, list[str]] = {}
    for key, degree in sorted(seen.items(), key=lambda item: item[1] or 0):
        if degree is not None:
            by_degree.setdefault(degree, []).append(_symbol(key))
    parts = [f"{listed(names)} from {degree:g} {unit} on" for degree, names in by_degree.items()]
    blind = [_symbol(key) for key, degree in seen.items() if degree is None]
    title = LADDERS[change.name].title
    if not parts:
        return f"{title} is seen by none of them (AUROC {SEEN:g} or more)."
    text = f"{title} is seen (AUROC {SEEN:g} or more) by {'; by '.join(parts)}"
    return f"{text}; not by {listed(blind)}." if blind else f"{text}."


def _symbol(key: str) -> str:
    """A score in a sentence."""
    if key == "verdict":
        return "the verdict"
    if key == PATH:
        return "the path"
    if key == "elbo":
        return r"$-\mathcal{L}$"
    sub = key.removeprefix("llr_")
    below = f">{sub}" if sub.isdigit() else rf"\mathrm{{{sub}}}"
    return rf"$\mathrm{{LLR}}_{{{below}}}$"
