"""The one image of its page: from a set, an upload or the lasso, and all that is known of it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import groupby, pairwise
from typing import Any

import numpy as np
import pandas as pd
import streamlit as st

from hvae_core.common.errors import HVAEError, ScoreError
from hvae_core.common.words import RANGE, span
from hvae_core.config import level_starts
from hvae_core.data.image_set import ImageSet
from hvae_core.detection.verdict import Judgement, Reading
from pages.image import scores
from pages.shared import controls, image_names, store, ui
from pages.shared import materials as scoring
from pages.shared.state import Context
from pages.shared.store import Handle

SOURCES = ("set", "upload", "selection")
RATES = {f"{rate:g} %": rate / 100 for rate in (0.1, 0.5, 1, 2, 5, 10)}


@dataclass(frozen=True, eq=False)
class Subject:
    """The image as it came (a set of one) and where it is from, for people."""

    images: ImageSet
    title: str
    out: bool

    def at(self, handle: Handle) -> ImageSet:
        """The image at the shape of a model."""
        return self.images.fit(handle.image_shape)


@dataclass(frozen=True, eq=False)
class Judged:
    """One image under one model; ``reference`` and ``judgement`` are None where there is none."""

    handle: Handle
    reference: Any
    kl: np.ndarray
    readings: tuple[Reading, ...]
    judgement: Judgement | None
    problem: str = ""
    materials: scoring.Materials | None = None


def choose(ctx: Context) -> Subject | None:
    """The controls of where the image comes from, and the image; None where there is none."""
    source = st.segmented_control(
        "Image from", list(SOURCES), default="set", key="i_from", bind="query-params",
        required=True, help="A set of this world, a file of your own, or the latest lasso of the "
        "page Latent space.",
    )  # fmt: skip
    if source == "upload":
        return _upload() or _from_set(ctx, quiet=True)
    if source == "selection":
        return _from_selection(ctx) or _from_set(ctx, quiet=True)
    return _from_set(ctx)


def rate() -> tuple[float, str]:
    """False-alarm rate and correction."""
    chosen = st.selectbox(
        "False alarms", list(RATES), index=4, key="i_rate", bind="query-params",
        help="Of 100 in-distribution images like those of the validation set, so many may be "
        "called out.",
    )  # fmt: skip
    strict = st.toggle(
        "Bonferroni correction", key="i_bonferroni", bind="query-params",
        help="Testing several levels finds something by chance more often. The default ranks the "
        "smallest p among those of the reference, exact for images drawn as these; Bonferroni "
        "multiplies p by "
        "the number of levels.",
    )  # fmt: skip
    return RATES[chosen or "5 %"], "bonferroni" if strict else "calibrated"


def reference_name(ctx: Context) -> str:
    """The held-out in-distribution set that p-values rest on: validation, never test.

    A set of the user's own that takes the place of the in-distribution set has no validation
    split, and is its own reference.
    """
    if ctx.in_name in store.own_sets():
        return ctx.in_name
    return next(spec.name for spec in ctx.world.with_role("validation"))


def judge(
    ctx: Context, handle: Handle, subject: Subject, alpha: float, correction: str, reference: Any
) -> Judged:
    """Bounds, scores and verdict of the image under a model, held against the reference."""
    from hvae_core.detection.verdict import judge as decide

    images = subject.at(handle)
    digest = images.image_digests()[0]
    settings = None if reference is None else reference.settings
    table, _ = scores.evaluated(handle.digest, digest, settings, handle, images.images)
    known = None if reference is None else reference.table
    found = None
    if reference is not None:
        found = scores.material_of(ctx, handle, images, reference)
    read = scores.read(handle, table, found)
    kl = table.kl[0]
    if known is None:
        return Judged(handle, None, kl, read, None)
    try:
        decided = decide(table, known, handle.units, handle.levels, alpha, correction)  # type: ignore[arg-type]
    except ScoreError as error:
        return Judged(handle, reference, kl, read, None, str(error), found)
    return Judged(handle, reference, kl, read, decided, "", found)


def table(judged: Sequence[Judged], subject: Subject) -> pd.DataFrame:
    """Every score with its p-value, every KL term, and the verdict, a line each."""
    records = []
    for one in judged:
        about = {"image": subject.title, "model": one.handle.title}
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
            for reading in one.readings
        ]
        for (layer, _, _), nats in zip(one.handle.layers, one.kl, strict=True):
            records.append(
                {**about, "quantity": f"kl_{layer}", "value": float(nats), "unit": "nats"}
            )
        if one.judgement is not None:
            found = one.judgement.verdict
            note = f"{found.correction} at false-alarm rate {found.alpha:g}, " + (
                "undecided" if not found.possible else "out" if found.out else "in"
            )
            records.append({**about, "quantity": "verdict", "p_value": found.p_value, "note": note})
    return pd.DataFrame(records)


def _from_set(ctx: Context, *, quiet: bool = False) -> Subject | None:
    """An image by set and number; ``quiet`` shows the last one without its controls."""
    titles = {spec.name: spec.title for spec in ctx.world.with_role("in", "out", "control")}
    key = f"i_set_{ctx.world.key}"
    default = (*ctx.out_names, ctx.in_name)[0]
    # What the control last said is kept apart: Streamlit forgets a widget that is not drawn.
    kept = st.session_state.setdefault("i_kept", {})
    name, index = kept.get(ctx.world.key, (default, 0))
    if not quiet:
        names = list(titles)
        name = st.selectbox(
            "Set", names, index=names.index(name) if name in names else 0,
            format_func=titles.__getitem__, key=key, bind="query-params",
        )  # fmt: skip
        index = st.number_input(
            "Number", 0, store.SHOWN_LIMIT - 1, int(index), key="i_id", bind="query-params"
        )
        kept[ctx.world.key] = (name, int(index or 0))
    try:
        return _taken(ctx, str(name), int(index or 0))
    except HVAEError as error:
        st.info(ui.plain(str(error)), icon=":material/image_not_supported:")
        if not quiet:
            st.caption("Or upload an image of your own: choose *upload* above.")
        return None


def _taken(ctx: Context, name: str, index: int) -> Subject:
    found = store.images(ctx.world, name, ctx.data_root)
    one = found.take([index])
    label = int(one.labels[0])
    of = f", class {one.class_names[label]}" if label >= 0 else ""
    out = ctx.world.spec(name).role in ("out", "control")
    return Subject(one, f"{ctx.title(name)} {index}{of}", out)


def _upload() -> Subject | None:
    """An uploaded file through the gate; a broken one leaves the image before it in place."""
    from hvae_core.data import one_image

    file = st.file_uploader(
        "A PNG, JPEG, BMP or WebP image",
        key="i_file",
        help="It is brought to the model's shape; what was done to it is written below it.",
    )
    if file is not None:
        try:
            images = one_image(file.getvalue(), "upload", file.name)
            st.session_state["i_uploaded"] = Subject(images, file.name, False)
        except HVAEError as error:
            st.error(ui.plain(str(error)), icon=":material/error:")
    kept: Subject | None = st.session_state.get("i_uploaded")
    return kept


def _from_selection(ctx: Context) -> Subject | None:
    names = image_names.from_selection(ctx)
    if not names:
        st.info("Nothing is selected: draw a lasso on the page Latent space first.")
        return None
    most = len(names) - 1
    controls.within("i_pick", most)
    pick = 0
    if most:
        pick = st.number_input(f"Which of {most + 1}", 0, most, key="i_pick", bind="query-params")
    try:
        return _taken(ctx, *image_names.parse(ctx, names[int(pick or 0)]))
    except HVAEError as error:
        st.info(ui.plain(str(error)), icon=":material/image_not_supported:")
        return None


def unusual_layers(one: Judged) -> list[str]:
    """Layers whose KL lies outside the central 95 % of the reference, with the side.

    Neighbours on one side are a range where they are many.
    """
    low, high = np.percentile(one.reference.table.kl, [2.5, 97.5], axis=0)
    sides = np.sign((one.kl > high).astype(int) - (one.kl < low).astype(int))
    names, found = one.handle.names, []
    for side, layers in groupby(range(1, len(names) + 1), key=lambda i: int(sides[i - 1])):
        run = list(layers)
        parts = [span(names, run)] if len(run) >= RANGE else [names[i - 1] for i in run]
        found += [f"{part} ({'high' if side > 0 else 'low'})" for part in parts if side]
    return found


def terms(one: Judged) -> list[tuple[str, float]]:
    """The KL of each layer by its name, or of each level where levels hold several (nats)."""
    handle = one.handle
    if not handle.grouped:
        return list(zip(handle.names, map(float, one.kl), strict=True))
    edges = (*level_starts(handle.levels), handle.n_layers)
    sums = [float(one.kl[low:high].sum()) for low, high in pairwise(edges)]
    return list(zip(handle.level_names, sums, strict=True))
