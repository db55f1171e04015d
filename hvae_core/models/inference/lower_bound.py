"""L_<l, the complement of L_>k: upper levels drawn from the prior, lower ones read (HVK App. E).

L_<l = E_{p(z_>=l) q(z_<l|x)} [log p(x|z) + log p(z_<l | z_>=l) - log q(z_<l|x)]. The paper numbers
it so that the ELBO is l = L; here, where z_>=l is drawn from the prior, nothing is at l = K + 1.
Under top-down inference q(z_<l | x) reads the drawn z_>=l, as it reads any layer above.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import singledispatch
from typing import Any

from torch import Tensor

from hvae_core.common.noise import Noise
from hvae_core.models.base import HierarchicalVAE
from hvae_core.models.inference.both_ways import BidirectionalVAE
from hvae_core.models.inference.bottom_up import BottomUpVAE
from hvae_core.models.inference.top_down import TopDownVAE
from hvae_core.models.priors.vamp import divergence


def lower(model: HierarchicalVAE, x: Tensor, ls: Sequence[int], noise: Noise) -> list[Tensor]:
    """One-draw estimates of L_<l in nats, (B,) each, for every l of ``ls`` in 1 .. K+1.

    ``x`` (B, C, H, W) is prepared. Levels from the l-th up are drawn from the prior: at l = 1 all
    are, at l = K+1 none, which gives the ELBO with the draws of ``trace``. Terms are divergences
    where these have a closed form, as in ``bounds.bound``.
    """
    if any(not 1 <= level <= model.n_levels + 1 for level in ls):
        raise ValueError(f"l must lie in 1..{model.n_levels + 1}, not {list(ls)}")
    ends = (*model.skips, model.n_layers)
    return _lower(model, x, [ends[level - 1] for level in ls], noise)


@singledispatch
def _lower(model: Any, x: Tensor, reads: Sequence[int], noise: Noise) -> list[Tensor]:
    """L_<l where the lowest ``read`` layers read the image, one for every entry of ``reads``."""
    raise TypeError(f"no way of inference is known for {type(model).__name__}")


@_lower.register
def _(model: BottomUpVAE, x: Tensor, reads: Sequence[int], noise: Noise) -> list[Tensor]:
    """One way up through q and one way down the prior serve every l."""
    draw, batch, top = model._draws(noise, 1, x), x.shape[0], model.n_layers
    q: list[Any] = []
    z: list[Tensor] = []
    for index in range(1, max(reads) + 1):
        q.append(model.posterior(index, x.unsqueeze(0), z))
        z.append(q[-1].sample(draw("q", index)))
    blind: list[Tensor] = []  # z_i .. z_L of the prior, as far down as any l asks
    for index in range(top, min(reads), -1):
        p = model.prior(index, blind) if blind else model.top_prior(batch)
        blind.insert(0, model._ancestor(p, index, batch, noise, 1.0))
    out = []
    for read in reads:
        both = [*z[:read], *blind[len(blind) - top + read :]]
        total = model.decode(both).log_prob(x)
        for index in range(1, read + 1):
            log_q = q[index - 1].log_prob(z[index - 1])
            if index == top:
                p = model.top_prior(batch)
                total = total - divergence(q[-1], p, log_q - p.log_prob(z[-1]))
            else:
                p = model.prior(index, both[index:])
                total = total + p.log_prob(z[index - 1]) - log_q
        out.append(total[0])
    return out


@_lower.register
def _(model: TopDownVAE, x: Tensor, reads: Sequence[int], noise: Noise) -> list[Tensor]:
    """One way down the prior, which a way through q leaves at every l."""
    draw, batch, top = model._draws(noise, 1, x), x.shape[0], model.n_layers
    features = model.encode(x.unsqueeze(0))
    states = {top: model.start(batch)}  # above z_i, all above it from the prior, by i
    for index in range(top, min(reads), -1):
        state = states[index]
        if index == top:
            z = model.sample_top(batch, noise=noise).unsqueeze(0)
        else:
            z = model._ancestor(model.prior(index, state), index, batch, noise, 1.0)
        states[index - 1] = model.absorb(index, state, z)
    out = []
    for read in reads:
        state, total = states[read], x.new_zeros(())
        for index in range(read, 0, -1):
            p = model.prior(index, state)
            q = model.posterior(index, state, p, features)
            z = q.sample(draw("q", index))
            log_ratio = q.log_prob(z) - model.log_prior(index, p, z, noise)
            total = total - divergence(q, p, log_ratio)
            state = model.absorb(index, state, z)
        out.append((total + model.emit(state).log_prob(x))[0])
    return out


@_lower.register
def _(model: BidirectionalVAE, x: Tensor, reads: Sequence[int], noise: Noise) -> list[Tensor]:
    """z^BU of the levels that read come from the way up, all else from the way down."""
    draw, batch, top = model._draws(noise, 1, x), x.shape[0], model.n_levels
    levels = [(read + 1) // 2 for read in reads]  # the top level is one layer, the others two
    d, up = _rise(model, x, max(levels), draw)
    states = {top: model.start(batch)}
    for level in range(top, min(levels), -1):
        priors: Any = (
            [model.top_prior(batch)] if level == top else model.priors(level, states[level])
        )
        parts = [
            model._ancestor(p, index, batch, noise, 1.0)
            for index, p in enumerate(priors, start=2 * level - 1)
        ]
        states[level - 1] = model.absorb(level, states[level], parts)
    out = []
    for read in levels:
        state, total = states[read], x.new_zeros(())
        for level in range(read, 0, -1):
            last = 2 * level - 1 if level == top else 2 * level
            q = model.posterior_down(level, state, d[level])
            z = q.sample(draw("q", last))
            priors = [model.top_prior(batch)] if level == top else model.priors(level, state)
            total = total - divergence(q, priors[-1], q.log_prob(z) - priors[-1].log_prob(z))
            parts = [z]
            if level < top:
                q_up, z_up = up[level]
                total = total + priors[0].log_prob(z_up) - q_up.log_prob(z_up)
                parts.insert(0, z_up)
            state = model.absorb(level, state, parts)
        out.append((total + model.emit(state).log_prob(x))[0])
    return out


def _rise(
    model: BidirectionalVAE, x: Tensor, levels: int, draw: Any
) -> tuple[dict[int, Tensor], dict[int, tuple[Any, Tensor]]]:
    """Features d of the lowest levels, and q and draw of each z^BU among them, by level."""
    state = model.enter(x.unsqueeze(0))
    d: dict[int, Tensor] = {}
    up: dict[int, tuple[Any, Tensor]] = {}
    for level in range(1, levels + 1):
        d[level] = model.features(level, state)
        if level < model.n_levels:
            q = model.posterior_up(level, d[level])
            z = q.sample(draw("q", 2 * level - 1))
            up[level] = (q, z)
            state = model.rise(level, d[level], z)
    return d, up
