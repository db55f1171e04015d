"""Checkpoints, images and evaluations for the pages: cached and shared, never computed.

What takes longer than a moment is a job (``pages.shared.jobs``); here is only what is at hand.
"""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

import streamlit as st

from hvae_core.common import fingerprint
from hvae_core.common.arrays import Shape
from hvae_core.common.progress import Progress, silent
from hvae_core.config import level_starts
from hvae_core.data.image_set import ImageSet
from hvae_core.data.origins import InMemory
from hvae_core.data.worlds import Role, SetSpec, World, custom_set, distinct
from hvae_core.evaluation import SHIPPED_LIMIT
from hvae_core.evaluation.sets import Described, Sets

if TYPE_CHECKING:
    from hvae_core.checkpoint import CheckpointInfo
    from hvae_core.models import HierarchicalVAE

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
    return inspected(handle.path, Path(handle.path).stat().st_mtime)


def handle_of(path: Path) -> Handle:
    """The handle of a file; raises ``CheckpointError`` if the gate refuses it."""
    checkpoint = inspected(str(path), path.stat().st_mtime)
    config = checkpoint.config
    named = zip(config.latent_names, config.latent_shapes, strict=True)
    layers = tuple((name, shape, math.prod(shape)) for name, shape in named)
    # Cards come from strangers: what Markdown or HTML could read as more than text is left out.
    title = re.sub(r"[^\w ,.+/'-]", "", checkpoint.card.title or checkpoint.name)[:80]
    return Handle(
        path.stem,
        title,
        str(path),
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


def model(handle: Handle) -> HierarchicalVAE:
    """The model of a handle: in eval mode, frozen, shared by all sessions."""
    return _model(handle.digest, handle.path)


class PageSets(Sets):
    """The sets of a page's world, read once for all sessions."""

    def choose(self, set_name: str, progress: Progress = silent) -> ImageSet:
        """The images at the shape of the world."""
        return _chosen(self._known_by(set_name), self, set_name)

    def images(self, checkpoint: Described, set_name: str, progress: Progress = silent) -> ImageSet:
        """The images at the shape of a model."""
        return _fitted(self._known_by(set_name), checkpoint.image_shape, self, set_name=set_name)

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


@st.cache_resource(max_entries=48, show_spinner=False)
def _fitted(known_by: str, shape: Shape, _sets: Sets, *, set_name: str) -> ImageSet:
    return _sets.choose(set_name).fit(shape)


def own_sets() -> dict[str, tuple[SetSpec, ImageSet]]:
    """Sets that this session brought along, by name."""
    sets: dict[str, tuple[SetSpec, ImageSet]] = st.session_state.setdefault("own_sets", {})
    return sets


def add_own_set(images: ImageSet, role: Role, title: str) -> str:
    """Keep a set for this session and return its name."""
    others = [other for other, held in own_sets().values() if held.digest != images.digest]
    spec = distinct(custom_set(images, role, title=title), others)
    own_sets()[spec.name] = (spec, images)
    return spec.name


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
