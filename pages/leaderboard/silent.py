"""Rows that are the KL of a dead layer: how many nats that is, and what their place then means."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from operator import itemgetter

import numpy as np

from hvae_core.common.words import fmt, listed
from hvae_core.detection.leaderboard.entries import Entry
from hvae_core.detection.leaderboard.rows import Board, Standing
from hvae_core.evaluation.collapse_layers import layers_found
from hvae_core.evaluation.lookup import lookup
from hvae_core.evaluation.sets import Sets
from pages.shared import store
from pages.shared.store import Handle

LITTLE = 1.0
"""Nats: a dead layer whose KL is at most this on every set reacts to none."""
FIRST = 10
"""Places, of the rows shown, in which a row is named; more of them stand on the first screen."""
KL = "kl_"
Key = tuple[str, str]
"""The digest of a row's checkpoint, and the key of its score."""


@dataclass(frozen=True)
class Silent:
    """The mean KL of a dead layer (nats): of the model's own images, and by the set's name."""

    inside: float
    by_set: Mapping[str, float]


def dead_layers(handles: Sequence[Handle], sets: Sets) -> frozenset[Key]:
    """The KLs of layers that say nothing of the model's own images, as *Collapse* finds them."""
    found = set()
    for handle in handles:
        evaluation = lookup(handle, sets, sets.world.in_name).evaluation
        if evaluation is not None:
            layers = layers_found(store.info(handle).config, evaluation, None)
            found |= {(handle.digest, KL + layers.names[i - 1]) for i in layers.silent}
    return frozenset(found)


def silent(entries: Sequence[Entry], dead: Collection[Key]) -> dict[Key, Silent]:
    """What the rows that are the KL of a dead layer tell, in nats."""
    return {
        (entry.digest, entry.score.key): Silent(
            float(np.mean(entry.inside)),
            {key: float(np.mean(values)) for key, values in entry.values.items()},
        )
        for entry in entries
        if (entry.digest, entry.score.key) in dead
    }


def of_row(row: Standing, known: Mapping[Key, Silent]) -> Silent | None:
    """What is known of a row where it is the KL of a dead layer."""
    return known.get((row.entry.digest, row.entry.score.key))


def note(
    board: Board, shown: Sequence[int], known: Mapping[Key, Silent], titles: Mapping[str, str]
) -> str:
    """A paragraph on the dead layers among the first rows shown, or ""."""
    first = [(at, board.standings[at]) for at in shown[:FIRST]]
    told = [(at, row, of) for at, row in first if (of := of_row(row, known)) is not None]
    if not told:
        return ""
    places = listed(str(at + 1) for at, _, _ in told)
    one = len(told) == 1
    what = f"The row at place {places} is" if one else f"The rows at places {places} are"
    layers = f"the KL of {name_of_layer(told[0][1])}, a dead layer" if one else "KLs of dead layers"
    kl = [of.inside for _, _, of in told]
    low, high = (fmt(end(kl), "nats") for end in (min, max))
    tells = low if low == high else f"{fmt(min(kl))} to {high}"
    most = max((_most(of, board.sets) for _, _, of in told), key=lambda pair: pair[1])
    return (
        f"{what} {layers}: {tells} on the model's own images, at most {fmt(most[1], 'nats')} on a "
        f"set ({titles[most[0]]}). {_meaning(board.suite, most[1])}"
    )


def in_words(row: Standing, of: Silent, board: Board, titles: Mapping[str, str]) -> str:
    """How little the layer of a chosen row tells."""
    name, most = _most(of, board.sets)
    return (
        f"The layer {name_of_layer(row)} is dead: its KL is {fmt(of.inside, 'nats')} on the "
        f"model's own images, at most {fmt(most, 'nats')} on a set ({titles[name]})."
    )


def name_of_layer(row: Standing) -> str:
    """The layer that a KL is of."""
    return row.entry.score.key.removeprefix(KL)


def _most(of: Silent, sets: Sequence[str]) -> tuple[str, float]:
    """The set of the suite of which the layer tells most, and how much (nats)."""
    return max(((name, of.by_set[name]) for name in sets if name in of.by_set), key=itemgetter(1))


def _meaning(suite: str, most: float) -> str:
    if suite == "shifted" and most <= LITTLE:
        return (
            "A dead layer says almost the same of every image, changed or not. That puts its KL "
            "high here, where the score that reacts least comes first. It does not make it a good "
            "score."
        )
    return (
        "A dead layer says almost the same of all the model's own images. The place rests on "
        "differences of this size, which another training may turn round."
    )
