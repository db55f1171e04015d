"""What shows itself in a notebook: tables and rows of pictures as HTML, all of it in one piece."""

from __future__ import annotations

import base64
import io
from collections.abc import Sequence
from html import escape

import numpy as np

_SIDE = 56
"""Pixels that a small picture is shown wide, at least."""


def table(rows: Sequence[Sequence[str]], note: str = "") -> str:
    """A table whose first row and first column are heads; all cells are text."""
    head, *body = [[escape(cell) for cell in row] for row in rows]
    lines = ["<tr>" + "".join(f"<th>{cell}</th>" for cell in head) + "</tr>"]
    for first, *rest in body:
        cells = "".join(f"<td>{cell}</td>" for cell in rest)
        lines.append(f"<tr><th>{first}</th>{cells}</tr>")
    return f"<table>{''.join(lines)}</table><p>{escape(note)}</p>"


def pictures(heads: Sequence[str], rows: Sequence[Sequence[np.ndarray]], note: str = "") -> str:
    """Pictures (C, H, W) in [0, 1] under the heads of their columns, a row each."""
    head = "".join(f"<th>{escape(cell)}</th>" for cell in heads)
    lines = [
        "<tr>" + "".join(f"<td>{_picture(each)}</td>" for each in row) + "</tr>" for row in rows
    ]
    return f"<table><tr>{head}</tr>{''.join(lines)}</table><p>{escape(note)}</p>"


def _picture(values: np.ndarray) -> str:
    from PIL import Image

    grey = np.round(np.clip(np.nan_to_num(values), 0, 1) * 255).astype(np.uint8)
    shown = grey[0] if len(grey) == 1 else grey.transpose(1, 2, 0)
    file = io.BytesIO()
    Image.fromarray(np.ascontiguousarray(shown)).save(file, "PNG")
    data = base64.b64encode(file.getvalue()).decode()
    width = max(_SIDE, values.shape[2])
    style = f"width:{width}px;image-rendering:pixelated"
    return f'<img style="{style}" src="data:image/png;base64,{data}">'
