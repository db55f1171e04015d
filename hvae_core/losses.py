"""What reconstructions lose: arithmetic on -log p(x|z_>k), and how far draws lie apart."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class GroupLoss:
    """Mean loss of a group of images at one k, in nats: ``nll`` and its rise over k = 0."""

    name: str
    out: bool
    nll: float
    lost: float


def group_losses(nll: ArrayLike, names: Sequence[str], outs: Sequence[bool], k: int) -> (
    tuple[GroupLoss, ...]
):  # fmt: skip
    """Mean -log p(x|z_>k) and its rise NLL_k - NLL_0 of each named group; nll is (L, N)."""
    table = np.asarray(nll, dtype=np.float64)
    groups = []
    for name in dict.fromkeys(names):
        mine = np.array([other == name for other in names])
        out = bool(np.asarray(outs)[mine].any())
        at_k, at_0 = table[k, mine].mean(), table[0, mine].mean()
        groups.append(GroupLoss(name, out, float(at_k), float(at_k - at_0)))
    return tuple(groups)


def pixel_variance(draws: ArrayLike) -> float:
    """Variance over draws (n, C, H, W) in [0, 1], unbiased, averaged over pixels; 0 for one draw.

    The diversity that INF Fig. 8 shows: 0 where every draw is the same picture.
    """
    pictures = np.asarray(draws, dtype=np.float64)
    return float(pictures.var(axis=0, ddof=1).mean()) if len(pictures) > 1 else 0.0
