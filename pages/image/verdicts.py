"""The title of the page of one image: the verdict of every model, with why."""

from __future__ import annotations

from collections.abc import Sequence

import streamlit as st

from hvae_core.common.words import LETTERS, capital, listed
from hvae_core.detection.objections import in_numbers
from hvae_core.detection.verdict_words import in_words
from pages.image.one_image import OneImage
from pages.image.subject import JudgedImage
from pages.shared import panel, ui

LOOK_FOR = (
    "p is the share of held-out in-distribution images that are at least as unusual as this image. "
    "The p of the title allows for having looked at several scores: the likelihood (too low or too "
    "high), the ratio LLR>k at every k, and the path. The path is how all of these go together. A "
    "small p at k: the levels above the k lowest alone cannot explain this image."
)
SEVERAL = (
    "Each p is the share of held-out in-distribution images that are at least as unusual as this "
    "image under that model. It is corrected for having looked at several scores."
)
NO_VERDICT = "What the layers say of this image"


_FIRST = {
    "draw": (
        "Draw an image",
        "Draw on the canvas. The model judges the drawing after every stroke, and the "
        "verdict takes the place of these lines. Three things to try:\n\n"
        "- Draw what the model was trained on. Is it in distribution?\n"
        "- Draw one line across that drawing. At which k is it noticed?\n"
        "- Clear the canvas, and draw something that the model never saw.",
    ),
    "camera": ("Which image?", "Take a photo below, and it is judged."),
    "upload": ("Which image?", "Open a file below, and it is judged."),
    "paste": ("Which image?", "Paste a picture below, and it is judged."),
}
"""Title, and what to do, by where the image comes from."""


def before(source: str) -> None:
    """The title while there is no image yet: how this source gives one."""
    title, todo = _FIRST.get(source, ("Which image?", "Choose an image below, and it is judged."))
    ui.header(title, LOOK_FOR, todo)


def draw(image: OneImage, judged: Sequence[JudgedImage], letters: str = LETTERS) -> None:
    """The verdict as the title, and why; of several models a line each, and why in a fold."""
    told = [_told(under) for under in judged]
    changed = f"This is the changed image: {'; '.join(image.changes)}." if image.changes else ""
    if len(judged) == 1:
        headline, why = told[0]
        sentences = filter(None, [changed, why])
        ui.header(ui.plain(headline), LOOK_FOR, "\n\n".join(map(ui.plain, sentences)))
        return
    lines = [
        f"**{letter}** {ui.plain(under.handle.title)}: "
        f"**{'No verdict' if headline == NO_VERDICT else ui.plain(headline)}.**"
        for letter, under, (headline, _) in zip(letters, judged, told, strict=False)
    ]
    told_of_each = "  \n".join(filter(None, [ui.plain(changed), *lines]))
    ui.header(claim(judged, letters), SEVERAL, told_of_each)
    if st.session_state.get(ui.VEILED):
        return
    with st.expander("Why, in words"):
        for letter, (_, why) in zip(letters, told, strict=False):
            if why:
                with panel.view().under(letter):
                    st.markdown(f"**{letter}**")
                    panel.said(ui.plain(why), "Why, in words")
        st.caption(LOOK_FOR)


def claim(judged: Sequence[JudgedImage], letters: str = LETTERS) -> str:
    """Which of several models flag the image: "A flags this image; B does not"."""
    sides: dict[str, list[str]] = {"flagged": [], "passed": [], "open": []}
    for letter, under in zip(letters, judged, strict=False):
        sides[_side(under)].append(letter)
    flagged, passed, left = (listed(who) if who else "" for who in sides.values())
    said = []
    if flagged:
        said.append(f"{flagged} flag{'s' if len(sides['flagged']) == 1 else ''} this image")
    if passed:
        verb = "does" if len(sides["passed"]) == 1 else "do"
        said.append(f"{passed} {verb} not" + ("" if flagged else " flag this image"))
    if left:
        said.append(f"no verdict by {left}")
    return capital("; ".join(said))


def _side(under: JudgedImage) -> str:
    if under.judgement is None or not under.judgement.verdict.possible:
        return "open"
    return "flagged" if under.judgement.verdict.out else "passed"


def _told(under: JudgedImage) -> tuple[str, str]:
    """A model's verdict as a headline, and why: each finding once, then its values."""
    if under.judgement is None:
        why = under.problem or "There is no reference to judge it by yet; its scores are below."
        return NO_VERDICT, why
    headline, why = in_words(under.judgement)
    return headline, f"{why} {in_numbers(under.judgement, under.readings)}".rstrip()
