"""Models of one's own that a local user named on the command line, as FILE.py:NAME.

Their names stand in the environment, which the workers of jobs inherit; a Python file that is not
among them is never run. On a public server there are none. The room ``checkpoint`` loads them.
"""

from __future__ import annotations

import json
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from hvae_core.common.deployment import public
from hvae_core.common.errors import CheckpointError
from hvae_core.common.plain import plain
from hvae_core.common.python_file import split_name

IN_MEMORY = "model in memory "
_NAMES = "STRATA_MODELS"


def allow(text: str) -> str:
    """Let the model FILE.py:NAME be loaded, as the user of the command line says; its whole name.

    Raises ``CheckpointError`` where strangers visit, or where the name has another form.
    """
    if public():
        raise CheckpointError(
            "On a public server no Python file is run; start it without STRATA_PUBLIC to look at a "
            "model of your own."
        )
    parts = split_name(text)
    if parts is None:
        raise CheckpointError(
            f"{plain(text) or 'An empty text'} names no model; write FILE.py:NAME, such as --model "
            "mine.py:model, where NAME is a model made by hv.adapt or a function without arguments "
            "that makes one."
        )
    whole = f"{Path(parts[0]).expanduser().resolve()}:{parts[1]}"
    os.environ[_NAMES] = json.dumps([*dict.fromkeys([*allowed(), whole])])
    return whole


def taken(words: Sequence[str]) -> tuple[list[str], list[str]]:
    """The words of a command line without each --model FILE.py:NAME, and what these name."""
    rest: list[str] = []
    models: list[str] = []
    left = iter(words)
    for word in left:
        name, equals, value = word.partition("=")
        if name == "--model":
            models.append(value if equals else next(left, ""))
        else:
            rest.append(word)
    return rest, models


def allowed() -> list[str]:
    """The models that were named, as whole paths FILE.py:NAME."""
    if public():
        return []
    try:
        names = json.loads(os.environ.get(_NAMES, "[]"))
    except ValueError:
        return []
    return [str(name) for name in names] if isinstance(names, list) else []


def path_of(key: str) -> Path:
    """What stands for a provided model where the path of a file would stand."""
    return Path(f"{IN_MEMORY}{key}")


def is_named(source: Any) -> bool:
    """Whether a path stands for such a model and for no file."""
    text = str(source)
    return split_name(text) is not None or text.startswith(IN_MEMORY)


def modified(source: Any) -> float:
    """When the Python file of a model was changed; 0 for one in memory."""
    parts = split_name(str(source))
    if parts is None:
        return 0.0
    try:
        return Path(parts[0]).stat().st_mtime
    except OSError as error:
        raise CheckpointError(
            f"There is no file {plain(parts[0])}; give the path of a Python file."
        ) from error
