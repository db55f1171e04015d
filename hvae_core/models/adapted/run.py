"""One run of a marked network under Strata: at every mark q or p, the noise, the terms.

The network sees N = R B rows, B images R times each. What a layer does may differ between the R
rows of an image: in L_>k of several k at once, rows of one k skip layers that rows of another keep.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor

from hvae_core.common.errors import ModelError
from hvae_core.common.noise import Noise
from hvae_core.models.adapted.laws import Law, Lead, divergence, dtype_of, read
from hvae_core.models.adapted.marks import Given
from hvae_core.models.distributions import Gaussian
from hvae_core.models.trace import LatentSpec

Posteriors = Callable[[int, Any], Any]


@dataclass(frozen=True)
class Plan:
    """What every layer does, by its index i = 1 .. L.

    ``lead`` is (R, B). ``skips`` says of each of the R rows how many of the lowest layers take z
    from p; in ``reads``, those above a layer do so instead. ``draw`` and ``pick`` give noise by
    name for S rows of each image, the same again for the rest of R.
    """

    lead: Lead
    skips: Sequence[int]
    draw: Callable[[str, int], Tensor]
    pick: Callable[[int, tuple[int, ...]], Tensor]
    reads: int | None = None
    means_up: bool = True
    """What is skipped passes its posterior mean up, not a draw."""
    all_means: bool = False
    """All that is inferred on the way up passes its mean, and keeps it on the way down."""
    at_means: bool = False
    """What is skipped stands at the mean of p."""
    heat: Sequence[float] | float = 1.0
    """What the spread of draws from p is multiplied by, one number or one a layer."""
    given: Mapping[int, Tensor] = field(default_factory=dict)
    """Values of layers (R, B, *shape) in place of their draws from q."""
    given_all: bool = False
    """Also in place of those from p."""
    change: Posteriors | None = None

    def from_prior(self, index: int) -> list[bool]:
        """Which of the R rows take z_i from p."""
        if self.reads is not None:
            return [index > self.reads] * self.lead[0]
        return [index <= skip for skip in self.skips]

    def noise(self, drawn: Tensor) -> Tensor:
        """Noise of S rows an image for all R."""
        times = self.lead[0] // drawn.shape[0]
        return drawn if times <= 1 else drawn.repeat(times, *[1] * (drawn.dim() - 1))


@dataclass(frozen=True)
class Terms:
    """Of one layer: its distributions (R, B, *shape), z, and the terms in nats (R, B).

    None where all rows are from p. ``exact`` says that ``kl`` is a divergence in closed form.
    """

    q: Any
    p: Any
    z: Tensor
    log_q: Tensor | None = None
    log_p: Tensor | None = None
    kl: Tensor | None = None
    exact: bool = False


class Run:
    """Listens to the marks of one run, and gives what the plan says."""

    def __init__(self, specs: Mapping[str, LatentSpec], plan: Plan) -> None:
        self.specs, self.plan = specs, plan
        self.terms: dict[int, Terms] = {}
        self.likelihood: Any = None
        self._up: dict[int, tuple[Gaussian | Law, Tensor, int, torch.dtype]] = {}
        self._events = 0
        """Draws so far: p of a layer inferred before another draw may depend on its z."""

    # --- the marks --------------------------------------------------------------------------------

    def latent(self, name: str, q: Given, p: Given) -> Tensor:
        """Both at once, so that the divergence has a closed form where torch knows one."""
        spec, lead = self._spec(name), self.plan.lead
        law = self._posterior(spec, q)
        above = read(name, p, lead=lead, shape=spec.shape)
        self._events += 1
        z = self._chosen(spec, above, lambda: self._drawn(spec, law))
        self._keep(spec, law, above, z=z, closed=True)
        return z.flatten(0, 1).to(dtype_of(q))

    def infer(self, name: str, q: Given) -> Tensor:
        """A draw, or the mean where the layer is skipped and passes that up."""
        spec, plan = self._spec(name), self.plan
        if spec.index in self._up:
            raise ModelError(_twice(name))
        law = self._posterior(spec, q)
        skips = self._skips(spec)
        if plan.all_means or (plan.means_up and all(skips)):
            z = law.mean
        elif plan.means_up and any(skips):
            z = torch.where(self._mask(skips, law.mean), law.mean, self._drawn(spec, law))
        else:
            z = self._drawn(spec, law)
        self._events += 1
        self._up[spec.index] = (law, z, self._events, dtype_of(q))
        return z.flatten(0, 1).to(dtype_of(q))

    def prior(self, name: str, p: Given) -> Tensor:
        """The z that was inferred, or a draw from p where the layer is skipped."""
        spec = self._spec(name)
        if spec.index not in self._up:
            raise ModelError(_not_inferred(name))
        law, inferred, event, dtype = self._up[spec.index]
        above = read(name, p, lead=self.plan.lead, shape=spec.shape)
        # Between the two nothing was drawn: p cannot depend on what was drawn given z.
        closed = self._events == event
        self._events += any(self._skips(spec))
        z = self._chosen(spec, above, lambda: inferred)
        self._keep(spec, law, above, z=z, closed=closed)
        return z.flatten(0, 1).to(dtype)

    def image(self, likelihood: Any) -> None:
        """Keep p(x | z)."""
        if self.likelihood is not None:
            raise ModelError("hv.image was reached twice in one forward; mark p(x | z) once.")
        self.likelihood = likelihood

    def finish(self) -> None:
        """Raise ``ModelError`` where the network missed a mark that it reached before."""
        missed = [name for name, spec in self.specs.items() if spec.index not in self.terms]
        if missed:
            raise ModelError(
                f"This forward did not reach the latent {missed[0]}, which an earlier one did; "
                "every forward must pass every mark, whatever the image."
            )
        if self.likelihood is None:
            raise ModelError("The forward did not reach hv.image; mark p(x | z) by hv.image(...).")

    # --- what a mark gives ------------------------------------------------------------------------

    def _spec(self, name: str) -> LatentSpec:
        if name not in self.specs:
            raise ModelError(
                f"The forward reached the latent {name}, which an earlier one did not; every "
                "forward must pass the same marks, whatever the image."
            )
        spec = self.specs[name]
        if spec.index in self.terms:
            raise ModelError(_twice(name))
        return spec

    def _posterior(self, spec: LatentSpec, q: Given) -> Any:
        law: Any = read(spec.name, q, lead=self.plan.lead)
        shape = law.mean.shape[2:]
        if shape != spec.shape:
            raise ModelError(
                f"q of the latent {spec.name} has the shape {tuple(shape)} an image now and had "
                f"{spec.shape} before; it must not depend on the image."
            )
        return law if self.plan.change is None else self.plan.change(spec.index, law)

    def _skips(self, spec: LatentSpec) -> Sequence[bool]:
        return self.plan.from_prior(spec.index)

    @staticmethod
    def _mask(skips: Sequence[bool], like: Tensor) -> Tensor:
        """Which of the R rows are from p, (R, 1, ...)."""
        return torch.tensor(skips, device=like.device).view(-1, *[1] * (like.dim() - 1))

    def _drawn(self, spec: LatentSpec, law: Any) -> Tensor:
        """z from q: what is given, or a draw."""
        if spec.index in self.plan.given:
            return self.plan.given[spec.index].to(law.mean)
        z: Tensor = law.sample(self.plan.noise(self.plan.draw("q", spec.index)).to(law.mean))
        return z

    def _from_prior(self, spec: LatentSpec, law: Any) -> Tensor:
        plan, index = self.plan, spec.index
        if plan.given_all and index in plan.given:
            return plan.given[index].to(law.mean)
        if plan.at_means:
            at: Tensor = law.mean
            return at
        heat = plan.heat if isinstance(plan.heat, float | int) else plan.heat[index - 1]
        eps = plan.noise(plan.draw("p", index)).to(law.mean)
        if isinstance(law, Law) and law.weights is not None:
            u = plan.noise(plan.pick(index, law.mixed_over())).to(law.mean)
            return law.component(u, eps, heat)
        z: Tensor = law.sample(eps, heat)
        return z

    def _chosen(self, spec: LatentSpec, above: Any, own: Callable[[], Tensor]) -> Tensor:
        """z of every row: from p where the layer is skipped, else its own."""
        skips = self._skips(spec)
        if all(skips):
            return self._from_prior(spec, above)
        if not any(skips):
            return own()
        z = own()
        return torch.where(self._mask(skips, z), self._from_prior(spec, above), z)

    def _keep(self, spec: LatentSpec, q: Any, p: Any, *, z: Tensor, closed: bool) -> None:
        skips = self._skips(spec)
        if all(skips):
            self.terms[spec.index] = Terms(q, p, z)
            return
        z = z.expand(*self.plan.lead, *spec.shape)
        log_q, log_p = q.log_prob(z), p.log_prob(z)
        kl = divergence(q, p) if closed else None
        exact = kl is not None
        kl = log_q - log_p if kl is None else kl
        if any(skips):
            gone = self._mask(skips, log_q)
            log_q, log_p, kl = (row.masked_fill(gone, 0.0) for row in (log_q, log_p, kl))
        self.terms[spec.index] = Terms(q, p, z, log_q, log_p=log_p, kl=kl, exact=exact)


class Discovery:
    """Listens to a first run, and learns which layers there are and in which order."""

    def __init__(self, rows: int, noise: Noise) -> None:
        self.rows, self.noise = rows, noise
        self.shapes: dict[str, tuple[int, ...]] = {}
        self.down: list[str] = []
        """The layers in the order in which p of each is reached, the top first."""
        self.upward: dict[str, Tensor] = {}
        """What ``infer`` gave, by name."""
        self.likelihood: Any = None

    def latent(self, name: str, q: Given, p: Given) -> Tensor:
        """A draw of q."""
        z = self._drawn(name, q)
        self._below(name, p)
        return z

    def infer(self, name: str, q: Given) -> Tensor:
        """A draw of q, which ``prior`` gives again."""
        z = self.upward[name] = self._drawn(name, q)
        return z

    def prior(self, name: str, p: Given) -> Tensor:
        """What was inferred."""
        if name not in self.upward:
            raise ModelError(_not_inferred(name))
        self._below(name, p)
        return self.upward[name]

    def image(self, likelihood: Any) -> None:
        """Keep p(x | z)."""
        if self.likelihood is not None:
            raise ModelError("hv.image was reached twice in one forward; mark p(x | z) once.")
        self.likelihood = likelihood

    def _drawn(self, name: str, q: Given) -> Tensor:
        if not isinstance(name, str) or not name.strip():
            raise ModelError(f"A latent has the name {name!r}; give it a word, such as z1.")
        if name in self.shapes:
            raise ModelError(_twice(name))
        law = read(name, q, lead=(1, self.rows))
        self.shapes[name] = shape = tuple(law.mean.shape[2:])
        eps = self.noise.normal(name, 1, self.rows, shape).to(law.mean)
        return law.sample(eps).flatten(0, 1).to(dtype_of(q))

    def _below(self, name: str, p: Given) -> None:
        if name in self.down:
            raise ModelError(_twice(name))
        read(name, p, lead=(1, self.rows), shape=self.shapes[name])
        self.down.append(name)


def _twice(name: str) -> str:
    return (
        f"The latent {name} was reached twice in one forward; give every layer a name of its own, "
        'in a loop such as f"z{i}".'
    )


def _not_inferred(name: str) -> str:
    return (
        f"hv.prior reached the latent {name} before hv.infer did; every layer with hv.prior needs "
        "hv.infer of the same name earlier in the same forward."
    )
