"""Train on my images: pictures of a local user's to a model that is chosen and judged by.

A model that was trained so has held-out images on this machine: they are its in-distribution set
on every page, and the reference by which *One image* judges.
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import streamlit as st

from hvae_core.common import fingerprint
from hvae_core.common.deployment import public
from hvae_core.common.errors import DataError, HVAEError
from hvae_core.common.files import named_path
from hvae_core.common.shelf import LINKED
from hvae_core.data.held_out import HeldOut, held_out_of
from hvae_core.data.image_set import ImageSet
from hvae_core.data.origins import InMemory
from hvae_core.data.own_images import SIDE
from hvae_core.data.worlds import OWN, SetSpec, World
from pages.shared import jobs, links, store, ui
from pages.shared.controls import among
from pages.shared.models import OPENED
from pages.shared.store import Handle
from pages.shared.visitor import visitor

JOB = "train-own"
SIZES = (16, SIDE, 64)
_TOLD = "own_trained"
_PATH = "A path on this machine"


def panel(world: World) -> None:
    """The field for pictures and its button, the progress, and what came of it.

    ``world`` is that of the sidebar, in whose list of models the trained one stands.
    """
    job = jobs.current(JOB)
    running = job is not None and job.active
    with st.expander(
        "Train on my images", icon=":material/model_training:", expanded=running or _watching()
    ):
        if jobs.going_on(JOB, "Training"):
            st.session_state[_TOLD] = ""
            st.caption("If you cancel, the training goes on from there when you start it again.")
            return
        _came_of_it(world)
        sets = {name: spec.title for name, (spec, _) in store.own_sets().items()}
        choices = {"": _PATH, **sets}
        among("own_train_set", choices)
        chosen = st.selectbox(
            "Pictures", list(choices), format_func=choices.__getitem__, key="own_train_set",
            help="A few hundred or more of one kind. Size, colour and network are chosen from "
            "them, and a fifth is held out to calibrate the detector. It takes some minutes.",
        )  # fmt: skip
        place = ""
        if not chosen:
            st.session_state.setdefault("own_train_path", _places().get(visitor(), ""))
            place = st.text_input(
                "Folder, .zip, .npz or .parquet", key="own_train_path", persist_state="session"
            ).strip()
        side = st.select_slider(
            "Longer side (pixels)", SIZES, SIDE, key="own_train_side",
            help="Larger takes longer: four times for twice the side.",
        )  # fmt: skip
        if st.button("Train", key="own_train", icon=":material/play_arrow:"):
            with ui.in_place():
                _start(store.own_sets()[chosen][1] if chosen else _checked(place), int(side))
                st.rerun()


def _checked(place: str) -> str:
    """The path that someone typed; ``DataError`` where there is nothing."""
    if not place:
        raise DataError("Type the path of a folder of pictures first.")
    if not named_path(place).exists():
        raise DataError(f"There is no file or folder {place}; check the spelling.")
    return place


def _start(source: str | ImageSet, side: int) -> None:
    from hvae_core.training.own import train_own_job

    known = source.digest if isinstance(source, ImageSet) else str(named_path(source).absolute())
    if isinstance(source, str):
        _places()[visitor()] = source
    st.session_state[_TOLD] = ""
    jobs.submit(JOB, fingerprint.digest("train-own", known, side), train_own_job, source, side)


@st.cache_resource(show_spinner=False)
def _places() -> dict[str, str]:
    """Where the pictures lie that a visitor trained on last, for the field after a reload."""
    return {}


def _watching() -> bool:
    """Whether this session saw a training run: what comes of it stays in sight."""
    return _TOLD in st.session_state


def _came_of_it(world: World) -> None:
    """Say what collapsed; who saw the job run has its model chosen as model A, once."""
    job = jobs.current(JOB)
    if job is None or job.status != "done":
        return
    digest, lines = job.result()
    if st.session_state.get(_TOLD, digest) != digest:
        st.session_state[_TOLD] = digest
        st.session_state[OPENED] = digest
        st.rerun()
    st.success("The model is trained and in the list of models; its held-out images are its set.")
    ui.notes(lines)
    ui.link("image", "Judge one image", {links.model_key("a", world): digest[:LINKED]})


def with_held_out(world: World, models: tuple[Handle, ...]) -> World:
    """The world of model A: its held-out images where it has some here, else the world itself.

    Its own sets are held against these, the in-distribution one among them. Pictures of a local
    user's are shown to no visitor of a public server.
    """
    if public() or not models:
        return world
    try:
        known = _held_out(models[0].digest, models[0].path)
    except HVAEError:
        return world
    if known is None:
        return world
    short = models[0].digest[:8]
    name = f"{OWN}held-out-{short}"
    inside = SetSpec(name, f"{models[0].title}: held-out images", "in", InMemory(known.images))
    others = tuple(
        replace(spec, role="out")
        for spec in world.sets
        if spec.role in ("in", "out") and spec.name != name
    )
    return World(
        f"own-{short}", models[0].title, name,
        sets=(inside, *others), checkpoints=(), image_shape=models[0].image_shape,
    )  # fmt: skip


@st.cache_resource(max_entries=16, show_spinner=False)
def _held_out(digest: str, path: str) -> HeldOut | None:
    return held_out_of(digest, Path(path))
