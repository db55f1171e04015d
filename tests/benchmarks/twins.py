"""How long the small twins of the papers' recipes train on one core: an estimate for each.

    OMP_NUM_THREADS=1 python -m tests.benchmarks.twins [PRESET ...]

A few steps of every twin, or of the presets named, run through the training loop with their own
network, batch, optimiser and running average. Processor seconds of one thread stand for seconds of
the clock: other work on the machine counts for little, and a second core shortens the run. A run is
estimated as the median step times the number of steps, and one validation an epoch.
"""

from __future__ import annotations

import argparse

from hvae_core.config.presets import PRESETS, get_preset
from hvae_core.training.timed import timed


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser()
    parser.add_argument("presets", nargs="*", metavar="PRESET")
    names = parser.parse_args().presets
    print(f"{'preset':<32}{'parameters':>12}{'epochs':>8}{'ms a step':>11}{'minutes':>9}")
    for name in names or [name for name, preset in PRESETS.items() if preset.twin_of]:
        preset = get_preset(name)
        found = timed(preset)
        minutes = preset.train.epochs * found.epoch / 60
        print(
            f"{name:<32}{found.parameters:>12,}{preset.train.epochs:>8}{found.step * 1000:>11.0f}"
            f"{minutes:>9.0f}",
            flush=True,
        )


if __name__ == "__main__":
    main()
