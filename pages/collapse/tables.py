"""The collapse page's tables: what its charts show, and the model cards."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterator, Sequence

import numpy as np
import pandas as pd

from hvae_core.common.words import LETTERS
from hvae_core.config import level_starts
from hvae_core.config.describe import card_rows
from pages.collapse.layers import History, Layers
from pages.shared import store
from pages.shared.store import Handle


def layer_table(models: Sequence[Layers]) -> pd.DataFrame:
    """Everything that the charts show, one row a model and layer.

    k skips the levels below a layer's own; the bits of L_>k stand at the first layer of each level.
    """
    return pd.DataFrame(row for model in models for row in _layer_rows(model))


def _layer_rows(model: Layers) -> Iterator[dict[str, object]]:
    handle, result = model.handle, model.result
    starts = level_starts(handle.levels)
    for i, (name, _, units) in enumerate(handle.layers):
        k = bisect_right(starts, i) - 1
        first = starts[k] == i
        yield {
            "model": handle.title,
            "set": result.name,
            "images": result.images,
            "layer": name,
            "level": handle.levels[i],
            "units": units,
            "kl_nats": result.kl[i],
            "kl_nats_per_dim": result.kl_per_dim[i],
            "collapsed": i + 1 in model.collapsed,
            "collapsed_since_epoch": model.since[i],
            "active_units": model.active[i],
            "k": k,
            "bound_bits_per_dim": result.bound_bits[k] if first else None,
            "nll_bits_per_dim": result.nll_bits[k] if first else None,
        }


def history_table(histories: Sequence[History], split: str, unit: str) -> pd.DataFrame:
    """KL terms over training as shown, one row a model, epoch and layer."""
    return pd.DataFrame(
        {"model": past.title, "images": split, "epoch": epoch, "layer": name, f"kl ({unit})": kl}
        for past in histories
        for epoch, row in zip(past.epochs, past.kl, strict=True)
        for name, kl in zip(past.names, row, strict=True)
    )


def unit_table(models: Sequence[Layers]) -> pd.DataFrame:
    """Variance of every unit's posterior mean, one row a unit."""
    frames = []
    for model in models:
        for layer, variance in zip(model.handle.names, model.variances, strict=True):
            unit = np.arange(1, len(variance) + 1)
            columns = {"model": model.handle.title, "layer": layer, "unit": unit}
            frames.append(pd.DataFrame({**columns, "variance": variance}))
    return pd.concat(frames, ignore_index=True)


def cards(handles: Sequence[Handle], letters: str = LETTERS) -> pd.DataFrame:
    """The model cards side by side: a row a field, a column a model."""
    columns = [dict(card_rows(store.info(handle))) for handle in handles]
    fields = list(dict.fromkeys(field for column in columns for field in column))
    titles = [handle.title for handle in handles]
    if len(handles) > 1:
        titles = [f"{letter}  {title}" for letter, title in zip(letters, titles, strict=False)]
    values = [[column.get(field, "") for column in columns] for field in fields]
    return pd.DataFrame(values, index=pd.Index(fields, name=""), columns=titles)
