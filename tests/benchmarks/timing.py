"""What the benchmarks of the core share: networks, turns within rounds, ratios in words."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping, Sequence

import numpy as np
import torch

from hvae_core.config.presets import get_preset
from hvae_core.models import HierarchicalVAE, model_from_config
from tests.small import as_family

ROUNDS = 7
_WARM = 1  # round that is not counted


def networks() -> Iterator[tuple[str, HierarchicalVAE]]:
    """The Glyphs networks of three and five layers, bottom-up and top-down, untrained."""
    for layers in (3, 5):
        for family in ("hvae", "lvae"):
            config = as_family(family, get_preset(f"glyphs-hvae{layers}-elbo").model)
            torch.manual_seed(0)
            yield f"{family}, L = {layers}", model_from_config(config)


def rounds(ways: Mapping[str, Callable[[], object]], count: int = ROUNDS) -> dict[str, np.ndarray]:
    """Seconds of each way in every round, (count,); their order changes from round to round.

    They are seconds of the processor, not of the clock: other work on the machine, which would
    swamp the ratios, counts for little. Use one thread.
    """
    seconds: dict[str, list[float]] = {name: [] for name in ways}
    names = list(ways)
    for _ in range(_WARM + count):
        names = [*names[1:], names[0]]
        for name in names:
            begun = time.process_time()
            ways[name]()
            seconds[name].append(time.process_time() - begun)
    return {name: np.array(values[_WARM:]) for name, values in seconds.items()}


def line(name: str, seconds: Mapping[str, np.ndarray], pairs: Sequence[tuple[str, str]]) -> str:
    """One network's ratios, and the median processor time of each way."""
    parts = []
    for above, below in pairs:
        low, middle, high = np.quantile(seconds[above] / seconds[below], (0.25, 0.5, 0.75))
        parts.append(f"{above} / {below} {middle:.2f} ({low:.2f} to {high:.2f})")
    times = ", ".join(f"{way} {np.median(values) * 1000:.0f} ms" for way, values in seconds.items())
    return f"{name}: {'; '.join(parts)}  [{times}]"
