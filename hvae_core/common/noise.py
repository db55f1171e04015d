"""Where random numbers come from: counted by image in training and scoring, or one stream.

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
from collections.abc import Sequence
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
        first_sample: int | Tensor = 0,
        *,
        plan: Plan | None = None,
    ) -> None:
        """Take two key words (B, 2), int64 below 2^32, an image, and the first sample's index.

        That index may lie on the device, as int64 without axes: nobody asks what it is.
        With a ``plan`` that the noise of several batches share, all numbers of a batch are made at
        once: that changes the time and the memory it takes, and no number.
        """
        self.keys = keys
        self.seed = seed
        self.first_sample = first_sample
        self._plan = plan
        self._made: dict[Request, Tensor] = {}

    def once(self) -> Noise:
        """The numbers of each row's first sample."""
        if isinstance(self.first_sample, int) and not self.first_sample:
            return self
        return CountedNoise(self.keys, self.seed, plan=self._plan)

    def normal(self, name: str, samples: int, batch: int, shape: Sequence[int]) -> Tensor:
        """Standard normal numbers of each row (S, B, *shape)."""
        return self._get(Request("normal", name, samples, tuple(shape)), batch)

    def uniform(self, name: str, samples: int, batch: int, shape: Sequence[int]) -> Tensor:
        """Uniform numbers of each row (S, B, *shape)."""
        return self._get(Request("uniform", name, samples, tuple(shape)), batch)

    def _get(self, wanted: Request, batch: int) -> Tensor:
        if batch != len(self.keys):
            raise ValueError(f"{len(self.keys)} keys of images for a batch of {batch}")
        if self._plan is None:
            return self._make((wanted,), Plan())[wanted]
        if not self._made and wanted in self._plan.requests:
            self._made = self._make(tuple(self._plan.requests), self._plan)
        if wanted not in self._made:
            self._made |= self._make((wanted,), self._plan)
            self._plan.requests.append(wanted)
        return self._made[wanted]

    def _make(self, wanted: tuple[Request, ...], plan: Plan) -> dict[Request, Tensor]:
        # 1. Where every block of four stands.
        rows = len(self.keys)
        counter = plan.counter(wanted, self.seed, self.keys.device)
        block, sample, *name = counter.unsqueeze(1).unbind()
        if isinstance(self.first_sample, Tensor) or self.first_sample:
            sample = sample + self.first_sample
        # 2. All words of all images, then the numbers of each request.
        words = philox([block, sample, *name], self.keys.T.unsqueeze(-1).unbind())
        found, end = {}, 0
        for one in wanted:
            start, end = end, end + one.samples * one.blocks
            part = [word[:, start:end] for word in words]
            numbers = normal(part) if one.kind == "normal" else uniform(part)
            numbers = numbers.view(rows, one.samples, 4 * one.blocks).transpose(0, 1)
            numbers = numbers[..., : math.prod(one.shape)].contiguous()
            found[one] = numbers.view(one.samples, rows, *one.shape)
        return found


class ImageNoise(CountedNoise):
    """The numbers of every image by its content digest and one seed, on ``device``."""

    def __init__(
        self,
        digests: Sequence[int],
        seed: int = 0,
        first_sample: int = 0,
        *,
        device: torch.device | str = "cpu",
        plan: Plan | None = None,
    ) -> None:
        """Take one 64-bit digest an image; ``first_sample`` is the index of the first sample."""
        super().__init__(keys_of(digests, device), seed, first_sample, plan=plan)


def keys_of(digests: Sequence[int], device: torch.device | str = "cpu") -> Tensor:
    """The key words (B, 2) of images by their 64-bit digests."""
    words = [[digest & MASK, digest >> 32 & MASK] for digest in map(int, digests)]
    return torch.tensor(words, dtype=torch.int64, device=device).reshape(-1, 2)


def _mix(*parts: object) -> int:
    text = "\x1f".join(map(str, parts)).encode()
    return int.from_bytes(hashlib.blake2b(text, digest_size=8).digest(), "big") & _MASK
