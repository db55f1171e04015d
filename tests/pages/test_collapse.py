"""The collapse page: layers, history, words and model cards, in every state."""

from __future__ import annotations

import shutil
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from hvae_core.common.cache import cache_dir
from hvae_core.evaluation.collapse_layers import LayersFound
from hvae_core.evaluation.collapse_words import in_words
from pages.collapse import layers as collapse
from pages.collapse import tables
from pages.collapse.layers import Layers
from pages.shared import store
from pages.shared.store import Handle
from tests.pages.conftest import LIMIT, Start, alive, charts, run_codes, text

B = {"b_glyphs": "glyphs-hvae3-informative"}
DRAWN = {
    "collapse-kl", "collapse-kl-unit", "collapse-active", "collapse-active-curve", "collapse-bits",
    "collapse-units-glyphs-hvae3-elbo",
}  # fmt: skip


def test_page_draws_layers_history_units_bits_and_card(start: Start) -> None:
    app = alive(start("collapse"))
    assert "“Tiny, plain”" in app.title[0].value
    assert charts(app) >= DRAWN | {"collapse-history"}
    card = app.table[0].value
    assert card.loc["Data"].iloc[0] == "a few images"
    assert card.loc["Hardware"].iloc[0] == "not recorded"
    assert card.loc["z1"].iloc[0] == "2×7×7 = 98 units, convolutional"
    assert "z3 (4 units)" in text(app)


def test_models_stand_side_by_side(start: Start, monkeypatch: pytest.MonkeyPatch) -> None:
    app = alive(start("collapse", **B))
    assert charts(app) >= DRAWN | {"collapse-units-glyphs-hvae3-informative"}
    assert "“Tiny, informative”" in app.title[0].value
    assert app.table[0].value.shape[1] == 2
    assert set(run_codes(app, monkeypatch)) >= DRAWN
    panels = [panel for _, panel in app.session_state["panels"].panels]
    assert [p.letter for p in panels if p.alt == "Layers in words"] == ["A", "B"]
    assert [p.letter for p in panels if p.name.startswith("collapse-units-")] == ["A", "B"]


def test_threshold_names_more_layers(start: Start) -> None:
    app = alive(start("collapse", c_below="1000.0"))
    assert app.title[0].value == "Layers z1, z2 and z3 of “Tiny, plain” say little per unit"
    app.number_input(key="c_below").set_value(0.0001).run()
    assert alive(app).title[0].value.startswith("Every layer")


def test_thresholds_out_of_bounds_are_ignored(start: Start) -> None:
    app = alive(start("collapse", c_below="7777", c_active="x", c_set="nowhere", c_history="x"))
    assert app.number_input(key="c_below").value == 0.01
    assert charts(app) >= DRAWN | {"collapse-history"}


def test_another_evaluated_set(start: Start) -> None:
    app = alive(start("collapse"))
    before = text(app)
    app.selectbox(key="c_set").set_value("digits").run()
    assert "Digits" in text(alive(app)) and text(app) != before


def test_training_images_have_a_history_of_their_own(start: Start) -> None:
    app = alive(start("collapse", c_history="training"))
    assert charts(app) >= DRAWN | {"collapse-history"}


def test_file_without_history_says_so_and_shows_stored_results(start: Start) -> None:
    app = alive(start("collapse", world="FashionMNIST"))
    clothes = {name.replace("glyphs", "fashion") for name in DRAWN}
    assert charts(app) >= clothes and "collapse-history" not in charts(app)
    assert "keeps no history" in text(app)


def test_unevaluated_model_shows_what_its_file_tells(start: Start) -> None:
    shutil.rmtree(cache_dir() / "evaluations")
    app = alive(start("collapse"))
    assert app.title[0].value.startswith("What the layers carry")
    assert "collapse-history" in charts(app) and not DRAWN & charts(app)
    assert len(app.table) == 1
    assert any(button.label.startswith("Evaluate") for button in app.button)


def handle(title: str = "plain ELBO", layers: int = 3) -> Handle:
    sizes = ((98,), (6,), (4,), (4,), (4,))[:layers]
    named = tuple((f"z{i}", size, size[0]) for i, size in enumerate(sizes, start=1))
    return Handle(
        title,
        title,
        "",
        digest="0" * 64,
        layers=named,
        levels=tuple(n for n, _, _ in named),
        exact_kl=(True,) * layers,
        image_shape=(1, 28, 28),
    )


def made(
    known: Handle, kl: list[float], bits: list[float], *, collapsed: tuple[int, ...],
    active: tuple[int, ...], history: Any = None, since: Any = None, silent: Any = None,
) -> Layers:  # fmt: skip
    result = SimpleNamespace(
        name="test", images=LIMIT, kl=kl, kl_per_dim=kl, bound_bits=bits, nll_bits=bits[::-1]
    )
    totals = [each * units for each, units in zip(kl, known.units, strict=True)]
    found = LayersFound(
        known.names, known.levels, known.units, tuple(totals), active,
        collapsed=collapsed,
        silent=tuple(i for i in collapsed if not active[i - 1]) if silent is None else silent,
        since=since or (None,) * len(active), kept=history is not None,
    )  # fmt: skip
    variances = tuple(np.full(u, 0.5) for u in known.units)
    return Layers(known, result, variances, found=found, history=history, spread="")  # type: ignore[arg-type]


def layers(title: str, collapsed: tuple[int, ...], active: tuple[int, ...], **more: Any) -> Layers:
    kl = [0.0004 if i in collapsed else 1.5 for i in range(1, len(active) + 1)]
    known = handle(title, len(active))
    return made(known, kl, kl, collapsed=collapsed, active=active, **more)


@pytest.mark.parametrize(
    ("models", "words"),
    [
        ([((), (9, 6, 4))], "Every layer of “A” carries information"),
        ([((3,), (9, 6, 0))], "Layer z3 of “A” says nothing"),
        ([((2, 3), (9, 0, 0))], "Layers z2 and z3 of “A” say nothing"),
        ([((1,), (9, 6, 4))], "Layer z1 of “A” says little per unit"),
        ([((1, 3), (9, 6, 0))], "Layer z3 of “A” says nothing, z1 little per unit"),
        (
            [((3,), (9, 6, 0)), ((), (9, 6, 4))],
            "Layer z3 of “A” says nothing; “B” keeps all layers",
        ),
        (
            [((), (9, 6, 4)), ((2, 3), (9, 0, 0))],
            "Every layer of “A” carries information; in “B” layers z2 and z3 say nothing",
        ),
    ],
)
def test_claim_follows_the_layers(models: Any, words: str) -> None:
    several = [layers(f"World, {'AB'[i]}, 3 layers", *m) for i, m in enumerate(models)]
    assert collapse.claim(several, "World") == words


def test_titles_stay_whole_where_short_ones_would_be_equal() -> None:
    pair = [handle("Glyphs, plain, 3 layers"), handle("Glyphs, plain, 5 layers", 5)]
    assert collapse.short_titles(pair, "Glyphs") == [f"“{h.title}”" for h in pair]
    assert collapse.short_titles(pair[:1], "Glyphs") == ["“plain”"]
    assert collapse.short_titles([handle("Glyphs")], "Glyphs") == ["“Glyphs”"]


def test_layers_in_words_begin_with_the_collapsed() -> None:
    history = np.ones((3, 3))
    known = layers("A", (3,), (9, 6, 0), history=history, since=(None, None, 2))
    lines = [line.text for line in in_words(known.found)]
    since = "Collapsed, below the threshold since epoch 2."
    assert lines[0] == f"z3 (4 units): 0.0004 nats a unit, no unit active. {since}"
    assert lines[1].startswith("z1 (98 units)") and lines[1].endswith("9 of 98 units active.")
    here = in_words(layers("A", (1,), (9, 6, 4), history=history).found)[0].text
    spread = "What it says is spread over many units."
    assert here.endswith(f"Thin on this set, not at the end of training. {spread}")
    thin = layers("A", (1,), (9, 6, 4), history=history, since=(1, None, None))
    since = "Thin, below the threshold since epoch 1."
    assert in_words(thin.found)[0].text.endswith(f"{since} {spread}")
    assert in_words(layers("A", (3,), (9, 6, 0)).found)[0].text.endswith("Collapsed.")


@pytest.mark.parametrize("series", [[], [1.0, 2.0], [[1.0, 2.0]], [[1.0, 2.0, 3.0], [1.0]]])
def test_history_of_other_layers_is_no_history(
    series: list[Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(store, "info", lambda _: SimpleNamespace(history={"valid_kl": series}))
    assert collapse.history_kl(handle(), "validation") is None
    assert collapse.histories([handle()], "validation", per_dim=True) == []


def test_tables_hold_what_the_charts_show(monkeypatch: pytest.MonkeyPatch) -> None:
    rows = [[98.0, 6.0, 4.0], [9.8, 0.6, 0.4]]
    monkeypatch.setattr(store, "info", lambda _: SimpleNamespace(history={"train_kl": rows}))
    known = collapse.histories([handle()], "training", per_dim=True)
    table = tables.history_table(known, "training", "nats a unit")
    assert table["epoch"].tolist() == [1, 1, 1, 2, 2, 2]
    np.testing.assert_allclose(table["kl (nats a unit)"], [1, 1, 1, 0.1, 0.1, 0.1])
    both = [layers("A", (3,), (9, 6, 0)), layers("B", (), (9, 6, 4))]
    table = tables.layer_table(both)
    assert table["collapsed"].tolist() == [False, False, True, False, False, False]
    assert len(tables.unit_table(both)) == 2 * (98 + 6 + 4)


def test_layers_that_only_follow_are_empty_and_it_is_said() -> None:
    model = layers("A", (1, 2), (98, 6, 4), silent=(1, 2))
    assert model.found.followers == (1, 2)
    assert collapse.claim([model], "Glyphs") == "Layers z1 and z2 of “A” say nothing"
    assert "all by following the layers above" in in_words(model.found)[0].text


def deep(collapsed: tuple[int, ...], active: tuple[int, ...], **more: Any) -> Layers:
    """Fourteen layers of four units on two scales under u."""
    names = (*(f"z{i}" for i in range(1, 14)), "u")
    levels = ("14x14",) * 8 + ("7x7",) * 5 + ("u",)
    kl = [0.0004 * i if i in collapsed else 1.5 + i for i in range(1, 15)]
    layers = tuple((name, (4,), 4) for name in names)
    known = Handle(
        "Deep",
        "Deep",
        "",
        digest="0" * 64,
        layers=layers,
        levels=levels,
        exact_kl=(True,) * 14,
        image_shape=(1, 28, 28),
    )
    more = {"silent": collapsed, **more}
    return made(known, kl, [3.0, 2.0, 1.0], collapsed=collapsed, active=active, **more)


def test_many_layers_are_told_in_ranges() -> None:
    flat = (*range(3, 11),)
    model = deep(flat, (4, 4, *(0,) * 8, 4, 4, 4, 2))
    assert collapse.claim([model], "Glyphs") == "Layers z3 to z10 of “Deep” say nothing"
    assert [line.text for line in in_words(model.found)] == [
        "z3 to z8 (6 layers of 4 units): 0.0012 to 0.0032 nats a unit, no unit active. Collapsed.",
        "z9 and z10 (2 layers of 4 units): 0.0036 to 0.0040 nats a unit, no unit active. "
        "Collapsed.",
        "z1 and z2 (2 layers of 4 units): 2.50 to 3.50 nats a unit, 4 of 4 units active.",
        "z11 to z13 (3 layers of 4 units): 12.5 to 14.5 nats a unit, 4 of 4 units active.",
        "u (4 units): 15.5 nats a unit, 2 of 4 units active.",
    ]
    assert [line.collapsed for line in in_words(model.found)] == [True, True, *[False] * 3]
    told = deep(flat, (4,) * 14, since=(None, None, *range(2, 10), *(None,) * 4),
                history=np.ones((9, 14)))  # fmt: skip
    assert told.found.followers == flat
    assert in_words(told.found)[0].text.endswith(
        "4 of 4 units active, all by following the layers above. "
        "Collapsed, below the threshold since epoch 2 to 7."
    )
    later = deep(flat, (4,) * 14, since=(None, None, 2, 2, *(None,) * 10),
                 history=np.ones((9, 14)))  # fmt: skip
    first, second = (line.text for line in in_words(later.found)[:2])
    assert first.endswith("Collapsed, below the threshold since epoch 2 (2 of them).")
    assert second.endswith("Collapsed on this set, not at the end of training.")
    every_other = deep((*range(1, 14, 2),), (0, 4) * 7)
    claim = "7 of 14 layers of “Deep” say nothing"
    assert collapse.claim([every_other], "Glyphs") == claim


def test_bits_stand_at_the_first_layer_of_each_level() -> None:
    table = tables.layer_table([deep((), (4,) * 14)])
    assert table["k"].tolist() == [0] * 8 + [1] * 5 + [2]
    known = table.dropna(subset="bound_bits_per_dim")
    assert known["layer"].tolist() == ["z1", "z9", "u"]
    assert known["bound_bits_per_dim"].tolist() == [3.0, 2.0, 1.0]
    assert known["nll_bits_per_dim"].tolist() == [1.0, 2.0, 3.0]
    assert tables.unit_table([deep((), (4,) * 14)])["layer"].iloc[-1] == "u"
