"""Recorded recipes of classifiers: ``python -m hvae_core train --preset glyphs-classifier``."""

from __future__ import annotations

from dataclasses import dataclass

from hvae_core.classifier.config import ClassifierConfig, ClassifierTraining


@dataclass(frozen=True)
class ClassifierPreset:
    """One recipe: the world it is trained on, network, schedule."""

    name: str
    title: str
    world: str
    model: ClassifierConfig
    train: ClassifierTraining
    source: str = "label baselines of HVK Table 2"


_GREY = ClassifierConfig((1, 28, 28), classes=10)

PRESETS: dict[str, ClassifierPreset] = {
    preset.name: preset
    for preset in (
        ClassifierPreset(
            "glyphs-classifier",
            "classifier of the letters A-J",
            "glyphs",
            _GREY,
            ClassifierTraining("glyphs", epochs=5),
        ),
        ClassifierPreset(
            "fashion-classifier",
            "classifier of the ten clothes",
            "fashion",
            _GREY,
            ClassifierTraining("fashion", epochs=12, epoch_images=15_000),
        ),
    )
}
