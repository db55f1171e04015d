"""The public names of the package are listed once, and importing it is light."""

from __future__ import annotations

import subprocess
import sys

from hvae_core import data


def test_the_list_is_sorted_and_complete() -> None:
    modules = type(sys)
    public = {
        name
        for name, value in vars(data).items()
        if not name.startswith("_") and not isinstance(value, modules)
    }
    assert public == set(data.__all__)
    assert data.__all__ == sorted(data.__all__)


def test_nothing_heavy_is_imported() -> None:
    code = (
        "import sys, hvae_core.data;"
        "print([m for m in ('torch', 'datasets', 'sklearn', 'pandas') if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
