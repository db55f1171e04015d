"""Tour: eight steps over the app's own pages, from the paradox to a verdict."""

from __future__ import annotations

import streamlit as st

from pages.shared import ui
from pages.tour import steps as tour

steps = tour.steps()
ui.header(
    "Why an image that a model never saw can look likely, and what its layers know",
    f"{len(steps)} steps over the pages of this app, about ten minutes. Each shows what to look "
    "at, the equation beside the picture in the picture's colours, one thing to try and one "
    "question that looking answers.",
)
missing = [step.title for step in steps if step.absent()]
if missing:
    st.info(f"Of other models than intended, which are not here: {', '.join(missing)}.")
for number, step in enumerate(steps, start=1):
    way, asked = st.columns([2, 3], vertical_alignment="center")
    way.page_link(
        f"pages/{step.page}/page.py",
        label=f"{number} · {step.title}",
        query_params=tour.link(number),
    )
    asked.markdown(f":gray[{step.question}]")
st.page_link(
    f"pages/{steps[0].page}/page.py", label="Start the tour", icon=":material/arrow_forward:",
    query_params=tour.link(1),
)  # fmt: skip
st.caption(
    "A link opens a step: add `?tour=3` to the address of the app. *Present* at the top of every "
    "page makes type larger and turns the steps with the arrow keys."
)
