"""L_<l, the complement of L_>k: upper levels drawn from the prior, lower ones read (HVK App. E).

L_<l = E_{p(z_>=l) q(z_<l|x)} [log p(x|z) + log p(z_<l | z_>=l) - log q(z_<l|x)]. The paper numbers
it so that the ELBO is l = L; here, where z_>=l is drawn from the prior, nothing is at l = K + 1.
Under top-down inference q(z_<l | x) reads the drawn z_>=l, as it reads any layer above.
"""

from __future__ import annotations

from collections.abc import Sequence

from torch import Tensor

from hvae_core.common.noise import Noise
from hvae_core.models.distributions import Gaussian
from hvae_core.models.inference.steps import BidirectionalSteps, BottomUpSteps, TopDownSteps
from hvae_core.models.trace import Draw


def lower_bottom_up(
    model: BottomUpSteps, x: Tensor, reads: Sequence[int], *, noise: Noise
) -> list[Tensor]:
    """One way up through q and one way down the prior serve every l."""
    draw, batch, top = model.draws(noise, 1, x), x.shape[0], model.n_layers
    # 1. Up through q, as far as any l reads the image.
    image = x.unsqueeze(0)
    q: list[Gaussian] = []
    z: list[Tensor] = []
    for index in range(1, max(reads) + 1):
        q.append(model.posterior(index, image, z))
        z.append(q[-1].sample(draw("q", index)))
    # 2. Down the prior: z_i .. z_L that have not seen the image, as far as any l asks.
    blind: list[Tensor] = []
    for index in range(top, min(reads), -1):
        p = model.prior(index, blind) if blind else model.top_prior(batch)
        blind.insert(0, model.draw_prior(p, index, n=batch, noise=noise))
    # 3. For every l the lower part of the one and the upper part of the other.
    bounds = []
    for read in reads:
        both = [*z[:read], *blind[len(blind) - top + read :]]
        total = model.decode(both).log_prob(x)
        for index in range(1, read + 1):
            log_q = q[index - 1].log_prob(z[index - 1])
            if index == top:
                prior = model.top_prior(batch)
                total = total - model.divergence(q[-1], prior, log_q - prior.log_prob(z[-1]))
            else:
                total = total + model.prior(index, both[index:]).log_prob(z[index - 1]) - log_q
        bounds.append(total[0])
    return bounds


def lower_top_down(
    model: TopDownSteps, x: Tensor, reads: Sequence[int], *, noise: Noise
) -> list[Tensor]:
    """One way down the prior, which a way through q leaves at every l."""
    draw, batch, top = model.draws(noise, 1, x), x.shape[0], model.n_layers
    features = model.encode(x.unsqueeze(0))
    target = model.target(x, noise)
    # 1. Down the prior: the state above z_i, all above it drawn from the prior, by i.
    states = {top: model.start(batch)}
    for index in range(top, min(reads), -1):
        z = model.ancestor(index, states[index], n=batch, noise=noise)
        states[index - 1] = model.absorb(index, states[index], z)
    # 2. For every l on from there through q.
    bounds = []
    for read in reads:
        state, total = states[read], x.new_zeros(())
        for index in range(read, 0, -1):
            p = model.prior(index, state)
            q = model.posterior(index, state, p, features)
            z = q.sample(draw("q", index))
            log_ratio = q.log_prob(z) - model.log_prior(index, p, z, noise)
            total = total - model.divergence(q, p, log_ratio)
            state = model.absorb(index, state, z)
        bounds.append((total + model.emit(state).log_prob(target))[0])
    return bounds


def lower_both_ways(
    model: BidirectionalSteps, x: Tensor, reads: Sequence[int], *, noise: Noise
) -> list[Tensor]:
    """z^BU of the levels that read come from the way up, all else from the way down."""
    draw, batch, top = model.draws(noise, 1, x), x.shape[0], model.n_levels
    levels = [(read + 1) // 2 for read in reads]  # the top level is one layer, the others two
    # 1. Up through q, as far as any l reads the image.
    d, up = _rise(model, x, levels=max(levels), draw=draw)
    # 2. Down the prior: the state above a level, all above it drawn from the prior.
    states = {top: model.start(batch)}
    for level in range(top, min(levels), -1):
        priors = model.priors_of(level, states[level], batch)
        parts = [
            model.draw_prior(p, index, n=batch, noise=noise)
            for index, p in zip(model.indices(level), priors, strict=True)
        ]
        states[level - 1] = model.absorb(level, states[level], parts)
    # 3. For every l on from there: z^TD drawn given what is above, z^BU as it was drawn on the way.
    bounds = []
    for read in levels:
        state, total = states[read], x.new_zeros(())
        for level in range(read, 0, -1):
            q = model.posterior_down(level, state, d[level])
            z = q.sample(draw("q", model.indices(level)[-1]))
            priors = model.priors_of(level, state, batch)
            total = total - model.divergence(q, priors[-1], q.log_prob(z) - priors[-1].log_prob(z))
            parts = [z]
            if level < top:
                q_up, z_up = up[level]
                total = total + priors[0].log_prob(z_up) - q_up.log_prob(z_up)
                parts.insert(0, z_up)
            state = model.absorb(level, state, parts)
        bounds.append((total + model.emit(state).log_prob(x))[0])
    return bounds


def _rise(
    model: BidirectionalSteps, x: Tensor, *, levels: int, draw: Draw
) -> tuple[dict[int, Tensor], dict[int, tuple[Gaussian, Tensor]]]:
    """Features d of the lowest levels, and q and draw of each z^BU among them, by level."""
    state = model.enter(x.unsqueeze(0))
    d: dict[int, Tensor] = {}
    up: dict[int, tuple[Gaussian, Tensor]] = {}
    for level in range(1, levels + 1):
        d[level] = model.features(level, state)
        if level < model.n_levels:
            q = model.posterior_up(level, d[level])
            z = q.sample(draw("q", model.indices(level)[0]))
            up[level] = (q, z)
            state = model.rise(level, d[level], z)
    return d, up
