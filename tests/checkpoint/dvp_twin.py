"""The network of dvp_vae once more, by plain sums, from the description of its files alone."""

from __future__ import annotations

import math
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor


class Twin:
    """The described network, at zero noise, from the tensors by the names of the files."""

    def __init__(self, weights: dict[str, Tensor], model: dict[str, Any]) -> None:
        self.w = {name: tensor.double() for name, tensor in weights.items()}
        self.model = model
        self.normed = model["decoder"]["batch_norm"]

    def conv(self, name: str, x: Tensor, stride: int = 1) -> Tensor:
        w = self.w
        kernel = w.get(f"{name}.weight")
        if kernel is None:
            v = w[f"{name}.weight_v"]
            norm = v.flatten(1).norm(dim=1).view(-1, 1, 1, 1)
            kernel = w[f"{name}.weight_g"] * v / norm
        pad = kernel.shape[-1] // 2
        return F.conv2d(x, kernel, w[f"{name}.bias"], stride, pad)

    def norm(self, name: str, x: Tensor) -> Tensor:
        parts = (self.w[f"{name}.{k}"].view(-1, 1, 1)
                 for k in ("running_mean", "running_var", "weight", "bias"))  # fmt: skip
        mean, var, scale, shift = parts
        return (x - mean) / (var + 1e-5).sqrt() * scale + shift

    def up(self, p: str, x: Tensor) -> Tensor:
        h = x
        for j in range(4):
            if self.normed:
                h = self.norm(f"{p}.net.{j}.net.0", h)
            h = self.conv(f"{p}.net.{j}.net.{2 if self.normed else 1}", h * torch.sigmoid(h))
        return self.sum(p, x, h)

    def down(self, p: str, x: Tensor) -> Tensor:
        h, first = x, 0
        if self.normed:
            h, first = self.norm(f"{p}.net.0", x), 1
        for j in range(first, first + 3):
            h = self.conv(f"{p}.net.{j}.net.0", h)
            h = self.norm(f"{p}.net.{j}.net.1", h) if self.normed else h
            h = h * torch.sigmoid(h)
        h = self.conv(f"{p}.net.{first + 3}", h)
        return self.sum(p, x, self.norm(f"{p}.net.{first + 4}", h) if self.normed else h)

    def sum(self, p: str, x: Tensor, h: Tensor) -> Tensor:
        skip = self.conv(f"{p}.skip", x) if f"{p}.skip.weight" in self.w else x
        return skip + self.w[f"{p}.beta"] * h

    def features(self, x: Tensor) -> list[Tensor]:
        """What each latent's posterior reads, the largest first."""
        encoder = self.model["encoder"]
        h = self.conv("encoder.pre_process.0", x)
        for i in range(encoder["num_init_blocks"]):
            h = self.up(f"encoder.pre_process.{i + 1}", h)
        out, group, pool = [], 0, 1
        for scale, count in enumerate(encoder["latent_scales"]):
            pool *= 1 if scale == 0 and encoder["start_scale_at_x"] else 2
            small = "Small" in encoder["_target_"]
            for _ in range(min(1, count) if small else count):
                for b in range(encoder["num_blocks_per_scale"]):
                    h = self.up(f"encoder.encoder_blocks.{group}.{b}", h)
                h = F.avg_pool2d(h, pool)
                pool, group = 1, group + 1
                out += [h] * (count if small else 1)
        return out

    def dct(self, x: Tensor, size: int) -> Tensor:
        n = x.shape[-1]
        table = torch.cos(torch.arange(size).double().outer(torch.arange(n) + 0.5) * math.pi / n)
        table = table * math.sqrt(2 / n)
        table[0] = 1 / math.sqrt(n)
        self.table = table
        return torch.einsum("ia,jb,zcab->zcij", table, table, x)

    def unet(self, p: str, x: Tensor, t: Tensor) -> Tensor:
        net = self.model["decoder"]["z_L_prior"]["model"]
        w, half = self.w, net["model_channels"] // 2
        angle = t[:, None] * torch.exp(-math.log(10000) * torch.arange(half).double() / half)
        emb = torch.cat([angle.cos(), angle.sin()], 1)
        emb = emb @ w[f"{p}.time_embed.0.weight"].T + w[f"{p}.time_embed.0.bias"]
        emb = F.silu(emb) @ w[f"{p}.time_embed.2.weight"].T + w[f"{p}.time_embed.2.bias"]

        def group(q: str, h: Tensor) -> Tensor:
            return F.group_norm(h, 16, w[f"{q}.weight"], w[f"{q}.bias"], 1e-5)

        def part(q: str, h: Tensor) -> Tensor:
            if f"{q}.op.weight" in w:
                return self.conv(f"{q}.op", h, 2)
            if f"{q}.conv.weight" in w:
                return self.conv(f"{q}.conv", h.repeat_interleave(2, 2).repeat_interleave(2, 3))
            if f"{q}.qkv.weight" in w:
                b, c, a, e = h.shape
                rows = F.conv1d(
                    group(f"{q}.norm", h.flatten(2)), w[f"{q}.qkv.weight"], w[f"{q}.qkv.bias"]
                )
                heads = []
                for one in rows.chunk(net["num_heads"], 1):
                    query, key, value = one.chunk(3, 1)
                    weight = torch.einsum("bcq,bck->bqk", query, key) / math.sqrt(query.shape[1])
                    heads.append(torch.einsum("bqk,bck->bcq", weight.softmax(2), value))
                kernel, bias = w[f"{q}.proj_out.weight"], w[f"{q}.proj_out.bias"]
                return h + F.conv1d(torch.cat(heads, 1), kernel, bias).view(b, c, a, e)
            if f"{q}.in_layers.0.weight" not in w:
                return self.conv(q, h)
            timed = F.silu(emb) @ w[f"{q}.emb_layers.1.weight"].T + w[f"{q}.emb_layers.1.bias"]
            scale, shift = timed[:, :, None, None].chunk(2, 1)
            y = self.conv(f"{q}.in_layers.2", F.silu(group(f"{q}.in_layers.0", h)))
            y = F.silu(group(f"{q}.out_layers.0", y) * (1 + scale) + shift)
            skip = f"{q}.skip_connection"
            y = self.conv(f"{q}.out_layers.3", y)
            return y + (self.conv(skip, h) if f"{skip}.weight" in w else h)

        def run(q: str, h: Tensor) -> Tensor:
            for j in range(4):
                if any(name.startswith(f"{q}.{j}.") for name in w):
                    h = part(f"{q}.{j}", h)
            return h

        kept, h, i = [], x, 0
        while any(name.startswith(f"{p}.input_blocks.{i}.") for name in w):
            h, i = run(f"{p}.input_blocks.{i}", h), i + 1
            kept.append(h)
        h = run(f"{p}.middle_block", h)
        for j in range(i):
            h = run(f"{p}.output_blocks.{j}", torch.cat([h, kept.pop()], 1))
        h = F.silu(group(f"{p}.out.0", h))
        return self.conv(f"{p}.out.2", h)

    def cost_of_u(self, u: Tensor) -> Tensor:
        """L0 + Lt + LT at zero noise, with a discrete last step and steps of their own times."""
        prior, p = self.model["decoder"]["z_L_prior"], "decoder.decoder_blocks.0.ctx_prior"
        g0, g1 = (float(self.w[f"{p}.noise_schedule.gamma_{end}"]) for end in ("min", "max"))

        def sig(v: float) -> float:
            return 1 / (1 + math.exp(-v))

        z0 = math.sqrt(sig(-g0)) * u
        j = torch.round((u.clamp(-1, 1) + 1) / 2 * 255)
        gap = z0 - ((2 * j + 1) / 256 - 1)

        def cdf(v: Tensor) -> Tensor:
            return 0.5 * (1 + torch.tanh(math.sqrt(2 / math.pi) * (v + 0.044715 * v**3)))

        mass = cdf(2304 * (gap + 1 / 255)) - cdf(2304 * (gap - 1 / 255))
        total = -mass.clamp_min(1e-10).log().flatten(1).sum(1)
        steps = prior["T"]
        for i in range(1, steps + 1):
            gamma, before = (g0 + (g1 - g0) * k / steps for k in (i, i - 1))
            t = torch.full((len(u),), i / steps, dtype=torch.float64)
            guess = self.unet(f"{p}.model", math.sqrt(sig(-gamma)) * u, t)
            weight = steps / 2 * math.expm1(gamma - before)
            total = total + weight * guess.square().flatten(1).sum(1) / steps
        last = sig(-g1) * u**2 + sig(g1) - math.log(sig(g1)) - 1
        return total + last.flatten(1).sum(1) / 2

    def run(self, grey: Tensor) -> tuple[Tensor, dict[str, Tensor]]:
        """The network's last numbers (B, ., H, W), and KL by latent (log q - log p of u)."""
        decoder = self.model["decoder"]
        colour = decoder["likelihood"] != "bernoulli"
        x = ((255 * grey - 127.5) * (1 / 127.5) if colour else 2 * grey - 1).double()
        inputs = (127.5 * x + 127.5 - 120.63838) / 64.16736 if colour else x
        features = self.features(inputs)[::-1]
        kl: dict[str, Tensor] = {}
        context, first = None, 0
        if "decoder.decoder_blocks.0.q_logvar" in self.w:
            first, scale = 1, self.w["decoder.decoder_blocks.0.dct_scale"]
            u = (self.dct((x + 1) / 2, scale.shape[-1]) / scale).clamp(-1, 1)
            table = self.table
            image = torch.einsum("ia,jb,zcij->zcab", table, table, u * scale)
            context = 2 * image.clamp(0, 1) - 1
            lv = self.w["decoder.decoder_blocks.0.q_logvar"].clamp(-12, -5)
            log_q = -0.5 * (math.log(2 * math.pi) + lv).sum()
            kl["u"] = log_q + self.cost_of_u(u)
        s = torch.ones_like(features[0])
        total = torch.zeros(())
        for i, enc in enumerate(features):
            p = f"decoder.decoder_blocks.{i + first}"
            seen = s
            if context is not None:
                seen = torch.cat([s, F.avg_pool2d(context, x.shape[-1] // s.shape[-1])], 1)
            width = decoder["latent_width"][0]
            mp, vp, h = self.down(f"{p}.s_to_p", seen).split([width, width, s.shape[1]], 1)
            mq, vq = self.down(f"{p}.s_to_q", (enc + s) / math.sqrt(2)).chunk(2, 1)
            vp, vq = (v.clamp(decoder["min_logvar"], 1) for v in (vp, vq))
            each = 0.5 * (-1 + vp - vq + (vq.exp() + (mq - mp) ** 2) / vp.exp())
            kl[f"z{len(features) - i}"] = each.flatten(1).sum(1)
            wide = {"size": x.shape[-2:], "mode": "bilinear", "align_corners": False}
            total = total + F.interpolate(mq, **wide)
            if i + 1 < len(features):
                s = s + h + self.conv(f"{p}.z_up", mq)
                for b in range(decoder["num_blocks_per_scale"]):
                    s = self.down(f"{p}.resnet.{b}", s)
                s = F.interpolate(s, **{**wide, "size": features[i + 1].shape[-2:]})
        out = self.conv("decoder.z_to_features", total / math.sqrt(len(features)))
        n = decoder["num_postprocess_blocks"]
        for b in range(n):
            out = self.down(f"decoder.post_process.{b}", out)
        return self.conv(f"decoder.post_process.{n}", out), kl
