"""The compression view's pictures, controls, numbers and words."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
import streamlit as st

from hvae_core.common.errors import HVAEError
from hvae_core.data.photographs import PHOTOGRAPHS, photograph
from hvae_core.figures import fmt
from pages.shared import image_names, jobs, store, ui
from pages.shared.state import Context
from pages.shared.store import Handle

if TYPE_CHECKING:
    from hvae_core.probes.compression import Compression, Rating

AT_ONCE = 30
"""Tiles that are coded while the reader waits; more are a job."""
SOURCES = {"set": "a picture of a set", **PHOTOGRAPHS, "upload": "a file of your own"}


@dataclass(frozen=True, eq=False)
class Subject:
    """A picture (C, H, W) of any size, and its name for people."""

    title: str
    picture: np.ndarray


def choose(ctx: Context) -> Subject | None:
    """Where the picture comes from, and the picture; None where there is none."""
    source = st.selectbox(
        "Picture", list(SOURCES), format_func=SOURCES.__getitem__, key="c_from",
        bind="query-params", help="A photograph is cut into tiles of the model's size. China and "
        "Flower come with scikit-learn and need no network.",
    )  # fmt: skip
    if source in PHOTOGRAPHS:
        return Subject(PHOTOGRAPHS[source], _photograph(source))
    return _upload() if source == "upload" else _from_set(ctx)


@st.cache_data(max_entries=2, show_spinner=False)
def _photograph(name: str) -> np.ndarray:
    return photograph(name)


def _upload() -> Subject | None:
    """A file through the gate; a broken one leaves the picture before it in place."""
    from hvae_core.data import open_image

    file = st.file_uploader("A PNG, JPEG, BMP or WebP picture", key="c_file")
    if file is not None:
        try:
            picture = open_image(file.getvalue(), file.name)
            st.session_state["c_uploaded"] = Subject(file.name, picture)
        except HVAEError as error:
            st.error(ui.plain(str(error)), icon=":material/error:")
    kept: Subject | None = st.session_state.get("c_uploaded")
    return kept


def _from_set(ctx: Context) -> Subject | None:
    """One picture of the world, by set and number."""
    titles = {spec.name: spec.title for spec in ctx.world.with_role("in", "out", "control")}
    names = list(titles)
    name = st.selectbox(
        "Set", names, names.index(ctx.in_name), format_func=titles.__getitem__,
        key=f"c_set_{ctx.world.key}", bind="query-params",
    )  # fmt: skip
    number = st.number_input("Number", 0, store.SHOWN_LIMIT - 1, key="c_id", bind="query-params")
    chosen, problems = image_names.load(
        ctx, ctx.a, [image_names.name_of(str(name), int(number or 0))]
    )
    for problem in problems:
        st.info(ui.plain(problem), icon=":material/image_not_supported:")
    return None if chosen is None else Subject(chosen.labels[0], chosen.images.images[0])


def tiles_of(handle: Handle, subject: Subject) -> int:
    """How many tiles of a model's size cover the picture."""
    _, height, width = handle.image_shape
    return -(-subject.picture.shape[1] // height) * -(-subject.picture.shape[2] // width)


def found(handle: Handle, subject: Subject, seed: int) -> Compression | None:
    """The compression: at hand, computed if it is a matter of a moment, else offered as a job."""
    from hvae_core.probes.compression import stored_compression

    known = stored_compression(handle.digest, subject.picture, seed)
    if known is None and tiles_of(handle, subject) <= AT_ONCE:
        return _computed(handle, subject, seed)
    if known is None:
        _offer(handle, subject, seed)
    return known


def _computed(handle: Handle, subject: Subject, seed: int) -> Compression:
    from hvae_core.probes.compression import compressed

    return compressed(store.model(handle), handle.digest, subject.picture, seed)


def _offer(handle: Handle, subject: Subject, seed: int) -> None:
    """One button, then the progress of the job."""
    from hvae_core.probes.compression import compression_key

    key = compression_key(handle.digest, subject.picture, seed)
    name = jobs.name_of("compress", key)
    words = f"Code {tiles_of(handle, subject):,} tiles under {handle.title}"
    if jobs.asked(name, f"{ui.plain(subject.title)} under {handle.title}", words):
        from hvae_core.probes.compression import compress_picture

        jobs.submit(name, key, compress_picture, handle.path, subject.picture, seed)
        st.rerun()


def rated(rating: Rating) -> str:
    """A coded picture in figures."""
    near = "a perfect copy" if np.isinf(rating.psnr) else fmt(rating.psnr, "dB")
    return f"{fmt(rating.bpp)} bits a pixel, {near}, MS-SSIM {fmt(rating.ms_ssim)}"


def claim(one: Compression, k: int, level: str) -> str:
    """What the layers above k rebuild at which rate, against JPEG there."""
    ours, jpeg = one.ratings[k], one.jpeg[k]
    lead = f"From {level} up, {fmt(ours.bpp)} bits a pixel give {fmt(ours.psnr, 'dB')}"
    gap = jpeg.psnr - ours.psnr
    if jpeg.bpp > 1.25 * ours.bpp:
        least = "JPEG cannot go below" if jpeg.quality == 1 else "JPEG comes no nearer than"
        return f"{lead}; {least} {fmt(jpeg.bpp)} bits, which give {fmt(jpeg.psnr, 'dB')}"
    if abs(gap) < 0.05:
        return f"{lead}, as many as JPEG at that rate"
    return f"{lead}; JPEG at that rate is {fmt(abs(gap), 'dB')} {'better' if gap > 0 else 'worse'}"


def table(
    subject: Subject, models: Sequence[tuple[Handle, Compression]], seed: int
) -> pd.DataFrame:
    """Every rating, a line each: models by k, JPEG at their rates, and JPEG's curve."""
    records: list[dict[str, Any]] = []
    for handle, one in models:
        about = {"picture": subject.title, "model": handle.title, "seed": seed}
        kinds = (("model", one.ratings), ("jpeg at the rate", one.jpeg), ("jpeg", one.curve))
        for kind, ratings in kinds:
            for k, rating in enumerate(ratings):
                of = {"k": k, "from": handle.level_names[k]} if kind != "jpeg" else {}
                records.append(
                    {**about, "coded_by": kind, **of, "bits_a_pixel": rating.bpp,
                     "psnr_db": rating.psnr, "ms_ssim": rating.ms_ssim,
                     "jpeg_quality": rating.quality or None}
                )  # fmt: skip
    return pd.DataFrame(records)
