"""Metrics by which candidates are compared; `moodcore.metrics` computes them."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class SelectionMetric:
    """A metric by which candidates are compared.

    Attributes
    ----------
    greater_is_better : bool
        Whether larger values are better.
    needs_probabilities : bool
        Whether it is computed from probabilities rather than labels.
    """

    greater_is_better: bool = True
    needs_probabilities: bool = False


#: All of them by name.
SELECTION_METRICS = {
    "accuracy": SelectionMetric(),
    "balanced_accuracy": SelectionMetric(),
    "f1_macro": SelectionMetric(),
    "log_loss": SelectionMetric(greater_is_better=False, needs_probabilities=True),
    "roc_auc": SelectionMetric(needs_probabilities=True),
}
