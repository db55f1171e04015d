"""Passes that are replayed give what plain ones give, whatever fills a batch, and wait for nothing.

A card's recording is stood in for by one that runs the body again on the tensors of the recording.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from hvae_core.evaluation.evaluation import EvalSettings
from hvae_core.evaluation.replay import Replay
from hvae_core.evaluation.scorer import Scored, Scorer
from hvae_core.models import model_from_config
from hvae_core.models.frozen import frozen
from tests.small import FAMILIES, FromTheHost, tiny_model, tiny_set

SETTINGS = EvalSettings(samples=3, partial_samples=2)
IMAGES = tiny_set(24)
DIGESTS = IMAGES.image_digests()


def again(body: Callable[[], Tensor]) -> tuple[Tensor, Callable[[], object]]:
    """A recording that runs the body again, into the same place."""
    out = body()
    return out, lambda: out.copy_(body())


def replaying(model: Any, rows: int, settings: EvalSettings = SETTINGS) -> Scorer:
    return Scorer(model, settings, rows=rows, replays=True, record=again)


def numbers(scored: Scored, rows: slice = slice(None)) -> list[np.ndarray]:
    bounds, means = scored
    drawn = [part[:, rows] for b in bounds for part in (b.kl, b.terms, b.weights, b.log_px)]
    return drawn + [mean[rows] for mean in means]


def test_replayed_passes_are_plain_ones_to_the_bit() -> None:
    model = frozen(tiny_model())
    plain, replayed = Scorer(model, SETTINGS, rows=4), replaying(model, 4)
    for start in range(0, 24, 4):  # three calls warm up, the fourth is recorded
        rows = slice(start, start + 4)
        batch = IMAGES.images[rows], DIGESTS[rows]
        for a, b in zip(numbers(plain(*batch)), numbers(replayed(*batch)), strict=True):
            np.testing.assert_array_equal(a, b)
    assert all(one._again is not None for one in replayed._passes.values())


def test_a_batch_may_be_read_after_the_next_has_begun() -> None:
    replayed = replaying(frozen(tiny_model()), 4)
    for _ in range(4):
        expected = replayed(IMAGES.images[:4], DIGESTS[:4])
    for scorer in (replayed, Scorer(replayed.model, SETTINGS, rows=4)):
        first = scorer.launch(IMAGES.images[:4], DIGESTS[:4])
        scorer.launch(IMAGES.images[4:7], DIGESTS[4:7])
        for a, b in zip(numbers(expected), numbers(first()), strict=True):
            np.testing.assert_array_equal(a, b)


def test_what_fills_a_batch_changes_nothing() -> None:
    model = frozen(tiny_model())
    whole = replaying(model, 6)(IMAGES.images[:6], DIGESTS[:6])
    filled = replaying(model, 6)(IMAGES.images[:4], DIGESTS[:4])
    alone = Scorer(model, SETTINGS, rows=4)(IMAGES.images[:4], DIGESTS[:4])
    for a, b, c in zip(numbers(whole, slice(4)), numbers(filled), numbers(alone), strict=True):
        np.testing.assert_array_equal(a, b)
        np.testing.assert_allclose(b, c, rtol=1e-4, atol=1e-3)


@pytest.mark.parametrize("family", FAMILIES)
def test_nothing_in_a_pass_asks_the_device(family: str) -> None:
    """On the device that has no numbers to tell, every question fails.

    Nor does a pass wait for the host, but for the first calls, which warm up.
    """
    with torch.device("meta"):
        model = model_from_config(FAMILIES[family]).eval().requires_grad_(False)
    scorer = replaying(frozen(model), 2)
    pixels = torch.empty(2, *model.image_shape, dtype=torch.uint8, device="meta")
    keys = torch.empty(2, 2, dtype=torch.int64, device="meta")
    first = torch.empty((), dtype=torch.int64, device="meta")
    with torch.inference_mode():
        x = scorer._prepare(pixels, keys)
        kind = range(model.n_levels), 2
        replay = scorer._pass(kind)
        replay.warm = 2
        row = [replay(x, keys, first) for _ in range(replay.warm)][-1]
        with FromTheHost() as copies:
            scorer._once(kind, x, keys, first)
    assert copies.found == []
    assert row.device.type == "meta" and row.dim() == 1


@pytest.mark.parametrize("family", FAMILIES)
def test_weights_cast_once_give_what_autocast_gives(family: str) -> None:
    model = tiny_model(FAMILIES[family])
    images = tiny_set(2, FAMILIES[family].image_shape)
    half = EvalSettings(samples=1, partial_samples=1, precision="bfloat16")
    batch = images.images, images.image_digests()
    plain = Scorer(frozen(model), half, rows=2)
    found = Scorer(frozen(model, half=True), half, rows=2)(*batch)
    for a, b in zip(numbers(found), numbers(plain(*batch)), strict=True):
        np.testing.assert_array_equal(a, b)


def test_a_pass_computes_in_full_float32(monkeypatch: pytest.MonkeyPatch) -> None:
    """A graphics card's own way would round every factor of a convolution to 10 binary digits."""
    model, asked = tiny_model(FAMILIES["hvae"]), []
    traces = type(model).traces

    def noted(self: Any, *args: Any, **named: Any) -> Any:
        asked.append(torch.backends.cudnn.allow_tf32)
        return traces(self, *args, **named)

    monkeypatch.setattr(type(model), "traces", noted)
    images = tiny_set(2, model.image_shape)
    before = torch.backends.cudnn.allow_tf32
    Scorer(model, EvalSettings(1, 1), rows=2)(images.images, images.image_digests())
    assert asked == [False]
    assert torch.backends.cudnn.allow_tf32 == before


def test_other_shapes_and_bodies_that_cannot_be_recorded_go_plainly() -> None:
    def refuse(body: Callable[[], Tensor]) -> Any:
        raise RuntimeError("operation not permitted when stream is capturing")

    twice = Replay(lambda x: 2 * x, warm=1, record=again)
    for value in (1.0, 2.0, 3.0, 4.0):
        assert twice(torch.full((2,), value)).tolist() == [2 * value] * 2
        assert twice(torch.full((3,), value)).tolist() == [2 * value] * 3
    refused = Replay(lambda x: 2 * x, warm=1, record=refuse)
    for value in (1.0, 2.0, 3.0):
        assert refused(torch.full((2,), value)).tolist() == [2 * value] * 2
    assert not refused.on
