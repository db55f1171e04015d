"""What ``traces`` for all k saves against one ``trace`` for every k.

    OMP_NUM_THREADS=1 python -m tests.benchmarks.traces

Without gradients, as in an evaluation, on the networks of the Glyphs presets. Bottom-up inference
shares its whole way up where skipped layers pass draws upwards (``up="sample"``), and the chain of
means where they pass means; top-down inference, which passes no latent upwards, always shares one
way down. Ways take turns within every round; ratios are medians over rounds, with quartiles.
"""

from __future__ import annotations

from collections.abc import Callable

import torch

from hvae_core.models import HierarchicalVAE, Up
from tests.benchmarks.timing import ROUNDS, line, networks, rounds
from tests.small import stream

BATCH = 32
SAMPLES = 2


def ways_of(model: HierarchicalVAE, up: Up) -> dict[str, Callable[[], object]]:
    """All k at once, k by k, and k = 0 alone."""
    x = torch.rand(BATCH, *model.image_shape).round()
    ks = range(model.n_levels)
    return {
        "traces": lambda: model.traces(x, ks, noise=stream(), samples=SAMPLES, up=up),
        "one by one": lambda: [
            model.trace(x, k=k, noise=stream(), samples=SAMPLES, up=up) for k in ks
        ],
        "k = 0": lambda: model.trace(x, noise=stream(), samples=SAMPLES, up=up),
    }


@torch.no_grad()
def main() -> None:
    """Measure and print."""
    print(
        f"{BATCH} images, {SAMPLES} samples, every k, {ROUNDS} rounds; "
        "ratios of times, median (quartiles)"
    )
    pairs = [("traces", "one by one"), ("traces", "k = 0"), ("one by one", "k = 0")]
    for name, model in networks():
        ups: tuple[Up, ...] = ("sample", "mean")
        for up in ups:
            print(line(f"{name}, up={up}", rounds(ways_of(model, up)), pairs))


if __name__ == "__main__":
    main()
