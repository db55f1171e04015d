"""The collapse page's tables: what its charts show, and the model cards."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterator, Sequence

import numpy as np
import pandas as pd

from hvae_core.config import level_starts
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


def history_table(known: Sequence[History], split: str, unit: str) -> pd.DataFrame:
    """KL terms over training as shown, one row a model, epoch and layer."""
    return pd.DataFrame(
        {"model": one.title, "images": split, "epoch": epoch, "layer": name, f"kl ({unit})": kl}
        for one in known
        for epoch, row in zip(one.epochs, one.kl, strict=True)
        for name, kl in zip(one.names, row, strict=True)
    )


def unit_table(models: Sequence[Layers]) -> pd.DataFrame:
    """Variance of every unit's posterior mean, one row a unit."""
    frames = [
        pd.DataFrame(
            {
                "model": model.handle.title,
                "layer": name,
                "unit": np.arange(1, len(variance) + 1),
                "variance": variance,
            }
        )
        for model in models
        for name, variance in zip(model.handle.names, model.variances, strict=True)
    ]
    return pd.concat(frames, ignore_index=True)


def cards(handles: Sequence[Handle]) -> pd.DataFrame:
    """The model cards side by side: a row a field, a column a model."""
    from hvae_core.config.describe import card_rows

    columns = [
        dict(
            card_rows(
                info.card,
                info.config,
                info.train,
                parameters=info.parameters,
                digest=info.digest,
            )
        )
        for info in map(store.info, handles)
    ]
    fields = list(dict.fromkeys(field for column in columns for field in column))
    letters = [f"{'AB'[i]}  {h.title}" for i, h in enumerate(handles)]
    if len(handles) == 1:
        letters = [handles[0].title]
    values = [[column.get(field, "") for column in columns] for field in fields]
    return pd.DataFrame(values, index=pd.Index(fields, name=""), columns=letters)
