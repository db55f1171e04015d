"""The deep top-down family: scales, and both ways against a network written out by hand."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from torch import Tensor
from torch.distributions import Normal, kl_divergence

from hvae_core.common.errors import ConfigError
from hvae_core.common.noise import ImageNoise
from hvae_core.config import DeepConfig, ModelConfig, ScaleConfig, from_json, to_json
from hvae_core.config.presets import get_preset
from hvae_core.models import model_from_config
from hvae_core.models.families.deep import DeepVAE
from tests.small import prepared, stream, tiny_config, tiny_deep, tiny_model, tiny_set

ODD = (ScaleConfig(2, 1), ScaleConfig(3, 2), ScaleConfig(1, 1), ScaleConfig(2, 1, stride=4))


def shaken(config: DeepConfig) -> Any:
    """A model without its zeros, so that every path counts."""
    model = tiny_model(config)
    generator = torch.Generator().manual_seed(5)
    with torch.no_grad():
        for value in model.parameters():
            value.add_(0.2 * torch.randn(value.shape, generator=generator))
    return model.eval().requires_grad_(False)


# --- configuration -------------------------------------------------------------------------------


def test_odd_sizes_round_up_and_scales_are_levels() -> None:
    config = tiny_deep(image_shape=(1, 28, 28), scales=ODD)
    assert config.sizes == ((14, 14), (7, 7), (4, 4), (1, 1))
    assert config.levels == ("14x14",) * 2 + ("7x7",) * 3 + ("4x4",) + ("1x1",) * 2
    assert config.latent_shapes[1:4] == ((1, 14, 14), (2, 7, 7), (2, 7, 7))
    model = tiny_model(config)
    assert model.skips == (0, 2, 5, 6)
    x = prepared(model, tiny_set(2, (1, 28, 28)))
    for k, trace in enumerate(model.traces(x, range(4), noise=stream())):
        assert trace.likelihood.mean.shape == (1, 2, 1, 28, 28)
        assert torch.isfinite(trace.log_px).all()
        assert [z is None for z in trace.z] == [i < model.skips[k] for i in range(8)]


def test_two_scales_of_one_size_are_two_levels() -> None:
    config = tiny_deep(scales=(ScaleConfig(2, 1), ScaleConfig(1, 2, stride=1), ScaleConfig(1, 1)))
    assert config.levels == ("4x4", "4x4", "4x4-2", "2x2")
    assert tiny_model(config).skips == (0, 2, 3)


BAD: list[tuple[dict[str, Any], str]] = [
    ({"scales": []}, "scales"),
    ({"scales": [{"layers": 1, "dim": 1}] * 10}, "scales"),
    ({"scales": [{"layers": 1, "dim": 1}]}, "1 latent layers"),
    ({"scales": [{"layers": 65, "dim": 1}]}, "layers"),
    ({"scales": [{"layers": 33, "dim": 1}] * 2}, "66 latent layers"),
    ({"scales": [{"layers": 2, "dim": 129}]}, "dim"),
    ({"scales": [{"layers": 2, "dim": 1, "stride": 3}]}, "stride"),
    ({"channels": 513}, "channels"),
    ({"hidden": 0}, "hidden"),
    ({"blocks": 2}, "blocks"),
    ({"encoder_blocks": 13}, "encoder_blocks"),
    ({"output_blocks": 7}, "output_blocks"),
    ({"combine": "mean"}, "combine"),
    ({"stem": 4, "image_shape": [1, 10, 8]}, "multiple of stem = 4"),
    ({"image_shape": [1, 256, 256], "scales": [{"layers": 9, "dim": 1}]}, "131,072 latent units"),
    ({"image_shape": [1, 128, 128], "channels": 512}, "4,194,304 values"),
    ({"scales": [{"layers": 1, "dim": d} for d in (1, 2)], "aggregation": True}, "same dim"),
    ({"likelihood": "poisson"}, "likelihood"),
    ({"family": "gan"}, "family"),
    ({"latents": []}, "latents"),
]


@pytest.mark.parametrize(("changes", "word"), BAD)
def test_bad_configurations_are_refused_by_name(changes: dict[str, Any], word: str) -> None:
    good = json.loads(to_json(tiny_deep()))
    with pytest.raises(ConfigError, match=word):
        from_json(ModelConfig, json.dumps(good | changes))


def test_a_file_says_of_which_family_it_is() -> None:
    for config in (tiny_config(), tiny_deep(), tiny_config(family="lvae")):
        assert from_json(ModelConfig, to_json(config)) == config


# --- size ----------------------------------------------------------------------------------------


def count(config: DeepConfig) -> int:
    with torch.device("meta"):
        return sum(value.numel() for value in model_from_config(config).parameters())


def test_number_of_weights_by_hand() -> None:
    """Convolutions n_in n_out k^2 + n_out, added up on paper for C = 4, H = 3, dim = 2."""

    def block(n_in: int, n_out: int, k: int) -> int:
        return (n_in * 3 + 3) + 2 * (9 * k * k + 3) + (3 * n_out + n_out)

    # 8 x 8 images; scales of 4 x 4 with one layer and 2 x 2 (kernels of 1) with one layer
    config = tiny_deep(scales=(ScaleConfig(1, 2), ScaleConfig(1, 2)))
    way_up = (1 * 4 * 9 + 4) + block(4, 4, 3) + block(4, 4, 3) + block(4, 4, 1)
    layers = sum(block(8, 4, k) + block(4, 4 + 4, k) + (2 * 4 + 4) + block(4, 4, k) for k in (3, 1))
    constants = 4 * (16 + 4)
    image = block(4, 4, 3) + (4 * 1 * 9 + 1)
    assert count(config) == way_up + layers + constants + image
    # sums halve what the posterior reads; a layer that only the image reads has no update
    residual = block(4, 4, 3) + (4 * 4 + 4)
    top = 2 * block(4, 4, 1) + (4 * 4 + 4) + (4 * 8 + 8) + (2 * 4 + 4) + block(4, 4, 1)
    summed = tiny_deep(scales=config.scales, combine="sum", blocks=3, aggregation=True)
    both = way_up + 2 * residual + top + constants + image + (2 * 4 * 9 + 4)
    assert count(summed) == both


def test_sizes_are_those_that_the_paper_prints() -> None:
    """DVP Table 5, without pseudoinputs: 0.6M for MNIST, 1.1M for OMNIGLOT."""
    printed = {"vdvae-dvp-grey8": 0.6, "vdvae-dvp-grey8-wide": 1.1}
    for name, millions in printed.items():
        model: Any = get_preset(name).model
        assert round(count(model) / 1e6, 1) == millions


def test_forty_five_layers_start_quietly() -> None:
    """Residual paths start shorter the more blocks there are: features do not grow with depth."""
    scales = (ScaleConfig(20, 1), ScaleConfig(20, 1), ScaleConfig(5, 1))
    deep = tiny_model(tiny_deep(scales=scales, channels=8, hidden=8))
    flat = tiny_model(tiny_deep(scales=(ScaleConfig(2, 1),), channels=8, hidden=8))
    x = prepared(deep, tiny_set(4))
    spread = []
    for model in (deep, flat):
        with torch.no_grad():
            trace = model.trace(x, noise=stream())
        spread.append(float(trace.likelihood.mean.logit().std()))
        assert torch.isfinite(trace.kl).all()
    assert spread[0] < 2 * spread[1]  # 4.6 times without that


def test_priors_start_as_standard_normals() -> None:
    model: Any = tiny_model(tiny_deep(scales=ODD, image_shape=(1, 28, 28)))
    state = model.start(2)
    for index in range(model.n_layers, 0, -1):
        p = model.prior(index, state)
        assert not p.mean.any()
        torch.testing.assert_close(p.std, torch.ones_like(p.std), rtol=0, atol=2e-3)
        state = model.absorb(index, state, p.mean + 1.5)


# --- a twin, written out from the weights --------------------------------------------------------


class Twin:
    """The network as the papers draw it, for one draw of each latent: a loop over layers."""

    def __init__(self, model: DeepVAE) -> None:
        self.config, self.w = model.config, model.state_dict()

    def conv(self, name: str, x: Tensor) -> Tensor:
        weight = self.w[f"{name}.weight"]
        return F.conv2d(x, weight, self.w[f"{name}.bias"], padding=weight.shape[-1] // 2)

    def block(self, name: str, x: Tensor) -> Tensor:
        for i in range(4):
            x = self.conv(f"{name}.convs.{i}", x * torch.sigmoid(x))
        return x

    def head(self, name: str, x: Tensor) -> Tensor:
        if self.config.blocks == 1:
            return self.block(f"{name}.body", x)
        h = x + self.block(f"{name}.body.0", x)
        return self.conv(f"{name}.body.2", h * torch.sigmoid(h))

    @staticmethod
    def normal(raw: Tensor) -> Normal:
        mean, scale = raw.chunk(2, 1)
        return Normal(mean, torch.log1p(2**scale) / np.log(2) + 1e-3)

    def encoded(self, x: Tensor) -> list[Tensor]:
        """h_enc of every scale; all sizes here are even, so pooling is a mean over squares."""
        h = self.conv("up_in", F.pixel_unshuffle(x, self.config.stem))
        if self.config.sizes[0] != self.config.output_size:
            for j in range(self.config.output_blocks):
                h = h + self.block(f"up_wide.{j}", h)
        out = []
        for s, scale in enumerate(self.config.scales):
            n, c, height, width = h.shape
            t = scale.stride
            h = h.reshape(n, c, height // t, t, width // t, t).mean((3, 5))
            for j in range(self.config.encoder_blocks):
                h = h + self.block(f"up.{s}.{j}", h)
            out.append(h)
        return out

    @staticmethod
    def repeated(z: Tensor, size: tuple[int, int]) -> Tensor:
        rows = np.arange(size[0]) * z.shape[-2] // size[0]
        columns = np.arange(size[1]) * z.shape[-1] // size[1]
        return z[:, :, rows][..., columns]

    def run(self, x: Tensor, eps: dict[int, Tensor]) -> tuple[Tensor, list[Tensor]]:
        """Logits of the image (DVP Eq. 18, 22) and each layer's KL, z_1 first."""
        config, kls, total = self.config, [], 0.0
        up = self.encoded(x)
        h, last = torch.zeros(len(x), config.channels, *config.sizes[-1]), None
        for i in range(len(config.scale_of), 0, -1):
            s, name = config.scale_of[i - 1], f"blocks.{i - 1}"
            if s != last:
                h, last = self.repeated(h, config.sizes[s]) + self.w[f"constants.{s}"], s
            raw = self.head(f"{name}.to_p", h)
            dim = config.scales[s].dim
            seen = h + up[s] if config.combine == "sum" else torch.cat([h, up[s]], 1)
            q, p = self.normal(self.head(f"{name}.to_q", seen)), self.normal(raw[:, : 2 * dim])
            z = q.mean + q.stddev * eps[i]
            kls.insert(0, kl_divergence(q, p).flatten(1).sum(1))
            total = total + self.repeated(z, config.output_size)
            if i > 1 or not config.aggregation:
                h = h + raw[:, 2 * dim :] + self.conv(f"{name}.from_z", z)
                h = h + self.block(f"{name}.update", h)
        if config.aggregation:
            h = self.conv("from_total", total / len(config.scale_of) ** 0.5)
        else:
            h = self.repeated(h, config.output_size)
        for j in range(config.output_blocks):
            h = h + self.block(f"out.{j}", h)
        return F.pixel_shuffle(self.conv("to_x", h * torch.sigmoid(h)), config.stem), kls


@pytest.mark.parametrize("aggregation", [False, True])
@pytest.mark.parametrize(("combine", "blocks"), [("concat", 1), ("sum", 3)])
@pytest.mark.parametrize("stem", [1, 2])
def test_trace_is_that_of_the_network_written_out(
    aggregation: bool, combine: Any, blocks: Any, stem: Any
) -> None:
    scales = (ScaleConfig(2, 2, stride=2), ScaleConfig(2, 2, stride=2))
    model = shaken(
        tiny_deep(
            scales=scales, aggregation=aggregation, combine=combine, blocks=blocks, stem=stem,
            encoder_blocks=2, output_blocks=2,
        )
    )  # fmt: skip
    images = tiny_set(3)
    x = prepared(model, images)
    noise = ImageNoise(images.image_digests())
    trace = model.trace(x, noise=noise)
    eps = {i: noise.normal(f"q{i}", 1, 3, model.latents[i - 1].shape)[0] for i in range(1, 5)}
    logits, kls = Twin(model).run(x, eps)
    expected = -F.binary_cross_entropy_with_logits(logits, x, reduction="none").flatten(1).sum(1)
    torch.testing.assert_close(trace.log_px[0], expected, rtol=1e-4, atol=1e-3)
    torch.testing.assert_close(trace.kl[:, 0], torch.stack(kls), rtol=1e-4, atol=1e-3)


def test_aggregation_reads_the_sum_of_the_latents_alone() -> None:
    """DVP Eq. 18: latents with the same sum give the same image, with the path below it or not."""
    config = tiny_deep(scales=(ScaleConfig(3, 2), ScaleConfig(1, 2, stride=1)), aggregation=True)
    model = shaken(config)
    shape = (2, 2, 4, 4)
    generator = torch.Generator().manual_seed(0)
    z = {i: torch.randn(shape, generator=generator) for i in range(1, 5)}
    moved = {**z, 1: z[1] + 0.7, 4: z[4] - 0.7}
    one = model.sample(2, noise=stream(), given=z).mean
    torch.testing.assert_close(model.sample(2, noise=stream(), given=moved).mean, one)
    for i in range(1, 5):  # and every one of them counts
        other = model.sample(2, noise=stream(), given={**z, i: z[i] + 0.7}).mean
        assert (other - one).abs().max() > 1e-4


# --- the seams for a context ---------------------------------------------------------------------


def test_a_context_reaches_every_prior_and_every_scale() -> None:
    class Told(DeepVAE):
        """Its context is an image of ones or zeros, beside h_dec for the priors."""

        level = 0.0

        def start(self, batch: int) -> Any:
            return self.start_from(batch, torch.full((1, batch, 1, 8, 8), self.level))

        def prior_channels(self) -> int:
            return super().prior_channels() + 1

        def prior_inputs(self, index: int, h: Tensor, context: Any) -> Tensor:
            pooled = context[..., : h.shape[-2], : h.shape[-1]]
            return torch.cat([h, pooled.expand(h.shape[0], -1, -1, -1, -1)], 2)

        def enter_scale(self, scale: int, h: Tensor, context: Any) -> Tensor:
            entered.append((scale, tuple(h.shape[-2:]), float(context.mean())))
            return super().enter_scale(scale, h, context)

    entered: list[tuple[int, tuple[int, int], float]] = []
    torch.manual_seed(0)
    model = Told(tiny_deep())
    for value in model.parameters():
        torch.nn.init.normal_(value, std=0.3)
    x = prepared(model, tiny_set(2))
    means = []
    for Told.level in (0.0, 1.0):
        state = model.start(2)
        means.append([])
        for index in range(model.n_layers, 0, -1):
            means[-1].append(model.prior(index, state).mean)
            state = model.absorb(index, state, torch.zeros(1, 2, *model.latents[index - 1].shape))
    assert entered == [(s, (4 - 2 * s,) * 2, level) for level in (0.0, 1.0) for s in (1, 0)]
    assert all((a - b).abs().max() > 1e-5 for a, b in zip(*means, strict=True))
    assert torch.isfinite(model.trace(x, noise=stream(), samples=3).log_px).all()
