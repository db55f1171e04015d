"""Suites of a world's sets as OpenOOD counts them: near, far, and shifted images of its own.

Near and far sets hold classes that the world does not have; near ones look like its images, far
ones do not. Shifted ones are the world's own classes under a change that leaves them what they are:
there nothing is to be found, and a score that reacts to them reacts to the change alone
(Yang et al. 2022, OpenOOD; Zhang et al. 2023, OpenOOD v1.5, "covariate-shifted ID").
``worlds.toml`` says of every set which it is, and why.
"""

from __future__ import annotations

from dataclasses import replace

from hvae_core.data.origins import Control
from hvae_core.data.worlds import SetSpec, Suite, World

SUITES: dict[Suite, str] = {
    "near": "other classes, images like the world's own",
    "far": "other classes, images of another kind",
    "shifted": "the world's own classes, changed",
}
_CHANGES = {
    "inverted": "the same images, dark and light exchanged",
    "blurred": "the same images, out of focus",
    "faint": "the same images, less contrast",
}


def suite_sets(world: World, suite: Suite) -> tuple[SetSpec, ...]:
    """Return the sets of a suite, in the order of the world."""
    return tuple(spec for spec in world.sets if spec.suite == suite)


def with_shifted(world: World) -> World:
    """Return the world with shifted sets; one that has none gets them made from its test images."""
    if suite_sets(world, "shifted"):
        return world
    own = world.spec(world.in_name)
    made = (
        SetSpec(
            name=f"{own.name}-{change}",
            title=f"{own.title}, {change}",
            role="control",
            origin=Control(own.origin, change),
            suite="shifted",
            why=why,
        )
        for change, why in _CHANGES.items()
    )
    return replace(world, sets=(*world.sets, *made))
