"""What the collapse page says and shows of each model: layers, history, words."""

from __future__ import annotations

import re
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from operator import attrgetter
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
import streamlit as st

from hvae_core.common.errors import MissingImages
from hvae_core.common.thresholds import ACTIVE_THRESHOLD, COLLAPSE_THRESHOLD
from hvae_core.config import ModelConfig
from hvae_core.data.image_set import ImageSet
from hvae_core.detection.report import report
from hvae_core.detection.set_result import SetResult
from hvae_core.evaluation.collapse import kl_per_dim
from hvae_core.evaluation.collapse_layers import LayersFound, kl_history, layers_found
from hvae_core.evaluation.collapse_words import finding
from hvae_core.evaluation.linear import Spread, fixed_std, spread_in_words
from pages.shared import store, ui
from pages.shared.controls import select
from pages.shared.kept import by_content
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


@dataclass(frozen=True, eq=False)
class Layers:
    """One model on one set: what its layers carry, z_1 first."""

    handle: Handle
    result: SetResult
    variances: tuple[np.ndarray, ...]
    found: LayersFound
    history: np.ndarray | None  # (epochs, L) nats
    spread: str
    """What the decoder's variance lets the units say, in a sentence."""

    @property
    def collapsed(self) -> tuple[int, ...]:
        """Numbers of the layers under the threshold."""
        return self.found.collapsed

    @property
    def silent(self) -> tuple[int, ...]:
        """Those of them that say nothing, the others being thin."""
        return self.found.silent

    @property
    def active(self) -> tuple[int, ...]:
        """Active units of each layer."""
        return self.found.active

    @property
    def since(self) -> tuple[int | None, ...]:
        """The epoch since which each layer has been collapsed."""
        return self.found.since


def handles_of(models: Sequence[Layers]) -> list[Handle]:
    """The models themselves."""
    return [model.handle for model in models]


def names_of(models: Sequence[Layers]) -> list[tuple[str, ...]]:
    """The layers' names of each model, for the charts."""
    return [model.handle.names for model in models]


def set_names(ctx: Context) -> list[str]:
    """Sets that the page offers: the in-distribution ones, then those chosen in the sidebar."""
    held_out = [spec.name for spec in ctx.world.with_role("validation")]
    return list(dict.fromkeys([ctx.in_name, *held_out, *ctx.out_names]))


def controls(evaluated: dict[str, str]) -> tuple[str, CollapseSettings]:
    """The set and the thresholds; all of it in the URL."""
    with st.container(horizontal=True, vertical_alignment="bottom"):
        name = select("Set", evaluated, key="c_set", width=300)
        below = st.number_input(
            "Collapsed below (nats a unit)", 0.0001, 1000.0, COLLAPSE_THRESHOLD, 0.005, "%.4g",
            key="c_below", bind="query-params", width=210,
        )  # fmt: skip
        above = st.number_input(
            "Unit active above (variance)", 0.0001, 10.0, ACTIVE_THRESHOLD, 0.005, "%.4g",
            key="c_active", bind="query-params", width=190,
        )  # fmt: skip
    return name, CollapseSettings(below, above)


def layers_of(
    ctx: Context, handle: Handle, evaluation: Evaluation, settings: CollapseSettings, *, split: str
) -> Layers:
    """What a model's layers carry on an evaluated set."""
    config, history = store.info(handle).config, history_kl(handle, split)
    below, above = settings.collapsed_below, settings.active_above
    return Layers(
        handle,
        report(evaluation, ()).inside,
        variances=evaluation.unit_variance,
        found=layers_found(config, evaluation, history, below=below, above=above),
        history=history,
        spread=_spread(ctx, handle, evaluation.set_name),
    )


def _spread(ctx: Context, handle: Handle, name: str) -> str:
    """The decoder's variance against the data's, where the images are here."""
    config, spread = store.info(handle).config, None
    if fixed_std(config) is not None:
        with suppress(MissingImages):
            spread = _spread_of(config, ctx.images(name, handle))
    return spread_in_words(config, spread)


@by_content(16, {ImageSet: attrgetter("digest")})
def _spread_of(config: ModelConfig, images: ImageSet) -> Spread | None:
    return Spread.of(config, images.images)


def history_kl(handle: Handle, split: str) -> np.ndarray | None:
    """KL terms of every epoch in nats (epochs, L), or None where the file has no such series."""
    return kl_history(store.info(handle).history, SPLITS[split], handle.n_layers)


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
        f"A hatched grey bar is a collapsed layer: it says the same of every image of {images}. "
        f"A dotted bar is a thin layer: it says less than {settings.collapsed_below:g} nats a "
        "unit, but not nothing.",
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
            text += f"; in {title} {_lower(finding(model.found))}"
        else:
            text += f"; {title} keeps all layers"
    return text


def _sentence(model: Layers, title: str) -> str:
    if not model.collapsed:
        return f"Every layer of {title} carries information"
    findings = finding(model.found)
    # "Layer z3 of plain ELBO says nothing, z1 little per unit"
    verb = findings.index(" say")
    return f"{findings[:verb]} of {title}{findings[verb:]}"


def _lower(text: str) -> str:
    return text[0].lower() + text[1:]
