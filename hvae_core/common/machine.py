"""The hardware in words, for a model card."""

from __future__ import annotations

import os
import platform
import subprocess
from pathlib import Path


def hardware(device: str) -> str:
    """The graphics card where ``device`` is one, else the processor with cores and threads."""
    import torch

    if device.startswith("cuda"):
        return torch.cuda.get_device_name(device)
    threads = torch.get_num_threads()
    counts = f"{cores()} cores, {threads} thread{'s' if threads > 1 else ''}"
    return f"{processor()}, {counts}" + (", Metal" if device.startswith("mps") else "")


def cores() -> int:
    """Cores that this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def processor() -> str:
    """The processor's model name, or at least its architecture."""
    try:
        if platform.system() == "Darwin":
            command = ["/usr/sbin/sysctl", "-n", "machdep.cpu.brand_string"]
            answer = subprocess.run(command, capture_output=True, text=True, timeout=5, check=True)
            return answer.stdout.strip() or platform.machine()
        for line in Path("/proc/cpuinfo").read_text(errors="replace").splitlines():
            name, _, value = line.partition(":")
            if name.strip() == "model name" and value.strip():
                return " ".join(value.split())
    except (OSError, subprocess.SubprocessError):
        pass  # a card that names the architecture alone is better than no checkpoint
    return platform.processor() or platform.machine() or "unknown processor"


def interactive() -> None:
    """Let every thread of this process compute alone, as suits a server that answers people.

    A redraw sends a handful of images through the model: a second thread gains little there, and
    where the cores are busy, waiting for it costs seconds (0.05 s became 5 s beside a training).
    Worker processes are not concerned.
    """
    import torch

    torch.set_num_threads(1)
