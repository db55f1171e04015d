"""The one image of its page: from a set, an upload or the lasso, and all that is known of it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby, pairwise
from typing import Any, NoReturn

import numpy as np
import pandas as pd
import streamlit as st

from hvae_core.common.errors import ScoreError
from hvae_core.common.words import RANGE, span
from hvae_core.config import level_starts
from hvae_core.detection import verdict
from hvae_core.detection.combine import Correction
from hvae_core.detection.standard import Standard, standard_of
from hvae_core.detection.verdict import Judgement, Reading
from hvae_core.evaluation.bounds import BoundTable
from hvae_core.evaluation.evaluation import EvalSettings, Evaluation
from pages.image import changes, files, of_set, scores
from pages.image.one_image import OneImage
from pages.shared import clickable, current, links, shown, ui, uploads
from pages.shared.controls import one_of
from pages.shared.materials import Materials
from pages.shared.state import Context
from pages.shared.store import Handle

SOURCES = ("set", *files.SOURCES, "selection")
VIEWS = ("one image", "many images")
_ASKER = "i_from"
_CHANGED = ", changed"
_AFRESH = "i_afresh"
"""In the session's state: what their controls say of the changes when they are drawn again."""
JUDGEMENT = "i_judgement"
"""In the session's state: the judgement of model A that the page shows."""
RATES = {f"{rate:g} %": rate / 100 for rate in (0.1, 0.5, 1, 2, 5, 10)}
USUAL = "5 %"
_RATE, _STRICT = "rate", " Bonferroni"
"""In the session's state and in other pages' links: the rate and correction last chosen here."""


@dataclass(frozen=True, eq=False)
class JudgedImage:
    """One image under one model; ``reference`` and ``judgement`` are None where there is none."""

    handle: Handle
    reference: Evaluation | None
    kl: np.ndarray
    readings: tuple[Reading, ...]
    judgement: Judgement | None
    problem: str = ""
    materials: Materials | None = None
    standard: Standard | None = None

    @property
    def settings(self) -> EvalSettings:
        """The draws of z on which all that is said of the image rests: those of its reference."""
        return EvalSettings() if self.reference is None else self.reference.settings


def choose(ctx: Context) -> OneImage | None:
    """The controls of where the image comes from, and the image; None where there is none."""
    st.session_state.update(st.session_state.pop(_AFRESH, {}))
    # What a link says of this page's own controls goes before the current image that it names.
    by_link = not any(key.startswith("i_") for key in st.query_params)
    given = current.given(ctx, _ASKER, by_link=by_link)
    if current.moved(ctx, _ASKER) or given:
        st.session_state["i_from"] = "set"
    source = one_of(
        "Image from", SOURCES, "set", key="i_from", help="A set of this world, a file of your own, "
        "a drawing, the clipboard, the camera, or the latest lasso of the page Latent space.",
    )  # fmt: skip
    uploads.only("image", source)
    image = of_set.from_set(ctx, given) if source == "set" else _from_elsewhere(ctx, source)
    key = files.KEYS.get(source, "")
    is_file = image is not None and bool(key)  # whose own controls have the steps
    aside = of_set.aside()
    if is_file and aside and uploads.is_the(key, aside[0]):
        del st.session_state[of_set.ASIDE]
        _again(aside[1])
    asked = uploads.absent(key)
    of_set.say_aside(asked)
    if image is None and asked:
        image = of_set.in_place_of_file(ctx, asked)
    if image is None:
        if uploads.refused(key):
            name = ui.plain(clickable.called(ctx, current.now(ctx)))
            st.caption(f"The current image is still **{name}**, as the sidebar shows.")
        return None
    with st.expander("Change the picture", expanded=False):
        image = changes.asked(image, ctx.seed, steps=() if is_file else changes.STEPS)
        if (done := st.session_state.pop(of_set.DONE, "")) and image.changes:
            st.session_state[of_set.ASIDE] = done, changes.chosen()
            _again(changes.NONE)
        pixels = image.at(ctx.a).images[0]
        st.button(
            "Draw on it", key="i_draw_on", on_click=files.draw_on, args=(pixels,),
            icon=":material/draw:", help="Takes the image to the canvas, at the model's shape.",
        )  # fmt: skip
    _is_current(ctx, image)
    return image


def _again(controls: Mapping[str, Any]) -> NoReturn:
    """Draw the controls of the changes so: one that a link sets can be set in a new run alone."""
    st.session_state[_AFRESH] = controls
    st.rerun()


def _is_current(ctx: Context, image: OneImage) -> None:
    """Make what is judged the current image of every page: as it is, changed, drawn or brought."""
    spot, done = image.spot, image.changes
    if spot is None or done:
        title = f"{image.title.removesuffix(_CHANGED)}{_CHANGED}" if done else image.title
        spot = shown.add(image.at(ctx.a).images[0], title, image.spot)
    elif current.chosen(ctx) is None and spot == current.now(ctx):
        return  # nobody chose one yet, and the default is shown
    if current.settle(spot, _ASKER):
        st.rerun()


def is_drawn() -> bool:
    """Whether the image comes from the canvas."""
    return bool(st.session_state.get("i_from") == "draw")


def _from_elsewhere(ctx: Context, source: str) -> OneImage | None:
    return of_set.from_selection(ctx) if source == "selection" else files.SOURCES[source](ctx)


def rate() -> tuple[float, Correction]:
    """False-alarm rate and correction: those chosen here before, until others are."""
    label, strict = _rate_before()
    for key, before, usual in (("i_rate", label, USUAL), ("i_bonferroni", strict, False)):
        if before != usual and key not in st.session_state and key not in st.query_params:
            st.session_state[key] = before
    label = st.selectbox(
        "False alarms", list(RATES), list(RATES).index(USUAL), key="i_rate", bind="query-params",
        help="Of 100 in-distribution images like the held-out ones, so many may be called out.",
    )  # fmt: skip
    strict = st.toggle(
        "Bonferroni correction", key="i_bonferroni", bind="query-params",
        help="Testing several scores finds something by chance more often. The default ranks the "
        "harmonic mean of their p among those of the reference, exact for images drawn as these; "
        "Bonferroni multiplies the smallest p by the number of scores.",
    )  # fmt: skip
    st.session_state[_RATE] = f"{label}{_STRICT if strict else ''}"
    return RATES[label], "bonferroni" if strict else "calibrated"


def rate_elsewhere() -> tuple[float, Correction]:
    """Rate and correction last chosen here, for another page, whose link then holds them."""
    if asked := links.arrived(_RATE):
        st.session_state[_RATE] = asked
    label, strict = _rate_before()
    usual = label == USUAL and not strict
    links.say(_RATE, "" if usual else f"{label}{_STRICT if strict else ''}")
    return RATES[label], "bonferroni" if strict else "calibrated"


def _rate_before() -> tuple[str, bool]:
    label, strict, _ = str(st.session_state.get(_RATE, "")).partition(_STRICT)
    return label if label in RATES else USUAL, bool(strict)


def judge(
    ctx: Context,
    handle: Handle,
    image: OneImage,
    reference: Evaluation | None,
    *,
    alpha: float,
    correction: Correction,
) -> JudgedImage:
    """Bounds, scores and verdict of the image under a model, held against the reference."""
    images = image.at(handle)
    settings = None if reference is None else reference.settings
    table, _ = scores.evaluated(handle, images, settings)
    kl = table.kl[0]
    if reference is None:
        return JudgedImage(
            handle, None, kl, readings=scores.read(handle, table, None), judgement=None
        )
    materials = scores.material_of(ctx, handle, images, reference=reference)
    readings = scores.read(handle, table, materials)
    judgement, standard, problem = None, None, ""
    try:
        judgement, standard = decide(handle, table, reference, alpha=alpha, correction=correction)
        readings = verdict.with_standard(readings, table, standard)
    except ScoreError as error:
        problem = str(error)
    return JudgedImage(
        handle,
        reference,
        kl,
        readings=readings,
        judgement=judgement,
        problem=problem,
        materials=materials,
        standard=standard,
    )


def decide(
    handle: Handle,
    image: BoundTable,
    reference: Evaluation,
    *,
    alpha: float,
    correction: Correction,
) -> tuple[Judgement, Standard]:
    """The verdict on an image by its bounds, and what it is held against; else ``ScoreError``."""
    if not np.isfinite(image.bound).all():
        raise ScoreError(
            "The model gives no finite numbers for this image, so there is no verdict; choose "
            "another model."
        )
    standard = standard_of(reference.table, alpha, correction)
    judgement = verdict.judge_by(
        standard, image, reference.table, units=handle.units, levels=handle.levels, alpha=alpha,
        correction=correction,
    )  # fmt: skip
    return judgement, standard


def table(judged: Sequence[JudgedImage], image: OneImage) -> pd.DataFrame:
    """Every score with its p-value, every KL term, and the verdict, a line each."""
    records = []
    for under in judged:
        about = {"image": image.title, "model": under.handle.title}
        in_verdict = {}
        if (found := under.judgement) is not None:
            in_verdict = dict(zip(found.keys, map(float, found.verdict.p_values), strict=True))
        records += [
            {
                **about,
                "quantity": reading.score.key,
                "value": reading.value,
                "unit": reading.score.unit,
                "sampling_error": reading.error,
                "p_value": reading.p_value,
                "p_in_verdict": in_verdict.get(reading.score.key),
                "note": reading.reason,
            }
            for reading in under.readings
        ]
        records += [
            {**about, "quantity": f"kl_{layer}", "value": float(nats), "unit": "nats"}
            for (layer, _, _), nats in zip(under.handle.layers, under.kl, strict=True)
        ]
        if under.judgement is not None:
            decided = under.judgement.verdict
            side = "undecided" if not decided.possible else "out" if decided.out else "in"
            note = f"{decided.correction} at false-alarm rate {decided.alpha:g}, {side}"
            p_value = decided.p_value
            records.append({**about, "quantity": "verdict", "p_value": p_value, "note": note})
    return pd.DataFrame(records)


def unusual_layers(names: Sequence[str], kl: np.ndarray, reference: np.ndarray) -> list[str]:
    """Layers whose KL lies outside the central 95 % of the reference (N, L), with the side.

    Neighbours on one side are a range where they are many.
    """
    low, high = np.percentile(reference, [2.5, 97.5], axis=0)
    sides = np.sign((kl > high).astype(int) - (kl < low).astype(int))
    unusual = []
    for side, layers in groupby(range(1, len(names) + 1), key=lambda i: int(sides[i - 1])):
        run = list(layers)
        parts = [span(names, run)] if len(run) >= RANGE else [names[i - 1] for i in run]
        unusual += [f"{part} ({'high' if side > 0 else 'low'})" for part in parts if side]
    return unusual


def terms(handle: Handle, kl: np.ndarray) -> list[tuple[str, float]]:
    """The KL of each layer by its name, or of each level where levels hold several (nats)."""
    if not handle.grouped:
        return list(zip(handle.names, map(float, kl), strict=True))
    edges = (*level_starts(handle.levels), handle.n_layers)
    sums = [float(kl[low:high].sum()) for low, high in pairwise(edges)]
    return list(zip(handle.level_names, sums, strict=True))
