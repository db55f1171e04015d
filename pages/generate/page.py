"""Generate: what a model draws by itself, and what each level decides of a picture."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import streamlit as st

from hvae_core.common.errors import HVAEError
from hvae_core.data.image_set import ImageSet
from hvae_core.figures import StripRow, strip, tile
from pages.generate import ahead, asked, code, views
from pages.shared import controls, image_names, saving, ui
from pages.shared.controls import View, draw_seed, one_of
from pages.shared.program import Code
from pages.shared.state import colors, context
from pages.shared.store import Handle

if TYPE_CHECKING:
    import numpy as np
    from PIL.Image import Image
    from streamlit.delta_generator import DeltaGenerator

ctx = context()
palette = colors()
PICTURES, LEARNED = 6, 64  # rows drawn from their prior; learned images shown at once


def show(picture: Image, alt: str, name: str, *, made: Code) -> None:
    """A picture that scrolls on narrow screens, with its export."""
    ui.picture(picture, alt, scroll=name)
    saving.picture_button(picture, name, alt=alt, code=made)


def show_strip(
    rows: list[StripRow], heads: Sequence[str], alt: str, *, name: str, made: Code
) -> None:
    """Rows of pictures, with their export."""
    show(strip(rows, heads, scale=2, colors=palette), alt, name, made=made)


def data_of(handle: Handle) -> np.ndarray | None:
    """The test images at the model's shape, or None where they are not on this machine."""
    try:
        return ctx.images(ctx.in_name, handle).images
    except HVAEError:
        return None


def prior_view(beside: DeltaGenerator) -> str:
    """Samples from nothing but the prior."""
    with beside:
        n = one_of("Samples", [16, 36, 64], 36, key="g_n")
        heat = asked.heat_control(ctx)
        seed = draw_seed(ctx, "g_draw")
    claim = ""
    for letter, handle in ui.each_model(ctx):
        warm = tuple(heat[level] for level in handle.level_names)
        samples = views.prior(handle, n, seed, heat=warm)
        made = code.prior(ctx, handle, n, seed, heat=warm)
        alt = f"{n} samples from the prior of {handle.title}"
        show(ahead.tiled(samples, palette), alt, f"prior-{letter}", made=made)
        ahead.of_prior(ctx, f"prior-{letter}", handle, n, seed=seed, heat=warm)
        claim = claim or ctx.claim_of(
            handle, views.prior_claim(handle, samples, warm, data=data_of(handle))
        )
    return claim


def redrawn_view(beside: DeltaGenerator) -> str:
    """One image, its lower levels drawn again and again."""
    with beside:
        warm = asked.temperature("g_warm")
        seed = draw_seed(ctx, "g_draw")
    names = asked.pick_row(ctx, "Image")
    claim = ""
    for letter, handle, images in asked.each_with_images(ctx, names):
        by_k = views.redrawn(handle, images, seed, temperature=warm)
        rows, heads = views.redrawn_rows(handle, images, by_k)
        alt = f"Draws with the upper levels kept, {handle.title}"
        made = code.redrawn(ctx, handle, names, seed=seed, temperature=warm)
        show_strip(rows, heads, alt, name=f"redrawn-{letter}", made=made)
        ahead.of_redrawn(ctx, f"redrawn-{letter}", handle, images, seed=seed, heat=warm)
        claim = claim or ctx.claim_of(handle, views.redraw_claim(handle, views.kept_share(by_k)))
    return claim


def interpolation_view(beside: DeltaGenerator) -> str:
    """Two images and the ways between them, one a level."""
    with beside:
        st.caption("No random draws here: every level below the walk is at its mean.")
    start, end = names = asked.pick_row(ctx, "From", "To")
    if start == end:
        st.info("From and to are the same image: choose two different ones.")
        return ""
    heads = [f"{100 * i / (views.STEPS - 1):g} %" for i in range(views.STEPS)]
    claim = ""
    for letter, handle, images in asked.each_with_images(ctx, names):
        walks = views.paths(handle, images, ctx.seed)
        labels = views.upwards(handle.level_names)
        rows = [views.row(label, walk) for label, walk in zip(labels, walks, strict=True)]
        alt = f"From {start} to {end} under {handle.title}"
        made = code.path(ctx, handle, names, heads)
        show_strip(rows, heads, alt, name=f"path-{letter}", made=made)
        claim = claim or ctx.claim_of(handle, views.path_claim(handle, walks))
    return claim


def picture_view(beside: DeltaGenerator) -> str:
    """What the model makes of the picture at its top: a latent, or a component of the prior."""
    with beside:
        heat = asked.temperature("g_heat")
        seed = draw_seed(ctx, "g_draw")
    kinds = [views.picture_on_top(handle) for handle in ctx.models]
    names = asked.pick_row(ctx, "Image", "Another") if "latent" in kinds else []
    claim = ""
    for kind, (letter, handle) in zip(kinds, ui.each_model(ctx), strict=True):
        if kind == "latent":
            finding = drawn_pictures(handle, letter, seed, heat=heat)
            latents_of_images(handle, letter, names, seed=seed, heat=heat)
        elif kind == "prior":
            finding = learned_pictures(handle, letter, beside, seed=seed, heat=heat)
        else:
            finding = ""
            st.caption("No picture stands above the layers of this model.")
        claim = claim or ctx.claim_of(handle, finding)
    return claim


def drawn_pictures(handle: Handle, letter: str, seed: int, *, heat: float) -> str:
    """Rows of topmost latents drawn from their prior."""
    top = handle.names[-1]
    st.subheader(f"{top} drawn from its prior", anchor=False)
    tops = views.from_prior(handle, PICTURES, seed, temperature=heat)
    rows, heads = views.picture_rows(tops, [""] * PICTURES, top)
    alt = f"Draws of {top} and what {handle.title} makes of them"
    made = code.tops(ctx, handle, seed, n=PICTURES, heat=heat)
    show_strip(rows, heads, alt, name=f"tops-{letter}", made=made)
    return views.picture_claim(tops, top)


def latents_of_images(
    handle: Handle, letter: str, names: Sequence[str], *, seed: int, heat: float
) -> None:
    """Rows of the topmost latents of chosen images."""
    top = handle.names[-1]
    st.subheader(f"{top} of images", anchor=False)
    named, problems = image_names.load(ctx, handle, names)
    ui.not_here(problems)
    if named is not None:
        tops = views.from_images(handle, named.images, seed, temperature=heat)
        seen = named.images.images.astype("float32") / 255
        rows, heads = views.picture_rows(tops, named.labels, top, beside=seen)
        alt = f"{top} of images and what {handle.title} makes of it"
        made = code.of_images(ctx, handle, names, named.labels, seed=seed, heat=heat)
        show_strip(rows, heads, alt, name=f"of-{letter}", made=made)


def learned_pictures(
    handle: Handle, letter: str, beside: DeltaGenerator, *, seed: int, heat: float
) -> str:
    """The learned images of the prior, what each gives, and draws from some."""
    many = views.learned(handle)
    first = 0
    if many > PICTURES:
        last = many - PICTURES + 1
        controls.within(f"g_u_{letter}", last)
        first = beside.number_input(
            f"First pseudoinput {letter}", 1, last, 1, PICTURES, key=f"g_u_{letter}",
            bind="query-params",
        ) - 1  # fmt: skip
    which = list(range(first, min(first + PICTURES, many)))
    some = views.from_learned(handle, which, n=views.DRAWS, seed=seed, temperature=heat)
    labels = [f"u {k + 1}" for k in which]
    rows, heads = views.picture_rows(some, labels, "u")
    alt = f"Pseudoinputs and what {handle.title} makes of them"
    made = code.learned(ctx, handle, which, labels, seed=seed, heat=heat)
    show_strip(rows, heads, alt, name=f"learned-{letter}", made=made)
    shown = list(range(min(many, LEARNED)))
    every = views.from_learned(handle, shown, n=2, seed=seed, temperature=heat)
    st.caption(f"The first {len(shown)} of {many} pseudoinputs, and the mean picture of each.")
    with st.container(horizontal=True, gap="large", key=f"scroll_g_learned_{letter}"):
        for pictures, alt in ((every.pictures, "pseudoinputs"), (every.means, "mean pictures")):
            picture = tile(pictures, columns=8, scale=1, gap=2, colors=palette)
            ui.picture(picture, f"All shown {alt} of {handle.title}")
    return views.picture_claim(every, "Which pseudoinput is drawn")


def traversal_view(beside: DeltaGenerator) -> str:
    """The units of one layer, moved one by one."""
    with beside:
        reach = st.slider(
            "Reach", 1.0, 5.0, 3.0, 0.5, key="g_reach", bind="query-params", help="Each unit "
            "runs from minus this value to plus this value. 1 is one standard deviation of the top "
            "layer's prior.",
        )  # fmt: skip
        names = list(ctx.a.names)
        controls.among("g_layer", names)
        layer = st.select_slider("Layer", names, names[-1], key="g_layer", bind="query-params")
    picked = asked.pick_row(ctx, "Image")
    claim = ""
    for letter, handle, images in asked.each_with_images(ctx, picked):
        # A second model without such a layer shows its top one.
        number = handle.names.index(layer) + 1 if layer in handle.names else handle.n_layers
        walks = traversal(handle, letter, images, picked=picked, number=number, reach=reach)
        claim = claim or ctx.claim_of(handle, views.traversal_claim(handle, number, walks))
    return claim


def traversal(
    handle: Handle,
    letter: str,
    images: ImageSet,
    *,
    picked: Sequence[str],
    number: int,
    reach: float,
) -> list[np.ndarray]:
    """A row a unit of the numbered layer, the most active ones where that is known."""
    layer = handle.names[number - 1]
    evaluation = ctx.evaluation(handle, ctx.in_name)
    variance = None if evaluation is None else evaluation.unit_variance[number - 1]
    units, by_activity = views.active_first(variance, handle.units[number - 1])
    walks, values = views.traversed(
        handle, images, ctx.seed, layer=number, units=units, reach=reach
    )
    rows = [views.row(f"unit {unit}", walk) for unit, walk in zip(units, walks, strict=True)]
    alt = f"Units of {layer} moved, {handle.title}"
    heads = [f"{value:+.1f}" for value in values]
    made = code.traversal(ctx, handle, picked, layer=number, units=units, reach=reach, heads=heads)
    show_strip(rows, heads, alt, name=f"traversal-{letter}", made=made)
    st.caption(
        f"The most active units of {layer} first: those whose mean E[z | x] varies most over the "
        "test set."
        if by_activity
        else f"The first units of {layer}; evaluate the test set on the page Collapse to see the "
        "most active ones."
    )
    return walks


DRAWN = (prior_view, redrawn_view, interpolation_view, picture_view, traversal_view)
VIEWS = {
    name: View(draw, look_for)
    for draw, (name, look_for) in zip(DRAWN, views.LOOK_FOR.items(), strict=True)
}


@ui.fragment
def body() -> None:
    """Claim, the chosen view and its controls; that of pictures where a model has one on top."""
    pictured = any(views.picture_on_top(handle) for handle in ctx.models)
    controls.show_view(
        {name: view for name, view in VIEWS.items() if pictured or name != "Pseudoinput"}, "g_view"
    )


body()
