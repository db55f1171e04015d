"""Colours as numbers: how light they are, how they stand out, what they make when mixed."""

from __future__ import annotations


def hex_color(color: str) -> str:
    """``rgb(r, g, b)`` as ``#RRGGBB``."""
    return "#" + "".join(f"{round(float(part)):02X}" for part in color[4:-1].split(","))


def channels(color: str) -> tuple[int, int, int]:
    """``#RRGGBB`` as three integers."""
    return int(color[1:3], 16), int(color[3:5], 16), int(color[5:7], 16)


def luminance(color: str) -> float:
    """Relative luminance of ``#RRGGBB``, 0 black to 1 white (WCAG 2)."""
    linear = [
        v / 12.92 if v <= 0.04045 else ((v + 0.055) / 1.055) ** 2.4
        for v in (part / 255 for part in channels(color))
    ]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


def contrast(ink: str, ground: str) -> float:
    """Contrast ratio of two colours, 1 to 21; text wants 4.5 (WCAG 2)."""
    dark, bright = sorted((luminance(ink), luminance(ground)))
    return (bright + 0.05) / (dark + 0.05)


def faded(color: str, alpha: float) -> str:
    """``#RRGGBB`` with an opacity, for fills that other marks shine through."""
    return "rgba({}, {}, {}, {:g})".format(*channels(color), alpha)


def mixed(color: str, other: str, share: float) -> str:
    """``#RRGGBB`` with so large a share of another mixed in, as where one lies faded on it."""
    pairs = zip(channels(color), channels(other), strict=True)
    return "#" + "".join(f"{round(a + share * (b - a)):02X}" for a, b in pairs)
