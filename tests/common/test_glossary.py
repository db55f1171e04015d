"""The glossary: found in texts, and the same in the app and in the documents."""

from __future__ import annotations

import pytest

from hvae_core.common.glossary import document, found, terms
from pages.shared.words import line
from tests.conftest import ROOT


@pytest.mark.parametrize(
    ("text", "titles"),
    [
        ("(AUROC 0.59); LLR>1 reaches 0.81", ["AUROC", "LLR>k"]),
        ("−log p(x | z>k) of z2 in nats, nats", ["log p(x | z>k)", "z1, z2, ...", "nats"]),
        ("−L and L>2 are two things, -L one", ["ELBO, L", "L>k"]),
        ("a mask, NATS, OODs, FPR8, XKL", []),
    ],
)
def test_a_text_has_the_terms_that_it_writes(text: str, titles: list[str]) -> None:
    assert [place.term.title for place in found(text)] == titles


def test_every_form_is_found_by_itself() -> None:
    for term in terms():
        if term.forms and term.title.split(",")[0] in (
            "AUROC",
            "KL",
            "CKA",
            "k",
            "MS-SSIM",
            "beta",
        ):
            assert [one.term for one in found(term.title.split(",")[0])] == [term]


def test_a_line_spells_out_each_term_once_with_its_number() -> None:
    html = line("LLR>2 <b> of k", "AUROC", "LLR>1")
    assert html.count("<dfn") == 3 and html.count("L − L&gt;2") == 1
    assert "<b>" not in html
    assert line("nothing here") == ""


def test_the_document_is_made_of_the_glossary() -> None:
    text = (ROOT / "docs" / "glossary.md").read_text("utf-8")
    assert text == document(), "run: python -m hvae_core.common.glossary > docs/glossary.md"
