"""Attacks: against the best corner of the ball where that can be known, and their promises."""

from __future__ import annotations

import itertools
from types import SimpleNamespace

import numpy as np
import pytest
import torch

from hvae_core.common.errors import ConfigError, DataError
from hvae_core.data.image_set import ImageSet
from hvae_core.models.distributions import Gaussian
from hvae_core.probes import attack as attacks
from hvae_core.probes import attack_pace
from hvae_core.probes.attack import FIGURES, attack, attacked, divergence
from hvae_core.probes.attack_record import Attacks, AttackSettings, pack, unpack
from hvae_core.probes.picture_quality import ms_ssim
from tests.linear_gaussian import LinearGaussian
from tests.small import FAMILIES, tiny_config, tiny_model, tiny_set

QUICK = AttackSettings(radius=0.2, steps=5, seed=1)


@pytest.fixture
def plain(monkeypatch: pytest.MonkeyPatch) -> None:
    """A likeness that takes no time, for tests that are about the attack itself."""

    def likeness(one: np.ndarray, other: np.ndarray) -> np.ndarray:
        return np.asarray(1 - np.abs(one - other).mean((1, 2, 3)))

    monkeypatch.setattr(attacks, "ms_ssim", likeness)


class Reading(LinearGaussian):
    """The linear hierarchy on bytes."""

    def prepare(self, x: torch.Tensor, noise: object) -> torch.Tensor:
        return x.double()


def test_the_ascent_finds_the_best_corner(plain: None) -> None:
    """For means that are linear in x and fixed scales the objective is a convex square of the
    change: its maximum is at one of the 64 corners of the ball, all of which are tried.
    """
    model = Reading(3).double()
    pixels = np.random.default_rng(0).integers(100, 150, (4, 1, 2, 3)).astype(np.uint8)
    images = ImageSet("grey", "Grey", pixels, labels=np.full(4, -1))
    found = attack(model, images, AttackSettings(radius=0.2, steps=30, starts=4))
    gains, gain = [], np.eye(3)
    for step, source in zip(model.steps, [model.C.T, None, None], strict=True):
        gain = step.gain[:, None] * (source if source is not None else gain)  # dm_i/dx
        gains.append(gain / step.std[:, None])
    corners = 0.2 * np.array(list(itertools.product((-1, 1), repeat=6)))
    for k in range(3):
        moved = sum(((corners @ g.T) ** 2).sum(1) / 2 for g in gains[k:])
        best = float(np.max(moved))
        reached, chance = found.moved[:, k]  # each (starts, images)
        assert reached.max() == pytest.approx(best, rel=1e-6)
        assert reached.mean() > 0.75 * best > 1.5 * chance.mean()
        assert (reached <= best * (1 + 1e-6)).all()


@pytest.mark.parametrize("family", ["hvae", "lvae-grey-levels", "biva", "vdvae", "dct-vae",
                                    "dvp-vae", "hvae-vamp"])  # fmt: skip
def test_an_attack_keeps_to_the_ball_and_beats_chance(family: str, plain: None) -> None:
    model, images = tiny_model(FAMILIES[family]), tiny_set(3)
    found = attack(model, images, QUICK)
    levels = model.n_levels
    assert found.twins.shape == found.clean.shape == (levels, 3, 1, 8, 8)
    for changed in (found.twins, found.control):
        assert np.abs(changed - found.seen).max() <= 0.2 + 1e-6
        assert changed.min() >= 0 and changed.max() <= 1
    assert (found.moved[0].mean((1, 2)) > found.moved[1].mean((1, 2))).all()
    assert found.moved.shape == (2, levels, 1, 3)
    for name in ("inputs", "own", "whole"):
        table = getattr(found, name)
        assert table.shape == found.moved.shape and table.min() >= 0 and table.max() <= 1 + 1e-9
    np.testing.assert_allclose(found.own[:, 0], found.whole[:, 0])  # k = 0 attacks every layer


def test_figures_are_those_of_the_pictures() -> None:
    found = attack(tiny_model(), tiny_set(2), QUICK)
    for k in range(3):
        pairs = (("own", found.clean[k], found.rebuilt[k], found.control_rebuilt[k]),
                 ("inputs", found.seen, found.twins[k], found.control))  # fmt: skip
        for name, x, *changed in pairs:
            for i, y in enumerate(changed):
                table = getattr(found, name)[i, k, 0]
                np.testing.assert_allclose(table, ms_ssim(x, y), atol=1e-5)  # float32 pictures
    own, chance = found.similarity("own")
    np.testing.assert_allclose(own, found.own[0].mean((1, 2)))
    np.testing.assert_allclose(chance, found.own[1].mean((1, 2)))
    by_hand = 1.96 * np.abs(found.own[0, 1, 0, 0] - found.own[0, 1, 0, 1]) / 2
    assert found.interval()[0, 1] == pytest.approx(by_hand)


@pytest.mark.parametrize("family", ["hvae", "vdvae-sum"])
def test_an_image_is_attacked_alike_in_any_company(family: str, plain: None) -> None:
    model, images = tiny_model(FAMILIES[family]), tiny_set(4)
    settings = AttackSettings(radius=0.1, steps=4, starts=2, seed=3)
    together = attack(model, images, settings)
    one_by_one = attack(model, images, settings, batch_size=1)
    backwards = attack(model, images.take([3, 2, 1, 0]), settings, batch_size=3)
    for name, values in pack(together).items():
        flip = np.flip(values, 0 if name in ("seen", "control") else -1 if name in FIGURES else 1)
        np.testing.assert_allclose(getattr(one_by_one, name), values, atol=1e-6)
        np.testing.assert_allclose(getattr(backwards, name), flip, atol=1e-6)
    other = attack(model, images, AttackSettings(0.1, 4, 2, seed=4))
    assert (other.moved != together.moved).any()


def test_the_model_itself_is_left_as_it_was(plain: None) -> None:
    model = tiny_model(tiny_config())
    before = {name: value.clone() for name, value in model.state_dict().items()}
    ticks: list[float] = []
    attack(model, tiny_set(2), QUICK, progress=lambda done, _: ticks.append(done), batch_size=1)
    assert all(torch.equal(value, before[name]) for name, value in model.state_dict().items())
    assert all(p.dtype == torch.float32 and p.grad is None for p in model.parameters())
    assert ticks == sorted(ticks) and len(ticks) == 2 * 3 * 6 and ticks[-1] == pytest.approx(1)


def test_symmetric_kl_by_hand() -> None:
    """N(0, 1) and N(1, 2): (ln 2 + 2/8 - 1/2 + 5/2 - ln 2 - 1/2) / 2 = 0.875 nats."""
    one = Gaussian(torch.zeros(1, 1, 1), torch.ones(1, 1, 1))
    other = Gaussian(torch.ones(1, 1, 1), 2 * torch.ones(1, 1, 1))
    assert divergence([one], [other]).item() == pytest.approx(0.875)
    assert divergence([one, one], [other, one]).item() == pytest.approx(0.875)


@pytest.mark.parametrize("wrong", [{"radius": 0}, {"radius": 2}, {"steps": 0}, {"starts": 101}])
def test_settings_out_of_bounds_are_refused(wrong: dict[str, float]) -> None:
    with pytest.raises(ConfigError, match="attack"):
        AttackSettings(**wrong)  # type: ignore[arg-type]


def test_images_of_another_shape_are_refused() -> None:
    with pytest.raises(DataError, match="model's shape"):
        attack(tiny_model(), tiny_set(2, (1, 4, 4)), QUICK)
    with pytest.raises(DataError, match="model's shape"):
        attack(tiny_model(), tiny_set(2).take(0), QUICK)


def test_attacks_are_kept_whole(plain: None) -> None:
    found = attack(tiny_model(), tiny_set(2), QUICK)
    read = unpack(pack(found))
    assert isinstance(read, Attacks)
    for name, values in pack(found).items():
        np.testing.assert_array_equal(getattr(read, name), values)


def test_the_time_of_a_run_tells_that_of_the_next(
    plain: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    model, now = tiny_model(), iter([10.0, 16.0])
    monkeypatch.setattr(attacks, "time", SimpleNamespace(monotonic=lambda: next(now)))
    levels, key = model.n_levels, "of these weights"

    def expected(images: int, steps: int, of: str = key) -> attack_pace.Expected | None:
        settings = AttackSettings(steps=steps)
        return attack_pace.expected(of, images=images, levels=levels, settings=settings)

    assert expected(2, 5) is None
    attacked(model, key, tiny_set(2), QUICK)  # six seconds for five steps and a last look
    assert expected(2, 5) == pytest.approx((6.0, False))
    assert expected(2, 11) == pytest.approx((12.0, False))
    assert expected(1, 5) == pytest.approx((6.0, True))  # one image takes no longer than two
    assert expected(50, 5) == pytest.approx((2 * 12.5 * 6.0, True))  # two batches of 25
    assert expected(2, 5, "of others") is None
