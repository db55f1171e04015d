"""A real browser on a real server."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.server import serve


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The app, with a cache of its own and no images but the shipped ones."""
    folder: Path = tmp_path_factory.mktemp("home")
    with serve(STRATA_CACHE=str(folder), STRATA_DATA="") as address:
        yield address


@pytest.fixture
def tab(browser: Any) -> Iterator[Any]:
    """A fresh tab, 1440 pixels wide."""
    page = browser.new_page(viewport={"width": 1440, "height": 1000})
    page.set_default_timeout(60_000)
    yield page
    page.close()
