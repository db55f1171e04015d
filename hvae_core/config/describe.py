"""What a checkpoint says of itself, in words: network, training, model card."""

from __future__ import annotations

import math
from itertools import groupby
from typing import Protocol

from hvae_core.config.family import ModelConfig, counted
from hvae_core.config.training import ModelCard, TrainConfig

_OBJECTIVES = {
    "elbo": "ELBO",
    "informative": "informative objective (Li et al. 2022)",
    "iwae": "importance-weighted ELBO",
}
_SCOPES = {
    "layer": "a layer",
    "element": "shared by the channels of a layer and free for each element of each image",
}
_OPTIMISERS = {"adam": "Adam", "adamax": "Adamax", "adamw": "AdamW"}


def latent_in_words(shape: tuple[int, ...]) -> str:
    """One latent layer, as "8×14×14 = 1,568 units, convolutional" or "16 units, dense"."""
    units = math.prod(shape)
    if len(shape) == 1:
        return f"{counted(units, 'unit')}, dense"
    return f"{'×'.join(map(str, shape))} = {counted(units, 'unit')}, convolutional"


def latent_rows(config: ModelConfig) -> list[tuple[str, str]]:
    """(name, text) of every layer, neighbours of one level and shape in one row, z1 first."""
    layers = zip(config.latent_names, config.latent_shapes, config.levels, strict=True)
    rows = []
    for (shape, _), run in groupby(layers, key=lambda layer: layer[1:]):
        names = [name for name, *_ in run]
        text = latent_in_words(shape)
        if len(names) > 1:
            rows.append((f"{names[0]} to {names[-1]}", f"{len(names)} layers of {text}"))
        else:
            rows.append((names[0], text))
    return rows


def shapes_in_words(config: ModelConfig) -> str:
    """Shapes, z1 first, equal neighbours counted, as "8x14x14, 16, 8" or "4 of 1x14x14, u 1x7x7".

    A context or pseudoinput, which is not counted among the layers, stands by its name.
    """
    tops = [name if name == config.top_name else "" for name in config.latent_names]
    parts = []
    for (shape, top), run in groupby(zip(config.latent_shapes, tops, strict=True)):
        times, text = len(list(run)), "x".join(map(str, shape))
        parts.append(f"{top} {text}".strip() if times == 1 else f"{times} of {text}")
    return ", ".join(parts)


def training_in_words(train: TrainConfig) -> str:
    """How it was trained, as "ELBO, warm-up over 5 epochs, free bits of 2 nats a layer ..."."""
    parts = [_OBJECTIVES[train.objective]]
    if train.objective == "iwae":
        parts[0] += f" of {counted(train.samples, 'sample')}"
    if train.warmup_epochs:
        parts.append(f"warm-up over {train.warmup_epochs:g} epochs")
    if train.free_bits:
        parts.append(
            f"free bits of {train.free_bits:g} nats {_SCOPES[train.free_bits_scope]}, held for "
            f"{train.free_bits_constant:g} epochs and annealed over {train.free_bits_annealed:g}"
        )
    if train.beside:
        parts.append("images moved a little beside each")
    if train.consistency:
        parts.append(f"consistency of weight {train.consistency:g}")
    if train.start:
        parts.append(f"starting from the weights of {train.start}")
    rate = f"learning rate {train.learning_rate:g}"
    if train.final_learning_rate != train.learning_rate:
        rate += f" falling to {train.final_learning_rate:g}"
    parts += [*_optimiser(train), rate, f"batches of {train.batch_size}"]
    if train.ema:
        parts.append(f"weights averaged with decay {train.ema:g}")
    return ", ".join(parts)


def _optimiser(train: TrainConfig) -> list[str]:
    """What is not as in the default: plain Adam that takes every step."""
    parts = [] if train.optimizer == "adam" else [_OPTIMISERS[train.optimizer]]
    if (train.beta1, train.beta2) != (0.9, 0.999):
        parts.append(f"moments with decays {train.beta1:g} and {train.beta2:g}")
    if train.weight_decay:
        parts.append(f"weight decay {train.weight_decay:g}")
    if train.skip_norm:
        parts.append(f"steps with a gradient above {train.skip_norm:g} skipped")
    return parts


class CardFacts(Protocol):
    """What a checkpoint file says of itself, as far as a card shows it."""

    @property
    def card(self) -> ModelCard: ...  # noqa: D102
    @property
    def config(self) -> ModelConfig: ...  # noqa: D102
    @property
    def train(self) -> TrainConfig | None: ...  # noqa: D102
    @property
    def parameters(self) -> int: ...  # noqa: D102
    @property
    def digest(self) -> str: ...  # noqa: D102


def card_rows(info: CardFacts) -> list[tuple[str, str]]:
    """(field, text) of everything a reader must know before believing a figure made with it.

    A field that the file leaves out says "not recorded"; the parameters are those counted in the
    file, whatever the card claims.
    """
    card, train, config = info.card, info.train, info.config
    rows = [
        ("Data", card.data),
        ("Training images", _training_images(card)),
        ("Epochs", _number(card.epochs)),
        ("Objective", card.objective if train is None else training_in_words(train)),
        ("Network", config.in_words()),
        *latent_rows(config),
        ("Likelihood", config.pixels_in_words),
        ("Parameters", f"{info.parameters:,}"),
        ("Hardware", card.hardware),
        ("Training time", duration(card.seconds) if card.seconds else ""),
        ("Seed", str(card.seed if train is None else train.seed)),
        ("Made on", card.created),
        ("Preset", card.preset),
        ("Note", card.note),
        ("SHA-256", info.digest[:16]),
    ]
    optional = {"Note", "Preset", "Made on"}
    return [(name, text or "not recorded") for name, text in rows if text or name not in optional]


def duration(seconds: float) -> str:
    """A time for people: "48 s", "12 min", "3 h 20 min"."""
    if seconds < 90:
        return f"{seconds:.0f} s"
    minutes = round(seconds / 60)
    if minutes < 90:
        return f"{minutes} min"
    return f"{minutes // 60} h {minutes % 60} min"


def _training_images(card: ModelCard) -> str:
    pixels = f", SHA-256 of their pixels {card.train_digest[:16]}" if card.train_digest else ""
    return _number(card.train_images) + pixels if card.train_images else ""


def _number(value: int) -> str:
    return f"{value:,}" if value else ""
