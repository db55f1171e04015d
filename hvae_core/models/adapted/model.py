"""A network of the user's own as a ``HierarchicalVAE``: every k, every probe, from its marks."""

from __future__ import annotations

import copy
import threading
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from itertools import chain
from typing import Any, Literal, cast, final

import torch
from torch import Tensor, nn

from hvae_core.common.errors import ModelError
from hvae_core.common.noise import Noise, StillNoise, StreamNoise
from hvae_core.config.adapted import AdaptedConfig
from hvae_core.models.adapted.draws import Draws
from hvae_core.models.adapted.run import Plan, Run
from hvae_core.models.adapted.running import copied, counted, hear
from hvae_core.models.adapted.seen import Rows, Seen, Whole, likelihood_of
from hvae_core.models.adapted.shared import Shared
from hvae_core.models.adapted.source import source_of
from hvae_core.models.adapted.traced import trace_of, unreached
from hvae_core.models.base import Change, HierarchicalVAE
from hvae_core.models.distributions import Likelihood
from hvae_core.models.pixels import binarise, dequantise
from hvae_core.models.priors.vamp import Prior
from hvae_core.models.trace import (
    ANCESTRAL,
    Aggregate,
    LatentSpec,
    Posterior,
    Sampler,
    Skipped,
    Trace,
    Up,
)

Pixels = Literal["grey", "binarise", "dequantise"]
"""What becomes of grey levels before anything else: nothing, binary draws, points of intervals."""
ROWS_AT_ONCE = 4 * 200 * 28 * 28
"""Pixels of all rows of one run; more values of k come in further runs."""


@final
class AdaptedVAE(HierarchicalVAE):
    """Runs a marked network with q or p at each mark, and is to the rest a model like any other.

    The network runs in eval mode and is left in the mode that it was in.
    """

    config: AdaptedConfig
    channels_last = False
    """Networks of strangers may call ``view`` on features, which that layout does not have."""

    def __init__(
        self, module: nn.Module, config: AdaptedConfig, *, seen: Seen, pixels: Pixels,
        shared: Sequence[str],
    ) -> None:  # fmt: skip
        super().__init__()
        self.module, self.config = module, config
        self.seen, self.pixels, self.shared = seen, pixels, tuple(shared)
        self._change: Change | None = None
        self._alone = threading.RLock()
        """A run changes the network's mode and its shared parts for as long as it takes."""
        named = zip(config.latent_names, config.latent_shapes, config.levels, strict=True)
        self._latents = tuple(
            LatentSpec(name=n, index=i, shape=s, group=level)
            for i, (n, s, level) in enumerate(named, start=1)
        )

    @property
    def latents(self) -> tuple[LatentSpec, ...]:
        """The layers from z_1 to z_L, in the order in which the way down reaches them, reversed."""
        return self._latents

    @property
    def image_shape(self) -> tuple[int, int, int]:
        """(C, H, W) of the images."""
        return self.config.image_shape

    @property
    def device(self) -> torch.device:
        """Where the weights are."""
        return self._like.device

    @property
    def _like(self) -> Tensor:
        """A tensor of the type and at the place of the weights."""
        weights = chain(self.parameters(), self.buffers())
        return next((t for t in weights if t.is_floating_point()), torch.zeros(()))

    @property
    def source(self) -> str:
        """The text of the network and of what it calls, on which its numbers depend too."""
        return source_of(self.module, self.seen.step) + f"\n{self.pixels} {self.config}"

    def prepare(self, x: Tensor, noise: Noise) -> Tensor:
        """Binary draws, points of intervals, or grey levels as they are; still pictures in [0, 1].

        The user's own step comes when the network runs.
        """
        if self.pixels == "binarise":
            return binarise(x, noise)
        return dequantise(x, noise) if self.pixels == "dequantise" else x

    def as_seen(self, x: Tensor) -> Tensor:
        """What the user's own step makes of prepared images, (B, ...)."""
        return self.seen(x)

    # --- bounds -----------------------------------------------------------------------------------

    def traces(
        self,
        x: Tensor,
        ks: Sequence[int],
        *,
        noise: Noise,
        samples: int = 1,
        skipped: Skipped = "sample",
        up: Up = "mean",
        temperature: float = 1.0,
    ) -> list[Trace]:
        """L_>k for every k (HVK Eq. 5): all k in one run of the network, as memory allows."""
        self._check_levels(ks)
        plan = self._plan(x, noise, samples)
        plan = replace(plan, means_up=up == "mean", at_means=skipped == "mean", heat=temperature)
        shared = Shared(self.shared)
        at_once = max(1, ROWS_AT_ONCE // (samples * len(x) * self.dims))
        traces = []
        for start in range(0, len(ks), at_once):
            some = list(ks)[start : start + at_once]
            skips = [self.skips[k] for k in some for _ in range(samples)]
            run, likelihood = self._run(
                x, replace(plan, lead=(len(skips), len(x)), skips=skips), shared
            )
            log_px, whole = likelihood.log_prob(x), Whole(likelihood)
            terms = [run.terms[spec.index] for spec in self.latents]
            for place, k in enumerate(some):
                rows = slice(place * samples, (place + 1) * samples)
                part = likelihood if len(some) == 1 else Rows(whole, rows)
                traces.append(
                    trace_of(terms, k, part, skip=self.skips[k], log_px=log_px[rows], rows=rows)
                )
        return traces

    def posteriors(
        self, x: Tensor, *, noise: Noise, samples: int = 1, up: Up = "mean"
    ) -> tuple[Posterior, ...]:
        """q(z_i | x, .) of every layer, given S draws of those it reads.

        With ``up="mean"`` the layers that ``hv.infer`` marks stand at their means.
        """
        plan = replace(self._plan(x, noise, samples), all_means=up == "mean")
        run, _ = self._run(x, plan)
        return tuple(run.terms[spec.index].q for spec in self.latents)

    def exact(self) -> tuple[bool, ...]:
        """Which layers have their divergence in closed form, z_1 first."""
        black = self._black(2)
        with torch.no_grad():
            run, _ = self._run(black, self._plan(black, StillNoise()))
        return tuple(run.terms[spec.index].exact for spec in self.latents)

    def check_shared(self) -> None:
        """Raise ``ModelError`` for a part that cannot run once for several samples."""
        black, shared = self._black(2), Shared(self.shared)
        noise = StreamNoise(torch.Generator().manual_seed(0))
        with torch.no_grad():
            self._run(black, self._plan(black, noise, 2), shared)
        if shared.idle:
            raise ModelError(
                f"encode= names {shared.idle[0]}, which cannot run once for all samples: it must "
                "read the image alone, and give tensors with the images on their first axis (or "
                "lists or tuples of them). Leave it out of encode=."
            )

    def _lower(self, x: Tensor, reads: Sequence[int], noise: Noise) -> list[Tensor]:
        plan, shared, bounds = self._plan(x, noise), Shared(self.shared), []
        for read in reads:
            run, likelihood = self._run(x, replace(plan, reads=read), shared)
            terms = (run.terms[index].kl for index in range(1, read + 1))
            bounds.append((likelihood.log_prob(x) - sum(cast("Iterable[Tensor]", terms)))[0])
        return bounds

    def aggregate(self, x: Tensor, *, noise: Noise) -> Aggregate:
        """Every k has draws of its own where layers are inferred on the way up; one run each."""
        plan = replace(self._plan(x, noise), at_means=True)
        return Draws(x, self.skips, plan, run=self._run, shared=self.shared)

    # --- the prior --------------------------------------------------------------------------------

    def sample(
        self,
        n: int,
        *,
        noise: Noise,
        temperature: float | Sequence[float] = 1.0,
        given: Mapping[int, Tensor] | None = None,
    ) -> Likelihood:
        """Ancestral sampling of p(x, z) from z_L down, while the network looks at a black image."""
        black = self._black(n)
        return self._down(black, noise, heat=temperature, given=given or {})[1]

    def from_prior(self, x: Tensor, *, noise: Noise) -> dict[str, Tensor]:
        """Means and spreads of p of every layer, the top first, and p(x | z), while x is shown."""
        run, likelihood = self._down(x, noise)
        found: dict[str, Tensor] = {}
        for spec in reversed(self.latents):
            law = run.terms[spec.index].p
            found |= {f"p of {spec.name}": torch.stack([law.mean, law.std])}
        return found | {"p(x | z)": likelihood.mean}

    def _black(self, n: int) -> Tensor:
        return torch.zeros((n, *self.image_shape), device=self.device)

    def _down(
        self, x: Tensor, noise: Noise, *, heat: float | Sequence[float] = 1.0,
        given: Mapping[int, Tensor] | None = None,
    ) -> tuple[Run, Likelihood]:  # fmt: skip
        plan = replace(
            self._plan(x, noise),
            reads=0,
            heat=heat,
            given={index: z.unsqueeze(0) for index, z in (given or {}).items()},
            given_all=True,
        )
        return self._run(x, plan)

    def top_prior(self, batch: int) -> Prior:
        """p(z_L) as the network has it."""
        with torch.no_grad():
            top: Prior = self._down(self._black(batch), StillNoise())[0].terms[self.n_layers].p
        return top

    def sample_top(
        self, n: int, *, noise: Noise, temperature: float = 1.0, sampler: Sampler = ANCESTRAL
    ) -> Tensor:
        """Draw z_L (n, *shape) from its prior: what ``sample`` draws first."""
        run, _ = self._down(self._black(n), noise, heat=temperature)
        return run.terms[self.n_layers].z[0]

    # --- refitting --------------------------------------------------------------------------------

    def inference_weights(self) -> Iterable[nn.Parameter]:
        """Those that no gradient of log p(x, z) reaches, found by a run down the prior."""
        weights = [weight for weight in self.parameters() if weight.is_floating_point()]
        with torch.enable_grad(), counted(weights):
            run, likelihood = self._down(self._black(1), StillNoise())
            return unreached(run, likelihood.log_prob(self._black(1)), weights)

    @property
    def posterior_steps(self) -> Mapping[str, Callable[[int], int]]:
        """None: the marks say where a posterior is."""
        return {}

    def with_posteriors(self, change: Change) -> HierarchicalVAE:
        """A view of the model whose posteriors are ``change``d; the model itself is left alone."""
        view = copy.copy(self)
        view._change = change
        return view

    def __deepcopy__(self, memo: dict[int, Any]) -> AdaptedVAE:
        module = copied(self.module, self.config.name, memo)
        return AdaptedVAE(
            module, self.config, seen=self.seen, pixels=self.pixels, shared=self.shared
        )

    # --- running the network ----------------------------------------------------------------------

    def _run(self, x: Tensor, plan: Plan, shared: Shared | None = None) -> tuple[Run, Likelihood]:
        """Run the network over images x (B, C, H, W) under a plan."""
        if self._change is not None:
            plan = replace(plan, change=self._change)
        run = Run({spec.name: spec for spec in self.latents}, plan)
        shared = shared or Shared(self.shared)
        rows = self.seen(x.to(self._like.dtype))
        rows = rows.repeat(plan.lead[0], *[1] * (rows.dim() - 1))
        with self._alone, shared.on(self.module, plan.lead):
            hear(self.module, run, rows)
        run.finish()
        likelihood = likelihood_of(
            run.likelihood, self.seen, lead=plan.lead, shape=self.image_shape
        )
        return run, likelihood

    def _plan(self, x: Tensor, noise: Noise, samples: int = 1) -> Plan:
        """Every layer through q, with so many rows of each image."""
        drawn: dict[int, Tensor] = {}

        def pick(index: int, over: tuple[int, ...]) -> Tensor:
            """Uniform numbers that choose components of a mixture, drawn once a layer."""
            if index not in drawn:
                drawn[index] = noise.uniform(f"c{index}", samples, len(x), over)
            return drawn[index]

        draw = self.draws(noise, samples, x)
        return Plan(lead=(samples, len(x)), skips=[0] * samples, draw=draw, pick=pick)
