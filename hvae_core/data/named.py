"""From words to a world and its sets: names, paths, and hub names."""

from __future__ import annotations

from dataclasses import replace

from hvae_core.common.arrays import Shape
from hvae_core.common.errors import DataError
from hvae_core.common.files import named_path
from hvae_core.common.plain import plain
from hvae_core.data.prepare import Step
from hvae_core.data.readers.hub import is_hub_name
from hvae_core.data.stored import find_named
from hvae_core.data.worlds import Role, SetSpec, World, custom_set, distinct, worlds


def named_world(key: str) -> World:
    """The world of that key; ``DataError`` lists the keys."""
    if key not in worlds():
        raise DataError(f"There is no world {key}; choose one of {', '.join(worlds())}.")
    return worlds()[key]


def own_world(image_shape: Shape) -> World:
    """A world without sets, for images that are all the user's own."""
    return World("own", "Own images", "", sets=(), checkpoints=(), image_shape=image_shape)


def with_source(
    world: World,
    source: str,
    role: Role,
    *,
    download: bool,
    prepare: tuple[Step, ...] = (),
) -> tuple[World, str]:
    """The world with one more set, and that set's name.

    ``source`` is a set of the world, a set of another world as WORLD:SET, a set of the registry as
    NAME[:SPLIT][+CHANGE...], a path, or a hub name.
    """
    spec = next((spec for spec in world.sets if spec.name == source), None)
    if spec is not None:
        if role == "in" and spec.role in ("train", "validation"):
            raise DataError(
                f"References and thresholds rest on {spec.title}, so it cannot be judged as the "
                "in-distribution set too; name a test split with --in."
            )
        return world, source
    other, _, name = source.partition(":")
    there = named_path(source).exists()
    if name and other in worlds() and not there:
        spec = replace(worlds()[other].spec(name), name=f"{other}-{name}", role=role)
        return world.with_set(spec), spec.name
    if not there:
        named = find_named(source)
        if named is not None:
            return world.with_set(SetSpec(source, named.title, role, origin=named.origin)), source
        if not is_hub_name(source):
            names = ", ".join(spec.name for spec in world.sets)
            known = f"a set of {world.title} ({names})" if names else "a set of a world"
            raise DataError(
                f"{plain(source)} is neither {known} nor a file, a folder, a hub set or one of the "
                "sets that `datasets` lists."
            )
    own = custom_set(source, role, allow_download=download, prepare=prepare)
    if any(spec.name == own.name for spec in world.sets):  # two folders with the same last name
        own = custom_set(source, role, title=source, allow_download=download, prepare=prepare)
    own = distinct(own, world.sets)
    return world.with_set(own), own.name
