"""The collapse check of an evaluated set in sentences: what each layer says, and which say none."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import groupby
from typing import NamedTuple

from hvae_core.common.words import layers_in_words, span
from hvae_core.evaluation.collapse import (
    active_units,
    amount,
    collapsed_layers,
    kl_per_dim,
    layer_in_words,
    silent_layers,
)
from hvae_core.evaluation.collapse_layers import LayersFound
from hvae_core.evaluation.evaluation import Evaluation


def collapse_in_words(evaluation: Evaluation, exact: Sequence[bool]) -> tuple[str, ...]:
    """A headline, then a line a layer: KL a unit (Li et al. 2022, Table 14) and active units.

    ``exact`` says of each layer whether its KL term is a divergence in the strict sense.
    """
    kl = evaluation.table.kl.mean(axis=0)  # (L,)
    units = [len(variance) for variance in evaluation.unit_variance]
    active = [active_units(variance) for variance in evaluation.unit_variance]
    silent = silent_layers(kl, units, active, exact=exact)
    thin = tuple(i for i in collapsed_layers(kl, units) if i not in silent)
    said = []
    if silent:
        said.append(f"{layers_in_words(evaluation.names, silent)} collapsed: nothing is said there")
    if thin:
        said.append(
            f"{layers_in_words(evaluation.names, thin)} thin: what is said there is spread over "
            "many units"
        )
    headline = "; ".join(said) + "." if said else "No layer collapsed."
    nats = kl_per_dim(kl, units)
    lines = (
        f"{layer_in_words(name, count, float(each))}, {some} of {count} active"
        for name, count, each, some in zip(evaluation.names, units, nats, active, strict=True)
    )
    return (headline, *lines)


def finding(found: LayersFound) -> str:
    """What is wrong in a line, as "Layer z3 says nothing, z1 little per unit"."""
    if not found.collapsed:
        return "Every layer carries information"
    if not found.silent:
        return f"{_say(found.names, found.thin)} little per unit"
    text = f"{_say(found.names, found.silent)} nothing"
    if not found.thin:
        return text
    return f"{text}, {layers_in_words(found.names, found.thin)} little per unit"


def _say(names: Sequence[str], layers: Sequence[int]) -> str:
    words = layers_in_words(names, layers)
    if words[0].isdigit():  # "23 of 45 layers"
        return f"{words} say"
    return f"Layers {words} say" if len(layers) > 1 else f"Layer {words} says"


EACH = 12
"""Layers that get a line each; of more, neighbours alike share one."""


class LayerLine(NamedTuple):
    """A sentence or two on one layer, or on neighbours alike."""

    text: str
    collapsed: bool


def in_words(model: LayersFound) -> list[LayerLine]:
    """A line a layer, the collapsed ones first; where there are many, a line for neighbours alike.

    Alike are neighbours of one level and one finding.
    """
    parts = _alike(model) if model.n_layers > EACH else [[i] for i in _all(model)]
    parts.sort(key=lambda part: part[0] not in model.collapsed)  # stable
    return [
        LayerLine(
            _layer_in_words(model, part[0]) if len(part) == 1 else _run_in_words(model, part),
            part[0] in model.collapsed,
        )
        for part in parts
    ]


def _alike(model: LayersFound) -> list[list[int]]:
    """Neighbours of one level and size that are alike empty, thin or at work."""

    def kind(i: int) -> tuple[object, ...]:
        level, units = model.levels[i - 1], model.units[i - 1]
        return (level, units, i in model.collapsed, i in model.silent, i in model.followers)

    return [list(run) for _, run in groupby(_all(model), key=kind)]


def _all(model: LayersFound) -> range:
    return range(1, model.n_layers + 1)


def _layer_in_words(model: LayersFound, layer: int) -> str:
    name, units = model.names[layer - 1], model.units[layer - 1]
    active = model.active[layer - 1]
    text = f"{layer_in_words(name, units, model.kl_per_dim[layer - 1])}, "
    text += "no unit active" if not active else f"{active} of {units} units active"
    since = model.since[layer - 1]
    return text + _finding(model, layer, "" if since is None else f"epoch {since}")


def _run_in_words(model: LayersFound, run: Sequence[int]) -> str:
    """Neighbours alike: from the least to the most of them."""
    units = model.units[run[0] - 1]
    kl = [model.kl_per_dim[i - 1] for i in run]
    active = [model.active[i - 1] for i in run]
    text = (
        f"{span(model.names, run)} ({len(run)} layers of {units} units): "
        f"{_from_to(amount(min(kl)), amount(max(kl)))} nats a unit, "
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


def _finding(model: LayersFound, layer: int, since: str) -> str:
    """The end of a layer's sentence, and whether and since when it is collapsed."""
    text = ", all by following the layers above." if layer in model.followers else "."
    if layer not in model.collapsed:
        return text
    thin = layer not in model.silent
    word = "Thin" if thin else "Collapsed"
    tail = " What it says is spread over many units." if thin else ""
    if not model.kept:
        return f"{text} {word}.{tail}"
    if not since:
        return f"{text} {word} on this set, not at the end of training.{tail}"
    return f"{text} {word}, below the threshold since {since}.{tail}"
