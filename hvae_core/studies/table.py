"""A table of figures with their spread, and the printed figures beside them: CSV and Markdown."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from hvae_core.common.spreadsheet import csv_text
from hvae_core.common.words import fmt
from hvae_core.studies.compare import Spread

MISSING = "–"


@dataclass(frozen=True)
class Figure:
    """A mean with the standard deviation over seeds, or of one seed with its 95 % interval."""

    mean: float
    deviation: float | None = None
    low: float | None = None
    high: float | None = None

    @classmethod
    def of(cls, values: Sequence[float], interval: tuple[float, float] | None = None) -> Figure:
        """Over seeds; the interval is that of a single one."""
        spread = Spread.of(values)
        if interval is None or len(values) > 1 or math.isnan(interval[0]):
            return cls(spread.mean, spread.deviation)
        return cls(spread.mean, None, *interval)


@dataclass(frozen=True)
class Column:
    """A column of figures: ``digits`` after the point, None for three significant ones."""

    key: str
    title: str
    digits: int | None = None
    factor: float = 1.0

    def text(self, figure: Figure | None) -> str:
        """A figure with its spread or interval: "0.964 ± 0.003", "0.964 [0.958, 0.969]"."""
        if figure is None or figure.mean != figure.mean:
            return MISSING
        mean = self.number(figure.mean)
        if figure.deviation is not None:
            return f"{mean} ± {self.number(figure.deviation)}"
        if figure.low is None or figure.high is None:
            return mean
        return f"{mean} [{self.number(figure.low)}, {self.number(figure.high)}]"

    def number(self, value: float) -> str:
        """One number as this column shows it."""
        value = value * self.factor
        return fmt(value) if self.digits is None else f"{value:,.{self.digits}f}"


@dataclass(frozen=True)
class Row:
    """Figures by column under ``keys`` (what they are of) and ``labels`` (how that is shown)."""

    keys: Mapping[str, str]
    labels: Mapping[str, str]
    figures: Mapping[str, Figure] = field(default_factory=dict)
    checkpoints: tuple[str, ...] = ()
    """Digests of the weights, one a seed."""
    reason: str = ""
    """Why there are no figures."""
    printed: Mapping[str, str] = field(default_factory=dict)
    comment: str = ""


@dataclass(frozen=True)
class Table:
    """Rows of one kind; ``heads`` are titles of the label columns by key."""

    key: str
    kind: str
    title: str
    heads: Mapping[str, str]
    columns: tuple[Column, ...]
    rows: tuple[Row, ...]
    source: str = ""
    note: str = ""
    remarks: tuple[str, ...] = ()
    """One sentence on every figure that lies far from the printed one."""
    about: Mapping[str, str] = field(default_factory=dict)
    """Date, hardware, command, settings."""
    best: Callable[[Iterable[float]], float] | None = None
    """Which of a row's figures is the best one, where its columns compete."""

    def is_best(self, row: Row, column: Column) -> bool:
        """Whether a figure is the best of its row, as shown."""
        if self.best is None or column.key not in row.figures or len(row.figures) < 2:
            return False
        shown = column.number(self.best(figure.mean for figure in row.figures.values()))
        return column.number(row.figures[column.key].mean) == shown

    def has_printed(self, column: Column) -> bool:
        """Whether a paper's figure stands beside this column."""
        return any(column.key in row.printed for row in self.rows)

    @property
    def shown_heads(self) -> list[str]:
        """Titles of the label columns of which there is something to tell."""
        return [
            key for key in self.heads if len({row.labels.get(key) for row in self.rows}) > 1
        ] or [next(iter(self.heads))]


def header(table: Table) -> list[str]:
    """Titles of all columns as people read them."""
    titles = [table.heads[key] for key in table.shown_heads]
    for column in table.columns:
        titles.append(column.title)
        if table.has_printed(column):
            titles.append("printed")
    return titles


def cells(
    table: Table, row: Row, strong: Callable[[str], str] = str, plain: Callable[[str], str] = str
) -> list[str]:
    """One row under ``header``; why there is nothing stands in its first column of figures.

    ``plain`` writes every text as a format needs it, ``strong`` the best figure of a row.
    """
    texts = [plain(row.labels.get(key, "")) for key in table.shown_heads]
    for index, column in enumerate(table.columns):
        text = plain(column.text(row.figures.get(column.key)))
        text = strong(text) if table.is_best(row, column) else text
        texts.append(plain(row.reason) if row.reason and not index else text)
        if table.has_printed(column):
            texts.append(plain(row.printed.get(column.key, MISSING)))
    return texts


def markdown(table: Table) -> str:
    """The table with its remarks and what it was made with."""
    titles, labels = header(table), len(table.shown_heads)
    lines = [f"### {table.title}", ""]
    if table.note:
        lines += [table.note, ""]
    lines.append(_line([_escaped(title) for title in titles]))
    lines.append("| " + " | ".join(["---"] * labels + ["---:"] * (len(titles) - labels)) + " |")
    lines += [_line(cells(table, row, "**{}**".format, plain=_escaped)) for row in table.rows]
    if table.source:
        lines += ["", f"Printed: {table.source}."]
    if table.remarks:
        lines += ["", "Differences:", "", *(f"- {_escaped(text)}" for text in table.remarks)]
    lines += ["", *(f"- {name}: {_code(name, text)}" for name, text in table.about.items())]
    lines += [f"- checkpoints: {_digests(table)}", ""]
    return "\n".join(lines)


def _line(texts: Sequence[str]) -> str:
    return "| " + " | ".join(texts) + " |"


def _escaped(text: str) -> str:
    return text.replace("&", "&amp;").replace("<", "&lt;").replace("|", "\\|")


def _code(name: str, text: str) -> str:
    return f"`{text}`" if name == "command" else text


def _digests(table: Table) -> str:
    """Every model's checkpoints once, by the start of their digests."""
    known: dict[str, str] = {}
    for row in table.rows:
        if row.checkpoints:
            known[row.labels.get("model", "")] = ", ".join(d[:12] for d in row.checkpoints)
    return "; ".join(f"{name} {found}".strip() for name, found in known.items()) or "none"


def as_csv(table: Table) -> str:
    """One line a row in full precision: keys, figures with spread and interval, printed ones."""
    heads: list[str] = [*table.heads]
    for column in table.columns:
        heads += [column.key, *(f"{column.key}_{part}" for part in ("sd", "low", "high"))]
        if table.has_printed(column):
            heads.append(f"{column.key}_printed")
    heads += ["missing", "comment", "seeds", "checkpoints", *table.about]
    rows = []
    for row in table.rows:
        values: list[object] = [row.keys.get(key, row.labels.get(key, "")) for key in table.heads]
        for column in table.columns:
            figure = row.figures.get(column.key)
            parts = ("mean", "deviation", "low", "high")
            values += [_plain(getattr(figure, part, None), column.factor) for part in parts]
            if table.has_printed(column):
                values.append(row.printed.get(column.key, ""))
        digests = " ".join(d[:16] for d in row.checkpoints)
        values += [row.reason, row.comment, len(row.checkpoints), digests, *table.about.values()]
        rows.append(values)
    return csv_text(heads, rows)


def _plain(value: float | None, factor: float) -> str:
    return "" if value is None or value != value else f"{value * factor:.6g}"
