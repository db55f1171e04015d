"""Why layers are empty, thin or kept, as far as the measured KL and the file's recipe can say."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

from hvae_core.common.words import RANGE, fmt, layers_in_words, listed
from hvae_core.evaluation.collapse_layers import LayersFound


@dataclass(frozen=True)
class Recipe:
    """What a checkpoint's file tells of its training and its way up."""

    objective: Literal["elbo", "informative", "iwae"]
    epochs: int
    """Planned ones."""
    trained: int
    """Those in the history; 0 where the file keeps none."""
    free_bits: float
    free_until: float
    """Epoch at which free bits have fallen to 0."""
    read_by_draws_alone: bool
    """Whether z_i, i > 1, is inferred from a draw of z_{i-1} and nothing else."""
    terms: tuple[int, ...]
    """In how many of the informative objective's reconstruction terms each layer takes part."""
    by_element: bool = False
    """Whether free bits are a floor of every element, not of a layer."""

    @property
    def all_terms(self) -> int:
        """Their number, one a level."""
        return max(self.terms)


def recipe(info: Any) -> Recipe | None:
    """The recipe of an inspected checkpoint, or None where its file has no training in it."""
    train, levels = info.train, info.config.levels
    if train is None:
        return None
    # p(x | z_>k) reads the layers above the k lowest levels: those of level number i read 1 .. i.
    order = list(dict.fromkeys(levels))
    return Recipe(
        train.objective,
        train.epochs,
        trained=max((len(series) for series in info.history.values()), default=0),
        free_bits=train.free_bits,
        free_until=train.free_bits_constant + train.free_bits_annealed,
        read_by_draws_alone=info.config.read_by_draws_alone,
        terms=tuple(order.index(level) + 1 for level in levels),
        by_element=train.free_bits_scope == "element",
    )


def paragraph(models: Sequence[tuple[str, LayersFound, Recipe | None]]) -> str:
    """A sentence or two a model, in Markdown; "" where the data and the file explain nothing.

    Each model comes with its letter, which is empty where there is one model alone.
    """
    told = [(letter, " ".join(sentences(model, how))) for letter, model, how in models]
    lines = "  \n".join(
        f"**{letter}:** {text}" if letter else text for letter, text in told if text
    )
    return f"*A guess at why:* {lines}" if lines else ""


def sentences(model: LayersFound, how: Recipe | None) -> list[str]:
    """Why the layers of one model are what they are, the empty ones first."""
    # A layer that is empty on this set but not at the end of training is no matter of training.
    kept = model.kept
    empty = [i for i in model.silent if not kept or model.since[i - 1] is not None]
    reasons = [_empty(model, empty, how)] if empty and how is not None else []
    if model.followers:
        them = "Its units count" if len(model.followers) == 1 else "Their units count"
        reasons.append(
            f"{them} as active only because their means follow {_above(model)}: E[z | x] moves "
            "with x even where the posterior is the prior."
        )
    reasons += _thin(model, [i for i in model.collapsed if i not in model.silent])
    if not model.collapsed and how is not None:
        reasons += _all_kept(model, how)
    return reasons


def _empty(model: LayersFound, empty: Sequence[int], how: Recipe) -> str:
    """Empty layers: what each would cost, and who carries the image without them."""
    awake = [i for i in range(1, model.n_layers + 1) if i not in model.silent]
    if not awake:
        return _none_awake(how)
    it, its = ("it", "its") if len(empty) == 1 else ("them", "their")
    cost = f"Filling {_list(model, empty)} would cost {its} whole KL"
    counts = [how.terms[i - 1] for i in empty]
    if how.objective == "informative" and min(counts) < how.all_terms:
        helped = f"{_numbers(counts)} of {how.all_terms}"
        cost += f" and help in only {helped} reconstruction terms"
    place = " below" if max(awake) < min(empty) else " above" if min(awake) > max(empty) else ""
    carry = f"{_list(model, awake)}{place} {'carries' if len(awake) == 1 else 'carry'}"
    nats = fmt(sum(float(model.kl[i - 1]) for i in awake), "nats")
    text = f"{cost}, while {carry} {nats} without {it}"
    if how.read_by_draws_alone and min(empty) > 1:
        seen = "it sees" if len(empty) == 1 else "they see"
        seen += " only draws of the layer below"
        return f"{text}; with no skip connections on the way up {seen}."
    if how.free_bits and how.free_until <= (how.trained or how.epochs):
        return f"{text}; no nats have been free since epoch {how.free_until:g}."
    return f"{text}: the cheapest posterior is the prior."


def _none_awake(how: Recipe) -> str:
    price = "Every layer costs its whole KL"
    if how.objective == "informative" and how.all_terms > 1:
        price += f", and the lowest helps in only 1 of {how.all_terms} reconstruction terms"
    if not how.trained:
        return f"{price}."
    planned = f" of {how.epochs} planned" if how.trained < how.epochs else ""
    return f"{price}; in {how.trained}{planned} epochs none of them began to repay it."


def _thin(model: LayersFound, layers: Sequence[int]) -> list[str]:
    """Layers under the threshold for each unit, though units are active; many in one sentence."""
    if len(layers) < RANGE:
        return [_spread(model, [layer]) for layer in layers]
    return [_spread(model, layers)]


def _spread(model: LayersFound, layers: Sequence[int]) -> str:
    units = sum(model.units[i - 1] for i in layers)
    active = sum(model.active[i - 1] for i in layers)
    nats = sum(float(model.kl[i - 1]) for i in layers)
    are, their = ("is", "its") if len(layers) == 1 else ("are", "their")
    return (
        f"{_list(model, layers)} {are} thin: {their} {fmt(nats, 'nats')} are spread over "
        f"{units:,} units, {active:,} of them active."
    )


def _numbers(counts: Sequence[int]) -> str:
    """Numbers of a rising sequence, each once: "1 and 2", or "1 to 7" where they are many."""
    each = list(dict.fromkeys(counts))
    return listed(map(str, each)) if len(each) < RANGE else f"{each[0]} to {each[-1]}"


def _all_kept(model: LayersFound, how: Recipe) -> list[str]:
    """What in the recipe is there to keep layers from collapse."""
    if how.free_bits:
        of = "for the channels at each place of a layer" if how.by_element else "a layer"
        return [
            f"{how.free_bits:g} nats {of} were free at first and ever fewer until epoch "
            f"{how.free_until:g}: no layer had to be empty to save them."
        ]
    if how.objective == "informative":
        top = [i for i, terms in enumerate(how.terms, start=1) if terms == how.all_terms]
        has = "has" if len(top) == 1 else "have"
        return [
            f"The objective asks for the image from the layers above every k too, so "
            f"{_list(model, top)} alone {has} to describe it."
        ]
    return []


def _above(model: LayersFound) -> str:
    """The layers that the followers copy from."""
    kept = [i for i in range(min(model.followers) + 1, model.n_layers + 1)
            if i not in model.silent]  # fmt: skip
    return _list(model, kept) if kept else "the layers above"


def _list(model: LayersFound, layers: Sequence[int]) -> str:
    return layers_in_words(model.names, layers)
