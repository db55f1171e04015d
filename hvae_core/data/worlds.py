"""Worlds: an in-distribution set, the sets held against it, and the checkpoints trained on it."""

from __future__ import annotations

import re
import tomllib
import unicodedata
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path
from typing import Any, Literal, get_args

from hvae_core.common.arrays import Shape
from hvae_core.common.errors import DataError
from hvae_core.common.files import named_path
from hvae_core.common.places import ASSETS, root_of
from hvae_core.common.progress import Progress, silent
from hvae_core.data.guard import one_sentence
from hvae_core.data.hints import Ground
from hvae_core.data.image_set import ImageSet
from hvae_core.data.origins import (
    DataFolder,
    Drawn,
    HandwrittenDigits,
    InMemory,
    Origin,
    Own,
    Request,
    Shipped,
)
from hvae_core.data.prepare import Step
from hvae_core.data.readers.wanted import check_limit
from hvae_core.data.stored import changed, find_named, folder_of, share_images

Role = Literal["train", "validation", "in", "out", "control", "shown"]
"""``shown`` is a picture that somebody looks at: nothing is held against it."""
Suite = Literal["near", "far", "shifted"]
OWN = "own-"
WORLDS = Path(__file__).with_suffix(".toml")


@dataclass(frozen=True)
class SetSpec:
    """One set of a world: its name in code and URLs, its title for people, its role.

    ``suite`` is how it counts in leaderboards (``data.suites``), and ``why``.
    """

    name: str
    title: str
    role: Role
    origin: Origin
    suite: Suite | None = None
    why: str = ""

    def __post_init__(self) -> None:
        if self.role not in get_args(Role):
            raise DataError(f"A set cannot have the role {self.role}; choose in or out.")
        if self.suite not in (None, *get_args(Suite)):
            raise DataError(f"There is no suite {self.suite}; choose near, far or shifted.")


@dataclass(frozen=True)
class World:
    """An in-distribution set, its OOD and control sets, and the checkpoints trained on it."""

    key: str
    title: str
    in_name: str
    sets: tuple[SetSpec, ...]
    checkpoints: tuple[str, ...]
    image_shape: Shape
    ground: Ground = ""

    def __post_init__(self) -> None:
        # Scores are fitted on the training images and thresholds placed on the validation images:
        # what is judged must be others.
        for judged in self.with_role("in"):
            for fitted in self.with_role("train", "validation"):
                if share_images(judged.origin, fitted.origin):
                    raise DataError(
                        f"{judged.title} has images of {fitted.title}, on which references and "
                        "thresholds rest; choose a test split to judge."
                    )

    def spec(self, set_name: str) -> SetSpec:
        """Return the set of a name."""
        for spec in self.sets:
            if spec.name == set_name:
                return spec
        raise DataError(
            f"{self.title} has no set named {set_name}; "
            f"choose one of {', '.join(spec.name for spec in self.sets)}."
        )

    def with_role(self, *roles: Role) -> tuple[SetSpec, ...]:
        """Return the sets of some roles, in the order of the world."""
        return tuple(spec for spec in self.sets if spec.role in roles)

    def with_set(self, own: SetSpec) -> World:
        """Return the world with a set of the user's own; one of the same name is replaced."""
        kept = tuple(spec for spec in self.sets if spec.name != own.name)
        return replace(self, sets=(*kept, own))

    def available(self, set_name: str, data_root: str | Path | None = None) -> bool:
        """Return whether the images of a set are on this machine, without reading them."""
        return self.spec(set_name).origin.available(root_of(data_root))

    def load(
        self,
        set_name: str,
        data_root: str | Path | None = None,
        *,
        limit: int | None = None,
        progress: Progress = silent,
    ) -> ImageSet:
        """Return a set at the world's image shape, the first `limit` images of it.

        Raises MissingImages, with what to do, where the images are not on this machine.
        """
        check_limit(limit)
        spec = self.spec(set_name)
        request = Request(
            title=spec.title,
            data_root=root_of(data_root),
            image_shape=self.image_shape,
            limit=limit,
            progress=progress,
        )
        with one_sentence(spec.title):
            images = spec.origin.load(request).fit(self.image_shape)
        return images.renamed(spec.name, spec.title)

    def choose(
        self,
        set_name: str,
        data_root: str | Path | None = None,
        *,
        limit: int | None = None,
        progress: Progress = silent,
    ) -> ImageSet:
        """Return at most `limit` images that stand for a set: what figures and pages rest on.

        Built-in sets come in a mixed order, so that their first images are a fair sample and no
        more is read; of a set of the user's own, sorted by class perhaps, images are drawn by
        their content.
        """
        if limit is None or not set_name.startswith(OWN):
            return self.load(set_name, data_root, limit=limit, progress=progress)
        return self.load(set_name, data_root, progress=progress).sample(limit)

    def downloadable(self, set_name: str) -> bool:
        """Return whether the hub has the images of a set."""
        return self._hub_origin(set_name) is not None

    def _hub_origin(self, set_name: str) -> DataFolder | None:
        folder = folder_of(self.spec(set_name).origin)
        return folder if folder is not None and folder.hub else None

    def download(self, set_name: str, progress: Progress = silent) -> Path:
        """Fetch the images of a set from the hub into the cache folder and return the file."""
        origin = self._hub_origin(set_name)
        if origin is None:
            raise DataError(f"{self.spec(set_name).title} has nothing to download; open it as is.")
        return origin.fetch(progress)


def download_set(world: World, set_name: str, *, progress: Progress = silent) -> Path:
    """A job: fetch the images of a world's set from the hub into the data folder."""
    return world.download(set_name, progress)


def custom_set(
    source: str | Path | ImageSet,
    role: Role = "out",
    *,
    title: str | None = None,
    prepare: tuple[Step, ...] = (),
    allow_download: bool = False,
) -> SetSpec:
    """Return a set of the user's own for `World.with_set`: a path, a hub name, or read images.

    The images are brought to the world's shape when loaded, and a note says so. ``prepare`` are
    steps on images that are read from a path.
    """
    if isinstance(source, ImageSet):
        title = title or source.title
        origin: Origin = InMemory(source)
    else:
        text = str(source).strip()
        path = named_path(text)
        named = None if path.exists() else find_named(text)
        title = title or (path.name if path.exists() else named.title if named else text)
        origin = named.origin if named else Own(str(source), allow_download, prepare)
    # Letters of any script are kept: titles that differ are sets that differ.
    slug = re.sub(r"[\W_]+", "-", unicodedata.normalize("NFKC", title).casefold()).strip("-")
    return SetSpec(name=OWN + (slug or "set"), title=title, role=role, origin=origin)


def distinct(spec: SetSpec, others: Iterable[SetSpec]) -> SetSpec:
    """Return a set under a name and title of its own, where others of the same are not the same."""
    taken = {other.name: other for other in others if other.origin != spec.origin}
    number, named = 1, spec
    while named.name in taken:
        number += 1
        named = replace(spec, name=f"{spec.name}-{number}", title=f"{spec.title} ({number})")
    return named


@cache
def worlds() -> dict[str, World]:
    """Return the built-in worlds by key, in the order of their file; the first is the default."""
    return read_worlds(WORLDS)


def named_images(text: str, limit: int | None = None) -> ImageSet | None:
    """The images of WORLD:SET, at most so many; None where a text has another form or is a path."""
    key, _, set_name = text.partition(":")
    if not set_name or key not in worlds() or named_path(text).exists():
        return None
    return worlds()[key].choose(set_name, limit=limit)


def read_worlds(path: Path) -> dict[str, World]:
    """Return the worlds of a TOML file. Raises ``DataError`` that names the world that is wrong."""
    read: dict[str, World] = {}
    for key, table in tomllib.loads(path.read_text("utf-8")).items():
        try:
            read[key] = _world(key, **table)
        except (DataError, TypeError, ValueError) as problem:
            raise DataError(f"The world {key} in {path.name} is wrong: {problem}") from problem
    return read


def _world(
    key: str,
    *,
    title: str,
    shape: Sequence[int],
    ground: Ground = "",
    models: Sequence[str] = (),
    suites: Mapping[Suite, Mapping[str, str]] | None = None,
    **roles: dict[str, Any],
) -> World:
    """A built-in world: its checkpoints are the shipped files <key>-<model>.safetensors."""
    channels, height, width = shape
    files = {path.stem for path in (ASSETS / "checkpoints").glob(f"{key}-*.safetensors")}
    counts = {name: each for each, whys in (suites or {}).items() for name in whys}
    whys = {name: why for each in (suites or {}).values() for name, why in each.items()}
    sets = tuple(
        _built_in(name, role, **({"images": entry} if isinstance(entry, str) else entry))
        for role, entries in roles.items()
        for name, entry in entries.items()
    )
    if unknown := counts.keys() - {spec.name for spec in sets}:
        raise DataError(f"its suites name {', '.join(sorted(unknown))}, which it has not.")
    return World(
        key=key,
        title=title,
        in_name="test",
        sets=tuple(
            replace(spec, suite=counts.get(spec.name), why=whys.get(spec.name, "")) for spec in sets
        ),
        checkpoints=(*(m for m in models if m in files), *sorted(files.difference(models))),
        image_shape=(channels, height, width),
        ground=ground,
    )


def _built_in(
    name: str, role: Any, *, images: str, title: str = "", rows: Sequence[int] = (), of: int = 0
) -> SetSpec:
    """One set of a built-in world; its file says what the keys mean."""
    named = find_named(images)
    origin = named.origin if named else _of_the_project(images)
    if rows:
        # In the order of the file: the rows that train and validate are cut out of it.
        assert isinstance(origin, DataFolder)
        origin = replace(origin, span=(rows[0] / of, rows[1] / of), shuffle=False)
    title = title or (named.title if named else name)
    return SetSpec(name=name, title=title, role=role, origin=origin)


def _of_the_project(images: str) -> Origin:
    """Where images are that come with the project or with a package that it needs."""
    source = images.partition("+")[0]
    if source == "scikit-learn digits":
        return changed(HandwrittenDigits(), images)
    if source == "drawn cutouts":
        return changed(Drawn(), images)
    if source.endswith(".parquet"):
        return changed(Shipped(source), images)
    raise DataError(f"{images} is neither a set of the registry nor a file of the assets.")
