"""Worlds: an in-distribution set, the sets held against it, and the checkpoints trained on it."""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path
from typing import Literal, get_args

from hvae_core.common.arrays import Shape
from hvae_core.common.errors import DataError
from hvae_core.common.places import ASSETS, root_of
from hvae_core.common.progress import Progress, silent
from hvae_core.data.image_set import ImageSet
from hvae_core.data.origins import (
    Control,
    DataFolder,
    HandwrittenDigits,
    InMemory,
    Origin,
    Own,
    Request,
    Shipped,
)
from hvae_core.data.readers.collect import check_limit
from hvae_core.data.registry import COLOUR, ENTRIES, GREY
from hvae_core.data.stored import find_named, folder_of

Role = Literal["train", "validation", "in", "out", "control"]
OWN = "own-"


@dataclass(frozen=True)
class SetSpec:
    """One set of a world: its name in code and URLs, its title for people, its role."""

    name: str
    title: str
    role: Role
    origin: Origin


@dataclass(frozen=True)
class World:
    """An in-distribution set, its OOD and control sets, and the checkpoints trained on it."""

    key: str
    title: str
    in_name: str
    sets: tuple[SetSpec, ...]
    checkpoints: tuple[str, ...]
    image_shape: Shape

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
        return spec.origin.load(request).fit(self.image_shape).renamed(spec.name, spec.title)

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


@cache
def worlds() -> dict[str, World]:
    """Return the built-in worlds by key; the first is the default."""
    return {world.key: world for world in (_glyphs(), _fashion_mnist(), _mnist(), _cifar10())}


def download_set(world: str, set_name: str, *, progress: Progress = silent) -> Path:
    """A job: fetch the images of a world's set from the hub into the data folder."""
    return worlds()[world].download(set_name, progress)


def custom_set(
    source: str | Path | ImageSet,
    role: Role = "out",
    *,
    title: str | None = None,
    allow_download: bool = False,
) -> SetSpec:
    """Return a set of the user's own for `World.with_set`: a path, a hub name, or read images.

    The images are brought to the world's shape when loaded, and a note says so.
    """
    if role not in get_args(Role):
        raise DataError(f"A set cannot have the role {role}; choose in or out.")
    if isinstance(source, ImageSet):
        title = title or source.title
        origin: Origin = InMemory(source)
    else:
        text = str(source).strip()
        path = Path(text).expanduser()
        named = None if path.exists() else find_named(text)
        title = title or (path.name if path.exists() else named.title if named else text)
        origin = named.origin if named else Own(str(source), allow_download)
    slug = re.sub(r"[^a-z0-9]+", "-", title.lower()).strip("-") or "set"
    return SetSpec(name=OWN + slug, title=title, role=role, origin=origin)


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


def _world(key: str, title: str, *, shape: Shape, sets: tuple[SetSpec, ...]) -> World:
    """A built-in world: its checkpoints are the shipped files <key>-<model>.safetensors."""
    files = (ASSETS / "checkpoints").glob(f"{key}-*.safetensors")
    return World(
        key=key,
        title=title,
        in_name="test",
        sets=sets,
        checkpoints=tuple(sorted(path.stem for path in files)),
        image_shape=shape,
    )


def _glyphs() -> World:
    def shipped(name: str, title: str, role: Role = "out") -> SetSpec:
        origin = Shipped(f"worlds/glyphs/{name}.parquet")
        return SetSpec(name=name, title=title, role=role, origin=origin)

    test = shipped("test", "Capital letters A-J", "in")
    sets = (
        shipped("train", "Capital letters A-J, training", "train"),
        shipped("validation", "Capital letters A-J, validation", "validation"),
        test,
        shipped("lower", "Lower-case letters"),
        shipped("digits", "Digits"),
        shipped("signs", "Punctuation and signs"),
        shipped("greek", "Greek capitals"),
        shipped("cyrillic", "Cyrillic capitals"),
        shipped("script", "Other scripts"),
        SetSpec(
            name="handwritten", title="Handwritten digits", role="out", origin=HandwrittenDigits()
        ),
        _control("inverted", "Letters, inverted", test.origin),
        _control("blurred", "Letters, blurred", test.origin),
        _control("faint", "Letters, low contrast", test.origin),
        _control("noise", "Noise (letters, pixels shuffled)", test.origin),
    )
    return _world("glyphs", "Glyphs", shape=GREY, sets=sets)


def _control(change: str, title: str, of: Origin, *, name: str = "") -> SetSpec:
    return SetSpec(name=name or change, title=title, role="control", origin=Control(of, change))


def _stored(folder: str, split: str = "test", span: tuple[float, float] = (0.0, 1.0)) -> DataFolder:
    # Training splits keep their order: the spans that train and validate are cut out of it.
    entry = ENTRIES[folder]
    shuffle = entry.shuffle and split == "test"
    return DataFolder(folder, split, span=span, shuffle=shuffle, rule=entry.rule)


def _splits(folder: str, title: str, *, cut: float) -> tuple[SetSpec, ...]:
    """The training split up to the share ``cut``, the rest of it to validate, and the test split.

    Test images come in a mixed order where the file is sorted: the halves of MNIST's test file
    come from different writers.
    """
    train, rest = _stored(folder, "train", (0.0, cut)), _stored(folder, "train", (cut, 1.0))
    return (
        SetSpec(name="train", title=f"{title}, training", role="train", origin=train),
        SetSpec(name="validation", title=f"{title}, validation", role="validation", origin=rest),
        SetSpec(name="test", title=title, role="in", origin=_stored(folder)),
    )


def _held_against(**names: str) -> tuple[SetSpec, ...]:
    """Sets of the registry by their names in a world, with the registry's titles."""
    sets = []
    for name, text in names.items():
        named = find_named(text)
        assert named is not None
        sets.append(SetSpec(name=name, title=named.title, role="out", origin=named.origin))
    return tuple(sets)


# The sets that HVK Tables 7, 8 and INF Tables 10, 11 hold against grey images.
_GREY_OUT = {name: name for name in ("kmnist", "omniglot", "omniglot_inverted", "notmnist",
                                     "smallnorb", "smallnorb_inverted")}  # fmt: skip


def _fashion_mnist() -> World:
    # 55,000 of the 60,000 official training images train, the last 5,000 validate.
    splits = _splits("fashion_mnist", "FashionMNIST", cut=55 / 60)
    sets = (*splits, *_held_against(mnist="mnist", **_GREY_OUT))
    return _world("fashion", "FashionMNIST", shape=GREY, sets=sets)


def _mnist() -> World:
    splits = _splits("mnist", "MNIST", cut=55 / 60)
    sets = (*splits, *_held_against(fashion="fashion_mnist", **_GREY_OUT))
    return _world("mnist", "MNIST", shape=GREY, sets=sets)


def _cifar10() -> World:
    # 45,000 of the 50,000 official training images train, the last 5,000 of the file validate.
    test = _stored("cifar10")
    sets = (
        *_splits("cifar10", "CIFAR10", cut=45 / 50),
        *_held_against(signs="gtsrb", street="chars74k", tiny="tiny_imagenet", svhn="svhn",
                       celeba="celeba", places365="places365", flowers102="flowers102",
                       lfw="lfw", food101="food101", cifar100="cifar100"),
        _control("inverted", "CIFAR10, inverted", test),
        _control("noise", "Noise (CIFAR10, pixels shuffled)", test),
        # Where CIFAR10 is a copy that went through JPEG, its blocks alone would tell sets from it.
        _control("jpeg", "Traffic signs, as JPEG", _stored("gtsrb"), name="signs_jpeg"),
        _control("jpeg", "Street characters, as JPEG", _stored("chars74k"), name="street_jpeg"),
    )  # fmt: skip
    return _world("cifar", "CIFAR10", shape=COLOUR, sets=sets)
