"""The page of one image: from a set, an upload or the lasso; verdicts, lacks, and broken files."""

from __future__ import annotations

import base64
import io
import re
import struct
import zipfile
import zlib
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from types import SimpleNamespace
from typing import Any

import numpy as np
import pandas as pd
import pytest
from PIL import Image
from streamlit.testing.v1 import AppTest

from hvae_core.common.words import fmt
from hvae_core.data.prepare import turned
from hvae_core.detection.judged_many import judge_many
from hvae_core.detection.verdict import readings
from hvae_core.evaluation.bounds import BoundTable
from hvae_core.scores import score_list
from pages.image import batch, changes, easel, files, subject, verdicts
from pages.image.one_image import OneImage
from pages.image.subject import RATES, JudgedImage, table, terms, unusual_layers
from pages.shared import ui, visitor, whole
from pages.shared.state import Context
from pages.shared.store import Handle
from tests.detection.test_set_values import HELD_OUT, NEW, of
from tests.pages.conftest import LIMIT, Start, charts, clickables, in_sentences, run_codes
from tests.small import tiny_set

DRAWN = {"image-kl", "image-calibration", "image-elbo", "image-pixels-1", "image-pixels-2"}
HEADLINES = ("Not flagged", "Out of distribution", "No verdict")


def alive(app: AppTest) -> AppTest:
    """The page drew itself: no exception, and a verdict for a title."""
    assert not app.exception
    title = app.title[0].value
    assert title.startswith(HEADLINES) or " this image" in title  # of one model, or of several
    return in_sentences(app)


def file_of(kind: str, size: tuple[int, int] = (40, 20), mode: str = "RGB") -> bytes:
    buffer = io.BytesIO()
    pixels = np.random.default_rng(0).integers(0, 255, (size[1], size[0], 3)).astype(np.uint8)
    Image.fromarray(pixels).convert(mode).save(buffer, kind)
    return buffer.getvalue()


def huge_png() -> bytes:
    """A PNG of 20,000 x 20,000 pixels, all black, small as a file."""

    def chunk(name: bytes, data: bytes) -> bytes:
        return (
            struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))
        )

    head = struct.pack(">IIBBBBB", 20_000, 20_000, 1, 0, 0, 0, 0)
    rows = zlib.compress(bytes(20_000 * 2501), 9)
    end = chunk(b"IEND", b"")
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + chunk(b"IDAT", rows) + end


def portrait_title(app: AppTest) -> str:
    bold = [text.value for text in app.markdown if text.value.startswith("**")]
    return bold[0].strip("*")


def test_an_image_of_a_set_is_judged(start: Start, monkeypatch: pytest.MonkeyPatch) -> None:
    app = alive(start("image"))
    assert not [error.value for error in app.error]
    assert portrait_title(app).startswith("Lower-case letters 0, class ")
    assert len(app.image) == 2 and "i_near_A" in clickables(app)  # the image, rebuilt; neighbours
    assert any("z1, of more than" in text.value for text in app.caption)
    assert any("of them in z2" in text.value for text in app.caption)
    assert charts(app) >= DRAWN
    p_values = app.dataframe[0].value["p"].dropna()
    assert p_values.is_monotonic_increasing and len(p_values) >= len(score_list(3))
    known = {"image-rebuilt-A", "image-elbo", "image-near-A"} | DRAWN
    assert known <= set(run_codes(app, monkeypatch))


def test_set_and_number_come_from_the_address(start: Start) -> None:
    app = alive(start("image", i_set_glyphs="Digits", i_id="3"))
    assert portrait_title(app).startswith("Digits 3, class ")
    app.number_input("i_id").set_value(4)
    assert portrait_title(alive(app.run())).startswith("Digits 4, class ")


def test_a_number_beyond_the_set_is_told(start: Start) -> None:
    app = start("image")
    app.selectbox("i_set_glyphs").set_value("inverted")
    app.number_input("i_id").set_value(LIMIT - 1)
    alive(app.run())


def test_rates_and_corrections(start: Start) -> None:
    """24 references carry no rate under 1/25, with three scores and Bonferroni none under 3/25."""
    app = start("image")
    for strict, least in ((False, 0.04), (True, 0.12)):
        app.toggle("i_bonferroni").set_value(strict)
        for label, rate in RATES.items():
            app.selectbox("i_rate").set_value(label)
            alive(app.run())
            assert app.title[0].value.startswith("No verdict") == (rate < least)
            if label == "0.1 %":
                needed = "2999" if strict else "999"
                assert any(needed in text.value for text in app.markdown)


def test_model_b_is_judged_too(start: Start) -> None:
    app = alive(start("image", b_glyphs="glyphs-hvae3-informative"))
    assert len(app.image) == 3 and {"i_near_A", "i_near_B"} <= clickables(app)
    assert charts(app) >= DRAWN | {f"{name}-b" for name in DRAWN}
    assert {panel.label for panel in app.expander} >= {"More scores for A", "More scores for B"}
    assert " flag" in app.title[0].value
    (told,) = [text.value for text in app.markdown if "**B** Tiny, informative: **" in text.value]
    lines = told.split("  \n")
    assert [line[:9] for line in lines] == ["**A** Tin", "**B** Tin"]
    assert all(len(line) < 150 for line in lines)
    panels = [panel for _, panel in app.session_state["panels"].panels]
    maps = [panel.made().data[0] for panel in panels if panel.alt.startswith("Map of the pixels")]
    assert len(maps) == 4 and len({(each.zmin, each.zmax) for each in maps}) == 1
    by_letter = {letter: [p.alt for p in panels if p.letter == letter] for letter in "AB"}
    (both,) = [panel.content for panel in panels if not panel.letter]  # each else is about one
    assert "draws of z" in both
    for alts in by_letter.values():
        assert {"Why, in words", "What is lost from z2 up", "KL per layer"} <= set(alts)
        assert any(" p = " in alt for alt in alts)


def test_an_upload_is_fitted_and_the_note_says_how(start: Start) -> None:
    app = start("image", i_from="upload")
    for kind in ("PNG", "JPEG", "BMP", "WEBP"):
        name = f"a*b.{kind.lower()}"
        app.file_uploader("i_file").set_value((name, file_of(kind), f"image/{kind.lower()}"))
        alive(app.run())
        assert portrait_title(app).replace("\\", "") == name
        note = "resized from 40x20 colour to 28x28 grey, aspect ratio not kept."
        assert any(caption.value.lower().endswith(note) for caption in app.caption)


BROKEN = {
    "text": b"just words, no picture at all",
    "huge": huge_png(),
    "truncated": file_of("PNG")[:200],
    "gif": file_of("GIF", mode="P"),
    "empty": b"",
}


def nothing_judged(app: AppTest) -> AppTest:
    """The page drew itself, without a verdict or anything else of an image."""
    assert not app.exception
    assert app.title[0].value in ("Which image?", "Draw an image")
    assert not app.image and not DRAWN & charts(app)
    return app


def test_a_broken_upload_gets_one_sentence_and_no_verdict(start: Start) -> None:
    app = nothing_judged(start("image", i_from="upload"))
    for what, data in BROKEN.items():
        app.file_uploader("i_file").upload("good.png", file_of("PNG"))
        assert portrait_title(alive(app.run())) == "good.png"
        app.file_uploader("i_file").set_value((f"{what}.png", data, "image/png"))
        nothing_judged(app.run())
        (error,) = app.error
        assert error.value.replace("\\", "").startswith(f"{what}.png ")
        assert error.value.count(". ") == 0
        assert len(error.value) < 160
        assert any("current image is still **good.png**" in one.value for one in app.caption)


def test_a_new_file_begins_unchanged(start: Start) -> None:
    app = start("image", i_from="upload")
    app.file_uploader("i_file").upload("one.png", file_of("PNG"))
    app = alive(app.run())
    app.pills("i_prepare").set_value(["invert"])
    app.segmented_control("i_turn").set_value("90°")
    assert "turned" in str([one.value for one in alive(app.run()).caption])
    app.file_uploader("i_file").set_value(("two.png", file_of("PNG", (30, 20)), "image/png"))
    app = alive(app.run())
    assert portrait_title(app) == "two.png"
    assert (app.pills("i_prepare").value, app.segmented_control("i_turn").value) == ([], "0°")
    assert "turned" not in str([one.value for one in app.caption])


def test_an_emptied_field_leaves_no_verdict(start: Start) -> None:
    app = start("image", i_from="upload")
    app.file_uploader("i_file").upload("x.png", file_of("PNG"))
    assert alive(app.run()).image
    app.file_uploader("i_file").clear()
    assert not nothing_judged(app.run()).error


def test_no_old_verdict_stands_beside_a_new_picture(
    start: Start, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The page greys what is of the image before, and draws a picture with its verdict."""
    steps: list[str] = []
    judge = subject.judge

    def judged(ctx: Context, handle: Handle, image: OneImage, **rest: Any) -> JudgedImage:
        steps.append(f"judge {image.title}")
        return judge(ctx, handle, image, **rest)

    def picture(image: Any, alt: str, *, scroll: str = "") -> None:
        steps.append(alt)

    @contextmanager
    def busy(slot: Any, doing: str, keys: Sequence[str]) -> Iterator[None]:
        steps.append(f"greyed: {doing}")
        yield
        steps.append("done")

    for name, step in (("picture", picture), ("busy", busy)):
        monkeypatch.setattr(ui, name, step)
    monkeypatch.setattr(subject, "judge", judged)
    app = start("image")
    steps.clear()
    app.number_input("i_id").set_value(1).run()
    greyed, judging, portrait, *_, done = steps
    assert greyed.startswith("greyed: Judging Lower-case letters 1")
    assert judging.startswith("judge Lower-case letters 1")
    assert (portrait, done) == ("The chosen image", "done")
    steps.clear()
    app.toggle("i_bonferroni").set_value(True).run()
    assert steps[0].startswith("judge Lower-case letters 1")  # the same image: nothing is greyed


def test_the_lassoed_image(start: Start) -> None:
    app = alive(start("image", {"selection": [("digits", 2), ("test", 1)]}, i_from="selection"))
    assert portrait_title(app).startswith("Digits 2")
    app.number_input("i_pick").set_value(1)
    assert portrait_title(alive(app.run())).startswith("Capital letters A\u2060-\u2060J 1")


def test_no_selection_says_how_to_make_one(start: Start) -> None:
    app = nothing_judged(start("image", i_from="selection"))
    assert any("lasso" in info.value for info in app.info)


def test_missing_images_still_offer_an_upload_and_the_stored_reference(start: Start) -> None:
    app = start("image", world="FashionMNIST")
    assert not app.exception
    assert app.title[0].value == "Which image?"
    assert any("upload" in caption.value for caption in app.caption)
    app = start("image", world="FashionMNIST", i_from="upload")
    app.file_uploader("i_file").upload("mine.png", file_of("PNG"))
    alive(app.run())
    assert charts(app) >= DRAWN


def test_without_a_reference_the_scores_stand_alone_and_one_is_offered(
    start: Start, cache_folder
) -> None:  # type: ignore[no-untyped-def]
    for path in (cache_folder / "evaluations").rglob("*.npz"):
        path.unlink()
    app = start("image")
    assert not app.exception
    assert app.title[0].value == "What the layers say of this image"
    assert any(button.label == "Evaluate 1 set" for button in app.button)
    assert not {name for name in DRAWN if "pixels" not in name} & charts(app)
    (table,) = app.dataframe
    assert len(table.value) == len(score_list(3)) and table.value["p"].isna().all()
    assert table.value["This image"].str.endswith(" nats").all()


def test_the_table_holds_scores_terms_and_reasons() -> None:
    row = np.array([[-100.0, -120.0, -130.0]])
    bad = np.array([[90.0, -1.0, 95.0]])
    bounds = BoundTable(row, row, bad, kl=np.array([[3.0, 2.0, 1.0]]), dims=784, samples=1)

    class Handle:
        title = "Tiny"
        layers = (("z1", (4,), 4), ("z2", (2,), 2), ("z3", (1,), 1))

    one = JudgedImage(Handle(), None, bounds.kl[0], readings=readings(bounds, None), judgement=None)  # type: ignore[arg-type]
    made = table([one], OneImage(tiny_set(1), "a picture"))
    by_key = made.set_index("quantity")
    assert by_key.loc["llr_1", "value"] == 20
    assert "above zero" in by_key.loc["llr_ada", "note"]
    assert by_key.loc["kl_z2", "value"] == 2


def test_many_layers_are_named_in_ranges_and_summed_by_level() -> None:
    names = (*(f"z{i}" for i in range(1, 8)), "u")
    levels = ("14x14",) * 4 + ("7x7",) * 3 + ("u",)
    layers = tuple((name, (4,), 4) for name in names)
    handle = Handle(
        "",
        "Deep",
        "",
        digest="",
        layers=layers,
        levels=levels,
        exact_kl=(True,) * 8,
        image_shape=(1, 28, 28),
    )
    reference = np.tile(np.linspace(1, 2, 50), (8, 1)).T
    kl = np.array([9.0, 9.0, 9.0, 9.0, 1.5, 0.0, 1.5, 0.5])
    assert unusual_layers(names, kl, reference) == ["z1 to z4 (high)", "z6 (low)", "u (low)"]
    assert terms(handle, kl) == [("14x14", 36.0), ("7x7", 3.0), ("u", 0.5)]
    flat = replace(handle, levels=names)
    assert terms(flat, kl) == list(zip(names, kl, strict=True))


def test_a_prepared_picture_has_the_name_of_its_own_visitor() -> None:
    data = file_of("PNG")
    titles = [
        files._prepared(file.digest, file.name, ("invert",), file).title
        for file in (files._opened(data, name) for name in ("mine.png", "yours.png"))
    ]
    assert titles == ["mine.png", "yours.png"]


def test_a_picture_of_a_set_is_changed_and_its_drawing_opens_everywhere(
    start: Start, monkeypatch: pytest.MonkeyPatch
) -> None:
    app = alive(start("image"))
    app.session_state["i_turn"] = "90°"
    app.session_state["i_prepare"] = ["invert"]
    app = alive(app.run())
    assert any(text.value == "Inverted; turned by 90° to the right." for text in app.caption)
    title = app.title[0].value
    app = alive(app.button("i_draw_on").click().run())
    assert app.session_state["i_from"] == "draw" and portrait_title(app) == "Drawing"
    assert app.title[0].value == title  # the same pixels
    assert app.session_state["i_turn"] == "0°" and not app.session_state["i_prepare"]
    link = {key: app.query_params[key] for key in ("i_from", "i_drawn", "image", "shown")}
    monkeypatch.setattr(visitor, "visitor", lambda: "somebody")
    again = alive(start("image", **link))
    assert again.title[0].value == title
    elsewhere = start("generate", **link)  # every page has it for the current image
    assert not elsewhere.exception and not elsewhere.warning
    spots = [one.session_state["image"] for one in (again, elsewhere)]
    assert spots[0] == spots[1] and spots[0][0].startswith("picture-")


def test_changes_in_a_link_are_what_their_controls_can_say() -> None:
    made = {"i_turn": "90°", "i_prepare": ["invert"], "i_keep_down": (0, 60), "i_by_blur": 1.5}
    assert changes.from_text(changes.to_text({**changes.NONE, **made})) == changes.NONE | made
    hostile = '{"i_turn": 7, "i_prepare": 1, "i_keep_down": [60, 0], "i_by_blur": NaN, "root": "/"}'
    for text in ("", "[]", "7", "{", hostile, '{"i_by_blur": [1, 2]}'):
        assert changes.from_text(text) == changes.NONE
    assert changes.from_text('{"i_by_blur": 1e9}')["i_by_blur"] == 4.0


def test_what_a_browser_says_was_drawn_is_not_trusted() -> None:
    drawn = np.arange(12, dtype=np.uint8).reshape(3, 2, 2)
    told = base64.b64encode(drawn.tobytes()).decode()
    found = easel.pixels_of(told, (3, 2, 2))
    assert found is not None and np.array_equal(found, drawn)
    for other in (None, "", 7, {"a": 1}, told[:-4], told + told, "!" * 16, "A" * 2**20):
        assert easel.pixels_of(other, (3, 2, 2)) is None


def test_a_small_picture_stands_in_a_link_and_other_texts_are_none() -> None:
    drawn = np.random.default_rng(0).integers(0, 256, (3, 20, 24), dtype=np.uint8)
    text = whole.to_text(drawn)
    found = whole.from_text(text)
    assert found is not None and np.array_equal(found, drawn)
    assert not whole.to_text(np.random.default_rng(0).integers(0, 256, (3, 64, 64), dtype=np.uint8))
    bomb = base64.urlsafe_b64encode(zlib.compress(bytes(2**22))).decode().rstrip("=")
    head, _, packed = text.partition(".")
    for other in ("", "abc", f"3x20x25.{packed}", f"3x0x24.{packed}", f"{head}.!", f"1x9x9.{bomb}"):
        assert whole.from_text(other) is None


def test_a_quarter_turn_goes_to_the_right() -> None:
    image = np.arange(6, dtype=np.uint8).reshape(1, 2, 3)
    assert turned(image, 1)[0].tolist() == [[3, 0], [4, 1], [5, 2]]
    assert np.array_equal(turned(turned(image, 3), 1), image)


@pytest.mark.parametrize("source", ["paste", "camera", "draw"])
def test_every_source_waits_for_a_picture(start: Start, source: str) -> None:
    nothing_judged(start("image", i_from=source))


def shown_pixels(app: AppTest) -> np.ndarray:
    """The pixels of the current image, which is a picture of no set."""
    origin: Any = app.session_state["context"].world.spec(app.session_state["image"][0]).origin
    return np.asarray(origin.images.images[0])


def test_sliders_move_the_verdict_and_the_current_image_and_back(
    start: Start, monkeypatch: pytest.MonkeyPatch
) -> None:
    app = alive(start("image"))
    assert "image-bands" not in charts(app) and "shown" not in app.query_params
    title = app.title[0].value
    app.slider("i_by_rotation").set_value(90.0)
    app.session_state["i_keep_down"] = (0, 60)
    app = alive(app.run())
    assert app.title[0].value != title and "image-bands" in charts(app)
    assert run_codes(app, monkeypatch, "image-bands") == ["image-bands"]
    said = "cut to 0 to 100 % across and 0 to 60 % down; turned by 90°"
    words = [text.value.replace("\\", "") for text in (*app.markdown, *app.sidebar.markdown)]
    assert any(f"This is the changed image: {said}" in text for text in words)
    assert any("Current image" in text and ", changed" in text for text in words)
    first = shown_pixels(app)
    app = alive(app.button("now_1").click().run())  # the next of the set, changed alike
    assert portrait_title(app).startswith("Lower-case letters 1")
    assert not np.array_equal(first, shown_pixels(app))
    app = alive(app.button("i_undo").click().run())
    assert app.session_state["image"] == ("lower", 1) and "image-bands" not in charts(app)


def test_many_images_are_judged_at_once_and_one_is_opened(start: Start) -> None:
    app = start("image", i_view="many images", i_batch="Digits", i_rate="10 %")
    assert not app.exception and not app.error
    found = re.match(r"(\d+) of (\d+) images of Digits are flagged", app.title[0].value)
    frame = app.dataframe[0].value
    assert found and len(frame) == int(found[2]) == LIMIT
    assert frame["Flagged"].sum() == int(found[1])
    assert frame["p"].is_monotonic_increasing and sorted(frame["Number"]) == list(range(LIMIT))
    assert any(one.value.endswith(batch.TIES) for one in app.caption)
    assert frame["Picture"].str.startswith("data:image/png;base64,").all()
    number = int(frame["Number"][0])
    again = alive(start("image", i_set_glyphs="Digits", i_id=str(number), i_rate="10 %"))
    verdict = f"(p = {fmt(float(frame['p'][0]))})"
    assert again.title[0].value.replace("\\", "").endswith(verdict)


def test_images_that_a_density_is_fitted_to_are_marked_in_the_table_of_many() -> None:
    judged = judge_many(HELD_OUT, HELD_OUT, 0.05)
    flagged = judged.flagged(0.05)
    frame = batch.table(of("validation", HELD_OUT), {"": judged}, 0.05)
    marked = frame.set_index("Number").sort_index()
    assert marked["Counted"].tolist() == NEW.tolist()
    out = batch.called_out(frame)["Number"]
    assert sorted(out) == np.flatnonzero(flagged & NEW).tolist() and len(out) < flagged.sum()


def test_the_table_of_many_has_every_model_and_flags_what_one_of_them_flags() -> None:
    strict, loose = (judge_many(HELD_OUT, HELD_OUT, alpha) for alpha in (0.05, 0.05))
    loose = replace(loose, p=np.where(np.arange(len(loose.p)) == 3, 0.001, np.nan))
    judged = {"A": strict, "C": loose}
    frame = batch.table(of("validation", HELD_OUT), judged, 0.05)
    by = frame.set_index("Number").sort_index()
    assert frame["Number"][0] == 3 and by["Flagged C"].sum() == 1
    assert by["Flagged"].equals(by["Flagged A"] | by["Flagged C"])
    assert (by["Most unusual C"] == "not finite").sum() == len(by) - 1
    assert list(frame.columns[:4]) == ["Number", "File", "p A", "Flagged A"]
    assert {"−L A", "−L C", "Counted"} <= {*frame.columns}
    counts = [
        int((flags & NEW).sum()) for flags in (by["Flagged A"], by["Flagged C"], by["Flagged"])
    ]
    each = f"A flags {counts[0]} and C flags {counts[1]} of {NEW.sum()} images of Digits"
    assert batch.claim(judged, "Digits", 0.05) == (
        f"{each} at 5 % false alarms; together they flag {counts[2]}"
    )


def test_images_of_one_p_stand_by_how_far_they_are_from_the_held_out_ones() -> None:
    judged = judge_many(HELD_OUT, HELD_OUT, 0.05)
    n = len(judged.p)
    apart = np.roll(np.arange(n, dtype=float), 5)
    first = replace(judged, p=np.where(np.arange(n) % 2, 0.1, 0.5), apart=apart)
    second = replace(judged, p=np.where(np.arange(n) % 4, np.nan, 0.1), apart=apart[::-1])
    tied = [i for i in range(n) if i % 2]
    found = batch.table(of("validation", HELD_OUT), {"": first}, 0.05)["Number"].tolist()
    assert found[: len(tied)] == sorted(tied, key=lambda i: -apart[i])
    both = batch.table(of("validation", HELD_OUT), {"A": first, "B": second}, 0.05)["Number"]
    shown = [i for i in range(n) if i % 2 or i % 4 == 0]
    far = {i: apart[i] if i % 2 else apart[::-1][i] for i in shown}
    assert both.tolist()[: len(shown)] == sorted(shown, key=lambda i: (-far[i], i))


def test_the_flagged_are_packed_under_their_names() -> None:
    images = tiny_set(3)
    rows = pd.DataFrame({"Number": [2, 0], "File": ["a/../b\\odd:name.png", ""], "p": [0.1, 0.2]})
    with zipfile.ZipFile(io.BytesIO(batch.archive(images, rows))) as file:
        assert file.namelist() == ["flagged.csv", "0001-odd_name.png", "0002-bars-0.png"]
        picture = Image.open(io.BytesIO(file.read("0001-odd_name.png")))
    assert np.array_equal(np.asarray(picture), images.images[2, 0])


def test_the_title_of_several_models_says_who_flags_the_image() -> None:
    def under(out: bool | None) -> Any:
        verdict = SimpleNamespace(possible=True, out=out)
        return SimpleNamespace(judgement=None if out is None else SimpleNamespace(verdict=verdict))

    def claim(*outs: bool | None) -> str:
        return verdicts.claim([under(out) for out in outs])

    assert claim(True, False) == "A flags this image; B does not"
    assert claim(True, True) == "A and B flag this image"
    assert claim(False, True, True) == "B and C flag this image; A does not"
    assert claim(False, False) == "A and B do not flag this image"
    assert claim(None, True) == "B flags this image; no verdict by A"
    assert claim(None, None) == "No verdict by A and B"
    assert verdicts.claim([under(True), under(False)], "AC") == "A flags this image; C does not"
