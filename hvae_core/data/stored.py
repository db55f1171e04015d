"""Sets of the registry in the user's data folder: found, read, prepared, downloaded on request."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Protocol

import numpy as np

from hvae_core.common.arrays import Shape
from hvae_core.common.deployment import public
from hvae_core.common.errors import DataError, MissingImages
from hvae_core.common.files import check_regular
from hvae_core.common.places import cache_data_root
from hvae_core.common.progress import Progress
from hvae_core.data.controls import CONTROLS
from hvae_core.data.image_set import ImageSet, Rule
from hvae_core.data.readers.hub import download
from hvae_core.data.readers.parquet import row_count, shards_in
from hvae_core.data.readers.read import read_images
from hvae_core.data.readers.splits import split_of_shard
from hvae_core.data.readers.wanted import Wanted
from hvae_core.data.registry import RegisteredSet, registered_sets

_RULES: dict[str, Rule] = {"resized": "resize", "cropped": "crop"}


@dataclass(frozen=True)
class Request:
    """What a page or a command asks of an origin."""

    title: str
    data_root: Path
    image_shape: Shape
    limit: int | None
    progress: Progress


class Origin(Protocol):
    """Gives the images of one set."""

    def available(self, data_root: Path) -> bool:
        """Return whether the images are on this machine, without reading them."""

    def load(self, request: Request) -> ImageSet:
        """Return the images, at most `request.limit`, or raise MissingImages."""


@dataclass(frozen=True)
class Control:
    """A control set: every image of another origin changed in one known way."""

    of: Origin
    change: str

    def available(self, data_root: Path) -> bool:
        """Return whether the unchanged images are there."""
        return self.of.available(data_root)

    def load(self, request: Request) -> ImageSet:
        """Return the changed images."""
        # At the shape of the model first: a blur of the original size would mean something else.
        return CONTROLS[self.change](self.of.load(request).fit(request.image_shape))


@dataclass(frozen=True)
class DataFolder:
    """A set in the user's data folder: <root>/<folder>/<split>.parquet, images, or <folder>.npz.

    `folder` is the set's name in the registry, which knows where to download it. `span` cuts a part
    out of the split, as fractions of its length. `shuffle` is for sets whose stored order goes by
    class. `rule` brings larger pictures to the shape asked for. Downloads land in the cache folder,
    which is looked at as well.
    """

    folder: str
    split: str = "test"
    span: tuple[float, float] = (0.0, 1.0)
    shuffle: bool = False
    rule: Rule = "resize"

    @property
    def entry(self) -> RegisteredSet:
        """What the registry says of the set."""
        return registered_sets()[self.folder]

    @property
    def hub(self) -> str:
        """Where the hub has the split, in words; empty where it has none."""
        return self.entry.hub_source(self.split) if self.entry.hub else ""

    def find(self, data_root: Path) -> Path | None:
        """Return the first place that holds the images, the data folder before the cache."""
        for root in dict.fromkeys((data_root, cache_data_root())):
            for home in (root / self.folder, *_called(self.folder, root)):
                for place in (home / f"{self.split}.parquet", home / self.split,
                              root / f"{self.folder}.npz"):  # fmt: skip
                    if place.exists():
                        return place
                shards = shards_in(home)
                splits = {split_of_shard(shard.stem) for shard in shards}
                if home.is_dir() and (not shards or self.split in splits):
                    return home
        return None

    def available(self, data_root: Path) -> bool:
        """Return whether any of the places holds the images."""
        return self.find(data_root) is not None

    def load(self, request: Request) -> ImageSet:
        """Return the images of the split, or of the span of it."""
        place = self.find(request.data_root)
        if place is None:
            raise MissingImages(self.missing(request.title))
        check_regular(place)
        if place.suffix == ".parquet" and not self.shuffle:
            start, stop = self._cut(row_count(place))
            if request.limit is not None:
                stop = min(stop, start + request.limit)
            return self._read(place, request, rows=(start, stop))
        # Of a whole set, mixed first: a file sorted by class would leave a span with some alone.
        images = self._read(place, request, rows=(0, None))
        if self.shuffle or place.is_dir():
            images = images.shuffled()
        start, stop = self._cut(len(images))
        images = images.take(np.arange(start, stop))
        return images if request.limit is None else images.take(request.limit)

    def fetch(self, progress: Progress) -> Path:
        """Download the split into the cache folder."""
        entry = self.entry
        target = cache_data_root() / self.folder / f"{self.split}.parquet"
        return download(
            entry.hub,
            entry.hub_split(self.split),
            path=target,
            config=entry.config,
            columns=(entry.image, entry.label),
            progress=progress,
        )

    def missing(self, title: str) -> str:
        """Return the sentence that says what is missing and the ways to get it."""
        if public():
            return f"The images of {title} are not on this server; upload images of your own."
        first = (
            f"Download them ({self.hub} on the Hugging Face hub), choose" if self.hub else "Choose"
        )
        return (
            f"The images of {title} are not on this machine. {first} a data folder that holds "
            f"{self.folder}/{self.split}.parquet, {self.folder}/ with images or "
            f"{self.folder}.npz, or upload images of your own."
        )

    def _cut(self, count: int) -> tuple[int, int]:
        return round(self.span[0] * count), round(self.span[1] * count)

    def _read(self, place: Path, request: Request, *, rows: tuple[int, int | None]) -> ImageSet:
        wanted = Wanted(
            name=place.stem if place.is_file() else place.name,
            title=request.title,
            image_shape=request.image_shape,
            rows=rows,
            split=self.split,
            or_whole=True,
            rule=self.rule,
            progress=request.progress,
        )
        return read_images(place, wanted)


@dataclass(frozen=True)
class Named:
    """A set of the registry as someone wrote it: its title, shape, and where its images are."""

    title: str
    shape: Shape
    origin: Origin


def _called(name: str, root: Path) -> list[Path]:
    """Folders that others call so, as FashionMNIST for fashion_mnist."""
    plain = _plain(name)
    try:
        places = [place for place in root.iterdir() if _plain(place.name) == plain]
    except OSError:
        return []
    return sorted(place for place in places if place.name != name and place.is_dir())


def _plain(name: str) -> str:
    return "".join(letter for letter in name.casefold() if letter.isalnum())


def find_named(text: str) -> Named | None:
    """Return the set that NAME[:SPLIT][+CHANGE...] means, or None where NAME is not registered.

    A CHANGE is one of `CONTROLS`, or cropped or resized for the way to the model's shape. Raises
    `DataError` for another one.
    """
    base, *changes = text.strip().split("+")
    name, _, split = base.partition(":")
    if name not in registered_sets() or ":" in split:
        return None
    entry = registered_sets()[name]
    folder = DataFolder(entry.of or name, split or "test", shuffle=entry.shuffle, rule=entry.rule)
    title = entry.title + (f", {split}" if split not in ("", "test") else "")
    origin = changed(Control(folder, entry.change) if entry.change else folder, text)
    return Named(", ".join([title, *changes]), entry.shape, origin)


def changed(origin: Origin, text: str) -> Origin:
    """Return the origin with the changes that follow its name in `text`, each after a +.

    Raises `DataError` for a change that is not known.
    """
    for change in text.strip().split("+")[1:]:
        if change in _RULES:
            origin = _with_rule(origin, _RULES[change])
        elif change in CONTROLS:
            origin = Control(origin, change)
        else:
            raise DataError(
                f"{change or 'Nothing'} after the + in {text} is not a change that is known; "
                f"write one of {', '.join([*CONTROLS, *_RULES])}."
            )
    return origin


def _with_rule(origin: Origin, rule: Rule) -> Origin:
    if isinstance(origin, Control):
        return replace(origin, of=_with_rule(origin.of, rule))
    assert isinstance(origin, DataFolder)
    return replace(origin, rule=rule)


def folder_of(origin: object) -> DataFolder | None:
    """The data folder under any changes, or None for images from elsewhere."""
    while isinstance(origin, Control):
        origin = origin.of
    return origin if isinstance(origin, DataFolder) else None


def share_images(origin: Origin, other: Origin) -> bool:
    """Return whether two origins are known to hold images of the same file, changed or not."""
    first, second = folder_of(origin), folder_of(other)
    if first is None or second is None:
        return _unchanged(origin) == _unchanged(other)
    if (first.folder, first.split) != (second.folder, second.split):
        return False
    apart = first.span[1] <= second.span[0] or second.span[1] <= first.span[0]
    return not (apart and first.shuffle == second.shuffle)


def _unchanged(origin: Origin) -> Origin:
    while isinstance(origin, Control):
        origin = origin.of
    return origin
