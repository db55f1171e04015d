"""The attack view's controls, pictures and words."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
import streamlit as st

from hvae_core.common.errors import DataError
from hvae_core.data.image_set import ImageSet
from hvae_core.figures import Palette, StripRow, fmt
from hvae_core.figures.inks import channels
from hvae_core.probes import attack_pace
from hvae_core.probes.attack_record import (
    Attacks,
    AttackSettings,
    attacks_key,
    stored_attacks,
)
from pages.shared import current, image_names, jobs, selection, ui
from pages.shared.controls import one_of
from pages.shared.current import Spot
from pages.shared.state import Context
from pages.shared.store import Handle

Attacked = tuple[Handle, Attacks]
COUNTS = (4, 16, 50)
RADII = (0.02, 0.05, 0.1, 0.2)
FIRST, SUBSET = "the first of the set", "the subset"
LOST = "lost"
"""What stands under a picture: 1 - MS-SSIM."""


@dataclass(frozen=True, eq=False)
class ImagesToAttack:
    """Images at a model's shape, and the place of each in its set."""

    images: ImageSet
    spots: Sequence[Spot]


def controls(ctx: Context) -> tuple[AttackSettings, int, bool]:
    """How strong the attack is, on how many images at most, and whether on the current subset."""
    subset = False
    if selection.current(ctx):
        subset = one_of("Images from", [FIRST, SUBSET], FIRST, key="a_from") == SUBSET
    count = one_of(
        "Images", COUNTS, COUNTS[0], key="a_count", help="The first images of the in-distribution "
        "set; of the current subset some of every set and class. The intervals of the chart are "
        "over images.",
    )  # fmt: skip
    radius = st.select_slider(
        "Radius", RADII, 0.1, key="a_radius", bind="query-params",
        help="No pixel of the twin differs by more than this, from 0 (black) to 1 (white).",
    )  # fmt: skip
    steps = one_of(
        "Steps", [10, 50, 100], 50, key="a_steps",
        help="Steps of projected gradient ascent on the symmetric KL of the attacked layers; more "
        "steps attack harder.",
    )  # fmt: skip
    return AttackSettings(radius, steps, starts=1, seed=ctx.seed), count, subset


def images_of(ctx: Context, handle: Handle, count: int, *, subset: bool) -> ImagesToAttack:
    """The images that are attacked: the first of the set, or some of the current subset."""
    if subset:
        named, problems = image_names.load(ctx, handle, image_names.from_selection(ctx, count))
        if named is None:
            raise DataError(" ".join(problems))
        return ImagesToAttack(named.images, [image_names.parse(ctx, n) for n in named.names])
    images = ctx.images(ctx.in_name, handle).take(count)
    if not len(images):
        raise DataError(f"{images.title} holds no images; choose another set.")
    return ImagesToAttack(images, [(ctx.in_name, number) for number in range(len(images))])


def way_to(ctx: Context, spot: Spot) -> None:
    """A button that makes the image shown the current one of every page."""
    st.button(
        "Make it the current image", key="a_take", on_click=current.take, args=(spot,),
        icon=":material/center_focus_strong:", type="tertiary",
        disabled=current.chosen(ctx) == spot,
    )  # fmt: skip


def attacks_on(handle: Handle, images: ImageSet, settings: AttackSettings) -> Attacks | None:
    """Attacks that are at hand; else they are offered as a job."""
    attacks = stored_attacks(handle.digest, images, settings)
    if attacks is None:
        _offer(handle, images, settings)
    return attacks


def _offer(handle: Handle, images: ImageSet, settings: AttackSettings) -> None:
    key = attacks_key(handle.digest, images, settings)
    name = jobs.name_of("attack", key)
    words = f"Attack {len(images)} image{'s' * (len(images) > 1)} under {handle.title}"
    if jobs.asked(
        name, f"Attacking {handle.title}", words, note=how_long(handle, images, settings)
    ):
        from hvae_core.probes.attack import attack_images

        jobs.submit(name, key, attack_images, handle.path, images, settings)
        st.rerun()


def how_long(handle: Handle, images: ImageSet, settings: AttackSettings) -> str:
    """What is said before the button: how long these attacks take on this machine."""
    known = attack_pace.expected(
        handle.digest, images=len(images), levels=handle.n_levels, settings=settings
    )
    what = ui.plain(
        f"{len(images)} image{'s' * (len(images) > 1)}, {handle.n_levels} "
        f"attack{'s' * (handle.n_levels > 1)} of {settings.steps} steps on each"
    )
    if known is None:
        return (
            f"{what}. How long that takes on this machine is known after the first run of this "
            "model; while it runs, its bar says the time left."
        )
    about = f"{'At most about' if known.most else 'About'} {jobs.seconds(known.seconds)}"
    return f"{what}. {about} on this machine, by the last run of this model."


def heads(handle: Handle) -> list[str]:
    """Columns of the strip: the image, then the attack on ever fewer layers."""
    return ["", *(f"from {level} up" for level in handle.level_names)]


def strip_rows(attacks: Attacks, i: int, colors: Palette) -> list[StripRow]:
    """Image i and its twins: what each set of layers makes of them, and how much that lost."""
    x, control = attacks.seen[i], attacks.control[i]
    blank = np.empty((3, *x.shape[1:]), np.uint8)
    blank[:] = np.array(channels(colors.background), np.uint8)[:, None, None]
    nothing: list[float | None] = [None] * (attacks.n_levels + 1)
    attack, chance = ([None, *map(float, 1 - own)] for own in attacks.own[:, :, 0, i])  # (K,) each
    return [
        StripRow("x, rebuilt", [x, *attacks.clean[:, i]], nothing, out=None),
        StripRow("twin under attack", [blank, *attacks.twins[:, i]], nothing, out=None),
        StripRow("twin, rebuilt", [blank, *attacks.rebuilt[:, i]], attack, out=None),
        StripRow(
            "random change, rebuilt", [control, *attacks.control_rebuilt[:, i]], chance, out=None
        ),
    ]


def claim(attacks: Attacks, handle: Handle, radius: float) -> str:
    """Where an attack changes most what the attacked layers rebuild, and what chance does there."""
    attack, chance = attacks.similarity("own")
    k = int(np.argmin(attack - chance))
    and_up = "and up" if k < attacks.n_levels - 1 else "alone"
    lead = f"A change of at most {radius:g} a pixel, aimed at {handle.level_names[k]} {and_up}"
    if chance[k] - attack[k] < 0.02:
        return f"{lead}, does no more than a random change: MS-SSIM {fmt(attack[k])}"
    return (
        f"{lead}, leaves MS-SSIM {fmt(attack[k])} of what is rebuilt; a random change leaves "
        f"{fmt(chance[k])}"
    )


def table(
    attacked: Sequence[Attacked], settings: AttackSettings, images: ImagesToAttack
) -> pd.DataFrame:
    """Every figure of every image and k, a line each, with the image's set, number and file."""
    return pd.DataFrame(
        {
            "model": handle.title,
            "change": kind,
            "k": k,
            "from": level,
            "set": images.spots[image][0],
            "image": images.spots[image][1],
            "file": images.images.file(image),
            "moved_nats": attacks.moved[i, k, 0, image],
            "ms_ssim_images": attacks.inputs[i, k, 0, image],
            "ms_ssim_attacked_layers": attacks.own[i, k, 0, image],
            "ms_ssim_all_layers": attacks.whole[i, k, 0, image],
            "radius": settings.radius,
            "steps": settings.steps,
            "seed": settings.seed,
        }
        for handle, attacks in attacked
        for i, kind in enumerate(("attack", "random"))
        for k, level in enumerate(handle.level_names)
        for image in range(len(attacks.seen))
    )
