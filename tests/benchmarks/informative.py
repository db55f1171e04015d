"""What the informative objective costs beside the plain ELBO and a twin that shares nothing.

    OMP_NUM_THREADS=1 python -m tests.benchmarks.informative

INF Eq. 10 has one reconstruction term for every k. ``informative`` runs one inference pass for all
of them, ``naive`` a whole trace for each k. Processor times are those of a training step (loss and
gradients) on the networks of the Glyphs presets; the ways take turns within every round, and each
ratio is the median over rounds, with its quartiles.
"""

from __future__ import annotations

from collections.abc import Callable

import torch

from hvae_core.models import HierarchicalVAE
from hvae_core.training.objectives import LossTerms, elbo, informative
from tests.benchmarks.timing import ROUNDS, line, networks, rounds
from tests.small import stream

BATCH = 32


def naive(model: HierarchicalVAE, x: torch.Tensor) -> LossTerms:
    """INF Eq. 10 term by term: inference, priors and decoder anew for every k."""
    noise = stream()
    traces = [model.trace(x, k=k, noise=noise, up="sample") for k in range(model.n_levels)]
    kl = traces[0].kl.mean((1, 2))
    log_px = torch.stack([trace.log_px.mean() for trace in traces]).mean()
    return LossTerms(kl.sum() - log_px, log_px, kl, elbo=traces[0].log_px.mean() - kl.sum())


def step(model: HierarchicalVAE, loss: Callable[[], LossTerms]) -> Callable[[], None]:
    """A training step without the optimiser: loss and gradients."""

    def run() -> None:
        model.zero_grad()
        loss().loss.backward()

    return run


def main() -> None:
    """Measure and print."""
    print(
        f"one training step of {BATCH} images, {ROUNDS} rounds; ratios of times, median (quartiles)"
    )
    for name, model in networks():
        x = torch.rand(BATCH, *model.image_shape).round()
        ways = {
            "elbo": step(model, lambda m=model, x=x: elbo(m, x, stream())),
            "informative": step(model, lambda m=model, x=x: informative(m, x, stream())),
            "naive": step(model, lambda m=model, x=x: naive(m, x)),
        }
        print(
            line(
                name,
                rounds(ways),
                [("informative", "elbo"), ("naive", "elbo"), ("informative", "naive")],
            )
        )


if __name__ == "__main__":
    main()
