"""The app beside a notebook: ``show`` starts it with the kernel's own model and images.

The app is a process of its own. What reads the model runs in the kernel, which the app asks over
the loopback (``common.link``); images go there as arrays. The model is a copy of what it was when
``show`` was called, so that training on changes no figure of the app.
"""

from __future__ import annotations

import atexit
import contextlib
import copy
import os
import secrets
import subprocess
import sys
import tempfile
import time
import webbrowser
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import IO, Any
from urllib.error import URLError
from urllib.request import urlopen

import numpy as np

from hvae_core.checkpoint import Checkpoint, CheckpointInfo, checkpoint_of, load_checkpoint, named
from hvae_core.common.errors import DataError, HVAEError, JobError
from hvae_core.common.link import HOST, PLACE, Answerer
from hvae_core.common.places import HOME
from hvae_core.common.ports import free_port
from hvae_core.data import World
from hvae_core.data.image_set import ImageSet
from hvae_core.data.worlds import Role, SetSpec, custom_set, distinct
from hvae_core.door import load_checkpoint as by_name
from hvae_core.door import load_images
from hvae_core.evaluation import SHIPPED_LIMIT
from hvae_core.evaluation.worlds import world_key
from hvae_core.models import HierarchicalVAE

Images = ImageSet | np.ndarray | str | Path
Model = Checkpoint | HierarchicalVAE | str | Path | bytes

WORLD = "notebook"
"""Key of the world whose sets the notebook gave."""
_START_SECONDS = 180.0


@dataclass(frozen=True)
class Shown:
    """What the kernel tells the app: its models by their keys in ``named``, and a world.

    Without a world of its own the app opens in that of the key ``start``.
    """

    models: dict[str, CheckpointInfo]
    world: World | None
    start: str


class App:
    """The running app: its address, and ``close``. It ends with the kernel at the latest."""

    def __init__(self, shown: Shown, keys: list[str]) -> None:
        self._keys = keys
        try:
            self._answerer = Answerer(shown, _model_at)
        except TypeError as error:
            raise HVAEError(
                f"The app cannot show this model: {error}. A network of a family of your own is "
                "shown by hv.adapt."
            ) from error
        port = free_port(HOST)
        self.url = f"http://localhost:{port}/"
        """Where the app is."""
        self._log: IO[bytes] = tempfile.TemporaryFile()  # noqa: SIM115
        # It reads its standard input, which closes when this process ends, however it does.
        self._process = subprocess.Popen(
            [sys.executable, str(HOME / "app.py"), *_options(port)],
            env={**os.environ, PLACE: self._answerer.place, "STRATA_PUBLIC": ""},
            stdin=subprocess.PIPE,
            stdout=self._log,
            stderr=self._log,
            start_new_session=True,  # an interrupted cell does not end it
        )
        atexit.register(self.close)
        try:
            self._await(port)
        except BaseException:
            self.close()
            raise

    @property
    def running(self) -> bool:
        """Whether the app can be looked at."""
        return self._process.poll() is None

    def wait(self) -> None:
        """Keep the app open until Ctrl-C, as a script must that would end otherwise."""
        try:
            self._process.wait()
        except KeyboardInterrupt:
            self.close()

    def close(self) -> None:
        """End the app, and let go of the model."""
        atexit.unregister(self.close)
        self._answerer.close()
        if self._process.stdin is not None:
            with contextlib.suppress(OSError):
                self._process.stdin.close()
        self._process.terminate()
        try:
            self._process.wait(10)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        self._log.close()
        for key in self._keys:
            named.withdraw(key)
        self._keys.clear()

    def __repr__(self) -> str:
        state = f"at {self.url}; .close() ends it" if self.running else "has ended"
        return f"The app {state}."

    def _await(self, port: int) -> None:
        deadline = time.monotonic() + _START_SECONDS
        while time.monotonic() < deadline:
            if not self.running:
                break
            if _well(port):
                return
            time.sleep(0.1)
        self._log.seek(0)
        last = self._log.read().decode("utf-8", "replace").strip().splitlines()[-1:]
        raise JobError(f"The app did not start ({last[0] if last else 'it said nothing'}).")


def show(
    model: Model | list[Model] | tuple[Model, ...],
    images: Images | None = None,
    against: Mapping[str, Images] | None = None,
    *,
    train: Images | None = None,
    held_out: Images | None = None,
    height: int = 900,
    browser: bool = True,
) -> App:
    """Open the app with a model and images of this very process; in a notebook, in a frame.

    ``model`` is a model in memory, a checkpoint, its name or its path, or several of them: the
    first two are models A and B of the app. ``images`` are of the kind that it knows and was not
    trained on, ``against`` others by name. ``train`` are images it was
    trained on, for scores that compare with them, ``held_out`` some that place thresholds. Sets
    are what ``load_images`` takes: of each the app shows 1,000 at most, drawn by their content.
    Without ``images`` the app opens in the world of the checkpoint. ``height`` is that of the
    frame in pixels; outside of a notebook the browser opens, unless ``browser`` is off, and the
    link is printed. Raises ``HVAEError`` for a model or images that cannot be read.
    """
    given = model if isinstance(model, list | tuple) else [model]
    checkpoints = {f"{one.name} {secrets.token_hex(4)}": one for one in map(_checkpoint, given)}
    if not checkpoints:
        raise DataError("Give a model to show, or several in a list.")
    first = next(iter(checkpoints.values()))
    world = _world(first, images, against or {}, train=train, held_out=held_out)
    start = world_key(first) or ""
    if world is None and not start:
        raise DataError(
            f"{first.name} does not say which images it was trained on; give some by images=."
        )
    about = {key: _about(one) for key, one in checkpoints.items()}
    for key, one in checkpoints.items():
        named.provide(key, one)
    try:
        app = App(Shown(about, world, start), [*checkpoints])
    except BaseException:
        for key in checkpoints:
            named.withdraw(key)
        raise
    _present(app, height=height, browser=browser)
    return app


def _about(checkpoint: Checkpoint) -> CheckpointInfo:
    """What a checkpoint says of itself, without the model."""
    known = {name: value for name, value in vars(checkpoint).items() if name != "model"}
    return CheckpointInfo(**known)


def _checkpoint(model: Model) -> Checkpoint:
    """The model as it is now; what its owner does to it later does not reach the app."""
    if isinstance(model, str | Path | bytes):
        return by_name(model)
    checkpoint = checkpoint_of(model)
    try:
        kept = copy.deepcopy(checkpoint.model)
    except Exception as error:
        raise HVAEError(
            "This model cannot be copied, so the app cannot be sure that it stays as it is "
            f"({type(error).__name__}: {error}); save it and show the file."
        ) from error
    return replace(checkpoint, model=kept.eval().requires_grad_(False))


def _world(
    checkpoint: Checkpoint,
    images: Images | None,
    against: Mapping[str, Images],
    *,
    train: Images | None,
    held_out: Images | None,
) -> World | None:
    """The sets that were given as a world; None where none were."""
    if images is None:
        if against or train is not None or held_out is not None:
            raise DataError("Give images of the kind that the model knows too, by images=.")
        return None
    given: list[tuple[str, Images | None, Role]] = [
        ("images", images, "in"),
        *((name, each, "out") for name, each in against.items()),
        ("images it was trained on", train, "train"),
        ("images held out", held_out, "validation"),
    ]
    sets: list[SetSpec] = []
    for title, each, role in given:
        if each is not None:
            sets.append(distinct(_set(title, each, role, named=role == "out"), sets))
    return World(
        key=WORLD,
        title="Your images",
        in_name=sets[0].name,
        sets=tuple(sets),
        checkpoints=(),
        image_shape=checkpoint.image_shape,
    )


def _set(title: str, images: Images, role: Role, *, named: bool) -> SetSpec:
    read = images if isinstance(images, ImageSet) else load_images(images)
    shown = read if len(read) <= SHIPPED_LIMIT else read.sample(SHIPPED_LIMIT)
    plain = named or isinstance(images, np.ndarray)  # an array has no title of its own
    return custom_set(shown, role, title=title if plain else read.title)


def _model_at(path: str) -> Any:
    return load_checkpoint(path).model


def _well(port: int) -> bool:
    try:
        with urlopen(f"http://{HOST}:{port}/_stcore/health", timeout=5):
            return True
    except (URLError, OSError):
        return False


def _options(port: int) -> list[str]:
    options = {
        "server.address": HOST,
        "server.port": port,
        "server.headless": "true",
        "server.fileWatcherType": "none",
        "browser.gatherUsageStats": "false",
        "logger.hideWelcomeMessage": "true",
    }
    return [word for name, value in options.items() for word in (f"--{name}", str(value))]


def _present(app: App, *, height: int, browser: bool) -> None:
    """A frame in a notebook; elsewhere a line with the link, and the browser."""
    if _in_a_notebook():
        from IPython.display import IFrame, display

        display(IFrame(app.url, width="100%", height=height))
        return
    print(f"Strata: {app.url}")
    if browser:
        webbrowser.open(app.url)


def _in_a_notebook() -> bool:
    """Whether a kernel with a display runs this, not a terminal."""
    shell: Any = sys.modules.get("IPython")
    running = shell.get_ipython() if shell is not None else None
    return getattr(running, "kernel", None) is not None
