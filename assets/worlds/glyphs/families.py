"""Faces into families that share a design, a few faces each, and families into three splits."""

from __future__ import annotations

import tomllib
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from faces import Face
from render import Warp, face_scale, fitted, glyph, picture

LETTERS = "ABCDEFGHIJ"
SPLITS = {"train": 0.70, "validation": 0.12, "test": 0.18}
FACES_PER_FAMILY = 10
CLONE = 0.10  # relative difference below which two families are the same design
SAME = 0.11  # the same between two faces of one family: too alike to keep both
FAINT, NEAR_EMPTY = 150, 18.0  # darkest peak and least ink (in full pixels) of a letter

_DESIGNS = tomllib.loads(Path(__file__).with_name("designs.toml").read_text("utf-8"))
FOUNDRIES: list[str] = _DESIGNS["foundries"]
SIBLINGS: dict[str, str] = _DESIGNS["siblings"]


@dataclass(frozen=True)
class Cut:
    """A face with its letters A-J: outlines, and their shapes without size for comparison."""

    face: Face
    outlines: tuple[np.ndarray, ...]
    shape: np.ndarray  # (10 * 20 * 20,) in [0, 1]


@dataclass(frozen=True)
class Family:
    """Faces of one design, with the split all of them belong to."""

    name: str
    cuts: tuple[Cut, ...]
    split: str = ""


def stem(family: str) -> str:
    """The name under which a family's relatives are gathered before shapes are compared."""
    if family.startswith("Noto "):
        return "Noto"
    for start, name in SIBLINGS.items():
        if family.startswith(start):
            return name
    first = family.split()[0]
    return family if first in FOUNDRIES else first


def cut(face: Face) -> Cut | None:
    """The letters A-J of a face, None if it lacks one, or one is empty, faint or cut off."""
    if not face.covers(LETTERS):
        return None
    outlines = [o for c in LETTERS if (o := glyph(face, c)) is not None]
    if len(outlines) < len(LETTERS) or len({o.tobytes() for o in outlines}) < len(LETTERS):
        return None
    for drawn in outlines:
        shown = picture(drawn, face_scale(face), Warp())
        if shown is None or shown.max() < FAINT or shown.sum() / 255 < NEAR_EMPTY:
            return None
    return Cut(face, tuple(outlines), np.concatenate([fitted(o).ravel() for o in outlines]))


def difference(one: np.ndarray, many: np.ndarray) -> np.ndarray:
    """Ink that differs between one set of letters and each of many, relative to their mean ink."""
    return np.asarray(2 * np.abs(many - one).sum(1) / (many.sum(1) + one.sum()))


def _spread(cuts: list[Cut]) -> tuple[Cut, ...]:
    """Up to FACES_PER_FAMILY faces, each as far as can be from those taken before it."""
    shapes = np.stack([c.shape for c in cuts])
    taken = [min(range(len(cuts)), key=lambda i: (abs(cuts[i].face.weight - 80), i))]
    gap = difference(shapes[taken[0]], shapes)
    while len(taken) < FACES_PER_FAMILY and gap.max() > SAME:
        taken.append(int(gap.argmax()))
        gap = np.minimum(gap, difference(shapes[taken[-1]], shapes))
    return tuple(cuts[i] for i in sorted(taken))


def families(cuts: list[Cut]) -> list[Family]:
    """Cuts gathered by name, then families joined where any two of their faces are clones."""
    names = [stem(c.face.family) for c in cuts]
    root = {name: name for name in names}

    def find(name: str) -> str:
        while root[name] != name:
            name = root[name]
        return name

    shapes = np.stack([c.shape for c in cuts])
    for i in range(1, len(cuts)):
        for j in np.flatnonzero(difference(shapes[i], shapes[:i]) < CLONE):
            root[find(names[i])] = find(names[int(j)])
    gathered: dict[str, list[Cut]] = {}
    for name, member in zip(names, cuts, strict=True):
        gathered.setdefault(find(name), []).append(member)
    return [Family(name, _spread(members)) for name, members in sorted(gathered.items())]


def _is_noto(family: Family) -> bool:
    return any(stem(c.face.family) == "Noto" for c in family.cuts)


def split_families(found: list[Family], seed: int) -> list[Family]:
    """Each family to the split furthest behind its share of faces, within each kind of coverage.

    The families that hold Greek and Cyrillic, or an Asian script, are dealt out by themselves, so
    that every split has its part of them. Noto goes to the test: it alone holds most scripts.
    """
    rng = np.random.default_rng(seed)
    kinds: dict[tuple[bool, bool], list[Family]] = {}
    for family in found:
        faces = [c.face for c in family.cuts]
        kind = (any(f.covers("ΓΔЖЯ") for f in faces), any(f.covers("あ") or f.covers("가") or
                f.covers("ก") for f in faces))  # fmt: skip
        kinds.setdefault(kind, []).append(family)
    placed = []
    for _, members in sorted(kinds.items()):
        filled = dict.fromkeys(SPLITS, 0.0)
        order = [members[int(i)] for i in rng.permutation(len(members))]
        for family in sorted(order, key=_is_noto, reverse=True):
            behind = min(SPLITS, key=lambda s: filled[s] / SPLITS[s])
            split = "test" if _is_noto(family) else behind
            filled[split] += len(family.cuts)
            placed.append(Family(family.name, family.cuts, split))
    return sorted(placed, key=lambda f: f.name)
