"""Pictures: arrays in, ``plotly.Figure`` or ``PIL.Image`` out; no torch and no streamlit here."""

from .bars import active_units, kl_bars
from .curves import Curve, precision_recall, roc
from .density import densities, reference_density, smooth_density
from .grids import StripRow, png_bytes, strip, tile
from .layers import bits_by_k, kl_history, layer_band
from .maps import MapData, latent_map
from .numbers import fmt, interval, percent, symbol_html, symbol_text
from .tables import metric_heat
from .theme import DARK, LIGHT, Palette, figure_config, palette
from .units import unit_heatmap

__all__ = [
    "DARK",
    "LIGHT",
    "Curve",
    "MapData",
    "Palette",
    "StripRow",
    "active_units",
    "bits_by_k",
    "densities",
    "figure_config",
    "fmt",
    "interval",
    "kl_bars",
    "kl_history",
    "latent_map",
    "layer_band",
    "metric_heat",
    "palette",
    "percent",
    "png_bytes",
    "precision_recall",
    "reference_density",
    "roc",
    "smooth_density",
    "strip",
    "symbol_html",
    "symbol_text",
    "tile",
    "unit_heatmap",
]
