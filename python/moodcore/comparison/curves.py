"""Curves on the test rows: calibration, precision against recall."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from moodcore.comparison.output import BINS, Output, confidence_bins

if TYPE_CHECKING:
    import pandas as pd

# A curve of more points looks the same.
_POINTS = 200


def calibration_table(outputs: Mapping[str, Output], codes: NDArray[np.int64]) -> pd.DataFrame:
    """Return one row per model and bin of confidence with rows in it."""
    import pandas as pd

    rows = []
    for name, output in outputs.items():
        if output.probabilities is None:
            continue
        bins = confidence_bins(codes, output.probabilities)
        for number, (count, confidence, accuracy) in enumerate(zip(*bins, strict=True)):
            if count:
                edges = (number / BINS, (number + 1) / BINS)
                rows.append((name, *edges, int(count), float(confidence), float(accuracy)))
    columns = ["model", "from", "to", "rows", "confidence", "accuracy"]
    return pd.DataFrame(rows, columns=columns)


def precision_recall_table(
    outputs: Mapping[str, Output], codes: NDArray[np.int64], class_names: Sequence[str]
) -> pd.DataFrame:
    """Return one row per model, class and point of its curve, at most some hundred points."""
    import pandas as pd

    parts = []
    for name, output in outputs.items():
        if output.ranking is None:
            continue
        for code, class_name in enumerate(class_names):
            curve = _curve(codes == code, output.ranking[:, code])
            parts.append(curve.assign(model=name, **{"class": class_name}))
    columns = ["model", "class", "recall", "precision", "average_precision"]
    return pd.concat(parts, ignore_index=True)[columns] if parts else pd.DataFrame(columns=columns)


def _curve(is_class: NDArray[np.bool_], ranked: NDArray[np.float64]) -> pd.DataFrame:
    import pandas as pd
    from sklearn.metrics import average_precision_score, precision_recall_curve

    precision, recall, _ = precision_recall_curve(is_class, ranked)
    kept = np.unique(np.linspace(0, len(recall) - 1, _POINTS).round().astype(int))
    return pd.DataFrame(
        {
            "recall": recall[kept],
            "precision": precision[kept],
            "average_precision": average_precision_score(is_class, ranked),
        }
    )
