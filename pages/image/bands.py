"""Where the changes moved the scores of the image, held against the held-out images."""

from __future__ import annotations

from collections.abc import Sequence

import streamlit as st

from hvae_core.detection.combine import Correction
from hvae_core.detection.standard import Standard
from hvae_core.detection.verdict import Judgement, readings, with_standard
from hvae_core.evaluation.bounds import BoundTable
from hvae_core.evaluation.evaluation import Evaluation
from hvae_core.figures import ScoreRow, score_bands, symbol_html
from pages.image import code, scores
from pages.image.one_image import OneImage
from pages.image.subject import JudgedImage
from pages.shared import ui
from pages.shared.beside import grid
from pages.shared.remembered import remembered
from pages.shared.state import Context, colors

HELP = (
    "Each row is a score on a scale of its own. The bands hold 95 % and 50 % of the held-out "
    "images. The ring is this image as it came, the diamond is the changed image."
)


def draw(
    ctx: Context,
    judged: Sequence[JudgedImage],
    image: OneImage,
    *,
    alpha: float,
    correction: Correction,
) -> None:
    """The scores before and after the changes, under each model."""
    places = grid(len(judged))
    for under, handle, (place,) in zip(judged, ctx.models, places, strict=True):
        with place, ui.of_model(ctx, handle), ui.in_place():
            reference, said, standard = under.reference, under.judgement, under.standard
            if reference is None or said is None or standard is None:
                st.caption("There is no reference yet to hold the scores against.")
                continue
            before, now = (
                scores.evaluated(handle, one.at(handle), reference.settings)[0]
                for one in (image.as_it_came(), image)
            )
            rows = _rows(before, now, said, standard, reference=reference)
            figure = remembered(score_bands, rows, colors())
            suffix = "" if handle is ctx.a else f"-{ctx.models.index(handle)}"
            made = code.bands(
                ctx, handle, image, reference=reference.set_name, alpha=alpha, correction=correction
            )
            alt = "Scores before and after the changes"
            ui.chart(figure, f"image-bands{suffix}", alt, code=made)


def _rows(
    before: BoundTable,
    now: BoundTable,
    said: Judgement,
    standard: Standard,
    *,
    reference: Evaluation,
) -> list[ScoreRow]:
    """Every score of the bounds before and now, those of the verdict first with its p-values."""
    of_verdict = dict(zip(said.keys, said.verdict.p_values, strict=True))
    was = {
        each.score.key: each.value
        for each in with_standard(readings(before, None), before, standard)
    }
    read = sorted(
        with_standard(readings(now, reference.table), now, standard),
        key=lambda each: each.score.key not in of_verdict,
    )
    return [
        ScoreRow(
            symbol_html(each.score.symbol), each.score.unit, each.reference,
            before=before_it, now=each.value,
            p=float(of_verdict.get(each.score.key, each.p_value)),
        )
        for each in read
        if each.value is not None and each.reference is not None and each.p_value is not None
        and (before_it := was.get(each.score.key)) is not None
    ]  # fmt: skip
