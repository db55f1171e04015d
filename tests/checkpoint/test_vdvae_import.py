"""Checkpoints of openai/vdvae: the reference numbers, and each option against the plain sums."""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from torch import Tensor

from hvae_core.checkpoint import load_checkpoint
from hvae_core.checkpoint.importers.vdvae import SETS, config_of
from hvae_core.common.errors import CheckpointError
from hvae_core.common.noise import Noise, StillNoise
from hvae_core.models import HierarchicalVAE, model_from_config
from tests.checkpoint.foreign import reference, relative, saved, zipped

TINY: dict[str, Any] = {
    "enc_blocks": "8x1,8d2,4x1,4d4,1x1", "dec_blocks": "1x1,4m1,4x1,8m4,8x1", "width": 4,
    "zdim": 2, "bottleneck_multiple": 0.5, "custom_width_str": "4:5,1:6", "no_bias_above": 4,
    "num_mixtures": 2, "dataset": "cifar10",
}  # fmt: skip
SCALES = {
    "cifar10": (-120.63838, 64.16736),
    "imagenet32": (-116.2373, 69.37404),
    "imagenet64": (-115.92961967, 69.37404),
    "ffhq_256": (-112.8666757481, 69.84780273),
}


class Given(Noise):
    """Stored normal numbers by the layer's index; zeros for others."""

    def __init__(self, numbers: dict[str, np.ndarray]) -> None:
        self.numbers = numbers

    def normal(self, name: str, samples: int, batch: int, shape: Any) -> Tensor:
        return torch.from_numpy(self.numbers[name]).unsqueeze(0)

    def uniform(self, name: str, samples: int, batch: int, shape: Any) -> Tensor:
        raise AssertionError("no uniform number is needed")


def weights(hparams: dict[str, Any], seed: int = 0) -> dict[str, Tensor]:
    """Random weights of the hyper-parameters' shapes, none of them zero."""
    model = model_from_config(config_of(hparams))
    stream = torch.Generator().manual_seed(seed)
    return {
        name: torch.randn(t.shape, generator=stream) / math.sqrt(max(1, t[0].numel()))
        for name, t in model.state_dict().items()
    }


def log(hparams: dict[str, Any]) -> bytes:
    lines = [{"type": "hparam", "key": k, "value": v} for k, v in hparams.items()]
    return "\n".join(json.dumps(line) for line in [*lines, {"message": "start"}]).encode()


def images(side: int = 8) -> Tensor:
    stream = torch.Generator().manual_seed(1)
    grey = torch.randint(0, 256, (2, 3, side, side), generator=stream)
    grey[0, :, :2] = torch.tensor([0, 255]).view(2, 1)  # both ends
    return grey.float() / 255


def double(model: HierarchicalVAE) -> HierarchicalVAE:
    return model.double().eval()


# --- the project's network, from the description of its files alone ---------------------------


def plain_block(w: dict[str, Tensor], name: str, x: Tensor) -> Tensor:
    for c in ("c1", "c2", "c3", "c4"):
        kernel = w[f"{name}.{c}.weight"]
        x = F.conv2d(F.gelu(x), kernel, w[f"{name}.{c}.bias"], padding=kernel.shape[-1] // 2)
    return x


def sigmoid(x: float) -> float:
    return 1 / (1 + math.exp(-x)) if x > 0 else math.exp(x) / (1 + math.exp(x))


def softplus(x: float) -> float:
    return max(x, 0.0) + math.log1p(math.exp(-abs(x)))


def plain_log_px(raw: Tensor, t: Tensor, k: int, half: float, width: float) -> Tensor:
    """One pixel and component at a time, by the description's four cases."""
    total = torch.zeros(t.shape[0], dtype=torch.float64)
    for b, i, j in np.ndindex(t.shape[0], *t.shape[2:]):
        p, x, terms = raw[b, :, i, j], t[b, :, i, j], []
        for m in range(k):
            a = [math.tanh(p[k + 3 * k * c + 2 * k + m]) for c in range(3)]
            mu = [float(p[k + 3 * k * c + m]) for c in range(3)]
            mu[1] += a[0] * float(x[0])
            mu[2] += a[1] * float(x[0]) + a[2] * float(x[1])
            value = float(torch.log_softmax(p[:k], 0)[m])
            for c in range(3):
                scale = max(float(p[k + 3 * k * c + k + m]), -7.0)
                e, s = float(x[c]) - mu[c], math.exp(-scale)
                up, low = s * (e + half), s * (e - half)
                mass = sigmoid(up) - sigmoid(low)
                if x[c] < -0.999:
                    value += up - softplus(up)
                elif x[c] > 0.999:
                    value -= softplus(low)
                elif mass > 1e-5:
                    value += math.log(mass)
                else:
                    value += s * e - scale - 2 * softplus(s * e) - math.log(width)
            terms.append(value)
        total[b] += torch.logsumexp(torch.tensor(terms, dtype=torch.float64), 0)
    return total


def plain_elbo(w: dict[str, Tensor], h: dict[str, Any], x: Tensor) -> tuple[Tensor, list[Tensor]]:
    """log p(x | z) and the KL of each block, every latent at its mean (TINY's blocks)."""
    w = {name: t.double() for name, t in w.items()}
    v = (255 * x).round()
    coarse = h["dataset"] == "ffhq_256"
    if h["dataset"] == "ffhq_1024":
        inputs, t = (x - 0.4387) * (1 / 0.2743), 2 * x - 1
    else:
        shift, scale = SCALES[h["dataset"]]
        inputs = (v + shift) * (1 / scale)
        t = ((torch.floor(v / 8) * 8 if coarse else v) - 127.5) * (1 / 127.5)
    y = F.conv2d(inputs.double(), w["encoder.in_conv.weight"], w["encoder.in_conv.bias"], padding=1)
    kept = {8: y}
    for i, (pool, channels) in enumerate([(1, 4), (2, 5), (1, 5), (4, 6), (1, 6)]):
        y = y + plain_block(w, f"encoder.enc_blocks.{i}", y)
        y = F.avg_pool2d(y, pool)
        y = torch.cat([y, y.new_zeros(len(y), channels - y.shape[1], *y.shape[2:])], 1)
        kept[y.shape[-1]] = y
    n = len(x)
    states = {1: w["decoder.bias_xs.0"].expand(n, -1, -1, -1),
              4: w["decoder.bias_xs.1"].expand(n, -1, -1, -1),
              8: y.new_zeros(n, 4, 8, 8)}  # fmt: skip
    kls = []
    for i, (r, q) in enumerate([(1, 0), (4, 1), (4, 0), (8, 4), (8, 0)]):
        name = f"decoder.dec_blocks.{i}"
        s = states[r]
        if q:
            s = s + F.interpolate(states[q][:, : s.shape[1]], scale_factor=r // q, mode="nearest")
        mq, lq = plain_block(w, f"{name}.enc", torch.cat([s, kept[r]], 1)).split(2, 1)
        mp, lp, f = plain_block(w, f"{name}.prior", s).split([2, 2, s.shape[1]], 1)
        kl = -0.5 + lp - lq + (torch.exp(2 * lq) + (mq - mp) ** 2) / (2 * torch.exp(2 * lp))
        kls.append(kl.flatten(1).sum(1))
        s = s + f
        s = s + F.conv2d(mq, w[f"{name}.z_proj.weight"], w[f"{name}.z_proj.bias"])
        states[r] = s + plain_block(w, f"{name}.resnet", s)
    out = states[8] * w["decoder.gain"] + w["decoder.bias"]
    raw = F.conv2d(out, w["decoder.out_net.out_conv.weight"], w["decoder.out_net.out_conv.bias"])
    half, width = (1 / 31, 15.5) if coarse else (1 / 255, 127.5)
    return plain_log_px(raw, t.double(), 2, half, width), kls


@pytest.mark.parametrize("dataset", [*SCALES, "ffhq_1024"])
def test_the_network_is_the_described_one(dataset: str) -> None:
    """Growing widths, a bottleneck of a half, and each data set's pixels."""
    hparams = {**TINY, "dataset": dataset}
    given = weights(hparams)
    model = double(load_checkpoint(saved(given), name="m-ema.th", given=hparams).model)
    x = images()
    trace = model.trace(x, noise=StillNoise())
    log_px, kls = plain_elbo(given, hparams, x)
    assert relative(trace.log_px[0], log_px) < 1e-9
    assert relative(trace.kl[:, 0].flip(0), torch.stack(kls)) < 1e-9


@pytest.mark.parametrize("name", ["cifar10_32", "imagenet32_16_widths"])
def test_reference_numbers(name: str) -> None:
    folder = reference("vdvae", name)
    golden = np.load(folder / "golden.npz")
    model = load_checkpoint(folder / "latest-model-ema.th").model
    x = torch.from_numpy(golden["image_u8"]).permute(0, 3, 1, 2).float() / 255
    trace = model.trace(x, noise=StillNoise())
    assert relative(trace.log_px[0], golden["f32/post/log_px_nats"]) < 1e-5
    assert np.allclose(trace.kl[:, 0].flip(0).T, golden["f32/post/kl_nats"], rtol=1e-5, atol=1e-2)

    model = double(model)
    trace = model.trace(x, noise=StillNoise())
    for quantity, found in (("log_px", trace.log_px[0]), ("kl", trace.kl[:, 0].flip(0).T),
                            ("log_q", trace.log_q[:, 0].flip(0).T)):  # fmt: skip
        assert relative(found, golden[f"f64/post/{quantity}_nats"]) < 1e-9
    eps = {f"q{model.n_layers - i}": golden[f"noise/eps_{i:02}"] for i in range(model.n_layers)}
    trace = model.trace(x, noise=Given(eps))
    for quantity, found in (("log_px", trace.log_px[0]), ("kl", trace.kl[:, 0].flip(0).T),
                            ("log_p", trace.log_p[:, 0].flip(0).T)):  # fmt: skip
        assert relative(found, golden[f"f64/noise/{quantity}_nats"]) < 1e-9
    ks = range(1, model.n_levels)
    for trace in model.traces(x, ks, noise=StillNoise(), skipped="mean"):
        skipped = (trace.log_px - trace.kl.sum(0))[0]
        assert relative(skipped, golden["f64/skip/bound_nats"][:, trace.skip - 1]) < 1e-9


@pytest.mark.parametrize(("name", "temperature"), [("prior_noise", 1.0), ("prior_noise_t07", 0.7)])
def test_reference_samples(name: str, temperature: float) -> None:
    folder = reference("vdvae", "imagenet32_16_widths")
    golden = np.load(folder / "golden.npz")
    model = double(load_checkpoint(folder).model)
    eps = {f"p{model.n_layers - i}": golden[f"noise/eps_{i:02}"] for i in range(model.n_layers)}
    drawn: Any = model.sample(2, noise=Given(eps), temperature=temperature)
    assert drawn.mixture.logits.shape[1] == 2
    raw = torch.from_numpy(golden[f"f64/{name}/likelihood"]).permute(0, 3, 1, 2)
    assert relative(drawn.mixture.logits[0, :1, :, :4], raw[:, :5]) < 1e-9


def test_reference_pixels() -> None:
    """The components chosen as the project does, the rest by the likelihood's own draw."""
    folder = reference("vdvae", "imagenet32_16_widths")
    golden = np.load(folder / "golden.npz")
    drawn: Any = load_checkpoint(folder).model.sample(2, noise=StillNoise())
    mixture = drawn.mixture
    gumbel = -torch.log(-torch.from_numpy(golden["noise/u_mix"]).log()).permute(0, 3, 1, 2)
    component = (mixture.logits[0] + gumbel).argmax(1)[None, :, None]
    uniform = torch.from_numpy(golden["noise/u_pix"]).permute(0, 3, 1, 2)[None]
    pixels = mixture.draw_from(component, uniform)[0].permute(0, 2, 3, 1)
    expected = golden["f32/prior_zero/sampled"]
    assert np.allclose(pixels[: len(expected)], expected, atol=1e-4)


def test_the_log_beside_the_weights_is_read(tmp_path: Path) -> None:
    """From a folder, a zip, one file of a folder; the average goes before the raw weights."""
    average, raw = weights(TINY), {f"module.{k}": v for k, v in weights(TINY, 1).items()}
    files = {"latest-model-ema.th": saved(average), "latest-model.th": saved(raw, old=True),
             "latest-log.jsonl": log(TINY)}  # fmt: skip
    for name, data in files.items():
        (tmp_path / name).write_bytes(data)
    want = average["decoder.gain"]
    packed = zipped({f"run/{name}": data for name, data in files.items()})
    for source in (tmp_path, tmp_path / "latest-model-ema.th", packed):
        checkpoint = load_checkpoint(source, name="run")
        assert torch.equal(checkpoint.model.state_dict()["decoder.gain"], want)
        assert "openai/vdvae" in checkpoint.card.note
    checkpoint = load_checkpoint(tmp_path / "latest-model.th")
    assert torch.equal(checkpoint.model.state_dict()["decoder.gain"], raw["module.decoder.gain"])
    assert "Not the moving average" in checkpoint.card.note


def test_a_published_file_is_known_by_its_shapes(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(SETS, "cifar10", TINY)
    assert load_checkpoint(saved(weights(TINY)), name="x.th").config.width == 4
    for name in ("imagenet64", "ffhq_256"):
        with pytest.raises(CheckpointError, match="does not fit its hyper-parameters"):
            load_checkpoint(saved(weights(TINY)), name="x.th", given={"set": name})
    with pytest.raises(CheckpointError, match="no set of openai/vdvae; the sets are cifar10, im"):
        load_checkpoint(saved(weights(TINY)), name="x.th", given={"set": "celeba"})


def test_weights_without_hyper_parameters_say_what_to_bring() -> None:
    with pytest.raises(CheckpointError, match=r"bring the folder .* or give them .--config"):
        load_checkpoint(saved(weights(TINY)), name="x.th")


@pytest.mark.parametrize(
    ("change", "saying"),
    [
        ({"dec_blocks": "1x1,4m1,8m4,8y1"}, "dec_blocks has '8y1', which is no block"),
        ({"dec_blocks": "1x1,3m1,8x1"}, "dec_blocks has 3, at which enc_blocks gives nothing"),
        ({"enc_blocks": "8x1,4x1"}, "goes from 8 to 4 without pooling"),
        ({"custom_width_str": "8:7"}, "width at the image's resolution 8 must be width"),
        ({"custom_width_str": "4:2,1:2"}, "the width falls from 8 to 4"),
        ({"width": 10**9}, "less than or equal"),
        ({"dec_blocks": "8x9999"}, "no block"),
    ],
)
def test_impossible_hyper_parameters_are_named(change: dict[str, Any], saying: str) -> None:
    with pytest.raises(CheckpointError, match=saying):
        load_checkpoint(saved(weights(TINY)), name="x.th", given={**TINY, **change})


@pytest.mark.parametrize("name", SETS)
def test_the_sets_can_be_built(name: str) -> None:
    config = config_of(SETS[name])
    blocks = {"cifar10": 43, "imagenet32": 78, "imagenet64": 75, "ffhq256": 66, "ffhq1024": 70}
    assert len(config.downs) == blocks[name]
    assert config.levels[0] == f"{config.image_shape[1]}x{config.image_shape[1]}"
