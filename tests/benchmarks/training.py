"""A training step beside a naive twin, and the share of the arithmetic bound, on the processor.

    OMP_NUM_THREADS=1 python -m tests.benchmarks.training [PRESET ...] [--out FILE]

The twin has the same network, batch and optimiser in a loop as one writes it first: one pass for
every k, one kernel a weight in optimiser and average, an answer asked for at every step. Seconds
are those of the processor, the ways taking turns. The bound is the count of the operations of a
step (torch.utils.flop_counter; three passes of the network) over what a large matrix product
reaches in the same run. Cards are measured by ``tests.benchmarks.gpu``.
"""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from lightning_fabric import Fabric
from torch.utils.flop_counter import FlopCounterMode

from hvae_core.config.presets import get_preset
from hvae_core.models import model_from_config
from hvae_core.training.loop import _start
from hvae_core.training.step import Stepper
from tests.benchmarks.timing import ROUNDS, rounds
from tests.small import stream

PRESETS = ("glyphs-hvae3-elbo", "glyphs-hvae3-informative", "hvk-fashionmnist-hvae3")
MOST = 64  # images of a batch: a paper's 128 of its own size take half a minute a step


def ours(name: str, pixels: torch.Tensor) -> Callable[[], None]:
    """One step as ``train`` takes it."""
    preset = get_preset(name)
    config = replace(preset.train, batch_size=len(pixels))
    fabric = Fabric(accelerator="cpu", devices=1)
    running = _start(preset.model, config, pixels, start=None, fabric=fabric)
    stepper = Stepper(running, fabric)
    stepper.row.copy_(torch.tensor([1e-4, 1.0, 0.0, 0.001, 1.0]))
    keys = torch.stack([torch.arange(len(pixels)), torch.zeros(len(pixels)).long()], 1)
    return lambda: stepper.step(pixels, keys)


def twin(name: str, pixels: torch.Tensor) -> Callable[[], None]:
    """One step of the naive loop."""
    preset, noise = get_preset(name), stream()
    model = model_from_config(preset.model)
    model.init_from_data(pixels.float() / 255, 0)
    optimizer = torch.optim.Adam(model.parameters(), 1e-4, foreach=False)
    average = [weight.detach().clone() for weight in model.parameters()]
    ks = range(model.n_levels if preset.train.objective == "informative" else 1)

    def step() -> None:
        x = model.prepare(pixels.float() / 255, noise)
        traces = [model.trace(x, k=k, noise=noise, up="sample") for k in ks]
        log_px = torch.stack([trace.log_px.mean() for trace in traces]).mean()
        loss = traces[0].kl.mean((1, 2)).sum() - log_px
        optimizer.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 100.0, foreach=False)
        optimizer.step()
        loss.item()
        with torch.no_grad():
            for mine, weight in zip(average, model.parameters(), strict=True):
                mine.lerp_(weight, 0.001)

    return step


def product() -> float:
    """Operations a second of a large matrix product, the best of some, of processor time."""
    a = torch.rand(1536, 1536)
    best = 0.0
    for _ in range(5):
        begun = time.process_time()
        a @ a
        best = max(best, 2 * 1536**3 / (time.process_time() - begun))
    return best


def measure(name: str, turns: int) -> dict[str, Any]:
    """One network's milliseconds a step, both ways, and the share of the bound."""
    preset = get_preset(name)
    size = min(MOST, preset.train.batch_size)
    grey = np.random.default_rng(0).random((size, *preset.model.image_shape))
    pixels = torch.from_numpy((255 * grey**3).astype(np.uint8))
    ways = {"ours": ours(name, pixels), "naive": twin(name, pixels)}
    with FlopCounterMode(display=False) as counter:
        ways["ours"]()
    seconds = rounds(ways, turns)
    middle = {way: float(np.median(values)) for way, values in seconds.items()}
    bound = counter.get_total_flops() / product()
    return {
        "preset": name,
        "images": size,
        "ms": 1000 * middle["ours"],
        "naive_ms": 1000 * middle["naive"],
        "gain": float(np.median(seconds["naive"] / seconds["ours"])),
        "gflop": counter.get_total_flops() / 1e9,
        "share_of_bound": bound / middle["ours"],
    }


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("presets", nargs="*", default=PRESETS)
    parser.add_argument("--rounds", type=int, default=ROUNDS)
    parser.add_argument("--out", type=Path, help="JSON for docs/performance.md")
    args = parser.parse_args()
    rows = []
    for name in args.presets:
        rows.append(measure(name, args.rounds))
        print(json.dumps(rows[-1]), flush=True)
    if args.out:
        facts = {"torch": torch.__version__, "threads": torch.get_num_threads()}
        args.out.write_text(json.dumps({**facts, "rows": rows}, indent=1) + "\n")


if __name__ == "__main__":
    main()
