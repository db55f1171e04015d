"""Each layer of the collapse page in words; neighbours alike share a line in deep models."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import groupby
from typing import NamedTuple

from hvae_core.common.words import span
from hvae_core.evaluation.collapse import amount, layer_in_words
from pages.collapse.layers import Layers

EACH = 12
"""Layers that get a line each; of more, neighbours alike share one."""


class LayerLine(NamedTuple):
    """A sentence or two on one layer, or on neighbours alike."""

    text: str
    collapsed: bool


def in_words(model: Layers) -> list[LayerLine]:
    """A line a layer, the collapsed ones first; where there are many, a line for neighbours alike.

    Alike are neighbours of one level and one finding.
    """
    parts = _alike(model) if model.handle.n_layers > EACH else [[i] for i in _all(model)]
    parts.sort(key=lambda part: part[0] not in model.collapsed)  # stable
    return [
        LayerLine(
            _layer_in_words(model, part[0]) if len(part) == 1 else _run_in_words(model, part),
            part[0] in model.collapsed,
        )
        for part in parts
    ]


def _alike(model: Layers) -> list[list[int]]:
    """Neighbours of one level and size that are alike empty, thin or at work."""

    def kind(i: int) -> tuple[object, ...]:
        level, units = model.handle.levels[i - 1], model.handle.units[i - 1]
        return (level, units, i in model.collapsed, i in model.silent, i in model.followers)

    return [list(run) for _, run in groupby(_all(model), key=kind)]


def _all(model: Layers) -> range:
    return range(1, model.handle.n_layers + 1)


def _layer_in_words(model: Layers, layer: int) -> str:
    name, _, units = model.handle.layers[layer - 1]
    active = model.active[layer - 1]
    text = f"{layer_in_words(name, units, model.result.kl_per_dim[layer - 1])}, "
    text += "no unit active" if not active else f"{active} of {units} units active"
    since = model.since[layer - 1]
    return text + _finding(model, layer, "" if since is None else f"epoch {since}")


def _run_in_words(model: Layers, run: Sequence[int]) -> str:
    """Neighbours alike: from the least to the most of them."""
    units = model.handle.units[run[0] - 1]
    kl = [model.result.kl_per_dim[i - 1] for i in run]
    active = [model.active[i - 1] for i in run]
    text = (
        f"{span(model.handle.names, run)} ({len(run)} layers of {units} units): "
        f"{_from_to(amount(min(kl)), amount(max(kl)))} nats/unit, "
    )
    if max(active):
        text += f"{_from_to(min(active), max(active))} of {units} units active"
    else:
        text += "no unit active"
    epochs = [epoch for i in run if (epoch := model.since[i - 1]) is not None]
    since = f"epoch {_from_to(min(epochs), max(epochs))}" if epochs else ""
    if since and len(epochs) < len(run):
        since += f" ({len(epochs)} of them)"
    return text + _finding(model, run[0], since)


def _from_to(low: object, high: object) -> str:
    return str(low) if low == high else f"{low} to {high}"


def _finding(model: Layers, layer: int, since: str) -> str:
    """The end of a layer's sentence, and whether and since when it is collapsed."""
    text = ", all by following the layers above." if layer in model.followers else "."
    if layer not in model.collapsed:
        return text
    if model.history is None:
        return f"{text} Collapsed."
    if not since:
        return f"{text} Collapsed on this set, not at the end of training."
    text += f" Collapsed since {since}."
    thin = layer not in model.silent
    return f"{text} What it says is spread thinly over its units." if thin else text
