"""``ship``: half the size, the same bounds, and nothing written where they change."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from hvae_core.checkpoint import Checkpoint, load_checkpoint, save_checkpoint
from hvae_core.common.errors import CheckpointError
from hvae_core.config import HVAEConfig, LatentConfig, ModelCard
from hvae_core.evaluation import ship as shipping
from tests.small import tiny_model, tiny_set

CONFIG = HVAEConfig((1, 8, 8), (LatentConfig(2), LatentConfig(3, "dense", stride=2)), 4, 1)


@pytest.fixture
def checkpoint(tmp_path: Path) -> Checkpoint:
    path = tmp_path / "mine.safetensors"
    card = ModelCard("Mine", note="kept")
    save_checkpoint(path, tiny_model(CONFIG), card=card, history={"seconds": [1.0]})
    return load_checkpoint(path)


def test_a_shipped_file_is_half_as_large_and_says_the_same(
    checkpoint: Checkpoint, tmp_path: Path, cache_folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(shipping, "TOLERANCE", 0.01)  # an untrained model's bounds are touchy
    path = tmp_path / "shipped" / "mine.safetensors"
    change = shipping.ship(checkpoint, tiny_set(20), path)
    shipped = load_checkpoint(path)
    assert 0 < change < shipping.TOLERANCE
    assert change == shipping.largest_change(checkpoint, shipped, tiny_set(20))
    assert (shipped.card, shipped.history) == (checkpoint.card, checkpoint.history)
    for name, value in checkpoint.model.state_dict().items():
        assert torch.equal(shipped.model.state_dict()[name], value.half().float())
    weights = 4 * sum(value.numel() for value in checkpoint.model.state_dict().values())
    assert checkpoint.size - shipped.size == pytest.approx(weights / 2, abs=200)


def test_weights_that_16_bits_do_not_hold_are_not_shipped(
    checkpoint: Checkpoint, tmp_path: Path, cache_folder: Path
) -> None:
    # Weight norm: y = g v / |v|. A v of numbers below the range of 16 bits becomes all zeros.
    path = tmp_path / "shipped.safetensors"
    path.write_bytes(b"as it was")
    with torch.no_grad():
        for name, value in checkpoint.model.named_parameters():
            if name.endswith("original1"):
                value.copy_(value * 1e-6)
    with pytest.raises(CheckpointError, match="16 bits") as caught:
        shipping.ship(checkpoint, tiny_set(20), path)
    assert "\n" not in str(caught.value)
    assert path.read_bytes() == b"as it was"
    assert list(tmp_path.glob("*.draft*")) == []
