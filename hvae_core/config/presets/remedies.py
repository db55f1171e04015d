"""What the literature tries against collapse, as recipes that are recorded for the same network."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict, dataclass

from hvae_core.config.family import ModelConfig
from hvae_core.config.presets import PRESETS, Preset
from hvae_core.config.training import TrainConfig


@dataclass(frozen=True)
class Remedy:
    """A recipe for a network that differs from a checkpoint's in one thing, and what that does."""

    preset: str
    title: str
    does: str
    source: str


_MEANS: dict[str, tuple[Callable[[TrainConfig], bool], str, str]] = {
    "free bits": (
        lambda train: train.free_bits > 0,
        "every layer may say a few nats that cost nothing, until the rest has learnt to use them",
        "Kingma et al. 2016; Havtorn et al. 2021, Table 4",
    ),
    "warm-up": (
        lambda train: train.warmup_epochs > 0,
        "the KL terms count little at first, so that layers are in use before they cost",
        "S\N{LATIN SMALL LETTER O WITH STROKE}nderby et al. 2016",
    ),
    "continued": (
        lambda train: train.objective == "informative" and bool(train.start),
        "the informative objective takes over from a network whose layers are alive",
        "Li et al. 2022, Eq. 10",
    ),
    "informative": (
        lambda train: train.objective == "informative",
        "the image is asked for from the layers above every k too, which fills the top",
        "Li et al. 2022, Eq. 10",
    ),
}


def remedies(config: ModelConfig, train: TrainConfig | None, world: str) -> tuple[Remedy, ...]:
    """Recipes of a world that change the schedule or the skips of this network, and nothing else.

    Those that do no more than ``train`` did already are left out.
    """
    done = _means(train) if train is not None else []
    found = []
    for preset in PRESETS.values():
        if preset.world != world or preset.paper:
            continue
        means = _means(preset.train)
        if preset.model == config:
            new = [name for name in means if name not in done]
            if new:
                found.append(Remedy(preset.name, preset.title, *_MEANS[new[0]][1:]))
        elif _only_skips(preset, config) and (train is None or means == done):
            does = "every layer sees the image past the layers below, not only a draw of them"
            found.append(Remedy(preset.name, preset.title, does, "Havtorn et al. 2021, Eq. 2"))
    return tuple(found)


def _means(train: TrainConfig) -> list[str]:
    """What a recipe does against collapse."""
    return [name for name, (does, *_) in _MEANS.items() if does(train)]


def _only_skips(preset: Preset, config: ModelConfig) -> bool:
    """Whether a recipe's network is this one with the skip connections that this one lacks."""
    if preset.model.family != config.family:
        return False
    theirs, ours = asdict(preset.model), asdict(config)
    return bool(theirs.pop("skip", False)) and not ours.pop("skip", True) and theirs == ours
