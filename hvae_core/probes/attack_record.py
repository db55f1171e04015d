"""What attacks on the upper layers found, and how it is kept in a file: arrays alone, no torch."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from hvae_core.common import cache, fingerprint
from hvae_core.common.arrays import Floats
from hvae_core.common.errors import ConfigError
from hvae_core.data.image_set import ImageSet

Pictures = NDArray[np.float32]

KIND = "attacks"
"""Where the cache keeps them."""


@dataclass(frozen=True)
class AttackSettings:
    """``radius`` of the ball, in grey levels of 0 to 1; ``steps`` of ascent from each start.

    Raises ``ConfigError`` outside the bounds.
    """

    radius: float = 0.1
    steps: int = 50
    starts: int = 1
    seed: int = 0

    def __post_init__(self) -> None:
        if not 0 < self.radius <= 1:
            raise ConfigError(
                f"The radius of an attack lies above 0 and up to 1, not {self.radius}."
            )
        for name, value, most in (("steps", self.steps, 1000), ("starts", self.starts, 100)):
            if not 1 <= value <= most:
                raise ConfigError(f"An attack has 1 to {most} {name}, not {value}.")


@dataclass(frozen=True, eq=False)
class Attacks:
    """N images, and their twins under an attack on the layers above k, for k = 0..K-1.

    ``seen`` (N, C, H, W) is x as the model reads it; ``clean`` (K, N, ...) what z_>k rebuilds of
    it. ``twins``, ``rebuilt`` (K, N, ...) are the attacked images of the first start and what z_>k
    rebuilds of them; ``control`` (N, ...), ``control_rebuilt`` (K, N, ...) the same of a random
    change to a corner of the ball. The figures are (2, K, R, N), of the attack and of the random
    change, for R starts: ``moved`` is the symmetric KL of the attacked layers in nats; ``inputs``,
    ``own`` and ``whole`` are the MS-SSIM to x of the image itself, and to what is rebuilt of x, of
    what z_>k rebuilds and of what all layers rebuild.
    """

    seen: Pictures
    clean: Pictures
    twins: Pictures
    rebuilt: Pictures
    control: Pictures
    control_rebuilt: Pictures
    moved: Floats
    inputs: Floats
    own: Floats
    whole: Floats

    @property
    def n_levels(self) -> int:
        """K."""
        return len(self.clean)

    def similarity(self, which: str = "own") -> tuple[Floats, Floats]:
        """Mean MS-SSIM of a figure under attack and under random change, by k, each (K,)."""
        table = getattr(self, which).mean((2, 3))
        return table[0], table[1]

    def interval(self, which: str = "own") -> Floats:
        """Half the 95 % interval of each mean over images, by k, (2, K); 0 for one image."""
        by_image = getattr(self, which).mean(2)
        n = by_image.shape[-1]
        if n < 2:
            return np.zeros(by_image.shape[:2])
        return np.asarray(1.96 * by_image.std(-1, ddof=1) / np.sqrt(n))


def pack(attacks: Attacks) -> dict[str, np.ndarray]:
    """As arrays, for the cache."""
    return dict(vars(attacks))


def unpack(arrays: Mapping[str, np.ndarray]) -> Attacks:
    """Read back what ``pack`` wrote."""
    return Attacks(**arrays)


def stored_attacks(checkpoint: str, images: ImageSet, settings: AttackSettings) -> Attacks | None:
    """Attacks from the cache, by the digest of the weights: computes nothing."""
    return cache.peek(KIND, attacks_key(checkpoint, images, settings), unpack)


def attacks_key(checkpoint: str, images: ImageSet, settings: AttackSettings) -> str:
    """The digest under which the cache keeps the attacks on these images."""
    return fingerprint.digest("attacks-2", checkpoint, images.digest, settings)
