"""What studies ask beside evaluations: rates beside codecs, attacks, how training went."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import numpy as np
import pytest

from hvae_core.data import worlds
from hvae_core.evaluation.collapse import bits_per_dim
from hvae_core.probes import attack as attack_probe
from hvae_core.probes import codecs, compression
from hvae_core.probes.attack import attack
from hvae_core.probes.attack_record import AttackSettings
from hvae_core.probes.codecs import CODECS, at_psnr
from hvae_core.probes.compression import compress
from hvae_core.probes.picture_quality import psnr
from hvae_core.studies.make import settings
from hvae_core.studies.members import Subject
from hvae_core.studies.probe_tables import attacks_table, compression_table, rebuilt, under_attack
from hvae_core.studies.run import evaluated_sets
from hvae_core.studies.spec import ModelSpec, StudySpec, TableSpec
from hvae_core.studies.training_tables import stability
from tests.small import tiny_model, tiny_set


@pytest.fixture(autouse=True)
def _cache(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("STRATA_CACHE", str(tmp_path))
    for module in (codecs, compression):
        monkeypatch.setattr(module, "CURVE", (50,))
    for probe in (compression, attack_probe):  # MS-SSIM, which has tests of its own, takes a while
        monkeypatch.setattr(probe, "ms_ssim", alike)


def alike(first: np.ndarray, second: np.ndarray) -> np.ndarray:
    return 1 - np.abs(first.astype(float) - second).mean((1, 2, 3))


def smooth(size: int, seed: int = 0) -> np.ndarray:
    """A slope with noise, (1, size, size)."""
    noise = np.random.default_rng(seed).normal(0, 12, (1, size, size))
    return (noise + np.linspace(20, 230, size)).clip(0, 255).astype(np.uint8)


def subject(*members: Any) -> Subject:
    return Subject(ModelSpec(checkpoint="m"), members, {}, inside="test", outside=())


@pytest.mark.parametrize("codec", CODECS)
def test_a_codec_at_a_psnr_is_the_nearest_of_all_its_qualities(codec: str) -> None:
    picture = smooth(24)
    all_of_them = {q: CODECS[codec](picture, q) for q in range(1, 101)}
    gaps = {q: abs(psnr(picture, copy) - 28.0) for q, (_, copy) in all_of_them.items()}
    found = at_psnr(codec, picture, 28.0)
    assert gaps[found.quality] == pytest.approx(min(gaps.values()), abs=0.05)
    bits, copy = all_of_them[found.quality]
    assert found.bpp == bits / 576 and found.psnr == psnr(picture, copy)


def test_rates_are_those_of_the_pictures_and_codecs_stand_at_their_psnr() -> None:
    model = tiny_model()
    checkpoint = cast(Any, SimpleNamespace(model=model, digest="d", name="m"))
    pictures = {"a": smooth(16), "b": smooth(16, 1)}
    spec = TableSpec(kind="compression", key="t", title="T")
    found = rebuilt(checkpoint, pictures)
    table = compression_table(spec, [subject()], {"m": [found]})
    each = [compress(model, picture) for picture in pictures.values()]
    own = table.rows[: model.n_levels]
    for k, row in enumerate(own):
        for name in ("bpp", "psnr", "ms_ssim"):
            mean = np.mean([getattr(coded.ratings[k], name) for coded in each])
            assert row.figures[name].mean == pytest.approx(mean)
        near = [at_psnr("WebP", c.original, c.ratings[k].psnr).bpp for c in each]
        assert row.figures["webp_bpp"].mean == pytest.approx(np.mean(near))
    jpeg, webp = table.rows[model.n_levels :]
    assert (jpeg.keys["model"], webp.keys["model"]) == ("JPEG", "WebP")
    assert jpeg.figures["bpp"].mean == pytest.approx(np.mean([c.curve[0].bpp for c in each]))


def test_attacks_of_a_table_are_those_of_the_probe() -> None:
    model, images = tiny_model(), tiny_set(2)
    checkpoint = cast(Any, SimpleNamespace(model=model, digest="d", name="m"))
    spec = TableSpec(kind="attacks", key="t", title="T", radii=(0.05, 0.2), ascent=1)
    found = under_attack(checkpoint, images, spec)
    table = attacks_table(spec, [subject()], {"m": [found]})
    assert [row.keys["radius"] for row in table.rows] == ["0.05"] * 3 + ["0.2"] * 3
    said = settings(spec, 7)["settings"]
    assert said == "50 images, 1 steps of ascent from one start, radius 0.05, 0.2, seed 7"
    there = attack(model, images, AttackSettings(0.2, 1))
    top = table.rows[3]
    assert top.keys["k"] == "2"
    own, by_chance = there.similarity()
    assert top.figures["own"].mean == pytest.approx(own[2])
    assert top.figures["own_random"].mean == pytest.approx(by_chance[2])
    assert top.figures["own"].high == pytest.approx(own[2] + there.interval()[0, 2])
    assert top.figures["moved"].mean == pytest.approx(there.similarity("moved")[0][2])


def test_tables_without_bounds_evaluate_nothing() -> None:
    model, world = ModelSpec(checkpoint="m"), worlds()["glyphs"]
    alone = TableSpec(kind="stability", key="t", title="T")
    study = StudySpec(title="S", models=(model,), tables=(alone,))
    assert evaluated_sets(study, world, "m") == ()
    units = TableSpec(kind="units", key="u", title="T")
    assert evaluated_sets(replace(study, tables=(alone, units)), world, "m") == ("test",)
    bits = TableSpec(kind="bits", key="b", title="T", sets=("lower",))
    both = replace(study, tables=(alone, bits))
    assert evaluated_sets(both, world, "m") == ("test", "lower")


def test_how_training_went_is_read_from_the_history() -> None:
    history = {
        "grad_norms": [[90.0, 30.0], [10.0, 20.0], [10.0, 50.0]],
        "skipped": [1, 0, 0],
        "clipped": [1, 1, 1],
        "train_elbo": [-9.0, -8.0, -7.0],
        "valid_elbo": [-9.0, -8.0, -7.5],
    }
    info = SimpleNamespace(
        history=history, image_shape=(1, 2, 2), parameters=5, latent_shapes=((1,), (1,)),
        card=SimpleNamespace(train_images=30), digest="d",
        train=SimpleNamespace(epoch_images=None, batch_size=16),
    )  # fmt: skip
    member = SimpleNamespace(info=info)
    spec = TableSpec(kind="stability", key="t", title="T")
    _, _, (row,) = stability(spec, [subject(member)])
    figures = {key: figure.mean for key, figure in row.figures.items()}
    assert figures["steps"] == 6 and figures["skipped"] == 1 and figures["clipped"] == 0.5
    assert (figures["first"], figures["later"], figures["median"]) == (90, 50, 15)
    assert figures["spike"] == pytest.approx(50 / 15)
    assert figures["valid"] == pytest.approx(bits_per_dim(7.5, 4))
    info.history = {"seconds": [1.0]}
    assert stability(spec, [subject(member)])[2][0].reason
