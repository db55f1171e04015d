"""``attack``: small changes of images that move the posterior of the upper layers most."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

from hvae_core.cli import show
from hvae_core.cli.options import (
    CheckpointName,
    DataOptions,
    Json,
    OneSetOptions,
    kept,
    option,
    whole,
)

if TYPE_CHECKING:
    from hvae_core.checkpoint import Checkpoint
    from hvae_core.probes.attack_record import Attacks


@kept("Nothing is kept of what was not finished.")
def attack(
    name: CheckpointName,
    /,
    *,
    of: OneSetOptions = OneSetOptions(),
    images: Annotated[int, whole(1, "images of the set")] = 50,
    radius: Annotated[float, option("of the ball", "R")] = 0.1,
    steps: Annotated[int, whole(1, "of the ascent", "T")] = 50,
    starts: Annotated[int, whole(1, "random starts", "R")] = 1,
    seed: Annotated[int, whole(0, "seed of the starts")] = 0,
    data: DataOptions = DataOptions(),
    as_json: Json = False,
) -> None:
    """Attacks on the upper layers, and how alike the reconstructions stay.

    Attack the layers above k for every k (Kuzina and Tomczak, App. H): find the twin of each image
    within a small ball whose posterior lies farthest, and compare what is rebuilt of both by
    MS-SSIM, beside a random change of the same size.

    Examples:
      python -m hvae_core attack glyphs-hvae3-freebits
      python -m hvae_core attack glyphs-hvae3-freebits --starts 5 --radius 0.05 --json
          five random starts an image, as in the paper

    An image and its twin differ by at most the radius in every pixel (grey levels from 0 to 1). The
    twin is found by projected gradient ascent on the symmetric KL of the attacked layers'
    posteriors; the random change moves every pixel by the whole radius, up or down. Binary models
    read a binary draw of the image; the twin may be grey.
    """
    from hvae_core.door import load_checkpoint
    from hvae_core.evaluation.worlds import one_set
    from hvae_core.probes.attack import attacked
    from hvae_core.probes.attack_record import AttackSettings

    settings = AttackSettings(radius, steps, starts, seed=seed)
    checkpoint = load_checkpoint(name)
    world, set_name = one_set(checkpoint, of.world, of.source, data.place)
    with show.progress_bar() as bar:
        pixels = data.sets(world, images).images(checkpoint, set_name, bar)
        attacks = attacked(
            checkpoint.model, checkpoint.digest, pixels, settings=settings, progress=bar
        )
    rows = levels_of(attacks, checkpoint)
    show.need_numbers((row["moved"] for row in rows), "attack")
    if as_json:
        show.as_json(
            {"name": checkpoint.name, "set": set_name, "images": len(pixels), "radius": radius,
             "steps": steps, "starts": starts, "seed": seed, "levels": rows}
        )  # fmt: skip
        return
    title = (
        f"MS-SSIM of {len(pixels)} images of {set_name} and their twins, radius {radius:g}, under "
        f"{checkpoint.name}"
    )
    _print(title, rows)


def levels_of(attacks: Attacks, checkpoint: Checkpoint) -> list[dict[str, Any]]:
    """What an attack on the layers above k does, one entry a k, the top alone first."""
    groups = [spec.group for spec in checkpoint.model.latents]
    rows = []
    for k in reversed(range(attacks.n_levels)):
        row: dict[str, Any] = {
            "attacked_levels": attacks.n_levels - k,
            "k": k,
            "from": groups[checkpoint.model.skips[k]],
        }
        for name in ("moved", "inputs", "own", "whole"):
            attack, chance = attacks.similarity(name)
            row |= {name: float(attack[k]), f"{name}_random": float(chance[k])}
        half = attacks.interval("own")[:, k]
        rows.append(row | dict(zip(("own_half", "own_half_random"), map(float, half), strict=True)))
    return rows


def _print(title: str, rows: list[dict[str, Any]]) -> None:
    heads = ("attacked levels", "KL moved (nats)", "by chance", "images", "by chance",
             "rebuilt from them", "by chance", "rebuilt from all", "by chance")  # fmt: skip
    table = []
    for row in rows:
        lead = f"{row['attacked_levels']}: {row['from']} up"
        own = (
            f"{row['own']:.3f} +-{row['own_half']:.3f}",
            f"{row['own_random']:.3f} +-{row['own_half_random']:.3f}",
        )
        rest = [f"{row[key]:.3f}" for key in ("inputs", "inputs_random")]
        whole = [f"{row[key]:.3f}" for key in ("whole", "whole_random")]
        moved = [f"{row[key]:.2f}" for key in ("moved", "moved_random")]
        table.append((lead, *moved, *rest, *own, *whole))
    show.table(
        title,
        heads,
        table,
        caption="KL moved: symmetric KL of the attacked layers; +- is half the 95 % interval over "
        "images; by chance: a random change of the same size",
    )
