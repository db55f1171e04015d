"""The U-shaped noise network of guided diffusion (Dhariwal and Nichol 2021)."""

from __future__ import annotations

import math
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

_GROUPS = 16


def _norm(channels: int) -> nn.GroupNorm:
    return nn.GroupNorm(_GROUPS, channels, eps=1e-5)


class TimedBlock(nn.Module):
    """Two convolutions after group norm and silu; the time scales and shifts between them."""

    def __init__(self, inputs: int, outputs: int, time: int) -> None:
        super().__init__()
        self.in_layers = nn.Sequential(
            _norm(inputs), nn.SiLU(), nn.Conv2d(inputs, outputs, 3, padding=1)
        )
        self.emb_layers = nn.Sequential(nn.SiLU(), nn.Linear(time, 2 * outputs))
        self.out_layers = nn.Sequential(
            _norm(outputs), nn.SiLU(), nn.Identity(), nn.Conv2d(outputs, outputs, 3, padding=1)
        )
        self.skip_connection = nn.Identity() if inputs == outputs else nn.Conv2d(inputs, outputs, 1)

    def forward(self, x: Tensor, time: Tensor) -> Tensor:
        """Map (B, inputs, h, w), with the embedding (B, time), to (B, outputs, h, w)."""
        scale, shift = self.emb_layers(time)[..., None, None].chunk(2, 1)
        norm, *rest = self.out_layers
        h = norm(self.in_layers(x)) * (1 + scale) + shift
        for layer in rest:
            h = layer(h)
        out: Tensor = self.skip_connection(x) + h
        return out


class Attention(nn.Module):
    """Every place reads every other, in heads; added to what comes in."""

    def __init__(self, channels: int, heads: int) -> None:
        super().__init__()
        self.heads = heads
        self.norm = _norm(channels)
        self.qkv = nn.Conv1d(channels, 3 * channels, 1)
        self.proj_out = nn.Conv1d(channels, channels, 1)

    def forward(self, x: Tensor, time: Tensor) -> Tensor:
        """Map (B, C, h, w) to the same shape; the time has no part in it."""
        flat = x.flatten(2)
        # Each head owns three neighbouring runs of rows: its queries, keys and values.
        rows = self.qkv(self.norm(flat)).unflatten(1, (self.heads, 3, -1))
        q, k, v = rows.unbind(2)  # (B, heads, C / heads, places)
        share = (q.transpose(2, 3) @ k / math.sqrt(q.shape[2])).softmax(-1)
        out = (v @ share.transpose(2, 3)).flatten(1, 2)
        return (flat + self.proj_out(out)).view_as(x)


class _Down(nn.Module):
    """Half the size by a strided convolution."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.op = nn.Conv2d(channels, channels, 3, stride=2, padding=1)

    def forward(self, x: Tensor, time: Tensor) -> Tensor:
        out: Tensor = self.op(x)
        return out


class _Up(nn.Module):
    """Twice the size by repetition, then a convolution."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.conv = nn.Conv2d(channels, channels, 3, padding=1)

    def forward(self, x: Tensor, time: Tensor) -> Tensor:
        out: Tensor = self.conv(F.interpolate(x, scale_factor=2))
        return out


class UNet(nn.Module):
    """The noise in a picture (B, C, d, d) by the picture and its time in [0, 1]."""

    def __init__(
        self,
        colours: int,
        channels: int,
        mult: tuple[int, ...],
        *,
        blocks: int,
        attention: tuple[int, ...],
        heads: int,
    ) -> None:
        super().__init__()
        self.channels = channels
        self.time_embed = nn.Sequential(
            nn.Linear(channels, channels), nn.SiLU(), nn.Linear(channels, channels)
        )

        def stage(inputs: int, outputs: int, factor: int) -> list[nn.Module]:
            parts: list[nn.Module] = [TimedBlock(inputs, outputs, channels)]
            return parts + ([Attention(outputs, heads)] if factor in attention else [])

        # 1. Down: every step's output is kept for the way up.
        steps: list[list[nn.Module]] = [[nn.Conv2d(colours, channels, 3, padding=1)]]
        kept, width, factor = [channels], channels, 1
        for level, times in enumerate(mult):
            for _ in range(blocks):
                steps.append(stage(width, times * channels, factor))
                width = times * channels
                kept.append(width)
            if level < len(mult) - 1:
                steps.append([_Down(width)])
                kept.append(width)
                factor *= 2
        self.input_blocks = nn.ModuleList(nn.ModuleList(step) for step in steps)
        # 2. The middle.
        self.middle_block = nn.ModuleList(
            [TimedBlock(width, width, channels), Attention(width, heads),
             TimedBlock(width, width, channels)]
        )  # fmt: skip
        # 3. Up: each block reads what was kept, the last first.
        ups = []
        for level, times in reversed(list(enumerate(mult))):
            for i in range(blocks + 1):
                step = stage(width + kept.pop(), times * channels, factor)
                width = times * channels
                if level and i == blocks:
                    step.append(_Up(width))
                    factor //= 2
                ups.append(step)
        self.output_blocks = nn.ModuleList(nn.ModuleList(step) for step in ups)
        self.out = nn.Sequential(_norm(width), nn.SiLU(), nn.Conv2d(width, colours, 3, padding=1))

    def forward(self, x: Tensor, t: Tensor) -> Tensor:
        """Map (B, C, d, d) at times (B,) to the noise in it."""
        half = self.channels // 2
        steps = torch.arange(half, dtype=x.dtype, device=x.device)
        angle = t[:, None] * torch.exp(-math.log(10_000) * steps / half)
        time = self.time_embed(torch.cat([angle.cos(), angle.sin()], 1))
        kept = []
        h = self._through(self.input_blocks[0], x, time)
        kept.append(h)
        for step in list(self.input_blocks)[1:]:
            h = self._through(step, h, time)
            kept.append(h)
        h = self._through(self.middle_block, h, time)
        for step in self.output_blocks:
            h = self._through(step, torch.cat([h, kept.pop()], 1), time)
        out: Tensor = self.out(h)
        return out

    @staticmethod
    def _through(step: Any, h: Tensor, time: Tensor) -> Tensor:
        for layer in step:
            h = layer(h) if isinstance(layer, nn.Conv2d) else layer(h, time)
        return h
