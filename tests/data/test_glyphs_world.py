"""The shipped world Glyphs: counts, classes, no family and no picture in two splits."""

from __future__ import annotations

import io
import json
from functools import lru_cache
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from PIL import Image

WORLD = Path(__file__).parents[2] / "assets" / "worlds" / "glyphs"
COUNTS = {
    "train": 12_540,
    "validation": 780,
    "test": 1_250,
    "lower": 1_000,
    "digits": 1_000,
    "signs": 1_000,
    "greek": 1_000,
    "cyrillic": 1_000,
    "script": 1_000,
}
SPLITS = ("train", "validation", "test")


@lru_cache
def table(name: str) -> pa.Table:
    return pq.read_table(WORLD / f"{name}.parquet")


@lru_cache
def pixels(name: str) -> np.ndarray:
    encoded = table(name)["image"].combine_chunks().field("bytes").to_pylist()
    return np.stack([np.asarray(Image.open(io.BytesIO(data))) for data in encoded])


def fonts_table() -> list[list[str]]:
    """Rows of FONTS.md: design, family, faces, package, version, licence, split."""
    lines = (WORLD / "FONTS.md").read_text(encoding="utf-8").splitlines()
    rows = [[cell.strip() for cell in line.strip("|").split("|")] for line in lines if "|" in line]
    return rows[2:]


@pytest.mark.parametrize("name", COUNTS)
def test_count_shape_and_labels(name: str) -> None:
    stored = table(name)
    info = json.loads(stored.schema.metadata[b"huggingface"])["info"]["features"]
    names, labels = info["label"]["names"], stored["label"].to_numpy()
    assert info["label"]["_type"] == "ClassLabel"
    assert stored.num_rows == COUNTS[name]
    assert set(labels) == set(range(len(names))), "every class has an image, and no other label"
    if name in SPLITS:
        assert names == list("ABCDEFGHIJ")
        assert len(set(np.bincount(labels))) == 1, "the classes of a split are balanced"
    if name != "script":
        assert [names[k] for k in labels] == stored["character"].to_pylist()


@pytest.mark.parametrize("name", COUNTS)
def test_pictures_are_centred_ink_on_black(name: str) -> None:
    images = pixels(name)
    assert images.shape[1:] == (28, 28)
    assert images.dtype == np.uint8
    assert not images[:, [0, -1]].any(), "no glyph is cut off above or below"
    assert not images[:, :, [0, -1]].any(), "no glyph is cut off at a side"
    assert images.reshape(len(images), -1).max(1).min() >= 150, "no glyph is faint"
    assert images.reshape(len(images), -1).sum(1).min() / 255 >= 9, "no picture is near-empty"


def test_no_picture_occurs_twice_in_the_world() -> None:
    everything = [image.tobytes() for name in COUNTS for image in pixels(name)]
    assert len(set(everything)) == len(everything)


def test_no_design_or_family_crosses_splits() -> None:
    of_design: dict[str, set[str]] = {}
    of_family: dict[str, set[str]] = {}
    for design, family, *_, split in fonts_table():
        if split in SPLITS:
            of_design.setdefault(design, set()).add(split)
            of_family.setdefault(family, set()).add(split)
    assert len(of_design) >= 150
    assert all(len(splits) == 1 for splits in of_design.values())
    assert all(len(splits) == 1 for splits in of_family.values())


def test_stored_fonts_are_those_of_the_table() -> None:
    rows = fonts_table()
    faces = {name: set(table(name)["font"].to_pylist()) for name in COUNTS}
    for split in SPLITS:
        listed = [(row[1], int(row[2])) for row in rows if row[-1] == split]
        assert sum(count for _, count in listed) == len(faces[split])
        families = tuple(f"{family} " for family, _ in listed)
        assert all(font.startswith(families) for font in faces[split])
    assert sum(len(faces[split]) for split in SPLITS) >= 400
    for name in COUNTS.keys() - {*SPLITS, "script"}:
        assert faces[name] <= faces["test"], "the style of a font is no sign of its set"
    assert not faces["script"] & (faces["train"] | faces["validation"])


def test_every_font_has_an_open_licence() -> None:
    opened = {"OFL-1.1", "OFL-1.0", "GPL with font exception", "Apache-2.0", "MIT", "BSD-3-Clause",
              "Bitstream Vera", "GUST Font License (LPPL)", "CC0-1.0", "Unlicense",
              "public domain"}  # fmt: skip
    assert {row[5] for row in fonts_table()} <= opened


def test_datasets_reads_the_class_names() -> None:
    datasets = pytest.importorskip("datasets")
    features = datasets.Features.from_arrow_schema(pq.read_schema(WORLD / "test.parquet"))
    assert features["label"].names == list("ABCDEFGHIJ")
    assert isinstance(features["image"], datasets.Image)
