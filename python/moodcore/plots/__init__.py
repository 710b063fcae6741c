"""Figures of runs and models: data in, matplotlib axes out.

A function draws into the axes passed as `ax`, or into those of a new figure that pyplot does not
know, so that nothing has to be closed and no screen is needed, and returns the axes.
`candidate_losses` and `class_curves` draw several panels and return a figure. No function changes
matplotlib's settings. All raise `ValueError` for empty tables, missing columns, and values that are
not finite or out of range.

Colors are those of Okabe and Ito (2008), which color-blind readers can tell apart; lines differ in
stroke and marker as well. Long names are cut; characters that the font lacks become squares.

Examples
--------
>>> ax = class_counts({"sad": 5, "calm": 2}, {"sad": 2, "calm": 2})
>>> ax.get_xlabel()
'number of rows'
>>> figure_svg(ax.figure).startswith("<svg")
True
"""

from moodcore.plots.bars import class_counts, feature_importance, top_confusions
from moodcore.plots.candidates import candidate_losses
from moodcore.plots.classes import class_curves, rejection_curve, threshold_curves
from moodcore.plots.contributions import contribution_swarm, contribution_waterfall
from moodcore.plots.curves import (
    calibration_curves,
    elimination_curves,
    learning_curves,
    precision_recall_curves,
)
from moodcore.plots.export import figure_png, figure_svg
from moodcore.plots.losses import loss_per_epoch, loss_per_update
from moodcore.plots.matrices import (
    agreement_matrix,
    confusion_matrix,
    correlation_heatmap,
    difference_matrix,
    feature_measures,
)
from moodcore.plots.models import (
    elimination_costs,
    fold_accuracies,
    fold_differences,
    score_intervals,
)
from moodcore.plots.search import grid_overview, parameter_effect
from moodcore.plots.trees import tree_diagram

__all__ = [
    "agreement_matrix",
    "calibration_curves",
    "candidate_losses",
    "class_counts",
    "class_curves",
    "confusion_matrix",
    "contribution_swarm",
    "contribution_waterfall",
    "correlation_heatmap",
    "difference_matrix",
    "elimination_costs",
    "elimination_curves",
    "feature_importance",
    "feature_measures",
    "figure_png",
    "figure_svg",
    "fold_accuracies",
    "fold_differences",
    "grid_overview",
    "learning_curves",
    "loss_per_epoch",
    "loss_per_update",
    "parameter_effect",
    "precision_recall_curves",
    "rejection_curve",
    "score_intervals",
    "threshold_curves",
    "top_confusions",
    "tree_diagram",
]
