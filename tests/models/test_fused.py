"""Blocks that run in fewer passes give what the plain blocks give."""

from __future__ import annotations

import pytest
import torch

from hvae_core.common.errors import ConfigError
from hvae_core.common.noise import ImageNoise
from hvae_core.evaluation.bounds import log_weights
from hvae_core.models.frozen import frozen
from hvae_core.models.layers import fused
from tests.small import FAMILIES, prepared, tiny_model, tiny_set


@pytest.mark.parametrize("family", ["hvae", "vdvae", "dvp-vae"])
def test_a_model_of_fused_blocks_is_the_model(family: str) -> None:
    config = FAMILIES[family]
    model, images = tiny_model(config).eval(), tiny_set(3, config.image_shape)
    x, made = prepared(model, images), []
    twin = fused.fuse(frozen(model), lambda function: made.append(function) or function)
    assert made, "no block was put in another's place"
    with torch.no_grad():
        one, other = (
            [
                log_weights(t)
                for t in m.traces(x, range(2), noise=ImageNoise(images.image_digests()))
            ]
            for m in (frozen(model), twin)
        )
    for a, b in zip(one, other, strict=True):
        torch.testing.assert_close(a, b, rtol=1e-5, atol=2e-4)


def test_where_no_kernel_can_be_made_one_sentence_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    def no_compiler(_function: object) -> object:
        raise RuntimeError("no C compiler")

    monkeypatch.setattr(fused, "_compiled", no_compiler)
    with pytest.raises(ConfigError, match="leave out --compile full"):
        fused.compiled_for(torch.device("cpu"))
