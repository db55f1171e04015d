"""A shipped model that shows the whole story, for whoever chose a model that cannot show it."""

from __future__ import annotations

from functools import cache

from hvae_core.data.worlds import World, worlds
from hvae_core.detection.story import CAUGHT, story
from hvae_core.evaluation import SHIPPED_LIMIT
from hvae_core.evaluation.evaluation import EvalSettings, Evaluation
from hvae_core.evaluation.lookup import shipped_result
from pages.shared import store
from pages.shared.store import Handle


@cache
def telling() -> tuple[World, Handle] | None:
    """The first world and its plain model of three layers that show paradox and remedy (HVK 4.2).

    Only what is stored is read: nothing is computed for it.
    """
    from hvae_core.checkpoint.library import shipped_checkpoints

    shipped = shipped_checkpoints()
    for world in worlds().values():
        for name in world.checkpoints:
            if not name.endswith("hvae3-elbo") or name not in shipped:
                continue
            handle = store.handle_of(shipped[name])
            if _tells(handle, world):
                return world, handle
    return None


def _tells(handle: Handle, world: World) -> bool:
    inside = _stored(handle, world.in_name)
    others = {
        spec.name: found
        for spec in world.with_role("out")
        if (found := _stored(handle, spec.name)) is not None
    }
    if inside is None or not others:
        return False
    told = story(inside, others)
    return told.likelihood < 0.5 and told.remedied >= CAUGHT


def _stored(handle: Handle, name: str) -> Evaluation | None:
    return shipped_result(handle, name, EvalSettings(), limit=SHIPPED_LIMIT)
