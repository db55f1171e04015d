"""Paths that are no files: pipes, devices, folders, links, names that no system has."""

from __future__ import annotations

import os
from pathlib import Path
from random import Random

from hvae_core.common.errors import HVAEError


def odd(draw: Random, folder: Path, suffix: str) -> Path | str:
    """A path that ends as a good one would, with something else behind it."""
    path = folder / f"odd{suffix}"
    match draw.randrange(11):
        case 0:
            os.mkfifo(path)
        case 1:
            path.symlink_to("/dev/zero")
        case 2:
            path.symlink_to(path)
        case 3:
            path.symlink_to(folder / "gone")
        case 4:
            path.mkdir()
        case 5:
            path.mkdir()
            os.mkfifo(path / "inside.parquet")
            os.mkfifo(path / "inside.png")
        case 6:
            return f"~nosuch/images{suffix}"
        case 7:
            return "n" * 300 + suffix
        case 8:
            return str(folder / ("n" * 5000 + suffix))
        case 9:
            return str(folder / f"zero\0{suffix}")
        case _:
            return f"a{draw.choice((chr(0xD800), chr(7), chr(0x202E), '：'))}b{suffix}"
    return path


def check_sentence(error: HVAEError) -> None:
    """Raise where an error is not one short sentence, or two, that can be shown anywhere."""
    text = str(error)
    assert 10 < len(text) <= 1000, f"a message of {len(text)} characters: {text[:200]!r}"
    assert text.isprintable(), f"a message that cannot be printed: {text!r}"
    assert text.rstrip().endswith((".", ")", "`")), f"a message without an end: {text!r}"
