"""q(z_>k | x_j) of a marked network at draws of other images (INF Eq. 12)."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import cast

import torch
from torch import Tensor

from hvae_core.models.adapted.run import Plan, Run
from hvae_core.models.adapted.shared import Shared
from hvae_core.models.distributions import Likelihood
from hvae_core.models.trace import Aggregate, Conditional


class Draws(Aggregate):
    """Draws z_>k ~ q(z_>k | x_i) of N images for every k, to be held against each image.

    ``run`` runs the network over images under a plan; ``plan`` is that of one row an image.
    """

    def __init__(
        self,
        x: Tensor,
        skips: Sequence[int],
        plan: Plan,
        *,
        run: Callable[[Tensor, Plan, Shared], tuple[Run, Likelihood]],
        shared: Sequence[str],
    ) -> None:
        self.n, self.skips, self.plan = len(x), skips, plan
        self.run, self.shared = run, shared
        self.z: list[dict[int, Tensor]] = []
        log_p, parts = [], Shared(shared)
        for skip in skips:
            terms = run(x, replace(plan, skips=[skip]), parts)[0].terms
            kept = {i: term for i, term in terms.items() if i > skip}
            if not skip:
                self.conditionals = tuple(Conditional(kept[i].q, kept[i].p) for i in sorted(kept))
            self.z.append({i: term.z.transpose(0, 1) for i, term in kept.items()})
            rows = [term.log_p for term in kept.values()]
            log_p.append(torch.stack(cast("list[Tensor]", rows)).sum(0)[0])
        self.log_p = torch.stack(log_p)

    def log_q(self, x: Tensor) -> Tensor:
        """log q(z_>k | x) in nats (K, N) of all draws, for one prepared image (1, C, H, W)."""
        found, parts = [], Shared(self.shared)
        for skip, z in zip(self.skips, self.z, strict=True):
            plan = replace(self.plan, lead=(self.n, 1), skips=[skip] * self.n, given=z)
            terms = self.run(x, plan, parts)[0].terms
            rows = [terms[index].log_q for index in z]
            found.append(torch.stack(cast("list[Tensor]", rows)).sum(0)[:, 0])
        return torch.stack(found)
