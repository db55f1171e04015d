"""The one image of its page: from a set, an upload or the lasso, and all that is known of it."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import groupby, pairwise

import numpy as np
import pandas as pd
import streamlit as st

from hvae_core.common.errors import HVAEError, ScoreError
from hvae_core.common.words import RANGE, span
from hvae_core.config import level_starts
from hvae_core.data import one_image
from hvae_core.data.hints import hints
from hvae_core.data.image_set import ImageSet
from hvae_core.data.prepare import HELP, STEPS, WORDS, Step
from hvae_core.data.readers.names import KINDS
from hvae_core.detection import verdict
from hvae_core.detection.combine import Correction
from hvae_core.detection.verdict import Judgement, Reading
from hvae_core.evaluation.evaluation import Evaluation
from pages.image import scores
from pages.shared import image_names, same_pixels, ui
from pages.shared.apart import opened
from pages.shared.controls import one_of, set_and_number, within
from pages.shared.materials import Materials
from pages.shared.state import Context
from pages.shared.store import Handle
from pages.shared.uploads import uploaded

SOURCES = ("set", "upload", "selection")
RATES = {f"{rate:g} %": rate / 100 for rate in (0.1, 0.5, 1, 2, 5, 10)}


@dataclass(frozen=True, eq=False)
class OneImage:
    """The image as it came (a set of one) and where it is from, for people."""

    images: ImageSet
    title: str

    def at(self, handle: Handle) -> ImageSet:
        """The image at the shape of a model."""
        return self.images.fit(handle.image_shape)


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


def choose(ctx: Context) -> OneImage | None:
    """The controls of where the image comes from, and the image; None where there is none."""
    source = one_of(
        "Image from", SOURCES, "set", key="i_from", help="A set of this world, a file of your own, "
        "or the latest lasso of the page Latent space.",
    )  # fmt: skip
    if source == "upload":
        return _upload(ctx)
    if source == "selection":
        return _from_selection(ctx)
    return _from_set(ctx)


def rate() -> tuple[float, Correction]:
    """False-alarm rate and correction."""
    label = st.selectbox(
        "False alarms", list(RATES), index=4, key="i_rate", bind="query-params",
        help="Of 100 in-distribution images like the held-out ones, so many may be called out.",
    )  # fmt: skip
    strict = st.toggle(
        "Bonferroni correction", key="i_bonferroni", bind="query-params",
        help="Testing several scores finds something by chance more often. The default ranks the "
        "harmonic mean of their p among those of the reference, exact for images drawn as these; "
        "Bonferroni multiplies the smallest p by the number of scores.",
    )  # fmt: skip
    return RATES[label], "bonferroni" if strict else "calibrated"


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
    judgement, problem = None, ""
    try:
        if not np.isfinite(table.bound).all():
            raise ScoreError(
                "The model gives no finite numbers for this image, so there is no verdict; choose "
                "another model."
            )
        judgement = verdict.judge(
            table,
            reference.table,
            handle.units,
            levels=handle.levels,
            alpha=alpha,
            correction=correction,
        )
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
    )


def table(judged: Sequence[JudgedImage], image: OneImage) -> pd.DataFrame:
    """Every score with its p-value, every KL term, and the verdict, a line each."""
    records = []
    for under in judged:
        about = {"image": image.title, "model": under.handle.title}
        records += [
            {
                **about,
                "quantity": reading.score.key,
                "value": reading.value,
                "unit": reading.score.unit,
                "sampling_error": reading.error,
                "p_value": reading.p_value,
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


def _from_set(ctx: Context) -> OneImage | None:
    """An image by set and number."""
    keys = (f"i_set_{ctx.world.key}", "i_id")
    # What the controls last said is kept apart: Streamlit forgets a widget that is not drawn. It
    # comes back as a choice, not as a default, which would not stand in the link.
    last: dict[str, tuple[str, int]] = st.session_state.setdefault("i_kept", {})
    if ctx.world.key in last and not any(key in st.query_params for key in keys):
        for key, value in zip(keys, last[ctx.world.key], strict=True):
            st.session_state.setdefault(key, value)
    first = ((*ctx.out_names, ctx.in_name)[0], 0)
    name, index = last[ctx.world.key] = set_and_number(ctx, keys, first=first)
    image = _taken(ctx, image_names.name_of(name, index))
    if image is None:
        st.caption("Or upload an image of your own: choose *upload* above.")
    return image


def _taken(ctx: Context, image_name: str) -> OneImage | None:
    """The image of a name, or None after saying why it cannot be had."""
    try:
        name, index = image_names.parse(ctx, image_name)
        image = ctx.images(name).take([index])
    except HVAEError as error:
        ui.not_here([str(error)], st.info)
        return None
    same_pixels.check(image_names.digest_of(ctx, name, index))
    label = int(image.labels[0])
    of = f", class {image.class_names[label]}" if label >= 0 else ""
    file = f", {image.file(0)}" if image.file(0) else ""
    return OneImage(image, f"{ctx.title(name)} {index}{of}{file}")


def _upload(ctx: Context) -> OneImage | None:
    """An uploaded file through the gate, after the steps that its visitor wants."""
    file = uploaded(
        f"A {KINDS} image", "i_file", _opened,
        help="It is brought to the model's shape; what was done to it is written below it.",
    )  # fmt: skip
    if file is None:
        return None
    asked = st.pills(
        "Prepare", STEPS, selection_mode="multi", format_func=WORDS.__getitem__, key="i_prepare",
        bind="query-params", help="  \n".join(f"{WORDS[step]}: {HELP[step]}" for step in STEPS),
    )  # fmt: skip
    steps = tuple(step for step in STEPS if step in asked)
    image = file.image if not steps else _prepared(file.digest, file.name, steps, file)
    for hint in hints(image.images, ctx.a.image_shape, ctx.world.ground):
        st.caption(f":material/lightbulb: {ui.plain(hint.sentence)}")
        st.button(WORDS[hint.step], key=f"i_do_{hint.step}", on_click=_prepare, args=(hint.step,))
    return image


def _prepare(step: Step) -> None:
    st.session_state["i_prepare"] = [*(st.session_state.get("i_prepare") or []), step]


@dataclass(frozen=True, eq=False)
class _File:
    """An uploaded file, and the picture in it as it came."""

    digest: str
    data: bytes
    name: str
    image: OneImage


def _opened(data: bytes, name: str) -> _File:
    image = OneImage(opened(one_image, data, "upload", name), name)
    return _File(hashlib.sha256(data).hexdigest(), data, name, image)


@st.cache_resource(max_entries=16, show_spinner=False)
def _prepared(digest: str, name: str, steps: tuple[Step, ...], _file: _File) -> OneImage:
    return OneImage(opened(one_image, _file.data, "upload", _file.name, prepare=steps), _file.name)


def _from_selection(ctx: Context) -> OneImage | None:
    names = image_names.from_selection(ctx)
    if not names:
        st.info("Nothing is selected: draw a lasso on the page Latent space first.")
        return None
    last = len(names) - 1
    within("i_pick", last)
    pick = 0
    if last:
        pick = st.number_input(f"Which of {last + 1}", 0, last, key="i_pick", bind="query-params")
    return _taken(ctx, names[pick])


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
