"""The measures by name; a new one is a function and an entry here."""

from __future__ import annotations

from typing import Any

from hvae_core.scores.classifier.config import OdinSettings
from hvae_core.scores.measures.base import Function, Measure
from hvae_core.scores.measures.complexity import ComplexitySettings, compressed_bits
from hvae_core.scores.measures.settings import LowerSettings, RegretSettings


def _lower(*args: Any) -> Any:
    from hvae_core.scores.measures.lower_bound import lower_bounds  # torch is slow to import

    return lower_bounds(*args)


def _regret(*args: Any) -> Any:
    from hvae_core.scores.measures.regret import regret

    return regret(*args)


def _regret_z(*args: Any) -> Any:
    from hvae_core.scores.measures.regret_z import regret_z

    return regret_z(*args)


def _of_labels(name: str) -> Function:
    def function(*args: Any) -> Any:
        from hvae_core.scores.measures import classifier_outputs

        return getattr(classifier_outputs, name)(*args)

    return function


MEASURES: dict[str, Measure] = {
    measure.name: measure
    for measure in (
        Measure(
            "complexity", "Compressing", compressed_bits, ComplexitySettings(), 5, of=""
        ),
        Measure("lower", "Drawing upper levels from the prior", _lower, LowerSettings(), 60),
        Measure("regret", "Refitting the encoder to each image", _regret, RegretSettings(), 3000),
        Measure("regret_z", "Refitting the posterior of each image", _regret_z,
                RegretSettings(learning_rate=0.1, epsilon=1.0), 600),
        Measure("logits", "Classifying", _of_labels("logits"), None, 1, of="classifier"),
        Measure("odin", "Perturbing towards the class", _of_labels("odin"), OdinSettings(), 4,
                of="classifier"),
        Measure("class_distances", "Measuring the distance to each class",
                _of_labels("class_distances"), None, 1, of="classifier"),
        Measure("ensemble_log_p", "Classifying by every classifier",
                _of_labels("ensemble_log_p"), None, 3, of="classifier"),
    )
}  # fmt: skip
