"""A shipped model whose likelihood is fooled, for whoever chose a model that cannot show it."""

from __future__ import annotations

from functools import cache

from hvae_core.data.worlds import World, worlds
from hvae_core.detection.metrics import auroc
from hvae_core.evaluation import SHIPPED_LIMIT
from hvae_core.evaluation.evaluation import EvalSettings
from hvae_core.evaluation.lookup import shipped_result
from hvae_core.scores import get_score
from pages.shared import store
from pages.shared.store import Handle


@cache
def fooled() -> tuple[World, Handle] | None:
    """The first world and its plain model by whose stored results a set looks likelier (HVK 4.2).

    Only what is stored is read: nothing is computed for it.
    """
    from hvae_core.checkpoint.library import shipped_checkpoints

    shipped = shipped_checkpoints()
    for world in worlds().values():
        for name in world.checkpoints:
            if not name.endswith("-elbo") or name not in shipped:
                continue
            handle = store.handle_of(shipped[name])
            if _is_fooled(handle, world):
                return world, handle
    return None


def _is_fooled(handle: Handle, world: World) -> bool:
    settings = EvalSettings()
    elbo = get_score("elbo", handle.n_levels)
    inside = shipped_result(handle, world.in_name, settings, limit=SHIPPED_LIMIT)
    if inside is None:
        return False
    for spec in world.with_role("out"):
        outside = shipped_result(handle, spec.name, settings, limit=SHIPPED_LIMIT)
        if outside is not None and auroc(elbo(inside.table), elbo(outside.table)) < 0.5:
            return True
    return False
