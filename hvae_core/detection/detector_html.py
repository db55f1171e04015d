"""What a notebook shows of a detector: its rule in a sentence, its figures, its notes."""

from __future__ import annotations

from html import escape
from typing import Any

import numpy as np

from hvae_core.common.plain import plain
from hvae_core.common.words import fmt, percent


def as_html(detector: Any) -> str:
    """A ``Detector`` as a small table; text of others is shown as text."""
    fitted = hasattr(detector, "offset_")
    rows = [("model", _model(detector)), ("score", _score(detector))]
    if fitted:
        rows += [
            ("held-out images", f"{len(detector.reference_):,}"),
            ("called out", _rule(detector)),
        ]
    rows += [("note", note) for note in getattr(detector, "notes_", ())]
    head = f"Out-of-distribution detector, {percent(detector.alpha)} false alarms"
    if not fitted:
        head += " (not fitted: give it held-out images)"
    cells = "".join(
        f'<tr><th style="text-align:left">{escape(name)}</th>'
        f'<td style="text-align:left">{escape(plain(text, 300))}</td></tr>'
        for name, text in rows
    )
    return f"<table><caption>{escape(head)}</caption>{cells}</table>"


def _model(detector: Any) -> str:
    if hasattr(detector, "model_digest_"):
        return f"{detector.model_name_} (sha256 {detector.model_digest_[:16]})"
    model = detector.model
    return str(model) if isinstance(model, str) else type(model).__name__


def _score(detector: Any) -> str:
    if hasattr(detector, "keys_"):
        return ", ".join(detector.keys_)
    return str(detector.by)


def _rule(detector: Any) -> str:
    if not np.isfinite(detector.offset_):
        return "none: there are too few held-out images"
    if len(detector.keys_) > 1:
        return f"calibrated harmonic mean of {len(detector.keys_)} p-values ≤ {detector.alpha:g}"
    if isinstance(detector.by, str) and detector.by in ("levels", "bounds"):
        return f"p-value of {detector.keys_[0]}, both ends, ≤ {detector.alpha:g}"
    return f"{detector.keys_[0]} > {fmt(-detector.offset_)}"
