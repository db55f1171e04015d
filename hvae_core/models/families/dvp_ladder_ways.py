"""The ways up and down of dvp_vae's network, tensor by tensor under the names of its files."""

from __future__ import annotations

from collections.abc import Sequence

from torch import Tensor, nn

from hvae_core.config.families.dvp_ladder import BlockPlan, DVPLadderConfig, LayerPlan
from hvae_core.models.layers.ladder import LadderBlock
from hvae_core.models.priors.ladder_pseudo import PseudoBlock


class LadderLayer(nn.Module):
    """One latent of the way down."""

    def __init__(
        self, config: DVPLadderConfig, plan: LayerPlan, channels: int, *, last: bool
    ) -> None:
        super().__init__()
        norms = {"weight_norm": config.weight_norm, "batch_norm": config.batch_norm}
        width = config.width
        beside = config.image_shape[0] if config.pseudo else 0
        self.s_to_p = LadderBlock(
            channels + beside, plan.prior, 2 * width + channels, down=True, **norms
        )
        self.s_to_q = LadderBlock(channels, plan.posterior, 2 * width, down=True, **norms)
        self.resnet: nn.Sequential | None = None
        if not last:  # below the last latent nothing reads the state
            self.z_up = nn.Conv2d(width, channels, 1)
            self.resnet = nn.Sequential(*_blocks(channels, plan.blocks, down=True, **norms))


def _blocks(
    inputs: int, plans: Sequence[BlockPlan], *, down: bool, **norms: bool
) -> list[nn.Module]:
    blocks: list[nn.Module] = []
    for plan in plans:
        blocks.append(LadderBlock(inputs, plan.hidden, plan.out, down=down, **norms))
        inputs = plan.out
    return blocks


class LadderEncoder(nn.Module):
    """The way up: a convolution, then groups of blocks that pool."""

    def __init__(self, config: DVPLadderConfig) -> None:
        super().__init__()
        norms = {"weight_norm": config.weight_norm, "batch_norm": config.batch_norm}
        width = config.features
        first = nn.Conv2d(config.image_shape[0], width, 1)
        self.pre_process = nn.Sequential(
            first, *_blocks(width, config.opening, down=False, **norms)
        )
        width = config.opening[-1].out if config.opening else width
        groups = []
        for group in config.groups:
            blocks = _blocks(width, group.blocks, down=False, **norms)
            groups.append(nn.Sequential(*blocks, nn.AvgPool2d(group.pool)))
            width = group.blocks[-1].out
        self.encoder_blocks = nn.ModuleList(groups)

    def forward(self, x: Tensor) -> list[Tensor]:
        """What each group gives (B, channels, r, r), the largest first."""
        h, found = self.pre_process(x), []
        for group in self.encoder_blocks:
            h = group(h)
            found.append(h)
        return found


class LadderDecoder(nn.Module):
    """The way down, u before all, and the network from the sum of the latents to the image."""

    def __init__(self, config: DVPLadderConfig) -> None:
        super().__init__()
        colours, side, _ = config.image_shape
        blocks: list[nn.Module] = []
        if config.pseudo is not None:
            blocks.append(PseudoBlock(colours, side, config.pseudo))
        last = len(config.layers) - 1
        for i, (plan, channels) in enumerate(zip(config.layers, config.channels, strict=True)):
            blocks.append(LadderLayer(config, plan, channels, last=i == last))
        self.decoder_blocks = nn.ModuleList(blocks)
        width = config.mixed
        self.z_to_features = nn.Conv2d(config.width, width, 1)
        norms = {"weight_norm": config.weight_norm, "batch_norm": config.batch_norm}
        closing = _blocks(width, config.closing, down=True, **norms)
        width = config.closing[-1].out if config.closing else width
        outputs = colours if config.likelihood == "bernoulli" else 10 * config.num_mix
        self.post_process = nn.Sequential(*closing, nn.Conv2d(width, outputs, 3, padding=1))
