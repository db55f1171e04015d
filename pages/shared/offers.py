"""Scores that a model lacks on a page: a job for each kind of material, or why there is none."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import streamlit as st

from hvae_core.common import fingerprint
from hvae_core.common.words import listed
from hvae_core.data.image_set import ImageSet
from hvae_core.figures import symbol_text
from hvae_core.scores import Material, Score
from hvae_core.scores.available import at_hand, why_not
from hvae_core.scores.measured import LEADING, fit_reference_to, is_costly, measure_sets
from hvae_core.scores.measures import MEASURES
from hvae_core.scores.reference import training_set
from pages.shared import jobs, materials, store, ui
from pages.shared.materials import IMAGE, Materials
from pages.shared.state import Context
from pages.shared.store import Handle


@dataclass(frozen=True)
class Offer:
    """Scores that one job would add: what it computes, of which sets, and about how long."""

    measure: str
    scores: tuple[Score, ...]
    sets: tuple[str, ...]
    limit: int | None
    seconds: float


def offers(
    ctx: Context, handle: Handle, by_set: Materials
) -> tuple[list[Offer], list[tuple[Score, str]]]:
    """Jobs for the scores that are not there yet, and scores that cannot be had, with reasons."""
    waiting: dict[str, list[Score]] = {}
    lacking = []
    needs = at_hand(handle, ctx.sets, materials.beside_of(ctx, handle))
    layers = _kept(handle, by_set)
    have = {score.key for score in materials.available(handle, by_set)}
    for score in materials.scores_of(handle):
        if score.key in have:
            continue
        reason = why_not(score, needs, layers)
        if reason:
            lacking.append((score, reason))
        elif "reference" in score.needs and not _any(by_set).reference:
            waiting.setdefault("reference", []).append(score)
        elif "held_out" in score.needs and not _any(by_set).held_out:
            lacking.append((score, score.reason("held_out")))
        elif score.measures:
            waiting.setdefault(score.measures[0], []).append(score)
        else:
            lacking.append((score, _not_everywhere(ctx, score, by_set)))
    return [_offer(name, scores, by_set) for name, scores in waiting.items()], lacking


def _any(by_set: Materials) -> Material:
    return next(iter(by_set.values()))[0]


def _kept(handle: Handle, by_set: Materials) -> list[str]:
    """The layers whose posterior means are kept."""
    latents = _any(by_set).latents
    return [name for name, z in zip(handle.names, latents, strict=False) if z.shape[1]]


def _not_everywhere(ctx: Context, score: Score, by_set: Materials) -> str:
    """Which sets have no material for a score, or that the one image has none."""
    without = [n for n, of_set in by_set.items() if score.missing(of_set[0])]
    if "latents" in score.needs and not without:
        return "The posterior means of some of these sets are not kept."
    other = "the background checkpoint" if "background" in score.needs else "the other model"
    if without == [IMAGE]:  # an image is evaluated at once, where it has the shape
        return f"This image is not of the shape that {other} reads."
    names = listed(ctx.title(name) for name in without if name != IMAGE)
    return f"Not evaluated under {other} on the same images: {names}."


def _offer(name: str, scores: Sequence[Score], by_set: Materials) -> Offer:
    if name == "reference":
        return Offer(name, tuple(scores), (), limit=None, seconds=60.0)
    measure = MEASURES[name]
    limit = LEADING if is_costly(measure) else None
    images = sum(min(limit or len(whole), len(whole)) for whole, *_ in by_set.values())
    return Offer(
        name, tuple(scores), tuple(by_set), limit=limit, seconds=measure.seconds * images / 1000
    )


def draw(
    ctx: Context,
    handle: Handle,
    by_set: Materials,
    letter: str = "",
    own: Mapping[str, ImageSet] | None = None,
) -> None:
    """A line an offer, with its button or its progress; then what cannot be had, and why.

    ``own`` are images by name that are no set of the world.
    """
    waiting, lacking = offers(ctx, handle, by_set)
    for offer in waiting:
        _draw(ctx, handle, offer, letter=letter, own=own or {})
    for score, reason in lacking:
        st.caption(f"${score.symbol}$, {ui.plain(score.name)}: {ui.plain(reason)}")
    if not waiting and not lacking:
        st.caption("All scores are computed.")


def _draw(
    ctx: Context, handle: Handle, offer: Offer, letter: str, own: Mapping[str, ImageSet]
) -> None:
    name = job_name(ctx, handle, offer, own=own)
    symbols = ", ".join(symbol_text(score.symbol) for score in offer.scores)
    if jobs.going_on(name, symbols):
        return
    of = f" for the first {offer.limit} images of each set" if offer.limit else ""
    with st.container(horizontal=True, vertical_alignment="center"):
        st.markdown(f"{ui.plain(symbols)}{of}: about {_about(offer.seconds)}", width="stretch")
        who = f" for {letter}" if letter else ""
        if st.button(f"Compute{who}", key=f"go-{name}", help=offer.scores[0].citation):
            with ui.in_place():
                _submit(ctx, handle, offer, name=name, own=own)
                st.rerun()


def job_name(ctx: Context, handle: Handle, offer: Offer, own: Mapping[str, ImageSet]) -> str:
    """Checkpoint, measure and images; a world's sets by name, for they may not be at hand."""
    brought = {name: images for name, (_, images) in store.own_sets().items()} | dict(own)
    sets = [brought[name].digest if name in brought else name for name in offer.sets]
    of = (handle.digest, ctx.world.key, ctx.data_root, sets, offer.limit)
    return jobs.name_of(f"measure-{offer.measure}", *of)


def _submit(
    ctx: Context, handle: Handle, offer: Offer, *, name: str, own: Mapping[str, ImageSet]
) -> None:
    if offer.measure == "reference":
        images = ctx.sets.images(handle, str(training_set(ctx.world)))
        key = fingerprint.digest("reference", handle.digest, images.digest)
        jobs.submit(name, key, fit_reference_to, handle.path, images)
        return
    sets = [own[one] if one in own else ctx.images(one, handle) for one in offer.sets]
    pixels = [images.digest for images in sets]
    key = fingerprint.digest(handle.digest, ctx.world.key, offer.measure, offer.limit, pixels)
    names = [offer.measure]
    jobs.submit(name, key, measure_sets, handle.path, ctx.world.key, names, sets, offer.limit)


def _about(seconds: float) -> str:
    return f"{max(5, round(seconds, -1)):.0f} s" if seconds < 90 else f"{seconds / 60:.0f} min"
