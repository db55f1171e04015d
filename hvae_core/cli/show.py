"""What the commands print: tables and JSON on standard output, progress on standard error."""

from __future__ import annotations

import json
import math
import sys
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn, TimeRemainingColumn
from rich.table import Table
from rich.text import Text

_WIDE = 200  # columns, where no terminal sets a limit: a table in a file is never folded


class _Console(Console):
    def on_broken_pipe(self) -> None:
        """Leave it to ``main``: a reader that went away (head, less) is no failure."""
        raise BrokenPipeError


def console(*, stderr: bool = False) -> Console:
    """A console on standard output or error that prints text as it is."""
    stream = sys.stderr if stderr else sys.stdout
    width = None if stream.isatty() else _WIDE
    return _Console(file=stream, width=width, highlight=False, markup=False, emoji=False)


def say(text: str = "") -> None:
    """One line of the result."""
    console().print(text, soft_wrap=True)


def note(text: str) -> None:
    """One line beside the result, on standard error."""
    console(stderr=True).print(text, soft_wrap=True)


_lacking: list[str] = []


def lacking(sentence: str) -> None:
    """Keep a sentence on what was asked for and not had: the command prints, then fails."""
    _lacking.append(sentence)


def need_numbers(values: Iterable[float | None], what: str) -> None:
    """``lacking`` where there is no finite number among the values."""
    if not any(value is not None and math.isfinite(value) for value in values):
        lacking(
            f"No {what} could be had: there is no finite number among them, the model cannot rate "
            "these images; take another checkpoint."
        )


def taken_lacking() -> list[str]:
    """The sentences that were kept, which are then forgotten."""
    kept = list(_lacking)
    _lacking.clear()
    return kept


def as_json(value: Any) -> None:
    """One JSON document on standard output; a number that is not finite is null."""
    print(json.dumps(_finite(value), indent=1, ensure_ascii=False, allow_nan=False))


def _finite(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {key: _finite(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_finite(item) for item in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value


def table(
    title: str,
    heads: Sequence[str],
    rows: Sequence[Sequence[str | Text]],
    *,
    left: int = 1,
    caption: str | None = None,
) -> None:
    """A table; the first ``left`` columns are text, the others numbers, flush right."""
    grid = Table(box=SIMPLE_HEAD, pad_edge=False, show_header=any(heads))
    for index, head in enumerate(heads):
        grid.add_column(head, justify="left" if index < left else "right")
    for row in rows:
        grid.add_row(*row)
    out = console()
    with out.capture() as printed:
        out.print(grid)
    # Without the blanks that fill every line up: the text is pasted into documents.
    lines = [line.rstrip() for line in printed.get().splitlines()]
    out.print(title, style="bold", soft_wrap=True)
    print("\n".join(line for line in lines if line))
    if caption:
        out.print(caption, style="dim", soft_wrap=True)
    print()


class Bar:
    """A progress bar on standard error, called as the one progress protocol of the project."""

    def __init__(self, bar: Progress) -> None:
        self._bar = bar
        self._task = bar.add_task("starting", total=1.0)

    def __call__(self, fraction: float, message: str) -> None:
        """Move the bar."""
        self._bar.update(self._task, completed=fraction, description=message)

    def line(self, text: str) -> None:
        """Print a line that stays, above the bar."""
        self._bar.console.print(text, soft_wrap=True)


@contextmanager
def progress_bar() -> Iterator[Bar]:
    """A bar with the share done and the time left; nothing is drawn where nobody watches."""
    stderr = console(stderr=True)
    columns = (
        TextColumn("{task.description}", markup=False),
        BarColumn(),
        TaskProgressColumn(),
        TimeRemainingColumn(compact=True),
    )
    with Progress(
        *columns, console=stderr, transient=True, disable=not stderr.is_terminal
    ) as progress:
        yield Bar(progress)


def shape_text(shape: Sequence[int]) -> str:
    """A latent's shape, (8, 14, 14) as "8x14x14"."""
    return "x".join(map(str, shape))
