"""Tour: nine steps over the app's own pages, from the paradox to a verdict, and the end."""

from __future__ import annotations

import streamlit as st

from pages.shared import panel, ui
from pages.tour import steps as tour
from pages.tour import strip
from pages.tour.steps import Step

steps = tour.steps()


def opens(number: int, step: Step) -> None:
    """The link that opens a step, by its number and title."""
    st.page_link(
        f"pages/{step.page}/page.py", label=f"{number} · {step.title}",
        query_params=tour.link(number),
    )  # fmt: skip


def before() -> None:
    """Every step with its question, and where to begin."""
    ui.header(
        "Why an image that a model never saw can look likely, and what its layers know",
        f"{len(steps)} steps over the pages of this app, about ten minutes. Each shows what to "
        "look at, the equation in the colours of the charts, one thing to try and "
        "one question that looking answers.",
    )
    missing = [step.title for step in steps if step.absent()]
    if missing:
        st.info(f"Of other models than intended, which are not here: {', '.join(missing)}.")
    for number, step in enumerate(steps, start=1):
        way, asked = st.columns([2, 3], vertical_alignment="center")
        with way:
            opens(number, step)
        with asked:
            panel.said(f":gray[{step.question}]", f"{number} · {step.title}")
    st.page_link(
        f"pages/{steps[0].page}/page.py", label="Start the tour", icon=":material/arrow_forward:",
        query_params=tour.link(1),
    )  # fmt: skip
    st.caption(
        "A link opens a step: add `?tour=3` to the address of the app. *Present* at the top of "
        "every page makes type larger and turns the steps with the arrow keys."
    )


def afterwards() -> None:
    """What each step showed, with the figures of the questions that were answered, and ways on."""
    answered, own = strip.answered(), st.session_state[strip.ENDED] == "back"
    ui.header(
        "What the tour showed",
        "A line a step, and below the line what the figures said where you answered its question. "
        "A title opens its step again."
        + (" World, models, sets and image are yours of before the tour." if own else ""),
    )
    for number, step in enumerate(steps, start=1):
        way, told = st.columns([2, 5])
        with way:
            opens(number, step)
        with told:
            panel.said(step.learned, f"{number} · {step.title}")
            if number in answered:
                panel.said(ui.plain(answered[number]), note=True)
    st.subheader("Where to go on", anchor=False)
    for page, label, query, words in (
        ("collapse", "A model of your own", None, "Choose its file under *Open a checkpoint* in "
         "the sidebar. *Collapse* then says which of its layers are silent, and why."),
        ("image", "An image of your own", {"i_from": "upload"}, "Upload it, draw it or paste it: "
         "*One image* says which layers find it unusual, and where."),
        ("lab", "The Lab", None, "Watch a layer fall silent while a small model trains, and bring "
         "it back."),
    ):  # fmt: skip
        way, told = st.columns([2, 5])
        with way:
            ui.link(page, label, query)
        told.markdown(words)


if st.session_state.get(strip.ENDED):
    afterwards()
else:
    before()
