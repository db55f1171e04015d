"""Checkpoints of dvp_vae: the reference numbers, and its options against the plain sums."""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from hvae_core.checkpoint import load_checkpoint
from hvae_core.common.errors import CheckpointError
from hvae_core.common.noise import ImageNoise, Noise
from hvae_core.config import from_json
from hvae_core.config.families.dvp_ladder import DVPLadderConfig
from hvae_core.models import model_from_config
from tests.checkpoint.dvp_twin import Twin
from tests.checkpoint.foreign import reference, relative, saved, zipped


class Stored(Noise):
    """Numbers by name; zeros for the normal ones that are not there."""

    def __init__(self, numbers: dict[str, np.ndarray]) -> None:
        self.numbers = numbers

    def normal(self, name: str, samples: int, batch: int, shape: Any) -> Tensor:
        if name not in self.numbers:
            return torch.zeros(samples, batch, *shape)
        return torch.from_numpy(self.numbers[name][:batch]).unsqueeze(0)

    def uniform(self, name: str, samples: int, batch: int, shape: Any) -> Tensor:
        return torch.from_numpy(self.numbers[name]).unsqueeze(0)


def noise_of(golden: Any, *, drawn: bool, layers: int) -> Stored:
    """The stored noise of the diffusion prior and of binary pixels, and of the latents if drawn."""
    numbers = {"u_0": golden["noise/eps0"]}
    numbers |= {f"u_{i}": eps for i, eps in enumerate(golden["noise/epsT"], start=1)}
    if "noise/target_uniform" in golden:
        numbers["x"] = golden["noise/target_uniform"]
    if drawn:
        numbers[f"q{layers}"] = golden["noise/u"]
        numbers |= {f"q{layers - 1 - i}": golden[f"noise/z_{i:02}"] for i in range(layers - 1)}
    return Stored(numbers)


@pytest.mark.parametrize("name", ["mnist_dvp", "cifar10_dvp"])
def test_reference_numbers(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = reference("dvp_vae", name)
    golden = np.load(folder / "golden.npz")
    model: Any = load_checkpoint(folder).model
    x = torch.from_numpy(golden["image_u8"]).float() / 255
    n = model.n_layers
    still, drawn = (noise_of(golden, drawn=drawn, layers=n) for drawn in (False, True))
    # In float32.
    trace = model.trace(x, noise=still)
    assert relative(trace.log_px[0], golden["f32/mean_test/log_px_nats"]) < 1e-5
    kl = golden["f32/mean_test/kl_nats"].T[::-1]
    assert np.allclose(trace.kl[:, 0], kl, rtol=1e-5, atol=1e-2)
    # In float64, the prior of u by all its times, then by the one stored time.
    model.double()
    assert np.array_equal(model.signed(x), golden["x"])
    trace = model.trace(x, noise=still)
    assert relative(trace.log_px[0], golden["f64/mean_test/log_px_nats"]) < 1e-9
    assert relative(trace.kl[:, 0], golden["f64/mean_test/kl_nats"].T[::-1]) < 1e-9
    assert relative(trace.log_q[-1, 0], golden["f64/mean_test/log_q_u_nats"]) < 1e-9
    u = torch.from_numpy(golden["f64/mean/u"]).unsqueeze(0)
    assert relative(trace.z[-1], u) < 1e-9
    prior = model.decoder.decoder_blocks[0].ctx_prior
    terms = prior.terms(u, still)
    assert relative(terms.last[0], golden["f64/mean/L0"]) < 1e-9
    assert relative(terms.first[0], golden["f64/mean/LT"]) < 1e-9
    t, eps = torch.from_numpy(golden["noise/t"]).T, torch.from_numpy(golden["noise/eps"])[None]
    assert relative(prior.noise_cost(u, t.double(), eps)[0], golden["f64/mean/Lt"]) < 1e-9
    # With the latents drawn, where the prior of u has its one stored time again.
    trace = model.trace(x, noise=drawn)
    assert relative(trace.log_px[0], golden["f64/noise/log_px_nats"]) < 1e-9
    assert relative(trace.kl[:-1, 0], golden["f64/noise/kl_nats"].T[:0:-1]) < 1e-9
    assert relative(trace.log_q[-1, 0], golden["f64/noise/log_q_u_nats"]) < 1e-9
    # The lowest latents at their priors' means, each a level of its own here.
    monkeypatch.setattr(DVPLadderConfig, "levels", property(lambda config: config.latent_names))
    skips = [k for k in range(1, n - 1) if f"f64/mean_skip{k}/log_px_nats" in golden]
    assert len(skips) > 2
    for trace in model.traces(x, skips, noise=still, skipped="mean"):
        assert relative(trace.log_px[0], golden[f"f64/mean_skip{trace.skip}/log_px_nats"]) < 1e-9
        kl = golden[f"f64/mean_skip{trace.skip}/kl_nats"].T[:0:-1]
        assert relative(trace.kl[trace.skip : -1, 0], kl) < 1e-9


@pytest.mark.parametrize("name", ["mnist_dvp", "cifar10_dvp"])
def test_reference_samples(name: str) -> None:
    folder = reference("dvp_vae", name)
    golden = np.load(folder / "golden.npz")
    model: Any = load_checkpoint(folder).model.double()
    n, steps = model.n_layers, len(golden["noise/prior"]) - 1
    numbers = {f"p_u_{steps - i}": eps for i, eps in enumerate(golden["noise/prior"])}
    numbers |= {f"p{n - 1 - i}": golden[f"noise/z_{i:02}"] for i in range(n - 1)}
    for kind, batch, noise in (("noise", len(golden["image_u8"]), numbers), ("zero", 1, {})):
        u = model.sample_top(batch, noise=Stored(noise))
        assert np.allclose(u, golden[f"f64/prior_{kind}/u"], rtol=1e-9, atol=1e-12)
        drawn: Any = model.sample(batch, noise=Stored(noise))
        if name == "mnist_dvp":
            assert relative(drawn.mean[0], golden[f"f64/prior_{kind}/probabilities"]) < 1e-9
        else:
            means = drawn.location[0, :1, :, :, :2]
            assert relative(means, golden[f"f64/prior_{kind}/means"]) < 1e-8


# --- the options, against the project's network from the description of its files alone ---------


def settings(**more: Any) -> dict[str, Any]:
    """A configuration as wandb's file has it."""
    both = {"data_ch": 1, "data_dim": 8, "latent_scales": [0, 2, 1], "latent_width": [2, 2, 2],
            "weight_norm": True, "batch_norm": True, "start_scale_at_x": True,
            "activation": "silu", "dset": "mnist"}  # fmt: skip
    encoder = {"_target_": "model.encoder.LadderEncoder", "num_init_blocks": 1,
               "num_blocks_per_scale": 2}  # fmt: skip
    decoder = {"num_blocks_per_scale": 2, "num_postprocess_blocks": 1, "padding_mode": "zeros",
               "likelihood": "bernoulli", "num_mix": 2, "min_logvar": -3, "decoder_res_mode": "2x3",
               "z_L_prior": {"_target_": "model.prior.Normal"}}  # fmt: skip
    encoder, decoder = {**encoder, **both, **more}, {**decoder, **both, **more}
    return {
        "dataset": {"desc": None, "value": {"name": encoder["dset"]}},
        "model": {"desc": None, "value": {"encoder": encoder, "decoder": decoder}},
    }


PLAIN: dict[str, Any] = {
    "image_shape": (1, 8, 8), "features": 3, "opening": ({"hidden": 3, "out": 3},), "width": 2,
    "mixed": 3,
    "groups": ({"blocks": ({"hidden": 3, "out": 4}, {"hidden": 4, "out": 4}), "pool": 2,
                "latents": 1},
               {"blocks": ({"hidden": 4, "out": 4}, {"hidden": 4, "out": 4}), "pool": 1,
                "latents": 1},
               {"blocks": ({"hidden": 4, "out": 5}, {"hidden": 5, "out": 5}), "pool": 2,
                "latents": 1}),
    "layers": ({"prior": 3, "posterior": 3,
                "blocks": ({"hidden": 3, "out": 5}, {"hidden": 3, "out": 4})},
               {"prior": 3, "posterior": 3,
                "blocks": ({"hidden": 3, "out": 4}, {"hidden": 3, "out": 4})},
               {"prior": 3, "posterior": 3}),
    "closing": ({"hidden": 3, "out": 4},), "min_logvar": -3.0, "weight_norm": True,
    "batch_norm": True, "num_mix": 2,
}  # fmt: skip
PRIOR = {"_target_": "model.ddgm.DiffusionPrior", "T": 3, "ll": "discretized_gaussian",
         "cont_time": False, "parametrization": "eps",
         "model": {"model_channels": 16, "num_res_blocks": 2, "channel_mult": [1, 2],
                   "num_heads": 2, "attention_resolutions": "tuple([2])"}}  # fmt: skip
UNDER: dict[str, Any] = {
    **PLAIN, "image_shape": (3, 8, 8), "width": 3, "likelihood": "colour_mixture",
    "standardised": True, "batch_norm": False, "weight_norm": False,
    "groups": ({"blocks": ({"hidden": 3, "out": 3}, {"hidden": 3, "out": 4}), "pool": 1,
                "latents": 2},
               {"blocks": ({"hidden": 4, "out": 5}, {"hidden": 5, "out": 5}), "pool": 4,
                "latents": 1}),
    "pseudo": {"size": 4, "steps": 3, "continuous": False, "discrete": True,
               "unet": {"channels": 16, "mult": (1, 2), "blocks": 2, "attention": (2,),
                        "heads": 2}},
}  # fmt: skip
OPTIONS: dict[str, tuple[dict[str, Any], dict[str, Any]]] = {
    "plain ladder": (PLAIN, settings()),
    "under u": (
        UNDER,
        settings(
            data_ch=3, latent_scales=[2, 0, 1], latent_width=[3, 3, 3], weight_norm=False,
            batch_norm=False, dset="cifar10", likelihood="logistic_mixture", z_L_prior=PRIOR,
            _target_="model.encoder.SmallLadderEncoder",
        ),
    ),
}  # fmt: skip


def foreign_weights(config: dict[str, Any], seed: int = 0) -> dict[str, Tensor]:
    """Random weights under the names of the project's files, with what stands twice or idle."""
    model = model_from_config(from_json(DVPLadderConfig, json.dumps(config)))
    stream = torch.Generator().manual_seed(seed)
    out: dict[str, Tensor] = {}
    for name, tensor in model.state_dict().items():
        value = torch.randn(tensor.shape, generator=stream) / math.sqrt(max(1, tensor[0].numel()))
        if ".dct.basis" in name or ".dct.reverse" in name or "gamma" in name:
            value = tensor
        if name.endswith(("running_var", "dct_scale", "beta")):
            value = value.abs() + 0.5
        name = name.replace("parametrizations.weight.original0", "weight_g")
        out[name.replace("parametrizations.weight.original1", "weight_v")] = value
        if name.endswith("running_var"):
            out[name.replace("running_var", "num_batches_tracked")] = torch.tensor(7)
        if ".ctx_prior." in name:
            out[name.replace("decoder_blocks.0.ctx_prior", "z_L_prior")] = value
    last = len(config["layers"]) - (0 if "pseudo" in config else 1)
    out[f"decoder.decoder_blocks.{last}.z_up.weight"] = torch.ones(4, config["width"], 1, 1)
    out[f"decoder.decoder_blocks.{last}.z_up.bias"] = torch.ones(4)
    return out


def checkpoint_file(weights: dict[str, Tensor], average: bool = True) -> bytes:
    raw = {name: 2 * tensor for name, tensor in weights.items()} if average else weights
    return saved({"epoch": 4, "model_state_dict": raw, "optimizer_state_dict": {"state": {}},
                  "ema_model_state_dict": weights if average else None,
                  "loss": torch.tensor(1.0)})  # fmt: skip


@pytest.mark.parametrize("kind", OPTIONS)
def test_the_network_is_the_described_one(kind: str, tmp_path: Path) -> None:
    config, wandb = OPTIONS[kind]
    weights = foreign_weights(config)
    (tmp_path / "last_chpt.pth").write_bytes(checkpoint_file(weights, average="pseudo" in config))
    (tmp_path / "config.yaml").write_text(json.dumps(wandb), "utf-8")
    checkpoint = load_checkpoint(tmp_path)
    assert checkpoint.config == from_json(DVPLadderConfig, json.dumps(config))
    assert checkpoint.card.epochs == 5
    model: Any = checkpoint.model.double()
    stream = torch.Generator().manual_seed(1)
    grey = torch.randint(0, 256, (2, *checkpoint.image_shape), generator=stream).float() / 255
    uniform = torch.rand(2, *checkpoint.image_shape, generator=stream)
    trace = model.trace(grey, noise=Stored({"x": uniform.numpy()}))
    raw, kl = Twin(weights, wandb["model"]["value"]).run(grey)
    names = [spec.name for spec in model.latents]
    assert relative(trace.kl[:, 0], torch.stack([kl[name] for name in names])) < 1e-6
    if "pseudo" not in config:
        p = raw.sigmoid().clamp(1e-7, 1 - 1e-7)
        chosen = torch.where(uniform < grey, p, 1 - p)
        assert relative(trace.log_px[0], chosen.log().flatten(1).sum(1)) < 1e-9
    else:
        assert relative(trace.likelihood.logits[0], raw[:, :2]) < 1e-6  # type: ignore[attr-defined]


def test_the_folder_can_be_a_zip_and_lacks_are_named() -> None:
    config, wandb = OPTIONS["plain ladder"]
    data, text = checkpoint_file(foreign_weights(config), average=False), json.dumps(wandb).encode()
    checkpoint = load_checkpoint(zipped({"r/last_chpt.pth": data, "r/config.yaml": text}))
    assert "no moving average" in checkpoint.card.note
    assert "AKuzina/dvp_vae" in checkpoint.card.note
    assert load_checkpoint(data, name="a.pth", given=wandb).config == checkpoint.config
    with pytest.raises(CheckpointError, match=r"without the configuration.*config\.yaml"):
        load_checkpoint(data, name="last_chpt.pth")
    for change, saying in (
        ({"activation": "relu"}, "has activation 'relu'; only 'silu'"),
        ({"likelihood": "normal"}, "has the likelihood 'normal'"),
        (
            {"latent_scales": [2, 1, 1]},
            "has 3 groups of encoder blocks where latent_scales asks for 4",
        ),
        ({"latent_scales": "x"}, "a list of whole numbers as latent_scales"),
        ({"latent_width": [1, 2, 2]}, "different widths"),
        ({"_target_": "model.encoder.Other"}, "the encoder 'Other'"),
        ({"min_logvar": None}, "a number as min_logvar"),
        ({"data_dim": 10**9}, "less than or equal"),
    ):
        with pytest.raises(CheckpointError, match=saying):
            load_checkpoint(data, name="a.pth", given=settings(**change))


def test_copies_of_the_prior_must_agree() -> None:
    config, wandb = OPTIONS["under u"]
    weights = foreign_weights(config)
    weights["decoder.z_L_prior.model.out.2.bias"] = torch.zeros(3)
    with pytest.raises(CheckpointError, match="two different copies"):
        load_checkpoint(checkpoint_file(weights), name="a.pth", given=wandb)


def test_binary_pixels_are_drawn_once_an_image() -> None:
    """The same for any sample, batch and order; the encoder reads the grey image."""
    config, wandb = OPTIONS["plain ladder"]
    data = checkpoint_file(foreign_weights(config), average=False)
    model: Any = load_checkpoint(data, name="a.pth", given=wandb).model
    grey = torch.rand(3, 1, 8, 8, generator=torch.Generator().manual_seed(2))
    drawn = model.target(grey, ImageNoise([5, 6, 7]))
    assert set(drawn.unique().tolist()) == {0.0, 1.0}
    assert torch.equal(drawn, model.target(grey, ImageNoise([5, 6, 7], first_sample=3)))
    assert torch.equal(drawn[[2, 0]], model.target(grey[[2, 0]], ImageNoise([7, 5])))
    assert torch.equal(model.prepare(grey, ImageNoise([5, 6, 7])), grey)
    trace = model.trace(grey, noise=ImageNoise([5, 6, 7]), samples=2)
    assert torch.allclose(trace.log_px, trace.likelihood.log_prob(drawn))


def test_samples_of_an_image_share_the_noise_of_its_prior() -> None:
    config, _ = OPTIONS["under u"]
    model: Any = model_from_config(from_json(DVPLadderConfig, json.dumps(config))).eval()
    prior = model.decoder.decoder_blocks[0].ctx_prior
    u = torch.rand(1, 2, 3, 4, 4, generator=torch.Generator().manual_seed(3))
    one = prior.log_prob(u, ImageNoise([1, 2]))
    many = prior.log_prob(u.expand(3, -1, -1, -1, -1), ImageNoise([1, 2], first_sample=5))
    assert torch.allclose(many, one.expand(3, -1), rtol=1e-5)
