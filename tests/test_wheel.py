"""What a wheel would hold, without building one: ``python -m tests.wheel`` builds and tries it."""

from __future__ import annotations

import shutil
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hatchling.builders.wheel import WheelBuilder
from packaging.requirements import Requirement
from packaging.version import Version

from hvae_core import __version__
from hvae_core.cli import main as commands
from hvae_core.common.places import ASSETS, COMMAND, HOME
from tests.conftest import ROOT
from tests.wheel import MOST_BYTES

LEFT_OUT = {"assets/start.png"}
"""For the README alone."""


@pytest.fixture(scope="module")
def builder() -> WheelBuilder:
    return WheelBuilder(str(ROOT))


@pytest.fixture(scope="module")
def held(builder: WheelBuilder) -> dict[str, str]:
    """Where in the wheel each file of the repository goes."""
    files = builder.recurse_included_files()
    return {Path(file.path).relative_to(ROOT).as_posix(): file.distribution_path for file in files}


def _shipped() -> Iterator[str]:
    tops = ("app.py", ".streamlit/*", "assets/**/*", "pages/**/*", "hvae_core/**/*")
    for top in tops:
        for path in ROOT.glob(top):
            name = path.relative_to(ROOT).as_posix()
            if path.is_file() and "__pycache__" not in name and name not in LEFT_OUT:
                yield name


def test_it_holds_all_that_the_program_reads_and_nothing_else(held: dict[str, str]) -> None:
    assert set(held) == set(_shipped())
    for name, place in held.items():
        assert place == (name if name.startswith("hvae_core/") else f"strata_vae/{name}")


def test_it_stays_small(held: dict[str, str]) -> None:
    """What ships under assets/, before anything is compressed, which a wheel is."""
    assets = [ROOT / name for name in held if name.startswith("assets/")]
    assert 10_000_000 < sum(path.stat().st_size for path in assets) < MOST_BYTES


def _metadata() -> dict[str, Any]:
    project: dict[str, Any] = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    return project


def test_its_ranges_hold_the_versions_of_the_lock() -> None:
    lines = (ROOT / "requirements.txt").read_text().splitlines()
    pins = {
        pin.name: pin for line in lines if line[:1] not in ("#", "") for pin in [Requirement(line)]
    }
    ranges = {one.name: one for one in map(Requirement, _metadata()["dependencies"])}
    assert set(pins) == set(ranges)
    for name, pin in pins.items():
        (exact,) = pin.specifier
        assert exact.operator == "==" and Version(exact.version) in ranges[name].specifier
        assert all(part.operator != "==" for part in ranges[name].specifier)


def test_its_name_version_and_commands(builder: WheelBuilder) -> None:
    core = builder.metadata.core
    assert (core.name, builder.metadata.version) == ("strata-vae", __version__)
    assert set(core.scripts) == {"strata", "strata-vae"}
    for place in core.scripts.values():
        module, _, name = place.partition(":")
        assert module == commands.__name__ and callable(getattr(commands, name))


def test_a_clone_finds_its_own_files() -> None:
    assert (HOME, ASSETS, COMMAND) == (ROOT, ROOT / "assets", "python -m hvae_core")


def test_an_installed_program_finds_what_came_with_it(tmp_path: Path) -> None:
    shutil.copytree(ROOT / "hvae_core" / "common", tmp_path / "hvae_core" / "common")
    shutil.copy(ROOT / "hvae_core" / "__init__.py", tmp_path / "hvae_core")
    (tmp_path / "strata_vae").mkdir()
    code = "from hvae_core.common import places as p; print(p.HOME, p.ASSETS, p.COMMAND, sep='\\n')"
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=tmp_path, capture_output=True, text=True, check=True
    )
    home = tmp_path / "strata_vae"
    assert done.stdout.split() == [str(home), str(home / "assets"), "strata"]
