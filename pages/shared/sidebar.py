"""The sidebar: world, models A and B, images, seed. Every choice is in the URL."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NoReturn

import streamlit as st

from hvae_core.checkpoint.library import shipped_checkpoints
from hvae_core.common import shelf
from hvae_core.common.deployment import public
from hvae_core.common.files import is_folder
from hvae_core.common.places import COMMAND, default_data_root
from hvae_core.common.plain import plain as short
from hvae_core.config.presets import PRESETS
from hvae_core.data.worlds import World
from hvae_core.scores.available import background_path
from pages.shared import (
    boxed,
    bring,
    brought,
    command,
    current,
    downloads,
    kernel,
    links,
    models,
    own_training,
    store,
    ui,
    visitor,
    words,
)
from pages.shared.controls import select
from pages.shared.state import Context


def build() -> Context:
    """Draw the sidebar and return its choices."""
    shelf.seen(visitor.visitor())
    with st.sidebar:
        every = kernel.worlds()
        key = select(
            "World", {key: world.title for key, world in every.items()}, key="world",
            help="An in-distribution set, the sets held against it, and the models trained on it.",
        )  # fmt: skip
        brought.take_up()
        boxed.settle()
        choices = store.with_own_sets(every[key])
        chosen = models.choose(choices)
        world = current.with_pictures(own_training.with_held_out(choices, chosen))
        out_names = _out_sets(world)
        seed = st.number_input(
            "Seed", 0, 999_999, 0, key="seed", bind="query-params",
            help="Random draws follow from this number: the same seed gives the same page again.",
        )  # fmt: skip
        root = _images(world)
        models.opener()
        if not public():
            own_training.panel(choices)
        brought.say()
        words.all_of_them()
    if not chosen:  # only now, so that the sidebar has the way out of it
        _no_model(world, every)
    path = background_path(world)
    background = None if path is None else store.handle_of(path)
    return Context(
        world, chosen, out_names, seed=seed, data_root=root, choices=choices, background=background
    )


def _no_model(world: World, every: Mapping[str, World]) -> NoReturn:
    """Say that a world has no model, and the three ways out of it."""
    st.title(f"No model of {ui.plain(world.title)} yet", anchor=False)
    st.error(
        f"No model of {ui.plain(world.title)} is here yet: open a checkpoint in the sidebar, train "
        "one, or choose a world that has one.",
        icon=":material/error:",
    )
    # The smallest recipe of the world is trained first: the big ones take a machine with a GPU.
    recipes = [preset for preset in PRESETS.values() if preset.world == world.key]
    recipe = next((preset for preset in recipes if not preset.paper), None)
    if recipe is not None and not public():
        st.markdown(f"Train {ui.plain(recipe.title)} on this machine:")
        command.draw(f"{COMMAND} train --preset {recipe.name}", "train")
    shipped = shipped_checkpoints()
    for other in every.values():
        if any(name in shipped for name in other.checkpoints):
            ui.link("start", f"Go to {other.title}", {"world": other.title})
    raise ui.PageEnd


def _out_sets(world: World) -> tuple[str, ...]:
    titles = {spec.name: spec.title for spec in world.with_role("out", "control")}
    key = f"out_{world.key}"
    added = [name for name in st.session_state.pop("added", []) if name in titles]
    chosen = st.session_state.get(key)
    if chosen is not None and not set(added) <= set(chosen):
        # Whoever brings a set wants to see it; without a choice so far the default has it.
        st.session_state[key] = list(dict.fromkeys([*chosen, *added]))
    links.check("set", key, titles.values())
    names = st.multiselect(
        "Out-of-distribution sets", list(titles),
        default=[spec.name for spec in world.with_role("out")],
        format_func=lambda name: titles.get(name, name), key=key, bind="query-params",
    )  # fmt: skip
    return tuple(names)


def _images(world: World) -> str | None:
    """Where images come from: the data folder, the hub, and sets of the user's own."""
    panel = st.expander("Images", expanded=False, icon=":material/image:")
    if public():  # no folders of the server's, and nothing fetched by it
        with panel:
            bring.field("")
            bring.listed(world)
        return None
    with panel:
        root = st.text_input(
            "Data folder",
            key="root",
            persist_state="session",
            placeholder=str(default_data_root()),
            help="A folder with one Parquet file, image folder or .npz a set, "
            "such as mnist/test.parquet.",
        ).strip()
        if root and not is_folder(root):
            st.error(
                f"There is no folder {ui.plain(short(root))}; check the spelling or leave the "
                "field empty."
            )
            root = ""
        downloads.of_sidebar(world, root or None)
        bring.field(root)
        bring.listed(world)
    return root or None
