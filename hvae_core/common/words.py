"""Numbers, symbols and lists of layers in words: three significant digits, always with a unit."""

from __future__ import annotations

import html
import math
import re
from collections.abc import Iterable, Sequence

MINUS = "\N{MINUS SIGN}"
LETTERS = "ABCD"
"""Of models that are compared."""
RANGE = 4
"""So many neighbours are a range; fewer are named one by one."""
MOST = 5
"""More names and ranges than this are a number."""
SUPERSCRIPTS = "⁻⁰¹²³⁴⁵⁶⁷⁸⁹"
_RAISED = str.maketrans("-0123456789", SUPERSCRIPTS)
_UPRIGHT = re.compile(r"\\(?:mathrm|mathbf|mathit|operatorname|text)\s*\{([^{}]*)\}")
_COMMANDS = {
    r"\log": "log ",
    r"\mathcal{L}": "<i>L</i>",
    r"\mid": " | ",
    r"\vert": " | ",
    r"\geq": "≥",
    r"\leq": "≤",
    r"\theta": "θ",
    r"\phi": "φ",
    r"\ast": "*",
    r"\star": "*",
    r"\,": " ",
    r"\;": " ",
    r"\ ": " ",
    r"\quad": "  ",
    r"\cdot": "·",
    r"\Delta": "Δ",
    r"\left": "",
    r"\right": "",
    r"\!": "",
}


def fmt(value: float, unit: str = "") -> str:
    """A number with three significant digits and its unit: ``fmt(0.04127, "nats")``."""
    if math.isnan(value):
        return "–"
    return f"{_digits(value)} {unit}".rstrip()


def interval(value: float, low: float, high: float, unit: str = "") -> str:
    """A value with its interval to the same decimal place: ``0.964 [0.958, 0.969]``."""
    if math.isnan(value):
        return "–"
    if math.isnan(low) or math.isnan(high):
        return fmt(value, unit)
    # A perfect area, 1.000, keeps the three decimals of its neighbours.
    decimals = 3 if not unit and abs(value) <= 1 else _decimals(value)
    # 100 [99.6, 100] % is no certainty: one more decimal where rounding hides the interval.
    if unit and low < high and _fixed(low, decimals) == _fixed(high, decimals):
        decimals += 1
    value_text, low_text, high_text = (_fixed(v, decimals) for v in (value, low, high))
    return f"{value_text} [{low_text}, {high_text}] {unit}".rstrip()


def area(value: float) -> str:
    """An AUROC, with the three decimals that its interval has: ``area(0.0042) == "0.004"``."""
    return "–" if math.isnan(value) else f"{value:.3f}"


def p_value(p: float) -> str:
    """A p-value with three significant digits; what is smaller than 0.0001 is told as that."""
    return "< 0.0001" if p < 1e-4 else fmt(p)


def percent(fraction: float) -> str:
    """A fraction as a percentage with at most one decimal: ``percent(0.0512) == "5.1 %"``."""
    if math.isnan(fraction):
        return "–"
    value = 100 * fraction
    decimals = 0 if value == round(value) or abs(value) >= 99.95 else 1
    return f"{_fixed(value, decimals)} %"


def symbol_html(latex: str) -> str:
    r"""A score's symbol as chart text: ``\mathrm{LLR}_{>1}`` becomes ``LLR<sub>&gt;1</sub>``.

    Charts in the app have no TeX; the subset that the scores use is subscripts, superscripts,
    upright text and a handful of commands.
    """
    text = latex.strip().strip("$").replace(r"\mathcal L", r"\mathcal{L}")
    text = _UPRIGHT.sub(r"\1", text)
    text = text.replace("<", "&lt;").replace(">", "&gt;")
    for command in sorted(_COMMANDS, key=len, reverse=True):
        text = text.replace(command, _COMMANDS[command])
    for sign, tag in (("_", "sub"), ("^", "sup")):
        text = re.sub(rf"\{sign}\{{([^{{}}]*)\}}", rf"<{tag}>\1</{tag}>", text)
        text = re.sub(rf"\{sign}(&gt;|&lt;|\w)", rf"<{tag}>\1</{tag}>", text)
    text = text.replace("{", "").replace("}", "").replace("\\", "")
    return re.sub(r" {2,}", " ", text.replace("-", MINUS)).strip()


def symbol_text(latex: str) -> str:
    r"""A score's symbol as plain text, for lists and titles: ``\mathrm{LLR}_{>1}`` as ``LLR>1``."""
    return html.unescape(re.sub(r"</?\w+>", "", symbol_html(latex)))


def _decimals(value: float) -> int:
    """Decimal places that show three significant digits."""
    if value == 0 or math.isinf(value):
        return 0
    return max(0, 2 - math.floor(math.log10(abs(float(f"{value:.2e}")))))


def power_of_ten(value: float) -> str:
    """A number with three significant digits and a power of ten: ``6.61×10⁻³``."""
    mantissa, exponent = f"{value:.2e}".split("e")
    return f"{mantissa}×10{str(int(exponent)).translate(_RAISED)}".replace("-", MINUS)


def _digits(value: float) -> str:
    if value != 0 and abs(value) < 1e-4:
        return power_of_ten(value)
    if abs(value) >= 1e5 and not math.isinf(value):
        return _fixed(float(f"{value:.2e}"), 0)
    return _fixed(value, _decimals(value))


def _fixed(value: float, decimals: int) -> str:
    if math.isinf(value):
        return "∞" if value > 0 else f"{MINUS}∞"
    text = f"{value:.{decimals}f}"
    if float(text) == 0:
        text = text.lstrip("-")
    return text.replace("-", MINUS)


def capital(text: str) -> str:
    """A sentence, in Markdown too, with a capital: a symbol at its start, as p or z1, stays.

    So does the name of a file or checkpoint, as cat.png or llr_1.
    ``capital("path is 3 nats") == "Path is 3 nats"``
    """
    word = re.match(r"[*\s]*((?!log\b)[a-z]{2}\S*)", text)
    if word is None or re.search(r"[_\d]|\.\w", word[1]):
        return text
    at = word.start(1)
    return text[:at] + text[at].upper() + text[at + 1 :]


def listed(words: Iterable[str]) -> str:
    """Words in a row, as "a, b and c"."""
    *most, last = words
    return f"{', '.join(most)} and {last}" if most else last


def runs(layers: Sequence[int]) -> list[list[int]]:
    """Runs of neighbours among ascending numbers of layers."""
    groups: list[list[int]] = []
    for i in layers:
        if groups and groups[-1][-1] == i - 1:
            groups[-1].append(i)
        else:
            groups.append([i])
    return groups


def unbroken(text: str) -> str:
    """Text in which no line ends within "A-J", "MS-SSIM" or "t-SNE": signs are joined there."""
    joined = "\\1\N{WORD JOINER}-\N{WORD JOINER}\\2"
    return re.sub(r"\b(\w|[A-Z]{2,4})-(\w|[A-Z]{2,})\b", joined, text)


def numbers(ascending: Sequence[int]) -> str:
    """Ascending numbers in words, runs by first and last: "1, 3 and 5 to 9"."""
    said: list[str] = []
    for run in runs(ascending):
        said += [f"{run[0]} to {run[-1]}"] if len(run) >= RANGE else map(str, run)
    return listed(said)


def span(names: Sequence[str], layers: Sequence[int]) -> str:
    """Neighbouring layers (numbers from 1) by the first and the last, as "z1 to z7"."""
    first, last = names[layers[0] - 1], names[layers[-1] - 1]
    if len(layers) < 3:
        return first if first == last else f"{first} and {last}"
    return f"{first} to {last}"


def layers_in_words(names: Sequence[str], layers: Sequence[int]) -> str:
    """Layers by their ascending numbers from 1, ``names`` being those of all layers.

    Neighbours are a range where they are many; what would still be a long list is a number.
    """
    parts: list[str] = []
    for run in runs(layers):
        if len(run) >= RANGE:
            parts.append(span(names, run))
        else:
            parts += [names[i - 1] for i in run]
    return listed(parts) if len(parts) <= MOST else f"{len(layers)} of {len(names)} layers"
