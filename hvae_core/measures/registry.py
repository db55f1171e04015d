"""The measures by name; a new one is a function and an entry here."""

from __future__ import annotations

from typing import Any

from hvae_core.measures.base import Measure
from hvae_core.measures.complexity import ComplexitySettings, compressed_bits
from hvae_core.measures.settings import LowerSettings, RegretSettings


def _lower(*args: Any) -> Any:
    from hvae_core.measures.lower import lower_bounds  # torch is slow to import

    return lower_bounds(*args)


def _regret(*args: Any) -> Any:
    from hvae_core.measures.regret import regret

    return regret(*args)


def _regret_z(*args: Any) -> Any:
    from hvae_core.measures.regret_z import regret_z

    return regret_z(*args)


MEASURES: dict[str, Measure] = {
    measure.name: measure
    for measure in (
        Measure(
            "complexity", "Compressing", compressed_bits, ComplexitySettings(), 5, of=""
        ),
        Measure("lower", "Drawing upper levels from the prior", _lower, LowerSettings(), 60),
        Measure("regret", "Refitting the encoder to each image", _regret, RegretSettings(), 3000),
        Measure("regret_z", "Refitting the posterior of each image", _regret_z,
                RegretSettings(learning_rate=0.05), 600),
    )
}  # fmt: skip
