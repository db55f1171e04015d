"""Where random numbers come from: one stream a run (training) or one stream an image (evaluation).

Every draw has a name such as ``q1`` (posterior of z_1) or ``p2`` (prior of z_2). With
``ImageNoise`` a number depends on the seed, the picture, the name and the index of the sample, and
on nothing else: but for rounding, scores are the same for any batch size, any order, any number of
workers, and any splitting of the S samples. Bounds for different k share what they can, which
lowers the variance of their difference LLR>k.
"""

from __future__ import annotations

import hashlib
import math
from abc import ABC, abstractmethod
from collections.abc import Iterator, Sequence
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from hvae_core.common.philox import MASK, normal, philox, uniform

_MASK = (1 << 63) - 1


class Noise(ABC):
    """A source of named random numbers for a batch of images."""

    @abstractmethod
    def normal(self, name: str, samples: int, batch: int, shape: Sequence[int]) -> Tensor:
        """Draw standard normal numbers (S, B, *shape), float32."""

    @abstractmethod
    def uniform(self, name: str, samples: int, batch: int, shape: Sequence[int]) -> Tensor:
        """Draw uniform numbers on [0, 1) (S, B, *shape), float32."""

    def once(self) -> Noise:
        """The source for what is drawn once an image, whichever samples are asked for."""
        return self


class StreamNoise(Noise):
    """One generator for everything, in the order of the calls: for training and prior samples."""

    def __init__(self, generator: torch.Generator) -> None:
        self.generator = generator

    def normal(self, name: str, samples: int, batch: int, shape: Sequence[int]) -> Tensor:
        """The next standard normal numbers of the stream (S, B, *shape)."""
        return torch.randn(samples, batch, *shape, generator=self.generator)

    def uniform(self, name: str, samples: int, batch: int, shape: Sequence[int]) -> Tensor:
        """The next uniform numbers of the stream (S, B, *shape)."""
        return torch.rand(samples, batch, *shape, generator=self.generator)


class StillNoise(StreamNoise):
    """No normal noise: every draw of a Gaussian is its mean. Uniform numbers come from seed 0."""

    def __init__(self) -> None:
        super().__init__(torch.Generator().manual_seed(0))

    def normal(self, name: str, samples: int, batch: int, shape: Sequence[int]) -> Tensor:
        """Zeros (S, B, *shape)."""
        return torch.zeros(samples, batch, *shape)


class ImageNoise(Noise):
    """A stream of its own for every image, from its content digest and one seed."""

    def __init__(self, digests: Sequence[int], seed: int = 0, first_sample: int = 0) -> None:
        """Take one integer digest an image; ``first_sample`` is the index of the first sample."""
        self.digests = [int(digest) for digest in digests]
        self.seed = seed
        self.first_sample = first_sample
        self._generator = torch.Generator()

    def once(self) -> Noise:
        """The streams of each image's first sample."""
        return ImageNoise(self.digests, self.seed) if self.first_sample else self

    def normal(self, name: str, samples: int, batch: int, shape: Sequence[int]) -> Tensor:
        """Standard normal numbers of each image's own streams (S, B, *shape)."""
        out = torch.empty(samples, batch, *shape)
        for row, generator in self._streams(name, out):
            row.normal_(generator=generator)
        return out

    def uniform(self, name: str, samples: int, batch: int, shape: Sequence[int]) -> Tensor:
        """Uniform numbers of each image's own streams (S, B, *shape)."""
        out = torch.empty(samples, batch, *shape)
        for row, generator in self._streams(name, out):
            row.uniform_(generator=generator)
        return out

    def _streams(self, name: str, out: Tensor) -> Iterator[tuple[Tensor, torch.Generator]]:
        """Each image's numbers of each sample in ``out`` (S, B, *shape), with their generator."""
        if out.shape[1] != len(self.digests):
            raise ValueError(f"{len(self.digests)} image digests for a batch of {out.shape[1]}")
        rows = iter(out.flatten(0, 1).unbind())
        for s in range(len(out)):
            salt = _mix(name, self.seed, self.first_sample + s)
            for digest in self.digests:
                # Multiplying by an odd constant spreads neighbouring digests over the seed space,
                # of which torch reads the lower 32 bits: two of 60,000 images may share a stream,
                # which leaves the distribution of each as it is.
                self._generator.manual_seed(((digest ^ salt) * 0x9E3779B97F4A7C15) & _MASK)
                yield next(rows), self._generator


def _mix(*parts: object) -> int:
    text = "\x1f".join(map(str, parts)).encode()
    return int.from_bytes(hashlib.blake2b(text, digest_size=8).digest(), "big") & _MASK


class Request(NamedTuple):
    """Numbers that were asked for: (S, B, *shape) under a name, normal or uniform."""

    kind: str
    name: str
    samples: int
    shape: tuple[int, ...]

    @property
    def blocks(self) -> int:
        """Blocks of four elements that one image takes in one sample."""
        return -(-math.prod(self.shape) // 4)


class Plan:
    """What one batch asked for, noted so that the numbers of the next are made all at once."""

    def __init__(self) -> None:
        self.requests: list[Request] = []
        self._counters: dict[object, Tensor] = {}

    def counter(self, wanted: tuple[Request, ...], seed: int, device: torch.device) -> Tensor:
        """Where each block of four stands: element, sample, name, name and seed (4, blocks).

        It is kept, as what is replayed on a graphics card reads it again.
        """
        if (wanted, seed, device) not in self._counters:
            parts = []
            for one in wanted:
                salt = _mix(one.name, seed)
                sample, block = np.indices((one.samples, one.blocks)).reshape(2, -1)
                words = [np.full_like(block, word) for word in (salt & MASK, salt >> 32)]
                parts.append(np.stack([block, sample, *words]))
            table = torch.from_numpy(np.concatenate(parts, 1)).to(device)
            self._counters[wanted, seed, device] = table
        return self._counters[wanted, seed, device]


class CountedNoise(Noise):
    """Numbers that are counted, not drawn one after the other, on the device of their keys.

    A number depends on the row's two key words, the seed, the name, the sample and the element. In
    training the key is an image's place in the epoch and the epoch: no number depends on how a
    batch is split among processes, and a run that goes on needs no state of a generator.
    """

    def __init__(
        self,
        keys: Tensor,
        seed: int = 0,
        first_sample: int = 0,
        *,
        plan: Plan | None = None,
    ) -> None:
        """Take two key words (B, 2), int64 below 2^32, an image, and the first sample's index.

        A ``plan`` that the noise of several batches share changes the time taken, and no number.
        """
        self.keys = keys
        self.seed = seed
        self.first_sample = first_sample
        self._plan = plan or Plan()
        self._made: dict[Request, Tensor] = {}

    def normal(self, name: str, samples: int, batch: int, shape: Sequence[int]) -> Tensor:
        """Standard normal numbers of each row (S, B, *shape)."""
        return self._get(Request("normal", name, samples, tuple(shape)))

    def uniform(self, name: str, samples: int, batch: int, shape: Sequence[int]) -> Tensor:
        """Uniform numbers of each row (S, B, *shape)."""
        return self._get(Request("uniform", name, samples, tuple(shape)))

    def _get(self, wanted: Request) -> Tensor:
        if not self._made and wanted in self._plan.requests:
            self._made = self._make(tuple(self._plan.requests))
        if wanted not in self._made:
            self._made |= self._make((wanted,))
            self._plan.requests.append(wanted)
        return self._made[wanted]

    def _make(self, wanted: tuple[Request, ...]) -> dict[Request, Tensor]:
        # 1. Where every block of four stands.
        rows = len(self.keys)
        counter = self._plan.counter(wanted, self.seed, self.keys.device)
        block, sample, *name = counter.unsqueeze(1).unbind()
        if self.first_sample:
            sample = sample + self.first_sample
        # 2. All words of all images, then the numbers of each request.
        words = philox([block, sample, *name], self.keys.T.unsqueeze(-1).unbind())
        found, end = {}, 0
        for one in wanted:
            start, end = end, end + one.samples * one.blocks
            part = [word[:, start:end] for word in words]
            numbers = normal(part) if one.kind == "normal" else uniform(part)
            numbers = numbers.view(rows, one.samples, 4 * one.blocks).transpose(0, 1)
            found[one] = numbers[..., : math.prod(one.shape)].reshape(one.samples, rows, *one.shape)
        return found


def keys_of(digests: Sequence[int], device: torch.device | str = "cpu") -> Tensor:
    """The key words (B, 2) of images by their 64-bit digests."""
    words = [[digest & MASK, digest >> 32 & MASK] for digest in map(int, digests)]
    return torch.tensor(words, dtype=torch.int64, device=device).reshape(-1, 2)
