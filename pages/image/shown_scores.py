"""Scores of one image on the page: the deciding ones large, all of them as a table, folded."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd
import streamlit as st

from hvae_core.common.words import capital
from hvae_core.detection.objections import deciding
from hvae_core.detection.verdict import Reading
from hvae_core.figures import fmt, reference_density, symbol_html, symbol_text
from pages.image import code, scores
from pages.image.code import BOTH_ENDS
from pages.image.one_image import OneImage
from pages.image.subject import JudgedImage
from pages.shared import ui
from pages.shared.program import Code
from pages.shared.remembered import remembered
from pages.shared.state import Context, colors

HEIGHT = 230
"""Of a density that decides."""


def decisive(
    ctx: Context, judged: JudgedImage, image: OneImage, *, suffix: str, width: int
) -> None:
    """The two or three densities that decide the verdict, each so many pixels wide."""
    if judged.judgement is None or judged.reference is None or judged.standard is None:
        return
    name = judged.reference.set_name
    shown = deciding(judged.judgement, judged.readings)
    row = st.container(horizontal=True, gap="large" if width > 300 else "small")
    for reading, p_value in shown:
        with row.container(width=width, gap="small"), ui.in_place():
            made = code.density(
                ctx, judged.handle, image, reading, standard=judged.standard, p_value=p_value,
                reference=name, height=HEIGHT,
            )  # fmt: skip
            _density(reading, p_value, suffix, made=made)


def _density(reading: Reading, p_value: float, suffix: str, *, made: Code) -> None:
    """One score in the reference's density, with its p-value in the verdict."""
    score, value = reading.score, reading.value
    if value is None or reading.reference is None:
        return
    st.markdown(ui.plain(capital(score.name)))
    figure = remembered(
        reference_density,
        reading.reference,
        value,
        p_value,
        colors=colors(),
        symbol=symbol_html(score.symbol),
        unit=score.unit,
        height=HEIGHT,
        both=score.key == BOTH_ENDS,
    )
    alt = f"{score.name}: {fmt(value, score.unit)}, p = {fmt(p_value)}"
    ui.chart(figure, f"image-{score.key}{suffix}", alt, code=made)
    if reading.error is not None:
        st.caption(f"± {fmt(reading.error, 'nats')} of sampling noise")


def folded(ctx: Context, image: OneImage, judged: JudgedImage, letter: str) -> None:
    """Every score as a table, and jobs for those that are not there yet, each in its panel."""
    alone = len(ctx.models) == 1
    who = "" if alone else f" for {letter}"
    with st.expander(f"All {len(judged.readings)} scores{who}", expanded=judged.judgement is None):
        st.dataframe(
            table(judged.readings),
            hide_index=True,
            alt="Every score of this image with its p-value",
            key=f"i-scores-{letter}",
            column_config={
                "p": st.column_config.ProgressColumn(
                    "p", min_value=0.0, max_value=1.0, format="%.3g", color="#8A929C",
                    help="Share of held-out images that score as high or higher; a short bar is "
                    "an unusual score. Of −L the verdict takes both ends, too low and too high.",
                )
            },
        )  # fmt: skip
        st.caption(
            "Grey bars: p, the share of held-out images that score as high or higher. A short bar "
            "is an unusual score."
        )
    key = "i_more" if alone else f"i_more_{letter}"
    with st.expander(f"More scores{who}", key=key, on_change="rerun") as panel:
        if panel.open and judged.materials is not None:
            with ui.in_place():
                scores.draw_offers(
                    ctx,
                    judged.handle,
                    image.at(judged.handle),
                    by_name=judged.materials,
                    letter="" if alone else letter,
                )


def table(readings: Sequence[Reading]) -> pd.DataFrame:
    """A row a score, the most unusual first; texts as they are shown."""
    known = sorted(readings, key=lambda each: 2.0 if each.p_value is None else each.p_value)
    return pd.DataFrame(
        {
            "Score": [symbol_text(each.score.symbol) for each in known],
            "p": [each.p_value for each in known],
            "This image": [
                "" if each.value is None else fmt(each.value, each.score.unit) for each in known
            ],
            "Median held-out image": [_median(each) for each in known],
            "In words": [each.score.name for each in known],
            "Note": [each.reason for each in known],
        }
    )


def _median(reading: Reading) -> str:
    if reading.reference is None:
        return ""
    return fmt(float(np.median(reading.reference)), reading.score.unit)
