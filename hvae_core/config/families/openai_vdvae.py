"""The VDVAE of openai/vdvae as its checkpoints have it (Child 2021)."""

from __future__ import annotations

import re
from collections import Counter
from typing import Annotated, ClassVar, Literal, NamedTuple, final

from pydantic import Field
from pydantic.dataclasses import dataclass

from hvae_core.config.family import STRICT, ModelConfig, counted, register

MAX_BLOCKS = 160
MAX_UNITS = 2**26
MAX_VALUES = 2**27  # numbers in the features of one image, all resolutions together
_STEP = re.compile(r"(\d{1,4})(?:(x)(\d{1,3})|([dm])(\d{1,4}))?")
Pixels = Literal["cifar10", "imagenet32", "imagenet64", "ffhq_256", "ffhq_1024"]
Side = Annotated[int, Field(ge=4, le=1024)]
Blocks = Annotated[str, Field(min_length=1, max_length=2_000)]


class Step(NamedTuple):
    """One block: its resolution, and what it pools by (way up) or adds from (way down), or 0."""

    size: int
    other: int


@register
@final
@dataclass(frozen=True, config=STRICT)
class OpenAIVDVAEConfig(ModelConfig):
    """The residual top-down VAE of openai/vdvae, by the hyper-parameters of that project.

    Both strings list blocks, separated by commas: "16x3" is three at 16 x 16. On the way up "16d2"
    is one at 16 x 16 whose output is pooled to 8 x 8; on the way down "16m8" is one at 16 x 16
    that first adds the state of 8 x 8.
    """

    image_shape: tuple[Literal[3], Side, Side]
    enc_blocks: Blocks
    dec_blocks: Blocks
    width: Annotated[int, Field(ge=1, le=2048)]
    zdim: Annotated[int, Field(ge=1, le=256)] = 16
    bottleneck_multiple: Annotated[float, Field(gt=0, le=4)] = 0.25
    custom_width_str: Annotated[str, Field(max_length=500)] = ""
    """Widths of single resolutions, as "8:64,4:128"; ``width`` elsewhere."""
    no_bias_above: Annotated[int, Field(ge=0, le=4096)] = 64
    """Resolutions up to this start from a learned constant, larger ones from zero."""
    num_mixtures: Annotated[int, Field(ge=1, le=100)] = 10
    dataset: Pixels = "cifar10"
    """Whose shift and scale of pixels the encoder has; ``ffhq_256`` reads 5 bits a colour."""
    likelihood: Literal["colour_mixture"] = "colour_mixture"
    family: Literal["openai-vdvae"] = "openai-vdvae"

    label: ClassVar[str] = "VDVAE (openai)"
    network: ClassVar[str] = "hvae_core.models.families.openai_vdvae:OpenAIVDVAE"

    def __post_init__(self) -> None:
        _, height, side = self.image_shape
        if height != side:
            raise ValueError("images of openai/vdvae are square")
        ups, downs, widths = self.ups, self.downs, self.widths
        if widths.get(side, self.width) != self.width:
            raise ValueError(f"the width at the image's resolution {side} must be width")
        self._check_ups(ups, side)
        read = self.read_sizes
        for step in downs:
            if step.size not in read:
                raise ValueError(f"dec_blocks has {step.size}, at which enc_blocks gives nothing")
            if step.other and (step.size % step.other or step.other not in read):
                raise ValueError(f"dec_blocks cannot bring {step.other} to {step.size}")
            if step.other and self.width_at(step.other) < self.width_at(step.size):
                raise ValueError(f"{step.other} is narrower than {step.size}, which adds it")
        if side not in {step.size for step in downs}:
            raise ValueError(f"dec_blocks never comes to the image's resolution {side}")
        if sum(self.zdim * step.size**2 for step in downs) > MAX_UNITS:
            raise ValueError(f"more than {MAX_UNITS:,} latent units")
        if sum(self.width_at(size) * size**2 for size in read) > MAX_VALUES:
            raise ValueError(f"more than {MAX_VALUES:,} values in the features of one image")
        if any(int(self.width_at(size) * self.bottleneck_multiple) < 1 for size in read):
            raise ValueError("bottleneck_multiple leaves no channels inside a block")

    def _check_ups(self, ups: tuple[Step, ...], side: int) -> None:
        """The way up goes from one resolution to the next, by its own pooling, never narrower."""
        size = side
        for step in ups:
            if step.size != size:
                raise ValueError(f"enc_blocks goes from {size} to {step.size} without pooling")
            if not step.other:
                continue
            if step.other > size:
                raise ValueError(f"enc_blocks pools {size} by {step.other}")
            size //= step.other
            if self.width_at(size) < self.width_at(step.size):
                raise ValueError(f"the width falls from {step.size} to {size}")

    @property
    def ups(self) -> tuple[Step, ...]:
        """The blocks of the way up, in the order of the file."""
        return parse_blocks(self.enc_blocks, "d", "enc_blocks")

    @property
    def downs(self) -> tuple[Step, ...]:
        """The blocks of the way down, that of the topmost latent first."""
        return parse_blocks(self.dec_blocks, "m", "dec_blocks")

    @property
    def widths(self) -> dict[int, int]:
        """Widths of single resolutions."""
        widths: dict[int, int] = {}
        for part in filter(None, self.custom_width_str.split(",")):
            found = re.fullmatch(r"\s*(\d{1,4}):(\d{1,4})\s*", part)
            if not found or not 0 < int(found[2]) <= 2048:
                raise ValueError(
                    f"custom_width_str has {part[:30]!r}, which is no resolution:width"
                )
            widths[int(found[1])] = int(found[2])
        return widths

    def width_at(self, size: int) -> int:
        """Channels of the features at a resolution."""
        return self.widths.get(size, self.width)

    @property
    def read_sizes(self) -> tuple[int, ...]:
        """Resolutions at which the way up leaves features, the image's first."""
        sizes = [self.image_shape[1]]
        sizes += [step.size // step.other for step in self.ups if step.other]
        return tuple(dict.fromkeys(sizes))

    @property
    def biased(self) -> tuple[int, ...]:
        """Resolutions that start from a learned constant, smallest first."""
        return tuple(sorted({s.size for s in self.downs if s.size <= self.no_bias_above}))

    @property
    def latent_shapes(self) -> tuple[tuple[int, ...], ...]:
        """(zdim, r, r) of each latent; z_1 belongs to the last block of the way down."""
        return tuple((self.zdim, step.size, step.size) for step in reversed(self.downs))

    @property
    def latent_names(self) -> tuple[str, ...]:
        """z1, the last block's, to zL."""
        return tuple(f"z{i}" for i in range(1, len(self.downs) + 1))

    @property
    def levels(self) -> tuple[str, ...]:
        """The level of each latent is its resolution, as "16x16"; a second run of it, "16x16-2"."""
        seen: Counter[int] = Counter()
        names: list[str] = []
        last = 0
        for step in reversed(self.downs):
            seen[step.size] += step.size != last
            last = step.size
            name = f"{step.size}x{step.size}"
            names.append(name if seen[step.size] == 1 else f"{name}-{seen[step.size]}")
        return tuple(names)

    @property
    def exact_kl(self) -> tuple[bool, ...]:
        """All are in closed form."""
        return (True,) * len(self.downs)

    @property
    def pixels_in_words(self) -> str:
        """How the image is read, and the mixture."""
        bits = ", images reduced to 5 bits a colour" if self.dataset == "ffhq_256" else ""
        return f"mixture of {self.num_mixtures} discretised logistics, colours in turn{bits}"

    def in_words(self) -> str:
        """Blocks, widths, and resolutions."""
        widths = sorted({self.width_at(size) for size in self.read_sizes})
        return ", ".join(
            [
                counted(len(self.downs), "latent layer"),
                f"{' to '.join(str(n) for n in dict.fromkeys((widths[0], widths[-1])))} channels",
                f"{self.bottleneck_multiple:g} of them inside a block",
                f"{counted(len(self.ups), 'residual block')} on the way up and "
                f"{len(self.downs)} on the way down",
            ]
        )


def parse_blocks(text: str, letter: str, name: str) -> tuple[Step, ...]:
    """The blocks of a string of openai/vdvae; ``letter`` is "d" on the way up, "m" down."""
    steps: list[Step] = []
    for part in text.split(","):
        found = _STEP.fullmatch(part.strip())
        if not found or (found[4] and found[4] != letter) or not 0 < int(found[1]) <= 1024:
            raise ValueError(f"{name} has {part[:30]!r}, which is no block")
        if found[4] and not 0 < int(found[5]) <= 1024:
            raise ValueError(f"{name} has {part[:30]!r}, which is no block")
        times = int(found[3]) if found[2] else 1
        steps += [Step(int(found[1]), int(found[5]) if found[4] else 0)] * times
        if times < 1 or len(steps) > MAX_BLOCKS:
            raise ValueError(f"{name} has no block or more than {MAX_BLOCKS}")
    return tuple(steps)
