"""What to try against collapse: recipes, each with its Lab preset, its command, and what ships."""

from __future__ import annotations

import streamlit as st

from hvae_core.common.deployment import public
from hvae_core.config.presets.remedies import Remedy, remedies
from hvae_core.data.worlds import World
from hvae_core.evaluation import diagnosis
from pages.collapse.layers import Layers
from pages.shared import command, links, store, ui
from pages.shared.state import Context


def lines(world: World, model: Layers) -> list[tuple[Remedy, dict[str, str]]]:
    """Each recipe, with the link to a shipped checkpoint of it as model B, or an empty one."""
    if not model.collapsed:
        return []
    info = store.info(model.handle)
    return [
        (remedy, _beside(world, model, remedy.preset) if _ships(world, remedy) else {})
        for remedy in remedies(info.config, info.train, world.key)
    ]


def _ships(world: World, remedy: Remedy) -> bool:
    return remedy.same and remedy.preset in world.checkpoints


def _beside(world: World, model: Layers, name: str) -> dict[str, str]:
    """The address that shows a model and a shipped one beside each other."""
    link = {"world": world.title, links.model_key("a", world): model.handle.name}
    return link | {links.model_key("b", world): name}


def draw(ctx: Context, models: list[Layers]) -> None:
    """What the literature tries for this network, as recipes; only where a layer collapsed."""
    for model in models:
        told = lines(ctx.world, model)
        if not told:
            continue
        title = f"What to try on {ui.plain(model.handle.title)}"
        with st.expander(title, icon=":material/healing:"):
            st.caption(
                "Each changes the training and nothing else. The Lab shows it on a network that "
                "trains in seconds; the command trains the recipe."
            )
            for remedy, shipped in told:
                st.markdown(f"**{ui.plain(remedy.title)}**: {remedy.does} ({remedy.source}).")
                row = st.container(horizontal=True)
                with row:
                    ui.link("lab", "See it in the Lab", {"preset": remedy.lab})
                    if shipped:
                        ui.link("collapse", "See its layers beside this model", shipped)
                if not public():
                    place = f"{model.handle.digest[:12]}-{remedy.preset}"
                    command.draw(diagnosis.command(remedy), place)
