"""From words on the command line to a world and its sets: names, paths, and hub names."""

from __future__ import annotations

import argparse
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from hvae_core.common.errors import DataError
from hvae_core.common.progress import Progress
from hvae_core.config.presets import PRESETS
from hvae_core.data import Role, SetSpec, World, custom_set, worlds
from hvae_core.data.readers.hub import is_hub_name
from hvae_core.data.stored import find_named

if TYPE_CHECKING:
    from hvae_core.checkpoint import Checkpoint, CheckpointInfo
    from hvae_core.data import ImageSet
    from hvae_core.evaluation.evaluation import EvalSettings
    from hvae_core.evaluation.lookup import Evaluated
    from hvae_core.evaluation.sets import Sets


def world_key(checkpoint: CheckpointInfo) -> str | None:
    """The key of the world a checkpoint was trained on, by its training settings or preset."""
    preset = PRESETS.get(checkpoint.card.preset)
    told = checkpoint.train.data if checkpoint.train else preset.world if preset else ""
    return told if told in worlds() else None


def world_of(checkpoint: CheckpointInfo, key: str | None = None) -> World:
    """The world of that key, or the one a checkpoint was trained on."""
    found = key or world_key(checkpoint)
    if found is None:
        raise DataError(
            f"{checkpoint.name} does not say which world it was trained on; name one with --world "
            f"({', '.join(worlds())}), or your own sets with --in and --out."
        )
    if found not in worlds():
        raise DataError(f"There is no world {found}; choose one of {', '.join(worlds())}.")
    return worlds()[found]


def own_world(checkpoint: CheckpointInfo) -> World:
    """A world without sets, for images that are all the user's own."""
    return World("own", "Own images", "", (), (), checkpoint.config.image_shape)


def one_set(
    checkpoint: CheckpointInfo, key: str | None, source: str | None, *, download: bool
) -> tuple[World, str]:
    """A world and one set of it: the source named, else the in-distribution set.

    A checkpoint that knows no world needs none for images of the user's own.
    """
    if source and not key and world_key(checkpoint) is None:
        return with_source(own_world(checkpoint), source, "out", download=download)
    world = world_of(checkpoint, key)
    if not source:
        return world, world.in_name
    return with_source(world, source, "out", download=download)


def with_source(world: World, source: str, role: Role, *, download: bool) -> tuple[World, str]:
    """The world with one more set, and that set's name.

    ``source`` is a set of the world, a set of another world as WORLD:SET, a set of the registry as
    NAME[:SPLIT][+CHANGE...], a path, or a hub name.
    """
    known = next((spec for spec in world.sets if spec.name == source), None)
    if known is not None:
        if role == "in" and known.role in ("train", "validation"):
            raise DataError(
                f"References and thresholds rest on {known.title}, so it cannot be judged as the "
                "in-distribution set too; name a test split with --in."
            )
        return world, source
    other, _, name = source.partition(":")
    if name and other in worlds() and not Path(source).exists():
        spec = worlds()[other].spec(name)
        return world.with_set(replace(spec, name=f"{other}-{name}", role=role)), f"{other}-{name}"
    if not Path(source).expanduser().exists():
        named = find_named(source)
        if named is not None:
            spec = SetSpec(source, named.title, role, named.origin)
            return world.with_set(spec), spec.name
        if not is_hub_name(source):
            names = ", ".join(spec.name for spec in world.sets)
            there = f"a set of {world.title} ({names})" if names else "a set of a world"
            raise DataError(
                f"{source} is neither {there} nor a file, a folder, a hub set or one of the sets "
                "that `datasets` lists."
            )
    own = custom_set(source, role, allow_download=download)
    if any(spec.name == own.name for spec in world.sets):  # two folders with the same last name
        own = custom_set(source, role, title=source, allow_download=download)
    return world.with_set(own), own.name


def fetch(world: World, set_name: str, data_root: str | None, progress: Progress) -> None:
    """Download a set's images unless they are on this machine."""
    if not world.available(set_name, data_root):
        world.download(set_name, progress)


def sets_of(args: argparse.Namespace, world: World, limit: int | None = None) -> Sets:
    """The sets of a world by the options of a command; 0 images for all."""
    from hvae_core.evaluation.sets import Sets

    most = args.limit if limit is None else limit
    return Sets(world, args.data_root, most or None, args.download)


def images_of(
    args: argparse.Namespace,
    checkpoint: CheckpointInfo,
    world: World,
    set_name: str,
    limit: int,
    progress: Progress,
) -> ImageSet:
    """Images of a set at the model's shape, 0 for all; fetched before where that was asked for."""
    return sets_of(args, world, limit).images(checkpoint, set_name, progress)


def evaluated(
    args: argparse.Namespace,
    checkpoint: Checkpoint,
    world: World,
    set_name: str,
    progress: Progress,
    settings: EvalSettings | None = None,
) -> Evaluated:
    """A set's evaluation by the options of a command, its images fetched before where asked for."""
    from hvae_core.evaluation import lookup

    return lookup.evaluated(checkpoint, sets_of(args, world), set_name, settings, progress)
