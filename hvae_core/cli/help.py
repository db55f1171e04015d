"""How the help of a command is laid out: text that fills the line, and defaults in words."""

from __future__ import annotations

from typing import TYPE_CHECKING

from cyclopts.help import DefaultFormatter, HelpEntry, HelpPanel, InlineText

if TYPE_CHECKING:
    from rich.console import Console, ConsoleOptions

WIDTH = 100


class Help(DefaultFormatter):
    """The framework's own layout; a help text may be broken into lines wherever it is written."""

    def __call__(self, console: Console, options: ConsoleOptions, panel: HelpPanel) -> None:
        """Print one panel of options or commands."""
        super().__call__(console, options, panel.copy(entries=[*map(_in_words, panel.entries)]))


def _in_words(entry: HelpEntry) -> HelpEntry:
    text = paragraphs(str(entry.description.primary_renderable))
    if entry.default and entry.default not in ("False", "()"):
        text += f" (default: {entry.default.strip('()')})"
    return entry.copy(description=InlineText.from_format(text, "plaintext"), default=None)


def paragraphs(text: str) -> str:
    """A text whose paragraphs stand in one line each, to be broken where it is shown."""
    return "\n\n".join(" ".join(lines.split()) for lines in text.split("\n\n"))
