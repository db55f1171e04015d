"""The Why of the collapse page: sentences that follow from KL, active units and the recipe."""

from __future__ import annotations

from dataclasses import replace
from types import SimpleNamespace
from typing import Any

import pytest

from hvae_core.checkpoint.library import shipped_checkpoints
from hvae_core.config import BIVAConfig, HVAEConfig, LatentConfig, TrainConfig
from hvae_core.data import worlds
from hvae_core.evaluation.collapse_layers import LayersFound
from hvae_core.evaluation.collapse_why import Recipe, paragraph, recipe, sentences
from pages.collapse.remedies import lines
from pages.shared import store
from tests.pages.conftest import Start

ELBO = Recipe(
    "elbo", 12, 12, free_bits=0.0, free_until=0.0, read_by_draws_alone=False, terms=(1, 2, 3)
)
INFORMATIVE = replace(ELBO, objective="informative")
FREE = replace(ELBO, free_bits=2.0, free_until=9.6)


def model(
    kl: list[float], active: list[int], collapsed: tuple[int, ...], *, silent: Any = None,
    kept: bool = False,
) -> LayersFound:  # fmt: skip
    names = tuple(f"z{i}" for i in range(1, len(kl) + 1))
    return LayersFound(
        names,
        names,
        (1568, 16, 8, 8, 8)[: len(kl)],
        tuple(kl),
        tuple(active),
        collapsed=collapsed,
        silent=tuple(i for i in collapsed if not active[i - 1]) if silent is None else silent,
        since=(None,) * len(kl),
        kept=kept,
    )


TOP = model([10.0, 25.0, 0.0], [400, 16, 0], (3,))
BOTTOM = model([0.09, 1.1, 16.0], [0, 16, 8], (1,))
LOWER_TWO = model([0.09, 0.02, 16.0], [0, 0, 8], (1, 2))
BARE = model([40.0, 0.06, 0.01], [160, 0, 0], (2, 3))
NONE = model([0.2, 0.1, 0.0], [0, 0, 0], (1, 2, 3))
THIN = model([4.46, 6.34, 5.71], [1240, 16, 8], (1,))
FOLLOWS = model([0.003, 0.001, 15.0], [1568, 16, 8], (1, 2), silent=(1, 2))
KEPT = model([20.0, 2.6, 8.6], [500, 16, 8], ())


@pytest.mark.parametrize(
    ("layers", "how", "words"),
    [
        (
            TOP,
            ELBO,
            "Filling z3 would cost its whole KL, while z1 and z2 below carry 35.0 nats without it: "
            "the cheapest posterior is the prior.",
        ),
        (
            BOTTOM,
            INFORMATIVE,
            "Filling z1 would cost its whole KL and help in only 1 of 3 reconstruction terms, "
            "while z2 and z3 above carry 17.1 nats without it: the cheapest posterior is the "
            "prior.",
        ),
        (
            LOWER_TWO,
            INFORMATIVE,
            "Filling z1 and z2 would cost their whole KL and help in only 1 and 2 of 3 "
            "reconstruction terms, while z3 above carries 16.0 nats without them: the cheapest "
            "posterior is the prior.",
        ),
        (TOP, INFORMATIVE, sentences(TOP, ELBO)[0]),  # the top takes part in every term
        (
            BARE,
            replace(ELBO, read_by_draws_alone=True),
            "Filling z2 and z3 would cost their whole KL, while z1 below carries 40.0 nats without "
            "them; with no skip connections on the way up they see only draws of the layer below.",
        ),
        (
            TOP,
            FREE,
            "Filling z3 would cost its whole KL, while z1 and z2 below carry 35.0 nats without it; "
            "no nats have been free since epoch 9.6.",
        ),
        (
            NONE,
            replace(INFORMATIVE, trained=5),
            "Every layer costs its whole KL, and the lowest helps in only 1 of 3 reconstruction "
            "terms; in 5 of 12 planned epochs none of them began to repay it.",
        ),
        (
            NONE,
            ELBO,
            "Every layer costs its whole KL; in 12 epochs none of them began to repay it.",
        ),
        (NONE, replace(ELBO, trained=0), "Every layer costs its whole KL."),
        (
            THIN,
            None,
            "z1 is thin: its 4.46 nats are spread over 1,568 units, 1,240 of them active.",
        ),
        (
            KEPT,
            FREE,
            "2 nats a layer were free at first and ever fewer until epoch 9.6: no layer had to be "
            "empty to save them.",
        ),
        (
            KEPT,
            INFORMATIVE,
            "The objective asks for the image from the layers above every k too, so z3 alone has "
            "to describe it.",
        ),
    ],
)
def test_the_reason_follows_from_layers_and_recipe(layers: Any, how: Any, words: str) -> None:
    assert sentences(layers, how) == [words]


def test_nothing_is_said_where_nothing_supports_it() -> None:
    assert sentences(KEPT, ELBO) == sentences(KEPT, None) == sentences(TOP, None) == []
    assert paragraph([("", KEPT, ELBO)]) == ""
    early = replace(FREE, trained=5)  # the free nats have not ended yet
    assert "free" not in sentences(TOP, early)[0]


def test_a_layer_empty_on_this_set_alone_is_no_matter_of_training() -> None:
    here = model([10.0, 25.0, 0.0], [400, 16, 0], (3,), kept=True)
    assert sentences(here, ELBO) == []


def test_a_few_hundredths_of_a_nat_are_not_praised() -> None:
    faint = model([0.05, 6.3, 5.7], [3, 16, 8], (1,))
    assert sentences(faint, None)[0].startswith("z1 is thin: its 0.0500 nats")


def test_two_models_are_told_apart() -> None:
    text = paragraph([("A", THIN, ELBO), ("C", BOTTOM, INFORMATIVE)])
    assert text.startswith("*A guess at why:* **A:** z1 is thin")
    assert "**C:** Filling z1 would cost" in text
    assert "**A:**" not in paragraph([("A", KEPT, ELBO), ("B", BOTTOM, INFORMATIVE)])
    assert "**" not in paragraph([("", THIN, ELBO)])


def test_the_recipe_is_read_from_the_file() -> None:
    latents = (LatentConfig(2, "conv"), LatentConfig(4, "dense"), LatentConfig(4, "dense"))
    config = HVAEConfig((1, 8, 8), latents, skip=False)
    train = TrainConfig(
        "glyphs", epochs=9, free_bits=2.0, free_bits_constant=3, free_bits_annealed=4
    )
    history = {"valid_kl": [[1.0]] * 5}
    found = recipe(SimpleNamespace(config=config, train=train, history=history))
    assert found == Recipe(
        "elbo", 9, 5, free_bits=2.0, free_until=7.0, read_by_draws_alone=True, terms=(1, 2, 3)
    )
    assert recipe(SimpleNamespace(config=config, train=None, history={})) is None
    config = replace(config, skip=True, skips_up="none")
    train = replace(train, free_bits_scope="element")
    found = recipe(SimpleNamespace(config=config, train=train, history=history))
    assert found is not None and found.read_by_draws_alone and found.by_element
    (told,) = sentences(KEPT, found)
    assert told.startswith("2 nats for the channels at each place of a layer were free at first")
    pairs = BIVAConfig((1, 8, 8), latents[:2], skip=False)
    found = recipe(SimpleNamespace(config=pairs, train=train, history={}))
    assert found is not None
    assert (found.terms, found.all_terms, found.read_by_draws_alone) == ((1, 1, 2), 2, False)


def test_the_page_says_why_under_its_claim(start: Start) -> None:
    app = start("collapse", c_below="1000.0")
    assert not app.exception
    assert not app.error
    assert any(text.value.startswith("*A guess at why:* ") for text in app.markdown)


def test_units_that_only_follow_are_explained() -> None:
    told = sentences(FOLLOWS, ELBO)
    assert told[1] == (
        "Their units count as active only because their means follow z3: E[z | x] moves with x "
        "even where the posterior is the prior."
    )
    assert len(told) == 2


def test_many_layers_fit_a_sentence() -> None:
    """Fourteen layers on two levels: ranges, sums and each number of terms once."""
    names = (*(f"z{i}" for i in range(1, 14)), "u")
    many = LayersFound(
        names, names, (4,) * 14, (*[0.0] * 6, *[0.03] * 4, *[2.0] * 4), (0,) * 6 + (4,) * 8,
        collapsed=tuple(range(1, 11)), silent=tuple(range(1, 7)), since=(None,) * 14, kept=False,
    )  # fmt: skip
    how = replace(INFORMATIVE, terms=(1,) * 8 + (2,) * 5 + (3,))
    empty, thin = sentences(many, how)
    assert empty == (
        "Filling z1 to z6 would cost their whole KL and help in only 1 of 3 reconstruction terms, "
        "while z7 to u above carry 8.12 nats without them: the cheapest posterior is the prior."
    )
    assert thin == (
        "z7 to z10 are thin: their 0.120 nats are spread over 16 units, 16 of them active."
    )
    kept = replace(many, collapsed=(), silent=())
    assert sentences(kept, replace(how, terms=(1,) * 11 + (2,) * 3)) == [
        "The objective asks for the image from the layers above every k too, so z12, z13 and u "
        "alone have to describe it."
    ]


def test_what_to_try_links_to_what_ships() -> None:
    world = worlds()["glyphs"]
    handle = store.handle_of(shipped_checkpoints()["glyphs-hvae5-elbo"])
    collapsed: Any = SimpleNamespace(handle=handle, collapsed=(3, 4, 5))
    links = {remedy.preset: link for remedy, link in lines(world, collapsed)}
    assert links["glyphs-hvae5-freebits"] == {
        "world": "Glyphs", "a_glyphs": "glyphs-hvae5-elbo", "b_glyphs": "glyphs-hvae5-freebits",
    }  # fmt: skip
    assert links["glyphs-hvae5-warmup"] == {}  # recorded, and not shipped
    assert lines(world, SimpleNamespace(handle=handle, collapsed=())) == []  # type: ignore[arg-type]
