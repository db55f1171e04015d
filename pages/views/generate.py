"""Generate: what a model draws by itself, and what each level decides of a picture."""

from __future__ import annotations

from functools import partial

import streamlit as st

from hvae_core.errors import HVAEError
from hvae_core.figures import png_bytes, strip, tile
from pages.lib import generate, rows, store, ui
from pages.lib.state import colors, context

ctx = context()
palette = colors()

VIEWS = {
    "Prior samples": "Latents are drawn from p(z) level by level from the top; each picture is the "
    "expected image. A lower temperature keeps a level closer to its mean.",
    "Redrawn": "The upper levels of one image are kept, the lower ones drawn anew. What stays the "
    "same along a row is what the kept levels say.",
    "Interpolation": "A straight line between the latents of two images. Each row walks from one "
    "level up; the levels below follow at their means.",
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
    chosen, problems = rows.load(ctx, handle, names)
    for problem in problems:
        st.warning(ui.plain(problem), icon=":material/image_not_supported:")
    if chosen is None or len(chosen.names) < len(names):
        st.page_link("pages/views/image.py", label="Upload one image")
        return None
    return chosen


def data_of(handle):  # type: ignore[no-untyped-def]
    """The test images at the model's shape, or None where they are not on this machine."""
    try:
        return store.images(ctx.world, ctx.in_name, ctx.data_root, handle).images
    except HVAEError:
        return None


def temperature_control(key: str) -> float:
    """How far draws stray from the means."""
    return float(
        st.slider("Temperature", 0.0, 2.0, 1.0, 0.1, key=key, bind="query-params",
                  help="Scales the spread of every draw: 0 is the mean, 1 the model's own.")
    )  # fmt: skip


def heat_control() -> dict[str, float]:
    """One temperature for all levels, or one each."""
    names = list(dict.fromkeys(name for handle in ctx.models for name in handle.level_names))
    each = st.toggle("One temperature a level", key="g_each", bind="query-params")
    if not each:
        return dict.fromkeys(names, temperature_control("g_temp"))
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
        seed = draw_control()
    claim = ""
    for letter, handle in models():
        warm = tuple(heat[level] for level in handle.level_names)
        made = generate.prior(handle.digest, n, seed, warm, handle)
        show(tile(made, columns=round(n**0.5), scale=3, colors=palette),
             f"{n} samples from the prior of {handle.title}", f"prior-{letter}")  # fmt: skip
        claim = claim or generate.prior_claim(handle, made, warm, data_of(handle))
    return claim


def redrawn_view(beside) -> str:  # type: ignore[no-untyped-def]
    """One image, its lower levels drawn again and again."""
    with beside:
        temperature = temperature_control("g_warm")
        seed = draw_control()
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
        labels = [f"{level} and up" for level in handle.level_names]
        heads = [f"{100 * i // (generate.STEPS - 1)} %" for i in range(generate.STEPS)]
        lines = [generate.row(t, path) for t, path in zip(labels, made, strict=True)]
        show(strip(lines, heads, scale=2, colors=palette),
             f"From {names[0]} to {names[1]} under {handle.title}", f"path-{letter}")  # fmt: skip
        claim = claim or generate.path_claim(handle, made)
    return claim


def traversal_view(beside) -> str:  # type: ignore[no-untyped-def]
    """The units of one layer, moved one by one."""
    with beside:
        reach = float(st.slider("Reach", 1.0, 5.0, 3.0, 0.5, key="g_reach", bind="query-params",
                                help="The units run from minus to plus this value; the top layer's "
                                "prior has standard deviation 1."))  # fmt: skip
        names = [layer[0] for layer in ctx.a.layers]
        if st.session_state.get("g_layer") not in (None, *names):
            del st.session_state["g_layer"]
        layer = st.select_slider("Layer", names, names[-1], key="g_layer", bind="query-params")
    with st.container(horizontal=True, vertical_alignment="bottom"):
        name = generate.pick(ctx, "g_a", "Image", 0)
    claim = ""
    for letter, handle in models():
        number = [part[0] for part in handle.layers].index(layer) + 1 if layer in [
            part[0] for part in handle.layers] else len(handle.layers)  # fmt: skip
        chosen = images([name], handle)
        if chosen is None:
            break
        known = store.evaluation(ctx.world, handle, ctx.in_name, ctx.data_root)
        variance = None if known is None else known.unit_variance[number - 1]
        units, sorted_ = generate.active_first(variance, handle.units[number - 1])
        made, values = generate.traversed(handle, chosen, ctx.seed, number, units, reach)
        lines = [generate.row(f"unit {u}", path) for u, path in zip(units, made, strict=True)]
        show(strip(lines, [f"{v:+.1f}" for v in values], scale=2, colors=palette),
             f"Units of {layer} moved, {handle.title}", f"traversal-{letter}")  # fmt: skip
        st.caption(
            "The most active units first (variance of E[z | x] over the test set)."
            if sorted_
            else "The first units; evaluate the test set on the page Collapse to see the most "
            "active ones."
        )
        claim = claim or generate.traversal_claim(handle, number, made)
    return claim


def draw_control() -> int:
    """Which draw; the seed of the sidebar and this number make the picture again."""
    with st.container(horizontal=True, vertical_alignment="bottom"):
        draw = st.number_input("Draw", 0, 9999, key="g_draw", bind="query-params", width=120)
        st.button("Redraw", on_click=_next_draw, icon=":material/casino:")
    return ctx.seed + 1_000_000 * int(draw or 0)


def _next_draw() -> None:
    st.session_state["g_draw"] = (int(st.session_state.get("g_draw") or 0) + 1) % 10_000


DRAWN = {
    "Prior samples": prior_view,
    "Redrawn": redrawn_view,
    "Interpolation": interpolation_view,
    "Traversal": traversal_view,
}


@st.fragment
def body() -> None:
    """Claim, the chosen view and its controls; a control changes nothing else of the app."""
    with ui.in_place():
        head = st.container()
        pictured, beside = st.columns([3, 1], gap="large")
        with beside:
            view = st.radio("Show", list(VIEWS), key="g_view", bind="query-params")
        with pictured:
            claim = DRAWN[view](beside)
        with head:
            ui.header(ui.plain(claim) or "Nothing to draw yet", VIEWS[view])


body()
