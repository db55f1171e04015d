"""``compress`` and ``attack``: the figures of the core, on pictures and sets of one's own."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from hvae_core.checkpoint import load_checkpoint
from hvae_core.cli.main import main
from hvae_core.data import load_source, open_image
from hvae_core.probes.attack_record import AttackSettings, stored_attacks
from hvae_core.probes.compression import stored_compression

Tell = Callable[..., dict[str, Any]]


@pytest.fixture
def picture(tmp_path: Path) -> Path:
    """A small picture in colour, of a size that is no multiple of the tiles."""
    path = tmp_path / "bars.png"
    ramp = np.add.outer(np.arange(20), np.arange(30)) * 5
    Image.fromarray(np.stack([ramp, 255 - ramp, ramp // 2], 2).astype(np.uint8)).save(path)
    return path


def test_a_picture_is_coded(
    trained: Path, picture: Path, tell: Tell, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    told = tell("compress", trained, "--image", picture)
    (one,) = told["compressions"]
    assert one["title"] == "bars.png" and one["size"] == [1, 20, 30]
    assert [row["from"] for row in one["levels"]] == ["z1", "z2", "z3"]
    found = stored_compression(load_checkpoint(trained).digest, open_image(picture))
    assert found is not None
    for row, ours, jpeg in zip(one["levels"], found.ratings, found.jpeg, strict=True):
        assert row["model"] == {
            "bpp": ours.bpp, "psnr": ours.psnr, "ms_ssim": ours.ms_ssim, "quality": 0
        }  # fmt: skip
        assert row["jpeg"]["quality"] == jpeg.quality
    argv = ["compress", str(trained), "--image", str(picture), "--save", str(tmp_path / "out")]
    assert main(argv) == 0
    assert "bars.png, 30x20" in capsys.readouterr().out
    saved = np.asarray(Image.open(tmp_path / "out" / "bars-k2.png"))
    np.testing.assert_array_equal(saved, found.pictures[2, 0])
    assert len(list((tmp_path / "out").iterdir())) == 7


def test_two_pictures_of_one_name_are_two(
    trained: Path, picture: Path, tell: Tell, tmp_path: Path
) -> None:
    other = tmp_path / "b" / picture.name
    other.parent.mkdir()
    Image.open(picture).rotate(90).save(other)
    told = tell("compress", trained, "--image", picture, other, "--save", tmp_path / "out")
    assert [one["title"] for one in told["compressions"]] == ["bars.png", str(other)]
    names = {path.name for path in (tmp_path / "out").iterdir()}
    assert {"bars.png", "bars-2.png", "bars-k1.png", "bars-2-k1.png"} <= names


def test_a_set_is_coded_in_the_mean(trained: Path, tell: Tell, stripes: dict[str, Path]) -> None:
    told = tell("compress", trained, "--set", stripes["other"], "--images", 3)
    (one,) = told["compressions"]
    digest = load_checkpoint(trained).digest
    images = load_source(stripes["other"]).sample(3).images
    each = [stored_compression(digest, image) for image in images]
    rates = [found.ratings[1].bpp for found in each if found]
    assert one["pictures"] == len(rates) == 3
    assert one["levels"][1]["model"]["bpp"] == pytest.approx(np.mean(rates))


def test_a_set_is_attacked(
    trained: Path, tell: Tell, stripes: dict[str, Path], capsys: pytest.CaptureFixture[str]
) -> None:
    argv = ("attack", trained, "--set", stripes["other"], "--images", 2,
            "--steps", 2, "--radius", 0.3)  # fmt: skip
    told = tell(*argv)
    assert [row["from"] for row in told["levels"]] == ["z3", "z2", "z1"]
    assert [row["attacked_levels"] for row in told["levels"]] == [1, 2, 3]
    settings = AttackSettings(0.3, 2)
    images = load_source(stripes["other"]).sample(2)
    found = stored_attacks(load_checkpoint(trained).digest, images, settings)
    assert found is not None
    for row in told["levels"]:
        assert row["own"] == pytest.approx(found.own[0, row["k"]].mean())
        assert row["moved_random"] == pytest.approx(found.moved[1, row["k"]].mean())
    assert main([str(word) for word in argv]) == 0
    assert "1: z3 up" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("argv", "words"),
    [
        (["compress", "--image", "nowhere.png"], "nowhere.png cannot be read"),
        (["compress", "--image", "china", "--set", "test"], "not both"),
        (["attack", "--radius", "2"], "radius of an attack"),
        (["attack", "--steps", "9999"], "1 to 1000 steps"),
    ],
)
def test_what_cannot_be_done_is_one_sentence(
    argv: list[str], words: str, trained: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main([argv[0], str(trained), *argv[1:]]) == 2
    said = capsys.readouterr().err
    assert words in said and said.count("\n") == 1
