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
    """What ``train --preset`` takes."""
    title: str
    does: str
    source: str
    lab: str
    """The preset of the Lab that shows it."""
    same: bool = True
    """Whether the recipe is recorded for this very network, and not for one like it."""


@dataclass(frozen=True)
class _Means:
    """One thing that the literature does, how it is seen in a recipe, and where the Lab has it."""

    title: str
    seen: Callable[[TrainConfig], bool]
    does: str
    source: str
    lab: str

    def of(self, preset: Preset, *, same: bool) -> Remedy:
        title = preset.title if same else self.title
        return Remedy(preset.name, title, self.does, self.source, self.lab, same)


_MEANS = (
    _Means(
        "Free bits",
        lambda train: train.free_bits > 0,
        "every layer may say a few nats that cost nothing, until the rest has learnt to use them",
        "Kingma et al. 2016; Havtorn et al. 2021, Table 4",
        "free-bits",
    ),
    _Means(
        "Warm-up",
        lambda train: train.warmup_epochs > 0,
        "the KL terms count little at first, so that layers are in use before they cost",
        "S\N{LATIN SMALL LETTER O WITH STROKE}nderby et al. 2016",
        "warm-up",
    ),
    _Means(
        "The informative objective, continued",
        lambda train: train.objective == "informative" and bool(train.start),
        "the informative objective takes over from a network whose layers are alive",
        "Li et al. 2022, Eq. 10",
        "informative",
    ),
    _Means(
        "The informative objective",
        lambda train: train.objective == "informative",
        "the image is asked for from the layers above every k too",
        "Li et al. 2022, Eq. 10",
        "informative",
    ),
)
_SKIPS = _Means(
    "Skip connections",
    lambda _: False,
    "every layer sees the image past the layers below, not only a draw of them",
    "Havtorn et al. 2021, Eq. 2",
    "skips",
)


def remedies(config: ModelConfig, train: TrainConfig | None, world: str) -> tuple[Remedy, ...]:
    """Recipes that change the schedule or the skips of a network, and nothing else.

    Those of the world for this very network come first. What has none there is shown by a recipe
    for another network. What ``train`` did already is left out.
    """
    done = _means(train) if train is not None else []
    found, shown, named = [], set[str](), set[str]()
    recorded = [preset for preset in PRESETS.values() if not preset.paper]
    recorded.sort(key=lambda preset: preset.world != world)  # stable: its own world first
    for preset in recorded:
        if preset.world != world:
            break
        means = _means(preset.train)
        if preset.model == config:
            new = [one for one in means if one not in done]
            # One recipe for each means: others of it are arms of a study.
            if new and new[0].title not in named:
                named.add(new[0].title)
                found.append(new[0].of(preset, same=True))
                shown.add(new[0].lab)
        elif _only_skips(preset, config) and (train is None or means == done):
            found.append(_SKIPS.of(preset, same=True))
    # Of warm-up, free bits and the objective, those that no recipe of this network has.
    for one in _MEANS:
        if one in done or one.lab in shown:
            continue
        other = next((preset for preset in recorded if _means(preset.train)[:1] == [one]), None)
        if other is not None:
            found.append(one.of(other, same=False))
            shown.add(one.lab)
    if getattr(config, "skip", True) is False and not any(one.lab == _SKIPS.lab for one in found):
        bare = (preset for preset in recorded if not _means(preset.train))
        other = next((preset for preset in bare if getattr(preset.model, "skip", False)), None)
        if other is not None:
            found.append(_SKIPS.of(other, same=False))
    return tuple(found)


def _means(train: TrainConfig) -> list[_Means]:
    """What a recipe does against collapse."""
    return [means for means in _MEANS if means.seen(train)]


def _only_skips(preset: Preset, config: ModelConfig) -> bool:
    """Whether a recipe's network is this one with the skip connections that this one lacks."""
    if preset.model.family != config.family:
        return False
    theirs, ours = asdict(preset.model), asdict(config)
    return bool(theirs.pop("skip", False)) and not ours.pop("skip", True) and theirs == ours
