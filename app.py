"""Strata: open a hierarchical VAE, see layer by layer what it knows, and why an image is out.

``python app.py`` starts the server. On the server this script builds what is global (world, models,
images, seed) and hands over to a page.
"""

from __future__ import annotations

import streamlit as st
from streamlit.runtime.scriptrunner import get_script_run_ctx

from pages.shared import sidebar, ui
from pages.shared.serve import serve
from pages.shared.state import set_context

if get_script_run_ctx(suppress_warning=True) is None:
    serve(__file__)

st.set_page_config(page_title="Strata", page_icon=":material/layers:", layout="wide")
ui.style()

PAGES = [
    st.Page("pages/start/page.py", title="Start", default=True),
    st.Page("pages/reconstructions/page.py", title="Reconstructions", url_path="reconstructions"),
    st.Page("pages/collapse/page.py", title="Collapse", url_path="collapse"),
    st.Page("pages/two/page.py", title="Two models", url_path="two"),
    st.Page("pages/generate/page.py", title="Generate", url_path="generate"),
    st.Page("pages/compression/page.py", title="Compression and attacks", url_path="compression"),
    st.Page("pages/latents/page.py", title="Latent space", url_path="latents"),
    st.Page("pages/ood/page.py", title="OOD detection", url_path="ood"),
    st.Page("pages/image/page.py", title="One image", url_path="image"),
]

page = st.navigation(PAGES)
with ui.in_place():
    set_context(sidebar.build())
    page.run()
