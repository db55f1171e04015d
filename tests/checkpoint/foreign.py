"""Where the other projects' reference files lie, and how their checkpoints are brought in tests."""

from __future__ import annotations

import io
import zipfile
from pathlib import Path

import numpy as np
import pytest
import torch

from tests.conftest import ROOT

REFERENCE = ROOT.parent / "shared" / "reference"


def reference(project: str, name: str) -> Path:
    """The folder of a reference checkpoint with its expected numbers; skips where it is absent."""
    folder = REFERENCE / project / name
    if not folder.is_dir():
        pytest.skip("the reference checkpoints beside the repository are absent")
    return folder


def saved(value: object, *, old: bool = False) -> bytes:
    """What torch.save writes, in its zip or in the older container."""
    file = io.BytesIO()
    torch.save(value, file, _use_new_zipfile_serialization=not old)
    return file.getvalue()


def zipped(files: dict[str, bytes], compression: int = zipfile.ZIP_DEFLATED) -> bytes:
    """A zip of files by name."""
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", compression) as archive:
        for name, data in files.items():
            archive.writestr(name, data)
    return file.getvalue()


def relative(found: object, expected: object) -> float:
    """The largest difference by the expected value."""
    a, b = np.asarray(found, np.float64), np.asarray(expected, np.float64)
    assert a.shape == b.shape
    return float((np.abs(a - b) / np.abs(b).clip(1e-300)).max())
