"""Pictures of the experiment: each a function, data in, axes out.

A function draws into the axes it is given as `ax=`, or into those of a new figure that pyplot knows
nothing of, so that nothing has to be closed and no screen is needed, and returns the axes.
`candidate_losses` draws a panel for each candidate, on shared axes and with one legend: it makes a
figure of its own and returns that. No function changes matplotlib's settings.
Colours are those of Okabe and Ito (2008), which colour-blind readers tell apart, and lines differ
in stroke and marker as well.

Examples
--------
>>> ax = class_counts({"sad": 5, "calm": 2}, {"sad": 2, "calm": 2})
>>> ax.get_ylabel()
'number of songs'
>>> figure_svg(ax.figure).startswith("<svg")
True
"""

from moodcore.plots.candidates import candidate_losses
from moodcore.plots.comparison import agreement_matrix, difference_matrix, score_intervals
from moodcore.plots.contributions import contribution_swarm, contribution_waterfall
from moodcore.plots.counts import class_counts
from moodcore.plots.effects import parameter_effect
from moodcore.plots.elimination import elimination_costs, elimination_curves
from moodcore.plots.export import figure_png, figure_svg
from moodcore.plots.folds import fold_accuracies
from moodcore.plots.grid import grid_overview
from moodcore.plots.importance import feature_importance
from moodcore.plots.losses import loss_per_epoch, loss_per_update
from moodcore.plots.matrices import confusion_matrix, correlation_heatmap
from moodcore.plots.measures import feature_measures
from moodcore.plots.quality_curves import (
    calibration_curves,
    learning_curves,
    precision_recall_curves,
)
from moodcore.plots.trees import tree_diagram

__all__ = [
    "agreement_matrix",
    "calibration_curves",
    "candidate_losses",
    "class_counts",
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
    "grid_overview",
    "learning_curves",
    "loss_per_epoch",
    "loss_per_update",
    "parameter_effect",
    "precision_recall_curves",
    "score_intervals",
    "tree_diagram",
]
