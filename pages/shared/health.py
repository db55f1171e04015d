"""Models that cannot say anything: found by a few images, and told at the top of every page."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import streamlit as st

from hvae_core.checkpoint.library import is_shipped
from hvae_core.common.errors import CheckpointError
from hvae_core.data.image_set import ImageSet
from hvae_core.evaluation.evaluation import EvalSettings
from pages.shared import store, ui
from pages.shared.kept import by_content
from pages.shared.state import Context
from pages.shared.store import Handle


def sound(ctx: Context) -> Context:
    """The context without models that give no finite numbers; the page's first lines say so.

    The others keep their letters.

    Raises ``CheckpointError`` where that is model A, of which a page can say nothing then.
    """
    able = []
    for letter, handle in ctx.lettered:
        finite, blind = (True, False) if _is_shipped(handle) else probed(handle)
        sentence = _in_words(ctx, letter, handle, finite=finite, blind=blind)
        if not finite and letter == "A":
            raise CheckpointError(sentence)
        if sentence:
            st.warning(ui.plain(sentence), icon=":material/error:")
        if finite:
            able.append((letter, handle))
    letters, handles = zip(*able, strict=True)
    return replace(ctx, models=handles, letters="".join(letters))


def _in_words(ctx: Context, letter: str, handle: Handle, *, finite: bool, blind: bool) -> str:
    who = f"Model {letter} ({handle.title})"
    if not finite:
        rest = "" if letter == "A" else " and is left out of every comparison"
        if ctx.lettered[-1][0] > letter > "A":
            rest = f"{rest}, in which the others keep their letters"
        return (
            f"{who} gives no finite numbers for images{rest}. Perhaps its training diverged. "
            "Choose another model in the sidebar."
        )
    if blind:
        return (
            f"{who} gives every image the same latents, as if its weights were zero, so the pages "
            "can say nothing about images. Choose another model in the sidebar."
        )
    evaluation = None if _is_shipped(handle) else ctx.evaluation(handle, ctx.in_name)
    if evaluation is None:
        return ""
    lost = int((~np.isfinite(evaluation.table.bound).all(axis=0)).sum())
    if not lost:
        return ""
    return (
        f"{who} gives no finite bound for {lost:,} of {len(evaluation):,} images of "
        f"{ctx.title(ctx.in_name)}: averages and scores of it mean nothing. Choose another model "
        "in the sidebar."
    )


def _is_shipped(handle: Handle) -> bool:
    """Whether a model comes with the program, whose results are tested."""
    return is_shipped(handle.path)


@by_content(512)
def probed(handle: Handle) -> tuple[bool, bool]:
    """Whether the numbers of a model are finite, and whether all images give it the same latents.

    Asked of noise, of darkness and of light.
    """
    from hvae_core.evaluation.compute import evaluate_batch

    pixels = np.zeros((3, *handle.image_shape), np.uint8)
    pixels[0] = np.random.default_rng(0).integers(0, 256, handle.image_shape)
    pixels[2] = 255
    images = ImageSet("probe", "Probe", pixels, labels=np.full(3, -1))
    with np.errstate(all="ignore"):
        bounds, means = store.ask(
            handle,
            evaluate_batch,
            pixels,
            images.image_digests(),
            settings=EvalSettings(samples=1),
        )
    finite = all(np.isfinite(each.bound).all() for each in bounds)
    return finite, finite and all(np.ptp(z, axis=0).max(initial=0) == 0 for z in means)
