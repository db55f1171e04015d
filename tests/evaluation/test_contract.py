"""What a check says of a network of the user's own, good or with a fault of the usual kinds."""

from __future__ import annotations

from typing import Any

import pytest
import torch

import hvae_core as hv
from hvae_core.common.errors import DataError
from hvae_core.evaluation.contract import Contract
from tests.models.adapters.bottom_up import BottomUpVAE
from tests.models.adapters.deep import DeepVAE
from tests.models.adapters.flat import FlatVAE
from tests.models.adapters.ladder import LadderVAE
from tests.small import FAMILIES, tiny_model, tiny_set

IMAGES = tiny_set(6)


def ladder(fault: str = "") -> Any:
    torch.manual_seed(0)
    return LadderVAE(fault)


def checked(net: Any, **options: Any) -> Contract:
    return hv.check(hv.adapt(net, shape=(1, 8, 8), **({"prepare": "binarise"} | options)), IMAGES)


@pytest.mark.parametrize("kind", [FlatVAE, BottomUpVAE, DeepVAE])
def test_a_sound_network_keeps_every_point(kind: Any) -> None:
    told = checked(kind(), prepare="grey" if kind is DeepVAE else "binarise")
    assert told.ok and not told.faults
    points = {finding.point for finding in told.findings}
    assert points >= {"shapes", "finite", "seed", "batch", "order", "copy", "prior", "weighting"}
    assert str(told).splitlines()[0] == f"{kind.__name__} keeps the contract."


@pytest.mark.parametrize("name", ["hvae-vamp", "biva", "dvp-vae"])
def test_families_of_the_house_keep_it_too(name: str) -> None:
    model = tiny_model(FAMILIES[name]).eval().requires_grad_(False)
    assert hv.check(model, tiny_set(4, model.image_shape)).ok


def test_a_stranger_in_training_mode_is_put_into_eval_mode_and_told() -> None:
    net = ladder()
    for _ in range(3):
        net(torch.rand(32, 1, 8, 8))
    told = checked(net)
    assert told.ok, str(told)
    assert "in training mode" in str(told) and "saw no training batch" not in str(told)
    assert net.training and net.up1.bn.num_batches_tracked == 3
    assert "saw no training batch" in str(checked(ladder()))


FAULTS = {
    "seed": "F.dropout without training=self.training",
    "batch": "computes across images.*track_running_stats=False",
    "order": "keeps something from one image to the next|the same seed gives other numbers",
    "prior": r"p\(x \| z\) changes with the image.*features of the encoder",
    "elbo": "the divergence of z1 in closed form is",
    "finite": "log [qp] of z2 is not finite for . of 6 images at k = 0; keep scales away from 0",
}


@pytest.mark.parametrize("fault", FAULTS)
def test_each_fault_is_found_and_says_what_to_do(fault: str) -> None:
    told = checked(ladder(fault))
    assert not told.ok
    text = " ".join(finding.sentence for finding in told.faults)
    assert __import__("re").search(FAULTS[fault], text), str(told)
    assert all("\n" not in finding.sentence for finding in told.findings)


@pytest.mark.parametrize("fault", ["seed", "finite"])
def test_what_follows_from_a_fault_is_no_fault_of_its_own(fault: str) -> None:
    assert [finding.point for finding in checked(ladder(fault)).faults] == [fault]


def test_grey_pixels_under_a_bernoulli_are_told() -> None:
    told = checked(FlatVAE(), prepare="grey")
    assert [finding.point for finding in told.faults] == ["likelihood"]
    assert 'prepare="binarise"' in told.faults[0].sentence
    assert checked(FlatVAE(), prepare=lambda x: (x > 0.5).to(x)).ok


def test_a_network_that_breaks_on_the_way_is_a_finding() -> None:
    class Small(FlatVAE):
        def forward(self, x: Any) -> Any:
            if len(x) > 2:
                raise RuntimeError("too many")
            return super().forward(x)

    told = checked(Small())
    assert "could not run" in told.faults[0].sentence and "too many" in told.faults[0].sentence


def test_a_check_needs_two_pictures() -> None:
    with pytest.raises(DataError, match="two different ones"):
        hv.check(hv.adapt(FlatVAE(), shape=(1, 8, 8)), IMAGES.take([0, 0]))
