"""What a study is, as its TOML file says it: models, sets, scores, and the tables to make."""

from __future__ import annotations

import json
import re
import tomllib
from dataclasses import replace
from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field
from pydantic.dataclasses import dataclass

from hvae_core.common.errors import ConfigError
from hvae_core.common.files import named_path
from hvae_core.common.places import ASSETS
from hvae_core.config import STRICT, from_json
from hvae_core.evaluation import SHIPPED_LIMIT
from hvae_core.evaluation.evaluation import EvalSettings

TableKind = Literal[
    "detection", "grid", "collapse", "bits", "layers", "families", "units", "remedies",
    "stability", "samplers", "compression", "attacks",
]  # fmt: skip
OUTSIDE = ("detection", "grid", "bits", "layers", "remedies")
"""Kinds that show sets beside the in-distribution one."""
WITHOUT_BOUNDS = ("stability", "samplers", "compression", "attacks")
"""Kinds that read no bounds of any set."""
Count = Annotated[int, Field(ge=1, le=1_000_000)]
Seed = Annotated[int, Field(ge=0, le=2**31 - 1)]
Key = Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9_-]{0,63}$")]
Text = Annotated[str, Field(max_length=2000)]
MAX_BYTES = 1_000_000
_SHIPPED = ASSETS / "studies"
_NAME = re.compile(r"[a-z0-9][a-z0-9_-]{0,63}")


@dataclass(frozen=True, config=STRICT)
class SettingsSpec:
    """How the bounds are made (``EvalSettings``), and images of a set at most."""

    limit: Annotated[int, Field(ge=0, le=10_000_000)] = SHIPPED_LIMIT
    """Images a set at most; 0 for all."""
    samples: Count = 10
    partial_samples: Count | None = None
    """Draws of L_>k for k >= 1; as many as ``samples`` if not given."""
    seed: Seed = 0
    skipped: Literal["sample", "mean"] = "mean"
    up: Literal["mean", "sample"] = "mean"

    @property
    def evaluation(self) -> EvalSettings:
        """The settings of every evaluation of the study."""
        partial = self.partial_samples or self.samples
        return EvalSettings(self.samples, partial, self.seed, skipped=self.skipped, up=self.up)


@dataclass(frozen=True, config=STRICT)
class ModelSpec:
    """A checkpoint (a shipped one's name, or a path), or a preset with seeds."""

    key: Key | None = None
    """What tables call it in ``models`` and ``printed``; the name of preset or checkpoint."""
    title: Annotated[str, Field(max_length=100)] = ""
    checkpoint: Annotated[str, Field(max_length=1000)] = ""
    preset: Annotated[str, Field(max_length=100)] = ""
    seeds: Annotated[tuple[Seed, ...], Field(min_length=1, max_length=100)] = (0,)
    epochs: Annotated[int, Field(ge=1, le=10_000)] | None = None
    """Epochs of training; the preset's if not given."""
    precision: Literal["32-true", "bf16-mixed", "16-mixed"] = "32-true"
    """Of training, as ``train --precision`` has it."""
    samples: Count | None = None
    """Draws of every bound of this model; those of the study's settings if not given."""

    def __post_init__(self) -> None:
        if bool(self.checkpoint) == bool(self.preset):
            raise ValueError("a model needs either a preset or a checkpoint")
        if self.checkpoint and (self.epochs, self.seeds, self.precision) != (None, (0,), "32-true"):
            raise ValueError("seeds, epochs and precision go with a preset, not with a checkpoint")
        if len(set(self.seeds)) < len(self.seeds):
            raise ValueError("a seed is named twice")

    @property
    def name(self) -> str:
        """What tables refer to."""
        return self.key or self.preset or Path(self.checkpoint).stem


@dataclass(frozen=True, config=STRICT)
class TableSpec:
    """One table: what it holds, of which models, sets and scores, and what a paper prints.

    An entry of ``printed`` names a row by its keys (``model``, ``set``, ``score``, ``layer``,
    ``k``, ``sampler``, ``radius``; those that are the same in all rows may be left out) and gives
    columns as printed; one with ``row`` stands for a method that the study does not have, in a row
    of its own.
    """

    kind: TableKind
    key: Key
    title: Annotated[str, Field(min_length=1, max_length=300)]
    source: Annotated[str, Field(max_length=300)] = ""
    note: Text = ""
    models: tuple[str, ...] = ()
    sets: tuple[str, ...] = ()
    scores: tuple[str, ...] = ()
    columns: tuple[str, ...] = ()
    """Columns to show, in this order; empty for the usual ones of the kind."""
    percent: bool = False
    """Shares as percentages, as some papers print them."""
    threshold: Annotated[float, Field(gt=0)] | None = None
    """A figure further than this from the printed one, in the units shown, is remarked on."""
    relative: Annotated[float, Field(gt=0)] | None = None
    """The same as a share of the printed figure."""
    judge: Annotated[str, Field(max_length=1000)] = ""
    """The checkpoint that reads samples (kind ``samplers``)."""
    steps: tuple[Count, ...] = (50, 10)
    draws: Count = 1000
    pictures: Annotated[tuple[Annotated[str, Field(max_length=1000)], ...], Field(min_length=1)] = (
        "china",
        "flower",
    )
    """Photographs by name, or picture files (kind ``compression``)."""
    images: Count = 50
    """Images of the in-distribution set that are attacked (kind ``attacks``)."""
    radii: Annotated[
        tuple[Annotated[float, Field(gt=0, le=1)], ...], Field(min_length=1, max_length=20)
    ] = (0.1,)
    ascent: Annotated[int, Field(ge=1, le=1000)] = 50
    """Steps of an attack."""
    printed: tuple[dict[str, str | int | float], ...] = ()

    def __post_init__(self) -> None:
        if self.threshold is not None and self.relative is not None:
            raise ValueError("give either threshold or relative, not both")
        if (self.kind == "samplers") != bool(self.judge):
            raise ValueError("a judge goes with the kind samplers, which needs one")


@dataclass(frozen=True, config=STRICT)
class StudySpec:
    """A whole study."""

    title: Annotated[str, Field(min_length=1, max_length=300)]
    models: Annotated[tuple[ModelSpec, ...], Field(min_length=1, max_length=100)]
    tables: Annotated[tuple[TableSpec, ...], Field(min_length=1, max_length=100)]
    name: Key | None = None
    """Its folder of results; the name of the file if not given."""
    note: Text = ""
    sets: tuple[str, ...] = ()
    """Out-of-distribution sets, also of other worlds as WORLD:SET; those of each model's world if
    not given."""
    ensemble: tuple[str, ...] = ()
    """Checkpoints of the same images beside each model, for WAIC."""
    background: Annotated[str, Field(max_length=1000)] = ""
    """Checkpoint trained on mutated pixels; the world's own if not given."""
    settings: SettingsSpec = SettingsSpec()

    def evaluation(self, model: ModelSpec) -> EvalSettings:
        """How the bounds of a model are made."""
        if model.samples is None:
            return self.settings.evaluation
        own = replace(self.settings, samples=model.samples, partial_samples=model.samples)
        return own.evaluation


def _shipped(name: str) -> Path | None:
    """The file of a shipped study, where there is one of that name."""
    path = _SHIPPED / f"{name}.toml"
    return path if _NAME.fullmatch(name) and path.is_file() else None


def read_study(path: str | Path) -> StudySpec:
    """A study from its TOML file, or by the name of one that ships.

    Raises ``ConfigError`` in one sentence for a file that cannot be read, is no TOML, has an
    unknown key or a value out of bounds, or whose parts refer to what is not there.
    """
    path = _shipped(str(path)) or named_path(path, ConfigError)
    try:
        with path.open("rb") as file:
            text = file.read(MAX_BYTES + 1)
    except OSError as exc:
        names = ", ".join(file.stem for file in sorted(_SHIPPED.glob("*.toml")))
        raise ConfigError(
            f"{path} cannot be read; give the path of a study's TOML file, or the name of one that "
            f"ships ({names})."
        ) from exc
    if len(text) > MAX_BYTES:
        raise ConfigError(f"{path.name} is larger than {MAX_BYTES:,} bytes, too large for a study.")
    try:
        found = tomllib.loads(text.decode())
    except (UnicodeDecodeError, tomllib.TOMLDecodeError, RecursionError) as exc:
        raise ConfigError(f"{path.name} is not valid TOML: {_one_line(exc)}.") from exc
    try:
        study: StudySpec = from_json(StudySpec, json.dumps(found, default=str))
    except ConfigError as exc:
        message = str(exc).replace("The configuration", "The study", 1)
        raise ConfigError(f"{path.name}: {message}") from exc
    name = study.name or path.stem
    if not _NAME.fullmatch(name):
        raise ConfigError(
            f"{path.name}: a study's name has small letters, digits, - and _; give one with name."
        )
    study = replace(study, name=name)
    _check(study, path.name)
    return study


def _one_line(problem: Exception) -> str:
    return " ".join(str(problem).split()).rstrip(".")


def _check(study: StudySpec, file: str) -> None:
    """Presets exist, names are unique, tables refer to models of the study."""
    from hvae_core.config.presets import get_preset

    for model in study.models:
        if model.preset:
            try:
                get_preset(model.preset)
            except ConfigError as exc:
                raise ConfigError(f"{file}: {exc}") from exc
    names = [model.name for model in study.models]
    for what, keys in (("models", names), ("tables", [table.key for table in study.tables])):
        twice = next((key for key in keys if keys.count(key) > 1), None)
        if twice is not None:
            raise ConfigError(f"{file}: two {what} are called {twice}; give one another key.")
    for table in study.tables:
        unknown = next((name for name in table.models if name not in names), None)
        if unknown is not None:
            raise ConfigError(
                f"{file}: table {table.key} names the model {unknown}, which is not in the study "
                f"(it has {', '.join(names)})."
            )
