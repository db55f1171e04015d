"""Checkpoints of hvae-oodd and biva-pytorch: reference numbers, and every option written out."""

from __future__ import annotations

import json
import pickle
import sys
import types
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from hvae_core.checkpoint import load_checkpoint
from hvae_core.checkpoint.importers.biva_pytorch import config_of as biva_config
from hvae_core.checkpoint.importers.oodd import config_of as oodd_config
from hvae_core.checkpoint.options import table
from hvae_core.checkpoint.pickled import Call, Named
from hvae_core.common.errors import CheckpointError
from hvae_core.common.noise import Noise
from hvae_core.evaluation.bounds import iw_bound
from hvae_core.models import HierarchicalVAE, Trace
from hvae_core.models.distributions import Bernoulli, ColourMixture
from tests.checkpoint.foreign import reference, saved, zipped
from tests.checkpoint.plain_stages import Biva, Draws, Files, Noises, oodd

Table = Mapping[str, Any]


class Given(Noise):
    """Stored numbers by the name of the draw, a row a sample and image, zeros for others."""

    def __init__(self, numbers: Table, dtype: torch.dtype = torch.float64) -> None:
        self.numbers = {name: torch.as_tensor(n).to(dtype) for name, n in numbers.items()}
        self.dtype = dtype

    def normal(self, name: str, samples: int, batch: int, shape: Any) -> Tensor:
        if name not in self.numbers:
            return torch.zeros(samples, batch, *shape, dtype=self.dtype)
        return self.numbers[name][: samples * batch].view(samples, batch, *shape)

    def uniform(self, name: str, samples: int, batch: int, shape: Any) -> Tensor:
        return self.numbers[name][:batch].unsqueeze(0).float()


def raw(trace: Trace) -> Tensor:
    """Bernoulli logits, or the first pixels' weights of a mixture."""
    found: Any = trace.likelihood
    return found.logits[0]


# --- reference numbers ------------------------------------------------------------------------

OODD = ["fashion_bernoulli", "cifar_dlogistic"]
BIVA = ["binmnist_biva", "cifar10_biva"]
PRECISIONS = [("f64", torch.float64, 1e-9, 1e-9), ("f32", torch.float32, 1e-5, 1e-2)]


class Golden:
    """A reference checkpoint as a model here, beside its numbers."""

    def __init__(self, project: str, name: str) -> None:
        folder = reference(project, name)
        self.numbers = np.load(folder / "golden.npz")
        self.model = load_checkpoint(folder).model
        self.names = self.model.config.latent_names

    def check(self, name: str, found: Tensor, *, rtol: float, atol: float = 0) -> None:
        expected = torch.from_numpy(self.numbers[name])
        torch.testing.assert_close(
            found.double().view(expected.shape), expected.double(), rtol=rtol, atol=atol, msg=name
        )

    def check_terms(self, where: str, trace: Trace, labels: list[str], *, tols: Any) -> None:
        rtol, atol = tols
        bound = (trace.log_px - trace.kl.sum(0)).flatten()
        self.check(f"{where}/log_px_nats", trace.log_px, rtol=rtol, atol=atol)
        self.check(f"{where}/elbo_nats", bound, rtol=rtol, atol=atol)
        for i in range(trace.skip, len(labels)):
            for what, term in (("kl", trace.kl), ("log_q", trace.log_q), ("log_p", trace.log_p)):
                key = f"{where}/{what}{labels[i]}_nats"
                self.check(key, term[i], rtol=rtol, atol=1e-9 if "64" in where else 1e-2)


@pytest.mark.parametrize("name", OODD)
def test_oodd_gives_the_reference_numbers(name: str) -> None:
    golden = Golden("hvae-oodd", name)
    stored, model = golden.numbers, golden.model
    uniform = {"x": stored["noise/pixel_uniform"]}
    x = model.prepare(torch.from_numpy(stored["image_u8"]).float() / 255, Given(uniform))
    assert torch.equal(x, torch.from_numpy(stored["x"]))  # the stored 8-bit images as it sees them
    labels = [str(i) for i in range(1, model.n_layers + 1)]
    eps = {f"{r}{i}": stored[f"noise/eps_{r}{i}"] for r in "qp" for i in labels}
    for precision, dtype, rtol, atol in PRECISIONS:
        model, x, tols = model.to(dtype), x.to(dtype), (rtol, atol)
        still, drawn = Given({}, dtype), Given(eps, dtype)
        for k in range(model.n_levels):
            for kind, noise in (("mean", still), ("script", drawn)):
                trace = model.trace(x, k=k, noise=noise, skipped="mean", up="mean")
                golden.check_terms(f"{precision}/{kind}_skip{k}", trace, labels, tols=tols)
        trace = model.trace(x, k=1, noise=drawn, skipped="sample", up="sample")
        golden.check_terms(f"{precision}/all_drawn_skip1", trace, labels, tols=tols)
        trace = model.trace(x, noise=drawn, samples=3)
        golden.check_terms(f"{precision}/iw", trace, labels, tols=tols)
        golden.check(f"{precision}/iw/iw_bound_nats", iw_bound(trace), rtol=rtol, atol=atol)
    mean = golden.numbers[f"f64/mean_skip0/q_mean{labels[-1]}"]
    model = model.double()
    top = model.n_layers
    given = {top: torch.from_numpy(mean)}
    passes: list[tuple[str, Any]] = [
        ("prior_zero", model.sample(1, noise=Given({}))),
        ("prior_noise", model.sample(2, noise=Given(eps))),
        ("forced_top", model.sample(len(mean), noise=Given({}), given=given)),
    ]
    check_drawn(golden, passes)


def check_drawn(golden: Golden, passes: list[tuple[str, Any]]) -> None:
    """Likelihoods from the prior against the stored raw numbers of their first image and rows."""
    for where, found in passes:
        key = next(k for k in golden.numbers if k.startswith(f"f64/{where}/") and k[-6:] in LAST)
        expected = torch.from_numpy(golden.numbers[key])
        n, _, rows, _ = expected.shape
        if isinstance(found, Bernoulli):
            torch.testing.assert_close(found.logits[0, :n], expected, rtol=1e-9, atol=1e-9)
            continue
        mixture = ColourMixture.from_raw(expected.unsqueeze(0))
        for part in ("logits", "location", "log_scale", "slopes"):
            one = getattr(found, part)[0, :n, ..., :rows, :]
            torch.testing.assert_close(one, getattr(mixture, part)[0], rtol=1e-9, atol=1e-9)


LAST = ("logits", "params")


@pytest.mark.parametrize("name", BIVA)
def test_biva_gives_the_reference_numbers(name: str) -> None:
    golden = Golden("biva-pytorch", name)
    stored, model = golden.numbers, golden.model
    grey = torch.from_numpy(stored["image_u8"]).float() / 255
    x = model.prepare(grey, Given({}))
    pixels: Any = model
    assert torch.equal(pixels.pixels(x), torch.from_numpy(stored["x"]))
    if not set(np.unique(stored["x"])) <= {0, 1}:  # in float64 the stored float32 values are meant
        x = (torch.from_numpy(stored["x"]).double() + 1) / 2
    labels = [f"_{z}" for z in golden.names]
    eps = {
        f"{role}{i}": stored[f"noise/{z}_{role}"]
        for i, z in enumerate(golden.names, start=1)
        for role in "qp"
    }
    for precision, dtype, rtol, atol in PRECISIONS:
        model, x, tols = model.to(dtype), x.to(dtype), (rtol, atol)
        for k in range(model.n_levels):
            trace = model.trace(x, k=k, noise=Given({}, dtype), skipped="mean", up="mean")
            where = f"{precision}/mean_skip{k}" if k else f"{precision}/mean"
            golden.check_terms(where, trace, labels, tols=tols)
        trace = model.trace(x, noise=Given(eps, dtype))
        golden.check_terms(f"{precision}/noise", trace, labels, tols=tols)
    model = model.double()
    passes: list[tuple[str, Any]] = [
        ("prior_zero", model.sample(1, noise=Given({}))),
        ("prior_noise", model.sample(2, noise=Given(eps))),
    ]
    check_drawn(golden, passes)


# --- every option, against the networks written out ---------------------------------------------


def block(c: int, k: int = 3, t: int = 1, gated: bool = False, norm: bool = True) -> Table:
    return {"block": "ResBlockConv2d", "out_channels": c, "kernel_size": k, "stride": t,
            "gated": gated, "weightnorm": norm}  # fmt: skip


def latent(kind: str, n: int, norm: bool = True, **more: Any) -> Table:
    return {"block": f"Gaussian{kind}", "latent_features": n, "weightnorm": norm, **more}


def oodd_options(**changes: Any) -> dict[str, Any]:
    """Two stages on 8x8 grey images."""
    return {
        "input_shape": torch.Size([1, 8, 8]),
        "likelihood_module": "BernoulliLikelihoodConv2d",
        "config_deterministic": [[block(4), block(4, 5, 2)], [block(4), block(4)]],
        "config_stochastic": [latent("Conv2d", 2), latent("Dense", 3)],
        "q_dropout": 0.1,
        "p_dropout": 0.0,
        "activation": "ReLU",
        "skip_stochastic": True,
        "padded_shape": None,
        **changes,
    }


WIDE = [
    [block(3, 4), block(4, 2, 2), block(4, 3)],  # the stride in the middle of the list
    [block(4, 3, 1), block(4, 3), block(4, 3, 2)],
    [block(4, 5), block(4), block(4)],
]
OODD_CASES: dict[str, dict[str, Any]] = {
    "plain": {},
    "gated, padded, no skips": {
        "input_shape": torch.Size([1, 6, 4]),
        "padded_shape": (8, 8),
        "skip_stochastic": False,
        "config_deterministic": [
            [block(4, gated=True), block(4, 3, 2, gated=True)],
            [block(4, gated=True), block(4, gated=True)],
        ],
        "config_stochastic": [latent("Dense", 3), latent("Conv2d", 2, learn_prior=True)],
        "activation": "Swish",
    },
    "colour, no weight norm, kernels of latents": {
        "input_shape": torch.Size([3, 8, 8]),
        "likelihood_module": "DiscretizedLogisticMixLikelihoodConv2d",
        "config_deterministic": [[block(4, norm=False)], [block(4, 3, 2, norm=False)]],
        "config_stochastic": [
            latent("Conv2d", 2, norm=False, kernel_size=2),
            latent("Dense", 2, norm=False),
        ],
        "activation": "ELU",
    },
    "widths that differ": {
        "config_deterministic": [[block(5), block(3, 3, 2)], [block(3, 3), block(3, 3)]],
    },
    "skips on the way up": {
        "config_deterministic": [
            [block(4), block(4)],
            [block(4, 3, 2), block(4), block(6)],
        ],
        "skip_stochastic": False,
        "config_stochastic": [latent("Conv2d", 2), latent("Conv2d", 2)],
    },
    "three stages": {
        "config_deterministic": WIDE,
        "config_stochastic": [latent("Conv2d", 2), latent("Conv2d", 2), latent("Dense", 3)],
    },
}


def oodd_folder(options: dict[str, Any], state: dict[str, Tensor]) -> bytes:
    return zipped(
        {
            "run/model_class_name.pt": saved("VAE"),
            "run/model_kwargs.pt": saved({"kwargs": options}),
            "run/model_state_dict.pt": saved(state),
        }
    )


def compare(model: HierarchicalVAE, x: Tensor, noise: Table, k: int, plain: Any) -> None:
    """All terms of L_>k with the model's own network and with the one written out."""
    trace = model.trace(x, k=k, noise=Given(noise), skipped="mean", up="mean")
    numbers, draws = plain
    assert isinstance(draws, Draws)
    kind = Bernoulli if numbers.shape[1] == 1 else ColourMixture.from_raw
    expected = kind(numbers.unsqueeze(0))
    torch.testing.assert_close(trace.log_px, expected.log_prob(x), rtol=1e-10, atol=1e-9)
    torch.testing.assert_close(raw(trace), expected.logits[0], rtol=1e-9, atol=1e-9)
    for i in range(trace.skip, model.n_layers):
        for found, wanted in ((trace.log_q, draws.log_q), (trace.log_p, draws.log_p)):
            name = f"q{i + 1}"
            torch.testing.assert_close(found[i, 0], wanted[name], rtol=1e-10, atol=1e-9)


@pytest.mark.parametrize("case", OODD_CASES)
def test_every_option_of_oodd_is_as_written_out(case: str) -> None:
    options, files = oodd_options(**OODD_CASES[case]), Files()
    top = len(options["config_stochastic"]) - 1
    last = options["config_stochastic"][top]
    stream = torch.Generator().manual_seed(1)
    x = torch.rand(2, *options["input_shape"], generator=stream)
    x = (x > 0.5).double() if options["input_shape"][0] == 1 else x.double()
    # 1. What the project would have on disk: the weights that the plain network asks for.
    conv = last["block"] == "GaussianConv2d"
    side = (4, 4) if conv else ()
    logits = torch.zeros(2 * last["latent_features"], *side)
    if last.get("learn_prior"):
        logits = torch.randn(logits.shape, generator=stream)
    files.state[f"stages.{top}.stochastic.prior_logits"] = logits
    noise = Noises(2)
    oodd(files, options, x, noise, 0)
    # 2. Its files, opened as a checkpoint.
    found = load_checkpoint(oodd_folder(options, files.state), name="run")
    model = found.model.double()
    assert "hvae-oodd" in found.card.note
    for k in range(model.n_levels):
        compare(model, x, noise, k, oodd(files, options, x, noise, k))


# --- biva-pytorch -----------------------------------------------------------------------------


def biva_options(**changes: Any) -> dict[str, Any]:
    """Two stages on 8x8 binary images, dense latents, in the project's own names."""
    return {
        "tensor_shp": (-1, 1, 8, 8),
        "stages": [[[3, 3, 1], [3, 5, 2]], [[3, 3, 1], [3, 3, 1]]],
        "latents": [{"N": 2}, {"N": 3}],
        "nonlinearity": "elu",
        "q_dropout": 0.5,
        "p_dropout": 0.0,
        "features_out": 1,
        "no_skip": False,
        "log_var_act": "Softplus",
        **changes,
    }


ALL = frozenset({"q_convs", "q_bu_convs", "q_td_convs", "merge", "p_convs"})
CONV: dict[str, Any] = {
    "tensor_shp": (-1, 3, 8, 8),
    "stages": [[[4, 4, 1], [3, 2, 2]], [[3, 3, 1], [3, 3, 2]], [[3, 3, 1], [3, 3, 1], [3, 3, 1]]],
    "latents": [{"N": 2, "kernel": 3}, {"N": 2, "kernel": 2}, {"N": 1, "kernel": 1}],
    "features_out": 20,
}
BIVA_CASES: dict[str, tuple[str, dict[str, Any], frozenset[str]]] = {
    "biva": ("BivaStage", {}, ALL),
    "biva conv": ("BivaStage", {**CONV, "log_var_act": "Tanh"}, ALL),
    "biva no_skip": ("BivaStage", {"no_skip": True}, ALL - {"p_convs"}),
    "lvae": ("LvaeStage", {"log_var_act": None}, ALL),
    "lvae conv": ("LvaeStage", CONV, ALL),
    "lvae no_skip": ("LvaeStage", {"no_skip": True}, ALL - {"p_convs", "q_convs"}),
    "vae": ("VaeStage", {"log_var_act": "Tanh"}, ALL),
    "vae conv": ("VaeStage", CONV, ALL),
    "vae no_skip": ("VaeStage", {"no_skip": True}, frozenset()),
    "vae more blocks than above": (
        "VaeStage",
        {"stages": [[[3, 3, 1], [3, 3, 1], [3, 3, 1]], [[3, 3, 1], [3, 3, 2]]]},
        ALL,
    ),
}


def pickled(options: dict[str, Any], kind: str) -> bytes:
    """``hyperparameters.p`` as the project writes it: with classes of its own in it."""
    stage, stochastic = (
        types.ModuleType("biva.model.stage"),
        types.ModuleType("biva.model.stochastic"),
    )
    for module, names in ((stage, (kind,)), (stochastic, ("DenseNormal", "ConvNormal"))):
        for name in names:
            made = type(name, (), {"__module__": module.__name__})
            setattr(module, name, made)
    act = options["log_var_act"]
    written = {
        **options,
        "Stage": getattr(stage, kind),
        "type": kind.removesuffix("Stage").lower(),
        "latents": [
            {**z, "block": getattr(stochastic, "ConvNormal" if "kernel" in z else "DenseNormal")}
            for z in options["latents"]
        ],
        "log_var_act": act and getattr(torch.nn, act),
    }
    with pytest.MonkeyPatch.context() as patch:
        for name in ("biva", "biva.model"):
            patch.setitem(sys.modules, name, types.ModuleType(name))
        patch.setitem(sys.modules, stage.__name__, stage)
        patch.setitem(sys.modules, stochastic.__name__, stochastic)
        return pickle.dumps(written)


def biva_folder(
    options: dict[str, Any], kind: str, state: dict[str, Tensor], *, old: bool = False
) -> bytes:
    return zipped(
        {
            "config.json": json.dumps({"dataset": "cifar10", "model_type": "biva"}).encode(),
            "hyperparameters.p": pickled(options, kind),
            "model.pth": saved(state, old=old),
        }
    )


@pytest.mark.parametrize("case", BIVA_CASES)
def test_every_option_of_biva_is_as_written_out(case: str) -> None:
    kind, changes, skips = BIVA_CASES[case]
    options, files, noise = biva_options(**changes), Files(), Noises(2)
    stream = torch.Generator().manual_seed(1)
    x = torch.rand(2, *options["tensor_shp"][1:], generator=stream).double()
    binary = options["features_out"] == 1
    x = (x > 0.5).double() if binary else x
    seen = x if binary else 2 * x - 1
    plain = Biva(files, options, kind, skips)
    plain(seen, noise, 0)
    found = load_checkpoint(biva_folder(options, kind, files.state, old="conv" in case), name="run")
    model = found.model.double()
    assert found.card.data == "cifar10"
    for k in range(model.n_levels):
        compare(model, x, noise, k, plain(seen, noise, k))


# --- what is refused ----------------------------------------------------------------------------


SOME = {"projection.1.conv.bias": torch.ones(1)}


def refused(brought: bytes, sentence: str) -> None:
    with pytest.raises(CheckpointError, match=sentence) as caught:
        load_checkpoint(brought, name="run")
    assert str(caught.value).startswith("run ") and str(caught.value).endswith(".")


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        ({"likelihood_module": "BetaLikelihoodConv2d"}, "likelihood 'BetaLikelihoodConv2d'"),
        ({"activation": "Sine"}, "activation 'Sine'"),
        ({"config_stochastic": [latent("Dense", 2)]}, "not as many lists of blocks as latents"),
        ({"config_stochastic": [latent("Sparse", 2)] * 2}, "latents of the kind 'GaussianSparse'"),
        ({"config_deterministic": [[{**block(4), "dilation": 2}]] * 2}, "has 'dilation' in"),
        ({"config_deterministic": [[block(4)], "none"]}, "no list for 'config_deterministic'"),
        ({"config_deterministic": [[block(4, 3, 3)], [block(4)]]}, "does not divide"),
        ({"padded_shape": (7, 7)}, "padded size is smaller"),
        ({"input_shape": (1, 8, 8000)}, "hyper-parameters that no model here can have"),
    ],
)
def test_options_of_oodd_that_are_not_known(change: dict[str, Any], sentence: str) -> None:
    refused(oodd_folder(oodd_options(**change), SOME), sentence)


JUNK = (None, -1, True, "x", [], {"a": [1]}, 10**400, float("nan"), Call("a.b", ()))


def leaves(value: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """The place of everything in nested tables and lists."""
    yield path
    places = value.items() if isinstance(value, dict) else enumerate(value)
    for key, item in places:
        if isinstance(item, dict | list | tuple):
            yield from leaves(item, (*path, key))
        else:
            yield (*path, key)


def changed(value: Any, path: tuple[Any, ...], junk: Any) -> Any:
    if not path:
        return junk
    items = dict(value) if isinstance(value, dict) else dict(enumerate(value))
    items[path[0]] = changed(items[path[0]], path[1:], junk)
    return items if isinstance(value, dict) else list(items.values())


def test_whatever_stands_in_the_options_is_told_in_a_sentence() -> None:
    biva = biva_options(Stage=Named("biva.model.stage.BivaStage"), log_var_act=None)
    for z in biva["latents"]:
        z["block"] = Named("biva.model.stochastic.DenseNormal")
    sentences = []
    for config_of, options in ((oodd_config, oodd_options()), (biva_config, biva)):
        for path in leaves(options):
            for junk in JUNK:
                try:
                    config_of(table(changed(options, path, junk), "its options"), SOME)
                except CheckpointError as error:
                    sentences.append(str(error))
    assert len(sentences) > 400
    assert all(sentence.startswith(("has ", "gives ")) for sentence in sentences)


def test_files_of_oodd_that_do_not_fit() -> None:
    files = {
        "model_class_name.pt": saved("LVAE"),
        "model_kwargs.pt": saved({"kwargs": oodd_options()}),
        "model_state_dict.pt": saved(SOME),
    }
    refused(zipped(files), "of the class 'LVAE' of hvae-oodd")
    refused(oodd_folder(oodd_options(), {"extra.weight": torch.ones(1)}), "holds a weight 'extra")
    start = {"stages.0.stochastic.in_transform_q.initialized": torch.tensor(False)}
    refused(oodd_folder(oodd_options(), start), "before its layers were set by a first batch")
    refused(oodd_folder(oodd_options(), {}), "no state dict")
    alone = saved({"likelihood.parameter_net.conv.bias": torch.ones(1)})
    refused(alone, "weights of hvae-oodd without model_class_name.pt")


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        ({"nonlinearity": "relu"}, "nonlinearity 'relu'"),
        ({"features_out": 7}, "7 numbers for a pixel of 1 colours"),
        ({"latents": [{"N": 2}]}, "not as many stages as latents"),
        ({"stages": [[[3, 3]], [[3, 3, 1]]]}, "not filters, kernel and stride"),
        ({"log_var_act": "ReLU"}, "log-variances through 'ReLU'"),
        ({"stages": [[[3, 3, 3]], [[3, 3, 1]]]}, "does not divide"),
    ],
)
def test_options_of_biva_that_are_not_known(change: dict[str, Any], sentence: str) -> None:
    refused(biva_folder(biva_options(**change), "VaeStage", SOME), sentence)


def test_files_of_biva_that_do_not_fit(tmp_path: Path) -> None:
    refused(
        biva_folder(biva_options(), "OtherStage", SOME), "stages of the kind 'biva.model.stage.Oth"
    )
    # The weights alone, without what says to which network they belong.
    name = "projection.1.conv.weight_g"
    refused(saved({name: torch.ones(1), "stages.0.merge.x": torch.ones(1)}), "hyperparameters.p")
    # Nothing in a pickle is ever run.
    mark = tmp_path / "run"

    class Trap:
        def __reduce__(self) -> Any:
            return (mark.write_text, ("run",))

    trap = {"hyperparameters.p": pickle.dumps({"Stage": Trap()}), "model.pth": saved(SOME)}
    refused(zipped(trap), "stages of the kind")
    assert not mark.exists()
