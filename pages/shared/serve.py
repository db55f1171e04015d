"""Start the app's server: ``python app.py`` is ``streamlit run app.py`` without one old habit.

While a folder ``pages/`` lies beside the script, Streamlit takes it for the pages of its first
multipage design until some session has declared others, and greets the first visitor of a deep
link with "Page not found". Told in advance, it does not.
"""

from __future__ import annotations

import sys

from streamlit.runtime.pages_manager import PagesManager
from streamlit.web import cli


def serve(script: str) -> None:
    """Run ``script`` on Streamlit's server with the options of the command line; never returns."""
    PagesManager.uses_pages_directory = False
    sys.argv = ["streamlit", "run", script, *sys.argv[1:]]
    cli.main(prog_name="streamlit")
