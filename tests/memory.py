"""How much memory a process of the tests and benchmarks took."""

from __future__ import annotations

import resource
import sys
from pathlib import Path


def peak() -> int:
    """The most memory that this process ever had, in bytes.

    Linux: of this program alone. ``ru_maxrss`` counts the process that started the program too:
    from a large one it begins with that one's size.
    """
    if sys.platform == "darwin":
        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    lines = Path("/proc/self/status").read_text("utf-8").splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("VmHWM")) * 1024
