"""What was done to images, and what looks wrong in them, is told by every command."""

from __future__ import annotations

import csv
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from hvae_core.cli.main import main


def test_notes_steps_and_files(
    trained: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    draw = np.random.default_rng(4)
    dark = np.zeros((12, 8, 8), np.uint8)
    for image in dark:
        image[2:6, draw.integers(2, 6)] = draw.integers(150, 256)
    np.savez(tmp_path / "in.npz", images=dark, labels=np.arange(12) % 3)
    photos = tmp_path / "photos"
    photos.mkdir()
    for number, image in enumerate(dark):
        Image.fromarray(255 - image).save(photos / f"=sum {number:02}.png")
    table = tmp_path / "images.csv"
    asked = ["evaluate", str(trained), "--world", "glyphs", "--in", str(tmp_path / "in.npz"),
             "--out", str(photos), "--images-csv", str(table)]  # fmt: skip
    assert main(asked) == 0
    said = capsys.readouterr().err
    assert "Looks inverted" in said
    assert "--prepare invert" in said
    assert main([*asked, "--prepare", "invert"]) == 0
    said = capsys.readouterr().err
    # Both sides were inverted, so now each looks wrong where it did not.
    assert "inverted" in said
    with table.open() as file:
        rows = list(csv.DictReader(file))
    assert next(row["file"] for row in rows if row["out"] == "True").lstrip("'") == "=sum 00.png"
    assert not rows[-1]["file"].startswith("=")
    assert {row["class"] for row in rows if row["out"] == "False"} == {"0", "1", "2"}


def test_pictures_on_both_sides_are_counted(
    trained: Path, stripes: dict[str, Path], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    held = np.load(stripes["upright"])["images"]
    other = np.load(stripes["other"])["images"]
    np.savez(tmp_path / "mixed.npz", images=np.concatenate([held[:7], other[:5]]))
    out = str(tmp_path / "mixed.npz")
    assert main(["evaluate", str(trained), "--in", str(stripes["other"]), "--out", out]) == 0
    assert "of 12 images are also in other.npz" in capsys.readouterr().err
    assert main(["information", str(trained), "--set", out, "--prepare", "turn"]) == 2
    assert "turn is no step of preparation" in capsys.readouterr().err


def test_correlate_tells_notes_too(
    trained: Path, stripes: dict[str, Path], capsys: pytest.CaptureFixture[str]
) -> None:
    argv = ["correlate", str(trained), str(trained), "--sets", str(stripes["large"])]
    assert main([*argv, "--limit", "12"]) == 0
    assert "resized from 16x16 grey to 8x8 grey" in capsys.readouterr().err
