"""The models that can be chosen: a world's, those kept on this machine, and the visitor's own.

A checkpoint that a visitor opens is the visitor's: it lies on the visitor's shelf, and nobody else
sees it, unless it is kept on this machine. Links name a model by its digest.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from pathlib import Path

import streamlit as st

from hvae_core.checkpoint import named
from hvae_core.checkpoint.library import (
    admit_checkpoint,
    keep_checkpoint,
    own_checkpoints,
    remove_checkpoint,
    shipped_checkpoints,
)
from hvae_core.common import shelf
from hvae_core.common.deployment import MAX_CHECKPOINTS, public
from hvae_core.common.errors import CheckpointError, HVAEError
from hvae_core.common.files import named_path
from hvae_core.common.own_models import is_named
from hvae_core.common.words import LETTERS
from hvae_core.data.worlds import World
from hvae_core.figures.theme import DRAWN
from pages.shared import links, store, ui, visitor
from pages.shared.apart import opened
from pages.shared.controls import among
from pages.shared.store import Handle

NONE = "none"
OPENED = "opened"
"""In the session's state: the digest of the checkpoint that was opened just now."""
_DROPPED = "dropped"


def own_folder() -> Path:
    """Where the checkpoints lie that this visitor opened."""
    return shelf.folder(visitor.visitor(), "checkpoints")


def choosable(world: World) -> dict[str, Handle]:
    """Models by name, no two of one title; a damaged one is named and left out."""
    shipped, own = shipped_checkpoints(), named.models()
    paths = [shipped[name] for name in world.checkpoints if name in shipped]
    handles: dict[str, Handle] = {}
    for path in (
        *own,
        *paths,
        *own_checkpoints().values(),
        *own_checkpoints(own_folder()).values(),
    ):
        try:
            handle = store.handle_of(path)
        except HVAEError as error:
            st.warning(ui.plain(str(error)))
            continue
        if any(handle.digest == other.digest for other in handles.values()):
            continue
        if handle.name in handles:  # networks of one's own are named by their classes
            handle = replace(handle, name=f"{handle.name} {handle.digest[:8]}")
        handles[handle.name] = handle
    return {handle.name: handle for handle in _distinct(handles.values())}


def _distinct(handles: Iterable[Handle]) -> list[Handle]:
    """The handles, with the start of its digest in a title that an earlier one has."""
    taken, named = {NONE}, []
    for handle in handles:
        if _plain(handle.title) in taken:
            handle = replace(handle, title=f"{handle.title} ({handle.digest[:8]})")
        taken.add(_plain(handle.title))
        named.append(handle)
    return named


def _plain(title: str) -> str:
    return " ".join(title.split()).casefold()


def choose(world: World) -> tuple[Handle, ...]:
    """Model A and up to three more, one after another; none where there is none to choose."""
    handles = choosable(world)
    if not handles:
        return ()
    opened = st.session_state.pop(OPENED, None)
    for name, handle in handles.items():
        if handle.digest == opened:
            st.session_state[links.model_key("a", world)] = name
    named_now = [name for name, handle in handles.items() if is_named(handle.path)]
    shipped = [name for name in world.checkpoints if name in handles]
    first = next(iter([*named_now, *shipped, *handles]))
    second = [*named_now, NONE][1] if len(named_now) > 1 else NONE
    a = _choice("Model A", handles, links.model_key("a", world), first=first)
    chosen, drawn_keys = [a], {links.model_key("a", world)}
    for letter in LETTERS[1:]:
        others = {name: one for name, one in handles.items() if letter == "B" or name not in chosen}
        name = _choice(
            f"Model {letter}", {NONE: None, **others}, links.model_key(letter.lower(), world),
            first=second if letter == "B" else NONE,
            help=f"One more model for comparison, drawn {DRAWN[letter]} where models share a "
            "chart. Four can be compared.",
        )  # fmt: skip
        drawn_keys.add(links.model_key(letter.lower(), world))
        if name in chosen:  # of the models after A, only B can be chosen to be A
            st.caption("Model B is model A: choose another one to compare.")
        if name == NONE or name in chosen:
            break
        chosen.append(name)
        if len(chosen) == len(handles):
            break
    before: set[str] = st.session_state.get("models_linked", set())
    for key in before - drawn_keys:
        links.say(key, "")  # of another world, or of a letter that is not there any more
    st.session_state["models_linked"] = drawn_keys
    return tuple(handles[name] for name in chosen)


def take_second(world: World, key: str) -> None:
    """Make the model that another control names under ``key`` model B."""
    st.session_state[links.model_key("b", world)] = st.session_state[key]


def _choice(
    label: str, handles: Mapping[str, Handle | None], key: str, *, first: str, help: str = ""
) -> str:
    """The name of a model from the list; its digest stands in the address if not ``first``."""
    titles = {name: NONE if one is None else one.title for name, one in handles.items()}
    among(key, titles)
    _take_up(key, label, handles, instead=first)
    index = list(titles).index(first)
    name = st.selectbox(
        label, list(titles), index, format_func=titles.__getitem__, key=key, help=help or None
    )
    in_vain = st.session_state.get(f"asked_{key}", "")
    if in_vain and name == first:
        links.say(key, in_vain)  # a reload says again that it is not here
        return str(name)
    links.absent(key, "")
    chosen = handles[name]
    links.say(key, "" if name == first else chosen.digest[: shelf.LINKED] if chosen else NONE)
    return str(name)


def _take_up(key: str, label: str, handles: Mapping[str, Handle | None], *, instead: str) -> None:
    """Choose the model that a link names by its digest, or say that it is not here."""
    asked = links.arrived(key)
    if not asked:
        return
    found = [
        name
        for name, handle in handles.items()
        if asked == name or (handle and len(asked) >= 12 and handle.digest.startswith(asked))
    ]
    st.session_state[f"asked_{key}"] = "" if found or asked == NONE else asked
    st.session_state[key] = found[0] if found else instead
    if found or asked == NONE:
        links.absent(key, "")
        return
    other = handles[instead]
    shown = "no second model" if other is None else other.title
    links.absent(
        key,
        f"{label} of this link ({asked[:40]}) is not here. Shown instead: {shown}. A checkpoint "
        "that somebody opened is theirs alone: open the same file under Open a checkpoint in the "
        "sidebar, and the page shows what the link means.",
    )


def opener() -> None:
    """Drag a checkpoint in and it is model A, after the gate; what was opened can be removed."""
    with st.expander("Open a checkpoint", icon=":material/upload_file:"):
        file = st.file_uploader(
            "A checkpoint (.safetensors, or another project's file or zip)", key="checkpoint",
            help="Weights of another project, as it wrote them, are converted: the file, or a zip "
            "of the folder that it lies in.",
        )  # fmt: skip
        path = "" if public() else st.text_input(
            "Or its path on this machine", key="checkpoint_path", help="A file or a folder, of any "
            "size that checkpoints may have.",
        ).strip()  # fmt: skip
        given = st.text_input(
            "Hyper-parameters that its files lack", key="checkpoint_given", help="Only for a "
            "checkpoint of another project: the name of one of its sets, as cifar10, or JSON by "
            "the project's own names.",
        ).strip()  # fmt: skip
        keep = not public() and st.checkbox(
            "Keep on this machine", key="checkpoint_keep", help="Everybody who uses this server "
            "has it in the list of models then. Without it the model is yours: nobody else sees "
            "it, and it goes a day after you were last here.",
        )  # fmt: skip
        # The file stays in the field while the reader goes on; the gate sees it once.
        seen, title, refusal = st.session_state.get(_DROPPED, (None, "", ""))
        brought = (path if file is None else file.file_id, given)
        if brought[0] and seen != brought:
            if file is None:
                title, refusal = _add(path, "", given=given, keep=keep)
            else:
                title, refusal = _add(file.getvalue(), file.name, given=given, keep=keep)
            st.session_state[_DROPPED] = (brought, title, refusal)
            if not refusal:
                st.rerun()
        if brought[0] and refusal:
            st.error(ui.plain(refusal), icon=":material/error:")
        elif brought[0]:
            st.success(f"{ui.plain(title)} is now in the list of models, and is model A.")
        _brought()


def _add(source: bytes | str, filename: str, *, given: str, keep: bool) -> tuple[str, str]:
    """The title of an opened checkpoint, which is chosen in the next run, or why it is refused.

    ``source`` is the bytes of a file, or a path on this machine.
    """
    from hvae_core.checkpoint.convert import given_in

    try:
        if public() and len(own_checkpoints(own_folder())) >= MAX_CHECKPOINTS:
            raise CheckpointError(
                f"You have {MAX_CHECKPOINTS} checkpoints here, which is the most; remove one first."
            )
        brought = named_path(source, CheckpointError) if isinstance(source, str) else source
        name = filename if isinstance(brought, bytes) else brought.name
        digest, title = opened(
            admit_checkpoint, brought, name, None if keep else own_folder(), given=given_in(given)
        )
    except HVAEError as error:
        return "", str(error)
    shelf.seen(visitor.visitor())
    shelf.prune(spare=next(own_folder().glob(f"*.{digest}.*"), None))
    st.session_state[OPENED] = digest
    return title, ""


def _brought() -> None:
    """What was opened before: each can be removed, and kept on this machine."""
    mine = {path.stem: path for path in own_checkpoints(own_folder()).values()}
    kept = {} if public() else {path.stem: path for path in own_checkpoints().values()}
    paths = {**mine, **kept}
    problem = st.session_state.pop("checkpoint_problem", "")
    if problem:
        st.error(ui.plain(problem), icon=":material/error:")
    if not paths:
        return
    among("checkpoint_opened", paths)
    name = st.selectbox("Opened before", list(paths), key="checkpoint_opened", format_func=_shown)
    with st.container(horizontal=True):
        st.button(
            "Remove", key="checkpoint_remove", icon=":material/delete:", on_click=_move,
            args=(remove_checkpoint, paths[name]),
        )  # fmt: skip
        if name not in kept and not public():
            st.button(
                "Keep on this machine", key="checkpoint_stay", on_click=_move,
                args=(keep_checkpoint, paths[name]),
            )  # fmt: skip


def _shown(stem: str) -> str:
    name, _, digest = stem.rpartition(".")
    return f"{name} ({digest[:8]})"


def _move(what: Callable[[Path], object], path: Path) -> None:
    """Remove or keep a checkpoint; what is in the way is said where it was asked for."""
    try:
        what(path)
    except HVAEError as error:
        st.session_state["checkpoint_problem"] = str(error)
