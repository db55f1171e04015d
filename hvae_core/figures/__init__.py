"""Pictures: arrays in, ``plotly.Figure`` or ``PIL.Image`` out; no torch and no streamlit here."""

from hvae_core.common.words import fmt, interval, percent, symbol_html, symbol_text
from hvae_core.figures.bars import active_units, kl_bars
from hvae_core.figures.by_draws import auroc_by_draws
from hvae_core.figures.curves import Curve, precision_recall, roc
from hvae_core.figures.density import densities, reference_density
from hvae_core.figures.false_alarms import Alarms, calibration
from hvae_core.figures.grids import (
    StripRow,
    png_bytes,
    strip,
    strip_boxes,
    strip_cells,
    tile,
    tile_boxes,
)
from hvae_core.figures.information import information_by_k, unit_curves
from hvae_core.figures.latent_map import MapData, class_codes, image_lines, latent_map
from hvae_core.figures.layers import bits_by_k, kl_history, layer_band
from hvae_core.figures.live import (
    Progress,
    units_by_sigma,
)
from hvae_core.figures.moving import moving_lines, moving_marks, moving_posteriors
from hvae_core.figures.pixel_map import map_limit, pixel_map
from hvae_core.figures.rate_distortion import attack_curve, rate_distortion
from hvae_core.figures.score_bands import ScoreRow, score_bands
from hvae_core.figures.score_heat import metric_heat
from hvae_core.figures.theme import DARK, LIGHT, Palette, figure_config
from hvae_core.figures.turned import Turn
from hvae_core.figures.two_models import SetLine, layer_matrix, likeness_by_layer, score_pairs
from hvae_core.figures.units import unit_heatmap

__all__ = [
    "DARK",
    "LIGHT",
    "Alarms",
    "Curve",
    "MapData",
    "Palette",
    "Progress",
    "ScoreRow",
    "SetLine",
    "StripRow",
    "Turn",
    "active_units",
    "attack_curve",
    "auroc_by_draws",
    "bits_by_k",
    "calibration",
    "class_codes",
    "densities",
    "figure_config",
    "fmt",
    "image_lines",
    "information_by_k",
    "interval",
    "kl_bars",
    "kl_history",
    "latent_map",
    "layer_band",
    "layer_matrix",
    "likeness_by_layer",
    "map_limit",
    "metric_heat",
    "moving_lines",
    "moving_marks",
    "moving_posteriors",
    "percent",
    "pixel_map",
    "png_bytes",
    "precision_recall",
    "rate_distortion",
    "reference_density",
    "roc",
    "score_bands",
    "score_pairs",
    "strip",
    "strip_boxes",
    "strip_cells",
    "symbol_html",
    "symbol_text",
    "tile",
    "tile_boxes",
    "unit_curves",
    "unit_heatmap",
    "units_by_sigma",
]
