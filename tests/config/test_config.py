"""Configurations: back from JSON as they were, and every bound kept with a clear sentence."""

from __future__ import annotations

import json
from typing import Any

import pytest
from pydantic import ValidationError

from hvae_core.common.errors import ConfigError
from hvae_core.config import (
    HVAEConfig,
    LatentConfig,
    LVAEConfig,
    ModelCard,
    ModelConfig,
    TrainConfig,
    from_json,
    to_json,
)
from hvae_core.config.presets import PRESETS, get_preset
from tests.small import as_family, tiny_config

OWN = {"skips_up", "skips_down"}  # of this family alone
MODEL: dict[str, Any] = {
    name: value for name, value in json.loads(to_json(tiny_config())).items() if name not in OWN
}
LATENT = {"dim": 4, "kind": "conv", "stride": 1, "kernel": 3}
WIDE: dict[str, Any] = {  # at several bounds at once
    "image_shape": [1, 256, 256],
    "latents": [{**LATENT, "dim": 2, "stride": 2}, {**LATENT, "stride": 2}],
}


@pytest.mark.parametrize(
    "value",
    [
        tiny_config(),
        tiny_config(image_shape=(3, 32, 32), stem=4, skip=False, likelihood="discretised_logistic"),
        TrainConfig("glyphs", objective="informative", epochs=7),
        TrainConfig("glyphs", warmup_epochs=2, free_bits=2.5, free_bits_annealed=3),
        ModelCard("A title", seconds=3.5, note="Grüße"),
    ],
)
def test_json_round_trip(value: Any) -> None:
    text = to_json(value)
    assert from_json(type(value), text) == value
    assert from_json(type(value), text.encode()) == value
    assert to_json(from_json(type(value), text)) == text


def test_equal_configurations_have_equal_text() -> None:
    shuffled = json.dumps(dict(reversed(MODEL.items())), indent=3)
    assert to_json(from_json(HVAEConfig, shuffled)) == to_json(tiny_config())


def refused(kind: Any, changes: dict[str, Any], base: dict[str, Any]) -> str:
    with pytest.raises(ConfigError) as caught:
        from_json(kind, json.dumps({**base, **changes}))
    message = str(caught.value)
    assert message.endswith(".")
    assert "\n" not in message
    return message


BAD_MODELS = [
    ({"image_shape": [0, 8, 8]}, "image_shape"),
    ({"image_shape": [5, 8, 8]}, "image_shape"),
    ({"image_shape": [1, 3, 8]}, "image_shape"),
    ({"image_shape": [1, 8, 257]}, "image_shape"),
    ({"image_shape": [1, 8]}, "image_shape"),
    ({"image_shape": [1, 8, 8.5]}, "image_shape"),
    ({"latents": [LATENT]}, "latents"),
    ({"latents": [LATENT] * 11}, "latents"),
    ({"latents": [LATENT, {**LATENT, "dim": 0}]}, "latents.1.dim"),
    ({"latents": [LATENT, {**LATENT, "dim": 513}]}, "latents.1.dim"),
    ({"latents": [LATENT, {**LATENT, "kind": "sparse"}]}, "latents.1.kind"),
    ({"latents": [LATENT, {**LATENT, "stride": 0}]}, "latents.1.stride"),
    ({"latents": [LATENT, {**LATENT, "stride": 3}]}, "latents.1.stride"),
    ({"latents": [LATENT, {**LATENT, "kernel": 4}]}, "latents.1.kernel"),
    ({"latents": [LATENT, {**LATENT, "depth": 4}]}, "latents.1.depth"),
    ({"latents": [{**LATENT, "kind": "dense"}, LATENT]}, "above a dense one"),
    ({"image_shape": [1, 256, 256], "latents": [LATENT, LATENT]}, "65,536 latent units"),
    ({"channels": 0}, "channels"),
    ({"channels": 513}, "channels"),
    ({"channels": "4"}, "channels"),
    ({"channels": True}, "channels"),
    ({"blocks": 0}, "blocks"),
    ({"blocks": 7}, "blocks"),
    ({"stem": 3}, "stem"),
    ({"stem": 4, "image_shape": [1, 10, 8]}, "multiple of stem = 4"),
    ({"likelihood": "poisson"}, "likelihood"),
    ({"skip": 1}, "skip"),
    ({"skip": False, "skips_up": "none"}, "no effect where skip = false"),
    ({"skips_up": "none", "skips_down": "none"}, "has skip = false"),
    ({"family": "gan"}, "family"),
    ({"pseudoinputs": -1}, "pseudoinputs"),
    ({"pseudoinputs": 1001}, "pseudoinputs"),
    ({"pseudoinputs": 2.0}, "pseudoinputs"),
    (WIDE | {"pseudoinputs": 257}, "16,777,216 pixels"),
    (WIDE | {"pseudoinputs": 17, "channels": 512}, "134,217,728 features"),
    (WIDE | {"family": "biva"}, "65,536 latent units"),
    ({"surprise": 1}, "surprise"),
]


@pytest.mark.parametrize(("changes", "word"), BAD_MODELS)
def test_bad_models_are_refused_by_name(changes: dict[str, Any], word: str) -> None:
    assert word in refused(ModelConfig, changes, MODEL)


BAD_TRAINING = [
    ("objective", "vae"),
    ("epochs", 0),
    ("epochs", 10_001),
    ("batch_size", 0),
    ("batch_size", 4097),
    ("learning_rate", 0),
    ("learning_rate", 1.5),
    ("learning_rate", float("nan")),
    ("learning_rate", float("inf")),
    ("final_learning_rate", -1e-9),
    ("warmup_epochs", -1),
    ("free_bits", -0.1),
    ("free_bits", float("nan")),
    ("free_bits", 1001),
    ("free_bits_constant", -1),
    ("free_bits_annealed", 10_001),
    ("objective", None),
    ("samples", 0),
    ("samples", 1001),
    ("optimizer", "sgd"),
    ("beta1", 1),
    ("beta2", -0.1),
    ("beta2", float("nan")),
    ("weight_decay", -0.1),
    ("weight_decay", 1.1),
    ("skip_norm", -1),
    ("skip_norm", float("inf")),
    ("clip_norm", 0),
    ("clip_norm", float("inf")),
    ("ema", 1),
    ("ema", -0.1),
    ("epoch_images", -1),
    ("seed", -1),
    ("seed", 2**31),
    ("seed", "0"),
    ("data", 3),
]


@pytest.mark.parametrize(("name", "value"), BAD_TRAINING)
def test_bad_training_is_refused_by_name(name: str, value: Any) -> None:
    assert name in refused(TrainConfig, {name: value}, {"data": "glyphs"})


def test_settings_without_effect_are_refused() -> None:
    base = {"data": "glyphs"}
    assert "no effect" in refused(TrainConfig, {"free_bits": 2.0}, base)
    for name, value in (("free_bits_constant", 3), ("free_bits_annealed", 3)):
        text = json.dumps({**base, "free_bits": 2.0, name: value})
        assert from_json(TrainConfig, text).free_bits == 2
    assert "no effect" in refused(TrainConfig, {"free_bits_scope": "element"}, base)
    informative = {**base, "objective": "informative"}
    assert "takes no warm-up" in refused(TrainConfig, {"warmup_epochs": 3}, informative)
    held = {"free_bits": 1.0, "free_bits_constant": 3}
    assert "no free bits" in refused(TrainConfig, held, informative)
    iwae = {**base, "objective": "iwae", "samples": 5}
    assert from_json(TrainConfig, json.dumps(iwae)).samples == 5
    assert "no KL term" in refused(TrainConfig, {"warmup_epochs": 3}, iwae)
    assert "no KL term" in refused(TrainConfig, held, iwae)
    for objective in ("elbo", "informative"):
        assert "have no effect" in refused(TrainConfig, {"objective": objective}, iwae)


def test_missing_fields_and_broken_text_are_refused() -> None:
    assert "data" in refused(TrainConfig, {}, {})
    for text in ("", "{", "[]", "null", '"x"', "3", b"\xff\xfe", "{" * 5000):
        with pytest.raises(ConfigError, match="not valid at"):
            from_json(ModelConfig, text)


def test_configurations_made_in_code_keep_the_same_bounds() -> None:
    with pytest.raises(ValidationError):
        LatentConfig(0)
    with pytest.raises(ValidationError):
        HVAEConfig((1, 8, 8), (LatentConfig(2), LatentConfig(2)), stem=3)  # type: ignore[arg-type]


def test_largest_configurations_pass() -> None:
    for changes in (
        {"pseudoinputs": 256},
        {"pseudoinputs": 16, "channels": 128},
        {"family": "lvae"},
    ):
        assert from_json(ModelConfig, json.dumps(MODEL | WIDE | changes))


def test_shapes_follow_the_strides() -> None:
    half, dense = LatentConfig(3, "conv", stride=2), LatentConfig(5, "dense", stride=2)
    config = HVAEConfig((1, 28, 20), (half, half, half, dense), stem=2)
    assert config.stage_sizes == ((14, 10), (7, 5), (4, 3), (2, 2), (1, 1))
    assert config.latent_shapes == ((3, 7, 5), (3, 4, 3), (3, 2, 2), (5,))


def test_presets_are_known_by_their_names() -> None:
    for name, preset in PRESETS.items():
        assert preset.name == name
        assert get_preset(name) is preset
        assert preset.train.data == preset.world
        assert from_json(ModelConfig, to_json(preset.model)) == preset.model
    with pytest.raises(ConfigError, match="no preset 'x'; all are in"):
        get_preset("x")


def test_exact_terms_are_those_with_a_closed_form() -> None:
    layers = (LatentConfig(2), LatentConfig(2), LatentConfig(2))
    plain = HVAEConfig((1, 8, 8), layers)
    exact = {family: as_family(family, plain).exact_kl for family in ("hvae", "lvae", "biva")}
    assert exact["hvae"] == (False, False, True)
    assert exact["lvae"] == (True, True, True)
    assert exact["biva"] == (False, True, False, True, True)  # z1bu, z1td, z2bu, z2td, z3
    assert LVAEConfig((1, 8, 8), layers, pseudoinputs=4).exact_kl[-1] is False
