"""How long a network behind marks takes beside the family whose weights it has.

    OMP_NUM_THREADS=1 python -m tests.benchmarks.adapted

All L_>k of a batch, as in an evaluation. ``family`` goes on from the layer where k changes;
``shared`` runs the whole network for every k and sample but its encoder, ``marks`` that too. Ways
take turns within every round; ratios are medians over rounds, with quartiles.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import torch

import hvae_core as hv
from hvae_core.common.noise import ImageNoise
from hvae_core.config.presets import get_preset
from hvae_core.models import HierarchicalVAE, model_from_config
from hvae_core.models.frozen import frozen
from tests.benchmarks.timing import ROUNDS, line, rounds
from tests.models.adapters import native

IMAGES, SAMPLES = 8, 10
CASES: dict[str, tuple[Any, Sequence[str]]] = {
    "glyphs-hvae3-elbo": (native.BottomUp, ()),
    "glyphs-lvae5-elbo": (native.TopDown, ("encode",)),
    "glyphs-vdvae-small": (native.TopDown, ("encode",)),
}


def bounds_of(model: HierarchicalVAE) -> Callable[[], object]:
    """All L_>k of a few images of noise."""
    x = torch.rand(IMAGES, *model.image_shape).round()

    def run() -> object:
        noise = ImageNoise(range(IMAGES))
        return model.traces(x, range(model.n_levels), noise=noise, samples=SAMPLES)

    return run


@torch.inference_mode()
def main() -> None:
    """Measure and print."""
    print(f"{IMAGES} images, {SAMPLES} samples, medians of {ROUNDS} rounds (quartiles)")
    for name, (kind, encode) in CASES.items():
        family = model_from_config(get_preset(name).model).eval()
        models = {"family": family, "marks": hv.adapt(kind(family), shape=family.image_shape)}
        if encode:
            models["shared"] = hv.adapt(kind(family), shape=family.image_shape, encode=encode)
        seconds = rounds({way: bounds_of(frozen(model)) for way, model in models.items()})
        pairs = [(way, "family") for way in seconds if way != "family"]
        print(line(f"{name}, {family.n_levels} values of k", seconds, pairs))


if __name__ == "__main__":
    main()
