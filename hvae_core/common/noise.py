"""Where random numbers come from: one stream a run (training) or one stream an image (evaluation).

Every draw has a name such as ``q1`` (posterior of z_1) or ``p2`` (prior of z_2). With
``ImageNoise`` a number depends on the seed, the picture, the name and the index of the sample, and
on nothing else: but for rounding, scores are the same for any batch size, any order, any number of
workers, and any splitting of the S samples. Bounds for different k share what they can, which
lowers the variance of their difference LLR>k.
"""

from __future__ import annotations

import hashlib
from abc import ABC, abstractmethod
from collections.abc import Iterator, Sequence

import torch
from torch import Tensor

_MASK = (1 << 63) - 1


class Noise(ABC):
    """A source of named random numbers for a batch of images."""

    @abstractmethod
    def normal(self, name: str, samples: int, batch: int, shape: Sequence[int]) -> Tensor:
        """Draw standard normal numbers (S, B, *shape), float32, on the CPU."""

    @abstractmethod
    def uniform(self, name: str, samples: int, batch: int, shape: Sequence[int]) -> Tensor:
        """Draw uniform numbers on [0, 1) (S, B, *shape), float32, on the CPU."""

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
