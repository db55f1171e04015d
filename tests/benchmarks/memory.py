"""Peak memory of ``evaluate`` over 1,000, 10,000 and 100,000 images of a tiny model.

    python -m tests.benchmarks.memory

Each size runs in a process of its own, whose peak is read at its end. What grows is the result
itself (bounds, errors, latents that are kept) and the pixels, both printed beside.
"""

from __future__ import annotations

import multiprocessing
import os
import tempfile
import time

SIZES = (1_000, 10_000, 100_000)


def measure(size: int) -> None:
    """Evaluate that many images and print what it took."""
    import numpy as np
    import torch

    from hvae_core.data.image_set import ImageSet
    from hvae_core.evaluation.compute import evaluate
    from hvae_core.evaluation.evaluation import EvalSettings, pack
    from tests.memory import peak
    from tests.small import tiny_model

    torch.set_num_threads(1)
    pixels = np.random.default_rng(0).integers(0, 256, (size, 1, 8, 8), dtype=np.uint8)
    images = ImageSet(
        "noise", "Noise", pixels, labels=np.zeros(size, dtype=np.int64), class_names=("noise",)
    )
    begun = time.process_time()
    found = evaluate(tiny_model(), "a", images, settings=EvalSettings(2, 2))
    seconds = time.process_time() - begun
    most = peak() / 2**20
    result = sum(array.nbytes for array in pack(found).values()) / 2**20
    print(
        f"{size:7,} images: peak {most:.0f} MiB, of which pixels {pixels.nbytes / 2**20:.0f} and "
        f"result {result:.0f}; {seconds:.0f} s",
        flush=True,
    )


def main() -> None:
    """Measure and print."""
    context = multiprocessing.get_context("spawn")
    for size in SIZES:
        with tempfile.TemporaryDirectory() as folder:
            os.environ["STRATA_CACHE"] = folder
            process = context.Process(target=measure, args=(size,))
            process.start()
            process.join()


if __name__ == "__main__":
    main()
