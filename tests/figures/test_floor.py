"""The figures stand on their own floor: no torch, no streamlit, and no name left unlisted."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import hvae_core.figures as figures

ROOT = Path(__file__).resolve().parents[2]


def test_figures_import_neither_torch_nor_streamlit() -> None:
    code = (
        "import sys, hvae_core.figures; "
        "print([m for m in ('torch', 'streamlit', 'sklearn') if m in sys.modules])"
    )
    out = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True
    )
    assert out.stdout.strip() == "[]"


def test_all_lists_what_there_is() -> None:
    assert all(hasattr(figures, name) for name in figures.__all__)
    assert len(set(figures.__all__)) == len(figures.__all__)
