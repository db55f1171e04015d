"""Sets that a visitor brings: files or a path in, and what was done to each, with ways back."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import streamlit as st

from hvae_core.common.deployment import public
from hvae_core.common.errors import DataError, HVAEError
from hvae_core.common.places import COMMAND
from hvae_core.data.bring import KINDS, File, read_files
from hvae_core.data.hints import hints
from hvae_core.data.image_set import ImageSet, describe_shape
from hvae_core.data.load import load_source, path_and_split
from hvae_core.data.prepare import HELP, STEPS, WORDS, Step
from hvae_core.data.stored import find_named
from hvae_core.data.worlds import Role, World
from pages.shared import brought, store, ui
from pages.shared.apart import opened

_SOURCES = "own_sources"
ROLES: dict[Role, str] = {"out": "out-of-distribution", "in": "in-distribution"}


@dataclass(frozen=True)
class Source:
    """Where a set came from, so that it can be read again with other steps."""

    files: tuple[File, ...]
    path: str
    root: str
    role: Role
    place: int = 0
    """Which of the sets that the files hold."""
    steps: tuple[Step, ...] = ()
    title: str = ""
    """That of the set as it was read."""

    def read_again(self) -> ImageSet:
        """This set alone; ``DataError`` where the files do not give it any more."""
        read = self.read()
        if self.place < len(read) and read[self.place].title == self.title:
            return read[self.place]
        raise DataError(f"{self.title} cannot be read with these steps; switch the last one off.")

    def read(self) -> list[ImageSet]:
        """The sets of the files, or that of the path."""
        if self.files:
            return opened(read_files, self.files, self.steps)
        return [load_source(self.path, data_root=self.root or None, prepare=self.steps)]


def field(
    root: str, *, key: str = "own", then: Callable[[list[str]], None] = lambda names: None
) -> None:
    """Take sets of a visitor's own: files, a path, or the name of a set.

    ``key`` tells two such fields of a page apart; ``then`` gets the names of what was added.
    """
    with st.form(key, clear_on_submit=True, border=False):
        uploads = st.file_uploader(
            "Your own set", type=list(KINDS), accept_multiple_files=True, key=f"{key}_files",
            help="Pictures (several are one set), a .zip of pictures with a folder for each class, "
            ".npz, .npy, .parquet, .csv of pixels, or MNIST's own files, images and labels "
            "together.",
        )  # fmt: skip
        where = "" if public() else st.text_input(
            "or a folder, file, or set on this machine, by name", key=f"{key}_source",
            help="A set that the papers name, such as svhn, omniglot+inverted or celeba:train; or "
            "one of the Hugging Face hub, as owner/name, once it is downloaded. "
            f"`{COMMAND} datasets` lists the names.",
        ).strip()  # fmt: skip
        role = st.radio("This set is", list(ROLES), horizontal=True, format_func=ROLES.__getitem__,
                        key=f"{key}_role")  # fmt: skip
        sent = st.form_submit_button("Add set", key=f"{key}_add")
    if not sent:
        return
    files = tuple((upload.name, upload.getvalue()) for upload in uploads)
    try:
        if not files and not where:
            ways = "" if public() else " or type a folder, a file or the name of a set"
            raise DataError(f"Choose a file{ways} first.")
        source = Source(files, where, root, role)
        then(
            [
                _keep(images, replace(source, place=place, title=images.title))
                for place, images in enumerate(source.read())
            ]
        )
    except HVAEError as error:
        st.error(ui.plain(str(error)))
        return
    st.rerun()


def listed(world: World) -> None:
    """The visitor's sets: what was done to each, what may be wrong, and the steps to mend it."""
    for name, (spec, images) in list(store.own_sets().items()):
        with st.container(border=True):
            st.markdown(f"**{ui.plain(spec.title)}**")
            shape = describe_shape(images.image_shape)
            count = f"{len(images):,} image{'s' * (len(images) != 1)}"
            st.caption(ui.plain(f"{count}, {shape}, {ROLES[spec.role]}"))
            ui.notes(images.notes)
            source = _sources().get(name)
            if source is not None and _named(source):
                source = None  # its changes stand in its name, after a +
            for hint in hints(images, world.image_shape, world.ground):
                st.caption(f":material/lightbulb: {ui.plain(hint.sentence)}")
                if source is not None and st.button(WORDS[hint.step], key=f"do-{hint.step}-{name}"):
                    _again(name, source, (*source.steps, hint.step))
            if source is not None:
                _steps(name, source)
            brought.keep_box(name)
            if st.button("Remove", key=f"remove-{name}", icon=":material/delete:", type="tertiary"):
                _forget(name)
                st.rerun()


def _steps(name: str, source: Source) -> None:
    chosen = st.pills(
        "Prepare", STEPS, selection_mode="multi", default=list(source.steps),
        format_func=WORDS.__getitem__, key=f"steps-{name}-{'-'.join(source.steps)}",
        help="  \n".join(f"{WORDS[step]}: {HELP[step]}" for step in STEPS),
    )  # fmt: skip
    if set(chosen) != set(source.steps):
        kept = [step for step in source.steps if step in chosen]
        _again(name, source, (*kept, *(step for step in chosen if step not in kept)))


def _again(name: str, source: Source, steps: Sequence[Step]) -> None:
    """Read a set again with other steps, in the place of what it was."""
    source = replace(source, steps=tuple(dict.fromkeys(steps)))
    try:
        images = source.read_again()
    except HVAEError as error:
        st.error(ui.plain(str(error)))
        return
    title = store.own_sets()[name][0].title
    _forget(name)
    _keep(images, source, title)
    st.rerun()


def _keep(images: ImageSet, source: Source, title: str = "") -> str:
    files = {file for one in (*_sources().values(), source) for file in one.files}
    beside = sum(len(data) for _, data in files)
    name = store.add_own_set(images, source.role, title or images.title, beside=beside)
    _sources()[name] = source
    st.session_state.setdefault("added", []).append(name)
    return name


def _forget(name: str) -> None:
    store.own_sets().pop(name, None)
    _sources().pop(name, None)


def _named(source: Source) -> bool:
    """Whether it is a registered set by its name."""
    if source.files or path_and_split(source.path)[0] is not None:
        return False
    return find_named(source.path) is not None


def _sources() -> dict[str, Source]:
    sources: dict[str, Source] = st.session_state.setdefault(_SOURCES, {})
    return sources
