"""Start: the whole story on one screen: the paradox, the explanation, the remedy."""

from __future__ import annotations

import streamlit as st

from hvae_core.common.errors import MissingImages
from hvae_core.detection.metrics import auroc
from hvae_core.detection.report import telling_pair
from hvae_core.figures import densities, png_bytes, strip, symbol_html
from hvae_core.scores import get_score
from pages.shared import jobs, pictures, store, ui
from pages.shared.state import colors, context
from pages.start import words

ctx = context()
palette = colors()
model = ctx.a
evaluations = {
    name: found
    for name in (ctx.in_name, *ctx.out_names)
    if (found := store.evaluation(ctx.world, model, name, ctx.data_root)) is not None
}
inside = evaluations.pop(ctx.in_name, None)
if inside is None or not evaluations:
    ui.header(
        "A likelihood can be fooled; the layers of a hierarchy can tell",
        "Evaluate the chosen sets once, and their densities appear here.",
    )
    jobs.evaluations(ctx, model, (ctx.in_name, *ctx.out_names))
    st.stop()

elbo = get_score("elbo", model.n_levels)
areas = {name: auroc(elbo(inside.table), elbo(found.table)) for name, found in evaluations.items()}
fooled = min(areas, key=areas.__getitem__)
ratios = [get_score(f"llr_{k}", model.n_levels) for k in range(1, model.n_levels)]
remedy = max(ratios, key=lambda s: auroc(s(inside.table), s(evaluations[fooled].table)))
area = auroc(remedy(inside.table), remedy(evaluations[fooled].table))
ui.header(
    words.claim(ctx.title(fooled), areas[fooled]),
    words.look_for(model.title, ctx.title(ctx.in_name), areas[fooled]),
)
first, second, third = words.heads(areas[fooled], area)

left, middle, right = st.columns([4, 5, 4], gap="medium")
with left, ui.in_place():
    st.subheader(first, anchor=False)
    st.markdown(f"Negative likelihood bound, AUROC **{areas[fooled]:.3f}**.")
    figure = densities(
        elbo(inside.table),
        [(ctx.title(fooled), elbo(evaluations[fooled].table))],
        palette,
        symbol=symbol_html(elbo.symbol),
        in_name=ctx.title(ctx.in_name),
        height=300,
    )
    ui.chart(figure, "start-paradox", "Densities of the negative bound, in and out of distribution")
    st.page_link("pages/ood/page.py", label="All scores and sets", icon=":material/arrow_forward:")
with middle, ui.in_place():
    st.subheader(second, anchor=False)
    st.markdown(
        "Reconstructed from the upper layers alone, the outsider is lost. It is the one with the "
        "largest ratio among those at least as likely as the median image inside."
    )
    try:
        pair = telling_pair(inside, evaluations[fooled], elbo, remedy)
        chosen = [(ctx.in_name, pair[0]), (fooled, pair[1])]
        rows, heads = pictures.story(ctx, model, chosen)
        st.image(
            png_bytes(strip(rows, heads, scale=3 if model.n_levels <= 3 else 2, colors=palette)),
            alt="Two images and their reconstructions from each level up",
        )
    except MissingImages as missing:
        st.info(str(missing), icon=":material/image_not_supported:")
    st.page_link(
        "pages/reconstructions/page.py",
        label="Reconstructions by layer",
        icon=":material/arrow_forward:",
    )
with right, ui.in_place():
    st.subheader(third, anchor=False)
    st.markdown(words.ratio(remedy.symbol, areas[fooled], area))
    figure = densities(
        remedy(inside.table),
        [(ctx.title(fooled), remedy(evaluations[fooled].table))],
        palette,
        symbol=symbol_html(remedy.symbol),
        in_name=ctx.title(ctx.in_name),
        height=300,
    )
    ui.chart(figure, "start-remedy", "Densities of the likelihood ratio, in and out")
    st.page_link("pages/image/page.py", label="Judge one image", icon=":material/arrow_forward:")
