"""The current subset on the detection page: its AUROC, and subsets made by the threshold."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import partial
from typing import Any

import numpy as np
import pandas as pd
import streamlit as st

from hvae_core.common.words import area
from hvae_core.detection.metrics import auroc, auroc_interval
from hvae_core.figures import interval
from pages.ood.chosen import ScoredModel
from pages.ood.threshold import Placed
from pages.shared import selection, ui
from pages.shared.beside import grid
from pages.shared.selection import Selection
from pages.shared.state import Context

HELP = (
    "Area under the ROC curve with its DeLong 95 % interval, on all images of the subset: numbers "
    "on the two sides are not made equal. Where the subset holds no in-distribution image, all of "
    "that set stand against it."
)


def areas(ctx: Context, every: Sequence[ScoredModel], titles: Mapping[str, str]) -> None:
    """The AUROC of the chosen score on the current subset, a row a set and model."""
    picks = selection.current(ctx)
    if not picks or not every:
        return
    st.subheader("On the current subset", anchor=False, help=HELP)
    rows = [row for scored in every for row in area_rows(scored, picks, titles, ctx.in_name)]
    if not rows:
        st.caption("The current subset holds no image of the sets held against the model's own.")
        return
    ui.table(pd.DataFrame(rows), "subset", "AUROC on the current subset")


def area_rows(
    scored: ScoredModel, picks: Selection, titles: Mapping[str, str], in_name: str
) -> list[dict[str, object]]:
    """AUROC and numbers of images of each set of a subset, under one model."""
    inside = scored.inside[_rows(picks, in_name, scored)]
    if not len(inside):
        inside = scored.inside
    rows: list[dict[str, object]] = []
    for name, title in titles.items():
        values = scored.outs.get(name, np.zeros(0))
        outside = values[_rows(picks, name, scored)]
        if not len(outside):
            continue
        row: dict[str, object] = {"Set": title}
        if scored.model.letter:
            row["Model"] = scored.model.letter
        several = min(len(inside), len(outside)) > 1  # one image has no interval
        found = auroc_interval(inside, outside) if several else (auroc(inside, outside),)
        told = interval(*found) if several else area(found[0])
        rows.append(row | {"AUROC": told, "Images": len(outside), "Against": len(inside)})
    return rows


def takers(placed: Placed, drawn: Sequence[str]) -> None:
    """Buttons that make what a threshold flags, misses or flags wrongly the current subset."""
    judged = [(scored, at) for scored, at in placed if at is not None]
    for (scored, at), (place,) in zip(judged, grid(len(judged)), strict=True):
        letter = scored.model.letter
        with place.container(horizontal=True, vertical_alignment="center"):
            st.markdown(
                f"{f'**{letter}** ' if letter else ''}Take as subset, of the sets drawn:",
                width="content",
            )
            for words, picks, of in parted(scored, at.value, drawn):
                st.button(
                    f"{words} ({len(picks):,})", key=f"o_take_{words}_{letter}", type="tertiary",
                    on_click=partial(selection.keep, picks, of), disabled=not picks,
                )  # fmt: skip


def from_chart(chart: str, scored: ScoredModel, drawn: Sequence[str]) -> dict[str, Any]:
    """Options of a chart of scores in which a box takes the images that score within it."""

    key = selection.chart_key(chart)

    def told() -> None:
        boxes = st.session_state[key]["selection"]["box"]
        selection.keep(*within(scored, drawn, [sorted(box["x"]) for box in boxes]), chart)

    return {"key": key, "box": True, "on_select": told, "selection_mode": "box"}


def within(
    scored: ScoredModel, drawn: Sequence[str], spans: Sequence[Sequence[float]]
) -> tuple[Selection, int]:
    """The images of the drawn sets that score within one of the spans, and of how many."""
    sets = {name: values for name, values in scored.sets.items()
            if name in (scored.model.inside.set_name, *drawn)}  # fmt: skip
    picks = [
        (name, int(number))
        for name, values in sets.items()
        for number in scored.numbers[name][
            np.any([(values >= low) & (values <= high) for low, high in spans], axis=0)
        ]
    ]
    return picks, sum(map(len, sets.values()))


def parted(
    scored: ScoredModel, value: float, drawn: Sequence[str]
) -> list[tuple[str, Selection, int]]:
    """The drawn sets' images from a threshold up and below it, and the flagged ones inside."""
    outs = {name: scored.outs[name] for name in drawn if name in scored.outs}
    inside = {scored.model.inside.set_name: scored.inside}

    def those(sets: Mapping[str, np.ndarray], flagged: bool) -> tuple[Selection, int]:
        picks = [
            (name, int(number))
            for name, values in sets.items()
            for number in scored.numbers[name][(values >= value) == flagged]
        ]
        return picks, sum(map(len, sets.values()))

    return [
        ("flagged outsiders", *those(outs, True)),
        ("missed outsiders", *those(outs, False)),
        ("false alarms", *those(inside, True)),
    ]


def _rows(picks: Selection, name: str, scored: ScoredModel) -> np.ndarray:
    """Which scores of a set are those of images in a subset."""
    numbers = scored.numbers.get(name, np.zeros(0, np.int64))
    return np.flatnonzero(np.isin(numbers, [index for other, index in picks if other == name]))
