"""The verdict on one image in words: a function of its numbers, so that no page says more."""

from __future__ import annotations

from collections.abc import Sequence

from hvae_core.common.words import capital, fmt, listed, numbers, percent
from hvae_core.detection.conformal import images_needed
from hvae_core.detection.standard import PATH
from hvae_core.detection.verdict import Judgement


def in_words(judged: Judgement) -> tuple[str, str]:
    """The verdict as a headline and the sentences that explain it."""
    decision = judged.verdict
    if not decision.possible:
        return _undecided(judged)
    p = f"p = {fmt(decision.p_value)}"
    rate = percent(decision.alpha)
    why = _why_out(judged) if decision.out else _why_in(judged)
    told = f"{why} {judged.note}".strip()
    if decision.out:
        return f"Out of distribution{_where(judged)} ({p})", told
    return f"Not flagged at a {rate} false-alarm rate ({p})", told


def needed_references(judged: Judgement) -> int:
    """The smallest reference with which an image could be flagged at this rate."""
    # The likelihood alone is rare at either end, so one of the reference may be as rare.
    ends = 2 if judged.n_levels == 1 else 1
    scores = 1 if judged.verdict.correction == "calibrated" else len(judged.verdict.p_values)
    return images_needed(judged.verdict.alpha, ends * scores)


def ks_in_words(ks: Sequence[int]) -> str:
    """Several k by their ascending numbers: "k = 2", "k = 1 and 3", "k = 1 to 4"."""
    return f"k = {numbers(ks)}"


def ratios_in_words(ks: Sequence[int]) -> str:
    """The ratios LLR>k of these k: "ratio at k = 2", "ratios at k = 1 and 3"."""
    return f"ratio{'s' if len(ks) > 1 else ''} at {ks_in_words(ks)}"


def scores_in_words(
    keys: Sequence[str], places: Sequence[int], *, short: bool = False
) -> list[str]:
    """Scores of a verdict by their places: the likelihood, the ratios together, the path."""
    ks = [place for place in places if place and keys[place] != PATH]
    said = ["likelihood"] if 0 in places else []
    said += [ratios_in_words(ks)] if ks else []
    if any(keys[place] == PATH for place in places):
        said.append("path" if short else "path through the levels")
    return said if short else [f"the {each}" for each in said]


def _level_p(judged: Judgement) -> str:
    if len(judged.levels) > 1:
        return f"p(LLR>k) = {fmt(judged.p_level)} each"
    return f"p(LLR>{judged.level}) = {fmt(judged.p_level)}"


def _k(judged: Judgement) -> str:
    """The k whose ratio is the most unusual, or all that tie: "k = 2"."""
    return ks_in_words(judged.levels) if judged.levels else ""


def _ratio(judged: Judgement) -> str:
    """That ratio, or all that tie: "the ratio at k = 2"."""
    return f"the {ratios_in_words(judged.levels)}" if judged.levels else ""


def _are(judged: Judgement) -> str:
    return "are" if len(judged.levels) > 1 else "is"


def _bound_p(judged: Judgement) -> str:
    return f"p(L) = {fmt(judged.p_bound)}"


def _path_p(judged: Judgement) -> str:
    return f"p(path) = {fmt(judged.p_path)}"


def _rare(judged: Judgement) -> tuple[bool, bool, bool]:
    """Whether the likelihood, the strangest ratio, and the path are rare by themselves."""
    alpha = judged.verdict.alpha
    return judged.p_bound <= alpha, judged.p_level <= alpha, judged.p_path <= alpha


def _where(judged: Judgement) -> str:
    if not any(_rare(judged)):
        return ""
    if len(judged.ties) > 1:
        said = [f"by its likelihood (too {judged.side})"] if 0 in judged.ties else []
        said += [f"at {_k(judged)}"] if judged.p_level == judged.verdict.p_values.min() else []
        said += ["by its path through the levels"] if _path_ties(judged) else []
        return f", equally {listed(said)}"
    if judged.by_path:
        return ": its path through the levels is unusual"
    return f" at k = {judged.k}" if judged.k else f": its likelihood is too {judged.side}"


def _path_ties(judged: Judgement) -> bool:
    """Whether nothing is more unusual than the path."""
    return judged.path is not None and judged.p_path == judged.verdict.p_values.min()


def _why_out(judged: Judgement) -> str:
    likely, strange, path = _rare(judged)
    if not (likely or strange or path):
        told = f"No score alone is that rare, but together they are: {_bound_p(judged)}"
        if judged.level:
            told = f"{told}, and at its strangest, {_k(judged)}, {_level_p(judged)}"
        told = f"{told}; {_path_p(judged)}." if judged.path else f"{told}."
    elif judged.by_path:
        told = f"{_path(judged)} {_beside_path(judged)}"
    elif judged.n_levels == 1:
        told = _one_layer(judged)
    else:
        told = _by_bounds(judged)
    if path and not judged.by_path:
        how = "just as unusual" if _path_ties(judged) else "unusual too"
        told = f"{told} Its path through the levels is {how} ({_path_p(judged)})."
    return f"{told} {_blindness(judged)}".strip() if strange or not likely else told


def _by_bounds(judged: Judgement) -> str:
    """Why it is out where the likelihood or a ratio is the most unusual, and rare."""
    likely, strange, _ = _rare(judged)
    if not strange:
        return f"{_likelihood(judged)}. No ratio is unusual. {_strangest(judged)}"
    if likely:
        what = "it stands out from blind guesses at" if judged.blind else "the whole is strange at"
        return f"{_likelihood(judged)}, and {what} {_k(judged)} ({_level_p(judged)})."
    if judged.blind:
        return (
            f"Its likelihood alone would let it pass ({_bound_p(judged)}); held against what this "
            f"model paints without looking at it, it stands out ({_level_p(judged)})."
        )
    return (
        f"Its details are familiar ({_bound_p(judged)}), the whole is not "
        f"({_level_p(judged)}): its likelihood alone would let it pass."
    )


def _strangest(judged: Judgement) -> str:
    """A sentence on the most unusual ratio."""
    return f"At its strangest, {_k(judged)}, {_level_p(judged)}."


def _path(judged: Judgement) -> str:
    """What is wrong with the path."""
    term = judged.path
    assert term is not None  # the path is what differs the most
    return (
        "What is unusual is its path through the levels: what each of them finds does not go "
        f"together as in held-out images ({_path_p(judged)}). Given the rest, {term.name} is too "
        f"{term.side}."
    )


def _beside_path(judged: Judgement) -> str:
    """What likelihood and ratios say where the path decides."""
    likely, strange, _ = _rare(judged)
    too = f"{_ratio(judged)} {_are(judged)} unusual too ({_level_p(judged)})"
    if likely and strange:
        return f"{_likelihood(judged)}, and {too}."
    if likely:
        return f"{_likelihood(judged)}."
    if strange:
        return f"{capital(too)}."
    alone = f"Its likelihood alone would let it pass ({_bound_p(judged)})"
    if not judged.level:
        return f"{alone}."
    return f"{alone}, and so would any one ratio. {_strangest(judged)}"


def _why_in(judged: Judgement) -> str:
    likely, strange, path = _rare(judged)
    told = _one_layer(judged) if judged.n_levels == 1 else _in_by_bounds(judged)
    if judged.path is None:
        return told
    if not path:
        return f"{told} Its path through the levels is usual ({_path_p(judged)})."
    if likely or strange:
        return (
            f"{told} Its path through the levels alone would flag it too ({_path_p(judged)}), but "
            "not after that correction either."
        )
    return (
        f"{told} Its path through the levels alone would flag it ({_path_p(judged)}), "
        f"{_corrected(judged)}."
    )


def _in_by_bounds(judged: Judgement) -> str:
    """What likelihood and ratios say of an image that is not flagged."""
    likely, strange, _ = _rare(judged)
    shape = "no ratio is unusual" if judged.blind else "the whole is familiar at every k"
    if likely and strange:
        return (
            f"Its likelihood, too {judged.side} ({_bound_p(judged)}), and {_ratio(judged)} "
            f"({_level_p(judged)}) would each flag it alone, {_corrected(judged)}."
        )
    if likely:
        return (
            f"Its likelihood alone would flag it as too {judged.side} ({_bound_p(judged)}), "
            f"{_corrected(judged)}; {shape}. {_strangest(judged)}"
        )
    if strange:
        return (
            f"Its details are familiar ({_bound_p(judged)}). {capital(_ratio(judged))} alone "
            f"would flag it ({_level_p(judged)}), {_corrected(judged)}."
        )
    return f"Its details are familiar ({_bound_p(judged)}) and {shape}. {_strangest(judged)}"


def _corrected(judged: Judgement) -> str:
    return f"but not after the correction for having looked at {len(judged.keys)} scores"


def _likelihood(judged: Judgement) -> str:
    """What is wrong with the likelihood, without a full stop."""
    than = "less" if judged.side == "low" else "more"
    return (
        f"Its likelihood is too {judged.side} ({_bound_p(judged)}): the model finds it {than} "
        "likely than nearly all held-out images"
    )


def _one_layer(judged: Judgement) -> str:
    found = f"Its likelihood is familiar ({_bound_p(judged)})"
    if judged.p_bound <= judged.verdict.alpha:
        found = _likelihood(judged)
        found = found if judged.verdict.out else f"{found}, {_corrected(judged)}"
    rest = "the likelihood and the path" if judged.path else "the likelihood itself"
    return f"{found}. This model has one layer, so only {rest} could be tested."


def _undecided(judged: Judgement) -> tuple[str, str]:
    decision = judged.verdict
    rate = percent(decision.alpha)
    return (
        f"No verdict at {rate} false alarms: the reference is too small",
        f"Among {judged.n} reference images no image can be rare enough; it takes "
        f"{needed_references(judged)}, or a higher false-alarm rate. The most unusual here: "
        f"{listed(scores_in_words(judged.keys, judged.ties))}, p = "
        f"{fmt(float(decision.p_values[decision.place]))} before the correction.",
    )


def _blindness(judged: Judgement) -> str:
    if not judged.blind or not judged.level:
        return ""
    above = judged.above + (" and above are" if judged.level + 1 < judged.n_levels else " is")
    return (
        f"(In this model {above} collapsed: at {_k(judged)} the model sees no shape, it guesses "
        "blindly.)"
    )
