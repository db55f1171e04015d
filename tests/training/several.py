"""A short run on N processes, for ``test_several``: python -m tests.training.several N OUT."""

from __future__ import annotations

import sys
from dataclasses import replace
from pathlib import Path

from safetensors.torch import save_file

from hvae_core.training.loop import Run, train
from hvae_core.training.recipe import make_fabric
from tests.training.test_training import HELD_OUT, IMAGES, MODEL, TRAIN

SETTINGS = replace(TRAIN, epochs=2, free_bits=2.0, free_bits_constant=1, free_bits_annealed=1)


def run(processes: int, out: Path, epochs: int = 2) -> Run:
    """Train, or go on, and leave the averaged weights in a folder."""
    fabric = make_fabric(accelerator="cpu", devices=processes)
    config = replace(SETTINGS, epochs=epochs)
    result = train(
        MODEL, config, IMAGES, validation=HELD_OUT, fabric=fabric, state=out / "state", extend=True
    )
    if fabric.is_global_zero:
        save_file(result.model.state_dict(), out / "weights")
    return result


if __name__ == "__main__":
    run(int(sys.argv[1]), Path(sys.argv[2]))
