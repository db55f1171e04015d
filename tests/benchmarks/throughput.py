"""Images a second of ``evaluate`` for all k, beside twins that share nothing.

    OMP_NUM_THREADS=1 python -m tests.benchmarks.throughput [PRESET ...] [--samples S ...]

``naive`` makes one full pass for every k and sample, ``public`` the way of the public scorer: a
pass for L and a pass for L_>k, for every k. Both run on the frozen copy that ``evaluate`` makes, in
batches of as many rows; ``unfrozen`` is ``naive`` on the model as it comes. All give the same
scores, which is checked. Operations are counted exactly (torch.utils.flop_counter); seconds are
those of the processor, the ways taking turns within every round. Weights are untrained: only the
speed is looked at, and the change of the bounds, relative as those of such weights are large.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.utils.flop_counter import FlopCounterMode

from hvae_core.common.noise import ImageNoise, Noise
from hvae_core.config.presets import get_preset
from hvae_core.evaluation.bounds import BoundAccumulator
from hvae_core.evaluation.compute import evaluate_batch
from hvae_core.evaluation.evaluation import EvalSettings
from hvae_core.evaluation.scorer import BATCH_PIXELS
from hvae_core.models import HierarchicalVAE, model_from_config
from hvae_core.models.frozen import frozen
from tests.benchmarks.timing import ROUNDS, rounds

PRESETS = ("hvk-fashionmnist-hvae3", "glyphs-hvae3-elbo")
IMAGES = 8


class Merged(Noise):
    """The noise of S samples of B images as that of one sample of S x B images."""

    def __init__(self, digests: Sequence[int], first: int, samples: int) -> None:
        self.noise, self.samples = ImageNoise(digests, 0, first), samples

    def normal(self, name: str, samples: int, batch: int, shape: Sequence[int]) -> Tensor:
        """Numbers of every image and sample, (1, S B, *shape)."""
        drawn = self.noise.normal(name, self.samples, batch // self.samples, shape)
        return drawn.flatten(0, 1).unsqueeze(0)

    def uniform(self, name: str, samples: int, batch: int, shape: Sequence[int]) -> Tensor:
        """Numbers of every image and sample, (1, S B, *shape)."""
        drawn = self.noise.uniform(name, self.samples, batch // self.samples, shape)
        return drawn.flatten(0, 1).unsqueeze(0)


def shared(model: HierarchicalVAE, pixels: np.ndarray, settings: EvalSettings) -> np.ndarray:
    """L_>k (B, K) as ``evaluate`` computes it."""
    size = max(1, BATCH_PIXELS // model.dims // settings.samples)
    rows = []
    for start in range(0, len(pixels), size):
        part = pixels[start : start + size]
        bounds, _ = evaluate_batch(model, part, range(start, start + len(part)), settings=settings)
        rows.append(np.stack([b.bound for b in bounds], 1))
    return np.concatenate(rows)


@torch.inference_mode()
def passes(
    model: HierarchicalVAE, pixels: np.ndarray, settings: EvalSettings, ks: Sequence[int]
) -> np.ndarray:
    """L_>k (B, len(ks)), a full pass for every k in ``ks`` and every sample."""
    digests = range(len(pixels))
    x = torch.from_numpy(pixels).float() / 255
    x = model.prepare(x, ImageNoise(digests))
    at_once = max(1, BATCH_PIXELS // model.dims // len(pixels))
    found = []
    for k in ks:
        terms = BoundAccumulator()
        for first in range(0, settings.samples, at_once):
            count = min(at_once, settings.samples - first)
            many = x.repeat(count, 1, 1, 1)
            noise = Merged(digests, first, count)
            trace = model.trace(many, k=k, noise=noise, skipped="mean", up="mean")
            terms.add(trace)
        found.append(terms.result().terms.reshape(-1, len(pixels)).mean(0))
    return np.stack(found, 1)


def compare(name: str, samples: int, count: int, turns: int) -> dict[str, Any]:
    """One network and number of samples: operations, times, gains."""
    torch.manual_seed(0)
    model = model_from_config(get_preset(name).model).eval().requires_grad_(False)
    grey = np.random.default_rng(0).random((count, *model.image_shape))
    pixels = (255 * grey**3).astype(np.uint8)
    model.init_from_data(torch.from_numpy(pixels).float() / 255, 0)
    twin, rough, levels = frozen(model), frozen(model, half=True), range(model.n_levels)
    settings = EvalSettings(samples, samples)
    half = EvalSettings(samples, samples, precision="bfloat16")
    pairs = [k for level in levels for k in (0, level)]
    ways: dict[str, Callable[[], np.ndarray]] = {
        "evaluate": lambda: shared(twin, pixels, settings),
        "naive": lambda: passes(twin, pixels, settings, levels),
        "public": lambda: passes(twin, pixels, settings, pairs),
        "unfrozen": lambda: passes(model, pixels, settings, levels),
        "bfloat16": lambda: shared(rough, pixels, half),
    }
    flops, values = {}, {}
    for way, run in ways.items():
        with FlopCounterMode(display=False) as counter:
            values[way] = run()
        flops[way] = counter.get_total_flops() / count
    seconds = rounds(ways, turns)
    print(f"{name}, S = {samples}, {model.n_levels} values of k, {count} images")
    found: dict[str, Any] = {"preset": name, "S": samples, "images": count}
    for way in ways:
        gain = flops[way] / flops["evaluate"]
        low, middle, high = np.quantile(seconds[way] / seconds["evaluate"], (0.25, 0.5, 0.75))
        speed = count / np.median(seconds[way])
        bounds = values[way][:, 1::2] if way == "public" else values[way]
        gap = np.abs(bounds / values["evaluate"] - 1).max()
        print(
            f"  {way:9} {flops[way] / 1e9:8.2f} GFLOP/image ({gain:.2f})  {speed:8.2f} images/s, "
            f"time {middle:.2f} ({low:.2f} to {high:.2f})  largest difference {gap:.1e} of a bound",
            flush=True,
        )
        found[way] = {"gain": float(middle), "bound": gain, "speed": float(speed)}
    return found


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("presets", nargs="*", default=PRESETS)
    parser.add_argument("--samples", nargs="+", type=int, default=(1, 50))
    parser.add_argument("--images", type=int, default=IMAGES)
    parser.add_argument("--rounds", type=int, default=ROUNDS)
    parser.add_argument("--out", type=Path, help="JSON for docs/performance.md")
    args = parser.parse_args()
    print("(times and operations as multiples of evaluate's; median and quartiles over rounds)")
    rows = [
        compare(name, samples, args.images, args.rounds)
        for name in args.presets
        for samples in args.samples
    ]
    if args.out:
        facts = {"torch": torch.__version__, "threads": torch.get_num_threads()}
        args.out.write_text(json.dumps({**facts, "rows": rows}, indent=1) + "\n")


if __name__ == "__main__":
    main()
