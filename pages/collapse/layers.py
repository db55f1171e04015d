"""What the collapse page says and shows of each model: layers, history, words."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
import streamlit as st

from hvae_core.common.thresholds import ACTIVE_THRESHOLD, COLLAPSE_THRESHOLD
from hvae_core.common.words import layers_in_words
from hvae_core.detection.report import SetResult, report
from hvae_core.evaluation.collapse import (
    active_units,
    collapsed_layers,
    collapsed_since,
    kl_per_dim,
    silent_layers,
)
from pages.shared import store, ui
from pages.shared.controls import one_of, select
from pages.shared.state import Context
from pages.shared.store import Handle

if TYPE_CHECKING:
    from hvae_core.evaluation.evaluation import Evaluation

SPLITS = {"validation": "valid_kl", "training": "train_kl"}
"""Series of a checkpoint's history with the KL terms of every epoch."""


class History(NamedTuple):
    """A model's KL terms over training: epochs (E,), kl (E, L), and the names of its layers."""

    title: str
    epochs: np.ndarray
    kl: np.ndarray
    names: tuple[str, ...]


@dataclass(frozen=True)
class CollapseSettings:
    """The controls of the page."""

    collapsed_below: float  # nats per latent dimension
    active_above: float  # variance of the posterior mean over images
    per_dim: bool


@dataclass(frozen=True, eq=False)
class Layers:
    """One model on one set: what its layers carry, z_1 first."""

    handle: Handle
    result: SetResult
    variances: tuple[np.ndarray, ...]
    collapsed: tuple[int, ...]
    active: tuple[int, ...]
    history: np.ndarray | None  # (epochs, L) nats
    since: tuple[int | None, ...]
    silent: tuple[int, ...]
    """Collapsed layers that say nothing, the others being thin."""

    @property
    def followers(self) -> tuple[int, ...]:
        """Layers that say nothing though units count as active: these follow the layers above."""
        return tuple(i for i in self.silent if self.active[i - 1])


def set_names(ctx: Context) -> list[str]:
    """Sets that the page offers: the in-distribution ones, then those chosen in the sidebar."""
    held_out = [spec.name for spec in ctx.world.with_role("validation")]
    return list(dict.fromkeys([ctx.in_name, *held_out, *ctx.out_names]))


def controls(evaluated: dict[str, str]) -> tuple[str, CollapseSettings]:
    """The set and the thresholds; all of it in the URL."""
    with st.container(horizontal=True, vertical_alignment="bottom"):
        name = select("Set", evaluated, key="c_set", width=300)
        unit = one_of("KL in", ["nats", "nats/dim"], "nats", key="c_unit")
        below = st.number_input(
            "Collapsed below (nats/dim)", 0.0001, 1000.0, COLLAPSE_THRESHOLD, 0.005, "%.4g",
            key="c_below", bind="query-params", width=190,
        )  # fmt: skip
        above = st.number_input(
            "Unit active above (variance)", 0.0001, 10.0, ACTIVE_THRESHOLD, 0.005, "%.4g",
            key="c_active", bind="query-params", width=190,
        )  # fmt: skip
    return name, CollapseSettings(below, above, per_dim=unit == "nats/dim")


def layers_of(
    handle: Handle, evaluation: Evaluation, settings: CollapseSettings, *, split: str
) -> Layers:
    """What a model's layers carry on an evaluated set."""
    result, below = report(evaluation, ()).inside, settings.collapsed_below
    history = history_kl(handle, split)
    since: tuple[int | None, ...] = (None,) * handle.n_layers
    if history is not None:
        since = collapsed_since(history, handle.units, below)
    active = tuple(active_units(v, settings.active_above) for v in evaluation.unit_variance)
    return Layers(
        handle,
        result,
        variances=evaluation.unit_variance,
        collapsed=collapsed_layers(result.kl, handle.units, below),
        active=active,
        history=history,
        since=since,
        silent=silent_layers(
            result.kl, handle.units, active, exact=handle.exact_kl, threshold=below
        ),
    )


def history_kl(handle: Handle, split: str) -> np.ndarray | None:
    """KL terms of every epoch in nats (epochs, L), or None where the file has no such series."""
    series: list[Any] = store.info(handle).history.get(SPLITS[split], [])
    # The gate made sure that these are numbers, not that they belong to this model's layers.
    if not series or any(not isinstance(r, list) or len(r) != handle.n_layers for r in series):
        return None
    return np.asarray(series, dtype=np.float64)


def histories(handles: Sequence[Handle], split: str, *, per_dim: bool) -> list[History]:
    """The models that have a history, as the chart takes them."""
    series = [(handle, history_kl(handle, split)) for handle in handles]
    return [
        History(
            handle.title,
            np.arange(1, len(kl) + 1),
            kl_per_dim(kl, handle.units) if per_dim else kl,
            names=handle.names,
        )
        for handle, kl in series
        if kl is not None
    ]


def headline(
    ctx: Context, models: Sequence[Layers], name: str, settings: CollapseSettings
) -> tuple[str, str]:
    """The claim, and what to look for."""
    images = ui.plain(ctx.title(name))
    if not models:
        return (
            "What the layers carry is not measured yet",
            f"Evaluate {images} once, and the KL of every layer appears here.",
        )
    return (
        ui.plain(claim(models, ctx.world.title)),
        f"A hatched grey bar is a layer whose KL on {images} is under "
        f"{settings.collapsed_below:g} nats per dimension; without an active unit it is empty, and "
        "its latents stay on the prior whatever the image.",
    )


def short_titles(handles: Sequence[Handle], world: str) -> list[str]:
    """Titles without the world and the number of layers where that still tells models apart."""
    short = []
    for handle in handles:
        parts = handle.title.split(", ")
        kept = [p for p in parts if p != world and not re.fullmatch(r"\d+ layers", p)]
        short.append(", ".join(kept) or handle.title)
    if len(set(short)) < len(short):
        short = [handle.title for handle in handles]
    return [f"“{title}”" for title in short]


def claim(models: Sequence[Layers], world: str) -> str:
    """The page's title: which layers of each model say nothing."""
    titles = short_titles([model.handle for model in models], world)
    first, *others = zip(models, titles, strict=True)
    text = _sentence(*first)
    for model, title in others:
        if model.collapsed:
            text += f"; in {title} {_lower(_findings(model))}"
        else:
            text += f"; {title} keeps all layers"
    return text


def _sentence(model: Layers, title: str) -> str:
    if not model.collapsed:
        return f"Every layer of {title} carries information"
    findings = _findings(model)
    # "Layer z3 of plain ELBO says nothing, z1 little per unit"
    verb = findings.index(" say")
    return f"{findings[:verb]} of {title}{findings[verb:]}"


def _findings(model: Layers) -> str:
    names = model.handle.names
    faint = [i for i in model.collapsed if i not in model.silent]
    if not model.silent:
        return f"{_say(names, faint)} little per unit"
    text = f"{_say(names, model.silent)} nothing"
    return f"{text}, {layers_in_words(names, faint)} little per unit" if faint else text


def _say(names: Sequence[str], layers: Sequence[int]) -> str:
    words = layers_in_words(names, layers)
    if words[0].isdigit():  # "23 of 45 layers"
        return f"{words} say"
    return f"Layers {words} say" if len(layers) > 1 else f"Layer {words} says"


def _lower(text: str) -> str:
    return text[0].lower() + text[1:]
