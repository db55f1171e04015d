"""The page Compression and attacks: pictures from everywhere, jobs, claims, and every lack."""

from __future__ import annotations

import io
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from PIL import Image
from streamlit.testing.v1 import AppTest

from hvae_core.checkpoint import load_checkpoint
from hvae_core.common.words import unbroken
from hvae_core.data import custom_set, worlds
from hvae_core.probes.attack import attack
from hvae_core.probes.attack_record import AttackSettings
from hvae_core.probes.compression import Rating
from pages.compression import attacks, pictures
from pages.shared import jobs, saving
from tests.pages.conftest import LIMIT, Start, alive, charts, run_codes
from tests.small import tiny_set


def button(app: AppTest, words: str) -> Any:
    return next(one for one in app.button if one.label.startswith(words))


def test_a_picture_of_the_world_is_there_at_once(
    start: Start, monkeypatch: pytest.MonkeyPatch
) -> None:
    app = alive(start("compression"))
    assert app.title[0].value.startswith("From z2 up, ")
    assert "JPEG" in app.title[0].value
    assert len(app.image) == 3  # the picture, rebuilt, JPEG
    assert "rate-distortion" in charts(app)
    app.slider("c_k").set_value(2)
    assert alive(app.run()).title[0].value.startswith("From z3 up, ")
    app.segmented_control("c_measure").set_value("MS-SSIM")
    assert "MS-SSIM against the rate" in [one.value for one in alive(app.run()).subheader]
    assert run_codes(app, monkeypatch) == ["compression-A", "rate-distortion"]


def test_two_models_beside_each_other(start: Start) -> None:
    app = alive(start("compression", b_glyphs="glyphs-hvae3-informative"))
    assert len(app.image) == 6


def test_a_photograph_is_a_job(start: Start) -> None:
    app = alive(start("compression", c_from="China"))
    if app.selectbox("c_from").value != "china":
        app.selectbox("c_from").set_value("china")
        alive(app.run())
    assert app.title[0].value == "What do the upper layers keep of a picture?"
    assert button(app, "Code 368 tiles under")
    assert len(app.image) == 1  # the picture itself, before anything is coded
    assert any("640x427, colour" in one.value for one in app.caption)


def test_an_upload_is_coded_and_a_broken_one_is_told(start: Start) -> None:
    app = start("compression")
    app.selectbox("c_from").set_value("upload")
    alive(app.run())
    assert "Choose a picture" in app.info[0].value
    buffer = io.BytesIO()
    Image.fromarray(np.arange(1200, dtype=np.uint8).reshape(30, 40)).save(buffer, "PNG")
    app.file_uploader("c_file").upload("mine.png", buffer.getvalue(), "image/png")
    alive(app.run())
    assert any("40x30, luminance" in one.value for one in app.caption)
    app.file_uploader("c_file").upload("bad.png", buffer.getvalue()[:50], "image/png")
    app.run()
    assert "damaged" in app.error[0].value
    assert not any("40x30, luminance" in one.value for one in app.caption)


def test_missing_images_are_told(start: Start) -> None:
    app = alive(start("compression", world="FashionMNIST"))
    assert any("not on this machine" in one.value for one in app.info)


def test_an_attack_is_offered_and_shown_once_it_is_there(
    start: Start, tiny_app: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    app = alive(start("compression", c_view="Attacks"))
    assert app.title[0].value == "How far can a small change lead the upper layers?"
    assert button(app, "Attack 4 images under Tiny, plain")
    assert "The images to attack" in [one.value for one in app.markdown]
    assert any("known after the first run" in one.value for one in app.info)
    assert len(app.image) == 1
    checkpoint = load_checkpoint(tiny_app / "checkpoints" / "glyphs-hvae3-elbo.safetensors")
    images = worlds()["glyphs"].choose("test", limit=LIMIT).take(4)
    found = attack(checkpoint.model, images, AttackSettings(steps=2))
    monkeypatch.setattr(attacks, "attacks_on", lambda *_: found)
    alive(app.run())
    title = app.title[0].value
    assert title.startswith("A change of at most 0.1 a pixel, aimed at z")
    assert "MS-SSIM" not in title and unbroken("MS-SSIM") in title
    assert len(app.image) == 1 and "attack-curve" in charts(app)
    app.number_input("a_which").set_value(3)
    alive(app.run())


@pytest.mark.parametrize("count", [0, 1, 2])
def test_a_set_with_fewer_images_than_are_attacked(
    count: int, start: Start, monkeypatch: pytest.MonkeyPatch
) -> None:
    few = tiny_set(count, (1, 28, 28))
    own = {"own-few": (custom_set(few, "in", title="Few"), few)}
    inline(monkeypatch)
    query = {"c_view": "Attacks", "a_steps": "10", "a_which": "3"}
    app = start("compression", {"own_sets": own}, **query)
    if not count:
        assert not app.exception
        assert "Few holds no images; choose another set." in [one.value for one in app.error]
        return
    button(alive(app), f"Attack {count} image{'s' * (count > 1)} under").click()
    assert alive(app.run()).title[0].value.startswith("A change of at most 0.1 a pixel")
    numbers = [one for one in app.number_input if one.key == "a_which"]
    assert [one.max for one in numbers] == [1] * (count > 1)
    assert any(f"Mean over {count} image" in one.value for one in app.caption)


def inline(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Jobs are done at once, here, as a worker would: the names of those that were asked for."""
    done: list[str] = []

    def submit(name: str, digest: str, function: Any, *args: Any) -> None:
        function(*args)
        done.append(name)

    monkeypatch.setattr(jobs, "submit", submit)
    return done


def test_buttons_start_what_the_page_then_shows(
    start: Start, monkeypatch: pytest.MonkeyPatch
) -> None:
    done = inline(monkeypatch)
    monkeypatch.setattr(pictures, "AT_ONCE", 0)
    app = start("compression")
    button(app, "Code 1 tiles").click()
    assert alive(app.run()).title[0].value.startswith("From z2 up, ")
    app.radio("c_view").set_value("Attacks")
    app.run()
    app.segmented_control("a_steps").set_value(10)
    app.run()
    button(app, "Attack 4 images").click()
    assert alive(app.run()).title[0].value.startswith("A change of at most 0.1 a pixel")
    assert [name.partition("-")[0] for name in done] == ["compress", "attack"]
    assert sorted(run_codes(app, monkeypatch)) == ["attack-A", "attack-curve"]


def test_the_current_subset_is_attacked_and_named_in_the_table(
    start: Start, monkeypatch: pytest.MonkeyPatch
) -> None:
    inline(monkeypatch)
    tables: list[Any] = []
    monkeypatch.setattr(saving, "csv_button", lambda make, *_: tables.append(make()))
    picks = [("lower", 3), ("test", 2)]
    query = {"c_view": "Attacks", "a_steps": "10", "a_from": attacks.SUBSET}
    app = start("compression", {"selection": picks}, **query)
    button(alive(app), "Attack 2 images").click()
    alive(app.run())
    assert set(zip(tables[-1]["set"], tables[-1]["image"], strict=True)) == set(picks)
    assert tables[-1]["file"].notna().all()
    assert sorted(run_codes(app, monkeypatch)) == ["attack-A", "attack-curve"]
    alive(button(app, "Make it the current image").click().run())
    assert app.session_state["image"] in picks


def coded(bpp: float, psnr: float, quality: int = 0) -> Rating:
    return Rating(bpp, psnr, 0.5, quality=quality)


@pytest.mark.parametrize(
    ("jpeg", "words"),
    [
        (coded(0.1, 15, 4), "JPEG at that rate is 3.00 dB better"),
        (coded(0.1, 10, 4), "JPEG at that rate is 2.00 dB worse"),
        (coded(0.1, 12.01, 4), "the same as JPEG at that rate"),
        (coded(0.4, 15, 1), "JPEG needs at least 0.400 bits and reaches 15.0 dB"),
        (coded(0.4, 15, 2), "the nearest JPEG takes 0.400 bits"),
    ],
)
def test_the_claim_of_a_rate(jpeg: Rating, words: str) -> None:
    one: Any = SimpleNamespace(ratings=[coded(0.1, 12)], jpeg=[jpeg])
    said = pictures.claim(one, 0, "z2")
    assert said.startswith("From z2 up, 0.100 bits a pixel reach 12.0 dB") and words in said


@pytest.mark.parametrize(
    ("attack", "chance", "words"),
    [
        ([0.9, 0.4], [0.95, 0.9], "aimed at z2 alone, leaves MS-SSIM 0.400 of what is rebuilt"),
        ([0.4, 0.8], [0.95, 0.9], "aimed at z1 and up, leaves MS-SSIM 0.400"),
        ([0.95, 0.9], [0.95, 0.91], "does no more than a random change: MS-SSIM 0.900"),
    ],
)
def test_the_claim_of_an_attack(attack: list[float], chance: list[float], words: str) -> None:
    pair = (np.array(attack), np.array(chance))
    one: Any = SimpleNamespace(similarity=lambda _: pair, n_levels=2)
    handle: Any = SimpleNamespace(level_names=("z1", "z2"))
    assert words in attacks.claim(one, handle, 0.1)
