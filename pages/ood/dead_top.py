"""A score that asks collapsed layers alone: what it then compares."""

from __future__ import annotations

import re
from collections.abc import Collection
from typing import TYPE_CHECKING

from hvae_core.common.words import listed
from hvae_core.config import level_starts
from hvae_core.evaluation.collapse_layers import layers_found
from pages.shared import store, ui

if TYPE_CHECKING:
    from pages.ood.chosen import ScoredModel

_ASKS = re.compile(r"(?:llr|bound)_(\d+)")


def sentence(k: int, names: tuple[str, ...], starts: tuple[int, ...], dead: Collection[int]) -> str:
    """What L_>k is worth where every layer from level k up says nothing, or "".

    ``starts`` are the places of the lowest layers of the levels, ``dead`` the numbers of the layers
    that say nothing, from 1.
    """
    above = range(starts[k] + 1, len(names) + 1)
    if not set(above) <= set(dead):
        return ""
    asked = ui.plain(listed(names[i - 1] for i in above))
    one = len(above) == 1
    return (
        f"{asked}, which $\\mathcal{{L}}_{{>{k}}}$ asks, "
        f"{'has' if one else 'have'} collapsed: {'it says' if one else 'they say'} the same of "
        f"every image, so $\\mathcal{{L}}_{{>{k}}}$ rates each by one and the same guess."
    )


def told(scored: ScoredModel) -> str:
    """The sentence on the chosen score under one model, or ""."""
    asks = _ASKS.fullmatch(scored.score.key)
    if asks is None:
        return ""
    handle = scored.model.handle
    found = layers_found(store.info(handle).config, scored.model.inside, None)
    k = int(asks[1])
    return sentence(k, handle.names, level_starts(handle.levels), found.silent)
