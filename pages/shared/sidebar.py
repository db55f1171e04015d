"""The sidebar: world, models A and B, images, seed. Every choice is in the URL."""

from __future__ import annotations

from pathlib import Path

import streamlit as st

from hvae_core.checkpoint.library import add_checkpoint, own_checkpoints, shipped_checkpoints
from hvae_core.common.deployment import public
from hvae_core.common.errors import CheckpointError, HVAEError
from hvae_core.common.places import default_data_root
from hvae_core.data.worlds import World, download_set, worlds
from hvae_core.scores.available import background_path
from pages.shared import bring, jobs, store, ui
from pages.shared.controls import select
from pages.shared.state import Context
from pages.shared.store import Handle

NONE = "none"


def build() -> Context:
    """Draw the sidebar and return its choices."""
    with st.sidebar:
        every = worlds()
        key = select(
            "World", {key: world.title for key, world in every.items()}, key="world",
            help="An in-distribution set, the sets held against it, and the models trained on it.",
        )  # fmt: skip
        world = store.with_own_sets(every[key])
        models = _models(world)
        out_names = _out_sets(world)
        seed = st.number_input(
            "Seed", 0, 999_999, 0, key="seed", bind="query-params",
            help="Every random draw on the pages comes from this number and the picture itself.",
        )  # fmt: skip
        root = _images(world)
        _drop_checkpoint()
    if not models:  # only now, so that the sidebar has the way out of it
        raise CheckpointError(
            f"No model of {world.title} is here yet: open a checkpoint in the sidebar, choose "
            "another world, or train one (`python -m hvae_core models` lists the recipes)."
        )
    path = background_path(world)
    background = None if path is None else store.handle_of(path)
    return Context(world, models, out_names, seed=seed, data_root=root, background=background)


def _models(world: World) -> tuple[Handle, ...]:
    """Model A and, if wanted, B; none where the world has no checkpoint."""
    handles = _handles(world)
    if not handles:
        return ()
    titles = {name: handle.title for name, handle in handles.items()}
    plain = next((name for name in titles if name.endswith("hvae3-elbo")), "")
    a = select("Model A", titles, key=f"a_{world.key}", first=plain)
    drawn = "A second model for comparison, drawn dashed."
    b = select("Model B", {NONE: NONE, **titles}, key=f"b_{world.key}", help=drawn)
    return tuple(handles[name] for name in dict.fromkeys((a, b)) if name != NONE)


def _handles(world: World) -> dict[str, Handle]:
    """Checkpoints trained on this world, then the user's own; a damaged one is named and left."""
    shipped = shipped_checkpoints()
    paths = [path for name, path in shipped.items() if name in world.checkpoints]
    handles = {}
    for path in (*paths, *own_checkpoints().values()):
        try:
            handle = store.handle_of(path)
        except HVAEError as error:
            st.warning(ui.plain(str(error)))
            continue
        handles[handle.name] = handle
    return handles


def _out_sets(world: World) -> tuple[str, ...]:
    titles = {spec.name: spec.title for spec in world.with_role("out", "control")}
    key = f"out_{world.key}"
    added = [name for name in st.session_state.pop("added", []) if name in titles]
    chosen = st.session_state.get(key)
    if chosen is not None and not set(added) <= set(chosen):
        # Whoever brings a set wants to see it; without a choice so far the default has it.
        st.session_state[key] = list(dict.fromkeys([*chosen, *added]))
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
        if root and not Path(root).expanduser().is_dir():
            st.error(
                f"There is no folder {ui.plain(root)}; check the spelling or leave the field empty."
            )
            root = ""
        if absent := [one for one in world.sets if not world.available(one.name, root or None)]:
            _downloads(world, [s.name for s in absent if world.downloadable(s.name)])
        bring.field(root)
        bring.listed(world)
    return root or None


def _downloads(world: World, names: list[str]) -> None:
    st.caption("Not on this machine; a click downloads a set from the Hugging Face hub:")
    for name in names:
        job_name = f"download-{world.key}-{name}"
        if jobs.going_on(job_name, world.spec(name).title):
            continue
        if st.button(world.spec(name).title, key=job_name, icon=":material/download:"):
            jobs.submit(job_name, job_name, download_set, world.key, name)
            st.rerun()


def _drop_checkpoint() -> None:
    """Drag a checkpoint in and it is there, after the gate."""
    with st.expander("Open a checkpoint", icon=":material/upload_file:"):
        file = st.file_uploader(
            "A Strata checkpoint (.safetensors)", key="checkpoint", label_visibility="visible"
        )
        if file is None:
            return
        # The file stays in the field while the reader goes on; the gate sees it once.
        passed, title = st.session_state.get("dropped", (None, ""))
        if passed != file.file_id:
            try:
                checkpoint = add_checkpoint(file.getvalue(), file.name)
            except CheckpointError as error:
                st.error(ui.plain(str(error)), icon=":material/error:")
                return
            title = checkpoint.card.title or checkpoint.name
            st.session_state["dropped"] = (file.file_id, title)
            st.rerun()
        st.success(f"{ui.plain(title)} is now in the list of models.")
