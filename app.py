"""Strata: open a hierarchical VAE, see layer by layer what it knows, and why an image is out.

``python app.py`` starts the server, and Streamlit finds in ``app`` how. On the server this script
runs once for each visit of a page: it builds what is global (world, models, images, seed) and
hands over to the page.
"""

from __future__ import annotations

import streamlit as st
from streamlit.runtime.scriptrunner import get_script_run_ctx

from pages.shared import memory, serve
from pages.shared.warm import warming


def draw() -> None:
    """Draw the sidebar and the page that the address names."""
    from hvae_core.common.deployment import public
    from hvae_core.common.places import ASSETS
    from pages.shared import downloads, health, jobs, links, set_notes, sidebar, ui
    from pages.shared.state import context, set_context

    st.set_page_config(page_title="Strata", page_icon=str(ASSETS / "icon.svg"), layout="wide")
    ui.style()
    jobs.attend()
    pages = [
        st.Page("pages/start/page.py", title="Start", default=True),
        st.Page(
            "pages/reconstructions/page.py", title="Reconstructions", url_path="reconstructions"
        ),
        st.Page("pages/collapse/page.py", title="Collapse", url_path="collapse"),
        st.Page("pages/two/page.py", title="Two models", url_path="two"),
        st.Page("pages/generate/page.py", title="Generate", url_path="generate"),
        st.Page(
            "pages/compression/page.py", title="Compression and attacks", url_path="compression"
        ),
        st.Page("pages/latents/page.py", title="Latent space", url_path="latents"),
        st.Page("pages/lab/page.py", title="Lab", url_path="lab"),
        st.Page("pages/ood/page.py", title="OOD detection", url_path="ood"),
        st.Page("pages/image/page.py", title="One image", url_path="image"),
    ]
    if not public():  # it reads folders of this machine
        pages.append(st.Page("pages/many/page.py", title="Many images", url_path="many"))
    page = st.navigation(pages)
    top = st.container()
    with ui.whole_page():
        choices = sidebar.build()
        with top:
            set_context(health.sound(choices))
        with ui.whole_page():
            page.run()
        set_notes.draw(context())
        downloads.of_page(context())
    with top:
        links.draw_absent()


if get_script_run_ctx(suppress_warning=True) is not None:
    with warming.turn():
        draw()
elif __name__ == "__main__":
    serve.serve(__file__)
else:
    serve.prepare()
    app = st.App(__file__, routes=serve.ROUTES, middleware=serve.MIDDLEWARE, lifespan=memory.tidied)
