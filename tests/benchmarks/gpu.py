"""Every aim on a graphics card in about five minutes, as JSON: training steps and scoring.

    python -m tests.benchmarks.gpu --out DIR [--preset NAME ...] [--only WHAT ...]

A step is timed on random pictures in bf16, as ``train`` takes it: replayed as a graph, without
that, and as a naive twin (noise on the device, the loss asked for at every step), which also runs
in float32 with TF32 as the papers' authors do. An older version of the package is timed with
``PYTHONPATH`` at its folder and ``--only plain score``. Scoring takes 512 images (64 where S is
large) for all k: as ``evaluate`` does it, plainly and replayed, in float32 and bf16, and by a pass
for L and one for L_>k for every k. ``half`` is what bf16 changes in the AUROC of a shipped model;
``check`` holds the numbers of the noise against the processor's.
"""

from __future__ import annotations

import argparse
import inspect
import json
import math
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, cast

import numpy as np
import torch
from lightning_fabric import Fabric
from torch import Tensor

from hvae_core.config.presets import get_preset
from hvae_core.data.image_set import ImageSet
from hvae_core.models import HierarchicalVAE, model_from_config
from hvae_core.training.loop import train

PRESETS = ("hvk-fashionmnist-hvae3", "inf-fashionmnist-hvae5")
STEPS, SKIPPED = 80, 20  # timed steps, and those before them
SCORED = 512
ROWS = 2000  # images x samples of 28 x 28 that go through a network at once


class Clock:
    """A ``progress`` that reads the clock, with the device idle, after SKIPPED and at the end."""

    def __init__(self, steps: int, skipped: int) -> None:
        self.steps, self.skipped, self.calls = steps, skipped, 0
        self.marks: list[float] = []

    def __call__(self, share: float, text: str) -> None:
        """Count a step."""
        self.calls += 1
        if self.calls in (self.skipped, self.steps):
            settle()
            self.marks.append(time.perf_counter())

    @property
    def milliseconds(self) -> float:
        """Of one step."""
        return 1000 * (self.marks[1] - self.marks[0]) / (self.steps - self.skipped)


def settle() -> None:
    """Wait for the card."""
    if torch.cuda.is_available():
        torch.cuda.synchronize()


def pictures(count: int, shape: Sequence[int]) -> ImageSet:
    """Random dark pictures."""
    grey = np.random.default_rng(0).random((count, *shape))
    return ImageSet("random", "Random", (255 * grey**3).astype(np.uint8), np.full(count, -1))


def steps(name: str, precision: Any, args: argparse.Namespace, **ways: Any) -> dict[str, Any]:
    """Milliseconds of one step of ``train``, the seconds before the first timed one, the losses."""
    preset, count = get_preset(name), args.steps + args.skipped
    size = args.batch or preset.train.batch_size
    config = replace(preset.train, epochs=1, batch_size=size, epoch_images=count * size, ema=0.999)
    config = replace(config, warmup_epochs=0, free_bits=0)
    images = pictures(count * size, preset.model.image_shape)
    clock = Clock(count, args.skipped)
    begun = time.perf_counter()
    fabric = Fabric(accelerator="auto", devices=1, precision=precision)
    run = train(
        preset.model, config, images, validation=images.take(8), progress=clock, fabric=fabric,
        **ways,
    )  # fmt: skip
    return {
        "ms": clock.milliseconds,
        "start_s": clock.marks[0] - begun,
        "loss": run.history["train_loss"][0],
        "gigabytes": torch.cuda.max_memory_allocated() / 1e9 if torch.cuda.is_available() else 0,
    }


# --- a naive twin --------------------------------------------------------------------------------


class DeviceNoise:
    """Numbers of the device's own generator."""

    def __init__(self, device: torch.device) -> None:
        self.device = device

    def normal(self, name: str, samples: int, batch: int, shape: Sequence[int]) -> Tensor:
        """(S, B, *shape)."""
        return torch.randn(samples, batch, *shape, device=self.device)

    def uniform(self, name: str, samples: int, batch: int, shape: Sequence[int]) -> Tensor:
        """(S, B, *shape)."""
        return torch.rand(samples, batch, *shape, device=self.device)


def naive(name: str, args: argparse.Namespace, half: bool) -> dict[str, Any]:
    """The same network and batch in a loop as one writes it first; the informative way k by k."""
    preset = get_preset(name)
    size, device = args.batch or preset.train.batch_size, Fabric(devices=1).device
    model = model_from_config(preset.model).to(device)
    images = torch.from_numpy(pictures(size, preset.model.image_shape).images.copy())
    model.init_from_data(images.to(device).float() / 255, 0)
    optimizer = torch.optim.Adam(model.parameters(), preset.train.learning_rate)
    average = [p.detach().clone() for p in model.parameters()]
    noise: Any = DeviceNoise(device)
    informative = preset.train.objective == "informative"
    marks = []
    for step in range(args.skipped + args.steps):
        if step == args.skipped:
            settle()
            marks.append(time.perf_counter())
        with torch.autocast(device.type, torch.bfloat16, enabled=half):
            x = model.prepare(images.to(device).float() / 255, noise)
            ks = range(model.n_levels if informative else 1)
            traces = [model.trace(x, k=k, noise=noise, up="sample") for k in ks]
            log_px = sum(trace.log_px.mean() for trace in traces) / len(traces)
            loss = traces[0].kl.mean((1, 2)).sum() - log_px
        optimizer.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 100.0)
        optimizer.step()
        loss.item()
        with torch.no_grad():
            for mine, weight in zip(average, model.parameters(), strict=True):
                mine.lerp_(weight, 0.001)
    settle()
    marks.append(time.perf_counter())
    return {"ms": 1000 * (marks[1] - marks[0]) / args.steps}


# --- scoring -------------------------------------------------------------------------------------


def scoring(name: str, samples: int, args: argparse.Namespace) -> Iterator[dict[str, Any]]:
    """512 images for all k: as ``evaluate`` does it, plainly and replayed, and by six passes."""
    model = model_from_config(get_preset(name).model).eval().requires_grad_(False)
    images = pictures(max(1, args.scored // (1 if samples < 10 else 8)), model.image_shape)
    model.init_from_data(torch.from_numpy(images.images[:128].copy()).float() / 255, 0)
    model = model.to(Fabric(devices=1).device)
    at_once(args.rows)
    most = max(1, args.rows * 784 // model.dims // samples)
    rows = math.ceil(len(images) / math.ceil(len(images) / most))
    size = {"S": samples, "images": len(images), "rows": rows}
    for way, call in evaluations(model, images, samples, rows):
        yield {"way": way, **size, "ms": timed(call, args.turns)}
    passes = six_passes(model, images, samples, rows)
    yield {"way": "six passes fp32", **size, "ms": timed(passes, max(1, args.turns // 3))}


def at_once(rows: int) -> None:
    """Let as many images x samples of 28 x 28 go through a network at once."""
    try:
        from hvae_core.evaluation import scorer
    except ImportError:  # before passes could be replayed
        return
    scorer.BATCH_PIXELS = rows * 784 // scorer._ACCELERATOR


def evaluations(
    model: HierarchicalVAE, images: ImageSet, samples: int, rows: int
) -> Iterator[tuple[str, Callable[[], object]]]:
    """The ways of ``evaluate`` by name; of an older version two."""
    from hvae_core.evaluation import compute
    from hvae_core.evaluation.evaluation import EvalSettings
    from hvae_core.models.frozen import frozen

    digests = images.image_digests()
    precisions: tuple[tuple[str, Any], ...] = (("fp32", "float32"), ("bf16", "bfloat16"))
    try:
        from hvae_core.common.ahead import one_later
        from hvae_core.evaluation.scorer import Scorer
        from hvae_core.models.layers.fused import compiled_for, fuse
    except ImportError:  # before passes could be replayed
        twin, old = frozen(model), cast(Any, compute)
        for label, precision in precisions:
            settings = EvalSettings(samples, samples, precision=precision)

            def before(settings: EvalSettings = settings) -> None:
                for start in range(0, len(images), rows):
                    part = slice(start, start + rows)
                    old.evaluate_batch(twin, images.images[part], digests[part], settings=settings)

            yield label, before
        return
    rows = min(len(images), rows)
    for label, precision in precisions:
        twin = frozen(model, half=precision == "bfloat16")
        fused = frozen(model, half=precision == "bfloat16")
        on_card = twin.device.type == "cuda"
        if on_card:
            fuse(fused, compiled_for(twin.device))
        for way in ("", " replayed", " fused") if on_card else ("",):
            settings = EvalSettings(samples, samples, precision=precision)
            network = fused if way == " fused" else twin
            scorer = Scorer(network, settings, rows=rows, replays=bool(way))

            def now(scorer: Scorer = scorer) -> None:
                starts = range(0, len(images), rows)
                parts = (slice(start, start + rows) for start in starts)
                for read in one_later(scorer.launch(images.images[p], digests[p]) for p in parts):
                    read()

            yield label + way, now


def half_precision(args: argparse.Namespace) -> dict[str, Any]:
    """How far bounds and AUROC of a shipped model move in bf16, digits against letters."""
    import hvae_core as hv
    from hvae_core.checkpoint import load_checkpoint, shipped_checkpoints
    from hvae_core.detection.half_precision import precision_error
    from hvae_core.evaluation.compute import evaluate
    from hvae_core.evaluation.evaluation import EvalSettings

    checkpoint = load_checkpoint(shipped_checkpoints()["glyphs-hvae3-elbo"])
    model = checkpoint.model.to(Fabric(devices=1).device)
    sets = [hv.load_images(name).take(args.scored) for name in ("glyphs:test", "glyphs:digits")]
    exact, rough = (
        [evaluate(model, checkpoint.digest, images, settings=settings) for images in sets]
        for settings in (EvalSettings(), EvalSettings(precision="bfloat16"))
    )
    error = precision_error(rough, exact)
    return {"images": error.images, "auroc": error.auroc, "nats": error.mean}


def six_passes(
    model: HierarchicalVAE, images: ImageSet, samples: int, rows: int
) -> Callable[[], object]:
    """The public way: for every k a pass for L and one for L_>k, images on the device at once."""
    noise: Any = DeviceNoise(model.device)

    @torch.inference_mode()
    def run() -> object:
        kept = []
        for start in range(0, len(images), rows):
            part = images.images[start : start + rows]
            x = torch.from_numpy(part.copy()).to(model.device).float() / 255
            x = model.prepare(x, noise)
            for level in range(model.n_levels):
                for k in (0, level):
                    trace = model.trace(x, k=k, noise=noise, samples=samples, skipped="mean")
                    kept.append((trace.log_px - trace.kl.sum(0)).mean(0).cpu())
        return kept

    return run


def timed(call: Callable[[], object], turns: int) -> float:
    """Milliseconds, the median of some turns after two that are not counted."""
    marks = []
    for _ in range(turns + 2):
        settle()
        begun = time.perf_counter()
        call()
        settle()
        marks.append(time.perf_counter() - begun)
    return 1000 * float(np.median(marks[2:]))


# --- checks --------------------------------------------------------------------------------------


def checks() -> dict[str, float]:
    """Largest difference of the noise between kinds of device."""
    from hvae_core.common.noise import CountedNoise

    keys = torch.randint(0, 2**32, (64, 2), generator=torch.Generator().manual_seed(0))
    here, there = (CountedNoise(keys.to(d), 3) for d in ("cpu", Fabric(devices=1).device))
    found = {}
    for kind in ("normal", "uniform"):
        a = getattr(here, kind)("q1", 3, 64, (1000,))
        b = getattr(there, kind)("q1", 3, 64, (1000,)).cpu()
        found[f"noise_{kind}_difference"] = float((a - b).abs().max())
    return found


def profile(name: str, args: argparse.Namespace) -> list[tuple[str, float]]:
    """Milliseconds a step of the kernels that take longest in replayed steps."""
    from torch.profiler import ProfilerActivity
    from torch.profiler import profile as recorded

    few = argparse.Namespace(**{**vars(args), "steps": 20, "skipped": 10})
    with recorded(activities=[ProfilerActivity.CPU, ProfilerActivity.CUDA]) as found:
        steps(name, "bf16-mixed", few, compiling="auto")
    rows = found.key_averages()
    top = sorted(rows, key=lambda row: -row.device_time_total)[:25]
    return [(f"{row.key[:90]} x{row.count}", row.device_time_total / 1000 / 30) for row in top]


def main() -> None:
    """Measure what there is time for; every row is written as soon as it is known."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--preset", nargs="+", default=PRESETS)
    parser.add_argument(
        "--only", nargs="+", default=["check", "plain", "auto", "naive", "score", "half"]
    )
    for name, default in (("steps", STEPS), ("skipped", SKIPPED), ("batch", 0), ("turns", 9),
                          ("scored", SCORED), ("rows", ROWS)):  # fmt: skip
        parser.add_argument(f"--{name}", type=int, default=default)
    args = parser.parse_args()
    args.out.mkdir(parents=True, exist_ok=True)
    card = torch.cuda.get_device_name() if torch.cuda.is_available() else "processor"
    facts = {"card": card, "torch": torch.__version__, "date": time.strftime("%Y-%m-%d")}
    found: list[dict[str, Any]] = []

    def keep(what: str, row: dict[str, Any]) -> None:
        found.append({"what": what, **row})
        path = args.out / f"gpu-{'-'.join(args.only)}.json"
        path.write_text(json.dumps({**facts, "rows": found}, indent=1))
        print(f"{time.perf_counter():8.1f} {what} {row}", flush=True)

    def attempt(what: str, call: Callable[[], dict[str, Any]]) -> None:
        try:
            keep(what, call())
        except Exception as exc:  # the rest is measured all the same
            keep(what, {"failed": f"{type(exc).__name__}: {str(exc)[-1500:]}"})

    new = "compiling" in inspect.signature(train).parameters
    ways: dict[str, Any] = {"compiling": "off"} if new else {}
    if "check" in args.only:
        attempt("checks", checks)
    for name in args.preset:
        if "plain" in args.only:
            attempt(f"{name} plain bf16", lambda n=name: steps(n, "bf16-mixed", args, **ways))
        if "auto" in args.only and new:
            attempt(f"{name} auto bf16",
                    lambda n=name: steps(n, "bf16-mixed", args, compiling="auto"))  # fmt: skip
        if "naive" in args.only:
            attempt(f"{name} naive bf16", lambda n=name: naive(n, args, half=True))
            torch.set_float32_matmul_precision("high")
            attempt(f"{name} naive tf32", lambda n=name: naive(n, args, half=False))
            torch.set_float32_matmul_precision("highest")
        if "profile" in args.only and new:
            attempt(f"{name} profile", lambda n=name: {"top": profile(n, args)})
    if "half" in args.only:
        attempt("half", lambda: half_precision(args))
    if "score" in args.only:
        for samples in (1, 50):
            try:
                for row in scoring(args.preset[0], samples, args):
                    keep("score", row)
            except Exception as exc:
                keep("score", {"failed": f"{type(exc).__name__}: {str(exc)[-1500:]}"})


if __name__ == "__main__":
    main()
