"""Options that several commands share, and how their help is laid out."""

from __future__ import annotations

import argparse
import textwrap
from collections.abc import Callable
from typing import Any

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


def add_one_set(command: argparse.ArgumentParser) -> None:
    """A checkpoint, and one set of images to look at under it."""
    command.add_argument(
        "checkpoint", metavar="CHECKPOINT", help="a .safetensors file, or a checkpoint's name"
    )
    command.add_argument(
        "--set", metavar="SET", help="a set as in evaluate (default: the world's test set)"
    )
    command.add_argument(
        "--world", metavar="NAME", help="world of the set (default: the checkpoint's own)"
    )
