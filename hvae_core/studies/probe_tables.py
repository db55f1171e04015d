"""Tables of what models leave of pictures: at a rate (DCT Fig. 9), under attack (DCT Fig. 10)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from hvae_core.common.arrays import Floats
from hvae_core.common.errors import ConfigError
from hvae_core.common.files import named_path
from hvae_core.common.progress import Progress, part, silent
from hvae_core.data.image_set import ImageSet, Pixels
from hvae_core.studies.members import Subject
from hvae_core.studies.rows import NO_IMAGES, because, filled, row_of
from hvae_core.studies.spec import TableSpec
from hvae_core.studies.table import Column, Figure, Row, Table

if TYPE_CHECKING:
    from hvae_core.checkpoint import Checkpoint
    from hvae_core.probes.compression import Rating

_RATED = ("bpp", "psnr", "ms_ssim")


@dataclass(frozen=True, eq=False)
class Rebuilt:
    """One checkpoint's figures, means over the pictures: ``own`` (K, 3) has bits a pixel, PSNR and
    MS-SSIM by k, ``codecs`` the same of each codec at that PSNR, ``curves`` of each codec by
    quality (Q, 3); ``levels`` are the lowest levels used.
    """

    levels: tuple[str, ...]
    channels: int
    own: Floats
    codecs: Mapping[str, Floats]
    curves: Mapping[str, Floats]


def photographs(names: Sequence[str]) -> dict[str, Pixels]:
    """Pictures (C, H, W) by name: photographs of ``PHOTOGRAPHS``, or picture files."""
    from hvae_core.data import open_image
    from hvae_core.data.photographs import PHOTOGRAPHS, photograph

    found: dict[str, Pixels] = {}
    for name in names:
        path = named_path(name, ConfigError)
        known = name in PHOTOGRAPHS and not path.exists()
        found[name] = photograph(name) if known else open_image(path, path.name)
    return found


def rebuilt(
    checkpoint: Checkpoint,
    pictures: Mapping[str, Pixels],
    *,
    seed: int = 0,
    progress: Progress = silent,
) -> Rebuilt:
    """What the layers above k leave of pictures, and codecs at the same PSNR (DCT App. G)."""
    from hvae_core.probes.codecs import CODECS, at_psnr, curve
    from hvae_core.probes.compression import compressed

    model = checkpoint.model
    own: list[Floats] = []
    beside: dict[str, list[Floats]] = {name: [] for name in CODECS}
    curves: dict[str, list[Floats]] = {name: [] for name in CODECS}
    for at, (name, picture) in enumerate(pictures.items()):
        step = part(progress, at, len(pictures), where=f"{checkpoint.name}, {name}")
        coded = compressed(model, checkpoint.digest, picture, seed=seed, progress=step)
        own.append(_numbers(coded.ratings))
        for codec in CODECS:
            near = [at_psnr(codec, coded.original, rating.psnr) for rating in coded.ratings]
            beside[codec].append(_numbers(near))
            curves[codec].append(_numbers(curve(codec, coded.original)))
    return Rebuilt(
        tuple(model.latents[skip].group for skip in model.skips),
        model.image_shape[0],
        own=np.mean(own, 0),
        codecs={name: np.mean(found, 0) for name, found in beside.items()},
        curves={name: np.mean(found, 0) for name, found in curves.items()},
    )


def _numbers(ratings: Sequence[Rating]) -> Floats:
    return np.array([[getattr(rating, name) for name in _RATED] for rating in ratings])


def compression_table(
    spec: TableSpec, subjects: Sequence[Subject], rates: Mapping[str, Sequence[Rebuilt]]
) -> Table:
    """Rate and likeness by model and level, with JPEG and WebP at the same PSNR; below, their
    curves by quality. ``rates`` has one entry a seed, by model.
    """
    from hvae_core.probes.codecs import CODECS

    columns = [
        Column("bpp", "bits a pixel", 3),
        Column("psnr", "PSNR (dB)", 1),
        Column("ms_ssim", "MS-SSIM", 3),
    ]
    for name in CODECS:
        key = name.lower()
        columns += [
            Column(f"{key}_bpp", f"{name} at that PSNR: bits a pixel", 3),
            Column(f"{key}_psnr", "its PSNR", 1),
            Column(f"{key}_ms_ssim", "its MS-SSIM", 3),
        ]
    rows: list[Row] = []
    for subject in subjects:
        seeds = rates[subject.name]
        if not seeds:
            rows.append(because(row_of(subject, k=("", "")), NO_IMAGES))
            continue
        for k, level in enumerate(seeds[0].levels):
            tables = {"": [seed.own[k] for seed in seeds]} | {
                f"{name.lower()}_": [seed.codecs[name][k] for seed in seeds] for name in CODECS
            }
            figures = {
                f"{lead}{what}": Figure.of([float(figure[i]) for figure in found])
                for lead, found in tables.items()
                for i, what in enumerate(_RATED)
            }
            rows.append(filled(row_of(subject, k=(str(k), f"{level} up")), figures))
    rows += _codec_rows([seed for seeds in rates.values() for seed in seeds])
    heads = {"model": "model", "k": "from"}
    return _table(spec, heads, columns, rows)


def _codec_rows(found: Sequence[Rebuilt]) -> list[Row]:
    """JPEG and WebP by quality, of the grey and of the coloured pictures that models coded."""
    from hvae_core.probes.compression import CURVE

    by_channels = {each.channels: each.curves for each in found}
    rows = []
    for channels, curves in by_channels.items():
        ink = "" if len(by_channels) == 1 else ", grey" if channels == 1 else ", colour"
        for name, points in curves.items():
            for quality, point in zip(CURVE, points, strict=True):
                keys = {"model": f"{name}{ink}", "k": str(quality)}
                labels = {"model": f"{name}{ink}", "k": f"quality {quality}"}
                figures = {what: Figure(float(point[i])) for i, what in enumerate(_RATED)}
                rows.append(Row(keys, labels, figures))
    return rows


@dataclass(frozen=True, eq=False)
class Attacked:
    """One checkpoint's figures by radius and k, means over images; ``levels`` as in ``Rebuilt``."""

    by_radius: Mapping[float, Sequence[Mapping[str, float]]]
    levels: tuple[str, ...]


def under_attack(
    checkpoint: Checkpoint,
    images: ImageSet,
    spec: TableSpec,
    *,
    seed: int = 0,
    progress: Progress = silent,
) -> Attacked:
    """Attacks on the layers above every k, at every radius of a table (DCT App. H)."""
    from hvae_core.probes.attack import attacked
    from hvae_core.probes.attack_record import AttackSettings

    model = checkpoint.model
    found: dict[float, list[Mapping[str, float]]] = {}
    for at, radius in enumerate(spec.radii):
        step = part(progress, at, len(spec.radii), where=f"{checkpoint.name}, radius {radius:g}")
        settings = AttackSettings(radius, spec.ascent, seed=seed)
        attacks = attacked(model, checkpoint.digest, images, settings=settings, progress=step)
        figures = {name: attacks.similarity(name)[0] for name in ("whole", "inputs", "moved")}
        figures["own"], figures["own_random"] = attacks.similarity()
        figures["own_half"], figures["own_random_half"] = attacks.interval()
        found[radius] = [
            {name: float(by_k[k]) for name, by_k in figures.items()}
            for k in range(attacks.n_levels)
        ]
    return Attacked(found, tuple(model.latents[skip].group for skip in model.skips))


def attacks_table(
    spec: TableSpec, subjects: Sequence[Subject], found: Mapping[str, Sequence[Attacked]]
) -> Table:
    """MS-SSIM of what is rebuilt under attack to what was before, by model, radius and level."""
    columns = [
        Column("own", "MS-SSIM of the attacked levels", 3),
        Column("own_random", "by chance", 3),
        Column("whole", "of all levels", 3),
        Column("inputs", "of the images", 3),
        Column("moved", "KL moved (nats)", 2),
    ]
    rows: list[Row] = []
    for subject in subjects:
        seeds = found[subject.name]
        if not seeds:
            rows.append(because(row_of(subject, radius=("", ""), k=("", "")), NO_IMAGES))
            continue
        for radius in spec.radii:
            for k in reversed(range(len(seeds[0].levels))):
                each = [seed.by_radius[radius][k] for seed in seeds]
                figures = {column.key: _with_half(each, column.key) for column in columns}
                row = row_of(
                    subject,
                    radius=(f"{radius:g}", f"{radius:g}"),
                    k=(str(k), f"{seeds[0].levels[k]} up"),
                )
                rows.append(filled(row, figures))
    heads = {"model": "model", "radius": "radius", "k": "attacked"}
    return _table(spec, heads, columns, rows)


def _with_half(each: Sequence[Mapping[str, float]], key: str) -> Figure:
    """Over seeds, or of one with its 95 % interval over images where it has one."""
    values, half = [one[key] for one in each], each[0].get(f"{key}_half")
    return Figure.of(values, None if half is None else (values[0] - half, values[0] + half))


def _table(
    spec: TableSpec, heads: Mapping[str, str], columns: Sequence[Column], rows: Sequence[Row]
) -> Table:
    return Table(
        spec.key, spec.kind, spec.title, heads=heads, columns=tuple(columns), rows=tuple(rows),
        source=spec.source, note=spec.note,
    )  # fmt: skip
