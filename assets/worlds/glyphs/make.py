"""Make the world Glyphs: letters A-J and six out-of-distribution sets from Debian's fonts.

Run on Debian 12 with fontconfig, and with pillow, numpy and pyarrow of requirements.txt:

    sudo apt-get install --no-install-recommends $(python assets/worlds/glyphs/make.py --packages)
    python assets/worlds/glyphs/make.py

It takes two to five minutes on one core and 1.5 GB of disk for the packages, and writes
train, validation, test, lower, digits, signs, greek, cyrillic and script.parquet and FONTS.md
beside itself. The same packages give the same files, byte for byte.
"""

from __future__ import annotations

import argparse
import json
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import TypeVar

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from characters import sets
from faces import Face, all_faces
from families import (
    FAINT,
    LETTERS,
    NEAR_EMPTY,
    Family,
    cut,
    difference,
    families,
    split_families,
    stem,
)
from licences import PACKAGES
from render import Warp, face_scale, fitted, glyph, picture
from tables import fonts_table, png

T = TypeVar("T")

HERE = Path(__file__).parent
SEED = 2024
VARIANTS = {"train": 3, "validation": 1, "test": 1}
SET_SIZE = 1000
MOST_ROUNDS = 3
LOOKS_LIKE = 0.12  # relative difference below which a sign passes for a letter A-J of its face
SIGN_INK = 10.0  # least ink of a picture outside A-J, in full pixels


@dataclass(frozen=True)
class Glyph:
    """One picture with its class and where it came from."""

    pixels: np.ndarray
    label: int
    character: str
    font: str


class Maker:
    """Draws pictures, and drops any that equals one already drawn for an earlier set."""

    def __init__(self, seed: int) -> None:
        self.rng = np.random.default_rng(seed)
        self.seen: set[bytes] = set()
        self.dropped: Counter[str] = Counter()

    def add(self, items: list[Glyph], drawn: np.ndarray, face: Face, label: int, char: str,
            least_ink: float) -> None:  # fmt: skip
        """Append one warped picture of the outline, unless a check turns it down."""
        pixels = picture(drawn, face_scale(face), Warp.draw(self.rng))
        if pixels is None:
            self.dropped["at the border"] += 1
        elif pixels.sum() / 255 < least_ink or pixels.max() < FAINT:
            self.dropped["near-empty"] += 1
        elif pixels.tobytes() in self.seen:
            self.dropped["duplicate"] += 1
        else:
            self.seen.add(pixels.tobytes())
            items.append(Glyph(pixels, label, char, face.name))

    def letters(self, found: list[Family], split: str) -> list[Glyph]:
        """The capitals A-J of every face of a split, in several variants."""
        items: list[Glyph] = []
        for family in (f for f in found if f.split == split):
            for member in family.cuts:
                for label, (char, drawn) in enumerate(zip(LETTERS, member.outlines, strict=True)):
                    for _ in range(VARIANTS[split]):
                        self.add(items, drawn, member.face, label, char, NEAR_EMPTY / 2)
        return self.shuffled(items)

    def others(self, faces: list[Face], classes: dict[str, str]) -> list[Glyph]:
        """Pictures of the classes' characters, dealt round the faces up to SET_SIZE in all."""
        pairs = [(f, n, c) for f in faces for n, chars in enumerate(classes.values())
                 for c in chars if f.covers(c)]  # fmt: skip
        items: list[Glyph] = []
        # Where faces are few, each character is drawn again, with another warp.
        rounds = min(MOST_ROUNDS, -(-SET_SIZE // len(pairs)))
        dealt = [p for _ in range(rounds) for p in self.shuffled(pairs)]
        for face, label, char in balanced(dealt, len(classes)):
            if len(items) == SET_SIZE:
                break
            drawn = glyph(face, char)
            if drawn is None:
                self.dropped["empty or .notdef"] += 1
            elif passes_for_letter(face, drawn):
                self.dropped["passes for A-J"] += 1
            else:
                self.add(items, drawn, face, label, char, SIGN_INK)
        return self.shuffled(items)

    def shuffled(self, items: list[T]) -> list[T]:
        """A seeded permutation, so that the first rows of a file are a fair sample."""
        return [items[int(i)] for i in self.rng.permutation(len(items))]


def balanced(pairs: list[tuple[Face, int, str]], classes: int) -> Iterable[tuple[Face, int, str]]:
    """The pairs class by class in turn, so that a set cut short has all classes alike."""
    queues = [[p for p in reversed(pairs) if p[1] == n] for n in range(classes)]
    while any(queues):
        yield from [q.pop() for q in queues if q]


@lru_cache(maxsize=1024)
def letter_shapes(face: Face) -> np.ndarray:
    """The letters A-J of a face without their size, those it has.  # (letters, 400)"""
    drawn = [o for char in LETTERS if (o := glyph(face, char)) is not None]
    return np.array([fitted(o).ravel() for o in drawn]).reshape(-1, 400)


def passes_for_letter(face: Face, drawn: np.ndarray) -> bool:
    """Whether the shape is, but for its size, that of a letter A-J in the same face."""
    return bool((difference(fitted(drawn).ravel(), letter_shapes(face)) < LOOKS_LIKE).any())


def write(name: str, items: list[Glyph], class_names: list[str]) -> None:
    """One Parquet file in the Hugging Face image convention, plus `character` and `font`."""
    features = {
        "image": {"_type": "Image"},
        "label": {"names": class_names, "_type": "ClassLabel"},
        "character": {"dtype": "string", "_type": "Value"},
        "font": {"dtype": "string", "_type": "Value"},
    }
    kind = pa.struct([("bytes", pa.binary()), ("path", pa.string())])
    images = [{"bytes": png(i.pixels), "path": None} for i in items]
    table = pa.table(
        {
            "image": pa.array(images, kind),
            "label": pa.array([i.label for i in items], pa.int64()),
            "character": [i.character for i in items],
            "font": [i.font for i in items],
        }
    )
    metadata = {"huggingface": json.dumps({"info": {"features": features}}, ensure_ascii=False)}
    pq.write_table(table.replace_schema_metadata(metadata), HERE / f"{name}.parquet",
                   compression="zstd", compression_level=19)  # fmt: skip


def test_faces(found: list[Family], faces: list[Face]) -> tuple[list[Face], list[Face]]:
    """Faces for the signs (those of the test letters), and for the scripts (all their siblings)."""
    tested = [f for f in found if f.split == "test"]
    signs = [c.face for f in tested for c in f.cuts]
    stems = {stem(face.family) for face in signs}
    wanted = "".join(sets()["script"].values())
    siblings: dict[tuple[str, str], Face] = {}
    for face in faces:
        upright = face.slant == 0 and 60 <= face.weight <= 210 and "ondensed" not in face.style
        if stem(face.family) in stems and upright and any(face.covers(c) for c in wanted):
            siblings.setdefault((face.family, face.style), face)
    return signs, list(siblings.values())


def main() -> None:
    """Draw every set, check it, write it, and print what came out."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--packages", action="store_true", help="list the Debian packages, only")
    if parser.parse_args().packages:
        print(" ".join(sorted(PACKAGES)))
        return
    faces = all_faces()
    cuts = [c for face in faces if (c := cut(face)) is not None]
    found = split_families(families(cuts), SEED)
    maker, written = Maker(SEED), {}
    for split in VARIANTS:
        written[split] = maker.letters(found, split)
        write(split, written[split], list(LETTERS))
    signs, scripts = test_faces(found, faces)
    for name, classes in sets().items():
        written[name] = maker.others(scripts if name == "script" else signs, classes)
        write(name, written[name], list(classes))
    fonts_table(HERE / "FONTS.md", found, scripts, {i.font for i in written["script"]})
    for name, items in written.items():
        size = (HERE / f"{name}.parquet").stat().st_size
        print(f"{name:10} {len(items):6,} images, {len({i.font for i in items})} faces, {size:,} B")
    for split in VARIANTS:
        members = [f for f in found if f.split == split]
        print(f"{split}: {len(members)} families, {sum(len(f.cuts) for f in members)} faces")
    print("turned down:", dict(maker.dropped))


if __name__ == "__main__":
    main()
