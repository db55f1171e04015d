"""What the Lab shows before anybody asks: a network of one step, whose frame ships.

It is a run's folder as any other. A visitor sees it while the process that makes it again loads.
"""

from __future__ import annotations

import shutil
import tempfile
from contextlib import suppress
from pathlib import Path

from hvae_core.common.errors import ConfigError
from hvae_core.common.files import make_folder
from hvae_core.common.places import ASSETS
from hvae_core.common.progress import Cancelled
from hvae_core.config.lab import Control, first_control
from hvae_core.training.lab.frame import (
    CONTROL,
    FRAME,
    LabFrame,
    look,
    read_control,
    read_frame,
    write_control,
)

FOLDER = ASSETS / "lab"


def shipped_frame(control: Control) -> LabFrame | None:
    """The frame of a run that begins as the shipped one did; None of another, or where none is."""
    return read_frame(FOLDER) if read_control(FOLDER) == control else None


def make_first(folder: Path = FOLDER) -> None:
    """Train the network that the Lab begins with for its one step, and keep what is seen of it.

    Raises ``ConfigError``, ``DataError``.
    """
    from hvae_core.training.lab.jobs import run_lab

    with tempfile.TemporaryDirectory() as place:
        run = Path(place)

        def shown(_fraction: float, _message: str) -> None:
            if read_frame(run) is not None:
                raise Cancelled

        write_control(run, first_control())
        look(run)
        with suppress(Cancelled):
            run_lab(place, progress=shown)
        make_folder(folder, ConfigError)
        for name in (CONTROL, FRAME):
            shutil.copyfile(run / name, folder / name)
