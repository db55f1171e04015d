"""Pictures: arrays in, ``plotly.Figure`` or ``PIL.Image`` out; no torch and no streamlit here."""

from .bars import active_units, kl_bars
from .calibration import Alarms, calibration
from .curves import Curve, precision_recall, roc
from .density import densities, reference_density, smooth_density
from .draws import auroc_by_draws
from .grids import StripRow, png_bytes, strip, tile
from .information import information_by_k, unit_curves
from .layers import bits_by_k, kl_history, layer_band
from .likeness import SetLine, layer_matrix, likeness_by_layer, score_pairs
from .maps import MapData, latent_map
from .numbers import fmt, interval, percent, symbol_html, symbol_text
from .rates import attack_curve, rate_distortion
from .tables import metric_heat
from .theme import DARK, LIGHT, Palette, figure_config, palette
from .units import unit_heatmap

__all__ = [
    "DARK",
    "LIGHT",
    "Alarms",
    "Curve",
    "MapData",
    "Palette",
    "SetLine",
    "StripRow",
    "active_units",
    "attack_curve",
    "auroc_by_draws",
    "bits_by_k",
    "calibration",
    "densities",
    "figure_config",
    "fmt",
    "information_by_k",
    "interval",
    "kl_bars",
    "kl_history",
    "latent_map",
    "layer_band",
    "layer_matrix",
    "likeness_by_layer",
    "metric_heat",
    "palette",
    "percent",
    "png_bytes",
    "precision_recall",
    "rate_distortion",
    "reference_density",
    "roc",
    "score_pairs",
    "smooth_density",
    "strip",
    "symbol_html",
    "symbol_text",
    "tile",
    "unit_curves",
    "unit_heatmap",
]
