"""The Lab: networks that train in seconds, what can be turned while they do, and its presets.

A preset is a table of ``lab.toml``: how the knobs stand, what is turned at which step, what to look
at, and what the layers' KL does then, by the number of steps. ``python -m tests.lab`` holds it.
"""

from __future__ import annotations

import json
import math
import tomllib
from dataclasses import asdict, replace
from functools import cache
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import Field
from pydantic.dataclasses import dataclass

from hvae_core.config.as_json import from_json
from hvae_core.config.families.dense import DenseConfig
from hvae_core.config.family import STRICT
from hvae_core.config.training import TrainConfig

SIDE = 8
"""Pixels of an image on a side."""
STEPS = 25
"""Steps of what the loop calls an epoch: then a run is kept on disk."""
MOST_STEPS = 20_000
BATCH = 64
LETTERS = "glyphs"


@dataclass(frozen=True, config=STRICT)
class Knobs:
    """What is set in the Lab. The first six make another network or other data: they start anew."""

    depth: Annotated[int, Field(ge=1, le=5)] = 3
    """Layers of two units each."""
    hidden: Literal[0, 32] = 32
    """Hidden units a conditional; 0 makes every map affine."""
    skip: bool = False
    likelihood: Literal["gaussian_fixed", "bernoulli"] = "gaussian_fixed"
    data: Literal["letters", "digits"] = "letters"
    seed: Annotated[int, Field(ge=0, le=999_999)] = 0
    objective: Literal["elbo", "informative"] = "elbo"
    beta: Annotated[float, Field(ge=0, le=20)] = 1.0
    warmup: Annotated[int, Field(ge=0, le=MOST_STEPS)] = 0
    """Steps over which beta rises from 0."""
    free_bits: Annotated[float, Field(ge=0, le=10)] = 0.0
    """lambda, nats a layer."""
    std: Annotated[float, Field(ge=0.05, le=2)] = 0.15
    """sigma of the Gaussian p(x | z), of the grey range."""
    learning_rate: Annotated[float, Field(gt=0, le=0.1)] = 2e-3

    def model(self) -> DenseConfig:
        """The network."""
        gaussian = self.likelihood == "gaussian_fixed"
        return DenseConfig(
            (1, SIDE, SIDE),
            (2,) * self.depth,
            hidden=self.hidden,
            skip=self.skip,
            likelihood=self.likelihood,
            std=self.std if gaussian else 0.1,
        )

    def train(self) -> TrainConfig:
        """Its training; what an objective does not take is left out."""
        epochs, plain = MOST_STEPS // STEPS, self.objective == "elbo"
        held = plain and self.free_bits > 0
        return TrainConfig(
            LETTERS if self.data == "letters" else "own: handwritten digits",
            objective=self.objective,
            epochs=epochs,
            epoch_images=STEPS * BATCH,
            batch_size=BATCH,
            learning_rate=self.learning_rate,
            final_learning_rate=self.learning_rate,
            beta=self.beta if plain else 1.0,
            warmup_epochs=self.warmup / STEPS if plain else 0.0,
            free_bits=self.free_bits if held else 0.0,
            free_bits_constant=float(epochs) if held else 0.0,
            ema=0.0,
            seed=self.seed,
        )

    def starts_like(self, other: Knobs) -> bool:
        """Whether a run under these settings can go on under the others."""
        return self.start == other.start

    @property
    def start(self) -> tuple[Any, ...]:
        """What cannot be turned while a run goes on."""
        return (self.depth, self.hidden, self.skip, self.likelihood, self.data, self.seed)

    def turned(self, changes: dict[str, Any]) -> Knobs:
        """These with other values, checked. Raises ``ConfigError``."""
        return from_json(Knobs, json.dumps(asdict(self) | changes))


def changes(before: Knobs, now: Knobs) -> dict[str, Any]:
    """The knobs that were turned, with their new values."""
    return {name: value for name, value in vars(now).items() if vars(before)[name] != value}


_NAMES = {
    "depth": "layers", "hidden": "hidden units", "skip": "skip connections", "likelihood": "pixels",
    "warmup": "warm-up", "free_bits": "free bits", "std": "sigma", "learning_rate": "learning rate",
}  # fmt: skip
_VALUES = {"gaussian_fixed": "Gaussian", "bernoulli": "binary", "elbo": "plain"}


def _in_words(value: bool | int | float | str) -> str:
    if isinstance(value, bool):
        return "on" if value else "off"
    return f"{value:g}" if isinstance(value, float) else _VALUES.get(str(value), str(value))


@dataclass(frozen=True, config=STRICT)
class Act:
    """A turn of knobs at a step."""

    step: Annotated[int, Field(ge=0, le=MOST_STEPS)]
    turn: dict[str, bool | int | float | str]

    @property
    def in_words(self) -> str:
        """As "free bits 1"; knobs are named as the page names them."""
        return ", ".join(f"{knob} {value}" for knob, value in self.named)

    @property
    def named(self) -> tuple[tuple[str, str], ...]:
        """Each knob that is turned, and what to, in words."""
        return tuple((_NAMES.get(k, k), _in_words(v)) for k, v in self.turn.items())


@dataclass(frozen=True, config=STRICT)
class Check:
    """What a preset shows: a figure at a step lies below or above a bound."""

    step: Annotated[int, Field(ge=1, le=MOST_STEPS)]
    of: Literal["kl", "holes", "dot"] = "kl"
    """KL of a layer in nats; the share of draws of the prior that lie in holes; the share of
    held-out images that are likelier than the dot in the middle."""
    layer: Annotated[int, Field(ge=1, le=5)] = 1
    """Of the KL: 1 is the layer next to the image."""
    beside: bool = False
    """Whether it is of the second run."""
    below: float | None = None
    above: float | None = None

    def holds(self, figure: float) -> bool:
        """Whether the figure is as it says."""
        low = -math.inf if self.above is None else self.above
        return low < figure < (math.inf if self.below is None else self.below)


@dataclass(frozen=True, config=STRICT)
class LabPreset:
    """One thing to see: how it is set, what is turned when, what to look at, what must hold."""

    name: str
    title: str
    look: str
    """One sentence on what to look at."""
    knobs: Knobs
    pace: Annotated[int, Field(ge=0, le=10_000)] = 100
    """Steps a second at most, so that one sees it; 0 for as fast as can be."""
    beside: Knobs | None = None
    """A second run of the same seed, where one is to be compared."""
    acts: tuple[Act, ...] = ()
    checks: tuple[Check, ...] = ()


@dataclass(frozen=True, config=STRICT)
class Control:
    """What a page tells a run that goes on: its knobs, the acts to come, whether it plays."""

    knobs: Knobs
    acts: tuple[Act, ...] = ()
    playing: bool = True
    until: int = 0
    """Steps that are taken although it does not play."""
    pace: Annotated[int, Field(ge=0, le=10_000)] = 0
    """Steps a second at most; 0 for as fast as can be."""
    dot: tuple[Annotated[float, Field(ge=0, le=7)], Annotated[float, Field(ge=0, le=7)]] = (
        3.5,
        3.5,
    )
    """Row and column of a dot of light, the image that is no letter."""
    preset: Annotated[str, Field(max_length=40)] = ""
    """Which preset it began as."""
    by_hand: bool = False
    """Whether it began anew with other knobs, so that its preset turns none by itself."""
    run: Annotated[str, Field(max_length=4096)] = ""
    """The folder of a training of the command line that is followed instead."""


def control_of(
    preset: LabPreset, knobs: Knobs, acts: tuple[Act, ...], *, playing: bool, until: int = 0
) -> Control:
    """How a run of a preset begins; where it does not play, it takes ``until`` steps."""
    return Control(knobs, acts, playing=playing, until=until, pace=preset.pace, preset=preset.name)


def first_control() -> Control:
    """How the Lab begins: the first preset, one step, which waits for Play."""
    preset = next(iter(_presets().values()))
    return control_of(preset, preset.knobs, preset.acts, playing=False, until=1)


def lab_presets() -> dict[str, LabPreset]:
    """The presets of ``lab.toml`` by name, in order."""
    return dict(_presets())


@cache
def _presets() -> dict[str, LabPreset]:
    tables = tomllib.loads(Path(__file__).with_name("lab.toml").read_text("utf-8"))
    text = json.dumps({name: {"name": name, **table} for name, table in tables.items()})
    return from_json(dict[str, LabPreset], text)


def after(control: Control, step: int) -> tuple[Control, tuple[Act, ...]]:
    """The control once the acts up to a step are done, and those that were due."""
    due = tuple(act for act in control.acts if act.step <= step)
    knobs = control.knobs
    for act in due:
        knobs = knobs.turned(dict(act.turn))
    left = tuple(act for act in control.acts if act.step > step)
    return (replace(control, knobs=knobs, acts=left), due) if due else (control, ())
