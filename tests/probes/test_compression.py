"""Compression: tiles that fit together, rates against closed forms, JPEG at the matched rate."""

from __future__ import annotations

import io
import math

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from hvae_core.common.errors import DataError
from hvae_core.data.image_set import fit_image
from hvae_core.data.photographs import PHOTOGRAPHS, photograph
from hvae_core.probes import compression
from hvae_core.probes.compression import CURVE, compress, pack, rebuild, unpack
from hvae_core.probes.jpeg import Jpeg, encoded, nearest_rate
from hvae_core.probes.picture_quality import ms_ssim, psnr
from hvae_core.probes.tiles import cut, join
from tests.linear_gaussian import Chain, LinearGaussian, TopDownGaussian
from tests.small import FAMILIES, HALF, tiny_config, tiny_model, tiny_set

COLOUR = tiny_config(image_shape=(3, 8, 8), latents=(HALF, HALF), likelihood="mixture_logistic")


def noise_picture(shape: tuple[int, ...], seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, 256, shape).astype(np.uint8)


@given(st.integers(1, 3), *[st.integers(1, 20)] * 2, *[st.integers(1, 7)] * 2)
def test_cut_and_joined_a_picture_of_any_size_is_itself(
    channels: int, height: int, width: int, high: int, wide: int
) -> None:
    picture = noise_picture((channels, height, width))
    tiles = cut(picture, (high, wide))
    assert tiles.shape == (-(-height // high) * -(-width // wide), channels, high, wide)
    np.testing.assert_array_equal(join(tiles, (height, width)), picture)


def test_tiles_go_row_by_row_and_repeat_the_edge() -> None:
    picture = np.arange(15, dtype=np.uint8).reshape(1, 3, 5)
    tiles = cut(picture, (2, 3))
    np.testing.assert_array_equal(tiles[0, 0], [[0, 1, 2], [5, 6, 7]])
    np.testing.assert_array_equal(tiles[1, 0], [[3, 4, 4], [8, 9, 9]])
    np.testing.assert_array_equal(tiles[3, 0], [[13, 14, 14], [13, 14, 14]])


class Reading:
    """The linear hierarchy on bytes: its pixels are those of -1 to 2."""

    def prepare(self, x: torch.Tensor, noise: object) -> torch.Tensor:
        return x.double() * 3 - 1


class UpReading(Reading, LinearGaussian):
    pass


class DownReading(Reading, TopDownGaussian):
    pass


@pytest.mark.parametrize("family", [UpReading, DownReading])
def test_rates_are_the_kl_of_exact_inference(family: type[Chain]) -> None:
    """All layers: KL(q(z|x) || p(z)) = E_q log p(x|z) - log p(x); the top: a KL of two Gaussians.

    Both by Bayes' rule for the joint covariance of the pixels and a layer.
    """
    model = family(3).double()
    tiles = noise_picture((300, 1, 2, 3))
    _, bits = rebuild(model, tiles, seed=3)
    x = tiles.reshape(300, -1) / 255.0 * 3 - 1
    mean, variance = model.marginals()
    noise = model.s0**2 * np.eye(6)
    inverse = np.linalg.inv(model.C * variance[0] @ model.C.T + noise)
    gap = x - model.C @ mean[0] - model.c

    def posterior(gain: np.ndarray, m: np.ndarray, v: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        cross = (v * gain)[:, None] * model.C.T  # Cov(z_i, x)
        return m + gap @ (cross @ inverse).T, v - np.einsum("id,de,ie->i", cross, inverse, cross)

    m1, v1 = posterior(np.ones(3), mean[0], variance[0])
    square = ((x - m1 @ model.C.T - model.c) ** 2).sum(1) + (v1 * (model.C**2).sum(0)).sum()
    log_px = -0.5 * square / model.s0**2 - 6 * (math.log(model.s0) + 0.5 * math.log(2 * math.pi))
    everything = log_px - model.log_evidence(x)
    m3, v3 = posterior(model.a[0] * model.a[1], mean[2], variance[2])
    top = 0.5 * (v3 + m3**2 - 1 - np.log(v3)).sum(1)
    assert np.mean(bits[0]) * math.log(2) == pytest.approx(everything.mean(), rel=0.02)
    if family is DownReading:  # q(z_L | x) is read straight from the image, its KL without a draw
        np.testing.assert_allclose(bits[2] * math.log(2), top, rtol=1e-6)


@pytest.mark.parametrize("family", ["hvae", "dvp-vae", "lvae-grey-levels"])
def test_a_tile_is_coded_alike_in_any_company(family: str) -> None:
    model, tiles = tiny_model(FAMILIES[family]), tiny_set(5).images
    pictures, bits = rebuild(model, tiles)
    assert pictures.shape == (model.n_levels, 5, 1, 8, 8)
    alone, own = rebuild(model, tiles[3:4])
    np.testing.assert_allclose(own[:, 0], bits[:, 3], atol=1e-3)
    assert np.abs(alone[:, 0].astype(int) - pictures[:, 3]).max() <= 1
    assert (np.diff(bits, axis=0) != 0).any()


def test_jpeg_counts_what_the_file_holds_beside_its_tables() -> None:
    """The scan begins after its header, here of ten bytes, and ends before a marker of two."""
    picture = fit_image(photograph("china"), (1, 64, 64))
    found = encoded(picture, 30)
    buffer = io.BytesIO()
    Image.fromarray(picture[0]).save(buffer, "JPEG", quality=30)
    data = buffer.getvalue()
    assert found.header + found.bits // 8 + 2 == len(data)
    assert data[found.header - 10 :].startswith(b"\xff\xda")  # a scan of one plane: ten bytes
    np.testing.assert_array_equal(found.picture[0], np.asarray(Image.open(buffer)))
    assert encoded(np.zeros((1, 8, 8), np.uint8), 50).bits <= 16


def test_jpeg_quality_comes_nearest_to_the_rate() -> None:
    picture = fit_image(photograph("flower"), (1, 48, 64))
    bits = np.array([encoded(picture, quality).bits for quality in range(1, 101)])
    for target in (0, *range(400, int(bits.max()), 700), bits[50], bits[49] - 1, 10**7):
        found = nearest_rate(picture, float(target))
        assert abs(found.bits - target) == np.abs(bits - target).min()
        assert found.bits == bits[found.quality - 1]


@pytest.mark.parametrize("shape", [(1, 20, 29), (3, 20, 29)])
def test_a_compression_is_what_it_says(shape: tuple[int, int, int]) -> None:
    model = tiny_model(COLOUR)
    picture = fit_image(photograph("china"), shape)
    found = compress(model, picture)
    assert found.original.shape == (3, 20, 29)
    pictures, bits = rebuild(model, cut(found.original, (8, 8)))
    for k, rating in enumerate(found.ratings):
        np.testing.assert_array_equal(found.pictures[k], join(pictures[k], (20, 29)))
        assert rating.bpp == pytest.approx(bits[k].sum() / (20 * 29))
        assert rating.psnr == pytest.approx(psnr(found.original, found.pictures[k]))
        alike = ms_ssim(found.original[None], found.pictures[k][None])[0]
        assert rating.ms_ssim == pytest.approx(alike)
        again = encoded(found.original, found.jpeg[k].quality)
        assert found.jpeg[k].bpp == again.bits / (20 * 29)
        np.testing.assert_array_equal(found.jpeg_pictures[k], again.picture)
    assert [rating.quality for rating in found.curve] == list(CURVE)
    read = unpack(pack(found))
    assert read.ratings == found.ratings and read.curve == found.curve
    np.testing.assert_array_equal(read.jpeg_pictures, found.jpeg_pictures)


def test_a_grey_model_codes_luminance() -> None:
    picture = fit_image(photograph("flower"), (3, 16, 16))
    found = compress(tiny_model(), picture)
    np.testing.assert_array_equal(found.original, fit_image(picture, (1, 16, 16)))


def test_a_picture_that_is_too_large_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(compression, "MAX_PIXELS", 100)
    with pytest.raises(DataError, match="11 x 10 pixels is too large"):
        compress(tiny_model(), noise_picture((1, 10, 11)))


def test_photographs_are_there_without_a_network() -> None:
    for name in PHOTOGRAPHS:
        assert photograph(name).shape == (3, 427, 640)


def test_the_curve_of_jpeg_is_computed_once_a_picture(monkeypatch: pytest.MonkeyPatch) -> None:
    """Not once a model; colour, luminance and other sizes are pictures of their own."""
    coded: list[tuple[int, ...]] = []

    def counted(picture: np.ndarray, quality: int) -> Jpeg:
        coded.append((*picture.shape, quality))
        return encoded(picture, quality)

    monkeypatch.setattr(compression.jpeg, "encoded", counted)
    monkeypatch.setattr(compression.jpeg, "nearest_rate", lambda picture, bits: encoded(picture, 5))
    picture = fit_image(photograph("china"), (3, 20, 29))
    first, second = (compress(tiny_model(seed=seed), picture) for seed in (0, 1))
    assert coded == [(1, 20, 29, quality) for quality in CURVE]
    assert first.curve == second.curve and first.ratings != second.ratings
    coloured = compress(tiny_model(COLOUR), picture)
    assert len(coded) == 2 * len(CURVE) and coloured.curve != first.curve
    compress(tiny_model(), picture[:, :16])
    assert len(coded) == 3 * len(CURVE)
