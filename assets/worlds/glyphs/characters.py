"""Which characters each out-of-distribution set is made of, and its class names."""

from __future__ import annotations

import tomllib
from pathlib import Path


def sets() -> dict[str, dict[str, str]]:
    """Set name -> class name -> its characters, as ``characters.toml`` has them."""
    texts = tomllib.loads(Path(__file__).with_suffix(".toml").read_text("utf-8"))
    return {
        name: {c: c for c in text} if isinstance(text, str) else text
        for name, text in texts.items()
    }
