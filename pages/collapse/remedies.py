"""What to try against collapse: recipes, each with its Lab preset, its command, and what ships."""

from __future__ import annotations

from hvae_core.config.presets.remedies import Remedy, remedies
from hvae_core.data.worlds import World
from pages.collapse.layers import Layers
from pages.shared import links, store


def lines(world: World, model: Layers) -> list[tuple[Remedy, dict[str, str]]]:
    """Each recipe, with the link to a shipped checkpoint of it as model B, or an empty one."""
    if not model.collapsed:
        return []
    info = store.info(model.handle)
    return [
        (remedy, _beside(world, model, remedy.preset) if _ships(world, remedy) else {})
        for remedy in remedies(info.config, info.train, world.key)
    ]


def _ships(world: World, remedy: Remedy) -> bool:
    return remedy.same and remedy.preset in world.checkpoints


def _beside(world: World, model: Layers, name: str) -> dict[str, str]:
    """The address that shows a model and a shipped one beside each other."""
    link = {"world": world.title, links.model_key("a", world): model.handle.name}
    return link | {links.model_key("b", world): name}
