"""Figures: each function takes data and gives matplotlib axes (or a figure of several).

Examples
--------
>>> ax = class_counts({"sad": 30, "happy": 50}, {"sad": 30, "happy": 30})
>>> ax.get_ylabel()
'songs'
"""

from moodcore.plots.curves import (
    candidate_losses,
    layer_effect,
    learning_rate_effect,
    loss_per_epoch,
    loss_per_update,
)
from moodcore.plots.style import figure_png, figure_svg
from moodcore.plots.tables import (
    class_counts,
    confusion_matrix,
    correlation_heatmap,
    grid_overview,
)

__all__ = [
    "candidate_losses",
    "class_counts",
    "confusion_matrix",
    "correlation_heatmap",
    "figure_png",
    "figure_svg",
    "grid_overview",
    "layer_effect",
    "learning_rate_effect",
    "loss_per_epoch",
    "loss_per_update",
]
