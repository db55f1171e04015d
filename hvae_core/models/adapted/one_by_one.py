"""Draws of distributions that torch draws by its own generator alone: StudentT, Gamma, Dirichlet.

Each image's draw has a seed of its own, which comes from its noise: so it depends on the image, the
seed, the layer's name and the sample, as every draw here, and on no other image. It is slow.
"""

from __future__ import annotations

import math
from typing import Any

import torch
from torch import Tensor


def can_be_cut(dist: Any) -> bool:
    """Whether the distribution of one row can be made from that of all."""
    try:
        _row(dist.expand((1, *dist.batch_shape)), 0)
    except (TypeError, ValueError, AttributeError, NotImplementedError):
        return False
    return True


def drawn(dist: Any, noise: Tensor) -> Tensor:
    """One reparameterised draw a row of the noise (N, ...); the mean where the noise is zero."""
    batch = noise.shape[: noise.dim() - len(dist.event_shape)]
    dist = dist.expand(batch)
    rows = []
    for n, row in enumerate(noise):
        one = _row(dist, n)
        if not bool(row.any()):
            rows.append(one.mean)
            continue
        with torch.random.fork_rng(devices=[row.device] if row.is_cuda else []):
            torch.manual_seed(_seed(row))
            rows.append(one.rsample())
    return torch.stack(rows)


def _row(dist: Any, n: int) -> Any:
    """The distribution of a row, from its parameters."""
    given = {name: getattr(dist, name)[n] for name in dist.arg_constraints}
    return type(dist)(**given, validate_args=False)


def _seed(row: Tensor) -> int:
    """A whole number from all numbers of a row of noise, the same in float32 and float64."""
    parts = row.detach().flatten().float().cpu().double().tolist()
    return int(1e9 * math.fsum((i + 1) * part for i, part in enumerate(parts))) % 2**63
