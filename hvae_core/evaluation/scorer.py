"""One batch of images in, its bounds out: as passes that a graphics card can replay.

A pass is one call of ``traces``: some k and some samples of a batch. All that it reads lies in
tensors on the device (pixels, keys of the noise, the index of the first sample), and all that it
finds is one row of numbers there, which the host reads when the batch is done.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from typing import final

import numpy as np
import torch
from torch import Tensor

from hvae_core.common.noise import CountedNoise, Plan, keys_of
from hvae_core.evaluation.bounds import BoundAccumulator, Bounds, bound_terms, log_weights
from hvae_core.evaluation.evaluation import EvalSettings
from hvae_core.evaluation.replay import CudaGraphs, Recorder, Replay, scoring_replays
from hvae_core.models import HierarchicalVAE

BATCH_PIXELS = 200 * 28 * 28
"""Pixels of images x samples that go through a model at once: few, as processors have caches."""
_ACCELERATOR = 10
"""How many times as many keep an accelerator busy."""

Scored = tuple[list[Bounds], list[np.ndarray]]
"""Bounds of k = 0..K-1, and E[z_i | x] (B, units) of every layer."""
Kind = tuple[range, int]
"""The ks of a pass, and its number of samples."""


def rows_at_once(model: HierarchicalVAE) -> int:
    """Images x samples that go through the model at once."""
    pixels = BATCH_PIXELS * (1 if model.device.type == "cpu" else _ACCELERATOR)
    return max(1, pixels // model.dims)


@final
class Scorer:
    """Bounds L_>k (HVK Eq. 5, 9) of batches under one model and one setting.

    ``rows`` are the images of a batch. A graphics card records a pass of each kind once and replays
    it; batches of fewer images are made up to as many for that, so that all have one shape. What an
    image gets does not depend on what fills its batch, but for rounding.
    """

    def __init__(
        self,
        model: HierarchicalVAE,
        settings: EvalSettings,
        *,
        rows: int,
        replays: bool | None = None,
        record: Recorder | None = None,
    ) -> None:
        self.model, self.settings, self.rows = model, settings, rows
        self._replays = scoring_replays(model.device) if replays is None else replays
        self._record = record or CudaGraphs()
        self._plan = Plan()
        self._prepare = Replay(self._prepared, on=self._replays, record=self._record)
        self._passes: dict[Kind, Replay] = {}
        self._plans: dict[Kind, Plan] = {}
        self._shapes: dict[tuple[Kind, int], list[torch.Size]] = {}

    def __call__(self, pixels: np.ndarray, digests: Sequence[int]) -> Scored:
        """Bounds and posterior means of uint8 images (B, C, H, W)."""
        return self.launch(pixels, digests)()

    def launch(self, pixels: np.ndarray, digests: Sequence[int]) -> Callable[[], Scored]:
        """Begin a batch; what is returned waits for the device and gives what it found.

        Samples come in chunks, so that 1000 of them need no more memory than a few.
        """
        count = len(pixels)
        if self._replays and count < self.rows:
            fill = np.minimum(np.arange(self.rows), count - 1)
            pixels, digests = pixels[fill], [digests[i] for i in fill.tolist()]
        at_once = max(1, rows_at_once(self.model) // len(pixels))
        half = torch.autocast(
            self.model.device.type, torch.bfloat16, enabled=self.settings.precision == "bfloat16"
        )
        found: list[tuple[Kind, Tensor]] = []
        size = len(pixels)
        with torch.inference_mode(), half, full_float32():
            given = torch.from_numpy(np.array(pixels)).to(self.model.device, non_blocking=True)
            keys = keys_of(digests, self.model.device)
            x = self._prepare(given, keys)
            for ks, first, samples in _chunks(self.model.n_levels, self.settings, at_once):
                start = torch.full((), first, dtype=torch.int64, device=self.model.device)
                kind = ks, samples
                found.append((kind, _sent(self._pass(kind)(x, keys, start))))
        there = torch.cuda.Event() if self.model.device.type == "cuda" else None
        if there is not None:
            there.record()

        def read() -> Scored:
            if there is not None:
                there.synchronize()
            return self._read(found, count, size)

        return read

    def _pass(self, kind: Kind) -> Replay:
        if kind not in self._passes:
            self._plans[kind] = Plan()
            self._passes[kind] = Replay(
                partial(self._once, kind), on=self._replays, record=self._record
            )
        return self._passes[kind]

    def _prepared(self, pixels: Tensor, keys: Tensor) -> Tensor:
        """Grey levels as what p(x | z) is a density of, by each image's first sample."""
        noise = CountedNoise(keys, self.settings.seed, plan=self._plan)
        return self.model.prepare(pixels.float() / 255, noise)

    def _once(self, kind: Kind, x: Tensor, keys: Tensor, first: Tensor) -> Tensor:
        """All that one pass finds, in a row; nothing here waits for the device."""
        ks, samples = kind
        traces = self.model.traces(
            x,
            ks,
            noise=CountedNoise(keys, self.settings.seed, first, plan=self._plans[kind]),
            samples=samples,
            skipped=self.settings.skipped,
            up=self.settings.up,
        )
        found: list[Tensor] = []
        for trace in traces:
            found += [trace.kl, bound_terms(trace), log_weights(trace), trace.log_px]
        if ks[0] == 0:
            # The means of k = 0 alone: for k > 0 the layers below come from the prior, not from x.
            for spec, mean in zip(self.model.latents, traces[0].z, strict=True):
                nothing = x.new_zeros(len(x), spec.units)
                found.append(nothing if mean is None else mean.mean(0).flatten(1))
        self._shapes[kind, len(x)] = [one.shape for one in found]
        return torch.cat([one.flatten() for one in found])

    def _read(self, found: Sequence[tuple[Kind, Tensor]], count: int, size: int) -> Scored:
        """The numbers of all passes of ``size`` images, of the first ``count``: others fill it."""
        accumulators = [BoundAccumulator() for _ in range(self.model.n_levels)]
        means = [np.zeros((count, spec.units)) for spec in self.model.latents]
        for kind, row in found:
            ks, samples = kind
            numbers = iter(_parts(row.numpy(), self._shapes[kind, size]))
            for k in ks:
                kl, terms, weights, log_px = (next(numbers)[..., :count] for _ in range(4))
                accumulators[k].add_terms(
                    k, kl, terms, weights=weights, log_px=log_px, skip=self.model.skips[k]
                )
            for total, mean in zip(means if ks[0] == 0 else (), numbers, strict=True):
                total += mean[:count] * (samples / self.settings.samples)
        return [accumulator.result() for accumulator in accumulators], means


@contextmanager
def full_float32() -> Iterator[None]:
    """Convolutions of a graphics card in float32 as a processor's, not in TensorFloat-32.

    That keeps 10 bits of a factor, and a bound would be another than a processor's.
    """
    cudnn = torch.backends.cudnn
    with cudnn.flags(
        enabled=cudnn.enabled,
        benchmark=cudnn.benchmark,
        benchmark_limit=cudnn.benchmark_limit,
        deterministic=cudnn.deterministic,
        allow_tf32=False,
    ):
        yield


def _sent(row: Tensor) -> Tensor:
    """The row on its way to the host, into memory that a card writes without waiting for it."""
    if row.device.type != "cuda":
        return row.clone().cpu()  # what is replayed writes there again
    host = torch.empty(row.shape, dtype=row.dtype, pin_memory=True)
    return host.copy_(row, non_blocking=True)


def _chunks(levels: int, settings: EvalSettings, at_once: int) -> Iterator[tuple[range, int, int]]:
    """(ks, first sample, number of samples) of the passes that make one batch's bounds."""
    # L takes ``samples`` draws, each L_>k ``partial_samples``. Their first draws are the same ones,
    # so that LLR_>k compares like with like; what either wants beyond them is drawn for it alone.
    both = min(settings.samples, settings.partial_samples)
    more = range(1) if settings.samples > both else range(1, levels)
    for ks, begin, end in (
        (range(levels), 0, both),
        (more, both, max(settings.samples, settings.partial_samples)),
    ):
        for first in range(begin, end if ks else begin, at_once):
            yield ks, first, min(at_once, end - first)


def _parts(row: np.ndarray, shapes: Sequence[torch.Size]) -> Iterator[np.ndarray]:
    end = 0
    for shape in shapes:
        start, end = end, end + math.prod(shape)
        yield row[start:end].reshape(shape)
