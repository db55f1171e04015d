"""CSV files that a spreadsheet opens as what they are: no cell is taken for a formula."""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import pandas as pd

_FORMULA = ("=", "+", "-", "@", "＝", "＋", "－", "＠")
_NUMBER = re.compile(r"[+-]?((\d+(\.\d*)?|\.\d+)(e[+-]?\d+)?|inf|nan)", re.IGNORECASE)


def cell(value: object) -> object:
    """A value as a cell: a text that a spreadsheet could run gets an apostrophe before it.

    Numbers, and texts that are numbers, may begin with their sign.
    """
    if not isinstance(value, str) or _NUMBER.fullmatch(value):
        return value
    begins = value.lstrip()
    risky = begins.startswith(_FORMULA) or value[:1] in ("\t", "\r", "\n")
    return f"'{value}" if risky else value


def csv_text(heads: Sequence[str], rows: Iterable[Sequence[object]]) -> str:
    """A table as the text of a CSV file."""
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow([cell(head) for head in heads])
    writer.writerows([cell(value) for value in row] for row in rows)
    return out.getvalue()


def csv_bytes(frame: pd.DataFrame) -> bytes:
    """A pandas table, without its index, as the bytes of a CSV file."""
    return frame.map(cell).rename(columns=cell).to_csv(index=False).encode()
