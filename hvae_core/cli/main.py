"""Parse the command line, run the command, and turn what goes wrong into one sentence."""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Sequence

from hvae_core.cli import (
    attack,
    calibration,
    compare,
    compress,
    contest,
    correlate,
    datasets,
    draws,
    evaluate,
    information,
    inspect,
    maintain,
    models,
    sampling,
    scores,
    study,
    train,
)
from hvae_core.cli.options import Formatter
from hvae_core.common.errors import HVAEError

COMMANDS = (
    train,
    evaluate,
    compare,
    contest,
    calibration,
    draws,
    information,
    correlate,
    compress,
    attack,
    inspect,
    datasets,
    models,
    scores,
    sampling,
    study,
    maintain,
)

_EPILOG = """\
Start here:
  python -m hvae_core models                          what can be trained
  python -m hvae_core train --preset glyphs-hvae3-elbo
  python -m hvae_core evaluate runs/glyphs-hvae3-elbo/glyphs-hvae3-elbo.safetensors

Each command has its own help with examples: python -m hvae_core evaluate --help
Tables go to standard output, progress and errors to standard error. The exit code is 0 when all
went well, 2 after an error (one sentence says what to do), 130 after Ctrl-C.

Environment:
  STRATA_DATA    folder of image sets, used where --data-root is not given
  STRATA_CACHE   folder of downloads and finished evaluations (default: the user's cache folder)
"""


def parser() -> argparse.ArgumentParser:
    """The whole command line."""
    top = argparse.ArgumentParser(
        prog="python -m hvae_core",
        description="Train hierarchical VAEs, see which of their layers collapsed, and measure "
        "how well they\ntell out-of-distribution images from the ones they know.",
        epilog=_EPILOG,
        formatter_class=Formatter,
    )
    commands = top.add_subparsers(dest="command", metavar="COMMAND", required=True)
    for command in COMMANDS:
        command.add(commands)
    return top


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command and return the exit code: 0, 2 after an error, 130 after Ctrl-C."""
    args = parser().parse_args(argv)
    try:
        args.run(args)
    except HVAEError as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        print(f"\nStopped. {args.kept}", file=sys.stderr)
        return 130
    except BrokenPipeError:
        # The reader (head, less) went away. Python flushes once more at exit: give it a place.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    return 0
