"""Studies whose models are yet to be trained, ranked, with the hours that this takes.

[[studies]]
name = "dvp-table-5"        # one that ships: assets/studies/NAME.toml
decides = "whether a pseudoinput lowers the NLL where nothing else changes"

[seconds]                   # of one epoch on one core, as `maintain runs --time` measured it
glyphs-dvp-small = 121.4
glyphs-dvp-small-bf16-mixed = 74.9  # at the precision that a study trains in, where it names one
"""

from __future__ import annotations

import json
import math
import tomllib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

from pydantic import Field
from pydantic.dataclasses import dataclass as checked

from hvae_core.common.errors import ConfigError
from hvae_core.common.files import written
from hvae_core.common.places import ASSETS, HOME
from hvae_core.common.progress import Progress, part, silent
from hvae_core.config import STRICT, from_json
from hvae_core.studies.find import UNTRAINED, Wanted, wanted
from hvae_core.studies.spec import Key, Text, read_study

PATH = HOME / "docs" / "runs.toml"
_DAY = 24  # hours


@checked(frozen=True, config=STRICT)
class Entry:
    """A study by its name, and what its tables decide."""

    name: Key
    decides: Text


@checked(frozen=True, config=STRICT)
class Ledger:
    """Studies, the most important first, and processor seconds of an epoch by recipe."""

    studies: tuple[Entry, ...]
    seconds: dict[str, Annotated[float, Field(gt=0)]]


@dataclass(frozen=True)
class Line:
    """A study of the ledger as it stands: runs that are here, runs in all, and hours that are left.

    ``made`` says whether its tables are kept; then nothing is left. ``hours`` are of one core, NaN
    where the epoch of a recipe that is left was never timed.
    """

    name: str
    decides: str
    done: int
    runs: int
    hours: float
    made: bool

    @property
    def state(self) -> str:
        """In words, as "2 of 14 runs trained"."""
        if self.made:
            return "tables made"
        return "trained" if self.done == self.runs else f"{self.done} of {self.runs} runs trained"

    @property
    def long(self) -> bool:
        """Whether what is left takes one core more than a day."""
        return self.hours > _DAY


def read_ledger(path: Path | None = None) -> Ledger:
    """The ledger, that of the project if none is named; ``ConfigError`` for a file that is none."""
    path = path or PATH
    try:
        return from_json(Ledger, json.dumps(tomllib.loads(path.read_text("utf-8"))))
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as exc:
        raise ConfigError(f"{path.name}, the ledger of runs, cannot be read: {exc}.") from exc


def lines(ledger: Ledger, runs: Path) -> list[Line]:
    """Every study as it stands in a folder of runs, those of a study in a folder of its name."""
    out = []
    for entry in ledger.studies:
        found = _trained(entry, runs)
        left = [run for run in found if run.path is None]
        seconds = [
            (run.epochs - run.done) * ledger.seconds.get(_recipe(run), math.nan) for run in left
        ]
        made = _made(entry)
        out.append(
            Line(
                entry.name,
                entry.decides,
                done=len(found) - len(left),
                runs=len(found),
                hours=0.0 if made else sum(seconds) / 3600,
                made=made,
            )
        )
    return out


def time_epochs(ledger: Ledger, runs: Path, progress: Progress = silent) -> dict[str, float]:
    """Processor seconds of an epoch of every recipe that is yet to be trained and was not timed.

    Runs of studies whose tables are made are not.
    """
    from hvae_core.config.presets import get_preset
    from hvae_core.training.timed import timed

    left = {
        _recipe(run): run.model
        for entry in ledger.studies
        if not _made(entry)
        for run in _trained(entry, runs)
        if run.path is None and _recipe(run) not in ledger.seconds
    }
    found = {}
    for at, (name, model) in enumerate(left.items()):
        part(progress, at, len(left))(0.0, name)
        found[name] = round(timed(get_preset(model.preset), precision=model.precision).epoch, 1)
    return found


def keep_seconds(ledger: Ledger, seconds: dict[str, float], path: Path | None = None) -> None:
    """Write the table [seconds] anew; what stands above it in the file is left as it is."""
    path = path or PATH
    head = path.read_text("utf-8").partition("[seconds]")[0]
    rows = sorted((ledger.seconds | seconds).items())
    table = "".join(f"{name} = {value}\n" for name, value in rows)
    with written(path, ConfigError) as draft:
        draft.write_text(f"{head}[seconds]\n{table}", "utf-8")


def _recipe(run: Wanted) -> str:
    """The name of what is timed: a preset, with the precision where that is another than usual."""
    model = run.model
    return model.preset if model.precision == "32-true" else f"{model.preset}-{model.precision}"


def _made(entry: Entry) -> bool:
    """Whether the tables of a study are kept, and no row of theirs waits for a run."""
    tables = [*(ASSETS / "studies" / entry.name).glob("*.md")]
    return bool(tables) and not any(UNTRAINED in table.read_text("utf-8") for table in tables)


def _trained(entry: Entry, runs: Path) -> Sequence[Wanted]:
    """The runs of a study, without the checkpoints that it names themselves."""
    found = wanted(read_study(entry.name), [runs / entry.name])
    return [run for run in found if run.model.preset]
