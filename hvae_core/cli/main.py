"""Parse the command line, run the command, and turn what goes wrong into one sentence."""

from __future__ import annotations

import contextlib
import inspect
import os
import sys
import warnings
from collections.abc import Callable, Sequence
from importlib import import_module

from cyclopts import App, CycloptsError, Group, Parameter, ValidationError

from hvae_core.cli import show
from hvae_core.cli.help import WIDTH, Help, paragraphs
from hvae_core.cli.options import KEPT, OPENED, STEPPED
from hvae_core.common import own_models
from hvae_core.common.errors import HVAEError
from hvae_core.common.files import why_not
from hvae_core.common.places import COMMAND
from hvae_core.common.plain import plain

COMMANDS = (
    "train", "judge", "flag", "evaluate", "score", "compare", "contest", "leaderboard",
    "calibration", "combine", "draws", "shift", "collapse", "information", "correlate", "compress",
    "attack", "inspect", "convert", "datasets", "models", "scores", "sampling", "study", "app",
    "maintain",
)  # fmt: skip
"""Each is a module of this folder with a function of its name."""
_IN_A_CLONE = "python -m hvae_core"
"""The command line as the texts of this project write it."""

_ABOUT = """\
Train hierarchical VAEs, see which of their layers collapsed, and measure how well they tell
out-of-distribution images from the ones they know."""
_EPILOG = """\
Start here:
  python -m hvae_core train FOLDER                    a model of your own pictures
  python -m hvae_core judge IMAGE --model runs/FOLDER  is this picture like them?
  python -m hvae_core models                          what can be trained
  python -m hvae_core train --preset glyphs-hvae3-elbo
  python -m hvae_core evaluate runs/glyphs-hvae3-elbo/glyphs-hvae3-elbo.safetensors

Each command has its own help with examples: python -m hvae_core evaluate --help
Tables go to standard output, progress and errors to standard error. The exit code is 0 when all
went well, 2 after an error (one sentence says what to do) or where a figure that was asked for
could not be had, 130 after Ctrl-C.

Environment:
  STRATA_DATA    folder of image sets, used where --data-root is not given
  STRATA_CACHE   folder of downloads and finished evaluations (default: the user's cache folder)
  STRATA_TRACEBACK=1   after a failure of the program itself, say where"""


def command_line() -> App:
    """The whole command line."""
    app = App(
        name=COMMAND,
        help=paragraphs(_ABOUT),
        help_epilogue=_called(_EPILOG),
        help_format="plaintext",
        help_formatter=Help(),
        group_parameters=Group("Options", sort_key=4),
        version_flags=[],
        default_parameter=Parameter(negative=()),
    )
    for place, name in enumerate(COMMANDS):
        run: Callable[..., None] = getattr(import_module(f"hvae_core.cli.{name}"), name)
        # A docstring is the help; the examples in it, and what follows them, stand last.
        about, _, examples = inspect.cleandoc(run.__doc__ or "").partition("\nExamples:\n")
        app.command(
            run,
            name=name,
            help=paragraphs(_called(about)),
            help_epilogue=_called(f"Examples:\n{examples}"),
            sort_key=place,
        )
    return app


def strata() -> int:
    """The command ``strata`` of an installed program: without a command it opens the app."""
    words = sys.argv[1:]
    return main(words if words and not words[0].startswith("--model") else ["app", *words])


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command and return the exit code: 0, 2 after an error, 130 after Ctrl-C.

    Without any command it prints the help, which is an error too.
    """
    words = sys.argv[1:] if argv is None else list(argv)
    console = show.console()
    console.width = min(console.width, WIDTH)
    run: Callable[..., None] | None = None
    try:
        run, bound, _ = command_line().parse_args(
            own_models_first(words), console=console, exit_on_error=False, print_error=False
        )
        OPENED.clear()
        STEPPED.clear()
        show.taken_lacking()
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", RuntimeWarning)  # of numbers that are none; said below
            run(*bound.args, **bound.kwargs)
        sys.stdout.flush()
        for title, notes in {k: v for sets in OPENED for k, v in sets.notes().items()}.items():
            show.note(f"{title}: {'; '.join(notes)}")
    except (HVAEError, CycloptsError) as error:
        print(f"error: {_called(_sentence(error))}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        print(f"\nStopped. {KEPT.get(run, 'Nothing was changed.')}", file=sys.stderr)
        return 130
    except BrokenPipeError:
        # The reader (head, less) went away. Python flushes once more at exit: give it a place.
        _close_output()
    except Exception as error:
        if os.environ.get("STRATA_TRACEBACK"):
            raise
        print(f"error: {_unforeseen(error)}", file=sys.stderr)
        if isinstance(error, OSError):  # perhaps of standard output itself
            _close_output()
        return 2
    lacking = show.taken_lacking()
    for sentence in lacking:
        print(f"error: {sentence}", file=sys.stderr)
    return 0 if words and not lacking else 2


def _called(text: str) -> str:
    """A text with the command line under the name by which this program is called."""
    return text.replace(_IN_A_CLONE, COMMAND)


def own_models_first(words: Sequence[str]) -> list[str]:
    """The words with each --model FILE.py:NAME as the first checkpoint after the command.

    What is named so may be loaded; ``CheckpointError`` where it may not. The app takes them itself.
    After ``judge`` and ``score`` any checkpoint may be named so, as the images come first there.
    """
    if words and words[0] == "app":
        return list(words)
    rest, models = own_models.taken(words)
    judging = rest[:1] in (["judge"], ["score"])
    first = [m if judging and not own_models.is_named(m) else own_models.allow(m) for m in models]
    return [*rest[:1], *first, *rest[1:]]


def _close_output() -> None:
    """Nothing more to standard output, which Python would flush at exit."""
    with contextlib.suppress(OSError, ValueError):
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def _unforeseen(error: Exception) -> str:
    """An error that no room has made a sentence of."""
    if isinstance(error, MemoryError):
        return (
            "There is not enough memory for this; take fewer images with --limit, or a smaller "
            "model."
        )
    if isinstance(error, OSError):
        what = plain(error.filename) if error.filename else "The output"
        return f"{what} cannot be read or written: {why_not(error)}."
    told = plain(error, 200) or "no message"
    return (
        f"The program failed where it should not ({type(error).__name__}: {told}); please report "
        "the command. With STRATA_TRACEBACK=1 it says where."
    )


def _sentence(error: Exception) -> str:
    """What went wrong; of a number out of bounds, which option it is and what it must be."""
    if isinstance(error, ValidationError) and error.argument and error.argument.tokens:
        return f"{error.argument.tokens[0].keyword} {error.exception_message}."
    return str(error)
