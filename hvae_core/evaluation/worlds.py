"""Which world a checkpoint belongs to, and a set of it by the words of a user."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from hvae_core.common.errors import DataError
from hvae_core.common.plain import plain
from hvae_core.config import presets
from hvae_core.data import World, worlds
from hvae_core.data.named import named_world, own_world

if TYPE_CHECKING:
    from hvae_core.checkpoint import CheckpointInfo
    from hvae_core.data.worlds import Role

    Place = Callable[[World, str, Role], tuple[World, str]]
    """Puts a source into a world and says its name there."""


def world_key(checkpoint: CheckpointInfo) -> str | None:
    """The key of the world a checkpoint was trained on, by its training, preset or network."""
    if checkpoint.train:
        key = checkpoint.train.data
    else:
        preset = presets.PRESETS.get(checkpoint.card.preset)
        key = preset.world if preset else checkpoint.config.world
    return key if key in worlds() else None


def world_of(checkpoint: CheckpointInfo, key: str | None = None) -> World:
    """The world of that key, or the one a checkpoint was trained on."""
    key = key or world_key(checkpoint)
    if key is None:
        named = "" if checkpoint.train else checkpoint.config.world
        if named:
            raise DataError(
                f"{checkpoint.name} names the world {plain(named)}, which there is not; write "
                f"hv.adapt(..., world=...) of {', '.join(worlds())}, or name one with --world."
            )
        own = "" if checkpoint.config.network else ", or hv.adapt(..., world=...) in its file"
        raise DataError(
            f"{checkpoint.name} does not say which world it was trained on; name one with --world "
            f"({', '.join(worlds())}){own}, or your own sets with --in and --out."
        )
    return named_world(key)


def held_out_name(world: World) -> str:
    """The set of a world that calibrates a model trained on it. Raises ``DataError``."""
    names = [spec.name for spec in world.with_role("validation")]
    if not names:
        raise DataError(
            f"The world {world.title} has no validation set to judge by; name one with --world "
            f"({', '.join(worlds())})."
        )
    return names[0]


def one_set(
    checkpoint: CheckpointInfo, key: str | None, source: str | None, place: Place
) -> tuple[World, str]:
    """A world and one set of it: the source named, else the in-distribution set.

    ``place`` puts a source into a world. A checkpoint that knows no world needs none for images of
    the user's own.
    """
    own = bool(source) and not key and world_key(checkpoint) is None
    world = own_world(checkpoint.config.image_shape) if own else world_of(checkpoint, key)
    if not source:
        return world, world.in_name
    return place(world, source, "out")
