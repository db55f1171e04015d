"""What the workers of ``test_jobs`` run; importable there as it is here."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

from hvae_core.common.errors import ImageFileError
from hvae_core.common.progress import Progress


def add(a: int, b: int, *, progress: Progress) -> int:
    progress(1.0, "added")
    return a + b


def pid(*, progress: Progress) -> int:
    return os.getpid()


def main_file(*, progress: Progress) -> str | None:
    return getattr(sys.modules["__main__"], "__file__", None)


def slow(steps: int, seconds: float, *, progress: Progress) -> str:
    for step in range(steps):
        progress(step / steps, f"step {step}")
        time.sleep(seconds)
    return "ready"


def deaf(folder: str, *, progress: Progress) -> None:
    """Report once, then neither report nor listen; leave word of a child of its own."""
    child = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(60)"])
    Path(folder, "child").write_text(str(child.pid))
    progress(0.5, "deaf")
    time.sleep(60)


def refuse(*, progress: Progress) -> None:
    raise ImageFileError("This is no image; choose another.")


def break_down(*, progress: Progress) -> None:
    raise RuntimeError("a secret detail")


def take(size: int, *, progress: Progress) -> int:
    return len(bytearray(size))


def leave(*, progress: Progress) -> None:
    sys.exit(0)


def die(*, progress: Progress) -> None:
    os.kill(os.getpid(), signal.SIGKILL)


def unpicklable(*, progress: Progress) -> object:
    return lambda: None
