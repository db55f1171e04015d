"""What is read off a run of a marked network: the trace of one k, and the weights of inference."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor, nn

from hvae_core.models.adapted.run import Run
from hvae_core.models.distributions import Likelihood
from hvae_core.models.trace import Trace


def trace_of(
    terms: Sequence[Any], k: int, likelihood: Likelihood, *, skip: int, log_px: Tensor, rows: slice
) -> Trace:
    """All terms of L_>k (HVK Eq. 5) of the rows of a run that belong to k, (S, B) each.

    ``terms`` are those of every layer in the run, z_1 first.
    """
    zero = torch.zeros_like(log_px)

    def of(name: str) -> Tensor:
        found = [getattr(term, name) for term in terms]
        kept = [zero if row is None else row[rows] for row in found]
        return torch.stack([row.to(zero.dtype) for row in kept])

    means = (term.q.mean for term in terms)
    return Trace(
        k=k,
        skip=skip,
        log_px=log_px,
        log_q=of("log_q"),
        log_p=of("log_p"),
        kl=of("kl"),
        z=tuple(m[rows] if i >= skip else None for i, m in enumerate(means)),
        likelihood=likelihood,
    )


def unreached(run: Run, log_px: Tensor, weights: Sequence[nn.Parameter]) -> list[nn.Parameter]:
    """The weights that no gradient of log p(x, z) reaches, after a run down the prior."""
    total = log_px
    for term in run.terms.values():
        total = total + term.p.log_prob(term.z)
    if not total.requires_grad:
        return list(weights)
    reached = torch.autograd.grad(total.sum(), weights, allow_unused=True)
    return [w for w, slope in zip(weights, reached, strict=True) if slope is None]
