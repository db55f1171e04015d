"""How alike two pictures are: PSNR and MS-SSIM (DCT App. G, H)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import ArrayLike, NDArray

from hvae_core.common.arrays import Floats

if TYPE_CHECKING:
    from torch import Tensor


WINDOW = 11
"""Pixels of the Gaussian window of SSIM, of standard deviation 1.5."""
SCALES = 5
_REACH = (WINDOW - 1) * 2 ** (SCALES - 1)  # sides must be longer, so that the last scale has one


def psnr(first: NDArray, second: NDArray) -> float:
    """10 log10(1 / mean squared error) in dB of pictures of one shape; infinite for equal ones.

    Bytes count as 0 to 1, as do floats.
    """
    error = float(((_unit(first) - _unit(second)) ** 2).mean())
    return float("inf") if error == 0 else float(-10 * np.log10(error))


def ms_ssim(first: NDArray, second: NDArray) -> Floats:
    """MS-SSIM (Wang et al. 2003) of pictures (N, C, H, W), mean over channels, (N,).

    Five scales, a window of 11 pixels, bytes as 0 to 1. That needs sides above 160 pixels: a
    smaller picture is enlarged by the smallest whole number that is enough, every pixel repeated
    (6 for 28x28 and 32x32), so that the window sees from two pixels of it up to all.
    """
    import torch
    from pytorch_msssim import ms_ssim as of_tensors

    factor = _REACH // min(first.shape[-2:]) + 1
    likeness = np.empty(len(first))
    # One by one: a batch of enlarged pictures leaves the processor's cache and takes twice as long.
    with torch.inference_mode():
        for i in range(len(first)):
            pair = (_enlarged(torch.from_numpy(_unit(side[i])), factor) for side in (first, second))
            likeness[i] = of_tensors(*pair, data_range=1.0, size_average=False).item()
    return likeness


def _enlarged(pixels: Tensor, factor: int) -> Tensor:
    return pixels.repeat_interleave(factor, -1).repeat_interleave(factor, -2).unsqueeze(0)


def _unit(pixels: NDArray) -> Floats:
    values = np.array(pixels, dtype=np.float64)
    return values / 255 if np.asarray(pixels).dtype == np.uint8 else values


@dataclass(frozen=True)
class GroupLoss:
    """Mean loss of ``n`` images of a group at one k, in nats: ``nll`` and its rise over k = 0."""

    name: str
    out: bool
    nll: float
    lost: float
    n: int = 1


def group_losses(nll: ArrayLike, names: Sequence[str], outs: Sequence[bool], *, k: int) -> (
    tuple[GroupLoss, ...]
):  # fmt: skip
    """Mean -log p(x|z_>k) and its rise NLL_k - NLL_0 of each named group; nll is (L, N)."""
    table = np.asarray(nll, dtype=np.float64)
    groups = []
    for name in dict.fromkeys(names):
        mine = np.array([other == name for other in names])
        out = bool(np.asarray(outs)[mine].any())
        at_k, at_0 = table[k, mine].mean(), table[0, mine].mean()
        n, lost = int(mine.sum()), float(at_k - at_0)
        groups.append(GroupLoss(name, out, nll=float(at_k), lost=lost, n=n))
    return tuple(groups)


def pixel_variance(draws: ArrayLike) -> float:
    """Variance over draws (n, C, H, W) in [0, 1], unbiased, averaged over pixels; 0 for one draw.

    The diversity that INF Fig. 8 shows: 0 where every draw is the same picture.
    """
    pictures = np.asarray(draws, dtype=np.float64)
    return float(pictures.var(axis=0, ddof=1).mean()) if len(pictures) > 1 else 0.0
