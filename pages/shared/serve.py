"""Start the app's server: ``python app.py`` is ``streamlit run app.py``, asked for in one word.

What the server does beside running pages is in ``MIDDLEWARE``, which app.py hands to Streamlit.
"""

from __future__ import annotations

import sys

from starlette.middleware import Middleware
from streamlit.runtime.pages_manager import PagesManager
from streamlit.web import cli

from pages.shared.visitor import Cookies

MIDDLEWARE = [Middleware(Cookies)]
"""What sees every request before Streamlit does."""


def prepare() -> None:
    """Rid the server's process of an old habit of Streamlit's.

    While a folder ``pages/`` lies beside the script, Streamlit takes it for the pages of its first
    multipage design until some session has declared others, and greets the first visitor of a deep
    link with "Page not found". Told in advance, it does not.
    """
    PagesManager.uses_pages_directory = False


def serve(script: str) -> None:
    """Run ``script`` on Streamlit's server with the options of the command line; never returns."""
    sys.argv = ["streamlit", "run", script, *sys.argv[1:]]
    cli.main(prog_name="streamlit")
