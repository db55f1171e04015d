"""hvae-oodd and biva-pytorch written out from the description of their files, one image batch.

Nothing of the program is used. ``Files`` makes a random weight when it is first asked for, under
the project's own name: so a plain network that runs once leaves a state dict of the project.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

LN2 = math.log(2)


@dataclass
class Files:
    """A state dict of float32 weights, read in double precision."""

    seed: int = 0
    state: dict[str, Tensor] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.stream = torch.Generator().manual_seed(self.seed)

    def __call__(self, name: str, *shape: int, scale: float = 1.0) -> Tensor:
        if name not in self.state:
            self.state[name] = scale * torch.randn(shape, generator=self.stream)
        assert self.state[name].shape == shape, name
        return self.state[name].double()

    def weight(self, name: str, *shape: int, out: int = 0, normed: bool = True) -> Tensor:
        if not normed:
            return self(f"{name}.weight", *shape, scale=0.3)
        self.state[f"{name.rpartition('.')[0]}.initialized"] = torch.tensor(True)
        v = self(f"{name}.weight_v", *shape)
        ones = [n if i == out else 1 for i, n in enumerate(shape)]
        g = self(f"{name}.weight_g", *ones)
        others = [i for i in range(len(shape)) if i != out]
        return g * v / v.square().sum(others, keepdim=True).sqrt()


def pad_same(x: Tensor, k: int, t: int) -> Tensor:
    for axis in (2, 3):
        n = x.shape[axis]
        total = max(0, (math.ceil(n / t) - 1) * t + k - n)
        before, after = (list(x.shape) for _ in range(2))
        before[axis], after[axis] = total // 2, total - total // 2
        x = torch.cat([x.new_zeros(before), x, x.new_zeros(after)], axis)
    return x


def conv(
    w: Files, name: str, x: Tensor, out: int, *, k: int, t: int = 1, normed: bool = True
) -> Tensor:
    kernel = w.weight(f"{name}.conv", out, x.shape[1], k, k, normed=normed)
    return F.conv2d(pad_same(x, k, t), kernel, w(f"{name}.conv.bias", out, scale=0.3), t)


def widen(
    w: Files, name: str, x: Tensor, out: int, *, k: int, t: int, normed: bool = True
) -> Tensor:
    """The transposed convolution, cut to t times the size."""
    kernel = w.weight(f"{name}.conv", x.shape[1], out, k, k, out=1, normed=normed)
    y = F.conv_transpose2d(x, kernel, w(f"{name}.conv.bias", out, scale=0.3), t)
    first = math.floor((k - t) / 2)
    rows, columns = x.shape[2] * t, x.shape[3] * t
    return y[:, :, first : first + rows, first : first + columns]


def dense(w: Files, name: str, x: Tensor, out: int, normed: bool = True) -> Tensor:
    x = x.flatten(1)
    kernel = w.weight(name, out, x.shape[1], normed=normed)
    return x @ kernel.T + w(f"{name}.bias", out, scale=0.3)


def pooled(h: Tensor, t: int) -> Tensor:
    padded = pad_same(h, 3, t)
    kernel = torch.full((h.shape[1], 1, 3, 3), 1 / 9, dtype=h.dtype)
    return F.conv2d(padded, kernel, stride=t, groups=h.shape[1])


def aux(
    w: Files, name: str, a: Tensor, wanted: torch.Size, *, out: int, k: int, normed: bool
) -> Tensor:
    """act(a) brought to the size of the block."""
    if a.shape[2:] == wanted[2:]:
        return conv(w, name, a, out, k=1, normed=normed)
    if a.shape[2] > wanted[2]:
        return conv(w, name, a, out, k=k, t=math.ceil(a.shape[2] / wanted[2]), normed=normed)
    return widen(w, name, a, out, k=k, t=wanted[2] // a.shape[2], normed=normed)


class Noises(dict[str, Tensor]):
    """Normal numbers by name, drawn when they are first asked for."""

    def __init__(self, seed: int) -> None:
        super().__init__()
        self.stream = torch.Generator().manual_seed(seed)

    def of(self, name: str, like: Tensor) -> Tensor:
        if name not in self:
            self[name] = torch.randn(like.shape, generator=self.stream).double()
        return self[name]


@dataclass
class Draws:
    """Every latent at its noise, with log q and log p of what was used."""

    noise: Noises
    log_q: dict[str, Tensor] = field(default_factory=dict)
    log_p: dict[str, Tensor] = field(default_factory=dict)

    def q(self, name: str, mean: Tensor, std: Tensor, *, still: bool) -> Tensor:
        z = mean if still else mean + std * self.noise.of(name, mean)
        self.log_q[name] = normal(z, mean, std)
        return z

    def p(self, name: str, mean: Tensor, std: Tensor, z: Tensor | None) -> Tensor:
        """z where it is inferred, else the mean."""
        if z is None:
            return mean
        self.log_p[name] = normal(z, mean, std)
        return z


def normal(z: Tensor, mean: Tensor, std: Tensor) -> Tensor:
    term = ((z - mean) / std) ** 2 + 2 * std.log() + math.log(2 * math.pi)
    return -term.flatten(1).sum(1) / 2


# --- hvae-oodd --------------------------------------------------------------------------------

OODD_ACTS: dict[str, Callable[[Tensor], Tensor]] = {
    "ReLU": lambda x: x.clamp(min=0),
    "Swish": lambda x: x * torch.sigmoid(x),
    "ELU": lambda x: torch.where(x > 0, x, x.clamp(max=0).exp() - 1),
}


def oodd_block(
    w: Files,
    name: str,
    h: Tensor,
    spec: dict[str, Any],
    *,
    act: Callable[[Tensor], Tensor],
    residual: bool,
    down: bool = False,
    a: Tensor | None = None,
    assumed: torch.Size | None = None,
) -> Tensor:
    c, k, t, normed = (spec[n] for n in ("out_channels", "kernel_size", "stride", "weightnorm"))
    y = conv(w, f"{name}.conv1", act(h) if residual else h, c, k=k, normed=normed)
    if a is not None:
        shape = a.shape if assumed is None else assumed
        if shape[1:] != y.shape[1:]:
            assert a.shape[1] == shape[1]
            if shape[2:] == y.shape[2:]:
                y = y + conv(w, f"{name}.aux_op", act(a), c, k=1, normed=normed)
            elif shape[2] > y.shape[2]:
                ratio = math.ceil(shape[2] / y.shape[2])
                y = y + conv(w, f"{name}.aux_op", act(a), c, k=k, t=ratio, normed=normed)
            else:
                ratio = y.shape[2] // shape[2]
                y = y + widen(w, f"{name}.aux_op", act(a), c, k=k, t=ratio, normed=normed)
    y, outputs = act(y), 2 * c if spec["gated"] else c
    if down and t > 1:
        y = widen(w, f"{name}.conv2", y, outputs, k=k, t=t, normed=normed)
    else:
        y = conv(w, f"{name}.conv2", y, outputs, k=k, t=t, normed=normed)
    if spec["gated"]:
        y = y[:, :c] * torch.sigmoid(y[:, c:])
    if not residual or y.shape[2] > h.shape[2]:
        return y
    beside = h[:, :c]
    if beside.shape[1] < c:
        beside = torch.cat([beside, h.new_zeros(len(h), c - h.shape[1], *h.shape[2:])], 1)
    return y + (pooled(beside, t) if y.shape[2] < h.shape[2] else beside)


def oodd_numbers(
    w: Files, name: str, h: Tensor, spec: dict[str, Any], act: Callable[[Tensor], Tensor]
) -> tuple[Tensor, Tensor]:
    n, normed = 2 * spec["latent_features"], spec["weightnorm"]
    if spec["block"] == "GaussianDense":
        raw = dense(w, f"{name}.linear", act(h), n, normed)
        w.state[f"{name}.initialized"] = torch.tensor(True)
    else:
        raw = conv(w, name, act(h), n, k=spec.get("kernel_size", 3), normed=normed)
    mean, scale = raw.chunk(2, 1)
    return mean, (torch.log(1 + torch.exp(LN2 * scale)) / LN2).clamp(min=1e-6)


def oodd(
    w: Files, kwargs: dict[str, Any], x: Tensor, noise: Noises, k: int
) -> tuple[Tensor, Draws]:
    """The numbers of the likelihood at the last layer, and all log q and log p of L_>k."""
    act, draws = OODD_ACTS[kwargs["activation"]], Draws(noise)
    blocks, latents = kwargs["config_deterministic"], kwargs["config_stochastic"]
    top, image = len(blocks) - 1, x
    if kwargs["padded_shape"]:
        rows, columns = (
            (n - m) // 2 for n, m in zip(kwargs["padded_shape"], x.shape[2:], strict=True)
        )
        x = F.pad(x, (columns, columns, rows, rows))

    def feature(kind: str, i: int, z: Tensor, h: Tensor) -> Tensor:
        if latents[i]["block"] != "GaussianDense":
            return z
        name = f"stages.{i}.{kind}_projection.transform"
        w.state[f"{name}.initialized"] = torch.tensor(True)
        return dense(w, f"{name}.linear", z, h[0].numel()).view(len(z), *h.shape[1:])

    # Up.
    zs: list[Tensor] = []
    shapes: list[Tensor] = []
    below, skip = x, None
    for i, stage in enumerate(blocks):
        h = below
        for j, spec in enumerate(stage):
            name = f"stages.{i}.q_deterministic.layers.{j}"
            h = oodd_block(w, name, h, spec, act=act, residual=i > 0 or j > 0, a=skip)
        mean, std = oodd_numbers(w, f"stages.{i}.stochastic.in_transform_q", h, latents[i], act)
        zs.append(draws.q(f"q{i + 1}", mean, std, still=i < k))
        shapes.append(h)
        below, skip = feature("q", i, zs[-1], h), h
    # Down.
    d: Tensor | None = None
    above: list[Tensor] = []
    for i in range(top, -1, -1):
        if i == top:
            logits = w.state[f"stages.{top}.stochastic.prior_logits"].double()
            mean, scale = (part.expand_as(zs[i]) for part in logits.chunk(2))
            std = torch.log(1 + torch.exp(LN2 * scale)) / LN2
        else:
            assert d is not None
            mean, std = oodd_numbers(w, f"stages.{i}.stochastic.in_transform_p", d, latents[i], act)
        z = draws.p(f"q{i + 1}", mean, std, None if i < k else zs[i])
        h, outputs = feature("p", i, z, shapes[i]), []
        for j, spec in enumerate(blocks[i][::-1]):
            offered = above[j] if kwargs["skip_stochastic"] and i < top else None
            h = oodd_block(
                w,
                f"stages.{i}.p_deterministic.layers.{j}",
                h,
                spec,
                act=act,
                residual=j > 0,
                down=True,
                a=offered,
                assumed=shapes[i].shape,
            )
            outputs.append(h)
        d, above = h, outputs
    assert d is not None
    rows, columns = ((n - m) // 2 for n, m in zip(d.shape[2:], image.shape[2:], strict=True))
    d = d[:, :, rows : rows + image.shape[2], columns : columns + image.shape[3]]
    binary = kwargs["likelihood_module"].startswith("Bernoulli")
    normed = blocks[-1][-1]["weightnorm"]
    outputs_x, kernel = (image.shape[1], 3) if binary else (100, 1)
    d = act(d) if binary else d  # as the stored numbers of a mixture say
    raw = conv(w, "likelihood.parameter_net", d, outputs_x, k=kernel, normed=normed)
    for i in range(len(blocks)):  # constants that the project keeps in its files
        w.state[f"stages.{i}.stochastic.std_activation_inverse.beta"] = torch.tensor([LN2])
    return raw, draws


# --- biva-pytorch -----------------------------------------------------------------------------


def elu(x: Tensor) -> Tensor:
    return OODD_ACTS["ELU"](x)


LOG_VARIANCES: dict[str | None, Callable[[Tensor], Tensor]] = {
    "Softplus": lambda r: torch.log(1 + torch.exp(r)),
    "Tanh": torch.tanh,
    None: lambda r: r,
}


def gated(
    w: Files,
    name: str,
    h: Tensor,
    spec: list[int],
    *,
    residual: bool = True,
    down: bool = False,
    a: Tensor | None = None,
) -> Tensor:
    c, k, t = spec
    y = conv(w, f"{name}.conv1", elu(h) if residual else h, c, k=k)
    if a is not None:
        y = y + aux(w, f"{name}.aux_op", elu(a), h.shape, out=c, k=k, normed=True)
    y = elu(y)
    if down and t > 1:
        y = widen(w, f"{name}.conv2", y, 2 * c, k=k, t=t)
    else:
        y = conv(w, f"{name}.conv2", y, 2 * c, k=k, t=t)
    y = y[:, :c] * torch.sigmoid(y[:, c:])
    if not residual or y.shape[2] > h.shape[2] or h.shape[1] < c:
        return y
    return y + (pooled(h[:, :c], t) if y.shape[2] < h.shape[2] else h[:, :c])


@dataclass
class Biva:
    """The three kinds of stages; ``skips`` are the paths whose blocks have a second input."""

    w: Files
    options: dict[str, Any]
    kind: str
    skips: frozenset[str]

    def numbers(self, name: str, h: Tensor, i: int) -> tuple[Tensor, Tensor]:
        latent = self.options["latents"][i]
        if "kernel" in latent:
            raw = conv(self.w, name, elu(h), 2 * latent["N"], k=latent["kernel"])
        else:
            raw = dense(self.w, f"{name}.linear", elu(h), 2 * latent["N"])
        mean, r = raw.chunk(2, 1)
        return mean, (LOG_VARIANCES[self.options["log_var_act"]](r) / 2).exp()

    def feature(self, name: str, i: int, z: Tensor, h: Tensor) -> Tensor:
        if "kernel" in self.options["latents"][i]:
            return z
        name = f"stages.{i}.{name}.linear"
        out = dense(self.w, f"{name}.linear", z, h[0].numel())
        return out.view(len(z), *h.shape[1:])

    def climb(self, path: str, i: int, h: Tensor, a: Tensor | None) -> Tensor:
        for j, spec in enumerate(self.options["stages"][i]):
            name = f"stages.{i}.{path}.layers.{j}"
            offered = a if path in self.skips else None
            h = gated(self.w, name, h, spec, residual=i > 0 or j > 0, a=offered)
        return h

    def descend(self, i: int, h: Tensor, above: list[Tensor]) -> list[Tensor]:
        queue, outputs, top = list(above), [], i == len(self.options["stages"]) - 1
        for j, spec in enumerate(self.options["stages"][i][::-1]):
            offered = None if top or "p_convs" not in self.skips else queue[j]
            name = f"stages.{i}.p_convs.layers.{j}"
            h = gated(self.w, name, h, spec, residual=j > 0, down=True, a=offered)
            queue.append(h)
            outputs.append(h)
        return outputs

    def top(self, z: Tensor) -> tuple[Tensor, Tensor]:
        i = len(self.options["stages"]) - 1
        prior = self.w(f"stages.{i}.stochastic.prior", 2 * z.shape[1], *z.shape[2:], scale=0.2)
        mean, log_variance = prior.chunk(2)
        return mean.expand_as(z), (log_variance / 2).exp().expand_as(z)

    def __call__(self, x: Tensor, noise: Noises, k: int) -> tuple[Tensor, Draws]:
        draws = Draws(noise)
        run = {"BivaStage": self.biva, "LvaeStage": self.lvae, "VaeStage": self.vae}[self.kind]
        d = run(x, draws, k)
        return conv(self.w, "projection.1", elu(d), self.options["features_out"], k=1), draws

    def vae(self, x: Tensor, draws: Draws, k: int) -> Tensor:
        n = len(self.options["stages"])
        hs: list[Tensor] = []
        zs: list[Tensor] = []
        for i in range(n):
            below = x if i == 0 else self.feature("q_proj", i - 1, zs[-1], hs[-1])
            hs.append(self.climb("q_convs", i, below, hs[-1] if hs else None))
            q = self.numbers(f"stages.{i}.stochastic.qx2z", hs[-1], i)
            zs.append(draws.q(f"q{i + 1}", *q, still=i < k))
        outputs: list[Tensor] = []
        for i in range(n - 1, -1, -1):
            name = f"stages.{i}.stochastic.px2z"
            p = self.numbers(name, outputs[-1], i) if outputs else self.top(zs[-1])
            z = draws.p(f"q{i + 1}", *p, None if i < k else zs[i])
            outputs = self.descend(i, self.feature("p_proj", i, z, hs[i]), outputs)
        return outputs[-1]

    def lvae(self, x: Tensor, draws: Draws, k: int) -> Tensor:
        n = len(self.options["stages"])
        hs: list[Tensor] = []
        for i in range(n):
            hs.append(self.climb("q_convs", i, hs[-1] if hs else x, hs[-1] if hs else None))
        outputs: list[Tensor] = []
        for i in range(n - 1, -1, -1):
            z: Tensor | None = None
            c, size, _ = self.options["stages"][i][-1]
            merged = gated(
                self.w,
                f"stages.{i}.merge",
                hs[i],
                [c, size, 1],
                a=outputs[-1] if outputs and "merge" in self.skips else None,
            )
            q = self.numbers(f"stages.{i}.stochastic.qx2z", merged, i)
            if i >= k:
                z = draws.q(f"q{i + 1}", *q, still=False)
            name = f"stages.{i}.stochastic.px2z"
            p = self.numbers(name, outputs[-1], i) if outputs else self.top(q[0])
            z = draws.p(f"q{i + 1}", *p, z)
            outputs = self.descend(i, self.feature("p_proj", i, z, hs[i]), outputs)
        return outputs[-1]

    def biva(self, x: Tensor, draws: Draws, k: int) -> Tensor:
        n = len(self.options["stages"])
        bs: list[Tensor] = []
        ts: list[Tensor] = []
        zs: list[Tensor] = []
        joint: Tensor | None = None
        through = beside = x
        for i in range(n):
            bs.append(self.climb("q_bu_convs", i, through, joint))
            ts.append(self.climb("q_td_convs", i, beside, bs[-1]))
            if i < n - 1:
                q = self.numbers(f"stages.{i}.bu_stochastic.qx2z", bs[-1], i)
                zs.append(draws.q(f"q{2 * i + 1}", *q, still=i < k))
                through = self.feature("bu_proj", i, zs[-1], bs[-1])
            beside, joint = ts[-1], torch.cat([bs[-1], ts[-1]], 1)
        outputs: list[Tensor] = []
        for i in range(n - 1, -1, -1):
            if i == n - 1:
                c, size, _ = self.options["stages"][i][-1]
                assert joint is not None
                merged = gated(self.w, f"stages.{i}.q_top", joint, [c, size, 1])
                q = self.numbers(f"stages.{i}.stochastic.qx2z", merged, i)
                z = draws.q(f"q{2 * i + 1}", *q, still=False)
                z = draws.p(f"q{2 * i + 1}", *self.top(z), z)
            else:
                d, name = outputs[-1], f"stages.{i}"
                a = d if "merge" in self.skips else None
                merged = gated(
                    self.w, f"{name}.merge", ts[i], [self.options["stages"][i][0][0], 3, 1], a=a
                )
                q = self.numbers(f"{name}.td_stochastic.qx2z", merged, i)
                td = draws.q(f"q{2 * i + 2}", *q, still=False) if i >= k else None
                p = self.numbers(f"{name}.td_stochastic.px2z", d, i)
                td = draws.p(f"q{2 * i + 2}", *p, td)
                p = self.numbers(f"{name}.bu_stochastic.px2z", d, i)
                bu = draws.p(f"q{2 * i + 1}", *p, zs[i] if i >= k else None)
                z = torch.cat([td, bu], 1)
            outputs = self.descend(i, self.feature("z_proj", i, z, bs[i]), outputs)
        return outputs[-1]
