"""Worlds: an in-distribution set, the sets held against it, and the checkpoints trained on it."""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path
from typing import Literal, get_args

from hvae_core.common.arrays import Shape
from hvae_core.common.errors import DataError
from hvae_core.common.places import ASSETS, default_data_root
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
from hvae_core.data.registry import ENTRIES
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
        request = Request(spec.title, root_of(data_root), self.image_shape, limit, progress)
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
        found = folder_of(self.spec(set_name).origin)
        return found if found is not None and found.hub else None

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
    return SetSpec(OWN + slug, title, role, origin)


def share_images(one: Origin, other: Origin) -> bool:
    """Return whether two origins are known to hold images of the same file, changed or not."""
    first, second = folder_of(one), folder_of(other)
    if first is None or second is None:
        return _unchanged(one) == _unchanged(other)
    if (first.folder, first.split) != (second.folder, second.split):
        return False
    apart = first.span[1] <= second.span[0] or second.span[1] <= first.span[0]
    return not (apart and first.shuffle == second.shuffle)


def _unchanged(origin: Origin) -> Origin:
    while isinstance(origin, Control):
        origin = origin.of
    return origin


def root_of(data_root: str | Path | None) -> Path:
    """Return the data folder that was named, else the user's."""
    return Path(data_root).expanduser() if data_root else default_data_root()


def _checkpoints(key: str) -> tuple[str, ...]:
    # The names of the shipped files: <world>-<model>.safetensors.
    found = (ASSETS / "checkpoints").glob(f"{key}-*.safetensors")
    return tuple(sorted(path.stem for path in found))


def _glyphs() -> World:
    def shipped(name: str) -> Shipped:
        return Shipped(f"worlds/glyphs/{name}.parquet")

    test = shipped("test")
    sets = (
        SetSpec("train", "Capital letters A-J, training", "train", shipped("train")),
        SetSpec(
            "validation", "Capital letters A-J, validation", "validation", shipped("validation")
        ),
        SetSpec("test", "Capital letters A-J", "in", test),
        SetSpec("lower", "Lower-case letters", "out", shipped("lower")),
        SetSpec("digits", "Digits", "out", shipped("digits")),
        SetSpec("signs", "Punctuation and signs", "out", shipped("signs")),
        SetSpec("greek", "Greek capitals", "out", shipped("greek")),
        SetSpec("cyrillic", "Cyrillic capitals", "out", shipped("cyrillic")),
        SetSpec("script", "Other scripts", "out", shipped("script")),
        SetSpec("handwritten", "Handwritten digits", "out", HandwrittenDigits()),
        SetSpec("inverted", "Letters, inverted", "control", Control(test, "inverted")),
        SetSpec("blurred", "Letters, blurred", "control", Control(test, "blurred")),
        SetSpec("faint", "Letters, low contrast", "control", Control(test, "faint")),
        SetSpec("noise", "Noise (letters, pixels shuffled)", "control", Control(test, "noise")),
    )
    return World("glyphs", "Glyphs", "test", sets, _checkpoints("glyphs"), (1, 28, 28))


def _stored(folder: str, split: str = "test", span: tuple[float, float] = (0.0, 1.0)) -> DataFolder:
    # Training splits keep their order: the spans that train and validate are cut out of it.
    entry = ENTRIES[folder]
    return DataFolder(folder, split, span, entry.shuffle and split == "test", entry.rule)


def _registered(role: Role, **names: str) -> tuple[SetSpec, ...]:
    """Sets of the registry by their names in a world, with the registry's titles."""
    found = []
    for name, text in names.items():
        named = find_named(text)
        assert named is not None
        found.append(SetSpec(name, named.title, role, named.origin))
    return tuple(found)


# The sets that HVK Tables 7, 8 and INF Tables 10, 11 hold against grey images.
_GREY_OUT = ("kmnist", "omniglot", "omniglot_inverted", "notmnist", "smallnorb",
             "smallnorb_inverted")  # fmt: skip


def _fashion_mnist() -> World:
    # 55,000 of the 60,000 official training images train, the last 5,000 validate.
    cut = 55 / 60
    sets = (
        SetSpec("train", "FashionMNIST, training", "train",
                _stored("fashion_mnist", "train", (0.0, cut))),
        SetSpec("validation", "FashionMNIST, validation", "validation",
                _stored("fashion_mnist", "train", (cut, 1.0))),
        SetSpec("test", "FashionMNIST", "in", _stored("fashion_mnist")),
        *_registered("out", mnist="mnist", **{name: name for name in _GREY_OUT}),
    )  # fmt: skip
    return World("fashion", "FashionMNIST", "test", sets,
                 _checkpoints("fashion"), (1, 28, 28))  # fmt: skip


def _mnist() -> World:
    cut = 55 / 60
    sets = (
        SetSpec("train", "MNIST, training", "train", _stored("mnist", "train", (0.0, cut))),
        SetSpec("validation", "MNIST, validation", "validation",
                _stored("mnist", "train", (cut, 1.0))),
        # In a mixed order: the halves of MNIST's test file come from different writers.
        SetSpec("test", "MNIST", "in", _stored("mnist")),
        *_registered("out", fashion="fashion_mnist", **{name: name for name in _GREY_OUT}),
    )  # fmt: skip
    return World("mnist", "MNIST", "test", sets, _checkpoints("mnist"), (1, 28, 28))


def _cifar10() -> World:
    # 45,000 of the 50,000 official training images train, the last 5,000 of the file validate.
    cut = 45 / 50
    test = _stored("cifar10")
    sets = (
        SetSpec("train", "CIFAR10, training", "train", _stored("cifar10", "train", (0.0, cut))),
        SetSpec("validation", "CIFAR10, validation", "validation",
                _stored("cifar10", "train", (cut, 1.0))),
        SetSpec("test", "CIFAR10", "in", test),
        *_registered("out", signs="gtsrb", street="chars74k", tiny="tiny_imagenet", svhn="svhn",
                     celeba="celeba", places365="places365", flowers102="flowers102", lfw="lfw",
                     food101="food101", cifar100="cifar100"),
        SetSpec("inverted", "CIFAR10, inverted", "control", Control(test, "inverted")),
        SetSpec("noise", "Noise (CIFAR10, pixels shuffled)", "control", Control(test, "noise")),
        # Where CIFAR10 is a copy that went through JPEG, its blocks alone would tell sets from it.
        SetSpec("signs_jpeg", "Traffic signs, as JPEG", "control",
                Control(_stored("gtsrb"), "jpeg")),
        SetSpec("street_jpeg", "Street characters, as JPEG", "control",
                Control(_stored("chars74k"), "jpeg")),
    )  # fmt: skip
    return World("cifar", "CIFAR10", "test", sets, _checkpoints("cifar"), (3, 32, 32))


def download_set(world: str, set_name: str, *, progress: Progress = silent) -> Path:
    """A job: fetch the images of a world's set from the hub into the data folder."""
    return worlds()[world].download(set_name, progress)
