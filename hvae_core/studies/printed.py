"""Printed figures of a paper beside those of a study, and a sentence where they differ much."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import replace

from hvae_core.common.errors import ConfigError
from hvae_core.studies.spec import TableSpec
from hvae_core.studies.table import Column, Figure, Row, Table

KEYS = ("model", "set", "score", "layer", "k", "sampler", "radius")
OTHER = "row"
"""Names a method of the paper that the study does not have."""
RELATIVE = 0.25
"""Share of a printed figure by which another is remarked on, unless a table says otherwise."""
ABSOLUTE = {"detection": 0.05, "grid": 0.05}
"""The same in units of the table, for shares between 0 and 1."""
_NUMBER = re.compile(r"[-+]?\d[\d,]*\.?\d*(?:e[-+]?\d+)?")


def beside(table: Table, spec: TableSpec) -> Table:
    """The table with the printed figures of ``spec`` in its rows, and a remark on each far one.

    Raises ``ConfigError`` for an entry that fits no row or several, or names no column.
    """
    rows = list(table.rows)
    others: list[Row] = []
    columns = {column.key: column for column in table.columns}
    for entry in spec.printed:
        values = {k: str(v) for k, v in entry.items() if k not in (*KEYS, OTHER, "comment")}
        comment = str(entry.get("comment", ""))
        _check_columns(spec, columns, values, known=any(row.figures for row in rows))
        if OTHER in entry:
            others.append(_other(table, entry, values, comment=comment))
            continue
        at = _row_of(rows, entry, spec)
        rows[at] = replace(rows[at], printed={**rows[at].printed, **values}, comment=comment)
    found = replace(table, rows=(*rows, *others))
    return replace(found, remarks=tuple(_remarks(found, spec)))


def _check_columns(
    spec: TableSpec, columns: Mapping[str, Column], values: Mapping[str, str], *, known: bool
) -> None:
    for key, value in values.items():
        if key not in columns and known:
            raise ConfigError(
                f"Table {spec.key} prints a figure of {key}, which is no column of it; it has "
                f"{', '.join(columns)}."
            )
        if number(value) is None and value not in ("-", "–"):
            raise ConfigError(f"Table {spec.key} prints {value!r} of {key}, which is no number.")


def _other(
    table: Table, entry: Mapping[str, object], values: Mapping[str, str], *, comment: str
) -> Row:
    """A row of a method that only the paper has: its name where the model's or score's is."""
    given = {key: str(entry[key]) for key in KEYS if key in entry}
    titles = {row.keys.get(key): row.labels.get(key, "") for key in given for row in table.rows}
    labels = {key: titles.get(value) or value for key, value in given.items()}
    first = next(iter(table.heads))
    name = str(entry[OTHER])
    return Row({first: name} | given, {first: name} | labels, printed=values, comment=comment)


def _row_of(rows: list[Row], entry: Mapping[str, object], spec: TableSpec) -> int:
    keys = {key: str(entry[key]) for key in KEYS if key in entry}
    fits = [i for i, r in enumerate(rows) if all(r.keys.get(k) == v for k, v in keys.items())]
    if len(fits) != 1:
        named = ", ".join(f"{key} = {value}" for key, value in keys.items()) or "no key"
        how = "fits no row" if not fits else f"fits {len(fits)} rows"
        raise ConfigError(f"In table {spec.key} the printed entry with {named} {how}.")
    return fits[0]


def number(text: str) -> float | None:
    """The number that a printed figure begins with ("97.0±0.5", "1.59e3"), or None."""
    found = _NUMBER.match(text.strip())
    return float(found[0].replace(",", "")) if found else None


def _remarks(table: Table, spec: TableSpec) -> list[str]:
    remarks = []
    for row in table.rows:
        for column in table.columns:
            figure, text = row.figures.get(column.key), row.printed.get(column.key)
            if figure is None or text is None or figure.mean != figure.mean:
                continue
            there = number(text)
            if there is not None and _far(figure, there, column, spec=spec):
                remarks.append(_sentence(table, row, column, figure=figure, text=text, there=there))
    return remarks


def _far(figure: Figure, there: float, column: Column, *, spec: TableSpec) -> bool:
    gap = abs(figure.mean * column.factor - there)
    if spec.threshold is not None:
        return gap > spec.threshold
    if spec.relative is None and spec.kind in ABSOLUTE:
        return gap > ABSOLUTE[spec.kind] * column.factor
    return gap > (spec.relative or RELATIVE) * abs(there)


def _sentence(
    table: Table, row: Row, column: Column, figure: Figure, text: str, there: float
) -> str:
    """What is here, what is printed, how far apart; then the entry's comment."""
    what = ", ".join(row.labels[key] for key in table.shown_heads if row.labels.get(key))
    here = figure.mean * column.factor
    way = "above" if here > there else "below"
    gap = Column(column.key, "", column.digits).number(abs(here - there))
    said = f"{what}: {column.title} is {column.number(figure.mean)} here and {text} in print, "
    comment = f" {row.comment}" if row.comment else ""
    return f"{said}{gap} {way} it.{comment}"
