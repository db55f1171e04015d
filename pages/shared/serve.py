"""Start the app's server: ``python app.py`` is ``streamlit run app.py``, asked for in one word.

What the server does beside running pages is in ``MIDDLEWARE``, which app.py hands to Streamlit.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

import streamlit as st
from starlette.middleware import Middleware
from starlette.routing import Route
from streamlit import net_util
from streamlit.runtime.pages_manager import PagesManager
from streamlit.url_util import make_url_path
from streamlit.web import cli

from hvae_core.common import own_models
from hvae_core.common.deployment import public
from hvae_core.common.errors import HVAEError
from pages.shared import album, kernel, memory, ready, unsent
from pages.shared.address import Address
from pages.shared.early import Early
from pages.shared.guard import Guard
from pages.shared.in_sight import Patient
from pages.shared.packed import Packed
from pages.shared.visitor import Cookies
from pages.shared.warm import warming

MIDDLEWARE = [Middleware(each) for each in (Guard, Cookies, Early, Address, Packed, Patient)]
"""What sees every request before Streamlit does."""
ROUTES = [*album.ROUTES, *ready.ROUTES]
"""Addresses of its own, where the app begins."""
OFFLINE = ("HF_HUB_OFFLINE", "HF_DATASETS_OFFLINE", "TRANSFORMERS_OFFLINE")
"""Switches of the hub's libraries, which the workers of jobs inherit."""


def begun(routes: Sequence[Route]) -> list[Route]:
    """The routes below the server's ``baseUrlPath``, where Streamlit has its own addresses too."""
    base = st.get_option("server.baseUrlPath") or ""
    return [Route(make_url_path(base, each.path), each.endpoint) for each in routes]


def prepare(afterwards: Callable[[], None]) -> None:
    """Load the libraries; rid the process of habits of Streamlit's, a public one of the network.

    ``afterwards`` is called when all are loaded and the first page is drawn.

    While a folder ``pages/`` lies beside the script, Streamlit takes it for the pages of its first
    multipage design until some session has declared others, and greets the first visitor of a deep
    link with "Page not found". Told in advance, it does not. And it would ask a server of Amazon's
    for the machine's address, at its start or when a foreign page knocks.
    """
    memory.share_heaps()
    memory.keep_made_files()
    unsent.keep()
    kernel.begin()
    PagesManager.uses_pages_directory = False
    net_util.get_external_ip = _nowhere
    if public():
        os.environ.update(dict.fromkeys(OFFLINE, "1"))
    warming.begin(afterwards)


def _nowhere() -> str | None:
    return None


def serve(script: str) -> None:
    """Run ``script`` on Streamlit's server with the options of the command line; never returns.

    ``--model FILE.py:NAME`` among them names a model of the user's own, which every page then has.
    """
    sys.argv = ["streamlit", "run", script, *with_models(sys.argv[1:])]
    cli.main(prog_name="streamlit")


def with_models(words: Sequence[str]) -> list[str]:
    """The words without each --model FILE.py:NAME, which is loaded once to see that it can be.

    Ends the program with one sentence where that is refused or fails.
    """
    rest, models = own_models.taken(words)
    try:
        for model in map(own_models.allow, models):
            from hvae_core.checkpoint import load_checkpoint

            load_checkpoint(Path(model))
    except HVAEError as error:
        print(f"error: {error}", file=sys.stderr)
        raise SystemExit(2) from error
    return rest
