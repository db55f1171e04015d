"""What a convolution of few channels reaches of a processor, forwards and backwards.

    OMP_NUM_THREADS=1 python -m tests.benchmarks.convolutions [--out FILE]

Kernels of 3 x 3 on 64 maps of 14 x 14, as the narrow networks have them, channels last.
"""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import torch

from tests.benchmarks.training import product

CHANNELS = (16, 24, 32, 64)
MAPS, SIDE = 64, 14


def seconds(call: Callable[[], object], turns: int = 12) -> float:
    """Of the processor, the median of some turns after three that are not counted."""
    taken = []
    for _ in range(turns + 3):
        begun = time.process_time()
        call()
        taken.append(time.process_time() - begun)
    return float(np.median(taken[3:]))


@torch.no_grad()
def measure(channels: int, peak: float) -> dict[str, Any]:
    """Shares of ``peak`` (operations a second) of a step's three products."""
    x, grad = (
        torch.randn(MAPS, channels, SIDE, SIDE).contiguous(memory_format=torch.channels_last)
        for _ in range(2)
    )
    weight = torch.randn(channels, channels, 3, 3).contiguous(memory_format=torch.channels_last)
    bias = torch.randn(channels)

    def backwards(*wanted: bool) -> Callable[[], object]:
        way = [1, 1], [1, 1], [1, 1], False, [0, 0], 1, list(wanted)
        return lambda: torch.ops.aten.convolution_backward(grad, x, weight, [channels], *way)

    ways = {
        "forward": lambda: torch.conv2d(x, weight, bias, padding=1),
        "images": backwards(True, False, False),
        "weights": backwards(False, True, True),
    }
    ideal = 2 * MAPS * SIDE**2 * channels**2 * 9 / peak
    return {"channels": channels, **{way: ideal / seconds(call) for way, call in ways.items()}}


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--out", type=Path, help="JSON for docs/performance.md")
    args = parser.parse_args()
    peak = product()
    rows = [measure(channels, peak) for channels in CHANNELS]
    print(json.dumps(rows, indent=1))
    if args.out:
        args.out.write_text(json.dumps({"torch": torch.__version__, "rows": rows}, indent=1) + "\n")


if __name__ == "__main__":
    main()
