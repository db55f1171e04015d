"""Short runs on N processes, for ``test_several``: python -m tests.training.several N OUT WAY ...

The processes are those of N machines of one device each, by the addresses that they are started
with.
"""

from __future__ import annotations

import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

from safetensors.torch import save_file

from hvae_core.training.loop import Run, train
from hvae_core.training.processes import Strategy, make_fabric
from tests.training.test_training import HELD_OUT, IMAGES, MODEL, TRAIN

SETTINGS = replace(TRAIN, epochs=2, free_bits=2.0, free_bits_constant=1, free_bits_annealed=1)
OPTIMISERS: dict[str, Any] = {"ddp": "adam", "fsdp": "adam", "fsdp-adamax": "adamax"}


def run(
    processes: int, out: Path, epochs: int = 2, *, strategy: Strategy = "ddp", kind: Any = "adam"
) -> Run:
    """Train, or go on, and leave the averaged weights in a folder."""
    fabric = make_fabric(accelerator="cpu", nodes=processes, strategy=strategy)
    config = replace(SETTINGS, epochs=epochs, optimizer=kind)
    result = train(
        MODEL, config, IMAGES, validation=HELD_OUT, fabric=fabric, state=out / "state", extend=True
    )
    if fabric.is_global_zero:
        save_file(result.model.state_dict(), out / "weights")
    return result


def main(processes: int, out: Path, ways: list[str]) -> None:
    """Every way in its own folder; what lies there already goes on for an epoch more."""
    for way in ways:
        name, epochs = Path(way).name, 3 if (out / way / "state").exists() else 2
        strategy: Any = name.partition("-")[0]
        run(processes, out / way, epochs, strategy=strategy, kind=OPTIMISERS[name])


if __name__ == "__main__":
    main(int(sys.argv[1]), Path(sys.argv[2]), sys.argv[3:])
