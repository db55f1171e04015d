"""The compression view's pictures, controls, numbers and words."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
import streamlit as st

from hvae_core.data import open_image
from hvae_core.data.photographs import PHOTOGRAPHS, photograph
from hvae_core.data.readers.names import KINDS
from hvae_core.figures import fmt
from hvae_core.probes.compression import (
    Compression,
    Rating,
    compress_picture,
    compressed,
    compression_key,
    stored_compression,
)
from pages.shared import current, image_names, jobs, store, ui, uploads
from pages.shared.apart import opened
from pages.shared.controls import select, set_and_number
from pages.shared.kept import by_content
from pages.shared.state import Context
from pages.shared.store import Handle

Coded = tuple[Handle, Compression]
AT_ONCE = 30
"""Tiles that are coded while the reader waits; more are a job."""
SOURCES = {"set": "a picture of a set", **PHOTOGRAPHS, "upload": "a file of your own"}


@dataclass(frozen=True, eq=False)
class Picture:
    """Pixels (C, H, W) of any size, their name for people, and where they are from.

    That is an image of a set, the name of a photograph, or neither for a visitor's own file.
    """

    title: str
    pixels: np.ndarray
    spot: current.Spot | None = None
    photograph: str = ""
    file: str = ""


def choose(ctx: Context) -> Picture | None:
    """Where the picture comes from, and the picture; None where there is none."""
    tiles = (
        "A photograph is cut into tiles of the model's size. China and Flower come with "
        "scikit-learn and need no network."
    )
    if current.moved(ctx, "c_from"):
        st.session_state["c_from"] = "set"
    source = select("Picture", SOURCES, key="c_from", help=tiles)
    uploads.only("compression", source)
    if source in PHOTOGRAPHS:
        picture: Picture | None = Picture(
            PHOTOGRAPHS[source], _photograph(source), photograph=source
        )
    elif source == "upload":
        picture = uploads.uploaded(f"A {KINDS} picture", "c_file", _read)
    else:
        picture = _from_set(ctx)
    uploads.settle()
    return picture


@by_content(2)
def _photograph(name: str) -> np.ndarray:
    return photograph(name)


def _read(data: bytes, filename: str) -> Picture:
    return Picture(filename, opened(open_image, data, filename))


def _from_set(ctx: Context) -> Picture | None:
    """One picture of the world, by set and number."""
    spot = set_and_number(ctx, (f"c_set_{ctx.world.key}", "c_id"))
    named, problems = image_names.load(ctx, ctx.a, [image_names.name_of(*spot)])
    ui.not_here(problems, st.info)
    if named is None:
        return None
    images = named.images
    return Picture(named.labels[0], images.images[0], spot, file=images.file(0))


def tiles_of(handle: Handle, picture: Picture) -> int:
    """How many tiles of a model's size cover the picture."""
    _, height, width = handle.image_shape
    return -(-picture.pixels.shape[1] // height) * -(-picture.pixels.shape[2] // width)


def compression_of(handle: Handle, picture: Picture, seed: int) -> Compression | None:
    """The compression: at hand, computed if it is a matter of a moment, else offered as a job."""
    compression = stored_compression(handle.digest, picture.pixels, seed)
    if compression is None and tiles_of(handle, picture) <= AT_ONCE:
        return store.ask(handle, compressed, handle.digest, picture.pixels, seed=seed)
    if compression is None:
        _offer(handle, picture, seed)
    return compression


def _offer(handle: Handle, picture: Picture, seed: int) -> None:
    """One button, then the progress of the job."""
    key = compression_key(handle.digest, picture.pixels, seed)
    name = jobs.name_of("compress", key)
    words = f"Code {tiles_of(handle, picture):,} tiles under {handle.title}"
    if jobs.asked(name, f"{ui.plain(picture.title)} under {handle.title}", words):
        jobs.submit(name, key, compress_picture, handle.path, picture.pixels, seed)
        st.rerun()


def rated(rating: Rating) -> str:
    """A coded picture in figures."""
    near = "a perfect copy" if np.isinf(rating.psnr) else fmt(rating.psnr, "dB")
    return f"{fmt(rating.bpp)} bits a pixel, {near}, MS-SSIM {fmt(rating.ms_ssim)}"


def claim(compression: Compression, k: int, level: str) -> str:
    """What the layers above k rebuild at which rate, against JPEG there."""
    ours, jpeg = compression.ratings[k], compression.jpeg[k]
    lead = f"From {level} up, {fmt(ours.bpp)} bits a pixel reach {fmt(ours.psnr, 'dB')}"
    gap = jpeg.psnr - ours.psnr
    if jpeg.bpp > 1.25 * ours.bpp:
        least = "JPEG needs at least" if jpeg.quality == 1 else "the nearest JPEG takes"
        return f"{lead}; {least} {fmt(jpeg.bpp)} bits and reaches {fmt(jpeg.psnr, 'dB')}"
    if abs(gap) < 0.05:
        return f"{lead}, the same as JPEG at that rate"
    return f"{lead}; JPEG at that rate is {fmt(abs(gap), 'dB')} {'better' if gap > 0 else 'worse'}"


def table(picture: Picture, coded: Sequence[Coded], seed: int) -> pd.DataFrame:
    """Every rating, a line each: models by k, JPEG at their rates, and JPEG's curve."""
    records: list[dict[str, Any]] = []
    for handle, compression in coded:
        about = {
            "picture": picture.title,
            "file": picture.file,
            "model": handle.title,
            "seed": seed,
        }
        lists = (compression.ratings, compression.jpeg, compression.curve)
        for kind, ratings in zip(("model", "jpeg at the rate", "jpeg"), lists, strict=True):
            for k, rating in enumerate(ratings):
                of = {"k": k, "from": handle.level_names[k]} if kind != "jpeg" else {}
                records.append(
                    {**about, "coded_by": kind, **of, "bits_a_pixel": rating.bpp,
                     "psnr_db": rating.psnr, "ms_ssim": rating.ms_ssim,
                     "jpeg_quality": rating.quality or None}
                )  # fmt: skip
    return pd.DataFrame(records)
