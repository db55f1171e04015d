"""The drawing of docs/house.md is the code: floors, no circles, what costs no torch at import."""

from __future__ import annotations

import re
import subprocess
import sys

import pytest

from tests import house
from tests.conftest import ROOT

FREE = ("common", "config", "data", "figures", "scores", "detection")
"""Rooms that cost no torch at import, but for the modules below."""
COMPUTING = {
    "hvae_core.common.noise",
    "hvae_core.common.philox",
    "hvae_core.scores.classifier.ensemble",
    "hvae_core.scores.classifier.file",
    "hvae_core.scores.classifier.network",
    "hvae_core.scores.classifier.training",
    "hvae_core.scores.measures.classifier_outputs",
    "hvae_core.scores.measures.gradients",
    "hvae_core.scores.measures.latent_draws",
    "hvae_core.scores.measures.lower_bound",
    "hvae_core.scores.measures.refit",
    "hvae_core.scores.measures.regret",
    "hvae_core.scores.measures.regret_z",
    "hvae_core.scores.store",
    "hvae_core.detection.half_precision",
}
READING = ("bounds", "byte_planes", "collapse", "evaluation", "latents", "lookup", "parts", "sets")
"""What of evaluation reads results."""


def loaded(modules: list[str], heavy: tuple[str, ...]) -> str:
    """Which of the heavy libraries a fresh interpreter has after importing the modules."""
    code = (
        f"import sys\nimport {', '.join(modules)}\n"
        f"print([name for name in {heavy} if name in sys.modules])"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert not done.returncode, done.stderr
    return done.stdout.strip()


def test_every_room_stands_on_a_floor() -> None:
    drawn = {name for rooms in house.FLOORS for name in rooms}
    built = {path.parent.name for path in (ROOT / "hvae_core").glob("*/__init__.py")} | {"pages"}
    assert built == drawn
    for name in built - {"pages"}:
        first = (ROOT / "hvae_core" / name / "__init__.py").read_text("utf-8").splitlines()[0]
        assert first.startswith('"""'), f"{name} does not say what it is"


def test_the_drawing_has_these_rooms_on_these_floors() -> None:
    text = (ROOT / "docs" / "house.md").read_text("utf-8")
    lines = [line.split() for line in text.split("```")[1].splitlines()]
    drawn = {
        int(words[0]): tuple(word[:-1] for word in words if re.fullmatch(r"[a-z]+/", word))
        for words in lines
        if words and words[0].isdigit()
    }
    assert drawn == dict(enumerate(house.FLOORS, start=1))
    told = re.findall(r"^\| `([a-z]+)/` \|", text, re.M)
    assert sorted(told) == sorted(name for rooms in house.FLOORS for name in rooms)


def test_rooms_import_lower_floors_alone() -> None:
    up = [(a, b) for a, b in house.rooms_seen() if house.floor(a) <= house.floor(b)]
    assert not up
    figures = {a for a, b in house.rooms_seen() if b == "figures"}
    assert figures <= {"studies", "cli", "pages"}
    models = {b for a, b in house.rooms_seen() if a == "models"}
    assert models <= {"config", "common"}


def test_no_room_knows_the_door() -> None:
    """But for the package's own version, which a file may tell."""
    door = {one.file for one in house.imports() if one.of == "hvae_core.door"}
    assert all(house.room(name) in ("", "cli", "pages") for name in door)


def test_files_import_each_other_in_no_circle() -> None:
    assert not house.circles()


def test_the_arrows_stay_few() -> None:
    assert len(house.rooms_seen()) <= 72


def test_core_knows_no_streamlit_and_pages_no_torch() -> None:
    for name, path in house.modules().items():
        text = path.read_text("utf-8")
        if house.room(name) == "pages":
            assert "import torch" not in text and "from torch" not in text, name
        else:
            assert "import streamlit" not in text and "from streamlit" not in text, name


@pytest.mark.parametrize("room", FREE)
def test_rooms_that_cost_no_torch(room: str) -> None:
    modules = [name for name in house.modules() if house.room(name) == room]
    assert loaded(sorted(set(modules) - COMPUTING), ("torch", "streamlit")) == "[]"


def test_reading_results_costs_no_torch() -> None:
    modules = [f"hvae_core.evaluation.{name}" for name in READING]
    assert loaded(modules, ("torch", "streamlit")) == "[]"


def test_the_door_itself_costs_nothing() -> None:
    assert loaded(["hvae_core"], ("torch", "numpy", "pydantic", "pandas", "streamlit")) == "[]"
