"""A component's script ends its last drawing before the next, and every such script is one."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from pages.shared import anew

PAGES = Path(anew.__file__).parents[1]
ITS_OWN = {"cloud.js", "moving.js", "draw.js", "clickable.js", "command.js"}
"""Scripts that keep one object for each place themselves, or leave nothing."""


def test_the_script_has_one_way_in_and_keeps_the_rest() -> None:
    text = anew.anew("const a = 1;\nexport default function ({ data }) { return () => a; }\n")
    assert text.count("export default") == 1 and "const a = 1;" in text
    assert "const drawOnce = function ({ data }) { return () => a; }" in text
    with pytest.raises(ValueError, match="unpack"):
        anew.anew("no way in")


def test_every_script_that_leaves_something_is_drawn_anew() -> None:
    """Python hands it over through ``anew``; its end Streamlit calls but once, at the last."""
    code = {path: path.read_text("utf-8") for path in PAGES.rglob("*.py")}
    scripts = [path for path in PAGES.rglob("*.js") if "vendor" not in path.parts]
    seen = 0
    for path in scripts:
        text = path.read_text("utf-8")
        if "export default" not in text or path.name in ITS_OWN:
            continue
        named = rf'anew\([^,]{{0,80}}"{re.escape(path.name)}"'  # or by the name of the Python file
        own = code.get(path.with_suffix(".py"), "")
        handed = any(re.search(named, one) for one in code.values())
        assert handed or re.search(r"anew\([^,]*with_suffix|anew\(_TEXT\)", own), path
        seen += 1
    assert seen == 8
