"""Options that several commands share, and how their help is laid out."""

from __future__ import annotations

import argparse
import textwrap
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from hvae_core.evaluation import SHIPPED_LIMIT

if TYPE_CHECKING:
    from hvae_core.checkpoint import Checkpoint
    from hvae_core.evaluation.evaluation import EvalSettings

Commands = Any  # argparse keeps the class of its subparsers private
NOTHING_KEPT = "Nothing was changed."


class Formatter(argparse.RawDescriptionHelpFormatter):
    """Descriptions and examples as they are written, options in a wide first column."""

    def __init__(self, prog: str) -> None:
        super().__init__(prog, max_help_position=30, width=100)
        # argparse forgets that commands are indented twice, and breaks the line after long names.
        self._action_max_length = 15


def add_command(
    commands: Commands,
    name: str,
    run: Callable[[argparse.Namespace], None],
    *,
    summary: str,
    description: str,
    examples: str,
    kept: str = NOTHING_KEPT,
) -> argparse.ArgumentParser:
    """A command with its help; ``kept`` is said to a user who stops it with Ctrl-C."""
    command: argparse.ArgumentParser = commands.add_parser(
        name,
        help=summary,
        description=textwrap.fill(description, 98),
        epilog=f"Examples:\n{examples}",
        formatter_class=Formatter,
    )
    command.set_defaults(run=run, kept=kept)
    return command


def add_json(command: argparse.ArgumentParser) -> None:
    """``--json``: the figures for programs."""
    command.add_argument(
        "--json", action="store_true", help="print one JSON document instead of tables"
    )


def add_data(command: argparse.ArgumentParser, *, download: bool = True) -> None:
    """Where images come from: ``--data-root`` and ``--download``."""
    command.add_argument(
        "--data-root",
        metavar="DIR",
        help="folder of image sets, each DIR/mnist/test.parquet, DIR/mnist/ or DIR/mnist.npz "
        "(default: STRATA_DATA, else the folder of downloads)",
    )
    if download:
        command.add_argument(
            "--download",
            action="store_true",
            help="fetch sets that are not on this machine from the Hugging Face hub "
            "(nothing is fetched without this)",
        )


def at_least(lowest: int) -> Callable[[str], int]:
    """An argument type: a whole number that is not below ``lowest``."""

    def whole(text: str) -> int:
        try:
            value = int(text)
        except ValueError:
            raise argparse.ArgumentTypeError(f"{text!r} is not a whole number") from None
        if value < lowest:
            raise argparse.ArgumentTypeError(f"must be {lowest} or more, not {value}")
        return value

    return whole


CHECKPOINT = "a .safetensors file, or a checkpoint's name"


def add_checkpoint(command: argparse.ArgumentParser, *, several: bool = False) -> None:
    """A checkpoint by file or name; ``several`` gives ``checkpoints``, at least one."""
    if several:
        command.add_argument("checkpoints", metavar="CHECKPOINT", nargs="+", help=CHECKPOINT)
    else:
        command.add_argument("checkpoint", metavar="CHECKPOINT", help=CHECKPOINT)


def add_world(
    command: argparse.ArgumentParser, of: str = "set", default: str = "the checkpoint's own"
) -> None:
    """``--world``: where the names of sets are looked up."""
    command.add_argument("--world", metavar="NAME", help=f"world of the {of} (default: {default})")


def add_limit(command: argparse.ArgumentParser, default: int = SHIPPED_LIMIT) -> None:
    """``--limit``: images of a set at most; those of the stored results unless told otherwise."""
    command.add_argument(
        "--limit", type=at_least(0), default=default, metavar="N",
        help=f"images of each set at most; 0 for all (default: {default})",
    )  # fmt: skip


def add_images(
    command: argparse.ArgumentParser, default: int, *, lowest: int = 1, most: int | None = None
) -> None:
    """``--images``: how many of one set; ``most`` is said and not checked here."""
    bound = f", at most {most:,}" if most else ""
    command.add_argument(
        "--images", type=at_least(lowest), default=default, metavar="N",
        help=f"images of the set{bound} (default: {default})",
    )  # fmt: skip


def add_seed(command: argparse.ArgumentParser, of: str) -> None:
    """``--seed``: what is drawn by it."""
    command.add_argument(
        "--seed", type=at_least(0), default=0, metavar="N", help=f"seed of {of} (default: 0)"
    )


def add_one_set(command: argparse.ArgumentParser) -> None:
    """A checkpoint, and one set of images to look at under it."""
    add_checkpoint(command)
    command.add_argument(
        "--set", metavar="SET", help="a set as in evaluate (default: the world's test set)"
    )
    add_world(command)


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
    from hvae_core.evaluation.evaluation import EvalSettings

    names = ("samples", "partial_samples", "skipped", "up", "precision")
    chosen = {name: getattr(args, name) for name in names if getattr(args, name)}
    return EvalSettings(seed=args.seed, **chosen)


def move(checkpoint: Checkpoint, device: str) -> None:
    """Bring the model where it is to compute."""
    from hvae_core.common.errors import ConfigError

    try:
        checkpoint.model.to(device)
    except (RuntimeError, AssertionError) as exc:  # torch raises either where a device is absent
        raise ConfigError(f"There is no device {device} on this machine; use cpu.") from exc
