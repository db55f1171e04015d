"""A command to copy. Streamlit's own box of code reads the grammars of 300 languages for it first.

That takes the browser a fifth of a second, of a page that has one command.
"""

from __future__ import annotations

from pathlib import Path

from streamlit.components.v2 import component

_HERE = Path(__file__)
_mount = component(
    "strata_command",
    html='<div class="command"><pre><code></code></pre><output></output>'
    '<button type="button">Copy</button></div>',
    css=_HERE.with_suffix(".css").read_text("utf-8"),
    js=_HERE.with_suffix(".js").read_text("utf-8"),
)


def draw(words: str, key: str) -> None:
    """A command, whole at any width; ``key`` names its place on the page."""
    _mount(key=f"command-{key}", data={"words": words})
