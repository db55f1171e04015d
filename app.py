"""Strata: open a hierarchical VAE, see layer by layer what it knows, and why an image is out.

``python app.py`` starts the server, and Streamlit finds in ``app`` how. On the server this script
runs once for each visit of a page: it builds what is global (world, models, images, seed) and
hands over to the page.
"""

from __future__ import annotations

import streamlit as st
from streamlit.navigation.page import Page
from streamlit.runtime.scriptrunner import get_script_run_ctx

from pages.shared import memory, serve
from pages.shared.warm import warming


def draw() -> None:
    """Draw the sidebar and the page that the address names."""
    from hvae_core.common.places import ASSETS
    from pages.shared import (
        current_view,
        downloads,
        health,
        jobs,
        links,
        panel,
        selection_view,
        set_notes,
        sidebar,
        style,
        toolbar,
        ui,
    )
    from pages.shared.state import context, set_context
    from pages.tour import strip

    st.set_page_config(page_title="Strata", page_icon=str(ASSETS / "icon.svg"), layout="wide")
    st.logo(str(ASSETS / "icon.svg"), size="large")
    style.draw()
    ui.drawn_whole()
    jobs.attend()
    groups = _pages()
    page = st.navigation(groups, expanded=True)
    links.follow()
    strip.arrive(page)
    toolbar.begin()
    tools = toolbar.place()
    question = strip.draw(page)
    top = st.container()
    with ui.whole_page():
        here = st.sidebar.container()
        choices = sidebar.build()
        with top:
            set_context(health.sound(choices))
        with here, ui.in_place():
            current_view.draw(context())
            selection_view.draw(context())
        with tools, ui.in_place():
            every = [each for group in groups.values() for each in group]
            toolbar.draw(context(), page, every, touring=question is not None)
        strip.question(question, context())
        with ui.whole_page():
            page.run()
        set_notes.draw(context())
        downloads.of_page(context())
    with top:
        links.draw_absent()
    links.settle()
    panel.view().locate()


def _pages() -> dict[str, list[Page]]:
    """The pages under what they are for, in the order of the sidebar."""
    from hvae_core.common.deployment import public

    def page(folder: str, title: str, icon: str) -> Page:
        place = "" if folder == "start" else folder
        return st.Page(
            f"pages/{folder}/page.py", title=title, icon=f":material/{icon}:",
            url_path=place or None, default=not place,
        )  # fmt: skip

    detect = [
        page("ood", "OOD detection", "query_stats"),
        page("image", "One image", "image"),
        page("leaderboard", "Leaderboard", "leaderboard"),
        page("compression", "Compression and attacks", "compress"),
    ]
    if not public():  # it reads folders of this machine
        detect.insert(2, page("many", "Scored folders", "grid_view"))
    return {
        "Understand": [
            page("start", "Start", "layers"),
            page("tour", "Tour", "signpost"),
            page("reconstructions", "Reconstructions", "flip"),
            page("generate", "Generate", "auto_awesome"),
        ],
        "Diagnose": [
            page("collapse", "Collapse", "bar_chart"),
            page("two", "Two models", "compare_arrows"),
            page("latents", "Latent space", "scatter_plot"),
            page("lab", "Lab", "science"),
        ],
        "Detect": detect,
    }


def ready_lab() -> None:
    """Load in a process of the Lab what its first run needs."""
    from pages.lab import runs

    runs.warm()


if get_script_run_ctx(suppress_warning=True) is not None:
    with warming.turn():
        draw()
elif __name__ == "__main__":
    serve.serve(__file__)
else:
    from pages.lab import stream

    serve.prepare(afterwards=ready_lab)
    routes = serve.begun([*serve.ROUTES, *stream.ROUTES])
    app = st.App(__file__, routes=routes, middleware=serve.MIDDLEWARE, lifespan=memory.tidied)
