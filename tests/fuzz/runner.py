"""Runs cases one after another in a child with limited memory, and sees that each ends in time."""

from __future__ import annotations

import json
import os
import resource
import select
import subprocess
import sys
import tempfile
import time
import traceback
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from random import Random
from typing import Any

from hvae_core.common.errors import HVAEError
from tests.fuzz import checkpoints, images, places, states
from tests.memory import peak

KINDS = {"checkpoints": checkpoints, "images": images, "states": states}
SECONDS = 60.0
"""A case that takes longer hangs."""
MOST = 900 * 2**20
"""Bytes of memory that a child may take."""
ROOT = Path(__file__).resolve().parents[2]


@dataclass
class Summary:
    """What became of the cases of one kind."""

    kind: str
    ends: Counter[str] = field(default_factory=Counter)
    faults: list[str] = field(default_factory=list)
    peak: int = 0
    """Bytes of memory of the largest child."""
    slowest: tuple[float, int] = (0.0, -1)

    def __str__(self) -> str:
        """One line."""
        ends = ", ".join(f"{count:,} {end}" for end, count in sorted(self.ends.items()))
        seconds, number = self.slowest
        return (
            f"{self.kind}: {ends}; {len(self.faults)} faults; peak {self.peak / 2**20:,.0f} MiB; "
            f"slowest {seconds:.1f} s (case {number})"
        )


def fuzz(kind: str, count: int, *, seed: int = 0, first: int = 0) -> Summary:
    """Run ``count`` cases of a kind, each drawn from the seed and its own number alone."""
    summary, number = Summary(kind), first
    with tempfile.TemporaryDirectory() as folder:
        while number < first + count:
            number = _child(summary, number, first + count, seed=seed, folder=folder)
    return summary


def _child(summary: Summary, start: int, stop: int, *, seed: int, folder: str) -> int:
    """One child, until its cases are done or one of them kills it; the next case's number."""
    words = [sys.executable, "-m", "tests.fuzz.runner", summary.kind, str(start), str(stop)]
    home = {"HOME": folder, "PYTHONPATH": str(ROOT), "STRATA_CACHE": f"{folder}/cache", "OMP_NUM_THREADS": "1",
            "ARROW_DEFAULT_MEMORY_POOL": "system"}  # fmt: skip
    errors = Path(folder) / "errors.txt"
    with errors.open("wb") as file, subprocess.Popen(
        [*words, str(seed), folder], stdout=subprocess.PIPE, stderr=file, cwd=folder,
        env={**os.environ, **home},
    ) as child:  # fmt: skip
        number = start
        for told in _lines(child):
            if told is None:
                child.kill()
                summary.faults.append(f"case {number}: still running after {SECONDS:g} s")
                return number + 1
            summary.ends[told["end"]] += 1
            summary.peak = max(summary.peak, told["peak"])
            summary.slowest = max(summary.slowest, (told["seconds"], number))
            if told["fault"]:
                summary.faults.append(f"case {number}: {told['fault']}")
            number += 1
        code = child.wait()
    if summary.peak > 2**30:
        summary.faults.append(f"case {number} or before: {summary.peak / 2**20:,.0f} MiB of memory")
    if number < stop:
        last = errors.read_text(errors="replace")[-1500:]
        summary.faults.append(f"case {number}: the process ended with {code}\n{last}")
        return number + 1
    return number


def _lines(child: subprocess.Popen[bytes]) -> Iterator[dict[str, Any] | None]:
    """What the child tells of each case; None where it falls silent."""
    assert child.stdout is not None
    waits = 3 * SECONDS  # the first case has the imports before it
    while select.select([child.stdout], [], [], waits)[0]:
        line = child.stdout.readline()
        if not line:
            return
        yield json.loads(line)
        waits = SECONDS
    yield None


def one(kind: str, number: int, *, seed: int, folder: Path) -> tuple[str, str]:
    """How a case ended: read, or refused with its sentence; or the fault's own traceback."""
    end, fault = _one(kind, number, seed=seed, folder=folder)
    if os.environ.pop(checkpoints.CANARY, None):
        return "faulty", "code of the file was run"
    return end, fault


def _one(kind: str, number: int, *, seed: int, folder: Path) -> tuple[str, str]:
    draw = Random(f"{seed}-{kind}-{number}")
    source: object = "not made yet"
    try:
        source = KINDS[kind].make(draw, folder)
        return KINDS[kind].attempt(source), ""
    except HVAEError as error:
        try:
            places.check_sentence(error)
        except AssertionError as bad:
            return "faulty", f"{str(source)[-80:]!r}: {bad}"
        return "refused", ""
    except BaseException:
        return "faulty", f"{str(source)[-80:]!r}\n{traceback.format_exc()[-2500:]}"


def _serve(kind: str, start: int, stop: int, *, seed: int, folder: Path) -> None:
    out = os.dup(1)
    os.dup2(2, 1)  # what a library prints is not the protocol
    KINDS[kind].ready()  # what is made once, and what that needs, is there before the limit
    _limit()
    for number in range(start, stop):
        begun = time.perf_counter()
        with tempfile.TemporaryDirectory(dir=folder, ignore_cleanup_errors=True) as place:
            end, fault = one(kind, number, seed=seed, folder=Path(place))
        told = {"end": end, "fault": fault, "seconds": time.perf_counter() - begun, "peak": peak()}
        os.write(out, json.dumps(told).encode() + b"\n")


def _limit() -> None:
    """Let this process take no more memory than ``MOST``; beyond, it is out of memory."""
    if sys.platform != "linux":
        return
    status = Path("/proc/self/status").read_text()
    data, resident = (
        int(status.split(f"{name}:")[1].split()[0]) * 1024 for name in ("VmData", "VmRSS")
    )
    most = data + MOST - resident
    resource.setrlimit(resource.RLIMIT_DATA, (most, most))


if __name__ == "__main__":
    _kind, _start, _stop, _seed, _folder = sys.argv[1:]
    _serve(_kind, int(_start), int(_stop), seed=int(_seed), folder=Path(_folder))
