"""Strata: open a hierarchical VAE, see layer by layer what it knows, and why an image is out.

``python app.py`` starts the server. On the server this script builds what is global (world, models,
images, seed) and hands over to a page.
"""

from __future__ import annotations

import streamlit as st
from streamlit.runtime.scriptrunner import get_script_run_ctx

from pages.lib import sidebar, ui
from pages.lib.serve import serve
from pages.lib.state import set_context

if get_script_run_ctx(suppress_warning=True) is None:
    serve(__file__)

st.set_page_config(page_title="Strata", page_icon=":material/layers:", layout="wide")
ui.style()

PAGES = [
    st.Page("pages/views/start.py", title="Start", default=True),
    st.Page("pages/views/reconstructions.py", title="Reconstructions", url_path="reconstructions"),
    st.Page("pages/views/collapse.py", title="Collapse", url_path="collapse"),
    st.Page("pages/views/two.py", title="Two models", url_path="two"),
    st.Page("pages/views/generate.py", title="Generate", url_path="generate"),
    st.Page("pages/views/compression.py", title="Compression and attacks", url_path="compression"),
    st.Page("pages/views/latents.py", title="Latent space", url_path="latents"),
    st.Page("pages/views/ood.py", title="OOD detection", url_path="ood"),
    st.Page("pages/views/image.py", title="One image", url_path="image"),
]

page = st.navigation(PAGES)
with ui.in_place():
    set_context(sidebar.build())
    page.run()
