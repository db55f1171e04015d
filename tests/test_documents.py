"""What README and docs say is there: commands, options, files, names, links, versions."""

from __future__ import annotations

import inspect
import re
import shlex
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import yaml
from PIL import Image

import hvae_core as hv
from hvae_core.cli.main import command_line, own_models_first
from hvae_core.config import TrainConfig
from hvae_core.config.presets import Preset
from tests.conftest import ROOT
from tests.small import tiny_config

PAGES = (
    "README.md",
    "CONTRIBUTING.md",
    "CHANGELOG.md",
    "docs/house.md",
    "docs/results.md",
    "docs/install.md",
    "docs/own-model.md",
    "docs/own-images.md",
    "docs/many-images.md",
    "docs/glossary.md",
    "docs/export.md",
)


def text_of(page: str) -> str:
    return (ROOT / page).read_text("utf-8")


def code_of(page: str) -> Iterator[str]:
    """Lines of code blocks without their comments, then what stands between single backticks."""
    parts = text_of(page).split("```")
    for block in parts[1::2]:
        yield from (line.partition("#")[0].strip() for line in block.splitlines())
    for prose in parts[::2]:
        yield from (" ".join(code.split()) for code in re.findall(r"`([^`]+)`", prose))


COMMANDS = sorted(
    {
        code
        for page in PAGES
        for code in code_of(page)
        if code.startswith(("python -m hvae_core ", "strata ")) and "..." not in code
        if "NAME" not in code
    }
)


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_that_is_written_can_be_given(
    command: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("STRATA_MODELS", "[]")
    words = shlex.split(command.removeprefix("python -m hvae_core").removeprefix("strata"))
    words = own_models_first(words)
    command_line().parse_args(words, exit_on_error=False, print_error=False)


def test_many_commands_are_written() -> None:
    assert len(COMMANDS) > 20


def test_every_benchmark_that_is_named_is_there() -> None:
    names = {name for page in PAGES for name in re.findall(r"-m (tests\.[\w.]+)", text_of(page))}
    assert names
    for name in names:
        path = ROOT / name.replace(".", "/")
        assert path.with_suffix(".py").is_file() or (path / "__main__.py").is_file(), name


@pytest.mark.parametrize("page", PAGES)
def test_every_link_leads_somewhere(page: str) -> None:
    for target in re.findall(r"\]\(([^)]+)\)", text_of(page)):
        path, _, anchor = target.partition("#")
        if "://" in path:
            continue
        file = (ROOT / page).parent / path if path else ROOT / page
        assert file.exists(), target
        if anchor:
            heads = re.findall(r"^#+ (.*)$", file.read_text("utf-8"), re.M)
            assert anchor in {re.sub(r"[^\w -]", "", h).lower().replace(" ", "-") for h in heads}


@pytest.mark.parametrize("page", ["CONTRIBUTING.md", "docs/house.md"])
def test_every_file_that_is_named_is_there(page: str) -> None:
    """By its path from the top or from hvae_core; a name behind a colon is defined in it."""
    named = [c for c in code_of(page) if re.fullmatch(r"[a-z_]+/[a-z_/]*(\.?[a-z]+(:\w+)?)?", c)]
    assert len(named) > 5
    for code in named:
        path, _, name = code.partition(":")
        places = [place / path for place in (ROOT, ROOT / "hvae_core") if (place / path).exists()]
        assert places, code
        if name:
            defined = rf"^(def|class) {name}\b|^{name}\b.* = "
            assert re.search(defined, places[0].read_text("utf-8"), re.M), code


def test_the_readme_is_short_and_begins_as_the_door_does() -> None:
    readme = text_of("README.md")
    assert len(readme.splitlines()) <= 200
    first = readme.split("```python\n")[1].partition("```")[0].splitlines()
    door = inspect.cleandoc(hv.__doc__ or "").splitlines()
    example = [line.strip() for line in door if line.startswith("    ")]
    assert [line for line in first if line] == example


def test_the_readme_trains_from_python(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    draw = np.random.default_rng(0)
    for split in ("train", "validation"):
        folder = tmp_path / "my-images" / split
        folder.mkdir(parents=True)
        for i in range(12):
            Image.fromarray(draw.integers(0, 256, (9, 9), np.uint8)).save(folder / f"{i}.png")
    train = TrainConfig("glyphs", epochs=1, batch_size=6)
    small = Preset(
        name="small",
        title="Small",
        world="glyphs",
        model=tiny_config(),
        train=train,
        source="a test",
    )
    monkeypatch.setattr(hv, "get_preset", {"glyphs-hvae3-elbo": small}.__getitem__)
    monkeypatch.chdir(tmp_path)
    exec(compile(text_of("README.md").split("```python\n")[2].split("```")[0], "README.md", "exec"))
    checkpoint = hv.load_checkpoint(tmp_path / "mine.safetensors")
    assert checkpoint.card.title == "Mine" and len(checkpoint.history["valid_elbo"]) == 1
    assert (tmp_path / "runs" / "mine" / "state.safetensors").is_file()


def test_one_version_everywhere() -> None:
    citation = yaml.safe_load(text_of("CITATION.cff"))
    assert citation["version"] == hv.__version__
    assert citation["cff-version"] == "1.2.0"
    assert {"message", "title", "authors", "references"} <= set(citation)
    for source in citation["references"]:
        assert source["type"] and source["title"] and source["authors"] and source["year"]
    releases = re.findall(r"^## \[(\w[\w.]*)\]", text_of("CHANGELOG.md"), re.M)
    assert releases[0] == "Unreleased" and "0.1.0" in releases


def test_the_page_of_speeds_is_made_of_what_was_measured() -> None:
    from tests.benchmarks import page

    assert page.PAGE.read_text() == page.page()
