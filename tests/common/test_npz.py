"""Reading while other threads read: an error of the interpreter is none of the file."""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from hvae_core.common.npz import TRIES, read_npz


def failing(monkeypatch: pytest.MonkeyPatch, times: int) -> list[int]:
    """Let the first reads of a file's arrays fail as the interpreter does; counts all reads."""
    real, calls = np.load, []

    def load(source: Any, **kwargs: Any) -> Any:
        calls.append(1)
        file = real(source, **kwargs)
        if len(calls) <= times:
            raise SystemError("AST constructor recursion depth mismatch (before=45, after=50)")
        return file

    monkeypatch.setattr(np, "load", load)
    return calls


@pytest.mark.parametrize("opened", [True, False])
def test_a_sound_file_is_read_again(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, opened: bool
) -> None:
    path = tmp_path / "a.npz"
    np.savez(path, x=np.arange(3), y=np.eye(2))
    calls = failing(monkeypatch, 2)
    found = read_npz(io.BytesIO(path.read_bytes()) if opened else path)
    assert len(calls) == 3
    np.testing.assert_array_equal(found["x"], np.arange(3))
    assert set(found) == {"x", "y"}


def test_an_error_that_stays_is_raised(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    np.savez(tmp_path / "a.npz", x=np.arange(3))
    calls = failing(monkeypatch, TRIES)
    with pytest.raises(SystemError):
        read_npz(tmp_path / "a.npz")
    assert len(calls) == TRIES


def test_what_would_have_to_be_unpickled_is_refused(tmp_path: Path) -> None:
    np.savez(tmp_path / "a.npz", x=np.array([{}], dtype=object))
    with pytest.raises(ValueError, match="pickle"):
        read_npz(tmp_path / "a.npz")
