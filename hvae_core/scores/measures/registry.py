"""The measures by name; a new one is a function and an entry here."""

from __future__ import annotations

from importlib import import_module
from typing import Any

from hvae_core.scores.classifier.config import OdinSettings
from hvae_core.scores.measures.complexity import ComplexitySettings, compressed_bits
from hvae_core.scores.measures.measure import Function, Measure
from hvae_core.scores.measures.settings import (
    DrawSettings,
    GradientSettings,
    LowerSettings,
    RegretSettings,
)


def _later(module: str, name: str) -> Function:
    """A function of this folder whose module is imported at the first call: torch is slow."""

    def function(*args: Any) -> Any:
        return getattr(import_module(f"hvae_core.scores.measures.{module}"), name)(*args)

    return function


_ALL = (
    Measure(
        name="complexity",
        doing="Compressing",
        function=compressed_bits,
        settings=ComplexitySettings(),
        seconds=5,
        of="",
    ),
    Measure(
        name="lower",
        doing="Drawing upper levels from the prior",
        function=_later("lower_bound", "lower_bounds"),
        settings=LowerSettings(),
        seconds=60,
    ),
    Measure(
        name="regret",
        doing="Refitting the encoder to each image",
        function=_later("regret", "regret"),
        settings=RegretSettings(),
        seconds=3000,
    ),
    Measure(
        name="regret_z",
        doing="Refitting the posterior of each image",
        function=_later("regret_z", "regret_z"),
        settings=RegretSettings(learning_rate=0.1, epsilon=1.0),
        seconds=600,
    ),
    Measure(
        name="noise",
        doing="Testing the noise of the latents",
        function=_later("latent_draws", "latent_noise"),
        settings=DrawSettings(),
        seconds=60,
    ),
    Measure(
        name="posteriors",
        doing="Inferring the narrow layers",
        function=_later("latent_draws", "narrow_posteriors"),
        settings=DrawSettings(samples=1),
        seconds=20,
    ),
    Measure(
        name="gradients",
        doing="Differentiating the bounds of each image",
        function=_later("gradients", "gradient_norms"),
        settings=GradientSettings(),
        seconds=200,
    ),
    Measure(
        name="logits",
        doing="Classifying",
        function=_later("classifier_outputs", "logits"),
        seconds=1,
        of="classifier",
    ),
    Measure(
        name="odin",
        doing="Perturbing towards the class",
        function=_later("classifier_outputs", "odin"),
        settings=OdinSettings(),
        seconds=4,
        of="classifier",
    ),
    Measure(
        name="class_distances",
        doing="Measuring the distance to each class",
        function=_later("classifier_outputs", "class_distances"),
        seconds=1,
        of="classifier",
    ),
    Measure(
        name="ensemble_log_p",
        doing="Classifying by every classifier",
        function=_later("classifier_outputs", "ensemble_log_p"),
        seconds=3,
        of="classifier",
    ),
)
MEASURES = {measure.name: measure for measure in _ALL}
