"""Damaged files by the hundred: each is refused in a sentence or harmless, in bounded memory."""

from __future__ import annotations

import pickle
import subprocess
import sys
from pathlib import Path

import pytest

from hvae_core.common.errors import HVAEError
from tests.fuzz import checkpoints, images, runner
from tests.memory import peak


@pytest.mark.parametrize(("kind", "count"), [("checkpoints", 80), ("images", 80)])
def test_damaged_files_are_refused_or_harmless(kind: str, count: int) -> None:
    summary = runner.fuzz(kind, count)
    assert not summary.faults, f"{summary}\n" + "\n".join(summary.faults)
    assert sum(summary.ends.values()) == count
    assert summary.ends["refused"] > count / 2 > summary.ends["read"] > 0


def test_the_memory_of_a_child_is_its_own() -> None:
    """Linux's ``ru_maxrss`` begins with the size of the process that started the child."""
    ballast = b"x" * (300 * 2**20)
    code = "from tests.memory import peak; print(peak())"
    child = subprocess.run(
        [sys.executable, "-c", code], cwd=runner.ROOT, stdout=subprocess.PIPE, check=True
    )
    assert 2**20 < int(child.stdout) < 150 * 2**20 < len(ballast) < peak()


def test_faults_would_be_seen(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A traceback, a message that is no sentence, and code that ran are faults."""
    for error in (RecursionError(), HVAEError("x"), HVAEError("no end to this sentence, and")):
        monkeypatch.setattr(images, "attempt", lambda source, error=error: raised(error))
        assert runner.one("images", 0, seed=0, folder=tmp_path)[0] == "faulty"
    monkeypatch.setattr(images, "attempt", lambda source: raised(HVAEError("It is no picture.")))
    assert runner.one("images", 0, seed=0, folder=tmp_path) == ("refused", "")
    data = pickle.dumps(checkpoints._Bomb())
    monkeypatch.setattr(images, "attempt", lambda source: pickle.loads(data) or "read")
    assert runner.one("images", 0, seed=0, folder=tmp_path) == (
        "faulty",
        "code of the file was run",
    )


def raised(error: Exception) -> str:
    raise error
