"""The attack view's controls, pictures and words."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
import streamlit as st

from hvae_core.common.errors import DataError
from hvae_core.data.image_set import ImageSet
from hvae_core.figures import Palette, StripRow, fmt
from hvae_core.figures.theme import channels
from pages.shared import jobs, store
from pages.shared.state import Context
from pages.shared.store import Handle

if TYPE_CHECKING:
    from hvae_core.probes.attack_record import Attacks, AttackSettings

COUNTS = (4, 16, 50)
RADII = (0.02, 0.05, 0.1, 0.2)
LOST = "lost"
"""What stands under a picture: 1 - MS-SSIM."""


def controls(ctx: Context) -> tuple[AttackSettings, int]:
    """How strong the attack is, and on how many images of the in-distribution set."""
    from hvae_core.probes.attack_record import AttackSettings

    count = st.segmented_control(
        "Images", list(COUNTS), default=COUNTS[0], key="a_count", bind="query-params",
        required=True, help="The first images of the in-distribution set. The intervals of the "
        "chart are over images.",
    )  # fmt: skip
    radius = st.select_slider(
        "Radius", list(RADII), 0.1, key="a_radius", bind="query-params",
        help="No pixel of the twin differs by more, on a scale from 0 (black) to 1 (white).",
    )  # fmt: skip
    steps = st.segmented_control(
        "Steps", [10, 50, 100], default=50, key="a_steps", bind="query-params", required=True,
        help="Of projected gradient ascent on the symmetric KL of the attacked layers.",
    )  # fmt: skip
    settings = AttackSettings(float(radius), int(steps or 50), 1, ctx.seed)
    return settings, int(count or COUNTS[0])


def images_of(ctx: Context, handle: Handle, count: int) -> ImageSet:
    """The images that are attacked."""
    images = store.images(ctx.world, ctx.in_name, ctx.data_root, handle).take(count)
    if not len(images):
        raise DataError(f"{images.title} holds no images; choose another set.")
    return images


def found(handle: Handle, images: ImageSet, settings: AttackSettings) -> Attacks | None:
    """Attacks that are at hand; else they are offered as a job."""
    from hvae_core.probes.attack_record import stored_attacks

    known = stored_attacks(handle.digest, images, settings)
    if known is None:
        _offer(handle, images, settings)
    return known


def _offer(handle: Handle, images: ImageSet, settings: AttackSettings) -> None:
    from hvae_core.probes.attack_record import attacks_key

    key = attacks_key(handle.digest, images, settings)
    name = jobs.name_of("attack", key)
    words = f"Attack {len(images)} image{'s' * (len(images) > 1)} under {handle.title}"
    if jobs.asked(name, f"Attacking {handle.title}", words):
        from hvae_core.probes.attack import attack_images

        jobs.submit(name, key, attack_images, handle.path, images, settings)
        st.rerun()


def heads(handle: Handle) -> list[str]:
    """Columns of the strip: the image, then the attack on ever fewer layers."""
    return ["", *(f"from {level} up" for level in handle.level_names)]


def strip_rows(one: Attacks, i: int, colors: Palette) -> list[StripRow]:
    """Image i and its twins: what each set of layers makes of them, and how much that lost."""
    blank = np.empty_like(one.seen[i], dtype=np.uint8).repeat(4 - len(one.seen[i]), 0)[:3]
    blank[:] = np.array(channels(colors.background), np.uint8)[:, None, None]
    none: list[float | None] = [None] * (one.n_levels + 1)
    lost = 1 - one.own[:, :, 0, i]  # (2, K)
    return [
        StripRow("x, rebuilt", [one.seen[i], *one.clean[:, i]], none, out=None),
        StripRow("twin under attack", [blank, *one.twins[:, i]], none, out=None),
        StripRow(
            "twin, rebuilt", [blank, *one.rebuilt[:, i]], [None, *map(float, lost[0])], out=None
        ),
        StripRow(
            "random change, rebuilt",
            [one.control[i], *one.control_rebuilt[:, i]],
            [None, *map(float, lost[1])],
            out=None,
        ),
    ]


def claim(one: Attacks, handle: Handle, radius: float) -> str:
    """Where an attack changes most what the attacked layers rebuild, and what chance does there."""
    attack, chance = one.similarity("own")
    k = int(np.argmin(attack - chance))
    level = handle.level_names[k]
    lead = (
        f"A change of {radius:g} a pixel, aimed at {level} and up"
        if k < (one.n_levels - 1)
        else f"A change of {radius:g} a pixel, aimed at {level} alone"
    )
    if chance[k] - attack[k] < 0.02:
        return f"{lead}, does no more than one by chance: MS-SSIM {fmt(attack[k])}"
    return (
        f"{lead}, leaves MS-SSIM {fmt(attack[k])} of what is rebuilt; by chance, {fmt(chance[k])}"
    )


def table(models: Sequence[tuple[Handle, Attacks]], settings: AttackSettings) -> pd.DataFrame:
    """Every figure of every image and k, a line each."""
    records: list[dict[str, Any]] = []
    for handle, one in models:
        for i, kind in enumerate(("attack", "random")):
            for k, level in enumerate(handle.level_names):
                about = {"model": handle.title, "change": kind, "k": k, "from": level}
                records += [
                    {
                        **about,
                        "image": n,
                        "moved_nats": one.moved[i, k, 0, n],
                        "ms_ssim_images": one.inputs[i, k, 0, n],
                        "ms_ssim_attacked_layers": one.own[i, k, 0, n],
                        "ms_ssim_all_layers": one.whole[i, k, 0, n],
                        "radius": settings.radius,
                        "steps": settings.steps,
                        "seed": settings.seed,
                    }
                    for n in range(len(one.seen))
                ]
    return pd.DataFrame(records)
