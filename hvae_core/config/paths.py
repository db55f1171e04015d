"""Paths of residual blocks with skips from elsewhere: the plan of shapes that their layers follow.

hvae-oodd and biva-pytorch build every network of such paths. A path up lists its blocks from the
image upwards; the path down of the same stage has the list reversed, with transposed convolutions
in place of strided ones. A block may be offered a second feature map, the skip: where its shape
differs from the block's own, a convolution of its own fits it. Nothing here needs torch.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated, Literal

from pydantic import Field
from pydantic.dataclasses import dataclass as checked

from hvae_core.config.family import STRICT

Map = tuple[int, int, int]
"""Channels, height and width of a feature map."""
Act = Literal[
    "relu", "silu", "elu", "leaky_relu", "selu", "gelu", "tanh", "softplus", "mish", "sigmoid"
]

MAX_UNITS = 2**20
"""Latent units of a model in all."""
MAX_FEATURES = 2**24
"""Numbers in one feature map."""


@checked(frozen=True, config=STRICT)
class BlockConfig:
    """One residual block of a stage, as the way up has it."""

    channels: Annotated[int, Field(ge=1, le=1024)]
    kernel: Annotated[int, Field(ge=1, le=31)] = 3
    stride: Annotated[int, Field(ge=1, le=8)] = 1
    gated: bool = True
    """Half of the second convolution's channels open or close the other half."""
    normed: bool = True
    """Weights are a direction and a length (weight normalisation)."""


@checked(frozen=True, config=STRICT)
class StageLatent:
    """The latent z_i at the top of a stage."""

    dim: Annotated[int, Field(ge=1, le=1024)]
    """Channels of a convolutional latent, units of a dense one."""
    kind: Literal["conv", "dense"] = "conv"
    kernel: Annotated[int, Field(ge=1, le=31)] = 3
    """Of the convolutions that give its mean and scale."""
    normed: bool = True

    def shape(self, features: Map) -> tuple[int, ...]:
        """(dim, H, W) or (dim,) on a feature map."""
        return (self.dim, *features[1:]) if self.kind == "conv" else (self.dim,)

    def feeds(self, features: Map, parts: int = 1) -> Map:
        """The feature map that ``parts`` such latents become: a dense one that of its stage."""
        return (parts * self.dim, *features[1:]) if self.kind == "conv" else features


@checked(frozen=True, config=STRICT)
class StageConfig:
    """A stage: blocks from below upwards, and the latent on top of them."""

    blocks: Annotated[tuple[BlockConfig, ...], Field(min_length=1, max_length=32)]
    latent: StageLatent


@dataclass(frozen=True)
class Rules:
    """What tells one project's blocks from another's."""

    widening: bool
    """A residual to more channels than it has is filled up with zeros; else there is none."""
    same_is_dropped: bool
    """A skip of the very shape of the block is not used; else it goes through a convolution."""


@dataclass(frozen=True)
class Fitted:
    """The convolution that brings a skip to the block's size: ``stride`` down, or ``up``."""

    channels: int
    kernel: int
    stride: int
    up: bool

    def size(self, skip: Map) -> tuple[int, int]:
        """Height and width of what it makes of a skip."""
        _, h, w = skip
        if self.up:
            return h * self.stride, w * self.stride
        return -(-h // self.stride), -(-w // self.stride)


@dataclass(frozen=True)
class BlockPlan:
    """All that the layers of one block follow from."""

    block: BlockConfig
    inputs: Map
    output: Map
    up: bool
    """The second convolution is a transposed one."""
    activated: bool
    """The block reads act(h) and not h, as all do that have a residual."""
    residual: bool
    aux: Fitted | None


def climb(size: tuple[int, int], blocks: Sequence[BlockConfig]) -> Map:
    """The feature map at the upper end of a stage on images or maps of that size."""
    for block in blocks:
        size = (-(-size[0] // block.stride), -(-size[1] // block.stride))
    return (blocks[-1].channels, *size)


def plan_path(
    inputs: Map,
    blocks: Sequence[BlockConfig],
    rules: Rules,
    *,
    down: bool = False,
    first_is_plain: bool = False,
    skip: Map | None = None,
) -> tuple[BlockPlan, ...]:
    """The plans of a path's blocks, from its input on.

    ``skip`` is the shape of what every block is offered. ``first_is_plain``: the first block has
    neither residual nor activation of its input.
    """
    plans = []
    for j, block in enumerate(blocks):
        up = down and block.stride > 1
        factor = block.stride
        _, h, w = inputs
        size = (h * factor, w * factor) if up else (-(-h // factor), -(-w // factor))
        output = (block.channels, *size)
        activated = j > 0 or not first_is_plain
        smaller = size[0] <= h and size[1] <= w
        fits = inputs[0] >= block.channels or rules.widening
        plans.append(
            BlockPlan(
                block=block,
                inputs=inputs,
                output=output,
                up=up,
                activated=activated,
                residual=activated and smaller and fits,
                aux=None if skip is None else _fitted(skip, inputs, block, rules),
            )
        )
        inputs = output
    return tuple(plans)


def _fitted(skip: Map, inputs: Map, block: BlockConfig, rules: Rules) -> Fitted | None:
    """How a skip comes to the size of the block's input, where it is used at all."""
    if rules.same_is_dropped and skip == (block.channels, *inputs[1:]):
        return None
    if skip[1:] == inputs[1:]:
        return Fitted(skip[0], 1, 1, up=False)
    up = skip[1] < inputs[1]
    stride = inputs[1] // skip[1] if up else -(-skip[1] // inputs[1])
    fitted = Fitted(skip[0], block.kernel, stride, up=up)
    if fitted.size(skip) != inputs[1:]:
        raise ValueError(f"a skip of {_size(skip)} pixels does not fit a block of {_size(inputs)}")
    return fitted


def _size(features: Map) -> str:
    return f"{features[1]}x{features[2]}"


def check_skips(plans: Sequence[BlockPlan], above: Sequence[BlockPlan], *, where: str) -> None:
    """Raise where a path is offered skips from the path above that its convolutions do not fit.

    Block j gets what block j of the path above gives; once these run out, the path's own outputs,
    from its first on.
    """
    offered = [plan.output for plan in (*above, *plans)]
    for j, plan in enumerate(plans):
        if plan.aux is None:
            continue
        same_channels = offered[j][0] == plan.aux.channels
        if not same_channels or plan.aux.size(offered[j]) != plan.inputs[1:]:
            raise ValueError(f"{where}: the skip of block {j + 1} from above does not fit it")


def check_stages(
    features: Sequence[Map],
    size: tuple[int, int],
    downs: Sequence[Sequence[BlockPlan]],
    *,
    latents: Sequence[tuple[int, ...]],
) -> None:
    """Raise where a way down does not end at the size below it, or anything is beyond measure."""
    below = [size, *(features_i[1:] for features_i in features[:-1])]
    for i, (plans, wanted) in enumerate(zip(downs, below, strict=True), start=1):
        if plans[-1].output[1:] != wanted:
            raise ValueError(
                f"stage {i} comes down to {_size(plans[-1].output)} pixels where "
                f"{wanted[0]}x{wanted[1]} lie below it: a stride does not divide the size"
            )
        if any(math.prod(plan.output) * 2 > MAX_FEATURES for plan in plans):
            raise ValueError(f"more than {MAX_FEATURES:,} numbers in a feature map of stage {i}")
    if sum(math.prod(shape) for shape in latents) > MAX_UNITS:
        raise ValueError(f"more than {MAX_UNITS:,} latent units")
