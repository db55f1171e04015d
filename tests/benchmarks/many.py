"""A million images scored part by part: peak memory beside that of 3,000, and images a second.

    python -m tests.benchmarks.many FOLDER [IMAGES]

FOLDER gets the images (a Parquet file, made once), a small network and the results. The source of
3,000 images and the large one are scored by processes of their own, whose peaks are read at their
ends. The large run is killed once (SIGKILL) and goes on; then a few of its parts are computed again
in an empty folder, and must be the same files to the byte. A third call goes on where the second
was stopped.

Each image is a recipe of its number: 5x5 uniform grey levels, blown up to 15x15 with a black edge
of one pixel below and right, and noise of 16 levels: grey blots of 16x16, all different.
"""

from __future__ import annotations

import json
import multiprocessing
import os
import signal
import struct
import sys
import tempfile
import time
import zlib
from collections.abc import Iterator
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

import numpy as np

from tests.memory import peak

FEW = 3_000
MANY = 1_000_000
GROUP = 1000
AGAIN = 3
"""Parts that are computed a second time."""
KILLED_AFTER = 4
"""Parts that are there when the run is killed."""


def blots(first: int, count: int) -> np.ndarray:
    """The images from a number on, (count, 16, 16) uint8."""
    draw = np.random.default_rng(first)
    coarse = draw.integers(0, 240, (count, 5, 5), dtype=np.uint8)
    images = np.zeros((count, 16, 16), np.uint8)
    images[:, :15, :15] = coarse.repeat(3, axis=1).repeat(3, axis=2)
    return images + draw.integers(0, 16, images.shape, dtype=np.uint8)


def png(image: np.ndarray) -> bytes:
    """A grey picture as PNG: a tenth of the time of a library that is made for all pictures."""
    height, width = image.shape
    lines = np.zeros((height, width + 1), np.uint8)
    lines[:, 1:] = image
    head = struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0)
    chunks = ((b"IHDR", head), (b"IDAT", zlib.compress(lines.tobytes(), 1)), (b"IEND", b""))
    return b"\x89PNG\r\n\x1a\n" + b"".join(
        struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))
        for kind, data in chunks
    )


def make(path: Path, count: int) -> None:
    """Write the images, in groups of a thousand."""
    from hvae_core.data.readers.parquet import write_parquet

    def batches() -> Iterator[tuple[list[bytes], list[int]]]:
        for first in range(0, count, GROUP):
            images = blots(first, min(GROUP, count - first))
            yield [png(image) for image in images], [first // GROUP % 2] * len(images)

    if not path.exists():
        write_parquet(path, batches(), ("even", "odd"))


def network(path: Path) -> None:
    """A network of two layers and a few weights."""
    from hvae_core.checkpoint import save_checkpoint
    from hvae_core.config import LatentConfig, ModelCard
    from tests.small import tiny_config, tiny_model

    latents = (LatentConfig(1, "conv", stride=2), LatentConfig(2, "dense", stride=2))
    config = tiny_config(image_shape=(1, 16, 16), latents=latents, channels=2)
    if not path.exists():
        save_checkpoint(path, tiny_model(config), card=ModelCard("small"), history={})


def score(source: str, model: str, out: str, parts: list[int], sink: Connection) -> None:
    """Score a source, or some parts of it, and send what it took: in a process of its own."""
    from hvae_core.data.stream import Source
    from hvae_core.detection.judging import judging
    from hvae_core.detection.many import run as many
    from hvae_core.detection.many.task import Task
    from hvae_core.evaluation.evaluation import EvalSettings

    known = judging(model)
    task = Task(
        source=Source(source, known.image_shape),
        model=model,
        digest=known.digest,
        settings=EvalSettings(1, 1),
        scores=("elbo", "llr_1"),
        own=(),
        part_images=many.part_size(known.model.dims),
        out=out,
    )
    task, job, _ = many.begin(task, name="small", levels=known.model.n_levels)
    begun, used = time.monotonic(), time.process_time()
    found = [many.run(task, job, only=part) for part in parts] or [many.run(task, job)]
    sink.send(
        {
            "images": job.images,
            "computed": sum(one.computed for one in found),
            "seconds": time.monotonic() - begun,
            "processor_seconds": time.process_time() - used,
            "peak_mib": peak() / 2**20,
        }
    )


def child(source: Path, model: Path, out: Path, *, parts: tuple[int, ...] = ()) -> Any:
    """A process that scores, and where it sends what it took."""
    context = multiprocessing.get_context("spawn")
    here, there = context.Pipe(duplex=False)
    words = (str(source), str(model), str(out), list(parts), there)
    process = context.Process(target=score, args=words)
    process.start()
    there.close()
    return process, here


def measured(source: Path, model: Path, out: Path, parts: tuple[int, ...] = ()) -> dict[str, Any]:
    """What a run took that comes to its end."""
    process, sink = child(source, model, out, parts=parts)
    told: dict[str, Any] = sink.recv()
    process.join()
    print(json.dumps({"source": source.name, **told}), flush=True)
    return told


def killed(source: Path, model: Path, out: Path) -> int:
    """Begin a run and kill it when some parts are there; how many there are then."""
    process, _ = child(source, model, out)
    folder = out / "parts"
    while process.is_alive() and len(list(folder.glob("part-*"))) < KILLED_AFTER:
        time.sleep(0.02)
    if process.is_alive():
        os.kill(process.pid, signal.SIGKILL)
    process.join()
    there = len(list(folder.glob("part-*")))
    print(f"killed with {there} parts there", flush=True)
    return there


def main() -> None:
    """Measure, compare, print, and keep the figures beside the results."""
    place = Path(sys.argv[1])
    count = int(sys.argv[2]) if len(sys.argv) > 2 else MANY
    place.mkdir(parents=True, exist_ok=True)
    few, many, model = (
        place / "few.parquet",
        place / f"{count}.parquet",
        place / "small.safetensors",
    )
    begun = time.process_time()
    network(model)
    make(few, FEW)
    make(many, count)
    print(f"images made in {time.process_time() - begun:.0f} s of a processor", flush=True)
    out = place / f"scored-{count}"
    figures: dict[str, Any] = {}
    with tempfile.TemporaryDirectory(dir=place) as empty:
        figures["few"] = measured(few, model, Path(empty))
    if not (out / "parts").exists():
        figures["killed_with_parts"] = killed(many, model, out)
    figures["many"] = measured(many, model, out)
    names = sorted(path.name for path in (out / "parts").glob("part-*"))
    some = tuple(np.linspace(0, len(names) - 1, AGAIN, dtype=int).tolist())
    with tempfile.TemporaryDirectory(dir=place) as empty:
        measured(many, model, Path(empty), parts=some)
        for number in some:
            one, other = (folder / "parts" / names[number] for folder in (out, Path(empty)))
            assert one.read_bytes() == other.read_bytes(), f"part {number} differs"
    figures["same_parts"] = len(some)
    figures["parts"] = len(names)
    figures["more_mib"] = figures["many"]["peak_mib"] - figures["few"]["peak_mib"]
    (place / "figures.json").write_text(json.dumps(figures, indent=1))
    print(json.dumps(figures, indent=1))


if __name__ == "__main__":
    main()
