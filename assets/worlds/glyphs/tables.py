"""What is written beside the pictures: the table of fonts, and one picture as PNG bytes."""

from __future__ import annotations

import io
from collections import Counter
from pathlib import Path

import numpy as np
from faces import Face
from families import Family
from PIL import Image

_HEAD = """# Fonts of the world Glyphs

Written by `make.py`. A row is one font family in one package; families of the same design
(clones under another name) are one *design*, and a design is in one split only. The sets lower,
digits, signs, greek and cyrillic are drawn from the faces of the test split, script from these and
from their relatives in the rows marked *script*. Every licence below is stated in the package's
own copyright file in Debian 12. The pictures are renderings of single letters; no font file is in
this repository.

| design | family | faces | package | version | licence | split |
| --- | --- | ---: | --- | --- | --- | --- |
"""


def png(pixels: np.ndarray) -> bytes:
    """The picture as the smallest PNG that Pillow writes."""
    buffer = io.BytesIO()
    Image.fromarray(pixels).save(buffer, "PNG", optimize=True)
    return buffer.getvalue()


def fonts_table(path: Path, found: list[Family], scripts: list[Face], used: set[str]) -> None:
    """FONTS.md: every family with its package, licence and split."""
    rows: Counter[tuple[str, tuple[str, ...]]] = Counter()
    letters = {c.face.name for family in found for c in family.cuts}
    for family in found:
        for member in family.cuts:
            rows[(family.name, _origin(member.face, family.split))] += 1
    for face in scripts:
        if face.name in used and face.name not in letters:
            rows[("-", _origin(face, "script"))] += 1
    lines = [
        f"| {design} | {origin[0]} | {count} | {' | '.join(origin[1:])} |"
        for (design, origin), count in sorted(rows.items(), key=lambda r: (r[0][1][-1] == "script",
                                                                             r[0][0].lower(),
                                                                             r[0][1]))
    ]  # fmt: skip
    path.write_text(_HEAD + "\n".join(lines) + "\n", encoding="utf-8")


def _origin(face: Face, split: str) -> tuple[str, ...]:
    return (face.family, face.package, face.version, face.licence, split)
