"""The settings of bounds on the command line: options of every command that evaluates."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING

from hvae_core.cli.options import add_seed, at_least

if TYPE_CHECKING:
    from hvae_core.checkpoint import Checkpoint
    from hvae_core.evaluated import EvalSettings


def add_settings(command: argparse.ArgumentParser, *, samples: bool = True) -> None:
    """What the bounds depend on beside checkpoint and images; ``samples`` but for ``draws``."""
    if samples:
        _add_samples(command)
    else:
        command.set_defaults(samples=None, partial_samples=None)
    add_seed(command, "the draws from the model and of the equal numbers")
    # No default here: those of EvalSettings are the ones that stored results were made with.
    command.add_argument(
        "--skipped", choices=("sample", "mean"),
        help="what a skipped layer z_i, i <= k, passes down: a draw from its prior, or the prior's "
        "mean (default: as in the stored results)",
    )  # fmt: skip
    command.add_argument(
        "--up", choices=("mean", "sample"),
        help="what a skipped layer passes up to the layers above it: its posterior mean, or a draw "
        "(default: as in the stored results)",
    )  # fmt: skip
    command.add_argument(
        "--precision", choices=("float32", "bfloat16"),
        help="of the networks; bfloat16 is quicker where the machine computes in it, and moves the "
        "bounds a little (default: float32)",
    )  # fmt: skip
    command.add_argument(
        "--device", default="cpu", metavar="NAME",
        help="where to compute: cpu, cuda, cuda:1, mps (default: cpu)",
    )  # fmt: skip


def _add_samples(command: argparse.ArgumentParser) -> None:
    command.add_argument(
        "--samples", type=at_least(1), metavar="S",
        help="importance samples of L; above 1, LLR uses L^S in its first term (default: 10)",
    )  # fmt: skip
    command.add_argument(
        "--partial-samples", type=at_least(1), metavar="S",
        help="samples over which L>k is averaged for k >= 1 (default: 10)",
    )  # fmt: skip


def settings_of(args: argparse.Namespace) -> EvalSettings:
    """The settings of the bounds that were asked for."""
    from hvae_core.evaluated import EvalSettings

    names = ("samples", "partial_samples", "skipped", "up", "precision")
    chosen = {name: getattr(args, name) for name in names if getattr(args, name)}
    return EvalSettings(seed=args.seed, **chosen)


def move(checkpoint: Checkpoint, device: str) -> None:
    """Bring the model where it is to compute."""
    from hvae_core.errors import ConfigError

    try:
        checkpoint.model.to(device)
    except (RuntimeError, AssertionError) as exc:  # torch raises either where a device is absent
        raise ConfigError(f"There is no device {device} on this machine; use cpu.") from exc
