"""Models that give no finite numbers, or see nothing: one sentence at the top of every page."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
import torch
from streamlit.testing.v1 import AppTest

from hvae_core.checkpoint import save_checkpoint
from hvae_core.config import ModelCard
from tests.pages.conftest import CONFIG, Start, text
from tests.pages.test_every_page import PAGES
from tests.pages.test_sidebar import CHECKPOINT, labelled
from tests.small import tiny_model

ABSURD = re.compile(r"\b(nan|inf)\b|\b(loses?|gains?|costs?|with|only) [-–]")


def broken(folder: Path, kind: str) -> bytes:
    """A checkpoint whose weights pass the gate and are too large, or all zero."""
    model = tiny_model(CONFIG, 3)
    with torch.no_grad():
        for name, weights in model.named_parameters():
            if kind == "large":
                weights.mul_(1e12)
            elif not name.endswith("original1"):  # the direction of weights, whose length is zero
                weights.zero_()
    path = folder / f"{kind}.safetensors"
    save_checkpoint(path, model, card=ModelCard(f"Model {kind}"), history={})
    return path.read_bytes()


def bring(app: AppTest, data: bytes) -> AppTest:
    upload = labelled(app.file_uploader, CHECKPOINT)
    return upload.set_value(("broken.safetensors", data, "application/octet-stream")).run()


def words(app: AppTest) -> str:
    parts = (*app.title, *app.subheader, *app.markdown, *app.caption, *app.error, *app.warning)
    return "\n".join(part.value for part in parts).lower()


@pytest.mark.parametrize(
    ("kind", "says"), [("large", "no finite numbers"), ("zero", "every image the same latents")]
)
def test_every_page_says_so_at_its_top(kind: str, says: str, start: Start, tmp_path: Path) -> None:
    app = bring(start(), broken(tmp_path, kind))
    for page in PAGES:
        app.switch_page(f"pages/{page}/page.py") if page != "start" else None
        app.run()
        assert not app.exception
        told = [one.value for one in (*app.error, *app.warning) if says in one.value]
        assert len(told) == 1, page
        assert not [line for line in words(app).splitlines() if ABSURD.search(line)], page


def test_a_second_model_without_numbers_is_left_out(start: Start, tmp_path: Path) -> None:
    app = bring(start("reconstructions"), broken(tmp_path, "large"))
    large = app.selectbox("a_glyphs").value
    app.selectbox("a_glyphs").set_value("glyphs-hvae3-elbo")
    app.selectbox("b_glyphs").set_value(large).run()
    app.selectbox("c_glyphs").set_value("glyphs-hvae3-informative").run()
    assert not app.error and app.image
    (told,) = [one.value for one in app.warning if "Model B" in one.value]
    assert "left out of every comparison, in which the others keep their letters" in told
    assert [letter for letter, _ in app.session_state["context"].lettered] == ["A", "C"]
    app.switch_page("pages/two/page.py").run()
    assert "Images that **C** finds more unusual" in text(app)
