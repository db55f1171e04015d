"""Generate: what a model draws by itself, and what each level decides of a picture."""

from __future__ import annotations

from functools import partial

import streamlit as st

from hvae_core.common.errors import HVAEError
from hvae_core.figures import png_bytes, strip, tile
from pages.generate import views as generate
from pages.shared import image_names, store, ui
from pages.shared.state import colors, context

ctx = context()
palette = colors()

VIEWS = {
    "Prior samples": "Latents are drawn from p(z) level by level from the top; each picture is the "
    "expected image. A lower temperature keeps a level closer to its mean.",
    "Redrawn": "The upper levels of one image are kept, the lower ones drawn anew. What stays the "
    "same along a row is what the kept levels say. The column “mean” has the lower levels at "
    "their prior means: read from below upwards, it adds one level of the image after another (a "
    "generative reconstruction).",
    "Interpolation": "A straight line between the latents of two images. Each row walks from one "
    "level up; the levels below follow at their means.",
    "Pseudoinput": "A picture stands above the layers, or their prior is made of pictures. Each "
    "row has one, the mean picture that the model makes of it, and draws: what stays the same "
    "along a row is what it decides.",
    "Traversal": "One unit of a layer moved from low to high, one row a unit; everything below "
    "follows at its mean. A row that stays the same is a unit that says nothing.",
}


def show(picture, alt: str, name: str) -> None:  # type: ignore[no-untyped-def]
    """A picture that scrolls on narrow screens, with its export."""
    with st.container(key=f"scroll_{name}"):
        ui.picture(picture, alt)
    ui.picture_button(partial(png_bytes, picture), name)


def models():  # type: ignore[no-untyped-def]
    """Each model with its letter; the name stands above the pictures where there are two."""
    for index, handle in enumerate(ctx.models):
        letter = "AB"[index]
        if len(ctx.models) > 1:
            st.markdown(f"**{letter}** {ui.plain(handle.title)}")
        yield letter, handle


def images(names: list[str], handle):  # type: ignore[no-untyped-def]
    """The chosen images, or None after saying why one cannot be had."""
    chosen, problems = image_names.load(ctx, handle, names)
    for problem in problems:
        st.warning(ui.plain(problem), icon=":material/image_not_supported:")
    if chosen is None or len(chosen.names) < len(names):
        st.page_link("pages/image/page.py", label="Upload one image")
        return None
    return chosen


def data_of(handle):  # type: ignore[no-untyped-def]
    """The test images at the model's shape, or None where they are not on this machine."""
    try:
        return store.images(ctx.world, ctx.in_name, ctx.data_root, handle).images
    except HVAEError:
        return None


def heat_control() -> dict[str, float]:
    """One temperature for all levels, or one each."""
    names = list(dict.fromkeys(name for handle in ctx.models for name in handle.level_names))
    each = st.toggle("By level", key="g_each", bind="query-params")
    if not each:
        return dict.fromkeys(names, generate.temperature_control("g_temp"))
    return {
        name: float(st.slider(f"Temperature of {name}", 0.0, 2.0, 1.0, 0.1, key=f"g_temp_{name}"))
        for name in reversed(names)
    }


def prior_view(beside) -> str:  # type: ignore[no-untyped-def]
    """Samples from nothing but the prior."""
    with beside:
        n = int(st.segmented_control("Samples", [16, 36, 64], default=36, key="g_n",
                                     bind="query-params", required=True) or 36)  # fmt: skip
        heat = heat_control()
        seed = generate.draw_control(ctx)
    claim = ""
    for letter, handle in models():
        warm = tuple(heat[level] for level in handle.level_names)
        made = generate.prior(handle, n, seed, warm)
        show(tile(made, columns=round(n**0.5), scale=3, colors=palette),
             f"{n} samples from the prior of {handle.title}", f"prior-{letter}")  # fmt: skip
        claim = claim or generate.prior_claim(handle, made, warm, data_of(handle))
    return claim


def redrawn_view(beside) -> str:  # type: ignore[no-untyped-def]
    """One image, its lower levels drawn again and again."""
    with beside:
        temperature = generate.temperature_control("g_warm")
        seed = generate.draw_control(ctx)
    with st.container(horizontal=True, vertical_alignment="bottom"):
        name = generate.pick(ctx, "g_a", "Image", 0)
    claim = ""
    for letter, handle in models():
        chosen = images([name], handle)
        if chosen is None:
            break
        found = generate.redrawn(handle, chosen, seed, temperature)
        made, heads = generate.redrawn_rows(handle, chosen, found)
        show(strip(made, heads, scale=2, colors=palette),
             f"Draws with the upper levels kept, {handle.title}", f"redrawn-{letter}")  # fmt: skip
        claim = claim or generate.redraw_claim(handle, generate.kept_share(found))
    return claim


def interpolation_view(beside) -> str:  # type: ignore[no-untyped-def]
    """Two images and the ways between them, one a level."""
    with beside:
        st.caption("No random draws here: every level below the walk is at its mean.")
    with st.container(horizontal=True, vertical_alignment="bottom"):
        names = [generate.pick(ctx, "g_a", "From", 0), generate.pick(ctx, "g_b", "To", 1)]
    if names[0] == names[1]:
        st.info("From and to are the same image: choose two different ones.")
        return ""
    claim = ""
    for letter, handle in models():
        chosen = images(names, handle)
        if chosen is None:
            break
        made = generate.paths(handle, chosen, ctx.seed)
        labels = generate.upwards(handle.level_names)
        heads = [f"{100 * i // (generate.STEPS - 1)} %" for i in range(generate.STEPS)]
        lines = [generate.row(t, path) for t, path in zip(labels, made, strict=True)]
        show(strip(lines, heads, scale=2, colors=palette),
             f"From {names[0]} to {names[1]} under {handle.title}", f"path-{letter}")  # fmt: skip
        claim = claim or generate.path_claim(handle, made)
    return claim


PICTURES = 6  # rows of pictures drawn from their prior
LEARNED = 64  # learned images shown at once


def picture_view(beside) -> str:  # type: ignore[no-untyped-def]
    """What the model makes of the picture at its top: a latent, or a component of the prior."""
    with beside:
        temperature = generate.temperature_control("g_heat")
        seed = generate.draw_control(ctx)
    names: list[str] = []
    if any(generate.picture_on_top(h) == "latent" for h in ctx.models):
        with st.container(horizontal=True, vertical_alignment="bottom"):
            names = [generate.pick(ctx, "g_a", "Image", 0), generate.pick(ctx, "g_b", "Another", 1)]
    claim = ""
    for letter, handle in models():
        kind = generate.picture_on_top(handle)
        if kind == "latent":
            said = latent_pictures(handle, letter, seed, temperature, names)
        elif kind == "prior":
            said = learned_pictures(handle, letter, seed, temperature, beside)
        else:
            said = ""
            st.caption("No picture stands above the layers of this model.")
        claim = claim or said
    return claim


def latent_pictures(  # type: ignore[no-untyped-def]
    handle, letter: str, seed: int, temperature: float, names: list[str]
) -> str:
    """Rows of pictures drawn from their prior, then those of chosen images."""
    name = handle.names[-1]
    st.subheader(f"{name} drawn from its prior", anchor=False)
    made = generate.from_prior(handle, PICTURES, seed, temperature)
    lines, heads = generate.picture_rows(made, [""] * PICTURES, name)
    show(strip(lines, heads, scale=2, colors=palette),
         f"Draws of {name} and what {handle.title} makes of them", f"tops-{letter}")  # fmt: skip
    st.subheader(f"{name} of images", anchor=False)
    chosen, problems = image_names.load(ctx, handle, names)
    for problem in problems:
        st.warning(ui.plain(problem), icon=":material/image_not_supported:")
    if chosen is not None:
        own = generate.from_images(handle, chosen, seed, temperature)
        seen = chosen.images.images.astype("float32") / 255
        lines, heads = generate.picture_rows(own, chosen.labels, name, seen)
        show(strip(lines, heads, scale=2, colors=palette),
             f"{name} of images and what {handle.title} makes of it", f"of-{letter}")  # fmt: skip
    return generate.picture_claim(made, name)


def learned_pictures(handle, letter: str, seed: int, temperature: float, beside) -> str:  # type: ignore[no-untyped-def]
    """The learned images of the prior, what each gives, and draws from some."""
    many = generate.learned(handle)
    first = 0
    if many > PICTURES:
        last = many - PICTURES
        image_names.in_range(f"g_u_{letter}", last + 1)
        with beside:
            number = st.number_input(
                f"First pseudoinput {letter}", 1, last + 1, 1, PICTURES, key=f"g_u_{letter}",
                bind="query-params",
            )  # fmt: skip
        first = int(number or 1) - 1
    which = list(range(first, min(first + PICTURES, many)))
    made = generate.from_learned(handle, which, generate.DRAWS, seed, temperature)
    lines, heads = generate.picture_rows(made, [f"u {k + 1}" for k in which], "u")
    show(strip(lines, heads, scale=2, colors=palette),
         f"Pseudoinputs and what {handle.title} makes of them", f"learned-{letter}")  # fmt: skip
    shown = list(range(min(many, LEARNED)))
    every = generate.from_learned(handle, shown, 2, seed, temperature)
    st.caption(f"The first {len(shown)} of {many} pseudoinputs, and the mean picture of each.")
    with st.container(horizontal=True, gap="large", key=f"scroll_g_learned_{letter}"):
        for pictures, alt in ((every.pictures, "pseudoinputs"), (every.means, "mean pictures")):
            picture = tile(pictures, columns=8, scale=1, gap=2, colors=palette)
            ui.picture(picture, f"All shown {alt} of {handle.title}")
    return generate.picture_claim(every, "Which pseudoinput is drawn")


def traversal_view(beside) -> str:  # type: ignore[no-untyped-def]
    """The units of one layer, moved one by one."""
    with beside:
        reach = float(st.slider("Reach", 1.0, 5.0, 3.0, 0.5, key="g_reach", bind="query-params",
                                help="The units run from minus to plus this value; the top layer's "
                                "prior has standard deviation 1."))  # fmt: skip
        names = list(ctx.a.names)
        if st.session_state.get("g_layer") not in (None, *names):
            del st.session_state["g_layer"]
        layer = st.select_slider("Layer", names, names[-1], key="g_layer", bind="query-params")
    with st.container(horizontal=True, vertical_alignment="bottom"):
        name = generate.pick(ctx, "g_a", "Image", 0)
    claim = ""
    for letter, handle in models():
        # A second model without such a layer shows its top one.
        number = handle.names.index(layer) + 1 if layer in handle.names else handle.n_layers
        own = handle.names[number - 1]
        chosen = images([name], handle)
        if chosen is None:
            break
        known = store.evaluation(ctx.world, handle, ctx.in_name, ctx.data_root)
        variance = None if known is None else known.unit_variance[number - 1]
        units, sorted_ = generate.active_first(variance, handle.units[number - 1])
        made, values = generate.traversed(handle, chosen, ctx.seed, number, units, reach)
        lines = [generate.row(f"unit {u}", path) for u, path in zip(units, made, strict=True)]
        show(strip(lines, [f"{v:+.1f}" for v in values], scale=2, colors=palette),
             f"Units of {own} moved, {handle.title}", f"traversal-{letter}")  # fmt: skip
        st.caption(
            f"The most active units first, of {own} (variance of E[z | x] over the test set)."
            if sorted_
            else f"The first units of {own}; evaluate the test set on the page Collapse to see the "
            "most active ones."
        )
        claim = claim or generate.traversal_claim(handle, number, made)
    return claim


DRAWN = {
    "Prior samples": prior_view,
    "Redrawn": redrawn_view,
    "Interpolation": interpolation_view,
    "Pseudoinput": picture_view,
    "Traversal": traversal_view,
}


def view_control() -> str:
    """Which view; that of pictures only where a model has one at its top."""
    views = list(VIEWS)
    if not any(generate.picture_on_top(h) for h in ctx.models):
        views.remove("Pseudoinput")
    if st.session_state.get("g_view") not in (None, *views):
        del st.session_state["g_view"]
    return st.radio("Show", views, key="g_view", bind="query-params")


@st.fragment
def body() -> None:
    """Claim, the chosen view and its controls; a control changes nothing else of the app."""
    with ui.in_place():
        head = st.container()
        pictured, beside = st.columns([3, 1], gap="large")
        with beside:
            view = view_control()
        with pictured:
            claim = DRAWN[view](beside)
        with head:
            ui.header(ui.plain(claim) or "Nothing to draw yet", VIEWS[view])


body()
