"""Start: the whole story on one screen: the paradox, the explanation, the remedy."""

from __future__ import annotations

from dataclasses import replace

import streamlit as st

from hvae_core.common.errors import MissingImages
from hvae_core.detection.story import story, telling_pair
from hvae_core.figures import densities, png_bytes, strip, symbol_html
from hvae_core.scores import Score, get_score
from pages.shared import jobs, links, panel, pictures, saving, ui
from pages.shared.remembered import remembered
from pages.shared.state import colors, context
from pages.start import code, example, words

SPELLED = ("−L", "AUROC", "nats", "z1", "LLR>1")
ctx = context()
palette = colors()
model = ctx.a
evaluations = {
    name: evaluation
    for name in (ctx.in_name, *ctx.out_names)
    if (evaluation := ctx.evaluation(model, name)) is not None
}
inside = evaluations.pop(ctx.in_name, None)
if inside is None or not evaluations:
    ui.header(
        "A likelihood can be fooled; the layers of a hierarchy can tell",
        "Evaluate the chosen sets once, and their densities appear here.",
    )
    jobs.evaluations(ctx, model, (ctx.in_name, *ctx.out_names))
    raise ui.PageEnd
own = inside.table
elbo = get_score("elbo", model.n_levels)
told = story(inside, evaluations)
fooled, remedy = told.name, told.ratio
# The area of the likelihood, and the nats of single images, wait while a question asks for it.
known = None if st.session_state.get(ui.VEILED) else told.likelihood


def density_chart(score: Score, name: str, alt: str, *, follows: bool = True) -> None:
    """A score of the model's own images and of the set that fools the likelihood."""
    figure = remembered(
        densities,
        score(own),
        [(ctx.title(fooled), score(evaluations[fooled].table))],
        palette,
        symbol=symbol_html(score.symbol),
        in_name=ctx.title(ctx.in_name),
        places=[ctx.place(fooled) or 0],
        height=300,
    )
    made = code.density(ctx, score, (ctx.in_name, fooled), height=300)
    ui.chart(figure, name, alt, code=made, follows=follows)


shown_title = ui.plain(ctx.title(fooled))
ui.header(
    words.claim(shown_title, told.likelihood),
    words.look_for(ui.plain(model.title), ui.plain(ctx.title(ctx.in_name)), shown_title, known),
    spelled=SPELLED,
)
if remedy is None:
    with ui.in_place():
        density_chart(elbo, "start-paradox", words.PARADOX_ALT, follows=False)
    st.info(words.ONE_LEVEL)
    ui.link("ood", "All scores and sets")
    raise ui.PageEnd
first, second, third = words.heads(known, told.remedied)
left, middle, right = st.columns([6, 7, 6], gap="small")
with left, ui.in_place():
    st.subheader(first, anchor=False)
    panel.said(words.cost(known), first)
    density_chart(elbo, "start-paradox", words.PARADOX_ALT)
    ui.link("ood", "All scores and sets")
with right, ui.in_place():
    st.subheader(third, anchor=False)
    panel.said(words.ratio(remedy.symbol, known, told.remedied), third)
    density_chart(remedy, "start-remedy", "Densities of the likelihood ratio, in and out")
    ui.link("image", "Judge one image")
with middle, ui.in_place():  # last, as it has the model compute
    st.subheader(second, anchor=False)
    st.markdown(
        "From left to right fewer layers know the image: look at what becomes of the outsider."
    )
    try:
        indices = telling_pair(inside, evaluations[fooled], elbo, ratio=remedy)
        pair = list(zip((ctx.in_name, fooled), indices, strict=True))
        rows, heads = pictures.story(ctx, model, pair)
        if known is None:  # the nats under the pictures answer it too
            rows = [replace(row, losses=[None] * len(row.losses)) for row in rows]
        scale = 3 if model.n_levels <= 3 else 2
        drawn, alt = (
            strip(rows, heads, scale=scale, underlined=False, colors=palette),
            words.STORY_ALT,
        )
        st.image(png_bytes(drawn), alt=alt)
        if known is not None:
            made = code.story(ctx, pair, heads, scale=scale)
            saving.picture_button(drawn, "start-story", alt=alt, code=made)
            panel.said(
                "Under each picture stands what its pixels cost the model, in nats. Chosen "
                "automatically: among outsiders that look at least as likely as a typical image of "
                f"{ui.plain(ctx.title(ctx.in_name))}, this one has the largest ${remedy.symbol}$.",
                note=True,
            )
    except MissingImages as missing:
        st.info(ui.plain(str(missing)), icon=":material/image_not_supported:")
    ui.link("reconstructions", "Reconstructions by layer")
if known is not None and told.uncaught:
    missed = [(ctx.title(name), area, best) for name, area, best in told.uncaught]
    panel.said(words.uncaught(missed), note=True)
if known is not None and known >= 0.5 and (shown := example.telling()) is not None:
    world, handle = shown
    link = {"world": world.title, links.model_key("a", world): handle.name}
    st.caption("This model does not show the paradox. A model that shows it:")
    ui.link("start", f"{ui.plain(handle.title)}, trained on {ui.plain(world.title)}", link)
