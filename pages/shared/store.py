"""Checkpoints, images and evaluations for the pages: cached and shared, never computed.

What takes longer than a moment is a job (``pages.shared.jobs``); here is only what is at hand.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Concatenate, ParamSpec, TypeVar

import streamlit as st

from hvae_core.common import fingerprint, own_models
from hvae_core.common.arrays import Shape
from hvae_core.common.deployment import public
from hvae_core.common.errors import CheckpointError, ModelError
from hvae_core.common.progress import Progress, silent
from hvae_core.config import level_starts
from hvae_core.data.image_set import ImageSet
from hvae_core.data.origins import InMemory
from hvae_core.data.worlds import Role, SetSpec, World, custom_set, distinct
from hvae_core.evaluation import SHIPPED_LIMIT
from hvae_core.evaluation.sets import Described, Sets
from pages.shared import kernel, quotas
from pages.shared.visitor import session, visitor

if TYPE_CHECKING:
    from hvae_core.checkpoint import CheckpointInfo
    from hvae_core.models import HierarchicalVAE

P = ParamSpec("P")
R = TypeVar("R")
SHOWN_LIMIT = SHIPPED_LIMIT
"""Images of a set on the pages: those of the stored results, so that rows and pictures agree."""


@dataclass(frozen=True)
class Handle:
    """A checkpoint that can be chosen: its file, digest, and what its card says."""

    name: str
    title: str
    path: str
    digest: str
    layers: tuple[tuple[str, tuple[int, ...], int], ...]
    """(name, shape, units) of z_1 .. z_L."""
    levels: tuple[str, ...]
    """The level of each layer: k counts levels."""
    exact_kl: tuple[bool, ...]
    """Whether each layer's KL term is a divergence in the strict sense."""
    image_shape: tuple[int, int, int]

    @property
    def n_layers(self) -> int:
        """L."""
        return len(self.layers)

    @property
    def names(self) -> tuple[str, ...]:
        """The layers' names, z_1 first."""
        return tuple(name for name, _, _ in self.layers)

    @property
    def level_names(self) -> tuple[str, ...]:
        """The levels from the lowest: skipping k of them leaves what starts at the k-th."""
        return tuple(self.levels[start] for start in level_starts(self.levels))

    @property
    def n_levels(self) -> int:
        """K: k runs from 0 to K-1."""
        return len(self.level_names)

    @property
    def grouped(self) -> bool:
        """Whether a level may hold several layers, so that k does not count layers."""
        return self.n_levels < self.n_layers

    @property
    def units(self) -> tuple[int, ...]:
        """Units of each layer, z_1 first."""
        return tuple(units for _, _, units in self.layers)


def counted(handles: Sequence[Handle]) -> str:
    """What k counts, for labels: "layers", or "levels" where one of them may hold several."""
    return "levels" if any(handle.grouped for handle in handles) else "layers"


@st.cache_resource(max_entries=64, show_spinner=False)
def inspected(path: str, modified: float) -> CheckpointInfo:
    """Card, configuration and history of a checkpoint file; ``modified`` renews the entry."""
    from hvae_core.checkpoint import inspect_checkpoint

    return inspect_checkpoint(Path(path))


def info(handle: Handle) -> CheckpointInfo:
    """Card, configuration and history of a chosen checkpoint."""
    return inspected(handle.path, _state(Path(handle.path))[0])


def handle_of(path: Path) -> Handle:
    """The handle of a file; raises ``CheckpointError`` if it is gone or the gate refuses it."""
    state = _state(path)
    handle = _summary(str(path), *state)
    if isinstance(handle, str):
        raise CheckpointError(handle)
    return handle


def _state(path: Path) -> tuple[float, int]:
    """When a file was changed and its size; of a model of one's own, when its Python file was."""
    if own_models.is_named(path):
        return own_models.modified(path), 0
    try:
        state = path.stat()
        return state.st_mtime, state.st_size
    except OSError as error:
        name = path.name.partition(".")[0]
        raise CheckpointError(f"{name} is no longer here; open the file again.") from error


# A handle is small, so that a thousand files do not make every page read them all again.
@st.cache_resource(max_entries=4096, show_spinner=False)
def _summary(path: str, modified: float, size: int) -> Handle | str:
    """The handle of a file in this state, or what the gate says against it."""
    try:
        checkpoint = inspected(path, modified)
    except (CheckpointError, ModelError) as error:
        return str(error)
    config = checkpoint.config
    named = zip(config.latent_names, config.latent_shapes, strict=True)
    layers = tuple((name, shape, math.prod(shape)) for name, shape in named)
    # Cards come from strangers: what Markdown or HTML could read as more than text is left out.
    title = re.sub(r"[^\w ,.+/'-]", "", checkpoint.card.title or checkpoint.name)[:80]
    title = re.sub(r"www(?=\.)", "www\N{WORD JOINER}", title, flags=re.I)  # no link
    return Handle(
        checkpoint.name if own_models.is_named(path) else Path(path).stem,
        title,
        path,
        digest=checkpoint.digest,
        layers=layers,
        levels=config.levels,
        exact_kl=config.exact_kl,
        image_shape=config.image_shape,
    )


@st.cache_resource(max_entries=6, show_spinner=False)
def _model(digest: str, path: str) -> HierarchicalVAE:
    from hvae_core.checkpoint import load_checkpoint
    from hvae_core.common.machine import interactive

    interactive()
    return load_checkpoint(Path(path)).model


def ask(
    handle: Handle,
    function: Callable[Concatenate[HierarchicalVAE, P], R],
    *args: P.args,
    **kwargs: P.kwargs,
) -> R:
    """What an importable function makes of a model: here, or in the notebook that holds it.

    The model is in eval mode, frozen, shared by all sessions.
    """
    if kernel.holds(handle.path):
        answer: R = kernel.ask(function, handle.path, args, kwargs)
        return answer
    return function(_model(handle.digest, handle.path), *args, **kwargs)


class PageSets(Sets):
    """The sets of a page's world, read once for all sessions."""

    def choose(self, set_name: str, progress: Progress = silent) -> ImageSet:
        """The images at the shape of the world."""
        chosen = _own_chosen if self._is_own(set_name) else _chosen
        return chosen(self._known_by(set_name), self, set_name)

    def images(self, checkpoint: Described, set_name: str, progress: Progress = silent) -> ImageSet:
        """The images at the shape of a model."""
        fitted = _own_fitted if self._is_own(set_name) else _fitted
        return fitted(self._known_by(set_name), checkpoint.image_shape, self, set_name=set_name)

    def _is_own(self, set_name: str) -> bool:
        """Whether a visitor brought it along: then it goes when the visitor's session does."""
        return isinstance(self.world.spec(set_name).origin, InMemory)

    def _known_by(self, set_name: str) -> str:
        """What tells a set from every other: of images that a session brought, all of them."""
        origin = self.world.spec(set_name).origin
        if not isinstance(origin, InMemory):
            return fingerprint.digest(self.world.key, set_name, str(self.data_root), self.limit)
        own = origin.images
        words = [own.title, list(own.class_names), list(own.notes)]
        return fingerprint.digest(own.digest, own.labels, set_name, words)


@st.cache_resource(max_entries=48, show_spinner=False)
def _chosen(known_by: str, _sets: Sets, set_name: str) -> ImageSet:
    return Sets.choose(_sets, set_name)


@st.cache_resource(max_entries=8, show_spinner=False, scope="session")
def _own_chosen(known_by: str, _sets: Sets, set_name: str) -> ImageSet:
    return Sets.choose(_sets, set_name)


@st.cache_resource(max_entries=48, show_spinner=False)
def _fitted(known_by: str, shape: Shape, _sets: Sets, *, set_name: str) -> ImageSet:
    return _sets.choose(set_name).fit(shape)


@st.cache_resource(max_entries=8, show_spinner=False, scope="session")
def _own_fitted(known_by: str, shape: Shape, _sets: Sets, *, set_name: str) -> ImageSet:
    return _sets.choose(set_name).fit(shape)


def own_sets() -> dict[str, tuple[SetSpec, ImageSet]]:
    """Sets that this session brought along, by name."""
    sets: dict[str, tuple[SetSpec, ImageSet]] = st.session_state.setdefault("own_sets", {})
    return sets


def add_own_set(images: ImageSet, role: Role, title: str, *, beside: int = 0) -> str:
    """Keep a set for this session and return its name; ``beside`` are bytes kept along with all.

    Raises ``DataError`` for more than a visitor of a public server may have.
    """
    if public():
        held = [each for _, each in own_sets().values() if each.digest != images.digest]
        size = beside + sum(each.images.nbytes for each in (*held, images))
        quotas.ledger().take(visitor(), session(), len(held) + 1, size=size)
    others = [other for other, held in own_sets().values() if held.digest != images.digest]
    images = as_text(images)
    spec = distinct(custom_set(images, role, title=_as_text(title)), others)
    own_sets()[spec.name] = (spec, images)
    return spec.name


def as_text(images: ImageSet) -> ImageSet:
    """The set with words that no figure takes for HTML, which plotly reads in all its texts."""
    classes = tuple(map(_as_text, images.class_names))
    return replace(images, title=_as_text(images.title), class_names=classes)


def _as_text(words: str) -> str:
    return words.translate({ord("<"): "‹", ord(">"): "›"})


def with_own_sets(world: World) -> World:
    """The world with the session's own sets in it; an own in-distribution set takes its place."""
    for spec, _ in own_sets().values():
        world = world.with_set(spec)
        if spec.role == "in":
            world = replace(world, in_name=spec.name)
    return world


def page_sets(world: World, root: str | None) -> PageSets:
    """The sets of a world as pages show them, at most ``SHOWN_LIMIT`` images of each."""
    return PageSets(world, root, SHOWN_LIMIT)
